/*
 * sfu: forwards media. What a publisher sends on its session reaches every subscriber's session, rewritten so that each
 * sees one continuous stream.
 *
 *   session → receiver ─┬─ uptrack ─┬─ downtrack ─┬─ sender → session
 *                       └─ uptrack  └─ downtrack ─┘
 *
 * It knows no rooms, no signalling and no SDP: rooms/ makes these objects and tells them what was negotiated.
 * Everything runs on one worker; packets pass without allocation, lock or log.
 */
#pragma once
#include "sfu/downtrack.h" /* one track to one subscriber */
#include "sfu/layers.h"    /* which simulcast layer a subscriber gets */
#include "sfu/receiver.h"  /* all RTP that comes in on one session */
#include "sfu/sender.h"    /* all RTP that goes out on one session */
#include "sfu/uptrack.h"   /* one published track with its layers */
