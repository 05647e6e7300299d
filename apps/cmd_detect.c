/* apps/cmd_detect.c -- `tocsin detect`: from a file nobody has described to a ranked list of episodes.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cli.h"
#include "detect_stream.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/status.h"
#include "base/text.h"
#include "base/url.h"

#include <math.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct detect_options {
    const char *mode, *detector, *columns, *time, *label, *query, *start, *end, *step, *alarm_budget, *budget, *checkpoint;
    const char *scores, *episodes, *forecast, *report, *plot;
    cli_texts parameters;
    size_t train_rows, seed, threads, top;
    bool series, stream, skip_ragged, json, fail_on_anomaly, list;
} detect_options;

#define AT(field) offsetof(detect_options, field)
static const cli_option options[] = {
    { "--mode", "offline|online", CLI_TEXT, AT(mode),
      "offline looks back over everything (default); online uses only the past of each row" },
    { "--stream", NULL, CLI_FLAG, AT(stream),
      "with --mode online: judge each row as it arrives, in bounded memory; episodes are printed as they open and close" },
    { "--detector", "NAME", CLI_TEXT, AT(detector), "auto (default) or one of --list-detectors" },
    { "--param", "NAME=VALUE", CLI_TEXTS, AT(parameters), "a parameter of the detector; may be given several times" },
    { "--budget", "SECONDS", CLI_TEXT, AT(budget), "how long a deep detector may train, about: --param budget=SECONDS" },
    { "--checkpoint", "FILE", CLI_TEXT, AT(checkpoint),
      "keep a deep detector's training in FILE; run again after an interruption, it goes on from there to the same result" },
    { "--list-detectors", NULL, CLI_FLAG, AT(list), "list every detector with its parameters and paper, and stop" },
    { "--train-rows", "N", CLI_COUNT, AT(train_rows), "the first N rows are mostly normal, or, for a detector that learns from labels, "
                                                     "labelled; chosen when not given" },
    { "--alarm-budget", "N[/hour|/day|/week]", CLI_TEXT, AT(alarm_budget),
      "false alarms you can live with; default 1 in everything looked at (in a table 1 in 100 rows); "
      "online, where nobody knows how many rows will come, a bare N is per 10,000 rows and 1 the default" },
    { "--columns", "A,B,...", CLI_TEXT, AT(columns), "value columns; default every numeric one" },
    { "--time", "COLUMN", CLI_TEXT, AT(time), "time column; found when not given; '' for none" },
    { "--label", "COLUMN", CLI_TEXT, AT(label), "label column (1 = anomalous), used only to compare, unless the detector learns from the "
                                              "labels of --train-rows; found when not given; '' for none" },
    { "--series", NULL, CLI_FLAG, AT(series), "rows without a time column are in order of time, not a table" },
    { "--skip-ragged", NULL, CLI_FLAG, AT(skip_ragged), "pass over rows with another number of columns and count them" },
    { "--query", "TEXT", CLI_TEXT, AT(query), "for sqlite:, postgresql: and http: inputs: the SQL or PromQL query" },
    { "--start", "TIME", CLI_TEXT, AT(start),
      "for http: inputs: first time, such as 2024-05-01T00:00:00Z or now-6h; default 24 h before the end" },
    { "--end", "TIME", CLI_TEXT, AT(end), "for http: inputs: last time; default now" },
    { "--step", "DURATION", CLI_TEXT, AT(step), "for http: inputs: time between points, such as 30s; chosen when not given" },
    { "--scores", "FILE", CLI_TEXT, AT(scores), "write row,time,score,p_value,state,anomaly for every row (CSV, or .ndjson); of deep "
                                            "detectors with uncertainty,noise,sure" },
    { "--episodes", "FILE", CLI_TEXT, AT(episodes), "write the episodes (CSV, or .ndjson)" },
    { "--forecast", "FILE", CLI_TEXT, AT(forecast), "write what comes next, 1, 4, 16 and 64 rows ahead, with bands (forecasters)" },
    { "--report", "FILE.html", CLI_TEXT, AT(report), "write a self-contained report with plots" },
    { "--plot", "FILE.png", CLI_TEXT, AT(plot), "write a picture of the series, the score and the episodes" },
    { "--top", "N", CLI_COUNT, AT(top), "episodes to print; default 10" },
    { "--seed", "N", CLI_COUNT, AT(seed), "for detectors that draw random numbers; default 0" },
    { "--threads", "N", CLI_COUNT, AT(threads), "default one per processor; never changes a result" },
    { "--json", NULL, CLI_FLAG, AT(json), "print one JSON document instead of words" },
    { "--fail-on-anomaly", NULL, CLI_FLAG, AT(fail_on_anomaly), "exit with 3 when there is an episode" },
};

/* ---- words and colours ---- */

