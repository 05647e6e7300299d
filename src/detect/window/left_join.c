/* detect/window/left_join.c -- the causal join.
 *
 * The left matrix profile (C.-C. M. Yeh et al., "Matrix profile I", ICDM 2016, section IV) asks for the nearest earlier
 * neighbour, which needs the whole past.  Here the past is a fixed number of segments, thinned by doubling strides, so that
 * memory and time per row are bounded and nothing in the past is forgotten on purpose.  Each stored segment carries the
 * covariances of its windows with the present one, moved on by one cell per block (kernels/join.h, tcsi_join_row_push);
 * a diagonal is at most O cells long, so rounding cannot pile up however long the stream.
 *
 * Invariants: at most J segments are alive and one more waits for its turn; alive ones come first in `stored`.
 * SPDX-License-Identifier: Apache-2.0 */
#include "detect/window/left_join.h"

#include "base/alloc.h"
#include "kernels/join.h"

#include <math.h>
#include <string.h>

enum { TARGET_DEFAULT = 32, SEGMENT_COUNT_DEFAULT = 160, WINDOW_MIN = 4, OPTION_MAX = 1000000, ARRAY_COUNT = 5 };
static const double VALUE_MAX = 1e6, PADDING_ENERGY = 1e300;

typedef struct geometry {
    size_t factor, window, width, padded, segment_count, slot_size; /* slot_size: doubles per segment */
} geometry;

/* A segment in memory: five padded arrays, then its values. */
typedef struct slot {
    double *mean, *energy, *df, *dg, *q, *values;
} slot;

struct tcsi_left_join {
    geometry geometry;
    tcsi_isa isa;
    double *memory;            /* J + 2 slots: the alive, the waiting and the one being built; then recent */
    double *recent;            /* (window + 1): the last coarse values, the newest at [window] */
    tcsi_join_stored *stored;  /* (J + 1) alive segments, then the waiting one if there is one */
    uint64_t *ids;             /* (J + 1) their numbers */
    size_t *slots;             /* (J + 2) their slots; [J + 1]: the slot being built; the rest free ones */
    size_t alive_count;
    bool is_waiting;
    uint64_t value_count;      /* coarse values so far */
    double block_sum;
    size_t block_count;        /* rows in the current block */
    double mean;               /* of the last window */
    tcsi_left_distance held;
};

static bool make_geometry(const tcsi_left_join_options *options, geometry *ret_geometry)
{
    size_t target = options->target_window ? options->target_window : TARGET_DEFAULT;
    size_t count = options->segment_count ? options->segment_count : SEGMENT_COUNT_DEFAULT;
    if (options->window < 1 || options->window > OPTION_MAX || target < WINDOW_MIN || target > OPTION_MAX || count > OPTION_MAX ||
        options->width_min > OPTION_MAX)
        return false;
    geometry g = { .segment_count = count };
    size_t window = options->window > WINDOW_MIN ? options->window : WINDOW_MIN;
    double factor = rint((double)window / (double)target);
    g.factor = factor < 1 ? 1 : (size_t)factor;
    g.window = window / g.factor > WINDOW_MIN ? window / g.factor : WINDOW_MIN;
    g.width = 2 * g.window > options->width_min ? 2 * g.window : options->width_min;
    g.padded = (g.width + TCSI_JOIN_ROW_PAD - 1) / TCSI_JOIN_ROW_PAD * TCSI_JOIN_ROW_PAD;
    g.slot_size = ARRAY_COUNT * g.padded + g.padded + g.window;
    *ret_geometry = g;
    return true;
}

static size_t memory_count(const geometry *g)
{
    return (g->segment_count + 2) * g->slot_size + g->window + 1;
}

size_t tcsi_left_join_size(const tcsi_left_join_options *options)
{
    geometry g;
    if (!make_geometry(options, &g)) return SIZE_MAX;
    return sizeof(tcsi_left_join) + memory_count(&g) * sizeof(double) +
           (g.segment_count + 2) * (sizeof(tcsi_join_stored) + sizeof(uint64_t) + sizeof(size_t));
}

