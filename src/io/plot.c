/* SPDX-License-Identifier: Apache-2.0
 * io/plot.c -- the PNG picture: one panel per channel and one for the score, one time axis, episodes shaded through all of them.
 *
 * A picture has a fixed number of pixels, so each panel walks its values once in buckets of rows about half a pixel wide and draws
 * from the lowest to the highest of each: no spike vanishes, and a million rows cost one pass.  Gaps in the values and in time
 * break the line.  The look is that of the report's light theme.  Promises are a square of their own.  The
 * only file that includes cairo. */
#include "io/plot.h"

#include "base/alloc.h"
#include "base/file.h"
#include "io/report_data.h"
#include "io/words.h"
#include "series/time.h"

#include <cairo.h>
#include <math.h>
#include <string.h>

enum { WIDTH = 1600, LEFT = 96, RIGHT = 28, TOP = 84, PANEL = 150, BETWEEN = 44, BOTTOM = 64, BUCKET_COUNT = 2 * (WIDTH - LEFT - RIGHT) };

typedef struct plot_color {
    double red, green, blue, alpha;
} plot_color;

static const plot_color INK = { .11, .12, .14, 1 }, SOFT = { .36, .4, .45, 1 }, GRID = { .91, .92, .94, 1 }, DATA = { .145, .388, .788, 1 },
                   BAND = { .145, .388, .788, .14 }, ALARM = { .82, .216, .173, 1 }, ALARM_SOFT = { .82, .216, .173, .16 },
                   LABEL = { .094, .541, .357, 1 };

typedef struct picture {
    const tcsi_report *report;
    tcsi_report_plan plan;
    cairo_t *cr;
    double x_min, x_max; /* milliseconds since the first row, or rows */
    double gap;          /* a longer step breaks the line */
    double *score;       /* (T) */
    double *expected, *low, *high; /* (T), or NULL */
} picture;

/* One panel: its place and its scale. */
typedef struct plot_panel {
    double top, low, high;
} plot_panel;

/* ---- coordinates ---- */

static double x_of(const picture *p, size_t row)
{
    const int64_t *times_ns = p->report->frame->times_ns;
    return p->plan.has_times ? (double)((uint64_t)times_ns[row] - (uint64_t)times_ns[0]) * 1e-6 : (double)row;
}

static double pixel_x(const picture *p, double x) { return LEFT + (x - p->x_min) / (p->x_max - p->x_min) * (WIDTH - LEFT - RIGHT); }
static double pixel_y(const plot_panel *panel, double y)
{
    return panel->top + PANEL - (y - panel->low) / (panel->high - panel->low) * PANEL;
}

/* ---- strokes and text ---- */

static void use(cairo_t *cr, const plot_color *paint) { cairo_set_source_rgba(cr, paint->red, paint->green, paint->blue, paint->alpha); }

static void box(cairo_t *cr, double x, double y, double width, double height, const plot_color *paint)
{
    use(cr, paint);
    cairo_rectangle(cr, x, y, width, height);
    cairo_fill(cr);
}

static void horizontal(cairo_t *cr, double y, const plot_color *paint)
{
    box(cr, LEFT, floor(y), WIDTH - LEFT - RIGHT, 1, paint);
}

/* align: 0 begins at x, 0.5 is centred on it, 1 ends there. */
static void text_at(cairo_t *cr, double x, double y, double align, double size, bool bold, const plot_color *paint, const char *text)
{
    char clean[160];
    cairo_text_extents_t extents;
    tcsi_words_clean(text, clean, sizeof clean);
    cairo_select_font_face(cr, "sans-serif", CAIRO_FONT_SLANT_NORMAL, bold ? CAIRO_FONT_WEIGHT_BOLD : CAIRO_FONT_WEIGHT_NORMAL);
    cairo_set_font_size(cr, size);
    cairo_text_extents(cr, clean, &extents);
    use(cr, paint);
    cairo_move_to(cr, x - align * extents.x_advance, y);
    cairo_show_text(cr, clean);
}

