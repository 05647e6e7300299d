/* SPDX-License-Identifier: Apache-2.0 */
#include "explain/kind_measure.h"

#include "base/alloc.h"
#include "series/stats.h"

#include <math.h>
#include <string.h>

enum { BEFORE_MIN = 64, BEFORE_MAX = 2048, BEFORE_TIMES = 4, BEHIND_MAX = 200, PERIODS_BACK = 3, ROWS_MAX = 4096, SPIKE_ROWS = 3,
       LEAN_ROWS = 4, DENSE_ROWS = 8, COURSE_ROWS = 128, COURSE_MIN = 8, STRETCHES = 8, STEP_ROWS = 3 };
static const double off = 3, far_out = 4, rest_high = 1.4, near_by = 1, dense_share = 0.8, together = 0.5, feature_max = 8;

typedef struct work {
    const tcsi_subject *subject;
    const double *column;
    tcsi_extent rows, before, behind;
    size_t period, limit;                  /* limit: where the episode begins */
    size_t *places;                        /* (now_count) the rows of the distances in the episode, until its core is found */
    double *now, *usual, *later, *rest, *scratch; /* distances from what was due: in the episode, before it, behind it, in a part */
    size_t now_count, usual_count, later_count; /* present ones */
    double deviation;                      /* of the usual ones, robust */
    double level;                          /* the median before, where there is no period */
} work;

/* ---- what was due ---- */

/* The median of the same phase in the periods before row `limit`; NaN: none is present. */
static double due_by_period(const work *w, size_t t, size_t limit)
{
    double found[PERIODS_BACK];
    size_t count = 0, back = t >= limit ? (t - limit) / w->period + 1 : 1;
    for (size_t i = 0; i < PERIODS_BACK; i++, back++) {
        if (back * w->period > t) break;
        const size_t at = t - back * w->period;
        if (tcsi_present(w->column[at]) && !w->subject->decision->anomaly[at]) found[count++] = w->column[at];
    }
    return count > 0 ? tcsi_quantile_inplace(found, count, 0.5) : NAN;
}

/* Distances of present rows from what was due, in order; rows at or after limit are not what was due of any.  ret_places: the rows that
 * have one; may be NULL. */
static size_t distances(const work *w, tcsi_extent rows, size_t limit, double *ret, size_t *ret_places)
{
    size_t count = 0;
    for (size_t t = rows.begin; t < rows.end && t - rows.begin < ROWS_MAX; t++) {
        const double due = w->period > 0 ? due_by_period(w, t, limit < t ? limit : t) : w->level;
        if (!tcsi_present(w->column[t]) || !tcsi_present(due)) continue;
        if (ret_places) ret_places[count] = t;
        ret[count++] = w->column[t] - due;
    }
    return count;
}

static double robust_deviation(const work *w, const double *values, size_t count)
{
    const double center = tcsi_median(values, count, w->scratch);
    const double mad = TCSI_MAD_TO_DEVIATION * tcsi_mad(values, count, center, w->scratch);
    return mad > 0 ? mad : tcsi_deviation(values, count);
}

/* Are the rows of the episode besides the stretch as they usually are? */
static bool is_rest_usual(const work *w, tcsi_extent core)
{
    const size_t before = distances(w, (tcsi_extent){ w->rows.begin, core.begin }, w->limit, w->rest, NULL);
    const size_t count = before + distances(w, (tcsi_extent){ core.end, w->rows.end }, w->limit, w->rest + before, NULL);
    return count < SPIKE_ROWS || robust_deviation(w, w->rest, count) < rest_high * w->deviation;
}

/* Are nearly all of several distances far?  Then they are a thing of their own, whatever the others do. */
static bool is_dense(const work *w, size_t begin, size_t end, double usual)
{
    size_t far = 0;
    for (size_t i = begin; i < end; i++) far += fabs(w->now[i] - usual) > off * w->deviation;
    return end - begin >= DENSE_ROWS && (double)far >= dense_share * (double)(end - begin);
}

