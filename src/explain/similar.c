/* SPDX-License-Identifier: Apache-2.0 */
#include "explain/similar.h"

#include "base/alloc.h"
#include "series/stats.h"

#include <math.h>
#include <string.h>

enum { CENTER_ROWS = 4096, PAD_MIN = 4, REFINED = 16, POINTS = TCSI_SIMILAR_POINTS, CHANNELS = TCSI_SIMILAR_CHANNELS_MAX };
static const double still = 0.5;  /* deviations: what moves less has no shape */
static const double off_max = 1e3; /* deviations: what is farther is as far */
static const double missing_share = 0.5;

/* The course of the channels over some rows. */
typedef struct course {
    double raw[CHANNELS][POINTS], shape[CHANNELS][POINTS]; /* NaN: missing */
} course;

typedef struct finder {
    const tcsi_subject *subject;
    const tcsi_similar_wish *wish;
    size_t channel_count, point_count, row_count; /* row_count: of a window of normal rows */
    tcsi_extent rows;                               /* of the episode with its sides */
    double centers[CHANNELS];                     /* of the normal rows: raw values are counted from here */
} finder;

/* ---- courses ---- */

/* Mean of the present rows that fall on a point. */
static double point_of(const double *column, tcsi_extent rows, size_t point, size_t point_count)
{
    const size_t count = tcsi_extent_count(rows);
    size_t begin = rows.begin + point * count / point_count, end = rows.begin + (point + 1) * count / point_count;
    double sum = 0, present = 0;
    if (end == begin) end++;
    for (size_t t = begin; t < end; t++) {
        if (!tcsi_present(column[t])) continue;
        sum += column[t];
        present++;
    }
    return present > 0 ? sum / present : NAN;
}

static void shape_of(const double *raw, size_t count, double *ret_shape)
{
    const tcsi_moments m = tcsi_moments_of(raw, count);
    const double deviation = m.count > 0 ? sqrt(m.variance) : 0;
    for (size_t i = 0; i < count; i++) ret_shape[i] = (raw[i] - m.mean) / fmax(deviation, still);
}

/* False when a channel is mostly missing. */
static bool course_of(const finder *f, tcsi_extent rows, course *ret)
{
    for (size_t k = 0; k < f->channel_count; k++) {
        const double *column = tcsi_frame_column(f->subject->frame, f->wish->channels[k]);
        size_t present = 0;
        for (size_t i = 0; i < f->point_count; i++) {
            const double off = (point_of(column, rows, i, f->point_count) - f->centers[k]) / f->wish->spreads[k];
            ret->raw[k][i] = isnan(off) ? NAN : fmax(-off_max, fmin(off_max, off));
            present += !isnan(off);
        }
        if ((double)present < missing_share * (double)f->point_count) return false;
        shape_of(ret->raw[k], f->point_count, ret->shape[k]);
    }
    return true;
}

static double distance(const finder *f, const double a[CHANNELS][POINTS], const double b[CHANNELS][POINTS])
{
    double sum = 0, known = 0;
    for (size_t k = 0; k < f->channel_count; k++)
        for (size_t i = 0; i < f->point_count; i++) {
            const double off = a[k][i] - b[k][i];
            if (isnan(off)) continue;
            sum += off * off;
            known++;
        }
    return known > 0 ? sqrt(sum / known) : INFINITY;
}

static tcsi_likeness compare(const finder *f, const course *a, const course *b, tcsi_extent rows)
{
    return (tcsi_likeness){ .rows = rows, .episode = SIZE_MAX, .raw = distance(f, a->raw, b->raw),
                            .shape = distance(f, a->shape, b->shape) };
}

static double total(const tcsi_likeness *likeness) { return likeness->raw + likeness->shape; }

/* ---- episodes ---- */

static tcsi_extent with_sides(const tcsi_subject *subject, tcsi_extent rows)
{
    const size_t pad = tcsi_extent_count(rows) / 4;
    return subject->is_tabular ? rows : tcsi_extent_widen(rows, pad < PAD_MIN ? PAD_MIN : pad, subject->frame->row_count);
}

static void keep_nearest(tcsi_similar *similar, const tcsi_likeness *found)
{
    size_t at = similar->episode_count;
    if (at < TCSI_SIMILAR_EPISODES_MAX) similar->episode_count++;
    else if (total(&similar->episodes[--at]) <= total(found)) return;
    for (; at > 0 && total(&similar->episodes[at - 1]) > total(found); at--) similar->episodes[at] = similar->episodes[at - 1];
    similar->episodes[at] = *found;
}

static void find_episodes(const finder *f, const course *own, course *other, tcsi_similar *similar)
{
    const tcsi_policy_result *decision = f->subject->decision;
    for (size_t i = 0; i < f->wish->episode; i++) {
        const tcsi_extent rows = { decision->episodes[i].row_begin, decision->episodes[i].row_end };
        if (!course_of(f, with_sides(f->subject, rows), other)) continue;
        tcsi_likeness found = compare(f, own, other, rows);
        found.episode = i;
        keep_nearest(similar, &found);
    }
}

/* ---- normal rows ---- */

static bool is_normal(const tcsi_subject *subject, tcsi_extent rows)
{
    return !memchr(subject->decision->anomaly + rows.begin, 1, tcsi_extent_count(rows));
}

/* Windows of normal rows before the episode. */
typedef struct windows {
    course *courses;
    tcsi_extent *rows;
    size_t count, stride;
} windows;

