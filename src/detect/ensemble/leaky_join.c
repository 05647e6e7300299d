/* SPDX-License-Identifier: Apache-2.0 */
#include "detect/ensemble/leaky_join.h"

#include "base/alloc.h"

#include <math.h>
#include <string.h>

enum { STARTS = TCSI_LEAKY_STARTS, WINDOW_TARGET = 36, WINDOW_MIN = 4 };

static const double VALUE_MAX = 1e6;

size_t tcsi_leaky_join_size(size_t segment_limit)
{
    return segment_limit * (sizeof(tcsi_leaky_segment) + sizeof(uint64_t)) + TCSI_LEAKY_ALIGNMENT;
}

tcs_status tcsi_leaky_join_init(tcsi_leaky_join *join, double time_constant, size_t segment_limit, tcs_error *err)
{
    TCS_ASSERT(time_constant >= 1 && time_constant <= 100000 && segment_limit >= 1 && segment_limit <= TCSI_LEAKY_SEGMENT_LIMIT_MAX);
    double factor = fmax(1, floor(3 * time_constant / WINDOW_TARGET + 0.5)), coarse = time_constant / factor;
    double window = fmax(WINDOW_MIN, floor(3 * coarse + 0.5)); /* at most 54: f is at least 3 tau / 36 - 1/2 */
    *join = (tcsi_leaky_join){ .isa = tcsi_isa_current(), .factor = (size_t)factor, .segment_limit = segment_limit };
    join->rule = tcsi_leaky_rule_make((size_t)window, coarse);
    join->memory = tcsi_alloc_zero(1, tcsi_leaky_join_size(segment_limit));
    if (!join->memory) return tcsi_fail_memory(err, "a leaky join");
    size_t beyond = (uintptr_t)join->memory % TCSI_LEAKY_ALIGNMENT;
    join->segments = (tcsi_leaky_segment *)((char *)join->memory + (beyond ? TCSI_LEAKY_ALIGNMENT - beyond : 0));
    join->numbers = (uint64_t *)(join->segments + segment_limit);
    return TCS_OK;
}

void tcsi_leaky_join_deinit(tcsi_leaky_join *join)
{
    tcsi_free(join->memory);
    *join = (tcsi_leaky_join){ 0 };
}

void tcsi_leaky_join_reset(tcsi_leaky_join *join)
{
    memset(join->recent, 0, sizeof join->recent);
    join->segment_count = join->block_count = join->recent_count = 0;
    join->value_count = 0;
    join->block_sum = join->centred = join->raw = 0;
}

/* ---- which segments are kept ---- */

/* Has segment number g served its time when complete_count segments are complete? */
static bool has_expired(const tcsi_leaky_join *join, uint64_t number, uint64_t complete_count)
{
    if (number == 0) return false;
    uint64_t stride = number & (~number + 1); /* largest power of two that divides it */
    return complete_count / stride >= join->segment_limit;
}

static void drop_expired(tcsi_leaky_join *join, uint64_t complete_count)
{
    for (size_t s = 0; s < join->segment_count;) {
        if (!has_expired(join, join->numbers[s], complete_count)) {
            s++;
            continue;
        }
        size_t last = --join->segment_count;
        if (s == last) break;
        join->segments[s] = join->segments[last];
        join->numbers[s] = join->numbers[last];
    }
}

/* Window `start` is about to be compared.  Complete segments count from the last one that lies W windows before it. */
static void turn_segments(tcsi_leaky_join *join, uint64_t start)
{
    const size_t w = join->rule.window;
    if (start < w) return;
    uint64_t passed = start - w; /* window `passed` has just ended before this one begins */
    if (passed % STARTS == 0) drop_expired(join, passed / STARTS);
    if ((passed + 1) % STARTS != 0) return;
    uint64_t number = passed / STARTS;
    if (has_expired(join, number, passed / STARTS)) return;
    TCS_ASSERT(join->segment_count < join->segment_limit);
    const double *newest = join->recent + join->recent_count - w;
    size_t at = join->segment_count++;
    join->numbers[at] = number;
    tcsi_leaky_segment_fill(&join->rule, &join->segments[at], newest - w - (STARTS - 1), newest - 1);
}

/* ---- rows ---- */

static void compare(tcsi_leaky_join *join)
{
    const size_t w = join->rule.window;
    double variance, centred, raw;
    join->centred = join->raw = 0;
    if (join->value_count < w) return;
    turn_segments(join, join->value_count - w);
    if (join->segment_count == 0) return;
    const double *newest = join->recent + join->recent_count - w;
    tcsi_leaky_row row = { .values = newest, .leaving = newest[-1] };
    tcsi_leaky_moments(&join->rule, newest, &row.mean, &variance);
    tcsi_leaky_push(join->isa, &join->rule, &row, join->segments, join->segment_count, &centred, &raw);
    join->centred = sqrt(fmax(centred + variance, 0));
    join->raw = sqrt(fmax(raw + variance, 0));
}