/* Does the mean of distances [begin, end) lie beyond near_by deviations, on the given side? */
static bool leans(const work *w, size_t begin, size_t end, double usual, double side)
{
    double sum = 0;
    for (size_t i = begin; i < end; i++) sum += w->now[i] - usual;
    return side * sum > near_by * w->deviation * (double)(end - begin);
}

/* Distances [*begin, *end) and those beside them that lean to the same side: what grows slowly began before it was far. */
static void grow(const work *w, double usual, size_t *begin, size_t *end)
{
    double sum = 0;
    for (size_t i = *begin; i < *end; i++) sum += w->now[i] - usual;
    const double side = copysign(1, sum);
    while (*begin >= LEAN_ROWS && leans(w, *begin - LEAN_ROWS, *begin, usual, side)) --*begin;
    while (*end + LEAN_ROWS <= w->now_count && leans(w, *end, *end + LEAN_ROWS, usual, side)) ++*end;
}

/* The rows of the episode in which the distances are large: the stretch with the highest sum, a far one counting 1 and any other -1/2.
 * Scores that look at windows make an episode longer than what happened.  No far row, or something about the others, too: all of it. */
static void find_core(work *w)
{
    const double usual = tcsi_median(w->usual, w->usual_count, w->scratch);
    double sum = 0, highest = 0;
    size_t first = 0, begin = 0, end = w->now_count;
    for (size_t i = 0; i < w->now_count; i++) {
        if (sum <= 0) {
            sum = 0;
            first = i;
        }
        sum += fabs(w->now[i] - usual) > off * w->deviation ? 1 : -0.5;
        if (sum <= highest) continue;
        highest = sum;
        begin = first;
        end = i + 1;
    }
    if (highest <= 0) return;
    const bool is_own = is_dense(w, begin, end, usual);
    if (end - begin > SPIKE_ROWS) grow(w, usual, &begin, &end);
    const tcsi_extent core = { w->places[begin], w->places[end - 1] + 1 };
    if (!is_own && !is_rest_usual(w, core)) return;
    w->rows = core;
    w->now_count = distances(w, core, w->limit, w->now, NULL);
}

static void measure(work *w)
{
    w->level = tcsi_median(w->column + w->before.begin, tcsi_extent_count(w->before), w->scratch);
    w->usual_count = distances(w, w->before, w->limit, w->usual, NULL);
    if (w->usual_count < BEFORE_MIN / 4) { /* too few periods before it: without */
        w->period = 0;
        w->usual_count = distances(w, w->before, w->limit, w->usual, NULL);
    }
    w->now_count = distances(w, w->rows, w->limit, w->now, w->places);
    w->later_count = distances(w, w->behind, w->limit, w->later, NULL);
    w->deviation = w->usual_count > 0 ? robust_deviation(w, w->usual, w->usual_count) : NAN;
    const double least = 1e-9 * fabs(w->level);
    if (!(w->deviation > least)) w->deviation = least > 0 ? least : 1e-12;
    if (w->usual_count > 0 && w->now_count > 0) find_core(w);
}

/* ---- one feature each ---- */

static double share_missing(const work *w, tcsi_extent rows)
{
    size_t missing = 0;
    for (size_t t = rows.begin; t < rows.end; t++) missing += !tcsi_present(w->column[t]);
    return tcsi_extent_count(rows) > 0 ? (double)missing / (double)tcsi_extent_count(rows) : 0;
}

static double share_at(const work *w, tcsi_extent rows, double value)
{
    size_t found = 0;
    for (size_t t = rows.begin; t < rows.end; t++) found += w->column[t] == value;
    return tcsi_extent_count(rows) > 0 ? (double)found / (double)tcsi_extent_count(rows) : 0;
}