typedef struct paint {
    const char *bold, *dim, *red, *yellow, *cyan, *off;
} paint;

static paint choose_paint(void)
{
    if (!cli_has_color(stdout)) return (paint){ "", "", "", "", "", "" };
    return (paint){ "\033[1m", "\033[2m", "\033[31m", "\033[33m", "\033[36m", "\033[0m" };
}

static void format_duration(double seconds, char *ret_text, size_t size)
{
    static const struct { double seconds; const char *unit; } units[] = { { 86400, "d" }, { 3600, "h" }, { 60, "min" }, { 1, "s" } };
    for (size_t i = 0; i < TCS_COUNT(units); i++)
        if (seconds >= 1.5 * units[i].seconds || i + 1 == TCS_COUNT(units)) {
            snprintf(ret_text, size, "%.3g %s", seconds / units[i].seconds, units[i].unit);
            return;
        }
}

/* The length of an episode: in time when there are times, otherwise in rows. */
static void format_length(const tcs_frame *frame, const tcs_episode *episode, char *ret_text, size_t size)
{
    size_t rows = episode->row_end - episode->row_begin;
    if (tcs_frame_has_real_times(frame) && episode->time_end_ns > episode->time_begin_ns)
        format_duration((double)(episode->time_end_ns - episode->time_begin_ns) * 1e-9, ret_text, size);
    else snprintf(ret_text, size, "%zu row%s", rows, rows == 1 ? "" : "s");
}

static void format_place(const tcs_frame *frame, size_t row, char *ret_text, size_t size)
{
    if (tcs_frame_has_real_times(frame)) tcs_time_format(tcs_frame_times_ns(frame)[row], ret_text, size);
    else snprintf(ret_text, size, "row %zu", row);
}

static void format_shares(const tcs_frame *frame, const tcs_episode *episode, char *ret_text, size_t size)
{
    size_t used = 0;
    ret_text[0] = 0;
    for (size_t i = 0; i < episode->share_count && i < 3 && used + 1 < size; i++) {
        if (i > 0 && episode->shares[i].share < 0.05) break;
        const char *name = tcs_frame_channel_name(frame, episode->shares[i].channel);
        int length = snprintf(ret_text + used, size - used, "%s%s %.0f%%", i ? ", " : "", name, 100 * episode->shares[i].share);
        used += length > 0 ? (size_t)length : 0;
    }
}

static void print_header(const char *input, const tcs_frame *frame, const paint *p)
{
    printf("%s%s%s  %zu rows × %zu channel%s\n", p->bold, input, p->off, tcs_frame_row_count(frame), tcs_frame_channel_count(frame),
           tcs_frame_channel_count(frame) == 1 ? "" : "s");
    for (size_t i = 0; i < tcs_frame_note_count(frame); i++) printf("  %s%s%s\n", p->dim, tcs_frame_note(frame, i), p->off);
}

static void print_method(const tcs_result *result, const paint *p)
{
    bool online = tcs_result_mode(result) == TCS_MODE_ONLINE;
    printf("  %s%s, detector %s, %.2f s%s\n", p->dim,
           online ? "online (each score uses only the past)" : "offline (looks back over everything)", tcs_result_detector(result),
           tcs_result_seconds(result), p->off);
    printf("  %sassumed: %s%s\n\n", p->dim, tcs_result_assumed(result), p->off);
}