/* ---- ticks ---- */

/* 1, 2 or 5 times a power of ten, about span / count. */
static double nice_step(double span, double count)
{
    double power = pow(10, floor(log10(span / count))), times = span / count / power;
    return power * (times < 1.5 ? 1 : times < 3.5 ? 2 : times < 7.5 ? 5 : 10);
}

static void draw_y_axis(const picture *p, const plot_panel *panel)
{
    char text[TCSI_WORDS_SIZE];
    double step = nice_step(panel->high - panel->low, 4);
    if (!(step > 0)) return;
    double first = ceil(panel->low / step) * step, digits = ceil(log10(fmax(fabs(panel->low), fabs(panel->high)) / step)) + 1;
    int precision = digits < 6 ? 6 : digits < 15 ? (int)digits : 15; /* enough to tell two ticks apart */
    for (int i = 0; i < 12; i++) {
        double y = first + i * step;
        if (y > panel->high) break;
        if (fabs(y) < step / 1e6) y = 0;
        horizontal(p->cr, pixel_y(panel, y), &GRID);
        snprintf(text, sizeof text, "%.*g", precision, y);
        text_at(p->cr, LEFT - 10, pixel_y(panel, y) + 5, 1, 14, false, &SOFT, text);
    }
}

static void draw_tick(const picture *p, double x, double bottom, const char *text, const char *below)
{
    double at = pixel_x(p, x);
    box(p->cr, floor(at), TOP, 1, bottom - TOP, &GRID);
    text_at(p->cr, at, bottom + 20, .5, 14, false, &SOFT, text);
    if (below) text_at(p->cr, at, bottom + 38, .5, 14, false, &SOFT, below);
}

static void draw_row_ticks(const picture *p, double bottom)
{
    char text[TCSI_WORDS_SIZE];
    double step = fmax(1, nice_step(p->x_max - p->x_min, 10));
    for (double x = ceil(p->x_min / step) * step; x <= p->x_max; x += step) {
        if (x < 0) continue;
        tcsi_words_count((size_t)x, text, sizeof text);
        draw_tick(p, x, bottom, text, NULL);
    }
    text_at(p->cr, LEFT + (WIDTH - LEFT - RIGHT) / 2.0, bottom + 42, .5, 14, false, &SOFT, "row");
}

/* Midnight of the first day of a month counted from January of year 0. */
static int64_t month_begin_days(int64_t month) { return tcsi_days_from_civil(month / 12, (unsigned)(month % 12) + 1, 1); }