/* The share of present rows that repeat the one before. */
static double share_still(const work *w, tcsi_extent rows)
{
    size_t still = 0, pairs = 0;
    for (size_t t = rows.begin + 1; t < rows.end; t++) {
        if (!tcsi_present(w->column[t]) || !tcsi_present(w->column[t - 1])) continue;
        pairs++;
        still += fabs(w->column[t] - w->column[t - 1]) <= 1e-9 * fabs(w->column[t]);
    }
    return pairs > SPIKE_ROWS ? (double)still / (double)pairs : 0;
}

/* Zero, or the lowest value, where it is far below (zero: on the other side of) whatever was seen before. */
static double share_floor(const work *w)
{
    const tcsi_moments now = tcsi_moments_of(w->column + w->rows.begin, tcsi_extent_count(w->rows));
    const tcsi_moments usual = tcsi_moments_of(w->column + w->before.begin, tcsi_extent_count(w->before));
    double share = 0;
    if (now.count == 0 || usual.count == 0) return 0;
    if (usual.minimum > 0 || usual.maximum < 0) share = share_at(w, w->rows, 0);
    if (now.minimum < usual.minimum - far_out * w->deviation) share = fmax(share, share_at(w, w->rows, now.minimum));
    return share;
}

static void ask_what_is_gone(const work *w, tcsi_extent whole, double *f)
{
    f[TCSI_KIND_FEATURE_MISSING] = share_missing(w, whole);
    f[TCSI_KIND_FEATURE_MISSING_USUAL] = share_missing(w, w->before);
    f[TCSI_KIND_FEATURE_FLOOR] = share_floor(w);
    f[TCSI_KIND_FEATURE_STILL] = share_still(w, w->rows);
    f[TCSI_KIND_FEATURE_STILL_ALL] = share_still(w, whole);
    f[TCSI_KIND_FEATURE_STILL_USUAL] = share_still(w, w->before);
}

/* Least squares by a level, then a line, then a parabola, orthogonal over equal steps: each takes its share of the squares left over. */
static void fit_courses(const double *values, size_t n, double usual, double *ret_fits, double *ret_slope)
{
    const double middle = 0.5 * (double)(n - 1), bend = ((double)n * (double)n - 1) / 12;
    double all = 0, sums[3] = { 0 }, norms[3] = { 0 }, left;
    for (size_t i = 0; i < n; i++) {
        const double x = (double)i - middle, y = values[i] - usual, basis[] = { 1, x, x * x - bend };
        all += y * y;
        for (int k = 0; k < 3; k++) {
            sums[k] += basis[k] * y;
            norms[k] += basis[k] * basis[k];
        }
    }
    *ret_slope = n > SPIKE_ROWS && norms[1] > 0 ? sums[1] / norms[1] * (double)(n - 1) : 0;
    left = all;
    for (int k = 0; k < 3 && n > SPIKE_ROWS; k++) {
        const double taken = norms[k] > 0 ? sums[k] * sums[k] / norms[k] : 0;
        ret_fits[k] = left > 1e-12 * all && left > 0 ? fmin(taken / left, 1) : 0;
        left = fmax(left - taken, 0);
    }
}

/* The course of the distances in five steps, upwards. */
static void draw_course(const work *w, double usual, double *f)
{
    double means[5], largest = w->deviation, all = 0;
    for (size_t k = 0; k < TCS_COUNT(means); k++) {
        size_t begin = k * w->now_count / TCS_COUNT(means), end = (k + 1) * w->now_count / TCS_COUNT(means);
        if (end == begin) end = begin + 1;
        means[k] = tcsi_mean(w->now + begin, end - begin) - usual;
        largest = fmax(largest, fabs(means[k]));
        all += means[k];
    }
    for (size_t k = 0; k < TCS_COUNT(means); k++) f[TCSI_KIND_FEATURE_FIRST + k] = copysign(1, all) * means[k] / largest;
}

/* Correlation of values with the next ones, around a center. */
static double memory_of(const double *values, size_t count, double center)
{
    double along = 0, all = 0;
    for (size_t i = 0; i < count; i++) {
        all += (values[i] - center) * (values[i] - center);
        if (i > 0) along += (values[i] - center) * (values[i - 1] - center);
    }
    return count > SPIKE_ROWS && all > 0 ? along / all : 0;
}