static void gather_windows(const finder *f, windows *w)
{
    if (f->rows.begin < f->row_count) return;
    const size_t all = f->rows.begin - f->row_count + 1;
    w->stride = (all + TCSI_SIMILAR_WINDOWS - 1) / TCSI_SIMILAR_WINDOWS;
    for (size_t t = (all - 1) % w->stride; t < all; t += w->stride) {
        const tcsi_extent rows = { t, t + f->row_count };
        if (!is_normal(f->subject, rows) || !course_of(f, rows, &w->courses[w->count])) continue;
        w->rows[w->count++] = rows;
    }
}

/* The nearest window that shares no row with `own_rows`; false: there is none. */
static bool find_nearest(const finder *f, const windows *w, const course *own, tcsi_extent own_rows, tcsi_likeness *ret_nearest)
{
    bool any = false;
    for (size_t i = 0; i < w->count; i++) {
        if (w->rows[i].begin < own_rows.end && w->rows[i].end > own_rows.begin) continue;
        const tcsi_likeness found = compare(f, own, &w->courses[i], w->rows[i]);
        if (any && total(&found) >= total(ret_nearest)) continue;
        *ret_nearest = found;
        any = true;
    }
    return any;
}

/* How near normal windows are to others of their kind. */
static void find_usual(const finder *f, const windows *w, tcsi_similar *similar)
{
    double distances[TCSI_SIMILAR_REFERENCES];
    size_t count = 0, nearer = 0;
    const size_t references = w->count < TCSI_SIMILAR_REFERENCES ? w->count : TCSI_SIMILAR_REFERENCES;
    for (size_t i = 0; i < references; i++) {
        const size_t at = w->count * (2 * i + 1) / (2 * references);
        tcsi_likeness nearest;
        if (!find_nearest(f, w, &w->courses[at], w->rows[at], &nearest)) continue;
        nearer += total(&nearest) < total(&similar->normal);
        distances[count++] = total(&nearest);
    }
    similar->unusual = count > 0 ? (double)nearer / (double)count : NAN;
    similar->usual_distance = count > 0 ? tcsi_quantile_inplace(distances, count, 0.5) : NAN;
}

/* Windows between the ones that were looked at, around the nearest. */
static void refine(const finder *f, const windows *w, const course *own, course *other, tcsi_likeness *nearest)
{
    const size_t step = (w->stride + REFINED - 1) / REFINED, middle = nearest->rows.begin;
    const size_t first = middle > w->stride ? middle - w->stride : 0;
    for (size_t t = first; t < middle + w->stride && t + f->row_count <= f->rows.begin; t += step) {
        const tcsi_extent rows = { t, t + f->row_count };
        if (!is_normal(f->subject, rows) || !course_of(f, rows, other)) continue;
        const tcsi_likeness found = compare(f, own, other, rows);
        if (total(&found) < total(nearest)) *nearest = found;
    }
}

static tcs_status find_normal(const finder *f, const course *own, course *other, tcsi_similar *similar, tcs_error *err)
{
    windows w = { .courses = TCSI_NEW_ARRAY(course, TCSI_SIMILAR_WINDOWS), .rows = TCSI_NEW_ARRAY(tcsi_extent, TCSI_SIMILAR_WINDOWS) };
    tcs_status status = w.courses && w.rows ? TCS_OK : tcsi_fail_memory(err, "normal rows");
    if (status == TCS_OK) {
        gather_windows(f, &w);
        similar->has_normal = find_nearest(f, &w, own, f->rows, &similar->normal);
        if (similar->has_normal) {
            find_usual(f, &w, similar);
            refine(f, &w, own, other, &similar->normal);
        }
    }
    tcsi_free(w.courses);
    tcsi_free(w.rows);
    return status;
}

/* ---- together ---- */

static void find_centers(finder *f, double *scratch)
{
    const size_t end = f->rows.begin, reach = end < CENTER_ROWS ? end : CENTER_ROWS;
    for (size_t k = 0; k < f->channel_count; k++) {
        const double *column = tcsi_frame_column(f->subject->frame, f->wish->channels[k]);
        const double middle = reach > 0 ? tcsi_median(column + end - reach, reach, scratch) : 0;
        f->centers[k] = isnan(middle) ? 0 : middle;
    }
}

tcs_status tcsi_similar_find(const tcsi_subject *subject, const tcsi_similar_wish *wish, tcsi_similar *ret_similar, tcs_error *err)
{
    const tcsi_episode *episode = &subject->decision->episodes[wish->episode];
    finder f = { .subject = subject, .wish = wish,
                 .channel_count = wish->channel_count < CHANNELS ? wish->channel_count : CHANNELS,
                 .rows = with_sides(subject, (tcsi_extent){ episode->row_begin, episode->row_end }) };
    tcsi_similar similar = { .unusual = NAN, .usual_distance = NAN };
    f.row_count = tcsi_extent_count(f.rows);
    f.point_count = f.row_count < POINTS ? f.row_count : POINTS;
    course *courses = TCSI_NEW_ARRAY(course, 2);
    double *scratch = TCSI_NEW_ARRAY(double, CENTER_ROWS);
    if (!courses || !scratch) {
        tcsi_free(courses);
        tcsi_free(scratch);
        return tcsi_fail_memory(err, "similar episodes");
    }
    tcs_status status = TCS_OK;
    find_centers(&f, scratch);
    if (f.channel_count > 0 && course_of(&f, f.rows, &courses[0])) {
        find_episodes(&f, &courses[0], &courses[1], &similar);
        status = find_normal(&f, &courses[0], &courses[1], &similar, err);
    }
    tcsi_free(courses);
    tcsi_free(scratch);
    if (status == TCS_OK) *ret_similar = similar;
    return status;
}
