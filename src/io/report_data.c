/* SPDX-License-Identifier: Apache-2.0 */
#include "io/report_data.h"

#include "base/alloc.h"
#include "io/report_calibration.h"
#include "io/report_pages.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    VALUE_COUNT_MAX = 2400000,     /* float32 numbers of level 0: 12.8 MB as base64 */
    BAND_COUNT_MAX = 600000,       /* of its bands: 3.2 MB */
    DETAIL_COUNT_MAX = 400000,     /* of all other levels together: 2.1 MB */
    DETAIL_ROW_COUNT_MAX = 4000,   /* entries of one detail level: more than a wide screen has pixels */
    DETAIL_MARGIN_MIN = 250,       /* rows shown on each side of an episode */
    TIME_POINT_COUNT_MAX = 32768,
    LABEL_RUN_COUNT_MAX = 5000,
    SAMPLE_COUNT = 1001,
};

/* ---- what is kept ---- */

static size_t ceil_div(size_t a, size_t b) { return a / b + (a % b != 0); }

/* later - earlier, which may exceed int64. */
static double elapsed(int64_t earlier, int64_t later) { return (double)((uint64_t)later - (uint64_t)earlier); }

static bool times_are_usable(const tcsi_report *report)
{
    const tcsi_frame *frame = report->frame;
    if (!report->has_times || !frame->times_ns) return false;
    for (size_t t = 1; t < frame->row_count; t++)
        if (frame->times_ns[t] < frame->times_ns[t - 1]) return false;
    /* The page counts milliseconds in doubles: steps below a microsecond would be lost. */
    double span_ns = elapsed(frame->times_ns[0], frame->times_ns[frame->row_count - 1]);
    return frame->row_count == 1 || span_ns / (double)(frame->row_count - 1) >= 1000;
}

/* Channels by the severity they carry, ties (and the many with none) in the order of the frame. */
static tcs_status choose_channels(const tcsi_report *report, tcsi_report_plan *plan, tcs_error *err)
{
    size_t channel_count = report->frame->channel_count;
    double *weights = TCSI_NEW_ZEROS(double, channel_count);
    if (!weights) return tcsi_fail_memory(err, "a report");
    for (size_t i = 0; i < plan->episode_count; i++) {
        const tcsi_report_episode *episode = &report->episodes[i];
        for (size_t k = 0; k < episode->share_count; k++)
            weights[episode->shares[k].channel] += episode->severity * episode->shares[k].share;
    }
    while (plan->channel_count < channel_count && plan->channel_count < TCSI_REPORT_CHANNEL_COUNT_MAX) {
        size_t best = 0;
        for (size_t c = 1; c < channel_count; c++)
            if (weights[c] > weights[best]) best = c;
        weights[best] = -1; /* taken */
        plan->channels[plan->channel_count++] = best;
    }
    tcsi_free(weights);
    return TCS_OK;
}

/* Surroundings of episodes, most severe first, as long as they are finer than level 0 and the budget lasts. */
static void choose_details(const tcsi_report *report, tcsi_report_plan *plan)
{
    const tcsi_report_level whole = plan->levels[0];
    size_t left = DETAIL_COUNT_MAX;
    for (size_t i = 0; i < plan->episode_count && plan->level_count < TCSI_REPORT_LEVEL_COUNT_MAX; i++) {
        const tcsi_report_episode *episode = &report->episodes[i];
        size_t length = episode->row_end - episode->row_begin, margin = length > DETAIL_MARGIN_MIN / 3 ? 3 * length : DETAIL_MARGIN_MIN;
        size_t begin = episode->row_begin > margin ? episode->row_begin - margin : 0;
        size_t end = whole.row_count - episode->row_end > margin ? episode->row_end + margin : whole.row_count;
        size_t stride = ceil_div(end - begin, DETAIL_ROW_COUNT_MAX);
        if (stride >= whole.stride && stride >= whole.band_stride) continue;
        size_t cost = ceil_div(end - begin, stride) * (plan->channel_count + 1) * (stride > 1 ? 5 : 4);
        if (cost > left) continue;
        left -= cost;
        plan->levels[plan->level_count++] = (tcsi_report_level){ begin, end - begin, stride, stride };
    }
}