/* The step between the means of STEP_ROWS values before and from `at` on. */
static double step_at(const double *values, size_t at)
{
    double sum = 0;
    for (size_t i = 0; i < STEP_ROWS; i++) sum += values[at + i] - values[at - 1 - i];
    return sum / STEP_ROWS;
}

/* Distances from some rows before the episode to its end hold the step with which something began. */
static void ask_steps(const work *w, tcsi_extent whole, double *f)
{
    double squares = 0, largest = 0, entry = 0;
    size_t steps = 0;
    for (size_t i = STEP_ROWS; i + STEP_ROWS <= w->usual_count; i++, steps++) squares += step_at(w->usual, i) * step_at(w->usual, i);
    const double usual = steps > 0 ? sqrt(squares / (double)steps) : 0;
    const tcsi_extent wider = { whole.begin > 2 * STEP_ROWS ? whole.begin - 2 * STEP_ROWS : 0, whole.end };
    const size_t count = distances(w, wider, w->limit, w->rest, w->places);
    for (size_t i = STEP_ROWS; i + STEP_ROWS <= count; i++) {
        const double step = fabs(step_at(w->rest, i));
        largest = fmax(largest, step);
        if (w->places[i] <= w->rows.begin) entry = step;
    }
    if (!(usual > 0)) return;
    f[TCSI_KIND_FEATURE_STEP] = asinh(largest / usual);
    f[TCSI_KIND_FEATURE_ENTRY] = asinh(entry / usual);
}

static void ask_sides(const work *w, double usual, double *f)
{
    double sides = 0, turns = 0;
    for (size_t i = 0; i < w->now_count; i++) {
        sides += copysign(1, w->now[i] - usual);
        turns += i > 0 && (w->now[i] > usual) != (w->now[i - 1] > usual);
    }
    f[TCSI_KIND_FEATURE_ONE_SIDED] = fabs(sides) / (double)w->now_count;
    f[TCSI_KIND_FEATURE_TURNS] = w->now_count > 1 ? turns / (double)(w->now_count - 1) : 0;
    f[TCSI_KIND_FEATURE_MEMORY] = memory_of(w->now, w->now_count, tcsi_mean(w->now, w->now_count));
    f[TCSI_KIND_FEATURE_MEMORY_USUAL] = memory_of(w->usual, w->usual_count, usual);
}

/* The share of the squares that the three largest have.  Rearranges, and squares. */
static double share_of_top(double *values, size_t count)
{
    double all = 0, top = 0;
    for (size_t i = 0; i < count; i++) {
        values[i] *= values[i];
        all += values[i];
    }
    for (size_t i = 0; i < SPIKE_ROWS && i < count; i++) top += tcsi_select(values, count - i, count - i - 1);
    return all > 0 ? top / all : 0;
}

/* Of the distances in the whole episode: a spike is a few of them, the others are as ever. */
static void ask_what_is_far(const work *w, tcsi_extent whole, double usual, double *f)
{
    double farthest = 0;
    size_t far = 0, runs = 0, others = 0;
    bool was_far = false;
    const size_t count = distances(w, whole, w->limit, w->rest, NULL);
    for (size_t i = 0; i < count; i++) {
        const double distance = (w->rest[i] - usual) / w->deviation;
        const bool is_far = fabs(distance) > far_out;
        far += is_far;
        runs += is_far && !was_far;
        was_far = is_far;
        farthest = fmax(farthest, fabs(distance));
        w->rest[ROWS_MAX + i] = distance;
        if (!is_far) w->rest[others++] = w->rest[i];
    }
    f[TCSI_KIND_FEATURE_REST] = others > SPIKE_ROWS ? log(robust_deviation(w, w->rest, others) / w->deviation) : 0;
    f[TCSI_KIND_FEATURE_FAR_SHARE] = (double)far / (double)count;
    f[TCSI_KIND_FEATURE_FAR_COUNT] = log1p((double)far);
    f[TCSI_KIND_FEATURE_FAR_RUNS] = far > 0 ? (double)runs / (double)far : 0;
    f[TCSI_KIND_FEATURE_FARTHEST] = asinh(farthest);
    f[TCSI_KIND_FEATURE_TOP] = share_of_top(w->rest + ROWS_MAX, count);
}

