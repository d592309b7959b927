/*
 * layers: which simulcast layer a subscriber gets: what it wants, what is there, and what fits.
 *
 * Layers are numbered from 0, low to high. Today "what fits" is a ceiling that nobody lowers; a bandwidth
 * estimator sets it per downtrack, and this is the only place that combines the three.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

enum { LAYERS_MAX = 3, LAYER_NONE = -1 };

/* LiveKit's VideoQuality: the same numbers as on the wire. */
enum layer_quality { QUALITY_LOW, QUALITY_MEDIUM, QUALITY_HIGH, QUALITY_OFF };

struct layer_info {
	uint32_t width, height; /* as declared by the publisher, 0 = not told */
	enum layer_quality quality;
	bool is_active; /* packets arrive */
};

/* A subscriber's wish (UpdateTrackSettings). */
struct layer_wish {
	bool is_disabled;
	enum layer_quality quality; /* used when no size is given */
	uint32_t width, height;     /* of the element it is shown in; 0 = not told */
};

/* The layer the wish asks for, whether it is there or not; LAYER_NONE if nothing is wanted. */
int layer_wanted(const struct layer_wish *wish, const struct layer_info *layers, unsigned n);

/*
 * The layer to forward: the best active one up to `wanted` and `ceiling`, else the lowest active
 * one above; when none is active the current one stays.
 */
int layer_pick(const struct layer_info *layers, unsigned n, int wanted, int ceiling, int current);