/* One line for the whole score, the cells of episodes in red. */
static void print_score_line(const tcs_frame *frame, const tcs_result *result, const paint *p)
{
    size_t row_count = tcs_frame_row_count(frame), cells = cli_columns(stdout) - 4;
    const tcs_score *scores = tcs_result_scores(result);
    const uint8_t *anomalies = tcs_result_anomalies(result);
    if (cells > 160) cells = 160;
    if (cells > row_count) cells = row_count;
    double high = -INFINITY, low = INFINITY;
    for (size_t t = 0; t < row_count; t++)
        if (scores[t].state == TCS_SCORE_READY) {
            high = fmax(high, scores[t].value);
            low = fmin(low, scores[t].value);
        }
    printf("  ");
    for (size_t cell = 0; cell < cells; cell++) {
        double highest = NAN;
        bool anomalous = false;
        for (size_t t = cell * row_count / cells; t < (cell + 1) * row_count / cells; t++) {
            if (scores[t].state == TCS_SCORE_READY) highest = fmax(highest, scores[t].value);
            anomalous |= anomalies[t];
        }
        double share = high > low ? (highest - low) / (high - low) : isnan(highest) ? NAN : 0;
        printf("%s%s%s", anomalous ? p->red : p->dim, cli_bar(share), p->off);
    }
    printf("\n\n");
}

static void print_episode(const tcs_frame *frame, const tcs_episode *episode, size_t rank, const paint *p)
{
    char onset[64], length[32], shares[256], spark[512];
    size_t row_count = tcs_frame_row_count(frame), rows = episode->row_end - episode->row_begin;
    size_t around = rows < 20 ? 40 : rows, begin = episode->row_begin > around ? episode->row_begin - around : 0;
    size_t end = episode->row_end + around < row_count ? episode->row_end + around : row_count;
    size_t channel = episode->share_count ? episode->shares[0].channel : 0;
    format_place(frame, episode->row_begin, onset, sizeof onset);
    format_length(frame, episode, length, sizeof length);
    format_shares(frame, episode, shares, sizeof shares);
    cli_sparkline(tcs_frame_values(frame, channel) + begin, end - begin, 40, spark, sizeof spark);
    const char *color = episode->severity >= 75 ? p->red : episode->severity >= 60 ? p->yellow : p->cyan;
    printf("  %2zu  %s", rank + 1, color);
    for (int i = 0; i < 10; i++) printf("%s", episode->severity >= 10 * i + 5 ? "█" : "░");
    printf(" %3.0f%s  %-22s %-10s %s%s%s  %s\n", episode->severity, p->off, onset, length, p->dim, spark, p->off, shares);
}

/* When there are labels, say how the episodes compare with those that were not used to detect. */
static void print_comparison(const tcs_frame *frame, const tcs_result *result, const paint *p)
{
    const uint8_t *labels = tcs_frame_labels(frame), *anomalies = tcs_result_anomalies(result);
    const size_t first = tcs_result_told_row_count(result);
    size_t events = 0, found = 0, row_count = tcs_frame_row_count(frame), right = 0, episodes = 0;
    if (!labels) return;
    for (size_t t = first; t < row_count;) {
        bool hit = false;
        size_t begin = t;
        for (; t < row_count && labels[t]; t++) hit |= anomalies[t];
        if (t > begin) {
            events++;
            found += hit;
        } else {
            t++;
        }
    }
    for (size_t i = 0; i < tcs_result_episode_count(result); i++) {
        tcs_episode episode = tcs_result_episode(result, i);
        bool labelled = false;
        if (episode.row_begin < first) continue;
        episodes++;
        for (size_t t = episode.row_begin; t < episode.row_end; t++) labelled |= labels[t];
        right += labelled;
    }
    printf("\n  %scompared with the labels%s (not used to detect): %zu of %zu events found, %zu of %zu episodes right%s\n", p->dim,
           first ? " of later rows" : "", found, events, right, episodes, p->off);
}