/* How far the values themselves stray, or with `roughness` their bends: second differences, which noise has and a smooth course has not. */
static double stray(const work *w, tcsi_extent rows, bool roughness)
{
    size_t count = 0;
    if (rows.end - rows.begin > ROWS_MAX) rows.begin = rows.end - ROWS_MAX;
    for (size_t t = rows.begin; t < rows.end; t++) {
        const double value = !roughness ? w->column[t]
                             : t >= rows.begin + 2 ? w->column[t] - 2 * w->column[t - 1] + w->column[t - 2] : NAN;
        if (tcsi_present(value)) w->rest[count++] = value;
    }
    return count > SPIKE_ROWS ? tcsi_deviation(w->rest, count) : NAN;
}

static double share_outside(const work *w)
{
    const tcsi_moments usual = tcsi_moments_of(w->column + w->before.begin, tcsi_extent_count(w->before));
    size_t outside = 0, count = 0;
    for (size_t t = w->rows.begin; t < w->rows.end; t++) {
        if (!tcsi_present(w->column[t])) continue;
        count++;
        outside += w->column[t] < usual.minimum || w->column[t] > usual.maximum;
    }
    return count > 0 ? (double)outside / (double)count : 0;
}

/* ---- its course, among those before ---- */

typedef struct course {
    double values[COURSE_ROWS];
    size_t count, stride;
    double mean, deviation;
} course;

typedef struct nearest {
    double unlike, distant, gain, offset;
} nearest;

/* Every stride-th row, at most COURSE_ROWS; a missing one is as the one before.  False: too few, or a constant. */
static bool take_course(const work *w, tcsi_extent rows, size_t stride, course *ret)
{
    double last = NAN;
    ret->count = 0;
    ret->stride = stride;
    for (size_t t = rows.begin; t < rows.end && ret->count < COURSE_ROWS; t += stride) {
        if (tcsi_present(w->column[t])) last = w->column[t];
        if (!isnan(last)) ret->values[ret->count++] = last;
    }
    if (ret->count < COURSE_MIN) return false;
    ret->mean = tcsi_mean(ret->values, ret->count);
    ret->deviation = tcsi_deviation(ret->values, ret->count);
    return ret->deviation > 1e-9 * fabs(ret->mean) && ret->deviation > 0;
}

/* The nearest course to it that lies wholly in rows.  deviation: of the values before.  False: there is no room for one. */
static bool find_nearest(const work *w, const course *c, tcsi_extent rows, double deviation, nearest *ret)
{
    const size_t stride = c->stride, n = c->count;
    size_t count = 0;
    double last = NAN, best = -2, distant = INFINITY, sum = 0, squares = 0;
    for (size_t t = rows.begin; t < rows.end && count < ROWS_MAX; t += stride) {
        if (tcsi_present(w->column[t])) last = w->column[t];
        if (!isnan(last)) w->rest[count++] = last - c->mean;
    }
    if (count < 2 * n) return false;
    for (size_t i = 0; i < n; i++) {
        sum += w->rest[i];
        squares += w->rest[i] * w->rest[i];
    }
    for (size_t at = 0; at + n <= count; at++) {
        double dot = 0;
        for (size_t i = 0; i < n; i++) dot += w->rest[at + i] * (c->values[i] - c->mean);
        const double mean = sum / (double)n, own = sqrt(fmax(squares / (double)n - mean * mean, 0));
        const double alike = own > 1e-6 * deviation ? dot / ((double)n * own * c->deviation) : 0;
        distant = fmin(distant, (squares - 2 * dot) / (double)n + c->deviation * c->deviation);
        if (alike > best) {
            best = alike;
            ret->gain = own > 1e-6 * deviation ? log(c->deviation / own) : 0;
            ret->offset = mean / deviation;
        }
        if (at + n == count) break;
        sum += w->rest[at + n] - w->rest[at];
        squares += w->rest[at + n] * w->rest[at + n] - w->rest[at] * w->rest[at];
    }
    ret->unlike = sqrt(fmax(1 - best, 0));
    ret->distant = sqrt(fmax(distant, 0)) / deviation;
    return true;
}

