/* SPDX-License-Identifier: Apache-2.0 */
#include "io/report_pages.h"

#include "base/alloc.h"
#include "io/report_data.h"

#include <math.h>

enum {
    POINT_COUNT_MAX = 240,    /* buckets of a plot */
    BESIDE_COUNT_MAX = 120,   /* of a small one */
    BESIDE_CHANNEL_COUNT_MAX = 3,
    HEAT_COLUMN_COUNT_MAX = 160,
    HEAT_CHANNEL_COUNT_MAX = 16,
    HEAT_STEPS = 255,
    GRID_STEPS = 20000,
    PAGE_SIZE_MAX = 1 << 24,
};

/* ---- courses ---- */

/* values[0] is that of row `begin`. */
typedef struct course {
    const double *values;
    size_t begin, end;
} course;

typedef struct buckets {
    size_t begin, end, stride;
} buckets;

static buckets buckets_of(size_t begin, size_t end, size_t count_max)
{
    const size_t count = end - begin;
    return (buckets){ begin, end, count / count_max + (count % count_max != 0) };
}

/* The lowest and highest value of rows [from, to) that the course knows; false when there is none. */
static bool extremes(const course *c, size_t from, size_t to, double *ret_low, double *ret_high)
{
    *ret_low = INFINITY;
    *ret_high = -INFINITY;
    if (!c->values) return false;
    if (from < c->begin) from = c->begin;
    if (to > c->end) to = c->end;
    return from < to && tcsi_report_extremes(c->values, from - c->begin, to - c->begin, ret_low, ret_high);
}

typedef struct grid {
    double low, high;
} grid;

static void grid_widen(grid *g, const course *c, const buckets *b)
{
    double low, high;
    if (!extremes(c, b->begin, b->end, &low, &high)) return;
    g->low = fmin(g->low, low);
    g->high = fmax(g->high, high);
}

/* > 0, also where values are all the same or closer than doubles can be divided. */
static double grid_step(const grid *g)
{
    const double step = (g->high - g->low) / GRID_STEPS;
    return step > 0 ? step : 1;
}

typedef enum side { LOWEST, HIGHEST } side;

static void put_course(tcsi_json_writer *w, const char *key, const course *c, const buckets *b, const grid *g, side which)
{
    tcsi_json_key(w, key);
    tcsi_json_begin_array(w);
    for (size_t t = b->begin; t < b->end; t += b->stride) {
        double low, high;
        const size_t stop = b->end - t > b->stride ? t + b->stride : b->end;
        if (extremes(c, t, stop, &low, &high))
            tcsi_json_integer(w, (int64_t)round(((which == LOWEST ? low : high) - g->low) / grid_step(g)));
        else tcsi_json_null(w);
    }
    tcsi_json_end_array(w);
}

/* "least", and where a bucket is more than a row "most". */
static void put_values(tcsi_json_writer *w, const course *c, const buckets *b, const grid *g)
{
    put_course(w, "least", c, b, g, LOWEST);
    if (b->stride > 1) put_course(w, "most", c, b, g, HIGHEST);
}

static void put_grid(tcsi_json_writer *w, const grid *g)
{
    tcsi_json_put_number(w, "floor", g->low <= g->high ? g->low : 0);
    tcsi_json_put_number(w, "step", grid_step(g));
}

static void put_buckets(tcsi_json_writer *w, const buckets *b)
{
    tcsi_json_put_integer(w, "from", b->begin);
    tcsi_json_put_integer(w, "to", b->end);
    tcsi_json_put_integer(w, "stride", b->stride);
}

static void put_channel(tcsi_json_writer *w, const tcsi_report *report, size_t channel)
{
    tcsi_json_put_integer(w, "index", channel);
    tcsi_json_put_string(w, "name", report->frame->channels[channel].name);
    tcsi_json_put_string(w, "unit", report->frame->channels[channel].unit);
}

static course course_of(const tcsi_report *report, size_t channel)
{
    return (course){ tcsi_frame_column(report->frame, channel), 0, report->frame->row_count };
}

/* ---- stories ---- */