static void print_words(const char *input, const tcs_frame *frame, const tcs_result *result, const detect_options *o)
{
    paint p = choose_paint();
    size_t count = tcs_result_episode_count(result), top = o->top ? o->top : 10;
    print_header(input, frame, &p);
    print_method(result, &p);
    print_score_line(frame, result, &p);
    if (count == 0) {
        printf("  no episode: nothing stands out %s\n",
               tcs_result_own_threshold(result) ? "above the detector's own threshold" : "at this alarm budget");
    } else {
        printf("  %s%zu episode%s%s, most severe first\n\n", p.bold, count, count == 1 ? "" : "s", p.off);
        printf("  %s #  severity        %-22s %-10s %-40s  channels%s\n", p.dim, "onset", "length", "around it", p.off);
    }
    for (size_t i = 0; i < count && i < top; i++) {
        tcs_episode episode = tcs_result_episode(result, i);
        print_episode(frame, &episode, i, &p);
    }
    if (count > top) printf("  %s... and %zu more; --top %zu shows all%s\n", p.dim, count - top, count, p.off);
    const size_t unsure = tcs_result_unsure_count(result);
    if (unsure > 0)
        printf("\n  %snot sure of %zu row%s: the score is within two uncertainties of the threshold%s\n", p.dim, unsure,
               unsure == 1 ? "" : "s", p.off);
    print_comparison(frame, result, &p);
}

/* ---- JSON ---- */

static void json_episode(tcsi_json_writer *w, const tcs_frame *frame, const tcs_episode *episode)
{
    const struct { const char *name; size_t row; int64_t time_ns; } places[] = {
        { "onset", episode->row_begin, episode->time_begin_ns },
        { "peak", episode->row_peak, episode->time_peak_ns },
        { "end", episode->row_end, episode->time_end_ns },
    };
    tcsi_json_begin_object(w);
    for (size_t i = 0; i < TCS_COUNT(places); i++) {
        char key[32], text[64];
        snprintf(key, sizeof key, "row_%s", places[i].name);
        tcsi_json_key(w, key);
        tcsi_json_integer(w, (int64_t)places[i].row);
        if (!tcs_frame_has_real_times(frame)) continue;
        snprintf(key, sizeof key, "time_%s", places[i].name);
        tcs_time_format(places[i].time_ns, text, sizeof text);
        tcsi_json_key(w, key);
        tcsi_json_string(w, text);
    }
    const struct { const char *name; double value; } numbers[] = {
        { "severity", episode->severity }, { "score", episode->score }, { "p_value", episode->p_value },
        { "expected_count", episode->expected_count },
    };
    for (size_t i = 0; i < TCS_COUNT(numbers); i++) {
        tcsi_json_key(w, numbers[i].name);
        tcsi_json_number(w, numbers[i].value);
    }
    tcsi_json_key(w, "channels");
    tcsi_json_begin_array(w);
    for (size_t i = 0; i < episode->share_count; i++) {
        tcsi_json_begin_object(w);
        tcsi_json_key(w, "name");
        tcsi_json_string(w, tcs_frame_channel_name(frame, episode->shares[i].channel));
        tcsi_json_key(w, "share");
        tcsi_json_number(w, episode->shares[i].share);
        tcsi_json_end_object(w);
    }
    tcsi_json_end_array(w);
    tcsi_json_end_object(w);
}

