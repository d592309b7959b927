#include "app/web_assets.h"

const struct front_asset web_assets[1];
const size_t web_assets_n = 0;
