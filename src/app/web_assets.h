/*
 * web_assets: the built web app (web/dist), compiled into the binary by embed.c. There are none (n is 0) if it was
 * not built, or with -Dweb=false: "/" then answers OK to everybody.
 */
#pragma once
#include "front/front.h"

extern const struct front_asset web_assets[];
extern const size_t web_assets_n;