static void json_result(tcsi_json_writer *w, const char *input, const tcs_frame *frame, const tcs_result *result)
{
    tcsi_json_begin_object(w);
    tcsi_json_key(w, "input");
    tcsi_json_string(w, input);
    tcsi_json_key(w, "rows");
    tcsi_json_integer(w, (int64_t)tcs_frame_row_count(frame));
    tcsi_json_key(w, "channels");
    tcsi_json_begin_array(w);
    for (size_t c = 0; c < tcs_frame_channel_count(frame); c++) tcsi_json_string(w, tcs_frame_channel_name(frame, c));
    tcsi_json_end_array(w);
    tcsi_json_key(w, "notes");
    tcsi_json_begin_array(w);
    for (size_t i = 0; i < tcs_frame_note_count(frame); i++) tcsi_json_string(w, tcs_frame_note(frame, i));
    tcsi_json_end_array(w);
    tcsi_json_key(w, "mode");
    tcsi_json_string(w, tcs_result_mode(result) == TCS_MODE_ONLINE ? "online" : "offline");
    tcsi_json_key(w, "detector");
    tcsi_json_string(w, tcs_result_detector(result));
    tcsi_json_key(w, "train_rows");
    tcsi_json_integer(w, (int64_t)tcs_result_train_row_count(result));
    tcsi_json_key(w, "assumed");
    tcsi_json_string(w, tcs_result_assumed(result));
    tcsi_json_key(w, "own_threshold");
    tcsi_json_bool(w, tcs_result_own_threshold(result));
    tcsi_json_key(w, "alarm_budget");
    tcsi_json_number(w, tcs_result_budget(result));
    tcsi_json_key(w, "unsure_rows");
    tcsi_json_integer(w, (int64_t)tcs_result_unsure_count(result));
    tcsi_json_key(w, "seconds");
    tcsi_json_number(w, tcs_result_seconds(result));
    tcsi_json_key(w, "episodes");
    tcsi_json_begin_array(w);
    for (size_t i = 0; i < tcs_result_episode_count(result); i++) {
        tcs_episode episode = tcs_result_episode(result, i);
        json_episode(w, frame, &episode);
    }
    tcsi_json_end_array(w);
    tcsi_json_end_object(w);
}

/* ---- progress ---- */

typedef struct progress {
    bool is_terminal, is_shown;
    int64_t begin_ns;
} progress;

/* Nothing for the first second, and nothing at all in a pipe. */
static bool show_progress(void *context, double share)
{
    progress *p = context;
    double seconds = (double)(tcsi_clock_monotonic_ns() - p->begin_ns) * 1e-9;
    if (!p->is_terminal || seconds < 1) return true;
    int cells = (int)(40 * share);
    fprintf(stderr, "\r  [");
    for (int i = 0; i < 40; i++) fputs(i < cells ? "█" : "·", stderr);
    fprintf(stderr, "] %3.0f %%  %.0f s left ", 100 * share, share > 0.01 ? seconds / share * (1 - share) : 0);
    p->is_shown = true;
    return true;
}

static void hide_progress(const progress *p)
{
    if (p->is_shown) fprintf(stderr, "\r%*s\r", 72, "");
}

/* ---- running ---- */

static int list_detectors(void)
{
    for (size_t i = 0; i < tcs_detector_count(); i++) {
        tcs_detector_description d = tcs_detector_describe(i);
        printf("%s -- %s [%s%s%s]\n    %s\n    %s\n", d.name, d.title, d.online ? "online" : "offline only",
               d.multivariate ? ", multivariate" : "", d.tabular ? ", tabular" : "", d.summary, d.paper);
        for (size_t k = 0; k < d.parameter_count; k++) {
            tcs_detector_parameter parameter = tcs_detector_parameter_describe(i, k);
            printf("      --param %s=%g  (%s, %g to %g) %s\n", parameter.name, parameter.value_default, parameter.type,
                   parameter.value_min, parameter.value_max, parameter.help);
        }
        printf("\n");
    }
    return EXIT_DONE;
}

static tcs_status write_files(const tcs_result *result, const detect_options *o, const char *input, tcs_error *err)
{
    tcs_status status = TCS_OK;
    if (o->scores) status = tcs_result_scores_write(result, o->scores, err);
    if (status == TCS_OK && o->episodes) status = tcs_result_episodes_write(result, o->episodes, err);
    if (status == TCS_OK && o->forecast) status = tcs_result_forecasts_write(result, o->forecast, err);
    if (status == TCS_OK && o->report) status = tcs_result_report_write(result, input, o->report, err);
    if (status == TCS_OK && o->plot) status = tcs_result_plot_write(result, input, o->plot, err);
    return status;
}

/* A table on standard output leaves no room there for words or a document. */
static bool has_table_on_stdout(const detect_options *o)
{
    return (o->scores && strcmp(o->scores, "-") == 0) || (o->episodes && strcmp(o->episodes, "-") == 0) ||
           (o->forecast && strcmp(o->forecast, "-") == 0);
}