static slot slot_at(const tcsi_left_join *join, size_t index)
{
    const size_t p = join->geometry.padded;
    double *at = join->memory + index * join->geometry.slot_size;
    return (slot){ at, at + p, at + 2 * p, at + 3 * p, at + 4 * p, at + 5 * p };
}

static void point_stored(tcsi_left_join *join, size_t position)
{
    slot s = slot_at(join, join->slots[position]);
    join->stored[position] = (tcsi_join_stored){ s.values, s.mean, s.energy, s.df, s.dg, s.q };
}

void tcsi_left_join_reset(tcsi_left_join *join)
{
    const geometry *g = &join->geometry;
    memset(join->memory, 0, memory_count(g) * sizeof *join->memory);
    for (size_t i = 0; i < g->segment_count + 2; i++) {
        slot s = slot_at(join, i);
        for (size_t o = g->width; o < g->padded; o++) s.energy[o] = PADDING_ENERGY;
        join->slots[i] = i;
    }
    join->alive_count = join->block_count = 0;
    join->is_waiting = false;
    join->value_count = 0;
    join->block_sum = join->mean = 0;
    join->held = (tcsi_left_distance){ 0 };
}

tcs_status tcsi_left_join_create(const tcsi_left_join_options *options, tcsi_left_join **ret_join, tcs_error *err)
{
    geometry g;
    if (!make_geometry(options, &g))
        return tcsi_fail(err, TCS_E_INVALID, "left join: window %zu, target %zu, segments %zu, width %zu: expected 1 to %d (target from 4)",
                         options->window, options->target_window, options->segment_count, options->width_min, (int)OPTION_MAX);
    tcsi_left_join *join = TCSI_NEW(tcsi_left_join);
    if (!join) return tcsi_fail_memory(err, "a left join");
    join->geometry = g;
    join->isa = tcsi_isa_current();
    join->memory = TCSI_NEW_ARRAY(double, memory_count(&g));
    join->stored = TCSI_NEW_ZEROS(tcsi_join_stored, g.segment_count + 2);
    join->ids = TCSI_NEW_ZEROS(uint64_t, g.segment_count + 2);
    join->slots = TCSI_NEW_ZEROS(size_t, g.segment_count + 2);
    if (!join->memory || !join->stored || !join->ids || !join->slots) {
        tcsi_left_join_destroy(join);
        return tcsi_fail_memory(err, "a left join");
    }
    join->recent = join->memory + (g.segment_count + 2) * g.slot_size;
    tcsi_left_join_reset(join);
    *ret_join = join;
    return TCS_OK;
}

void tcsi_left_join_destroy(tcsi_left_join *join)
{
    if (!join) return;
    tcsi_free(join->memory);
    tcsi_free(join->stored);
    tcsi_free(join->ids);
    tcsi_free(join->slots);
    tcsi_free(join);
}

/* ---- which segments live ---- */

/* May segment id still be used when `passed` whole segments lie before the window?  2^k is the largest power that divides it. */
static bool is_kept(const tcsi_left_join *join, uint64_t id, uint64_t passed)
{
    if (id == 0) return true;
    uint64_t power = id & (~id + 1);
    return passed / power < join->geometry.segment_count;
}

static void drop_expired(tcsi_left_join *join, uint64_t passed)
{
    size_t total = join->alive_count + join->is_waiting;
    for (size_t k = 0; k < join->alive_count;) {
        if (is_kept(join, join->ids[k], passed)) {
            k++;
            continue;
        }
        /* Close the gap in order, so that the waiting one stays last; the freed slot goes behind it. */
        size_t freed = join->slots[k];
        for (size_t m = k; m + 1 < total; m++) {
            join->slots[m] = join->slots[m + 1];
            join->ids[m] = join->ids[m + 1];
            join->stored[m] = join->stored[m + 1];
        }
        join->slots[--total] = freed;
        join->alive_count--;
    }
}

