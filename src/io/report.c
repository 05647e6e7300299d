/* SPDX-License-Identifier: Apache-2.0
 * io/report.c -- the HTML report: one file that needs no network, no server and, for its tables, no script.
 *
 * report/page.html is the page with {{slots}}; this file fills them.  What a reader must be able to read anywhere (episodes,
 * channels, notes, method) is HTML written here; what only makes sense with a mouse (plots) is drawn by report/page.js from
 * the numbers of report_data.c.  The page forbids itself every connection by its content security policy.
 * Invariant: text from outside reaches the stream through write_text (HTML) or the JSON writer (script) only.
 * Cost: one pass over the plotted values and one band a channel; memory is one score array and three band arrays. */
#include "io/report.h"

#include "base/alloc.h"
#include "base/file.h"
#include "io/report_assets.h"
#include "io/report_data.h"
#include "io/report_losses.h"
#include "io/words.h"

#include <math.h>
#include <string.h>

typedef struct page_writer {
    const tcsi_report *report;
    tcsi_report_plan plan;
    FILE *stream;
} page_writer;

/* ---- text ---- */

/* Anything, as text of an element or attribute. */
static void write_text(FILE *stream, const char *text)
{
    const unsigned char *at = (const unsigned char *)text;
    while (*at) {
        size_t size = tcsi_words_utf8_size(at);
        switch (*at) {
        case '&': fputs("&amp;", stream); break;
        case '<': fputs("&lt;", stream); break;
        case '>': fputs("&gt;", stream); break;
        case '"': fputs("&quot;", stream); break;
        case '\'': fputs("&#39;", stream); break;
        default:
            if (size == 0 || (*at < 0x20 && *at != '\t' && *at != '\n') || *at == 0x7f) fputs("\xef\xbf\xbd", stream);
            else fwrite(at, 1, size, stream);
        }
        at += size ? size : 1;
    }
}

static void write_asset(FILE *stream, const unsigned char *bytes, size_t size) { fwrite(bytes, 1, size, stream); }

/* "<dt>name</dt><dd>text</dd>" */
static void write_fact(FILE *stream, const char *name, const char *text)
{
    fputs("<div><dt>", stream);
    write_text(stream, name);
    fputs("</dt><dd>", stream);
    write_text(stream, text);
    fputs("</dd></div>\n", stream);
}

static void write_facts(const page_writer *page, const tcsi_report_fact *facts, size_t count)
{
    for (size_t i = 0; i < count; i++) write_fact(page->stream, facts[i].name, facts[i].text);
}

static void format_place(const page_writer *page, size_t row, char *ret_text, size_t size)
{
    char count[TCSI_WORDS_SIZE];
    if (page->plan.has_times) {
        tcsi_words_time(page->report->frame->times_ns[row], ret_text, size);
    } else {
        tcsi_words_count(row, count, sizeof count);
        snprintf(ret_text, size, "row %s", count);
    }
}

/* A length in time, or in rows when it is one row or there are no times. */
static void format_length(const page_writer *page, size_t row_begin, size_t row_end, char *ret_text, size_t size)
{
    size_t rows = row_end - row_begin;
    char count[TCSI_WORDS_SIZE];
    const int64_t *times_ns = page->report->frame->times_ns;
    if (page->plan.has_times && times_ns[row_end - 1] > times_ns[row_begin]) {
        tcsi_words_duration((int64_t)((uint64_t)times_ns[row_end - 1] - (uint64_t)times_ns[row_begin]), ret_text, size);
    } else {
        tcsi_words_count(rows, count, sizeof count);
        snprintf(ret_text, size, "%s row%s", count, rows == 1 ? "" : "s");
    }
}

/* Where a channel is plotted, or SIZE_MAX. */
static size_t slot_of(const page_writer *page, size_t channel)
{
    for (size_t i = 0; i < page->plan.channel_count; i++)
        if (page->plan.channels[i] == channel) return i;
    return SIZE_MAX;
}

/* ---- slots ---- */

static void fill_title(const page_writer *page) { write_text(page->stream, page->report->title); }
static void fill_version(const page_writer *page) { write_text(page->stream, page->report->version); }

static void fill_style(const page_writer *page)
{
    write_asset(page->stream, tcsi_asset_uplot_min_css, tcsi_asset_uplot_min_css_size);
    write_asset(page->stream, tcsi_asset_page_css, tcsi_asset_page_css_size);
}