static tcs_status detect_one(const char *input, const detect_options *o, tcsi_json_writer *json, bool *anomalous, tcs_error *err)
{
    tcs_read_options read = { .time = o->time, .label = o->label, .columns = o->columns, .query = o->query, .as_series = o->series,
                              .skip_ragged = o->skip_ragged,
                              .start = o->start, .end = o->end, .step = o->step };
    cli_texts parameters = o->parameters;
    char budget[64];
    if (o->budget) {
        snprintf(budget, sizeof budget, "budget=%s", o->budget);
        parameters.items[parameters.count++] = budget; /* check_usage left room */
    }
    tcs_detect_options detect = {
        .mode = o->mode && strcmp(o->mode, "online") == 0 ? TCS_MODE_ONLINE : TCS_MODE_OFFLINE,
        .detector = o->detector, .train_row_count = o->train_rows, .alarm_budget = o->alarm_budget,
        .parameters = parameters.items, .parameter_count = parameters.count, .checkpoint = o->checkpoint,
        .seed = o->seed, .thread_count = o->threads,
    };
    if (o->stream) {
        cli_stream_request request = { .input = input, .read = &read, .detect = &detect, .scores = o->scores, .json = json != NULL };
        return cli_detect_stream(&request, anomalous, err);
    }
    progress bar = { .is_terminal = isatty(STDERR_FILENO), .begin_ns = tcsi_clock_monotonic_ns() };
    detect.progress = show_progress;
    detect.progress_context = &bar;
    tcs_frame *frame = NULL;
    tcs_result *result = NULL;
    char shown[1024]; /* whatever is printed or written is without the password of a URL */
    tcs_status status = tcs_frame_read(input, &read, &frame, err);
    input = tcsi_url_redact(input, shown, sizeof shown);
    if (status == TCS_OK) status = tcs_detect(frame, &detect, &result, err);
    hide_progress(&bar);
    if (status == TCS_OK) status = write_files(result, o, input, err);
    if (status == TCS_OK) {
        if (json) json_result(json, input, frame, result);
        else if (!has_table_on_stdout(o)) print_words(input, frame, result, o);
        if (!json && o->report && !has_table_on_stdout(o)) printf("\n  report: %s\n", o->report);
        *anomalous |= tcs_result_episode_count(result) > 0;
    }
    tcs_result_destroy(result);
    tcs_frame_destroy(frame);
    return status;
}

/* What --stream cannot be asked for; NULL: nothing. */
static const char *stream_problem(const detect_options *o, size_t input_count)
{
    if (!o->mode || strcmp(o->mode, "online") != 0) return "--stream judges rows as they arrive: it needs --mode online";
    if (o->report || o->plot) return "--report and --plot need the whole series: not with --stream";
    if (o->checkpoint) return "--checkpoint is not for streams, whose training is short";
    if (o->forecast) return "--forecast says what comes after the last row: not with --stream, which knows of none";
    if (o->episodes) return "--episodes ranks all episodes at the end: not with --stream, which prints each (--json: one object a line)";
    return input_count > 1 ? "one input at a time with --stream" : NULL;
}

/* Writing over the input, or one output over another, would lose what nobody meant to lose. */
static tcs_status check_outputs(const detect_options *o, const char *const *inputs, size_t input_count, tcs_error *err)
{
    const struct { const char *option, *path; } outputs[] = {
        { "--scores", o->scores }, { "--episodes", o->episodes }, { "--forecast", o->forecast }, { "--checkpoint", o->checkpoint },
        { "--report", o->report }, { "--plot", o->plot },
    };
    struct stat out, in;
    for (size_t i = 0; i < TCS_COUNT(outputs); i++) {
        const char *path = outputs[i].path;
        if (!path || strcmp(path, "-") == 0) continue;
        for (size_t k = 0; k < i; k++)
            if (outputs[k].path && strcmp(outputs[k].path, path) == 0)
                return tcsi_fail(err, TCS_E_INVALID, "%s and %s are both %s", outputs[k].option, outputs[i].option, path);
        bool is_file = stat(path, &out) == 0 && S_ISREG(out.st_mode);
        for (size_t k = 0; k < input_count && is_file; k++)
            if (stat(inputs[k], &in) == 0 && in.st_dev == out.st_dev && in.st_ino == out.st_ino)
                return tcsi_fail(err, TCS_E_INVALID, "%s %s: is the input", outputs[i].option, path);
    }
    return TCS_OK;
}

