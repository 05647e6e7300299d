/* SPDX-License-Identifier: Apache-2.0 */
#include "detect/ensemble/causal_set.h"

#include "base/alloc.h"
#include "series/stats.h"

enum { DISTINCT_MIN = 2 }; /* a channel with no more different values is a switch */

void tcsi_causal_set_deinit(tcsi_causal_set *set)
{
    for (size_t i = 0; set->members && i < set->count; i++) tcsi_causal_deinit(&set->members[i]);
    tcsi_free(set->channels);
    tcsi_free(set->members);
    *set = (tcsi_causal_set){ 0 };
}

static tcs_status allocate(tcsi_causal_set *set, size_t count, tcs_error *err)
{
    tcsi_causal_set_deinit(set);
    set->channels = TCSI_NEW_ZEROS(size_t, count);
    set->members = TCSI_NEW_ZEROS(tcsi_causal, count);
    if (!set->channels || !set->members) return tcsi_fail_memory(err, "the channels' members");
    set->count = count;
    return TCS_OK;
}

static tcs_status choose_channels(tcsi_causal_set *set, const tcsi_frame *train, size_t *ret_varying_count, tcs_error *err)
{
    size_t count = 0, *chosen = TCSI_NEW_ZEROS(size_t, train->channel_count);
    if (!chosen) return tcsi_fail_memory(err, "the channels' members");
    for (size_t c = 0; c < train->channel_count; c++)
        if (tcsi_distinct_count(tcsi_frame_column(train, c), train->row_count, DISTINCT_MIN + 1) > DISTINCT_MIN) chosen[count++] = c;
    *ret_varying_count = count;
    if (count == 0) count = 1;
    size_t kept = count < TCSI_CAUSAL_CHANNEL_COUNT_MAX ? count : TCSI_CAUSAL_CHANNEL_COUNT_MAX;
    tcs_status status = allocate(set, kept, err);
    for (size_t i = 0; i < kept && status == TCS_OK; i++) set->channels[i] = chosen[i * count / kept];
    tcsi_free(chosen);
    return status;
}

tcs_status tcsi_causal_set_fit(tcsi_causal_set *set, const tcsi_frame *train, size_t segment_limit, size_t *ret_varying_count,
                               tcs_error *err)
{
    double *present = TCSI_NEW_ARRAY(double, train->row_count);
    tcs_status status = present ? choose_channels(set, train, ret_varying_count, err) : tcsi_fail_memory(err, "training rows");
    for (size_t i = 0; status == TCS_OK && i < set->count; i++) {
        size_t count = tcsi_present_copy(tcsi_frame_column(train, set->channels[i]), train->row_count, present);
        status = tcsi_causal_init(&set->members[i], present, count, segment_limit, err);
    }
    tcsi_free(present);
    if (status != TCS_OK) tcsi_causal_set_deinit(set);
    return status;
}

void tcsi_causal_set_reset(tcsi_causal_set *set)
{
    for (size_t i = 0; i < set->count; i++) tcsi_causal_reset(&set->members[i]);
}

size_t tcsi_causal_set_period_max(const tcsi_causal_set *set)
{
    size_t longest = 0;
    for (size_t i = 0; i < set->count; i++)
        if (set->members[i].period > longest) longest = set->members[i].period;
    return longest;
}

void tcsi_causal_set_persist(tcsi_causal_set *set, size_t channel_count, size_t segment_limit, tcsi_codec *codec)
{
    size_t count = set->count;
    tcsi_codec_size(codec, &count, channel_count < TCSI_CAUSAL_CHANNEL_COUNT_MAX ? channel_count : TCSI_CAUSAL_CHANNEL_COUNT_MAX);
    if (tcsi_codec_status(codec) != TCS_OK || count == 0) return;
    if (tcsi_codec_loading(codec)) codec->status = allocate(set, count, codec->err);
    for (size_t i = 0; i < count && tcsi_codec_status(codec) == TCS_OK; i++) {
        tcsi_codec_size(codec, &set->channels[i], channel_count - 1);
        tcsi_causal_persist(&set->members[i], segment_limit, codec);
    }
}

size_t tcsi_causal_set_size(size_t channel_count, size_t segment_limit)
{
    size_t count = channel_count < TCSI_CAUSAL_CHANNEL_COUNT_MAX ? channel_count : TCSI_CAUSAL_CHANNEL_COUNT_MAX;
    return count * (sizeof(size_t) + sizeof(tcsi_causal) + tcsi_causal_size(segment_limit));
}
