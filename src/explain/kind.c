/* SPDX-License-Identifier: Apache-2.0 */
#include "explain/kind.h"

#include "base/alloc.h"
#include "series/stats.h"

#include <math.h>
#include <string.h>

enum { BEFORE_MIN = 64, BEFORE_MAX = 1024, BEFORE_TIMES = 4, BEHIND_MAX = 200, PERIODS_BACK = 3, ROWS_MAX = 4096, SPIKE_ROWS = 3,
       LEAN_ROWS = 4, DENSE_ROWS = 8 };
static const double off = 3, far_out = 4, shift_min = 2, slope_min = 3, slope_fit = 0.6, variance_high = 1.8, variance_low = 0.5;
static const double rest_high = 1.4, near_by = 1, alike = 1.5, rough = 2, dense_share = 0.8;
static const double gone_share = 0.5, rare_share = 0.02, still_share = 0.9, moving_share = 0.5, spike_share = 0.1;
static const double together = 0.6, apart = 0.3, stays = 0.5;

const char *tcsi_kind_text(tcsi_kind_name kind)
{
#define X(kind, name) name,
    static const char *const names[] = { TCSI_KIND_LIST(X) };
#undef X
    return names[kind];
}

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

/* ---- one question each ---- */

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

static bool is_drop_out(const work *w)
{
    if (share_missing(w, w->rows) > gone_share && share_missing(w, w->before) < gone_share / 2) return true;
    const tcsi_moments m = tcsi_moments_of(w->column + w->rows.begin, tcsi_extent_count(w->rows));
    const double floors[] = { 0, m.count > 0 ? m.minimum : 0 };
    for (size_t i = 0; i < TCS_COUNT(floors); i++) {
        const tcsi_moments usual = tcsi_moments_of(w->column + w->before.begin, tcsi_extent_count(w->before));
        const bool is_low = floors[i] == 0 ? usual.minimum > 0 || usual.maximum < 0 : floors[i] < usual.minimum - far_out * w->deviation;
        if (is_low && tcsi_extent_count(w->rows) > SPIKE_ROWS && share_at(w, w->rows, floors[i]) > gone_share &&
            share_at(w, w->before, floors[i]) < rare_share)
            return true;
    }
    return false;
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

/* The longest stretch of one value makes up most of the episode. */
static bool is_stuck(const work *w)
{
    return share_still(w, w->rows) > still_share && share_still(w, w->before) < moving_share;
}

static bool is_spike(const work *w)
{
    size_t out = 0, rest = 0;
    const double center = tcsi_median(w->usual, w->usual_count, w->scratch);
    for (size_t i = 0; i < w->now_count; i++) {
        if (fabs(w->now[i] - center) > far_out * w->deviation) out++;
        else w->rest[rest++] = w->now[i];
    }
    if (out == 0 || (rest > SPIKE_ROWS && robust_deviation(w, w->rest, rest) > rest_high * w->deviation)) return false;
    if (out <= SPIKE_ROWS && (w->now_count > 3 * out || w->now_count <= SPIKE_ROWS)) return true;
    return (double)out <= spike_share * (double)w->now_count;
}

/* Least squares over the episode; *ret_slope: its change from end to end, *ret_fit: the share of the variance that it explains. */
static void fit_line(const double *values, size_t count, double *ret_slope, double *ret_fit)
{
    double mean = 0, along = 0, squares = 0, all = 0;
    const double middle = 0.5 * (double)(count - 1);
    for (size_t i = 0; i < count; i++) mean += values[i] / (double)count;
    for (size_t i = 0; i < count; i++) {
        const double x = (double)i - middle, y = values[i] - mean;
        along += x * y;
        squares += x * x;
        all += y * y;
    }
    *ret_slope = squares > 0 ? along / squares * (double)(count - 1) : 0;
    *ret_fit = squares > 0 && all > 0 ? along * along / (squares * all) : 0;
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
    return count > SPIKE_ROWS ? robust_deviation(w, w->rest, count) : NAN;
}

/* Another course of the same size and smoothness is no larger variance, though it is far from what was due. */
static bool is_of_usual_size(const work *w)
{
    if (w->period == 0) return false;
    const double size = stray(w, w->rows, false) / stray(w, w->before, false);
    const double roughness = stray(w, w->rows, true) / stray(w, w->before, true);
    return size < alike && size > 1 / alike && roughness < rough && roughness > 1 / rough;
}

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
    return count >= 8 && aa > 0 && bb > 0 ? ab / sqrt(aa * bb) : NAN;
}