static tcs_status check_usage(const detect_options *o, const char *const *inputs, size_t input_count, tcs_error *err)
{
    if (input_count == 0) return tcsi_fail(err, TCS_E_INVALID, "expected INPUT...; try `tocsin detect --help`");
    if (input_count > 1 && (o->scores || o->episodes || o->forecast || o->checkpoint || o->report || o->plot))
        return tcsi_fail(err, TCS_E_INVALID, "one input at a time with --scores, --episodes, --forecast, --checkpoint, --report or --plot");
    if (o->budget && o->parameters.count == CLI_TEXTS_MAX) return tcsi_fail(err, TCS_E_INVALID, "--budget: too many --param beside it");
    const char *problem = o->stream ? stream_problem(o, input_count) : NULL;
    if (problem) return tcsi_fail(err, TCS_E_INVALID, "%s", problem);
    if (!o->stream && has_table_on_stdout(o) && (o->json || (o->scores && o->episodes && strcmp(o->scores, o->episodes) == 0)))
        return tcsi_fail(err, TCS_E_INVALID, "standard output holds one thing at a time: --scores -, --episodes - or --json");
    return check_outputs(o, inputs, input_count, err);
}

static int run(const void *raw, const char *const *inputs, size_t input_count)
{
    const detect_options *o = raw;
    tcs_error err = { 0 };
    tcs_status status = TCS_OK;
    tcsi_buffer document;
    tcsi_json_writer json;
    bool anomalous = false;
    if (o->list) return list_detectors();
    if (check_usage(o, inputs, input_count, &err) != TCS_OK) return cli_fail("detect", &err);
    tcsi_buffer_init(&document, (size_t)1 << 30);
    tcsi_json_writer_init(&json, &document, true);
    if (o->json && input_count > 1) tcsi_json_begin_array(&json);
    for (size_t i = 0; i < input_count && status == TCS_OK; i++) {
        if (i > 0 && !o->json) printf("\n");
        status = detect_one(inputs[i], o, o->json ? &json : NULL, &anomalous, &err);
    }
    if (status == TCS_OK && o->json && !o->stream) {
        if (input_count > 1) tcsi_json_end_array(&json);
        status = tcsi_json_finish(&json, &err);
        if (status == TCS_OK) printf("%s\n", document.data);
    }
    tcsi_buffer_deinit(&document);
    if (status != TCS_OK) return cli_fail("detect", &err);
    return o->fail_on_anomaly && anomalous ? EXIT_ANOMALY : EXIT_DONE;
}

const cli_command cli_detect = {
    .name = "detect",
    .positional = "INPUT...",
    .positional_max = 256,
    .summary = "find the rare events in data it has never seen",
    .description = "Reads INPUT (a path, - for standard input, or a sqlite:, postgresql: or http: URL), finds out what its columns are, "
                   "looks for rows that do not belong, and prints the episodes they form, most severe first, with the channels "
                   "that carry them. Needs no labels, no configuration and no training. CSV, TSV, NDJSON, NPY and NPZ, also "
                   "inside gzip or zstd. Without a time column the rows are taken as a table, unless --series is given.",
    .examples = "  tocsin detect plant.csv --report plant.html\n"
                "  tocsin detect metrics.csv.gz --mode online --alarm-budget 2/week\n"
                "  tocsin detect 'sqlite:plant.db' --query 'select time, flow from sensor order by time'\n"
                "  tocsin detect http://localhost:9090 --query 'rate(node_cpu_seconds_total[5m])' --start now-6h\n"
                "  psql -c '...' --csv | tocsin detect - --json\n"
                "  tail -f sensor.csv | tocsin detect - --mode online --stream --scores -\n",
    .options = options,
    .option_count = TCS_COUNT(options),
    .options_size = sizeof(detect_options),
    .run = run,
};
