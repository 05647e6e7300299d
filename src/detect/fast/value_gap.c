/* detect/fast/value_gap.c -- value-gap novelty: how far is this value from every value seen before, and is that far?
 *
 * A row is judged by three features: the value itself, the logarithm of its standard deviation over a short window, and its
 * mean over a shorter one.  For each feature the distance to the nearest value it ever had, its gap, is compared with the
 * gaps that ordinary rows had; the exponential tail of those turns a gap into a tail probability, and the score is its
 * -log10, summed over features with weights.  This is the one-nearest-neighbour novelty score in one dimension
 * (M. Markou, S. Singh, "Novelty detection: a review, part 1", Signal Processing 83(12), 2003, section 2.2) with a peaks-over-
 * threshold tail (J. Pickands, "Statistical inference using extreme order statistics", Annals of Statistics 3(1), 1975; shape 0).
 *
 * In constant memory:
 *   - The set of all values seen is kept as the INTERVAL_COUNT - 1 widest holes between them, that is, as sorted disjoint
 *     occupied intervals.  When there is no room, the narrowest hole closes.  Gaps inside an interval are 0, which they
 *     nearly were.  Values enter with a delay, so that an event is not its own neighbour.
 *   - The gaps seen are kept as counts per octave below the largest.  Threshold, mean excess and mass of the top tail
 *     are read off the counts every REFRESH_ROWS rows and whenever a gap passes the threshold.
 *   - A gap between two intervals, where values lie on both sides, counts INNER_GAP times: it is the rarer kind.  Beyond the
 *     threshold the score grows as the logarithm, so that the size of one event says little about the next one's rank.
 *   - Forgetting: an interval's edges shrink by a trifle each time it is hit; intervals not hit for a while are dropped;
 *     counts are halved when they grow large; a recorded gap is limited, so that one event does not set the scale.
 *   - Windows are two alternating half-window blocks: their sums are started anew all the time and cannot drift.
 *   - Rows are taken as y = (x - origin) scale, with a power of two for scale, so that 1e-200 and 1e+30 look alike and
 *     floats suffice.  The origin moves when the mean is ORIGIN_RATIO deviations away from it, which also keeps the
 *     difference of squares in the variance good to 9 digits.
 * One alarm per rise: a score counts only when it is the highest of the last hold rows by a margin, else it is 0.
 *
 * Finds: first-time values, levels and noise levels.  Misses: anything inside the range already seen.
 * Cost: O(1), no allocation, under 1 KiB a series.  SPDX-License-Identifier: Apache-2.0 */
#include "detect/detector.h"

#include <float.h>
#include <math.h>
#include <string.h>

enum {
    INTERVAL_COUNT = 8,       /* occupied intervals kept per feature */
    OCTAVE_COUNT = 16,        /* gap sizes told apart, in powers of two below the largest */
    DELAY_COUNT = 8,          /* slots a value waits in before it counts as seen */
    VALUE_DELAY_COUNT = 3,    /* the same for the raw value */
    REFRESH_ROWS = 16,
    TAIL_COUNT_MIN = 10,      /* gaps in the tail at least, when there are twice as many */
    RECORDED_WEIGHT_MIN = 20, /* gaps known before one is judged */
    CLIP_WEIGHT_MIN = 1000,   /* gaps known before one is clipped on recording */
    CLIP_EXCESSES = 64,       /* clipped at that many mean excesses beyond the threshold */
    HOUSE_ROWS = 64,
    ORIGIN_RATIO = 4096,
    DERIVED_QUIET_ROWS = 50,  /* rows after their own lag before derived features are compared */
    OCTAVE_NONE = -32768,
};

static const float EMPTY = 1e38f;            /* lies above every value: the edge of an interval not in use */
static const double SCALED_MAX = 1e30;
static const float LOG10_E = 0.43429448f;
static const float OCTAVE_CENTER = 1.44f;    /* mean of a gap within its octave, relative to its lower end */
static const float INNER_GAP = 1.4f;         /* weight of a gap with values on both sides */
static const float GROWTH = 4;               /* beyond the threshold: z becomes GROWTH ln(1 + z / GROWTH) */
static const float DEVIATION_FLOOR = 1e-3f;  /* of the range seen, added to a deviation before its logarithm */

