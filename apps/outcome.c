/* apps/outcome.c -- results in words, as JSON and in files.  SPDX-License-Identifier: Apache-2.0 */
#include "outcome.h"

#include "known.h"

#include <math.h>
#include <string.h>
#include <sys/stat.h>

enum { OTHER_COUNT_MAX = 4, EXPLAINED_MAX = CLI_EXPLAINED_MAX };

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

void cli_place_format(const tcs_frame *frame, size_t row, char *ret_text, size_t size)
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

void cli_frame_print(const char *input, const tcs_frame *frame)
{
    const paint colors = choose_paint(), *p = &colors;
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
    char onset[64], length[32], shares[256], spark[512], known[256];
    size_t row_count = tcs_frame_row_count(frame), rows = episode->row_end - episode->row_begin;
    size_t around = rows < 20 ? 40 : rows, begin = episode->row_begin > around ? episode->row_begin - around : 0;
    size_t end = episode->row_end + around < row_count ? episode->row_end + around : row_count;
    size_t channel = episode->share_count ? episode->shares[0].channel : 0;
    cli_place_format(frame, episode->row_begin, onset, sizeof onset);
    format_length(frame, episode, length, sizeof length);
    format_shares(frame, episode, shares, sizeof shares);
    cli_known_format(episode, known, sizeof known);
    cli_sparkline(tcs_frame_values(frame, channel) + begin, end - begin, 40, spark, sizeof spark);
    const char *color = episode->severity >= 75 ? p->red : episode->severity >= 60 ? p->yellow : p->cyan;
    printf("  %2zu  %s", rank + 1, color);
    for (int i = 0; i < 10; i++) printf("%s", episode->severity >= 10 * i + 5 ? "█" : "░");
    printf(" %3.0f%s  %-22s %-10s %s%s%s  %s%s\n", episode->severity, p->off, onset, length, p->dim, spark, p->off, shares, known);
}

void cli_episode_print(const tcs_frame *frame, const tcs_episode *episode, size_t rank)
{
    const paint p = choose_paint();
    print_episode(frame, episode, rank, &p);
}

/* ---- reasons ---- */

/* Explanations of the episodes of ranks [0, count): whole ones of the first `whole`, brief ones of the others. */
static tcs_status explain(const tcs_result *result, size_t count, size_t whole, tcs_explanation **ret_explanations, tcs_error *err)
{
    static const tcs_explain_options all = { .counterfactual = true }, brief = { .brief = true };
    size_t ranks[EXPLAINED_MAX];
    if (whole > count) whole = count;
    for (size_t i = 0; i < count; i++) ranks[i] = i;
    tcs_status status = whole > 0 ? tcs_result_explain(result, ranks, whole, &all, ret_explanations, err) : TCS_OK;
    if (status == TCS_OK && count > whole)
        status = tcs_result_explain(result, ranks + whole, count - whole, &brief, ret_explanations + whole, err);
    return status;
}

static void destroy_explanations(tcs_explanation **explanations, size_t count)
{
    for (size_t i = 0; i < count; i++) tcs_explanation_destroy(explanations[i]);
}