static void fill_script(const page_writer *page)
{
    fputs("<script>", page->stream);
    write_asset(page->stream, tcsi_asset_uplot_iife_min_js, tcsi_asset_uplot_iife_min_js_size);
    fputs("</script>\n<script>", page->stream);
    write_asset(page->stream, tcsi_asset_chart_js, tcsi_asset_chart_js_size);
    write_asset(page->stream, tcsi_asset_page_js, tcsi_asset_page_js_size);
    write_asset(page->stream, tcsi_asset_episode_js, tcsi_asset_episode_js_size);
    write_asset(page->stream, tcsi_asset_calibration_js, tcsi_asset_calibration_js_size);
    fputs("</script>\n", page->stream);
}

static void fill_facts(const page_writer *page)
{
    const tcsi_report *report = page->report;
    const tcsi_frame *frame = report->frame;
    char text[4 * TCSI_WORDS_SIZE], from[TCSI_WORDS_SIZE], to[TCSI_WORDS_SIZE], span[TCSI_WORDS_SIZE];
    tcsi_words_count(frame->row_count, from, sizeof from);
    tcsi_words_count(frame->channel_count, to, sizeof to);
    snprintf(text, sizeof text, "%s row%s × %s channel%s", from, frame->row_count == 1 ? "" : "s", to,
             frame->channel_count == 1 ? "" : "s");
    write_fact(page->stream, "Data", text);
    if (page->plan.has_times) {
        int64_t first = frame->times_ns[0], last = frame->times_ns[frame->row_count - 1];
        tcsi_words_time(first, from, sizeof from);
        tcsi_words_time(last, to, sizeof to);
        uint64_t length = (uint64_t)last - (uint64_t)first;
        tcsi_words_duration(length > INT64_MAX ? INT64_MAX : (int64_t)length, span, sizeof span);
        snprintf(text, sizeof text, "%s to %s UTC (%s)", from, to, span);
        write_fact(page->stream, "Time span", text);
    }
    write_facts(page, report->facts, report->fact_count);
}

static void fill_verdict(const page_writer *page)
{
    char count[TCSI_WORDS_SIZE], listed[TCSI_WORDS_SIZE];
    size_t episode_count = page->report->episode_count;
    tcsi_words_count(episode_count, count, sizeof count);
    tcsi_words_count(page->plan.episode_count, listed, sizeof listed);
    if (episode_count == 0) fputs("Nothing stands out at this alarm budget", page->stream);
    else fprintf(page->stream, "%s episode%s, most severe first", count, episode_count == 1 ? "" : "s");
    if (page->plan.episode_count < episode_count) fprintf(page->stream, " (the first %s are listed)", listed);
}

static const char *severity_class(double severity)
{
    return severity >= 80 ? "high" : severity >= 65 ? "middle" : "low";
}

static void write_shares(const page_writer *page, const tcsi_report_episode *episode)
{
    FILE *stream = page->stream;
    if (episode->share_count == 0) fputs("<span class=\"unknown\">the detector cannot say</span>", stream);
    for (size_t k = 0; k < episode->share_count; k++) {
        const tcsi_report_share *share = &episode->shares[k];
        size_t slot = slot_of(page, share->channel);
        if (k > 0 && (k >= 3 || share->share < 0.05)) break;
        if (slot != SIZE_MAX) fprintf(stream, "<a class=\"share\" href=\"#channel-%zu\">", slot);
        else fputs("<span class=\"share\">", stream);
        write_text(stream, page->report->frame->channels[share->channel].name);
        fprintf(stream, " <b>%.0f %%</b>%s\n", 100 * share->share, slot != SIZE_MAX ? "</a>" : "</span>");
    }
}

/* "confirmed" and what happened, as words beside each other. */
static void write_badges(const page_writer *page, const tcsi_report_episode *episode)
{
    const struct { const char *css, *text; } badges[] = { { "state", episode->state }, { "kind", episode->kind },
                                                          { "limit", episode->limit }, { "signature", episode->signature } };
    fputs("<td role=\"cell\" class=\"badges\">", page->stream);
    for (size_t i = 0; i < TCS_COUNT(badges); i++) {
        if (!badges[i].text) continue;
        fprintf(page->stream, "<span class=\"%s\">", badges[i].css);
        write_text(page->stream, badges[i].text);
        fputs("</span>\n", page->stream);
    }
    fputs("</td>\n", page->stream);
}