/* The slot being built becomes the waiting segment `id`, and a free slot is built next. */
static void store_built(tcsi_left_join *join, uint64_t id)
{
    size_t position = join->alive_count, building = join->geometry.segment_count + 1;
    TCS_ASSERT(!join->is_waiting && position <= join->geometry.segment_count);
    size_t built = join->slots[building];
    join->slots[building] = join->slots[position];
    join->slots[position] = built;
    join->ids[position] = id;
    point_stored(join, position);
    join->is_waiting = true;
}

/* ---- one coarse value ---- */

static tcsi_join_row make_row(tcsi_left_join *join, uint64_t index)
{
    const size_t w = join->geometry.window;
    const double *values = join->recent + 1, before = join->mean;
    double sum = 0, square = 0;
    for (size_t k = 0; k < w; k++) sum += values[k];
    double mean = sum / (double)w;
    for (size_t k = 0; k < w; k++) square += (values[k] - mean) * (values[k] - mean);
    tcsi_join_row row = { .window = w, .window_count = join->geometry.width, .values = values, .mean = mean, .energy = square / (double)w };
    if (index > 0) {
        double in = values[w - 1], out = join->recent[0];
        row.df = -(in - out) / (double)w;
        row.dg = (in - mean) + (out - before);
    }
    join->mean = mean;
    return row;
}

static void build(tcsi_left_join *join, const tcsi_join_row *row, size_t offset)
{
    slot s = slot_at(join, join->slots[join->geometry.segment_count + 1]);
    s.mean[offset] = row->mean;
    s.energy[offset] = row->energy;
    s.df[offset] = row->df;
    s.dg[offset] = row->dg;
    if (offset == 0) memcpy(s.values, row->values, row->window * sizeof *s.values);
    else s.values[offset + row->window - 1] = row->values[row->window - 1];
}

static void push_coarse(tcsi_left_join *join, double value)
{
    const geometry *g = &join->geometry;
    memmove(join->recent, join->recent + 1, g->window * sizeof *join->recent);
    join->recent[g->window] = value;
    join->value_count++;
    if (join->value_count < g->window) return;
    const uint64_t index = join->value_count - g->window, id = index / g->width;
    const tcsi_join_row row = make_row(join, index);
    if (index >= g->window) drop_expired(join, (index - g->window) / g->width);
    if (join->alive_count > 0) {
        double centred, raw;
        tcsi_join_row_push(join->isa, &row, join->stored, join->alive_count, &centred, &raw);
        join->held = (tcsi_left_distance){ true, sqrt(fmax(0, centred + row.energy)), sqrt(fmax(0, raw + row.energy)) };
    }
    build(join, &row, (size_t)(index % g->width));
    if (index % g->width == g->width - 1 && is_kept(join, id, id)) store_built(join, id);
    /* The waiting segment ends before the next window begins: it may be used from then on. */
    if (join->is_waiting && index + 2 == (join->ids[join->alive_count] + 1) * g->width + g->window) {
        tcsi_join_row_start(join->isa, &row, &join->stored[join->alive_count]);
        join->alive_count++;
        join->is_waiting = false;
    }
}

tcsi_left_distance tcsi_left_join_push(tcsi_left_join *join, double value)
{
    join->block_sum += fmax(-VALUE_MAX, fmin(VALUE_MAX, value));
    if (++join->block_count == join->geometry.factor) {
        double mean = join->block_sum / (double)join->geometry.factor;
        join->block_sum = 0;
        join->block_count = 0;
        push_coarse(join, mean);
    }
    return join->held;
}

/* ---- saved form ---- */

static bool in_range(const double *values, size_t count, double limit)
{
    bool fine = true;
    for (size_t i = 0; i < count; i++) fine &= fabs(values[i]) <= limit;
    return fine;
}

/* Energies of the padding are part of the array. */
static void persist_slot(tcsi_left_join *join, size_t index, tcsi_codec *codec)
{
    const geometry *g = &join->geometry;
    slot s = slot_at(join, index);
    tcsi_codec_f64s(codec, s.mean, g->slot_size);
    if (!tcsi_codec_loading(codec) || tcsi_codec_status(codec) != TCS_OK) return;
    bool fine = in_range(s.mean, g->padded, VALUE_MAX) && in_range(s.df, 2 * g->padded, 4 * VALUE_MAX) &&
                in_range(s.q, g->padded, 4 * VALUE_MAX * VALUE_MAX) && in_range(s.values, g->padded + g->window, VALUE_MAX) &&
                in_range(s.energy, g->width, 2 * VALUE_MAX * VALUE_MAX);
    for (size_t o = g->width; o < g->padded; o++) fine &= s.energy[o] >= PADDING_ENERGY;
    if (!fine) tcsi_codec_refuse(codec, "a stored segment out of range");
}