static void put_story_words(tcsi_json_writer *w, const tcsi_report *report, const tcsi_report_story *story)
{
    put_channel(w, report, story->channel);
    tcsi_json_put_number(w, "share", story->share);
    tcsi_json_put_string(w, "kind", story->kind);
    tcsi_json_put_number(w, "sure", story->kind_probability);
    tcsi_json_key(w, "persistent");
    tcsi_json_bool(w, story->is_persistent);
    tcsi_json_put_number(w, "value", story->value);
    tcsi_json_put_number(w, "expected", story->expected);
    tcsi_json_put_number(w, "low", story->low);
    tcsi_json_put_number(w, "high", story->high);
}

static void put_story(tcsi_json_writer *w, const tcsi_report *report, const tcsi_report_reason *reason, const tcsi_report_story *story)
{
    const buckets b = buckets_of(reason->view_begin, reason->view_end, POINT_COUNT_MAX);
    const course values = course_of(report, story->channel), instead = { story->instead, reason->change_begin, reason->change_end };
    const course expecteds = { story->expecteds, b.begin, b.end }, lows = { story->lows, b.begin, b.end },
                 highs = { story->highs, b.begin, b.end };
    const course *const all[] = { &values, &expecteds, &lows, &highs, &instead };
    grid g = { INFINITY, -INFINITY };
    for (size_t i = 0; i < TCS_COUNT(all); i++) grid_widen(&g, all[i], &b);
    tcsi_json_begin_object(w);
    put_story_words(w, report, story);
    put_grid(w, &g);
    put_values(w, &values, &b, &g);
    if (expecteds.values) {
        put_course(w, "expecteds", &expecteds, &b, &g, LOWEST);
        put_course(w, "lows", &lows, &b, &g, LOWEST);
        put_course(w, "highs", &highs, &b, &g, HIGHEST);
    }
    if (instead.values) {
        put_course(w, "instead", &instead, &b, &g, LOWEST);
        if (b.stride > 1) put_course(w, "instead_most", &instead, &b, &g, HIGHEST);
    }
    tcsi_json_end_object(w);
}

/* ---- what would have been quiet ---- */

static void put_change(tcsi_json_writer *w, const tcsi_report_reason *reason)
{
    tcsi_json_key(w, "change");
    tcsi_json_begin_object(w);
    tcsi_json_key(w, "found");
    tcsi_json_bool(w, reason->has_change);
    tcsi_json_put_string(w, "words", reason->advice);
    tcsi_json_put_integer(w, "from", reason->change_begin);
    tcsi_json_put_integer(w, "to", reason->change_end);
    tcsi_json_put_integer(w, "channels", reason->changed_channel_count);
    tcsi_json_put_integer(w, "trials", reason->trial_count);
    tcsi_json_put_number(w, "before", reason->score_before);
    tcsi_json_put_number(w, "after", reason->score_after);
    tcsi_json_put_number(w, "threshold", reason->threshold);
    tcsi_json_end_object(w);
}

/* ---- shares: channels x time ---- */

typedef struct heat {
    const double *shares; /* (rows, channel_count) */
    size_t row_count, channel_count, stride;
    size_t channels[HEAT_CHANNEL_COUNT_MAX]; /* largest sum first */
    size_t shown_count;
    double highest;       /* of any cell */
} heat;

static double heat_cell(const heat *h, size_t channel, size_t row)
{
    double sum = 0;
    for (size_t t = row; t < row + h->stride && t < h->row_count; t++) sum += h->shares[t * h->channel_count + channel];
    return sum;
}

/* The channels with the largest sums, none with nothing; `sums` are used up. */
static void heat_choose(heat *h, double *sums)
{
    while (h->shown_count < HEAT_CHANNEL_COUNT_MAX && h->shown_count < h->channel_count) {
        size_t best = 0;
        for (size_t c = 1; c < h->channel_count; c++)
            if (sums[c] > sums[best]) best = c;
        if (!(sums[best] > 0)) return;
        sums[best] = 0;
        h->channels[h->shown_count++] = best;
    }
}

static void put_heat_rows(tcsi_json_writer *w, const tcsi_report *report, const heat *h)
{
    for (size_t i = 0; i < h->shown_count; i++) {
        tcsi_json_begin_object(w);
        put_channel(w, report, h->channels[i]);
        tcsi_json_key(w, "cells");
        tcsi_json_begin_array(w);
        for (size_t t = 0; t < h->row_count; t += h->stride)
            tcsi_json_integer(w, (int64_t)round(HEAT_STEPS * heat_cell(h, h->channels[i], t) / h->highest));
        tcsi_json_end_array(w);
        tcsi_json_end_object(w);
    }
}