typedef struct options {
    size_t deviation_rows, mean_rows, warmup_count, quiet_count, hold_count, hold_divisor, gap_count_max, epoch_rows, epoch_age_max;
    double tail, shrink, score_max, rise, weight_deviation, weight_mean;
} options;

typedef struct feature {
    float low[INTERVAL_COUNT], high[INTERVAL_COUNT]; /* ascending, disjoint; EMPTY beyond interval_count */
    float counts[OCTAVE_COUNT];                      /* of gaps by octave, the largest first; zeros in the last */
    float waiting[DELAY_COUNT];
    float weight;                                    /* sum of counts */
    float threshold, slope, tail_log;                /* of the gaps' tail: score = tail_log + (gap - threshold) slope */
    uint8_t hit_epochs[INTERVAL_COUNT];
    int16_t octave_top;                              /* exponent of the first octave */
    uint8_t interval_count, waiting_count, waiting_next, refresh_age;
} feature;

/* Sums over the block being filled [0] and the full one before it [1]. */
typedef struct two_blocks {
    double sum[2], square_sum[2];
    uint32_t count[2];
} two_blocks;

enum { FEATURE_VALUE, FEATURE_DEVIATION, FEATURE_MEAN, FEATURE_COUNT };

typedef struct value_gap {
    tcsi_detector base;
    options options;
    feature features[FEATURE_COUNT];
    two_blocks deviation_blocks, mean_blocks;
    uint64_t seen_count;
    double origin, scale;            /* scale 0: no two different values yet */
    float peak, runner_up;           /* highest raw score of the last hold rows, and highest since that */
    uint64_t peak_at, runner_up_at;
    uint32_t deviation_slot, mean_slot; /* rows since the last value was put in the waiting line */
    uint8_t epoch;
} value_gap;

/* ---- occupied intervals ---- */

static size_t intervals_below(const feature *f, float x)
{
    int count = 0;
    for (size_t i = 0; i < INTERVAL_COUNT; i++) count += f->high[i] < x;
    return (size_t)count;
}

/* Distance from x to the nearest value seen, more between two values than beyond all; 0 when nothing was seen. */
static float gap_to(const feature *f, float x)
{
    size_t i = intervals_below(f, x);
    float above = i < INTERVAL_COUNT ? f->low[i] - x : EMPTY;
    if (above <= 0 || f->interval_count == 0) return 0;
    float below = i > 0 ? x - f->high[i - 1] : EMPTY;
    float gap = below < above ? below : above;
    return i > 0 && i < f->interval_count ? gap * INNER_GAP : gap;
}

static void interval_remove(feature *f, size_t at)
{
    size_t after = INTERVAL_COUNT - at - 1;
    memmove(&f->low[at], &f->low[at + 1], after * sizeof *f->low);
    memmove(&f->high[at], &f->high[at + 1], after * sizeof *f->high);
    memmove(&f->hit_epochs[at], &f->hit_epochs[at + 1], after);
    f->low[INTERVAL_COUNT - 1] = f->high[INTERVAL_COUNT - 1] = EMPTY;
    f->interval_count--;
}

static void interval_open(feature *f, size_t at, float x, uint8_t epoch)
{
    size_t after = INTERVAL_COUNT - at - 1;
    memmove(&f->low[at + 1], &f->low[at], after * sizeof *f->low);
    memmove(&f->high[at + 1], &f->high[at], after * sizeof *f->high);
    memmove(&f->hit_epochs[at + 1], &f->hit_epochs[at], after);
    f->low[at] = f->high[at] = x;
    f->hit_epochs[at] = epoch;
    f->interval_count++;
}

/* The interval after which the hole is narrowest. */
static size_t narrowest_hole(const feature *f, float *ret_width)
{
    size_t narrowest = 0;
    float width = EMPTY;
    for (size_t i = 0; i + 1 < f->interval_count; i++) {
        float hole = f->low[i + 1] - f->high[i];
        if (hole < width) {
            width = hole;
            narrowest = i;
        }
    }
    *ret_width = width;
    return narrowest;
}

static void merge_with_next(feature *f, size_t i, uint8_t epoch)
{
    bool next_is_younger = (uint8_t)(epoch - f->hit_epochs[i + 1]) < (uint8_t)(epoch - f->hit_epochs[i]);
    if (next_is_younger) f->hit_epochs[i] = f->hit_epochs[i + 1];
    f->high[i] = f->high[i + 1];
    interval_remove(f, i + 1);
}