tcs_status tcsi_report_plan_make(const tcsi_report *report, tcsi_report_plan *ret_plan, tcs_error *err)
{
    tcsi_report_plan plan = { .has_times = times_are_usable(report) };
    size_t row_count = report->frame->row_count;
    TCS_ASSERT(row_count > 0 && report->frame->channel_count > 0);
    plan.episode_count = report->episode_count < TCSI_REPORT_EPISODE_COUNT_MAX ? report->episode_count : TCSI_REPORT_EPISODE_COUNT_MAX;
    tcs_status status = choose_channels(report, &plan, err);
    if (status != TCS_OK) return status;
    size_t tracks = plan.channel_count + 1, stride = 1;
    if (row_count > VALUE_COUNT_MAX / tracks) stride = ceil_div(row_count, VALUE_COUNT_MAX / 2 / tracks);
    size_t band_stride = ceil_div(row_count, BAND_COUNT_MAX / 3 / tracks);
    plan.levels[0] = (tcsi_report_level){ 0, row_count, stride, band_stride > stride ? band_stride : stride };
    plan.level_count = 1;
    choose_details(report, &plan);
    *ret_plan = plan;
    return TCS_OK;
}

/* ---- values ---- */

static bool is_present(double value) { return fabs(value) <= TCS_VALUE_MAX; }

bool tcsi_report_extremes(const double *values, size_t begin, size_t end, double *ret_low, double *ret_high)
{
    double low = INFINITY, high = -INFINITY;
    for (size_t t = begin; t < end; t++) {
        if (!is_present(values[t])) continue;
        if (values[t] < low) low = values[t];
        if (values[t] > high) high = values[t];
    }
    *ret_low = low;
    *ret_high = high;
    return low <= high;
}

void tcsi_report_score_values(const tcsi_report *report, double *ret_values)
{
    for (size_t t = 0; t < report->frame->row_count; t++)
        ret_values[t] = report->scores[t].state == TCS_SCORE_READY ? report->scores[t].value : NAN;
}

/* What turns values into float32 and back. */
typedef struct mapping {
    double centre, scale; /* scale > 0 */
    double low, high;     /* of present values; NaN when there is none */
    size_t missing_count;
} mapping;

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static mapping map_values(const double *values, size_t count)
{
    double sample[SAMPLE_COUNT];
    size_t sample_count = 0, step = count / SAMPLE_COUNT + 1;
    mapping map = { .scale = 1, .low = NAN, .high = NAN };
    for (size_t t = 0; t < count; t++) map.missing_count += !is_present(values[t]);
    if (!tcsi_report_extremes(values, 0, count, &map.low, &map.high)) {
        map.low = map.high = NAN;
        return map;
    }
    for (size_t t = 0; t < count; t += step)
        if (is_present(values[t])) sample[sample_count++] = values[t];
    qsort(sample, sample_count, sizeof *sample, compare_doubles);
    map.centre = sample_count > 0 ? sample[sample_count / 2] : map.low;
    double reach = fmax(map.high - map.centre, map.centre - map.low);
    if (reach > 0) map.scale = reach;
    return map;
}

/* ---- base64 (RFC 4648) of little-endian numbers ---- */

typedef struct encoder {
    FILE *stream;
    unsigned char bytes[3 * 1024];
    size_t used;
} encoder;

static void encoder_flush(encoder *e)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char text[sizeof e->bytes / 3 * 4], *out = text;
    size_t used = e->used;
    while (e->used % 3 != 0) e->bytes[e->used++] = 0;
    for (size_t i = 0; i < e->used; i += 3) {
        unsigned word = (unsigned)e->bytes[i] << 16 | (unsigned)e->bytes[i + 1] << 8 | e->bytes[i + 2];
        for (int shift = 18; shift >= 0; shift -= 6) *out++ = alphabet[word >> shift & 63];
    }
    for (size_t i = used; i < e->used; i++) out[-(ptrdiff_t)(e->used - i)] = '=';
    fwrite(text, 1, (size_t)(out - text), e->stream); /* commit reports what failed */
    e->used = 0;
}