static tcs_status put_heat(tcsi_json_writer *w, const tcsi_report *report, const tcsi_report_episode *episode, tcs_error *err)
{
    heat h = { .shares = episode->reason->shares, .row_count = episode->row_end - episode->row_begin,
               .channel_count = report->frame->channel_count };
    if (!h.shares) return TCS_OK;
    double *sums = TCSI_NEW_ZEROS(double, h.channel_count);
    if (!sums) return tcsi_fail_memory(err, "a report");
    const buckets b = buckets_of(episode->row_begin, episode->row_end, HEAT_COLUMN_COUNT_MAX);
    h.stride = b.stride;
    for (size_t t = 0; t < h.row_count; t++)
        for (size_t c = 0; c < h.channel_count; c++) sums[c] += h.shares[t * h.channel_count + c];
    heat_choose(&h, sums);
    tcsi_free(sums);
    for (size_t i = 0; i < h.shown_count; i++)
        for (size_t t = 0; t < h.row_count; t += h.stride) h.highest = fmax(h.highest, heat_cell(&h, h.channels[i], t));
    if (h.shown_count == 0 || !(h.highest > 0)) return TCS_OK;
    tcsi_json_key(w, "heat");
    tcsi_json_begin_object(w);
    put_buckets(w, &b);
    tcsi_json_key(w, "rows");
    tcsi_json_begin_array(w);
    put_heat_rows(w, report, &h);
    tcsi_json_end_array(w);
    tcsi_json_end_object(w);
    return TCS_OK;
}

/* ---- what rows were compared with ---- */

static void put_sizes(tcsi_json_writer *w, const char *key, const size_t *values, size_t count)
{
    tcsi_json_key(w, key);
    tcsi_json_begin_array(w);
    for (size_t i = 0; i < count; i++) tcsi_json_integer(w, (int64_t)values[i]);
    tcsi_json_end_array(w);
}

static void put_map(tcsi_json_writer *w, const tcsi_report_map *map)
{
    const size_t cell_count = map->row_count * map->column_count;
    double highest = 0;
    for (size_t i = 0; i < cell_count; i++) highest = fmax(highest, map->cells[i]);
    if (!(highest > 0)) return;
    tcsi_json_key(w, "map");
    tcsi_json_begin_object(w);
    tcsi_json_put_string(w, "kind", map->kind);
    tcsi_json_put_number(w, "highest", highest);
    put_sizes(w, "begins", map->begins, map->column_count);
    put_sizes(w, "ends", map->ends, map->column_count);
    tcsi_json_key(w, "rows");
    tcsi_json_begin_array(w);
    for (size_t i = 0; i < map->row_count; i++) {
        tcsi_json_begin_object(w);
        tcsi_json_put_integer(w, "row", map->rows[i]);
        tcsi_json_key(w, "cells");
        tcsi_json_begin_array(w);
        for (size_t k = 0; k < map->column_count; k++)
            tcsi_json_integer(w, (int64_t)round(HEAT_STEPS * map->cells[i * map->column_count + k] / highest));
        tcsi_json_end_array(w);
        tcsi_json_end_object(w);
    }
    tcsi_json_end_array(w);
    tcsi_json_end_object(w);
}

/* ---- similar rows ---- */

/* The course of the channels that carry the episode, over rows [begin, end) and a quarter as many on both sides. */
static void put_beside(tcsi_json_writer *w, const tcsi_report *report, const tcsi_report_reason *reason, size_t begin, size_t end)
{
    const size_t margin = (end - begin) / 4 + 1, row_count = report->frame->row_count;
    const size_t from = begin > margin ? begin - margin : 0, to = row_count - end > margin ? end + margin : row_count;
    const buckets b = buckets_of(from, to, BESIDE_COUNT_MAX);
    tcsi_json_put_integer(w, "begin", begin);
    tcsi_json_put_integer(w, "end", end);
    put_buckets(w, &b);
    tcsi_json_key(w, "channels");
    tcsi_json_begin_array(w);
    for (size_t i = 0; i < reason->story_count && i < BESIDE_CHANNEL_COUNT_MAX; i++) {
        const course values = course_of(report, reason->stories[i].channel);
        grid g = { INFINITY, -INFINITY };
        grid_widen(&g, &values, &b);
        tcsi_json_begin_object(w);
        put_channel(w, report, reason->stories[i].channel);
        put_grid(w, &g);
        put_values(w, &values, &b, &g);
        tcsi_json_end_object(w);
    }
    tcsi_json_end_array(w);
}