/* x lies in the hole before interval `at`: an interval of its own, at the price of the narrowest hole of all, which may be
 * the one between x and a neighbour. */
static void add_outside(feature *f, size_t at, float x, uint8_t epoch)
{
    if (f->interval_count == INTERVAL_COUNT) {
        float width;
        size_t narrowest = narrowest_hole(f, &width);
        float above = at < INTERVAL_COUNT ? f->low[at] - x : EMPTY, below = at > 0 ? x - f->high[at - 1] : EMPTY;
        if (above <= below && above <= width) {
            f->low[at] = x;
            f->hit_epochs[at] = epoch;
            return;
        }
        if (below <= width) {
            f->high[at - 1] = x;
            f->hit_epochs[at - 1] = epoch;
            return;
        }
        merge_with_next(f, narrowest, epoch);
        if (at > narrowest + 1) at--;
    }
    interval_open(f, at, x, epoch);
}

static void add_value(feature *f, float x, uint8_t epoch, float shrink)
{
    size_t i = intervals_below(f, x);
    if (i < INTERVAL_COUNT && f->low[i] <= x) {
        f->hit_epochs[i] = epoch;
        f->low[i] += shrink * (x - f->low[i]);
        f->high[i] -= shrink * (f->high[i] - x);
    } else {
        add_outside(f, i, x, epoch);
    }
}

/* x joins the waiting line; what has waited for delay_count turns counts as seen. */
static void queue_value(feature *f, float x, size_t delay_count, uint8_t epoch, float shrink)
{
    if (f->waiting_count == delay_count) add_value(f, f->waiting[f->waiting_next], epoch, shrink);
    else f->waiting_count++;
    f->waiting[f->waiting_next] = x;
    f->waiting_next = (uint8_t)((f->waiting_next + 1u) % delay_count);
}

/* ---- the tail of past gaps ---- */

static int octave_of(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return (int)(bits >> 23 & 255) - 127;
}

