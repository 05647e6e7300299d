/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/shard/backfill.h"

#include "base/alloc.h"

enum { READY = 200, PASTS_MIN = 1024 };
static const int64_t SECOND_NS = INT64_C(1000000000);

/* ---- the newest stamps ---- */

void tcsi_pasts_deinit(tcsi_pasts *pasts)
{
    tcsi_free(pasts->newest_ns);
    *pasts = (tcsi_pasts){ 0 };
}

tcs_status tcsi_pasts_reserve(tcsi_pasts *pasts, uint32_t place, tcs_error *err)
{
    if (place < pasts->count) return TCS_OK;
    const size_t wanted = (size_t)place < PASTS_MIN ? PASTS_MIN : 2 * (size_t)place, count = wanted < UINT32_MAX ? wanted : UINT32_MAX;
    int64_t *more = tcsi_realloc_array(pasts->newest_ns, count, sizeof *more);
    if (!more) return tcsi_fail_memory(err, "rows of the past");
    for (size_t i = pasts->count; i < count; i++) more[i] = INT64_MIN;
    pasts->newest_ns = more;
    pasts->count = (uint32_t)count;
    return TCS_OK;
}

void tcsi_pasts_persist(tcsi_pasts *pasts, uint32_t series_count, tcsi_codec *codec)
{
    uint32_t count = pasts->count ? series_count : 0;
    tcs_error err;
    tcsi_codec_u32(codec, &count);
    if (tcsi_codec_loading(codec) && count != 0 && count != series_count) tcsi_codec_refuse(codec, "pasts of other series");
    if (count == 0 || tcsi_codec_status(codec) != TCS_OK) return;
    if (tcsi_pasts_reserve(pasts, count - 1, &err) != TCS_OK) codec->status = tcsi_fail(codec->err, err.status, "%s", err.text);
    for (uint32_t i = 0; i < count && tcsi_codec_status(codec) == TCS_OK; i++) tcsi_codec_i64(codec, &pasts->newest_ns[i]);
}

/* ---- one series ---- */

tcsi_outcome tcsi_backfill_push(tcsi_backfill *backfill, int64_t *newest_ns, const tcsi_arrival_limits *limits, int64_t time_ns,
                                int64_t receive_ns, bool is_busy)
{
    if (time_ns == INT64_MIN) return TCSI_OUTCOME_TIME_INVALID;
    if (time_ns > receive_ns && (uint64_t)time_ns - (uint64_t)receive_ns > (uint64_t)limits->ahead_ns) return TCSI_OUTCOME_TOO_FAR_AHEAD;
    if (time_ns == *newest_ns || (backfill->live_s && time_ns >= (int64_t)backfill->live_s * SECOND_NS)) return TCSI_OUTCOME_DUPLICATE;
    if (time_ns < *newest_ns || backfill->live_count >= READY || is_busy) return TCSI_OUTCOME_TOO_OLD;
    *newest_ns = time_ns;
    backfill->is_open = 1;
    return TCSI_OUTCOME_BACKFILLED;
}

bool tcsi_backfill_live(tcsi_backfill *backfill, int64_t time_ns)
{
    const bool is_first = backfill->is_open;
    const int64_t seconds = time_ns / SECOND_NS;
    if (backfill->live_s == 0) backfill->live_s = seconds < 1 ? 1 : seconds < UINT32_MAX ? (uint32_t)seconds : UINT32_MAX;
    if (backfill->live_count < READY) backfill->live_count++;
    backfill->is_open = 0;
    return is_first;
}

void tcsi_backfill_persist(tcsi_backfill *backfill, tcsi_codec *codec)
{
    uint32_t counts = (uint32_t)backfill->live_count << 1 | backfill->is_open;
    tcsi_codec_u32(codec, &backfill->live_s);
    tcsi_codec_u32(codec, &counts);
    backfill->live_count = (uint8_t)(counts >> 1);
    backfill->is_open = counts & 1;
    if (tcsi_codec_loading(codec) && counts >> 1 > READY) tcsi_codec_refuse(codec, "a backfill out of range");
}