static void compare_courses(const work *w, double *f)
{
    course c;
    nearest found;
    const double deviation = tcsi_deviation(w->column + w->before.begin, tcsi_extent_count(w->before));
    const size_t stride = (tcsi_extent_count(w->rows) + COURSE_ROWS - 1) / COURSE_ROWS, reach = tcsi_extent_count(w->rows);
    if (!(deviation > 0)) return;
    if (take_course(w, w->rows, stride, &c) && find_nearest(w, &c, w->before, deviation, &found)) {
        f[TCSI_KIND_FEATURE_UNLIKE] = found.unlike;
        f[TCSI_KIND_FEATURE_DISTANT] = asinh(found.distant);
        f[TCSI_KIND_FEATURE_GAIN] = found.gain;
        f[TCSI_KIND_FEATURE_OFFSET] = asinh(fabs(found.offset));
    }
    if (tcsi_extent_count(w->before) < 3 * reach) return;
    const tcsi_extent last = { w->before.end - reach, w->before.end }, earlier = { w->before.begin, w->before.end - reach };
    if (take_course(w, last, stride, &c) && find_nearest(w, &c, earlier, deviation, &found)) {
        f[TCSI_KIND_FEATURE_UNLIKE_USUAL] = found.unlike;
        f[TCSI_KIND_FEATURE_DISTANT_USUAL] = asinh(found.distant);
    }
}

/* ---- beside other channels ---- */

/* Correlation of two channels over rows; NaN: too few. */
static double correlation(const work *w, size_t other, tcsi_extent rows)
{
    const double *a = w->column, *b = tcsi_frame_column(w->subject->frame, other);
    double count = 0, ma = 0, mb = 0, aa = 0, bb = 0, ab = 0;
    for (size_t t = rows.begin; t < rows.end; t++) {
        if (!tcsi_present(a[t]) || !tcsi_present(b[t])) continue;
        count++;
        const double da = a[t] - ma, db = b[t] - mb;
        ma += da / count;
        mb += db / count;
        aa += da * (a[t] - ma);
        bb += db * (b[t] - mb);
        ab += da * (b[t] - mb);
    }
    return count >= COURSE_MIN && aa > 0 && bb > 0 ? ab / sqrt(aa * bb) : NAN;
}

/* What is left of a correlation in the core, less the least that was left in stretches as long before: below 0 it has parted. */
static double left_of(const work *w, size_t other, double was)
{
    const size_t reach = tcsi_extent_count(w->rows);
    const double is = copysign(1, was) * correlation(w, other, w->rows);
    double least = fabs(was);
    for (size_t k = 1; k <= STRETCHES && k * reach <= tcsi_extent_count(w->before); k++) {
        const tcsi_extent stretch = { w->before.end - k * reach, w->before.end - (k - 1) * reach };
        least = fmin(least, copysign(1, was) * correlation(w, other, stretch)); /* NaN: as it was */
    }
    return is - least;
}

/* The channel that it moved with most; of those that it clearly moved with, the one that it parted from most. */
static void find_partner(const work *w, const size_t *others, size_t other_count, tcsi_kind_measures *m)
{
    double most = 0, least_left = INFINITY;
    for (size_t i = 0; i < other_count; i++) {
        const double was = correlation(w, others[i], w->before);
        if (!(fabs(was) > 0)) continue;
        const double left = left_of(w, others[i], was);
        const bool is_close = fabs(was) > together, is_better = is_close ? left < least_left : most <= together && fabs(was) > most;
        if (!is_better) continue;
        most = fabs(was);
        if (is_close) least_left = left;
        m->has_partner = true;
        m->partner = others[i];
        m->features[TCSI_KIND_FEATURE_TOGETHER] = fabs(was);
        m->features[TCSI_KIND_FEATURE_PARTED] = isnan(left) ? 0 : left;
    }
}