static void print_reason(const tcs_explanation *explanation, const paint *p)
{
    const char *advice = tcs_explanation_advice(explanation);
    printf("      %s%s%s\n", p->dim, tcs_explanation_sentence(explanation), p->off);
    if (*advice) printf("      %s%s%s\n", p->dim, advice, p->off);
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

/* The first `top` episodes, with reasons of as many as are explained at all. */
static tcs_status print_episodes(const tcs_frame *frame, const tcs_result *result, size_t top, size_t whole, const paint *p, tcs_error *err)
{
    tcs_explanation *explanations[EXPLAINED_MAX] = { NULL };
    const size_t count = tcs_result_episode_count(result), shown = count < top ? count : top;
    const size_t explained = shown < EXPLAINED_MAX ? shown : EXPLAINED_MAX;
    tcs_status status = explain(result, explained, whole, explanations, err);
    for (size_t i = 0; i < shown && status == TCS_OK; i++) {
        tcs_episode episode = tcs_result_episode(result, i);
        print_episode(frame, &episode, i, p);
        if (i < explained) print_reason(explanations[i], p);
    }
    destroy_explanations(explanations, explained);
    return status;
}

tcs_status cli_outcome_print(const char *input, const tcs_frame *frame, const tcs_result *result, size_t top, size_t whole, tcs_error *err)
{
    paint p = choose_paint();
    const size_t count = tcs_result_episode_count(result);
    if (top == 0) top = 10;
    cli_frame_print(input, frame);
    cli_known_print_before(result);
    print_method(result, &p);
    print_score_line(frame, result, &p);
    if (count == 0) {
        printf("  no episode: nothing stands out %s\n",
               tcs_result_own_threshold(result) ? "above the detector's own threshold" : "at this alarm budget");
    } else {
        printf("  %s%zu episode%s%s, most severe first\n\n", p.bold, count, count == 1 ? "" : "s", p.off);
        printf("  %s #  severity        %-22s %-10s %-40s  channels%s\n", p.dim, "onset", "length", "around it", p.off);
    }
    tcs_status status = print_episodes(frame, result, top, whole, &p, err);
    if (status != TCS_OK) return status;
    if (count > top) printf("  %s... and %zu more; --top %zu shows all%s\n", p.dim, count - top, count, p.off);
    const size_t unsure = tcs_result_unsure_count(result);
    if (unsure > 0)
        printf("\n  %snot sure of %zu row%s: the score is within two uncertainties of the threshold%s\n", p.dim, unsure,
               unsure == 1 ? "" : "s", p.off);
    cli_known_print_after(result);
    print_comparison(frame, result, &p);
    return TCS_OK;
}

/* ---- JSON ---- */

/* explanation: NULL: none.  is_whole: with everything, not only its kind and sentence. */
static tcs_status json_reason(tcsi_json_writer *w, tcs_explanation *explanation, bool is_whole, tcs_error *err)
{
    const char *text;
    if (!explanation) return TCS_OK;
    tcsi_json_key(w, "kind");
    tcsi_json_string(w, tcs_explanation_channel_count(explanation) > 0 ? tcs_explanation_channel(explanation, 0).kind : "unknown");
    tcsi_json_key(w, "sentence");
    tcsi_json_string(w, tcs_explanation_sentence(explanation));
    if (!is_whole) return TCS_OK;
    tcs_status status = tcs_explanation_json(explanation, false, &text, err);
    if (status != TCS_OK) return status;
    tcsi_json_key(w, "explanation");
    tcsi_json_raw(w, text);
    return TCS_OK;
}

static tcs_status json_episode(tcsi_json_writer *w, const tcs_frame *frame, const tcs_episode *episode, tcs_explanation *explanation,
                               bool is_whole, tcs_error *err)
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
    tcsi_json_key(w, "members");
    tcsi_json_integer(w, (int64_t)episode->member_count);
    tcsi_json_key(w, "members_agreeing");
    tcsi_json_integer(w, (int64_t)episode->agreeing_count);
    tcsi_json_key(w, "state");
    tcsi_json_string(w, tcs_episode_state_name(episode->state));
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
    cli_known_json_episode(w, episode);
    tcs_status status = json_reason(w, explanation, is_whole, err);
    tcsi_json_end_object(w);
    return status;
}

static tcs_status json_episodes(tcsi_json_writer *w, const tcs_frame *frame, const tcs_result *result, size_t whole, tcs_error *err)
{
    tcs_explanation *explanations[EXPLAINED_MAX] = { NULL };
    const size_t count = tcs_result_episode_count(result), explained = count < EXPLAINED_MAX ? count : EXPLAINED_MAX;
    tcs_status status = explain(result, explained, whole, explanations, err);
    tcsi_json_begin_array(w);
    for (size_t i = 0; i < count && status == TCS_OK; i++) {
        tcs_episode episode = tcs_result_episode(result, i);
        status = json_episode(w, frame, &episode, i < explained ? explanations[i] : NULL, i < whole, err);
    }
    tcsi_json_end_array(w);
    destroy_explanations(explanations, explained);
    return status;
}

void cli_tail_json(tcsi_json_writer *w, const tcs_result *result)
{
    const tcs_tail tail = tcs_result_tail(result);
    tcsi_json_key(w, "tail");
    tcsi_json_begin_object(w);
    tcsi_json_key(w, "peaks");
    tcsi_json_integer(w, (int64_t)tail.peak_count);
    tcsi_json_put_number(w, "probability", tail.probability);
    tcsi_json_put_number(w, "shape", tail.shape);
    tcsi_json_put_number(w, "shape_low", tail.shape_low);
    tcsi_json_put_number(w, "shape_high", tail.shape_high);
    tcsi_json_put_number(w, "threshold", tail.threshold);
    tcsi_json_put_number(w, "threshold_low", tail.threshold_low);
    tcsi_json_put_number(w, "threshold_high", tail.threshold_high);
    tcsi_json_key(w, "scores");
    tcsi_json_integer(w, (int64_t)tail.score_count);
    tcsi_json_put_number(w, "effective_scores", tail.effective_count);
    tcsi_json_end_object(w);
}