static bool has_parted(const work *w, const size_t *others, size_t other_count, size_t *ret_partner)
{
    double most = together;
    bool found = false;
    for (size_t i = 0; i < other_count; i++) {
        const double was = correlation(w, others[i], w->before), is = correlation(w, others[i], w->rows);
        if (!(fabs(was) > most) || !(copysign(1, was) * is < apart)) continue;
        most = fabs(was);
        *ret_partner = others[i];
        found = true;
    }
    return found;
}

/* ---- together ---- */

static void judge(work *w, const size_t *others, size_t other_count, tcsi_kind *kind)
{
    double slope = 0, fit = 0;
    const double usual = w->usual_count > 0 ? tcsi_median(w->usual, w->usual_count, w->scratch) : 0;
    const double now = w->now_count > 0 ? tcsi_median(w->now, w->now_count, w->scratch) : 0;
    const double spread = w->now_count > 1 ? robust_deviation(w, w->now, w->now_count) : w->deviation;
    if (w->now_count > SPIKE_ROWS) fit_line(w->now, w->now_count, &slope, &fit);
    kind->shift = (now - usual) / w->deviation;
    kind->slope = slope / w->deviation;
    kind->variance = spread / w->deviation;
    if (is_drop_out(w)) kind->kind = TCSI_KIND_DROP_OUT;
    else if (w->now_count == 0 || w->usual_count == 0) kind->kind = TCSI_KIND_UNKNOWN;
    else if (is_stuck(w)) kind->kind = TCSI_KIND_STUCK;
    else if (is_spike(w)) kind->kind = TCSI_KIND_SPIKE;
    else if (fabs(kind->slope) > slope_min && fit > slope_fit) kind->kind = TCSI_KIND_TREND;
    else if (fabs(kind->shift) > shift_min && fabs(kind->shift) > kind->variance) kind->kind = TCSI_KIND_LEVEL_SHIFT;
    else if ((kind->variance > variance_high || kind->variance < variance_low) && !is_of_usual_size(w)) kind->kind = TCSI_KIND_VARIANCE;
    else if (has_parted(w, others, other_count, &kind->partner)) kind->kind = TCSI_KIND_CORRELATION;
    else kind->kind = TCSI_KIND_PATTERN;
    const bool can_stay = kind->kind == TCSI_KIND_LEVEL_SHIFT || kind->kind == TCSI_KIND_TREND || kind->kind == TCSI_KIND_VARIANCE ||
                          kind->kind == TCSI_KIND_STUCK || kind->kind == TCSI_KIND_DROP_OUT;
    if (!can_stay || tcsi_extent_count(w->behind) == 0) return;
    if (kind->kind == TCSI_KIND_STUCK) kind->persistent = share_still(w, w->behind) > still_share;
    else if (w->later_count == 0) kind->persistent = share_missing(w, w->behind) > gone_share;
    else if (kind->kind == TCSI_KIND_VARIANCE) {
        const double later = robust_deviation(w, w->later, w->later_count) / w->deviation;
        kind->persistent = kind->variance > 1 ? later > stays * kind->variance : later < kind->variance / stays;
    } else {
        const double reached = kind->kind == TCSI_KIND_TREND ? 0.5 * slope + (now - usual) : now - usual;
        const double later = tcsi_median(w->later, w->later_count, w->scratch) - usual;
        kind->persistent = reached * later > 0 && fabs(later) > stays * fabs(reached);
    }
}

tcs_status tcsi_kind_find(const tcsi_subject *subject, tcsi_extent rows, size_t channel, size_t period, const size_t *others,
                          size_t other_count, tcsi_kind *ret_kind, tcs_error *err)
{
    work w = { .subject = subject, .column = tcsi_frame_column(subject->frame, channel), .rows = rows, .period = period,
               .limit = rows.begin };
    size_t before = BEFORE_TIMES * tcsi_extent_count(rows), behind = tcsi_extent_count(rows);
    if (before < BEFORE_MIN + 2 * period) before = BEFORE_MIN + 2 * period;
    if (before > BEFORE_MAX) before = BEFORE_MAX;
    if (behind > BEHIND_MAX) behind = BEHIND_MAX;
    tcsi_kind kind = { .kind = TCSI_KIND_UNKNOWN };
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
    measure(&w);
    judge(&w, others, other_count, &kind);
    tcsi_free(memory);
    tcsi_free(w.places);
    *ret_kind = kind;
    return TCS_OK;
}