static void put_likenesses(tcsi_json_writer *w, const tcsi_report *report, const tcsi_report_episode *episode)
{
    const tcsi_report_reason *reason = episode->reason;
    tcsi_json_key(w, "beside"); /* the episode itself first, to compare with */
    tcsi_json_begin_array(w);
    if (reason->likeness_count > 0) {
        tcsi_json_begin_object(w);
        tcsi_json_put_string(w, "what", "this");
        put_beside(w, report, reason, episode->row_begin, episode->row_end);
        tcsi_json_end_object(w);
    }
    for (size_t i = 0; i < reason->likeness_count; i++) {
        const tcsi_report_likeness *likeness = &reason->likenesses[i];
        tcsi_json_begin_object(w);
        tcsi_json_put_string(w, "what", likeness->rank == SIZE_MAX ? "normal" : "episode");
        if (likeness->rank != SIZE_MAX) tcsi_json_put_integer(w, "rank", likeness->rank);
        if (likeness->label) {
            tcsi_json_put_string(w, "label", likeness->label);
            tcsi_json_put_string(w, "labelled", likeness->labelled_by);
        }
        tcsi_json_put_number(w, "raw", likeness->raw);
        tcsi_json_put_number(w, "shape", likeness->shape);
        put_beside(w, report, reason, likeness->row_begin, likeness->row_end);
        tcsi_json_end_object(w);
    }
    tcsi_json_end_array(w);
}

/* ---- one page ---- */

static tcs_status put_page(tcsi_json_writer *w, const tcsi_report *report, const tcsi_report_episode *episode, tcs_error *err)
{
    const tcsi_report_reason *reason = episode->reason;
    const buckets view = buckets_of(reason->view_begin, reason->view_end, POINT_COUNT_MAX);
    tcsi_json_begin_object(w);
    put_buckets(w, &view);
    tcsi_json_put_string(w, "source", reason->source);
    tcsi_json_key(w, "stories");
    tcsi_json_begin_array(w);
    for (size_t i = 0; i < reason->story_count; i++) put_story(w, report, reason, &reason->stories[i]);
    tcsi_json_end_array(w);
    put_change(w, reason);
    tcs_status status = put_heat(w, report, episode, err);
    put_map(w, &reason->map);
    put_likenesses(w, report, episode);
    tcsi_json_end_object(w);
    return status;
}

/* *left: bytes that there is still room for; a page that needs more is left out, and then there is room for none. */
static tcs_status write_page(const tcsi_report *report, size_t rank, tcsi_buffer *json, size_t *left, FILE *stream, tcs_error *err)
{
    tcsi_json_writer writer;
    char id[40];
    tcsi_buffer_clear(json);
    tcsi_json_writer_init(&writer, json, false);
    tcs_status status = put_page(&writer, report, &report->episodes[rank], err);
    if (status == TCS_OK) status = tcsi_json_finish(&writer, err);
    if (status != TCS_OK) return status;
    *left = json->size <= *left ? *left - json->size : 0;
    snprintf(id, sizeof id, "data-episode-%zu", rank);
    if (*left > 0) tcsi_report_json_write(json, id, stream);
    return TCS_OK;
}

tcs_status tcsi_report_pages_write(const tcsi_report *report, size_t episode_count, FILE *stream, tcs_error *err)
{
    tcsi_buffer json;
    size_t left = TCSI_REPORT_PAGES_SIZE_MAX;
    tcs_status status = TCS_OK;
    if (episode_count > TCSI_REPORT_PAGE_COUNT_MAX) episode_count = TCSI_REPORT_PAGE_COUNT_MAX;
    tcsi_buffer_init(&json, PAGE_SIZE_MAX);
    for (size_t i = 0; i < episode_count && left > 0 && status == TCS_OK && !ferror(stream); i++)
        if (report->episodes[i].reason) status = write_page(report, i, &json, &left, stream, err);
    tcsi_buffer_deinit(&json);
    return status;
}