/* Distances of rows from a line through the partner's values. */
static size_t distances_beside(const work *w, size_t other, tcsi_extent rows, double level, double slope, double *ret)
{
    const double *a = w->column, *b = tcsi_frame_column(w->subject->frame, other);
    size_t count = 0;
    for (size_t t = rows.begin; t < rows.end && count < ROWS_MAX; t++)
        if (tcsi_present(a[t]) && tcsi_present(b[t])) ret[count++] = a[t] - level - slope * b[t];
    return count;
}

/* What the partner led to is known better than what time led to: the course of the distances from it. */
static void ask_beside(const work *w, size_t other, double *f)
{
    const double *a = w->column, *b = tcsi_frame_column(w->subject->frame, other);
    double count = 0, ma = 0, mb = 0, bb = 0, ab = 0, along, all = 0;
    for (size_t t = w->before.begin; t < w->before.end; t++) {
        if (!tcsi_present(a[t]) || !tcsi_present(b[t])) continue;
        count++;
        const double da = a[t] - ma, db = b[t] - mb;
        ma += da / count;
        mb += db / count;
        bb += db * (b[t] - mb);
        ab += da * (b[t] - mb);
    }
    const double slope = bb > 0 ? ab / bb : 0, level = ma - slope * mb;
    const size_t usual = distances_beside(w, other, w->before, level, slope, w->rest);
    const double deviation = robust_deviation(w, w->rest, usual);
    const size_t now = distances_beside(w, other, w->rows, level, slope, w->rest);
    for (size_t i = 0; i < now; i++) all += w->rest[i] * w->rest[i];
    if (now == 0 || !(all > 0)) return;
    f[TCSI_KIND_FEATURE_BESIDE] = log(sqrt(all / (double)now) / deviation);
    f[TCSI_KIND_FEATURE_BESIDE_MEMORY] = memory_of(w->rest, now, tcsi_mean(w->rest, now));
    fit_courses(w->rest, now, 0, f + TCSI_KIND_FEATURE_BESIDE_LEVEL, &along);
    f[TCSI_KIND_FEATURE_BESIDE_TOP] = share_of_top(w->rest, now);
}

/* ---- together ---- */

static void ask_behind(const work *w, double usual, tcsi_kind_measures *m)
{
    m->later_count = tcsi_extent_count(w->behind);
    m->later_missing = share_missing(w, w->behind);
    m->later_still = share_still(w, w->behind);
    m->later_shift = w->later_count > 0 ? (tcsi_median(w->later, w->later_count, w->scratch) - usual) / w->deviation : NAN;
    m->later_spread = w->later_count > 1 ? robust_deviation(w, w->later, w->later_count) / w->deviation : NAN;
}

