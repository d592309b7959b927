/* web_assets: the built web app, compiled into the binary. Empty when it was built without. */
#pragma once
#include "front/front.h"

extern const struct front_asset web_assets[];
extern const size_t web_assets_n;
