/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/shard/passed.h"

#include <math.h>

static tcsi_passed_side side_of(const tcsi_limits *limits, double value)
{
    return value > limits->high ? TCSI_PASSED_HIGH : value < limits->low ? TCSI_PASSED_LOW : TCSI_PASSED_NONE;
}

bool tcsi_passed_is_void(const tcsi_passed *passed, const tcsi_limits *limits)
{
    return passed->side != TCSI_PASSED_NONE && side_of(limits, passed->farthest) != passed->side;
}

bool tcsi_passed_ends(tcsi_passed *passed, const tcsi_limits *limits, double value)
{
    const tcsi_passed_side side = side_of(limits, value);
    if (passed->side == TCSI_PASSED_NONE || side == passed->side) return false;
    passed->within_count++;
    return side != TCSI_PASSED_NONE || passed->within_count >= TCSI_PASSED_RUN || tcsi_passed_is_void(passed, limits);
}

bool tcsi_passed_begins(tcsi_passed *passed, const tcsi_limits *limits, int64_t time_ns, double value)
{
    const tcsi_passed_side side = side_of(limits, value);
    const bool is_new = side != TCSI_PASSED_NONE && passed->side == TCSI_PASSED_NONE, is_high = side == TCSI_PASSED_HIGH;
    if (side == TCSI_PASSED_NONE) return false;
    if (is_new) *passed = (tcsi_passed){ .begin_ns = time_ns, .farthest = value, .side = (uint8_t)side };
    passed->limit = is_high ? limits->high : limits->low;
    passed->farthest = is_high ? fmax(passed->farthest, value) : fmin(passed->farthest, value);
    passed->within_count = 0;
    return is_new;
}

void tcsi_passed_persist(tcsi_passed *passed, tcsi_codec *codec)
{
    uint32_t side = passed->side, within_count = passed->within_count;
    tcsi_codec_i64(codec, &passed->begin_ns);
    tcsi_codec_f64(codec, &passed->limit);
    tcsi_codec_f64(codec, &passed->farthest);
    tcsi_codec_u32(codec, &side);
    tcsi_codec_u32(codec, &within_count);
    if (!tcsi_codec_loading(codec) || tcsi_codec_status(codec) != TCS_OK) return;
    const bool is_sound = isfinite(passed->limit) && isfinite(passed->farthest);
    if (side > TCSI_PASSED_HIGH || within_count >= TCSI_PASSED_RUN || !is_sound) tcsi_codec_refuse(codec, "a limit out of range");
    passed->side = (uint8_t)side;
    passed->within_count = (uint8_t)within_count;
}