static void write_sentence(const page_writer *page, const tcsi_report_episode *episode)
{
    fputs("<td role=\"cell\" class=\"sentence\">", page->stream);
    write_text(page->stream, episode->sentence ? episode->sentence : "");
    fputs("</td>\n", page->stream);
}

static void write_episode(const page_writer *page, size_t rank)
{
    const tcsi_report_episode *episode = &page->report->episodes[rank];
    FILE *stream = page->stream;
    char onset[2 * TCSI_WORDS_SIZE], length[2 * TCSI_WORDS_SIZE], chance[TCSI_WORDS_SIZE];
    double severity = episode->severity >= 0 ? fmin(episode->severity, 100) : 0;
    format_place(page, episode->row_begin, onset, sizeof onset);
    format_length(page, episode->row_begin, episode->row_end, length, sizeof length);
    tcsi_words_chance(episode->expected_count, chance, sizeof chance);
    fprintf(stream, "<tr role=\"row\" id=\"episode-%zu\" data-episode=\"%zu\">\n", rank + 1, rank);
    fprintf(stream, "<td role=\"cell\" class=\"rank\">%zu</td>\n", rank + 1);
    fprintf(stream, "<td role=\"cell\" class=\"onset\"><a href=\"#episode-%zu\">%s</a></td>\n", rank + 1, onset);
    fprintf(stream, "<td role=\"cell\" class=\"length\">%s</td>\n", length);
    fprintf(stream,
            "<td role=\"cell\" class=\"severity %s\"><span class=\"bar\" aria-hidden=\"true\"><i style=\"width:%.1f%%\"></i></span>"
            "<b>%.0f</b></td>\n",
            severity_class(severity), severity, severity);
    write_badges(page, episode);
    write_sentence(page, episode);
    fputs("<td role=\"cell\" class=\"shares\">", stream);
    write_shares(page, episode);
    fprintf(stream, "</td>\n<td role=\"cell\" class=\"chance\"><span class=\"words\">expected by chance: </span>%s</td>\n</tr>\n", chance);
}

static void fill_episodes(const page_writer *page)
{
    for (size_t i = 0; i < page->plan.episode_count && !ferror(page->stream); i++) write_episode(page, i);
}

/* What known events explain: listed apart, and only where somebody stated any. */
static void fill_expected(const page_writer *page)
{
    const tcsi_report *report = page->report;
    char count[TCSI_WORDS_SIZE], onset[2 * TCSI_WORDS_SIZE], length[2 * TCSI_WORDS_SIZE];
    if (!report->expected) return;
    tcsi_words_count(report->expected_count, count, sizeof count);
    fprintf(page->stream, "<details class=\"expected\"%s>\n<summary>Expected: %s, part of known events</summary>\n<ul>\n",
            report->expected_count > 0 ? " open" : "", count);
    for (size_t i = 0; i < report->expected_count && i < TCSI_REPORT_EPISODE_COUNT_MAX; i++) {
        const tcsi_report_expected *expected = &report->expected[i];
        format_place(page, expected->row_begin, onset, sizeof onset);
        format_length(page, expected->row_begin, expected->row_end, length, sizeof length);
        fputs("<li><b>", page->stream);
        write_text(page->stream, expected->event);
        fprintf(page->stream, "</b> %s, %s</li>\n", onset, length);
    }
    if (report->expected_count > TCSI_REPORT_EPISODE_COUNT_MAX) fputs("<li>and more</li>\n", page->stream);
    fputs("</ul>\n</details>\n", page->stream);
}

static void fill_notes(const page_writer *page)
{
    const tcsi_report *report = page->report;
    for (size_t i = 0; i < report->note_count; i++) {
        fputs("<li>", page->stream);
        write_text(page->stream, report->notes[i]);
        fputs("</li>\n", page->stream);
    }
    if (report->has_times && !page->plan.has_times)
        fputs("<li>The times are not in order or closer than a microsecond: the plots count rows instead.</li>\n", page->stream);
    if (page->plan.channel_count < report->frame->channel_count)
        fprintf(page->stream, "<li>%zu further channels are not plotted here.</li>\n",
                report->frame->channel_count - page->plan.channel_count);
    if (page->plan.levels[0].stride > 1)
        fprintf(page->stream,
                "<li>To keep this page small, the plots hold the lowest and highest value of every %zu rows, and single rows around the "
                "most severe episodes.</li>\n",
                page->plan.levels[0].stride);
}