/* 2^exponent, 0 below the normal floats. */
static float octave_low(int exponent)
{
    uint32_t bits = exponent < -126 ? 0 : (uint32_t)((exponent > 127 ? 127 : exponent) + 127) << 23;
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static void refresh_tail(feature *f, float tail)
{
    float count = fminf(fmaxf(tail * f->weight, TAIL_COUNT_MIN), 0.5f * f->weight);
    float center = OCTAVE_CENTER * octave_low(f->octave_top), above = 0, sum = 0;
    size_t i = 0;
    for (; i + 1 < OCTAVE_COUNT && above + f->counts[i] < count; i++, center *= 0.5f) {
        above += f->counts[i];
        sum += f->counts[i] * center;
    }
    f->threshold = f->counts[i] > 0 && i + 1 < OCTAVE_COUNT ? center : 0;
    float excess = above > 0 ? (sum - above * f->threshold) / count : 0;
    f->slope = LOG10_E / fmaxf(excess, 1e-6f * f->threshold + 1e-30f);
    f->tail_log = -log10f(count / (f->weight + 1));
    f->refresh_age = 0;
}

static void record_gap(feature *f, float gap, float weight_max)
{
    int octave = octave_of(gap);
    if (gap > 0 && octave > f->octave_top) {
        size_t shift = f->octave_top == OCTAVE_NONE ? 0 : (size_t)(octave - f->octave_top);
        f->octave_top = (int16_t)octave;
        for (size_t i = OCTAVE_COUNT; shift > 0 && i > 0; i--) {
            size_t to = i - 1 + shift < OCTAVE_COUNT ? i - 1 + shift : OCTAVE_COUNT - 1;
            float count = f->counts[i - 1];
            f->counts[i - 1] = 0;
            f->counts[to] += count;
        }
    }
    int below = f->octave_top - octave;
    f->counts[gap > 0 && below < OCTAVE_COUNT ? below : OCTAVE_COUNT - 1] += 1;
    f->weight += 1;
    if (f->weight <= weight_max) return;
    f->weight = 0;
    for (size_t i = 0; i < OCTAVE_COUNT; i++) f->weight += f->counts[i] *= 0.5f;
    while (f->counts[0] < 0.01f && f->octave_top > -120 && f->weight >= 1) {
        f->weight -= f->counts[0];
        memmove(&f->counts[0], &f->counts[1], (OCTAVE_COUNT - 1) * sizeof *f->counts);
        f->counts[OCTAVE_COUNT - 1] = 0;
        f->octave_top--;
    }
}

/* -log10 of the chance of so large a gap, and the gap as it is to be recorded. */
static float judge_gap(feature *f, float gap, const options *opt, float *ret_recorded)
{
    *ret_recorded = gap;
    if (f->weight < RECORDED_WEIGHT_MIN) return 0;
    if (f->refresh_age >= REFRESH_ROWS || gap > f->threshold) refresh_tail(f, (float)opt->tail);
    f->refresh_age++;
    if (gap <= f->threshold) return gap > 0 ? f->tail_log * sqrtf(gap / f->threshold) : 0;
    if (f->weight >= CLIP_WEIGHT_MIN && f->slope < 1e25f)
        *ret_recorded = fminf(gap, f->threshold + CLIP_EXCESSES * LOG10_E / f->slope);
    return fminf(f->tail_log + GROWTH * log1pf((gap - f->threshold) * f->slope / GROWTH), (float)opt->score_max);
}

static float judge(value_gap *self, size_t which, float x, bool compare)
{
    feature *f = &self->features[which];
    float gap = compare ? gap_to(f, x) : 0, recorded = gap, score = 0;
    if (self->seen_count >= self->options.warmup_count) score = judge_gap(f, gap, &self->options, &recorded);
    record_gap(f, recorded, (float)self->options.gap_count_max);
    return score;
}

/* ---- windows and units ---- */

static void blocks_add(two_blocks *blocks, double y, uint32_t block_count)
{
    if (blocks->count[0] == block_count) {
        blocks->sum[1] = blocks->sum[0];
        blocks->square_sum[1] = blocks->square_sum[0];
        blocks->count[1] = blocks->count[0];
        blocks->sum[0] = blocks->square_sum[0] = 0;
        blocks->count[0] = 0;
    }
    blocks->sum[0] += y;
    blocks->square_sum[0] += y * y;
    blocks->count[0]++;
}

static double blocks_mean(const two_blocks *blocks)
{
    return (blocks->sum[0] + blocks->sum[1]) / (blocks->count[0] + blocks->count[1]);
}

static double blocks_deviation(const two_blocks *blocks, double mean)
{
    double count = blocks->count[0] + blocks->count[1];
    double var = (blocks->square_sum[0] + blocks->square_sum[1]) / count - mean * mean;
    return var > 0 ? sqrt(var) : 0;
}

static void blocks_shift(two_blocks *blocks, double d)
{
    for (size_t i = 0; i < 2; i++) {
        double square_sum = blocks->square_sum[i] + blocks->count[i] * d * d - 2 * d * blocks->sum[i];
        blocks->square_sum[i] = square_sum > 0 ? square_sum : 0;
        blocks->sum[i] -= blocks->count[i] * d;
    }
}

static void feature_shift(feature *f, float d)
{
    for (size_t i = 0; i < f->interval_count; i++) {
        f->low[i] -= d;
        f->high[i] -= d;
    }
    for (size_t i = 0; i < DELAY_COUNT; i++) f->waiting[i] -= d;
}

/* Moves the origin to the recent mean when that is far away, seen from the recent deviation. */
static void move_origin(value_gap *self)
{
    double mean = blocks_mean(&self->deviation_blocks), deviation = blocks_deviation(&self->deviation_blocks, mean);
    double size = fabs(mean), by = (double)(float)mean;
    if (!(size > 64 && size > ORIGIN_RATIO * (deviation > 0 ? deviation : 1e-4 * size))) return;
    self->origin += by / self->scale;
    feature_shift(&self->features[FEATURE_VALUE], (float)by);
    feature_shift(&self->features[FEATURE_MEAN], (float)by);
    blocks_shift(&self->deviation_blocks, by);
    blocks_shift(&self->mean_blocks, by);
}

static void drop_old_intervals(feature *f, uint8_t epoch, size_t age_max)
{
    for (size_t i = f->interval_count; i > 0; i--)
        if (f->interval_count > 1 && (uint8_t)(epoch - f->hit_epochs[i - 1]) > age_max) interval_remove(f, i - 1);
}

static __attribute__((noinline)) void keep_house(value_gap *self)
{
    move_origin(self);
    if ((self->seen_count + 1) % self->options.epoch_rows >= HOUSE_ROWS) return;
    self->epoch++;
    for (size_t i = 0; i < FEATURE_COUNT; i++) drop_old_intervals(&self->features[i], self->epoch, self->options.epoch_age_max);
}

/* The first difference between two values sets the unit. */
static __attribute__((noinline)) void set_scale(value_gap *self, double y, double x)
{
    int exponent;
    if (!(fabs(y) > 4e-16 * fabs(x))) return;
    (void)frexp(y, &exponent);
    self->scale = ldexp(1.0, -(exponent > 1000 ? 1000 : exponent < -1000 ? -1000 : exponent));
}

static double scaled(value_gap *self, double x)
{
    if (self->seen_count == 0) self->origin = x;
    double y = x - self->origin;
    if (self->scale == 0 && y != 0) set_scale(self, y, x);
    return fmin(fmax(y * self->scale, -SCALED_MAX), SCALED_MAX);
}

/* ---- the three features of a row ---- */

static float judge_value(value_gap *self, float y)
{
    float score = judge(self, FEATURE_VALUE, y, self->seen_count >= self->options.quiet_count);
    queue_value(&self->features[FEATURE_VALUE], y, VALUE_DELAY_COUNT, self->epoch, (float)self->options.shrink);
    return score;
}

static float log_deviation(const value_gap *self, float y)
{
    const feature *values = &self->features[FEATURE_VALUE];
    float high = values->interval_count ? fmaxf(values->high[values->interval_count - 1], y) : y;
    float low = values->interval_count ? fminf(values->low[0], y) : y;
    double deviation = blocks_deviation(&self->deviation_blocks, blocks_mean(&self->deviation_blocks));
    return logf((float)deviation + DEVIATION_FLOOR * (high - low) + 1e-35f);
}

/* A derived feature over a window of two halves of half_rows rows: judged every row, seen every half window.  Windows that are not full
 * yet, and the time the waiting line takes, are not compared. */
static float judge_derived(value_gap *self, size_t which, float x, size_t half_rows, uint32_t *slot)
{
    float score = judge(self, which, x, self->seen_count >= DELAY_COUNT * half_rows + DERIVED_QUIET_ROWS);
    if (*slot == 0) queue_value(&self->features[which], x, DELAY_COUNT, self->epoch, (float)self->options.shrink);
    if (++*slot >= half_rows) *slot = 0;
    return score;
}

/* The score where it tops the highest of the last hold rows by the factor rise, else 0: one alarm per rise.  Peak and runner-up stand for
 * the whole window: when the peak leaves, the highest since takes its place, and what was lower in between is forgotten. */
static float once_per_rise(value_gap *self, float score)
{
    uint64_t t = self->seen_count, hold = t / self->options.hold_divisor;
    if (hold > self->options.hold_count) hold = self->options.hold_count;
    if (t - self->peak_at > hold) {
        self->peak = self->runner_up;
        self->peak_at = self->runner_up_at;
        self->runner_up = 0;
        self->runner_up_at = t;
        if (t - self->peak_at > hold) {
            self->peak = 0;
            self->peak_at = t;
        }
    }
    bool rises = score > self->peak * (float)self->options.rise;
    if (score >= self->peak) {
        self->peak = score;
        self->peak_at = self->runner_up_at = t;
        self->runner_up = 0;
    } else if (score >= self->runner_up) {
        self->runner_up = score;
        self->runner_up_at = t;
    }
    return rises || self->options.hold_count == 0 ? score : 0;
}

static float judge_row(value_gap *self, double x)
{
    const size_t deviation_half = self->options.deviation_rows / 2, mean_half = self->options.mean_rows / 2;
    double y = scaled(self, x);
    blocks_add(&self->deviation_blocks, y, (uint32_t)deviation_half);
    blocks_add(&self->mean_blocks, y, (uint32_t)mean_half);

    float by_value = judge_value(self, (float)y);
    float deviation = log_deviation(self, (float)y), mean = (float)blocks_mean(&self->mean_blocks);
    float by_deviation = judge_derived(self, FEATURE_DEVIATION, deviation, deviation_half, &self->deviation_slot);
    float by_mean = judge_derived(self, FEATURE_MEAN, mean, mean_half, &self->mean_slot);
    return by_value + (float)self->options.weight_deviation * by_deviation + (float)self->options.weight_mean * by_mean;
}

/* ---- the detector ---- */

static void reset(tcsi_detector *base)
{
    value_gap *self = (value_gap *)base;
    *self = (value_gap){ .base = self->base, .options = self->options };
    for (size_t i = 0; i < FEATURE_COUNT; i++) {
        feature *f = &self->features[i];
        for (size_t k = 0; k < INTERVAL_COUNT; k++) f->low[k] = f->high[k] = EMPTY;
        f->octave_top = OCTAVE_NONE;
        f->refresh_age = REFRESH_ROWS;
    }
}

static tcs_status init(tcsi_detector *base, tcs_error *err)
{
    (void)err;
    reset(base);
    return TCS_OK;
}

static void push(tcsi_detector *base, const tcsi_row *row, tcs_score *ret_score)
{
    value_gap *self = (value_gap *)base;
    double x = row->values[0];
    if (ret_score->state == TCS_SCORE_MISSING) return; /* time stands still */
    float score = once_per_rise(self, judge_row(self, x));
    if (self->seen_count >= self->options.warmup_count) *ret_score = (tcs_score){ .state = TCS_SCORE_READY, .value = (double)score };
    if (self->seen_count % HOUSE_ROWS == HOUSE_ROWS - 1) keep_house(self);
    self->seen_count++;
}

static void persist_small(tcsi_codec *codec, uint8_t *value, uint32_t value_max)
{
    uint32_t wide = *value;
    tcsi_codec_u32(codec, &wide);
    if (tcsi_codec_loading(codec) && tcsi_codec_status(codec) == TCS_OK && wide > value_max) tcsi_codec_refuse(codec, "a count too large");
    else *value = (uint8_t)wide;
}

static bool feature_ok(const feature *f)
{
    bool ok = f->weight >= 0 && f->threshold >= 0 && f->slope >= 0 && f->tail_log >= 0;
    float sum = f->weight + f->threshold + f->tail_log;
    for (size_t i = 0; i < OCTAVE_COUNT; i++) {
        ok = ok && f->counts[i] >= 0;
        sum += f->counts[i];
    }
    for (size_t i = 0; i < INTERVAL_COUNT; i++) ok = ok && f->low[i] <= f->high[i] && f->low[i] >= -EMPTY && f->high[i] <= EMPTY;
    for (size_t i = 0; i < DELAY_COUNT; i++) ok = ok && fabsf(f->waiting[i]) <= EMPTY;
    return ok && sum <= FLT_MAX;
}

static void persist_feature(feature *f, tcsi_codec *codec)
{
    uint32_t octave_top = (uint32_t)(f->octave_top - OCTAVE_NONE);
    tcsi_codec_f32s(codec, f->low, INTERVAL_COUNT);
    tcsi_codec_f32s(codec, f->high, INTERVAL_COUNT);
    tcsi_codec_f32s(codec, f->counts, OCTAVE_COUNT);
    tcsi_codec_f32s(codec, f->waiting, DELAY_COUNT);
    tcsi_codec_f32(codec, &f->weight);
    tcsi_codec_f32(codec, &f->threshold);
    tcsi_codec_f32(codec, &f->slope);
    tcsi_codec_f32(codec, &f->tail_log);
    tcsi_codec_bytes(codec, f->hit_epochs, sizeof f->hit_epochs);
    tcsi_codec_u32(codec, &octave_top);
    persist_small(codec, &f->interval_count, INTERVAL_COUNT);
    persist_small(codec, &f->waiting_count, DELAY_COUNT);
    persist_small(codec, &f->waiting_next, DELAY_COUNT - 1);
    persist_small(codec, &f->refresh_age, UINT8_MAX);
    if (!tcsi_codec_loading(codec) || tcsi_codec_status(codec) != TCS_OK) return;
    f->octave_top = (int16_t)((int)(octave_top & 0xffff) + OCTAVE_NONE);
    if (f->octave_top > 127 || !feature_ok(f)) tcsi_codec_refuse(codec, "a feature out of range");
}

static void persist_blocks(two_blocks *blocks, tcsi_codec *codec)
{
    tcsi_codec_f64s(codec, blocks->sum, 2);
    tcsi_codec_f64s(codec, blocks->square_sum, 2);
    tcsi_codec_u32s(codec, blocks->count, 2);
    double sum = blocks->square_sum[0] + blocks->square_sum[1] + fabs(blocks->sum[0]) + fabs(blocks->sum[1]);
    if (tcsi_codec_loading(codec) && !(sum <= 1e100)) tcsi_codec_refuse(codec, "a window out of range");
}

static void persist(tcsi_detector *base, tcsi_codec *codec)
{
    value_gap *self = (value_gap *)base;
    tcsi_codec_tag(codec, "VGAP");
    for (size_t i = 0; i < FEATURE_COUNT; i++) persist_feature(&self->features[i], codec);
    persist_blocks(&self->deviation_blocks, codec);
    persist_blocks(&self->mean_blocks, codec);
    tcsi_codec_u64(codec, &self->seen_count);
    tcsi_codec_f64(codec, &self->origin);
    tcsi_codec_f64(codec, &self->scale);
    tcsi_codec_f32(codec, &self->peak);
    tcsi_codec_f32(codec, &self->runner_up);
    tcsi_codec_u64(codec, &self->peak_at);
    tcsi_codec_u64(codec, &self->runner_up_at);
    tcsi_codec_u32(codec, &self->deviation_slot);
    tcsi_codec_u32(codec, &self->mean_slot);
    persist_small(codec, &self->epoch, UINT8_MAX);
    bool ok = fabs(self->origin) <= 2 * TCS_VALUE_MAX && self->scale >= 0 && isfinite(self->scale);
    ok = ok && self->peak >= 0 && self->runner_up >= 0;
    if (tcsi_codec_loading(codec) && !ok) tcsi_codec_refuse(codec, "an origin or scale out of range");
}

static size_t size_max(const tcsi_detector *base, size_t row_count)
{
    (void)base;
    (void)row_count;
    return sizeof(value_gap);
}

static const tcsi_parameter parameters[] = {
    TCSI_COUNT(deviation_rows, 48, 2, 1000000, "rows in the window of the deviation, taken as two halves"),
    TCSI_COUNT(mean_rows, 16, 2, 1000000, "rows in the window of the mean, taken as two halves"),
    TCSI_COUNT(warmup_count, 50, 1, 1e9, "rows before the first score"),
    TCSI_COUNT(quiet_count, 60, 0, 1e9, "rows before gaps of the value count"),
    TCSI_COUNT(hold_count, 400, 0, 1e9, "one alarm per rise: rows a score must top, at most; 0 = score every row"),
    TCSI_COUNT(hold_divisor, 40, 1, 1e9, "one alarm per rise: the same early on, as a part of the rows seen"),
    TCSI_COUNT(gap_count_max, 16384, 64, 1000000, "gaps remembered; beyond it all counts are halved"),
    TCSI_COUNT(epoch_rows, 512, 64, 1e9, "rows in an epoch of forgetting"),
    TCSI_COUNT(epoch_age_max, 16, 1, 250, "epochs after which values not seen again are forgotten"),
    TCSI_REAL(tail, 0.06, 1e-4, 0.5, "share of the gaps that the tail is fitted on"),
    TCSI_REAL(shrink, 1e-6, 0, 0.1, "part by which the edges of an interval shrink at each hit"),
    TCSI_REAL(score_max, 10, 1, 1000, "highest score of one feature"),
    TCSI_REAL(rise, 1.1, 1, 100, "one alarm per rise: factor by which a score must top those rows"),
    TCSI_REAL(weight_deviation, 0.3, 0, 100, "weight of the log deviation's score"),
    TCSI_REAL(weight_mean, 0.35, 0, 100, "weight of the mean's score"),
};

static const tcsi_detector_ops ops = {
    .init = init, .reset = reset, .push = push, .persist = persist, .size_max = size_max,
};

const tcsi_detector_info tcsi_detector_value_gap = {
    .name = "value_gap",
    .title = "value-gap novelty",
    .paper = "M. Markou, S. Singh: Novelty detection: a review, part 1. Signal Processing 83(12), 2003, section 2.2; tail: J. Pickands: "
             "Statistical inference using extreme order statistics. Annals of Statistics 3(1), 1975",
    .summary = "Distance of the value, its deviation and its mean over short windows from all they ever were, as -log10 of a tail "
               "probability; one alarm per rise. Finds what was never there before; misses what stays inside the range. O(1) a row, "
               "under 1 KiB.",
    .traits = TCSI_TRAIT_STREAMING,
    .instance_size = sizeof(value_gap),
    .options_offset = offsetof(value_gap, options),
    .parameters = parameters,
    .parameter_count = TCS_COUNT(parameters),
    .ops = &ops,
};

_Static_assert(sizeof(value_gap) <= 1024, "the promise of at most 1 KiB a series");