static void encode_bytes(encoder *e, uint64_t bits, int byte_count)
{
    for (int i = 0; i < byte_count; i++) e->bytes[e->used++] = (unsigned char)(bits >> 8 * i);
    if (e->used == sizeof e->bytes) encoder_flush(e);
}

static void encode_float(encoder *e, const mapping *map, double value)
{
    float f = NAN;
    uint32_t bits = 0x7fc00000;
    if (is_present(value)) {
        f = (float)fmax(-1e30, fmin(1e30, (value - map->centre) / map->scale));
        memcpy(&bits, &f, sizeof bits);
    }
    if (e->used + 4 > sizeof e->bytes) encoder_flush(e);
    encode_bytes(e, bits, 4);
}

static void encode_double(encoder *e, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    if (e->used + 8 > sizeof e->bytes) encoder_flush(e);
    encode_bytes(e, bits, 8);
}

/* ---- tracks ---- */

/* expected, low, high: (T) each, or all NULL.  extra: (T), written in place of a band, or NULL. */
typedef struct report_track {
    const char *id_prefix;
    size_t id;
    const double *values, *expected, *low, *high, *extra;
    mapping map;
} report_track;

static void encode_level_values(encoder *e, const report_track *track, const tcsi_report_level *level)
{
    size_t end = level->row_begin + level->row_count;
    for (size_t t = level->row_begin; t < end; t += level->stride) {
        double low = track->values[t], high = low;
        if (level->stride > 1) {
            size_t stop = end - t > level->stride ? t + level->stride : end;
            if (!tcsi_report_extremes(track->values, t, stop, &low, &high)) low = high = NAN;
        }
        encode_float(e, &track->map, low);
        if (level->stride > 1) encode_float(e, &track->map, high);
    }
}

static void encode_level_band(encoder *e, const report_track *track, const tcsi_report_level *level)
{
    size_t end = level->row_begin + level->row_count;
    for (size_t t = level->row_begin; t < end; t += level->band_stride) {
        size_t stop = end - t > level->band_stride ? t + level->band_stride : end;
        if (track->extra) {
            encode_float(e, &track->map, track->extra[stop - 1]);
            continue;
        }
        double low, high, unused;
        bool has_low = tcsi_report_extremes(track->low, t, stop, &low, &unused);
        bool has_high = tcsi_report_extremes(track->high, t, stop, &unused, &high);
        encode_float(e, &track->map, track->expected[t + (stop - t) / 2]);
        encode_float(e, &track->map, has_low ? low : NAN);
        encode_float(e, &track->map, has_high ? high : NAN);
    }
}

static void write_track(const report_track *track, const tcsi_report_plan *plan, FILE *stream)
{
    encoder e = { .stream = stream };
    fprintf(stream, "<script type=\"text/plain\" id=\"data-%s%zu\">", track->id_prefix, track->id);
    for (size_t i = 0; i < plan->level_count; i++) {
        encode_level_values(&e, track, &plan->levels[i]);
        if (track->expected || track->extra) encode_level_band(&e, track, &plan->levels[i]);
    }
    encoder_flush(&e);
    fputs("</script>\n", stream);
}

/* ---- times ---- */

/* Appends the points of a line that stays within tolerance_ns of every time to points (pairs of row, ns); false: more
 * than fit.  Swing filter: H. Elmeleegy et al., "Online piece-wise linear approximation of numerical streams with precision
 * guarantees", VLDB 2009, section 3, with points that are moved onto the data, which at most doubles the error. */
static bool trace_times(const int64_t *times_ns, size_t count, double tolerance_ns, size_t *ret_rows, size_t *ret_point_count)
{
    size_t point_count = 0, anchor = 0;
    double slope_low = -INFINITY, slope_high = INFINITY;
    ret_rows[point_count++] = 0;
    for (size_t t = 1; t < count; t++) {
        double rise = elapsed(times_ns[anchor], times_ns[t]), run = (double)(t - anchor);
        if (rise / run < slope_low || rise / run > slope_high) {
            if (point_count == TIME_POINT_COUNT_MAX) return false;
            anchor = t - 1;
            ret_rows[point_count++] = anchor;
            rise = elapsed(times_ns[anchor], times_ns[t]);
            run = 1;
            slope_low = -INFINITY, slope_high = INFINITY;
        }
        slope_low = fmax(slope_low, (rise - tolerance_ns) / run);
        slope_high = fmin(slope_high, (rise + tolerance_ns) / run);
    }
    if (point_count == TIME_POINT_COUNT_MAX) return false;
    ret_rows[point_count++] = count - 1;
    *ret_point_count = point_count;
    return true;
}