static void draw_month_ticks(const picture *p, double bottom, double span_days)
{
    static const char *const names[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
    static const int64_t steps[] = { 1, 2, 3, 6, 12, 24, 60, 120, 240, 600, 1200 };
    double first_ms = (double)p->report->frame->times_ns[0] * 1e-6;
    int64_t year, step = steps[0];
    unsigned month, day;
    for (size_t i = 0; i < TCS_COUNT(steps) && span_days / (30.44 * (double)step) > 12; i++) step = steps[i];
    tcsi_civil_from_days((int64_t)floor((first_ms + p->x_min) / 864e5), &year, &month, &day);
    for (int64_t at = (year * 12 + month - 1) / step * step; ; at += step) {
        double x = (double)month_begin_days(at) * 864e5 - first_ms;
        char text[TCSI_WORDS_SIZE];
        if (x > p->x_max) break;
        if (x < p->x_min) continue;
        snprintf(text, sizeof text, "%lld", (long long)(at / 12));
        if (step >= 12) draw_tick(p, x, bottom, text, NULL);
        else draw_tick(p, x, bottom, names[at % 12], at % 12 == 0 || x - 30.44 * (double)step * 864e5 < p->x_min ? text : NULL);
    }
}

/* Ticks at whole clock times or dates; the date stands below where it changes. */
static void draw_time_ticks(const picture *p, double bottom)
{
    static const double steps_ms[] = { 1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 15e3, 3e4, 6e4, 12e4, 3e5, 6e5, 9e5, 18e5,
                                       36e5, 72e5, 108e5, 216e5, 432e5, 864e5, 1728e5, 6048e5 };
    double span = p->x_max - p->x_min, step = 0, first_ms = (double)p->report->frame->times_ns[0] * 1e-6, day_before = NAN;
    for (size_t i = 0; i < TCS_COUNT(steps_ms) && step == 0; i++)
        if (span / steps_ms[i] <= 12) step = steps_ms[i];
    if (step == 0) {
        draw_month_ticks(p, bottom, span / 864e5);
        return;
    }
    for (double at = ceil((first_ms + p->x_min) / step) * step; at - first_ms <= p->x_max; at += step) {
        char text[TCSI_WORDS_SIZE];
        double day = floor(at / 864e5);
        tcsi_words_time((int64_t)at * 1000000, text, sizeof text);
        char date[11];
        snprintf(date, sizeof date, "%.10s", text);
        if (step >= 864e5) draw_tick(p, at - first_ms, bottom, date, NULL);
        else draw_tick(p, at - first_ms, bottom, step >= 6e4 ? (text[16] = 0, text + 11) : text + 11, day != day_before ? date : NULL);
        day_before = day;
    }
}

/* ---- lines ---- */

static size_t bucket_size(const picture *p)
{
    size_t size = p->report->frame->row_count / BUCKET_COUNT;
    return size > 1 ? size : 1;
}

/* Where the bucket that begins at row t ends: after `size` rows, or where time stands still. */
static size_t bucket_end(const picture *p, size_t t, size_t size)
{
    size_t row_count = p->report->frame->row_count, end = row_count - t > size ? t + size : row_count;
    for (size_t k = t + 1; k < end && p->plan.has_times; k++)
        if (x_of(p, k) - x_of(p, k - 1) > p->gap) return k;
    return end;
}

/* The line of values; a lone value is a dot. */
static void draw_line(const picture *p, const plot_panel *panel, const double *values)
{
    size_t row_count = p->report->frame->row_count, size = bucket_size(p);
    bool open = false;
    double before = 0;
    use(p->cr, &DATA);
    cairo_set_line_width(p->cr, 1.4);
    cairo_set_line_cap(p->cr, CAIRO_LINE_CAP_ROUND);
    cairo_set_line_join(p->cr, CAIRO_LINE_JOIN_ROUND);
    for (size_t t = 0, end; t < row_count; t = end) {
        double low, high, x = x_of(p, t);
        end = bucket_end(p, t, size);
        bool any = tcsi_report_extremes(values, t, end, &low, &high);
        if (!any || (open && x - before > p->gap)) open = false;
        before = x_of(p, end - 1);
        if (!any) continue;
        if (open) cairo_line_to(p->cr, pixel_x(p, x), pixel_y(panel, low));
        else cairo_move_to(p->cr, pixel_x(p, x), pixel_y(panel, low));
        cairo_line_to(p->cr, pixel_x(p, x), pixel_y(panel, high));
        open = true;
    }
    cairo_stroke(p->cr);
}

static void draw_band(const picture *p, const plot_panel *panel)
{
    size_t row_count = p->report->frame->row_count, size = bucket_size(p);
    for (size_t t = 0, end; t < row_count; t = end) {
        end = bucket_end(p, t, size);
        double low, high, unused, x = pixel_x(p, x_of(p, t)), next = end < row_count ? x_of(p, end) : x_of(p, row_count - 1);
        if (next - x_of(p, end - 1) > p->gap) next = x_of(p, end - 1);
        if (!tcsi_report_extremes(p->low, t, end, &low, &unused) || !tcsi_report_extremes(p->high, t, end, &unused, &high)) continue;
        double top = fmax(panel->top, pixel_y(panel, high)), bottom = fmin(panel->top + PANEL, pixel_y(panel, low));
        if (bottom > top) cairo_rectangle(p->cr, x, top, fmax(pixel_x(p, next) - x, .2), bottom - top);
    }
    cairo_set_antialias(p->cr, CAIRO_ANTIALIAS_NONE); /* neighbours would show their seams */
    use(p->cr, &BAND);
    cairo_fill(p->cr);
    cairo_set_antialias(p->cr, CAIRO_ANTIALIAS_DEFAULT);
}

static void draw_threshold(const picture *p, const plot_panel *panel)
{
    static const double dashes[] = { 7, 5 };
    const double *thresholds = p->report->thresholds;
    size_t row_count = p->report->frame->row_count, size = bucket_size(p);
    bool open = false;
    for (size_t t = 0; t < row_count; t += size) {
        bool shown = thresholds[t] >= panel->low && thresholds[t] <= panel->high;
        if (shown && open) cairo_line_to(p->cr, pixel_x(p, x_of(p, t)), pixel_y(panel, thresholds[t]));
        else if (shown) cairo_move_to(p->cr, pixel_x(p, x_of(p, t)), pixel_y(panel, thresholds[t]));
        open = shown;
    }
    use(p->cr, &ALARM);
    cairo_set_line_width(p->cr, 1.2);
    cairo_set_dash(p->cr, dashes, 2, 0);
    cairo_stroke(p->cr);
    cairo_set_dash(p->cr, NULL, 0, 0);
}

/* Rows [begin, end) as a strip through a panel. */
static void draw_strip(const picture *p, size_t begin, size_t end, double top, double height, const plot_color *paint)
{
    double x = pixel_x(p, x_of(p, begin)), width = fmax(2, pixel_x(p, x_of(p, end - 1)) - x);
    box(p->cr, x, top, width, height, paint);
}

static void draw_episodes(const picture *p, const plot_panel *panel)
{
    for (size_t i = 0; i < p->report->episode_count; i++) {
        const tcsi_report_episode *episode = &p->report->episodes[i];
        draw_strip(p, episode->row_begin, episode->row_end, panel->top, PANEL, &ALARM_SOFT);
        draw_strip(p, episode->row_begin, episode->row_end, panel->top - 3, 3, &ALARM);
    }
}

static void draw_labels(const picture *p, const plot_panel *panel)
{
    const uint8_t *labels = p->report->frame->labels;
    size_t row_count = p->report->frame->row_count, begin = 0;
    for (size_t t = 1; labels && t <= row_count; t++) {
        if (t < row_count && labels[t] == labels[t - 1]) continue;
        if (labels[t - 1]) draw_strip(p, begin, t, panel->top + PANEL - 6, 6, &LABEL);
        begin = t;
    }
}

/* ---- panels ---- */

/* A little room above and below; something sensible for constants and nothing. */
static void set_range(plot_panel *panel, double low, double high)
{
    double margin = high > low ? (high - low) * .06 : fmax(fabs(low) * .1, 1e-12);
    panel->low = low <= high ? low - margin : 0;
    panel->high = low <= high ? high + margin : 1;
    if (!(panel->high > panel->low)) panel->high = panel->low + 1;
}

static void draw_title(const picture *p, const plot_panel *panel, const char *name, const char *unit)
{
    char text[200];
    snprintf(text, sizeof text, "%s%s%s%s", name, unit ? " [" : "", unit ? unit : "", unit ? "]" : "");
    text_at(p->cr, LEFT, panel->top - 10, 0, 16, true, &INK, text);
}

static tcs_status draw_channel(const picture *p, size_t slot, double top, tcs_error *err)
{
    size_t c = p->plan.channels[slot], row_count = p->report->frame->row_count;
    const tcsi_channel *channel = &p->report->frame->channels[c];
    const double *values = tcsi_frame_column(p->report->frame, c);
    plot_panel panel = { .top = top };
    double low, high;
    tcs_status status = p->low ? p->report->band(p->report->context, c, p->expected, p->low, p->high, err) : TCS_OK;
    if (status != TCS_OK) return status;
    tcsi_report_extremes(values, 0, row_count, &low, &high);
    set_range(&panel, low, high);
    draw_y_axis(p, &panel);
    if (p->low) draw_band(p, &panel);
    draw_episodes(p, &panel);
    draw_line(p, &panel, values);
    draw_title(p, &panel, channel->name, channel->unit);
    return TCS_OK;
}

static void draw_score(const picture *p, double top)
{
    plot_panel panel = { .top = top };
    double low, high, threshold_low, threshold_high;
    size_t row_count = p->report->frame->row_count;
    bool any = tcsi_report_extremes(p->score, 0, row_count, &low, &high);
    /* A threshold that the scores never come near is left outside rather than flattening them. */
    if (tcsi_report_extremes(p->report->thresholds, 0, row_count, &threshold_low, &threshold_high) &&
        (!any || threshold_high - low < 10 * (high - low))) {
        low = fmin(low, threshold_low);
        high = fmax(high, threshold_high);
    }
    set_range(&panel, low, high);
    draw_y_axis(p, &panel);
    draw_episodes(p, &panel);
    draw_labels(p, &panel);
    draw_line(p, &panel, p->score);
    draw_threshold(p, &panel);
    draw_title(p, &panel, p->report->frame->labels ? "anomaly score (green: labels, only to compare with)" : "anomaly score", NULL);
}

static void draw_head(const picture *p)
{
    char text[256], rows[TCSI_WORDS_SIZE], channels[TCSI_WORDS_SIZE];
    tcsi_words_count(p->report->frame->row_count, rows, sizeof rows);
    tcsi_words_count(p->report->frame->channel_count, channels, sizeof channels);
    text_at(p->cr, LEFT, 36, 0, 22, true, &INK, p->report->title);
    snprintf(text, sizeof text, "%s rows × %s channel%s, %zu episode%s%s", rows, channels, p->report->frame->channel_count == 1 ? "" : "s",
             p->report->episode_count, p->report->episode_count == 1 ? "" : "s", p->plan.has_times ? ", times in UTC" : "");
    text_at(p->cr, WIDTH - RIGHT, 36, 1, 15, false, &SOFT, text);
}

static tcs_status draw_all(picture *p, size_t panel_count, tcs_error *err)
{
    double bottom = TOP + (double)panel_count * (PANEL + BETWEEN) - BETWEEN;
    tcs_status status = TCS_OK;
    cairo_set_source_rgb(p->cr, 1, 1, 1);
    cairo_paint(p->cr);
    draw_head(p);
    if (p->plan.has_times) draw_time_ticks(p, bottom);
    else draw_row_ticks(p, bottom);
    for (size_t i = 0; i + 1 < panel_count && status == TCS_OK; i++)
        status = draw_channel(p, i, TOP + (double)i * (PANEL + BETWEEN), err);
    if (status == TCS_OK) draw_score(p, bottom - PANEL);
    return status;
}

/* ---- the file ---- */

static cairo_status_t write_bytes(void *stream, const unsigned char *bytes, unsigned size)
{
    return fwrite(bytes, 1, size, stream) == size ? CAIRO_STATUS_SUCCESS : CAIRO_STATUS_WRITE_ERROR;
}

static tcs_status write_png(cairo_surface_t *surface, const char *path, tcs_error *err)
{
    tcsi_file_writer writer;
    tcs_status status = tcsi_file_writer_open(path, &writer, err);
    if (status != TCS_OK) return status;
    cairo_status_t outcome = cairo_surface_write_to_png_stream(surface, write_bytes, writer.stream);
    if (outcome == CAIRO_STATUS_SUCCESS || outcome == CAIRO_STATUS_WRITE_ERROR) return tcsi_file_writer_commit(&writer, err);
    tcsi_file_writer_abort(&writer);
    return tcsi_fail(err, TCS_E_MEMORY, "%s: the picture cannot be made: %s", path, cairo_status_to_string(outcome));
}

static void set_axis(picture *p)
{
    size_t row_count = p->report->frame->row_count;
    p->x_max = x_of(p, row_count - 1);
    if (!(p->x_max > 0)) p->x_min = -.5, p->x_max = .5;
    p->gap = p->plan.has_times ? 10e-6 * tcsi_report_step_ns(p->report->frame->times_ns, row_count) : INFINITY;
}

static tcs_status picture_init(picture *p, tcs_error *err)
{
    size_t row_count = p->report->frame->row_count;
    tcs_status status = tcsi_report_plan_make(p->report, &p->plan, err);
    if (status != TCS_OK) return status;
    p->score = TCSI_NEW_ARRAY(double, row_count);
    if (p->report->band) {
        p->expected = TCSI_NEW_ARRAY(double, row_count);
        p->low = TCSI_NEW_ARRAY(double, row_count);
        p->high = TCSI_NEW_ARRAY(double, row_count);
    }
    if (!p->score || (p->report->band && (!p->expected || !p->low || !p->high))) return tcsi_fail_memory(err, "a picture");
    tcsi_report_score_values(p->report, p->score);
    set_axis(p);
    return TCS_OK;
}

static void picture_deinit(picture *p)
{
    tcsi_free(p->score);
    tcsi_free(p->expected);
    tcsi_free(p->low);
    tcsi_free(p->high);
}

tcs_status tcsi_plot_write(const tcsi_report *report, const char *path, tcs_error *err)
{
    picture p = { .report = report };
    tcs_status status = picture_init(&p, err);
    size_t panel_count = 1 + (p.plan.channel_count < TCSI_PLOT_CHANNEL_COUNT_MAX ? p.plan.channel_count : TCSI_PLOT_CHANNEL_COUNT_MAX);
    if (status == TCS_OK) {
        int height = TOP + (int)panel_count * (PANEL + BETWEEN) - BETWEEN + BOTTOM;
        cairo_surface_t *surface = cairo_image_surface_create(CAIRO_FORMAT_RGB24, WIDTH, height);
        p.cr = cairo_create(surface);
        status = draw_all(&p, panel_count, err);
        if (status == TCS_OK && cairo_status(p.cr) != CAIRO_STATUS_SUCCESS)
            status = tcsi_fail(err, TCS_E_MEMORY, "%s: the picture cannot be drawn: %s", path, cairo_status_to_string(cairo_status(p.cr)));
        if (status == TCS_OK) status = write_png(surface, path, err);
        cairo_destroy(p.cr);
        cairo_surface_destroy(surface);
    }
    picture_deinit(&p);
    return status;
}

/* ---- promises ---- */

enum { SQUARE = 640, SQUARE_LEFT = 84, SQUARE_TOP = 76, SQUARE_SIDE = 480 };

static double square_x(double share) { return SQUARE_LEFT + share * SQUARE_SIDE; }
static double square_y(double share) { return SQUARE_TOP + (1 - share) * SQUARE_SIDE; }

static void draw_square(cairo_t *cr, const char *title)
{
    cairo_set_source_rgb(cr, 1, 1, 1);
    cairo_paint(cr);
    text_at(cr, SQUARE_LEFT, 34, 0, 20, true, &INK, title);
    for (int i = 0; i <= 5; i++) {
        char text[8];
        const double share = i / 5.0;
        box(cr, SQUARE_LEFT, floor(square_y(share)), SQUARE_SIDE, 1, &GRID);
        box(cr, floor(square_x(share)), SQUARE_TOP, 1, SQUARE_SIDE, &GRID);
        snprintf(text, sizeof text, "%d %%", 20 * i);
        text_at(cr, SQUARE_LEFT - 10, square_y(share) + 5, 1, 14, false, &SOFT, text);
        text_at(cr, square_x(share), square_y(0) + 22, .5, 14, false, &SOFT, text);
    }
    text_at(cr, square_x(.5), square_y(0) + 48, .5, 15, false, &SOFT, "promised");
    text_at(cr, SQUARE_LEFT, SQUARE_TOP - 12, .5, 15, false, &SOFT, "realised");
    use(cr, &SOFT);
    cairo_set_line_width(cr, 1);
    cairo_move_to(cr, square_x(0), square_y(0));
    cairo_line_to(cr, square_x(1), square_y(1));
    cairo_stroke(cr);
}

static bool is_share(const tcsi_plot_promise *promise)
{
    return promise->promised >= 0 && promise->promised <= 1 && promise->realised >= 0 && promise->realised <= 1;
}

static void draw_curve(cairo_t *cr, const tcsi_plot_curve *curve, double row_count_max, const plot_color *paint)
{
    use(cr, paint);
    cairo_set_line_width(cr, 2);
    cairo_new_path(cr);
    for (size_t i = 0; i < curve->count; i++)
        if (is_share(&curve->promises[i])) cairo_line_to(cr, square_x(curve->promises[i].promised), square_y(curve->promises[i].realised));
    cairo_stroke(cr);
    for (size_t i = 0; i < curve->count; i++) {
        const tcsi_plot_promise *promise = &curve->promises[i];
        if (!is_share(promise)) continue;
        const double part = row_count_max > 0 ? promise->row_count / row_count_max : 1;
        cairo_arc(cr, square_x(promise->promised), square_y(promise->realised), 3 + 5 * sqrt(fmin(fmax(part, 0), 1)), 0, 6.283185307);
        cairo_fill(cr);
    }
}

static void draw_curves(cairo_t *cr, const tcsi_plot_curve *curves, size_t curve_count)
{
    static const plot_color paints[TCSI_PLOT_CURVE_COUNT_MAX] = {
        { .145, .388, .788, 1 }, { .82, .216, .173, 1 }, { .094, .541, .357, 1 }, { .58, .31, .75, 1 },
        { .9, .55, .1, 1 },      { .1, .6, .7, 1 },      { .45, .45, .2, 1 },     { .3, .3, .35, 1 },
    };
    double row_count_max = 0;
    for (size_t k = 0; k < curve_count; k++)
        for (size_t i = 0; i < curves[k].count; i++) row_count_max = fmax(row_count_max, curves[k].promises[i].row_count);
    for (size_t k = 0; k < curve_count; k++) {
        draw_curve(cr, &curves[k], row_count_max, &paints[k]);
        text_at(cr, square_x(.03), SQUARE_TOP + 22 + 20 * (double)k, 0, 14, false, &paints[k], curves[k].name);
    }
}

tcs_status tcsi_plot_promises(const tcsi_plot_curve *curves, size_t curve_count, const char *title, const char *path, tcs_error *err)
{
    TCS_ASSERT(curve_count <= TCSI_PLOT_CURVE_COUNT_MAX);
    tcs_status status = TCS_OK;
    cairo_surface_t *surface = cairo_image_surface_create(CAIRO_FORMAT_RGB24, SQUARE, SQUARE);
    cairo_t *cr = cairo_create(surface);
    draw_square(cr, title);
    draw_curves(cr, curves, curve_count);
    if (cairo_status(cr) != CAIRO_STATUS_SUCCESS)
        status = tcsi_fail(err, TCS_E_MEMORY, "%s: the picture cannot be drawn: %s", path, cairo_status_to_string(cairo_status(cr)));
    if (status == TCS_OK) status = write_png(surface, path, err);
    cairo_destroy(cr);
    cairo_surface_destroy(surface);
    return status;
}