static void write_channel_row(const page_writer *page, size_t slot)
{
    const tcsi_frame *frame = page->report->frame;
    const tcsi_channel *channel = &frame->channels[page->plan.channels[slot]];
    const double *values = tcsi_frame_column(frame, page->plan.channels[slot]);
    char count[TCSI_WORDS_SIZE], low_text[TCSI_WORDS_SIZE], high_text[TCSI_WORDS_SIZE];
    double low, high;
    size_t missing_count = 0;
    for (size_t t = 0; t < frame->row_count; t++) missing_count += !(fabs(values[t]) <= TCS_VALUE_MAX);
    bool any = tcsi_report_extremes(values, 0, frame->row_count, &low, &high);
    tcsi_words_count(missing_count, count, sizeof count);
    tcsi_words_number(any ? low : NAN, low_text, sizeof low_text);
    tcsi_words_number(any ? high : NAN, high_text, sizeof high_text);
    fprintf(page->stream, "<tr><th scope=\"row\"><a href=\"#channel-%zu\">", slot);
    write_text(page->stream, channel->name);
    fputs("</a></th><td>", page->stream);
    write_text(page->stream, channel->unit ? channel->unit : "");
    fprintf(page->stream, "</td><td>%s</td><td>%s</td><td>%s</td><td>%s</td></tr>\n", low_text, high_text, count,
            !any ? "no usable value" : low < high ? "" : "never changes");
}

static void fill_channels(const page_writer *page)
{
    for (size_t i = 0; i < page->plan.channel_count; i++) write_channel_row(page, i);
}

static void fill_method(const page_writer *page) { write_facts(page, page->report->method, page->report->method_count); }
static void fill_assumption(const page_writer *page) { write_facts(page, page->report->assumption, page->report->assumption_count); }
static void fill_promise(const page_writer *page) { write_facts(page, page->report->promise, page->report->promise_count); }

static void fill_losses(const page_writer *page) { tcsi_report_losses_write(page->report, page->stream); }

static const struct {
    const char *name;
    void (*fill)(const page_writer *page);
} slots[] = {
    { "title", fill_title },       { "version", fill_version }, { "style", fill_style },       { "script", fill_script },
    { "facts", fill_facts },       { "verdict", fill_verdict }, { "episodes", fill_episodes }, { "notes", fill_notes },
    { "channels", fill_channels }, { "method", fill_method },
    { "losses", fill_losses },     { "expected", fill_expected }, { "assumption", fill_assumption }, { "promise", fill_promise },
};

/* Fills the slot named name[0, length); the data slot is the only one that can fail otherwise than by the stream. */
static tcs_status fill_slot(const page_writer *page, const char *name, size_t length, tcs_error *err)
{
    if (length == 4 && memcmp(name, "data", 4) == 0) return tcsi_report_data_write(page->report, &page->plan, page->stream, err);
    for (size_t i = 0; i < TCS_COUNT(slots); i++) {
        if (strlen(slots[i].name) != length || memcmp(slots[i].name, name, length) != 0) continue;
        slots[i].fill(page);
        return TCS_OK;
    }
    TCS_ASSERT(false && "page.html names a slot that nobody fills");
    return TCS_OK;
}

static tcs_status write_page(const page_writer *page, tcs_error *err)
{
    const char *at = (const char *)tcsi_asset_page_html, *open;
    tcs_status status = TCS_OK;
    while (status == TCS_OK && !ferror(page->stream) && (open = strstr(at, "{{"))) {
        const char *close = strstr(open, "}}");
        TCS_ASSERT(close);
        fwrite(at, 1, (size_t)(open - at), page->stream);
        status = fill_slot(page, open + 2, (size_t)(close - open - 2), err);
        at = close + 2;
    }
    fputs(at, page->stream);
    return status;
}

tcs_status tcsi_report_write(const tcsi_report *report, const char *path, tcs_error *err)
{
    page_writer page = { .report = report };
    tcsi_file_writer writer;
    tcs_status status = tcsi_report_plan_make(report, &page.plan, err);
    if (status != TCS_OK) return status;
    status = tcsi_file_writer_open(path, &writer, err);
    if (status != TCS_OK) return status;
    page.stream = writer.stream;
    status = write_page(&page, err);
    if (status == TCS_OK) return tcsi_file_writer_commit(&writer, err);
    tcsi_file_writer_abort(&writer);
    return status;
}