void tcsi_leaky_join_push(tcsi_leaky_join *join, double value)
{
    join->block_sum += value;
    if (++join->block_count < join->factor) return;
    if (join->recent_count == TCSI_LEAKY_RECENT) {
        memmove(join->recent, join->recent + TCSI_LEAKY_RECENT - TCSI_LEAKY_KEPT, TCSI_LEAKY_KEPT * sizeof *join->recent);
        join->recent_count = TCSI_LEAKY_KEPT;
    }
    join->recent[join->recent_count++] = join->block_sum / (double)join->factor;
    join->block_sum = 0;
    join->block_count = 0;
    join->value_count++;
    compare(join);
}

/* ---- saved form ---- */

static bool all_within(const double *values, size_t count, double limit)
{
    bool fine = true;
    for (size_t i = 0; i < count; i++) fine &= fabs(values[i]) <= limit;
    return fine;
}

/* Means and energies follow from the values; q is the stream's own. */
static void persist_segment(tcsi_leaky_join *join, size_t at, tcsi_codec *codec)
{
    tcsi_leaky_segment *segment = &join->segments[at];
    double past[TCSI_LEAKY_VALUES], q[STARTS];
    const size_t count = STARTS + join->rule.window - 1;
    memcpy(past, segment->values, sizeof past);
    memcpy(q, segment->q, sizeof q);
    tcsi_codec_u64(codec, &join->numbers[at]);
    tcsi_codec_f64s(codec, past, count);
    tcsi_codec_f64s(codec, q, STARTS);
    if (!tcsi_codec_loading(codec) || tcsi_codec_status(codec) != TCS_OK) return;
    if (!all_within(past, count, VALUE_MAX) || !all_within(q, STARTS, 4 * VALUE_MAX * VALUE_MAX)) {
        tcsi_codec_refuse(codec, "a stored segment out of range");
        return;
    }
    tcsi_leaky_segment_fill(&join->rule, segment, past, past);
    memcpy(segment->q, q, sizeof q);
}

/* The counts belong together. */
static bool counts_fit(const tcsi_leaky_join *join)
{
    if (join->value_count < TCSI_LEAKY_RECENT) return join->recent_count == join->value_count;
    return join->recent_count >= TCSI_LEAKY_KEPT && join->value_count < UINT64_MAX / 2;
}

/* Each number once, none complete before its time, none kept beyond it: then there is room for what will come. */
static bool numbers_fit(const tcsi_leaky_join *join)
{
    const size_t w = join->rule.window;
    if (join->segment_count == 0) return true;
    if (join->value_count < 2 * w) return false;
    const uint64_t passed = join->value_count - 2 * w, complete_count = (passed + 1) / STARTS;
    for (size_t s = 0; s < join->segment_count; s++) {
        if (join->numbers[s] >= complete_count || has_expired(join, join->numbers[s], passed / STARTS)) return false;
        for (size_t k = 0; k < s; k++)
            if (join->numbers[k] == join->numbers[s]) return false;
    }
    return true;
}

void tcsi_leaky_join_persist(tcsi_leaky_join *join, tcsi_codec *codec)
{
    tcsi_codec_tag(codec, "LEAK");
    tcsi_codec_f64(codec, &join->block_sum);
    tcsi_codec_size(codec, &join->block_count, join->factor - 1);
    tcsi_codec_size(codec, &join->recent_count, TCSI_LEAKY_RECENT);
    tcsi_codec_u64(codec, &join->value_count);
    tcsi_codec_size(codec, &join->segment_count, join->segment_limit);
    tcsi_codec_f64s(codec, join->recent, TCSI_LEAKY_RECENT);
    tcsi_codec_f64(codec, &join->centred);
    tcsi_codec_f64(codec, &join->raw);
    for (size_t s = 0; s < join->segment_count && tcsi_codec_status(codec) == TCS_OK; s++) persist_segment(join, s, codec);
    if (!tcsi_codec_loading(codec) || tcsi_codec_status(codec) != TCS_OK) return;
    bool fine = all_within(join->recent, TCSI_LEAKY_RECENT, VALUE_MAX) && fabs(join->block_sum) <= VALUE_MAX * (double)join->factor;
    fine = fine && join->centred >= 0 && join->centred <= 4 * VALUE_MAX && join->raw >= 0 && join->raw <= 4 * VALUE_MAX;
    if (!fine || !counts_fit(join) || !numbers_fit(join)) tcsi_codec_refuse(codec, "a leaky join out of range");
}