tcs_status cli_outcome_json(tcsi_json_writer *w, const char *input, const tcs_frame *frame, const tcs_result *result, size_t whole,
                            tcs_error *err)
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
    tcsi_json_key(w, "fitted_rows");
    tcsi_json_integer(w, (int64_t)tcs_result_fitted_row_count(result));
    tcsi_json_key(w, "assumed");
    tcsi_json_string(w, tcs_result_assumed(result));
    tcsi_json_key(w, "own_threshold");
    tcsi_json_bool(w, tcs_result_own_threshold(result));
    tcsi_json_key(w, "alarm_budget");
    tcsi_json_number(w, tcs_result_budget(result));
    const tcs_team team = tcs_result_team(result);
    if (team.name) {
        tcsi_json_put_string(w, "team", team.name);
        tcsi_json_put_number(w, "team_series", (double)team.series_count);
        tcsi_json_put_number(w, "team_alarm_budget", tcs_result_budget(result) * (double)team.series_count);
    }
    const tcs_probability probability = tcs_result_probability_source(result);
    tcsi_json_key(w, "probability");
    tcsi_json_begin_object(w);
    tcsi_json_key(w, "calibrator");
    tcsi_json_string(w, probability.calibrator);
    tcsi_json_key(w, "assumed");
    tcsi_json_bool(w, probability.is_assumed);
    tcsi_json_key(w, "anomaly_share");
    tcsi_json_number(w, probability.anomaly_share);
    tcsi_json_end_object(w);
    cli_tail_json(w, result);
    tcsi_json_key(w, "unsure_rows");
    tcsi_json_integer(w, (int64_t)tcs_result_unsure_count(result));
    tcsi_json_key(w, "seconds");
    tcsi_json_number(w, tcs_result_seconds(result));
    tcsi_json_key(w, "episodes");
    tcs_status status = json_episodes(w, frame, result, whole, err);
    cli_known_json(w, result);
    tcsi_json_end_object(w);
    return status;
}

/* ---- files ---- */

bool cli_outputs_any(const cli_outputs *o)
{
    return o->scores || o->episodes || o->forecast || o->report || o->plot;
}

tcs_status cli_outcome_write(const tcs_result *result, const cli_outputs *o, const char *input, tcs_error *err)
{
    tcs_status status = TCS_OK;
    if (o->scores) status = tcs_result_scores_write(result, o->scores, err);
    if (status == TCS_OK && o->episodes) status = tcs_result_episodes_write(result, o->episodes, err);
    if (status == TCS_OK && o->forecast) status = tcs_result_forecasts_write(result, o->forecast, err);
    if (status == TCS_OK && o->report) status = tcs_result_report_write(result, input, o->report, err);
    if (status == TCS_OK && o->plot) status = tcs_result_plot_write(result, input, o->plot, err);
    return status;
}

bool cli_outputs_use_stdout(const cli_outputs *o)
{
    return (o->scores && strcmp(o->scores, "-") == 0) || (o->episodes && strcmp(o->episodes, "-") == 0) ||
           (o->forecast && strcmp(o->forecast, "-") == 0);
}

tcs_status cli_outputs_check_stdout(const cli_outputs *o, bool json, tcs_error *err)
{
    const char *const tables[] = { o->scores, o->episodes, o->forecast };
    size_t count = json;
    for (size_t i = 0; i < TCS_COUNT(tables); i++) count += tables[i] && strcmp(tables[i], "-") == 0;
    if (count < 2) return TCS_OK;
    return tcsi_fail(err, TCS_E_INVALID, "standard output holds one thing at a time: --scores -, --episodes -, --forecast - or --json");
}

tcs_status cli_outputs_check(const cli_outputs *o, const cli_output *others, size_t other_count, const char *const *inputs,
                             size_t input_count, tcs_error *err)
{
    cli_output outputs[5 + OTHER_COUNT_MAX] = {
        { "--scores", o->scores }, { "--episodes", o->episodes }, { "--forecast", o->forecast }, { "--report", o->report },
        { "--plot", o->plot },
    };
    for (size_t i = 0; i < other_count; i++) outputs[5 + i] = others[i];
    struct stat out, in;
    for (size_t i = 0; i < 5 + other_count; i++) {
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