/* Every slot number once. */
static bool slots_valid(const tcsi_left_join *join)
{
    const size_t count = join->geometry.segment_count + 2;
    for (size_t i = 0; i < count; i++) {
        if (join->slots[i] >= count) return false;
        for (size_t k = 0; k < i; k++)
            if (join->slots[k] == join->slots[i]) return false;
    }
    return true;
}

/* The same numbers that a run to value_count would have left: ids ascend, the waiting one is due. */
static bool ids_valid(const tcsi_left_join *join)
{
    const size_t total = join->alive_count + join->is_waiting;
    const uint64_t width = join->geometry.width, window = join->geometry.window;
    for (size_t k = 0; k < total; k++) {
        if (k > 0 && join->ids[k] <= join->ids[k - 1]) return false;
        if (join->ids[k] >= join->value_count / width + 1) return false;
    }
    if (!join->is_waiting) return true;
    uint64_t due = (join->ids[join->alive_count] + 1) * width + 2 * window - 2; /* value_count when it begins */
    return join->value_count < due && join->value_count + window >= due - 1;
}

void tcsi_left_join_persist(tcsi_left_join *join, tcsi_codec *codec)
{
    const geometry *g = &join->geometry;
    uint64_t alive_count = join->alive_count, block_count = join->block_count;
    tcsi_codec_tag(codec, "LEFT");
    tcsi_codec_u64(codec, &join->value_count);
    tcsi_codec_u64(codec, &alive_count);
    tcsi_codec_bool(codec, &join->is_waiting);
    tcsi_codec_u64(codec, &block_count);
    tcsi_codec_f64(codec, &join->block_sum);
    tcsi_codec_f64(codec, &join->mean);
    tcsi_codec_bool(codec, &join->held.is_ready);
    tcsi_codec_f64(codec, &join->held.centred);
    tcsi_codec_f64(codec, &join->held.raw);
    tcsi_codec_f64s(codec, join->recent, g->window + 1);
    if (tcsi_codec_status(codec) != TCS_OK) return;
    if (tcsi_codec_loading(codec)) {
        bool fine = alive_count <= g->segment_count && block_count < g->factor && fabs(join->mean) <= VALUE_MAX &&
                    fabs(join->block_sum) <= VALUE_MAX * (double)g->factor && join->held.centred >= 0 &&
                    join->held.centred <= 4 * VALUE_MAX && join->held.raw >= 0 && join->held.raw <= 4 * VALUE_MAX &&
                    in_range(join->recent, g->window + 1, VALUE_MAX);
        if (!fine) tcsi_codec_refuse(codec, "a left join out of range");
        if (!fine) return;
        join->alive_count = (size_t)alive_count;
        join->block_count = (size_t)block_count;
    }
    const size_t total = join->alive_count + join->is_waiting;
    for (size_t i = 0; i < g->segment_count + 2; i++) tcsi_codec_size(codec, &join->slots[i], g->segment_count + 1);
    for (size_t i = 0; i < total; i++) tcsi_codec_u64(codec, &join->ids[i]);
    if (tcsi_codec_status(codec) != TCS_OK) return;
    if (tcsi_codec_loading(codec) && (!slots_valid(join) || !ids_valid(join))) {
        tcsi_codec_refuse(codec, "segments of a left join that do not fit together");
        return;
    }
    for (size_t i = 0; i < total && tcsi_codec_status(codec) == TCS_OK; i++) {
        persist_slot(join, join->slots[i], codec);
        point_stored(join, i);
    }
    if (tcsi_codec_status(codec) == TCS_OK) persist_slot(join, join->slots[g->segment_count + 1], codec);
}
