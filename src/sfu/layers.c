#include "sfu/layers.h"

/* The smallest layer that fills the element; sizes count in either orientation, as a phone turns. */
static int by_size(const struct layer_wish *wish, const struct layer_info *layers, unsigned n)
{
	uint32_t want = wish->width > wish->height ? wish->width : wish->height;
	for (unsigned i = 0; i < n; i++) {
		uint32_t have =
			layers[i].width > layers[i].height ? layers[i].width : layers[i].height;
		if (have >= want)
			return (int)i;
	}
	return (int)n - 1;
}

static int by_quality(enum layer_quality quality, const struct layer_info *layers, unsigned n)
{
	int best = 0;
	for (unsigned i = 0; i < n; i++)
		if (layers[i].quality <= quality)
			best = (int)i;
	return best;
}

int layer_wanted(const struct layer_wish *wish, const struct layer_info *layers, unsigned n)
{
	if (wish->is_disabled || wish->quality == QUALITY_OFF || n == 0)
		return LAYER_NONE;
	bool sizes_known = layers[n - 1].width != 0 || layers[n - 1].height != 0;
	if (sizes_known && (wish->width || wish->height))
		return by_size(wish, layers, n);
	return by_quality(wish->quality, layers, n);
}

int layer_pick(const struct layer_info *layers, unsigned n, int wanted, int ceiling, int current)
{
	if (wanted == LAYER_NONE)
		return LAYER_NONE;
	int limit = wanted < ceiling ? wanted : ceiling;
	for (int i = limit; i >= 0; i--)
		if (i < (int)n && layers[i].is_active)
			return i;
	for (int i = limit + 1; i < (int)n; i++)
		if (layers[i].is_active)
			return i;
	return current != LAYER_NONE ? current : limit;
}