static void ask_all(work *w, tcsi_extent whole, const size_t *others, size_t other_count, tcsi_kind_measures *m)
{
    double *f = m->features, slope = 0;
    const double usual = w->usual_count > 0 ? tcsi_median(w->usual, w->usual_count, w->scratch) : 0;
    ask_what_is_gone(w, whole, f);
    ask_behind(w, usual, m);
    f[TCSI_KIND_FEATURE_LENGTH] = log((double)tcsi_extent_count(w->rows));
    f[TCSI_KIND_FEATURE_CORE] = (double)tcsi_extent_count(w->rows) / (double)tcsi_extent_count(whole);
    f[TCSI_KIND_FEATURE_HAS_PERIOD] = w->period > 0;
    f[TCSI_KIND_FEATURE_PERIODS] = w->period > 0 ? log((double)tcsi_extent_count(w->rows) / (double)w->period) : 0;
    m->is_measured = w->usual_count > 0 && (w->now_count > 0 || f[TCSI_KIND_FEATURE_MISSING] > 0);
    m->spread = m->size = 1;
    if (w->usual_count == 0 || w->now_count == 0) return;
    m->shift = (tcsi_median(w->now, w->now_count, w->scratch) - usual) / w->deviation;
    m->spread = w->now_count > 1 ? robust_deviation(w, w->now, w->now_count) / w->deviation : 1;
    m->size = stray(w, w->rows, false) / stray(w, w->before, false);
    if (!(m->size > 0)) m->size = 1;
    fit_courses(w->now, w->now_count, usual, f + TCSI_KIND_FEATURE_LEVEL_FIT, &slope);
    m->slope = slope / w->deviation;
    draw_course(w, usual, f);
    ask_sides(w, usual, f);
    ask_steps(w, whole, f);
    ask_what_is_far(w, whole, usual, f);
    compare_courses(w, f);
    find_partner(w, others, other_count, m);
    if (m->has_partner) ask_beside(w, m->partner, f);
    f[TCSI_KIND_FEATURE_SHIFT] = asinh(fabs(m->shift));
    f[TCSI_KIND_FEATURE_SLOPE] = asinh(fabs(m->slope));
    f[TCSI_KIND_FEATURE_SPREAD] = log(m->spread);
    if (w->now_count > 1)
        f[TCSI_KIND_FEATURE_SPREAD_ALL] = log(tcsi_deviation(w->now, w->now_count) / tcsi_deviation(w->usual, w->usual_count));
    f[TCSI_KIND_FEATURE_OUTSIDE] = share_outside(w);
    f[TCSI_KIND_FEATURE_SIZE] = log(m->size);
    f[TCSI_KIND_FEATURE_ROUGHNESS] = log(stray(w, w->rows, true) / stray(w, w->before, true));
}

/* Within 8 of 0; what could not be measured is 0. */
static void bound(double *features)
{
    for (size_t i = 0; i < TCSI_KIND_FEATURE_COUNT; i++)
        features[i] = isnan(features[i]) ? 0 : fmin(fmax(features[i], -feature_max), feature_max);
}

tcs_status tcsi_kind_measure(const tcsi_subject *subject, tcsi_extent rows, size_t channel, size_t period, const size_t *others,
                             size_t other_count, tcsi_kind_measures *ret_measures, tcs_error *err)
{
    work w = { .subject = subject, .column = tcsi_frame_column(subject->frame, channel), .rows = rows, .period = period,
               .limit = rows.begin };
    size_t before = BEFORE_TIMES * tcsi_extent_count(rows), behind = tcsi_extent_count(rows);
    if (before < BEFORE_MIN + 2 * period) before = BEFORE_MIN + 2 * period;
    if (before > BEFORE_MAX) before = BEFORE_MAX;
    if (behind > BEHIND_MAX) behind = BEHIND_MAX;
    w.before = (tcsi_extent){ rows.begin > before ? rows.begin - before : 0, rows.begin };
    w.behind = (tcsi_extent){ rows.end, subject->frame->row_count - rows.end > behind ? rows.end + behind : subject->frame->row_count };
    double *memory = TCSI_NEW_ARRAY(double, 7 * (size_t)ROWS_MAX);
    w.places = TCSI_NEW_ARRAY(size_t, ROWS_MAX);
    if (!memory || !w.places) {
        tcsi_free(memory);
        tcsi_free(w.places);
        return tcsi_fail_memory(err, "the kind of an episode");
    }
    w.now = memory;
    w.usual = memory + ROWS_MAX;
    w.later = memory + 2 * ROWS_MAX;
    w.rest = memory + 3 * ROWS_MAX; /* twice as many: of two stretches */
    w.scratch = memory + 5 * ROWS_MAX;
    tcsi_kind_measures measures = { .is_measured = false };
    measure(&w);
    ask_all(&w, rows, others, other_count, &measures);
    bound(measures.features);
    tcsi_free(memory);
    tcsi_free(w.places);
    *ret_measures = measures;
    return TCS_OK;
}