double tcsi_report_step_ns(const int64_t *times_ns, size_t count)
{
    double steps[SAMPLE_COUNT];
    size_t step_count = 0, stride = count / SAMPLE_COUNT + 1;
    for (size_t t = 1; t < count; t += stride) steps[step_count++] = elapsed(times_ns[t - 1], times_ns[t]);
    qsort(steps, step_count, sizeof *steps, compare_doubles);
    return step_count > 0 ? steps[step_count / 2] : 0;
}

static tcs_status write_times(const tcsi_report *report, FILE *stream, tcs_error *err)
{
    const int64_t *times_ns = report->frame->times_ns;
    size_t count = report->frame->row_count, point_count = 0;
    size_t *rows = TCSI_NEW_ARRAY(size_t, TIME_POINT_COUNT_MAX);
    if (!rows) return tcsi_fail_memory(err, "a report");
    double tolerance_ns = fmax(1000, tcsi_report_step_ns(times_ns, count) / 100);
    while (!trace_times(times_ns, count, tolerance_ns, rows, &point_count)) tolerance_ns *= 8;
    encoder e = { .stream = stream };
    fputs("<script type=\"text/plain\" id=\"data-times\">", stream);
    for (size_t i = 0; i < point_count; i++) {
        encode_double(&e, (double)rows[i]);
        encode_double(&e, (double)(times_ns[rows[i]] / 1000) / 1000); /* milliseconds with three more digits */
    }
    encoder_flush(&e);
    fputs("</script>\n", stream);
    tcsi_free(rows);
    return TCS_OK;
}

/* ---- the JSON part ---- */

/* Text for a script element: '<' as \u003c, so that nothing in it can end the element. */
void tcsi_report_json_write(const tcsi_buffer *json, const char *id, FILE *stream)
{
    fprintf(stream, "<script type=\"application/json\" id=\"%s\">", id);
    for (size_t i = 0; i < json->size; i++) {
        if (json->data[i] == '<') fputs("\\u003c", stream);
        else fputc(json->data[i], stream);
    }
    fputs("</script>\n", stream);
}

static void json_mapping(tcsi_json_writer *w, const mapping *map)
{
    tcsi_json_put_number(w, "centre", map->centre);
    tcsi_json_put_number(w, "scale", map->scale);
    tcsi_json_put_number(w, "low", map->low);
    tcsi_json_put_number(w, "high", map->high);
    tcsi_json_put_number(w, "missing", (double)map->missing_count);
}

/* Noise and doubt apart, of detectors that state them. */
static void json_doubt(tcsi_json_writer *w, const tcs_score *score)
{
    tcsi_json_put_number(w, "noise", score->noise > 0 ? (double)score->noise : NAN);
    tcsi_json_put_number(w, "doubt", score->uncertainty > 0 ? (double)score->uncertainty : NAN);
}

static void json_episodes(tcsi_json_writer *w, const tcsi_report *report, const tcsi_report_plan *plan)
{
    tcsi_json_key(w, "episodes");
    tcsi_json_begin_array(w);
    for (size_t i = 0; i < plan->episode_count; i++) {
        const tcsi_report_episode *episode = &report->episodes[i];
        tcsi_json_begin_object(w);
        tcsi_json_put_number(w, "begin", (double)episode->row_begin);
        tcsi_json_put_number(w, "end", (double)episode->row_end);
        tcsi_json_put_number(w, "peak", (double)episode->row_peak);
        tcsi_json_put_number(w, "confirmed", episode->row_confirmed < report->frame->row_count ? (double)episode->row_confirmed : NAN);
        tcsi_json_put_string(w, "state", episode->state);
        tcsi_json_put_string(w, "kind", episode->kind);
        tcsi_json_put_number(w, "severity", episode->severity);
        tcsi_json_put_number(w, "score", episode->score);
        tcsi_json_put_number(w, "threshold", report->thresholds[episode->row_peak]);
        tcsi_json_put_number(w, "p", episode->p_value);
        tcsi_json_put_number(w, "probability", episode->probability);
        json_doubt(w, &report->scores[episode->row_peak]);
        tcsi_json_key(w, "shares");
        tcsi_json_begin_array(w);
        for (size_t k = 0; k < episode->share_count; k++) {
            tcsi_json_begin_array(w);
            tcsi_json_integer(w, (int64_t)episode->shares[k].channel);
            tcsi_json_number(w, episode->shares[k].share);
            tcsi_json_string(w, report->frame->channels[episode->shares[k].channel].name);
            tcsi_json_end_array(w);
        }
        tcsi_json_end_array(w);
        tcsi_json_end_object(w);
    }
    tcsi_json_end_array(w);
}

/* Runs of labelled rows; runs closer than gap rows count as one.  Returns how many; writes them when w is given. */
static size_t label_runs(const tcsi_frame *frame, size_t gap, tcsi_json_writer *w)
{
    size_t count = 0, begin = 0, end = 0; /* [begin, end) is the open run; empty: none */
    for (size_t t = 0; t <= frame->row_count; t++) {
        if (t < frame->row_count && !frame->labels[t]) continue;
        if (end > begin && (t == frame->row_count || t - end >= gap)) {
            if (w) {
                tcsi_json_integer(w, (int64_t)begin);
                tcsi_json_integer(w, (int64_t)end);
            }
            count++;
            begin = t;
        }
        if (end <= begin) begin = t;
        end = t + 1;
    }
    return count;
}

static void json_labels(tcsi_json_writer *w, const tcsi_frame *frame)
{
    size_t gap = 1;
    tcsi_json_key(w, "labels");
    if (!frame->labels) {
        tcsi_json_null(w);
        return;
    }
    while (label_runs(frame, gap, NULL) > LABEL_RUN_COUNT_MAX) gap *= 2;
    tcsi_json_begin_array(w);
    label_runs(frame, gap, w);
    tcsi_json_end_array(w);
}

static void json_levels(tcsi_json_writer *w, const tcsi_report_plan *plan)
{
    tcsi_json_key(w, "levels");
    tcsi_json_begin_array(w);
    for (size_t i = 0; i < plan->level_count; i++) {
        const tcsi_report_level *level = &plan->levels[i];
        const size_t numbers[] = { level->row_begin, level->row_count, level->stride, level->band_stride };
        tcsi_json_begin_array(w);
        for (size_t k = 0; k < TCS_COUNT(numbers); k++) tcsi_json_integer(w, (int64_t)numbers[k]);
        tcsi_json_end_array(w);
    }
    tcsi_json_end_array(w);
}

static void json_channels(tcsi_json_writer *w, const tcsi_report *report, const tcsi_report_plan *plan, const mapping *maps)
{
    tcsi_json_key(w, "channels");
    tcsi_json_begin_array(w);
    for (size_t i = 0; i < plan->channel_count; i++) {
        const tcsi_channel *channel = &report->frame->channels[plan->channels[i]];
        tcsi_json_begin_object(w);
        tcsi_json_put_number(w, "index", (double)plan->channels[i]);
        tcsi_json_put_string(w, "name", channel->name);
        tcsi_json_put_string(w, "unit", channel->unit);
        json_mapping(w, &maps[i]);
        tcsi_json_end_object(w);
    }
    tcsi_json_end_array(w);
}

/* ---- everything ---- */

typedef struct report_work {
    double *values;                 /* (T) of the score */
    double *expected, *low, *high;  /* (T) each, when there is a band */
    mapping maps[TCSI_REPORT_CHANNEL_COUNT_MAX], score_map;
    bool thresholds_vary;
    double threshold;               /* NaN: varies or none */
} report_work;

static void work_deinit(report_work *work)
{
    tcsi_free(work->values);
    tcsi_free(work->expected);
    tcsi_free(work->low);
    tcsi_free(work->high);
}

static tcs_status work_init(report_work *work, const tcsi_report *report, const tcsi_report_plan *plan, tcs_error *err)
{
    size_t count = report->frame->row_count;
    double threshold_low, threshold_high;
    work->values = TCSI_NEW_ARRAY(double, count);
    if (report->band) {
        work->expected = TCSI_NEW_ARRAY(double, count);
        work->low = TCSI_NEW_ARRAY(double, count);
        work->high = TCSI_NEW_ARRAY(double, count);
    }
    if (!work->values || (report->band && (!work->expected || !work->low || !work->high))) return tcsi_fail_memory(err, "a report");
    tcsi_report_score_values(report, work->values);
    work->score_map = map_values(work->values, count);
    for (size_t i = 0; i < plan->channel_count; i++)
        work->maps[i] = map_values(tcsi_frame_column(report->frame, plan->channels[i]), count);
    bool any = tcsi_report_extremes(report->thresholds, 0, count, &threshold_low, &threshold_high);
    work->thresholds_vary = any && threshold_low < threshold_high;
    work->threshold = any && !work->thresholds_vary ? threshold_low : NAN;
    return TCS_OK;
}

static tcs_status write_meta(const tcsi_report *report, const tcsi_report_plan *plan, const report_work *work, FILE *stream, tcs_error *err)
{
    tcsi_buffer json;
    tcsi_json_writer writer, *w = &writer;
    tcsi_buffer_init(&json, (size_t)1 << 28);
    tcsi_json_writer_init(w, &json, false);
    tcsi_json_begin_object(w);
    tcsi_json_put_string(w, "schema", "tocsin/report/1");
    tcsi_json_put_number(w, "rows", (double)report->frame->row_count);
    tcsi_json_key(w, "times");
    tcsi_json_bool(w, plan->has_times);
    tcsi_json_put_number(w, "step", plan->has_times ? tcsi_report_step_ns(report->frame->times_ns, report->frame->row_count) * 1e-6 : 1);
    tcsi_json_key(w, "band");
    tcsi_json_bool(w, report->band != NULL);
    json_levels(w, plan);
    tcsi_json_key(w, "score");
    tcsi_json_begin_object(w);
    json_mapping(w, &work->score_map);
    tcsi_json_put_number(w, "threshold", work->threshold);
    tcsi_json_key(w, "varies");
    tcsi_json_bool(w, work->thresholds_vary);
    tcsi_json_end_object(w);
    json_channels(w, report, plan, work->maps);
    json_episodes(w, report, plan);
    json_labels(w, report->frame);
    tcsi_report_calibration_put(w, report);
    tcsi_json_end_object(w);
    tcs_status status = tcsi_json_finish(w, err);
    if (status == TCS_OK) tcsi_report_json_write(&json, "data-meta", stream);
    tcsi_buffer_deinit(&json);
    return status;
}

static tcs_status write_tracks(const tcsi_report *report, const tcsi_report_plan *plan, report_work *work, FILE *stream, tcs_error *err)
{
    tcs_status status = TCS_OK;
    report_track score = { .id_prefix = "score-", .values = work->values, .map = work->score_map,
                    .extra = work->thresholds_vary ? report->thresholds : NULL };
    write_track(&score, plan, stream);
    for (size_t i = 0; i < plan->channel_count && status == TCS_OK && !ferror(stream); i++) {
        report_track channel = { .id_prefix = "channel-", .id = i, .values = tcsi_frame_column(report->frame, plan->channels[i]),
                                 .map = work->maps[i], .expected = work->expected, .low = work->low, .high = work->high };
        if (report->band) status = report->band(report->context, plan->channels[i], work->expected, work->low, work->high, err);
        if (status == TCS_OK) write_track(&channel, plan, stream);
    }
    return status;
}

tcs_status tcsi_report_data_write(const tcsi_report *report, const tcsi_report_plan *plan, FILE *stream, tcs_error *err)
{
    report_work work = { 0 };
    tcs_status status = work_init(&work, report, plan, err);
    if (status == TCS_OK) status = write_meta(report, plan, &work, stream, err);
    if (status == TCS_OK && plan->has_times) status = write_times(report, stream, err);
    if (status == TCS_OK) status = write_tracks(report, plan, &work, stream, err);
    if (status == TCS_OK) status = tcsi_report_pages_write(report, plan->episode_count, stream, err);
    work_deinit(&work);
    return status;
}
