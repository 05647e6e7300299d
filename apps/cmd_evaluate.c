/* apps/cmd_evaluate.c -- `tocsin evaluate`: scores against labels.  SPDX-License-Identifier: Apache-2.0 */
#include "cli.h"
#include "known.h"
#include "outcome.h"

#include "base/json.h"
#include "base/status.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct evaluate_options {
    const char *scores, *labels, *score_column, *label_column, *threshold, *cost_miss, *cost_false_alarm, *plot, *knowledge;
    size_t window;
    bool decisions, json, list;
} evaluate_options;

#define AT(field) offsetof(evaluate_options, field)
static const cli_option options[] = {
    { "--scores", "FILE", CLI_TEXT, AT(scores), "as written by `tocsin detect --scores`, or any file with a score column" },
    { "--labels", "FILE", CLI_TEXT, AT(labels), "a file with a label column and the same rows; default: the scores file itself" },
    { "--score-column", "NAME", CLI_TEXT, AT(score_column), "default score" },
    { "--label-column", "NAME", CLI_TEXT, AT(label_column), "default label, Label, labels, is_anomaly or y, whichever is there" },
    { "--threshold", "X", CLI_TEXT, AT(threshold), "judge at this threshold instead of the best one" },
    { "--decisions", NULL, CLI_FLAG, AT(decisions), "judge the decisions in the scores file's anomaly column: what a user would have had" },
    { "--window", "ROWS", CLI_COUNT, AT(window), "largest margin around events in VUS; default 100" },
    { "--cost-miss", "X", CLI_TEXT, AT(cost_miss), "cost of a missed event; default 10" },
    { "--cost-false-alarm", "X", CLI_TEXT, AT(cost_false_alarm), "cost of a false alarm; default 1" },
    { "--plot", "FILE.png", CLI_TEXT, AT(plot), "draw stated probabilities (column probability) beside the share of anomalous rows" },
    { "--knowledge", "FILE.yaml", CLI_TEXT, AT(knowledge),
      "rows of known events that it states for all channels are not judged: neither events to find nor false alarms" },
    { "--list-measures", NULL, CLI_FLAG, AT(list), "explain every measure with its source, and stop" },
    { "--json", NULL, CLI_FLAG, AT(json), "print one JSON document" },
};

static int list_measures(void)
{
    for (size_t i = 0; i < tcs_measure_count(); i++) {
        tcs_measure_description m = tcs_measure_describe(i);
        printf("%-26s %s%s%s: %s.%s%s\n", m.key, m.title, *m.unit ? " in " : "", m.unit, m.help, *m.paper ? "  " : "", m.paper);
    }
    return EXIT_DONE;
}

static const double *column_named(const tcs_frame *frame, const char *name)
{
    for (size_t c = 0; c < tcs_frame_channel_count(frame); c++)
        if (strcmp(tcs_frame_channel_name(frame, c), name) == 0) return tcs_frame_values(frame, c);
    return NULL;
}

/* Every numeric column as a channel, labels among them; the time column, if any, as times.  Rows stay as they come: those of the
 * scores belong to those of the labels by their place. */
static tcs_status read_columns(const char *path, tcs_frame **ret_frame, tcs_error *err)
{
    tcs_read_options read = { .label = "", .as_series = true, .keep_order = true };
    return tcs_frame_read(path, &read, ret_frame, err);
}

static const char *const usual_labels[] = { "label", "Label", "labels", "is_anomaly", "y" };

static const double *find_labels(const tcs_frame *frame, const char *name)
{
    if (name) return column_named(frame, name);
    for (size_t i = 0; i < TCS_COUNT(usual_labels); i++)
        if (column_named(frame, usual_labels[i])) return column_named(frame, usual_labels[i]);
    return NULL;
}

static tcs_status to_flags(const double *values, size_t count, const char *path, const char *what, uint8_t **ret_flags, tcs_error *err)
{
    uint8_t *flags = malloc(count ? count : 1);
    if (!flags) return tcsi_fail_memory(err, what);
    for (size_t t = 0; t < count; t++) {
        if (values[t] != 0 && values[t] != 1 && !isnan(values[t])) {
            free(flags);
            return tcsi_fail(err, TCS_E_FORMAT, "%s: %s of row %zu is %g, expected 0 or 1", path, what, t, values[t]);
        }
        flags[t] = values[t] == 1;
    }
    *ret_flags = flags;
    return TCS_OK;
}

typedef struct loaded {
    tcs_frame *scores, *labels;
    const double *score, *label, *p_value, *anomaly, *probability, *value, *low, *high;
    uint8_t *label_flags, *decision_flags;
    double *judged_score; /* with knowledge: score, missing in the rows that are excused */
    size_t excused_count;
    tcs_reliability_bin bins[TCS_RELIABILITY_BIN_COUNT]; /* with probabilities */
} loaded;

/* ---- telling ---- */

typedef struct teller {
    bool json;
    tcsi_json_writer *writer;
} teller;

static void tell_note(const teller *t, const char *text)
{
    if (t->json) tcsi_json_string(t->writer, text);
    else printf("  %s\n", text);
}

static void tell_missing(const teller *t, size_t count, const char *what, const char *taken)
{
    char text[128];
    if (count == 0) return;
    snprintf(text, sizeof text, "%zu %s%s %s missing%s", count, what, count == 1 ? "" : "s", count == 1 ? "is" : "are", taken);
    tell_note(t, text);
}

/* What was found out about the files, and what became of cells that hold nothing. */
static void tell_notes(const teller *t, const loaded *l)
{
    const tcs_frame *frames[] = { l->scores, l->labels };
    size_t row_count = tcs_frame_row_count(l->scores), missing_scores = 0, missing_labels = 0;
    for (size_t f = 0; f < TCS_COUNT(frames); f++)
        for (size_t i = 0; frames[f] && i < tcs_frame_note_count(frames[f]); i++) tell_note(t, tcs_frame_note(frames[f], i));
    for (size_t r = 0; r < row_count; r++) {
        missing_scores += isnan(l->score[r]);
        missing_labels += isnan(l->label[r]);
    }
    tell_missing(t, missing_scores, "score", ": below every other");
    tell_missing(t, missing_labels, "label", ": taken as 0");
    char text[128];
    snprintf(text, sizeof text, "%zu row%s of known events not judged", l->excused_count, l->excused_count == 1 ? "" : "s");
    if (l->judged_score) tell_note(t, text);
}

static void tell_bins(const teller *t, const loaded *l)
{
    tcsi_json_key(t->writer, "reliability");
    tcsi_json_begin_array(t->writer);
    if (!t->json) printf("\n  stated probability beside the share of anomalous rows\n");
    for (size_t i = 0; i < TCS_RELIABILITY_BIN_COUNT && l->probability; i++) {
        const tcs_reliability_bin *bin = &l->bins[i];
        if (bin->row_count == 0) continue;
        tcsi_json_begin_object(t->writer);
        tcsi_json_key(t->writer, "probability");
        tcsi_json_number(t->writer, bin->probability);
        tcsi_json_key(t->writer, "share");
        tcsi_json_number(t->writer, bin->share);
        tcsi_json_key(t->writer, "rows");
        tcsi_json_integer(t->writer, (int64_t)bin->row_count);
        tcsi_json_end_object(t->writer);
        if (!t->json) printf("  %26.4f %12.4f  %zu row%s\n", bin->probability, bin->share, bin->row_count, bin->row_count == 1 ? "" : "s");
    }
    tcsi_json_end_array(t->writer);
}

static tcs_status tell(const evaluate_options *o, const loaded *l, const double *values, tcs_error *err)
{
    tcsi_buffer out;
    tcsi_json_writer w;
    teller t = { o->json, &w };
    size_t row_count = tcs_frame_row_count(l->scores);
    tcsi_buffer_init(&out, 1 << 20);
    tcsi_json_writer_init(&w, &out, true);
    tcsi_json_begin_object(&w);
    tcsi_json_key(&w, "rows");
    tcsi_json_integer(&w, (int64_t)row_count);
    tcsi_json_key(&w, "notes");
    tcsi_json_begin_array(&w);
    tell_notes(&t, l);
    tcsi_json_end_array(&w);
    tcsi_json_key(&w, "best_case");
    tcsi_json_bool(&w, !o->threshold && !o->decisions);
    if (!o->json)
        printf("\n%zu rows; thresholds %s\n\n", row_count,
               o->decisions ? "as decided" : o->threshold ? "as given" : "chosen with the labels: a best case");
    for (size_t i = 0; i < tcs_measure_count(); i++) {
        tcs_measure_description m = tcs_measure_describe(i);
        tcsi_json_key(&w, m.key);
        tcsi_json_number(&w, values[i]);
        if (!o->json && !isnan(values[i])) printf("  %-26s %12.6g  %s%s%s\n", m.key, values[i], m.title, *m.unit ? ", " : "", m.unit);
    }
    if (l->probability) tell_bins(&t, l);
    tcsi_json_end_object(&w);
    tcs_status status = tcsi_json_finish(&w, err);
    if (status == TCS_OK && o->json) printf("%s\n", out.data);
    tcsi_buffer_deinit(&out);
    return status;
}

/* ---- loading ---- */

/* Why a column that is there is no channel, as the reader noted it; NULL: it is not there. */
static const char *why_unused(const tcs_frame *frame, const char *name)
{
    char prefix[128];
    int length = snprintf(prefix, sizeof prefix, "not used: %s: ", name);
    for (size_t i = 0; i < tcs_frame_note_count(frame) && (size_t)length < sizeof prefix; i++)
        if (strncmp(tcs_frame_note(frame, i), prefix, (size_t)length) == 0) return tcs_frame_note(frame, i) + length;
    return NULL;
}

/* A column that an option names and that is not there is the option's fault; one that is empty or only usual, the file's. */
static tcs_status refuse_missing(const char *path, const tcs_frame *frame, const char *const *names, size_t name_count,
                                 const char *option, bool is_given, tcs_error *err)
{
    for (size_t i = 0; i < name_count; i++) {
        const char *why = why_unused(frame, names[i]);
        if (why) return tcsi_fail(err, TCS_E_FORMAT, "%s: column '%s' cannot be used: %s", path, names[i], why);
    }
    if (is_given) return tcsi_fail(err, TCS_E_INVALID, "%s: no column '%s', which %s names", path, names[0], option);
    return tcsi_fail(err, TCS_E_FORMAT, "%s: no column '%s'; %s names another", path, names[0], option);
}

static tcs_status load(const evaluate_options *o, const char *path, loaded *l, tcs_error *err)
{
    const char *score_name = o->score_column ? o->score_column : "score";
    tcs_status status = read_columns(path, &l->scores, err);
    if (status == TCS_OK && o->labels) status = read_columns(o->labels, &l->labels, err);
    if (status != TCS_OK) return status;
    const tcs_frame *labelled = l->labels ? l->labels : l->scores;
    l->score = column_named(l->scores, score_name);
    l->label = find_labels(labelled, o->label_column);
    l->p_value = column_named(l->scores, "p_value");
    l->anomaly = column_named(l->scores, "anomaly");
    l->probability = column_named(l->scores, "probability");
    l->value = column_named(l->scores, "value");
    l->low = column_named(l->scores, "low");
    l->high = column_named(l->scores, "high");
    if (!l->value || !l->low || !l->high) l->value = l->low = l->high = NULL;
    if (!l->score) return refuse_missing(path, l->scores, &score_name, 1, "--score-column", o->score_column, err);
    if (!l->label && o->label_column)
        return refuse_missing(o->labels ? o->labels : path, labelled, &o->label_column, 1, "--label-column", true, err);
    if (!l->label)
        return refuse_missing(o->labels ? o->labels : path, labelled, usual_labels, TCS_COUNT(usual_labels), "--label-column", false, err);
    if (o->plot && !l->probability) return tcsi_fail(err, TCS_E_FORMAT, "%s: --plot needs a column 'probability'", path);
    if (o->decisions && !l->anomaly) return tcsi_fail(err, TCS_E_FORMAT, "%s: --decisions needs a column 'anomaly'", path);
    size_t row_count = tcs_frame_row_count(l->scores);
    if (tcs_frame_row_count(labelled) != row_count)
        return tcsi_fail(err, TCS_E_FORMAT, "%s holds %zu scores but %s %zu labels", path, row_count, o->labels,
                         tcs_frame_row_count(labelled));
    status = to_flags(l->label, row_count, o->labels ? o->labels : path, "label", &l->label_flags, err);
    if (status == TCS_OK && o->decisions) status = to_flags(l->anomaly, row_count, path, "anomaly", &l->decision_flags, err);
    return status;
}

static const int64_t *times_of(const loaded *l)
{
    const tcs_frame *timed = l->labels && tcs_frame_times_ns(l->labels) ? l->labels : l->scores;
    return tcs_frame_has_real_times(timed) ? tcs_frame_times_ns(timed) : NULL;
}

/* Rows in which what happens is expected are normal rows without a score. */
static tcs_status excuse(const evaluate_options *o, loaded *l, tcs_error *err)
{
    const size_t row_count = tcs_frame_row_count(l->scores);
    const int64_t *times_ns = times_of(l);
    tcs_knowledge *knowledge = NULL;
    if (!times_ns) return tcsi_fail(err, TCS_E_FORMAT, "--knowledge needs a time column beside scores or labels");
    tcs_status status = tcs_knowledge_read(o->knowledge, cli_known_problem, NULL, &knowledge, err);
    if (status == TCS_OK && !(l->judged_score = malloc((row_count + 1) * sizeof *l->judged_score))) status = tcsi_fail_memory(err,
            "scores");
    for (size_t t = 0; status == TCS_OK && t < row_count; t++) {
        const bool is_excused = tcs_knowledge_excuses(knowledge, times_ns[t]);
        l->judged_score[t] = is_excused ? NAN : l->score[t];
        if (!is_excused) continue;
        l->excused_count++;
        l->label_flags[t] = 0;
        if (l->decision_flags) l->decision_flags[t] = 0;
    }
    tcs_knowledge_destroy(knowledge);
    return status;
}

/* Options whose zero means zero come as text.  *ret keeps its value when text is NULL. */
static tcs_status parse_number(const char *option, const char *text, double value_min, double *ret, tcs_error *err)
{
    char *end = NULL;
    double value = text ? strtod(text, &end) : *ret;
    if (!text) return TCS_OK;
    if (end == text || *end || !isfinite(value) || value < value_min)
        return tcsi_fail(err, TCS_E_INVALID, "%s %s: expected a number%s", option, text, value_min == 0 ? " of 0 or more" : "");
    *ret = value;
    return TCS_OK;
}

/* Everything that can be wrong with the options alone. */
static tcs_status parse_usage(const evaluate_options *o, const char *const *inputs, size_t input_count, const char **ret_path,
                              tcs_evaluate_options *ret_evaluate, tcs_error *err)
{
    tcs_evaluate_options evaluate = { .window = o->window, .has_threshold = o->threshold, .cost_miss = 10, .cost_false_alarm = 1 };
    if (o->scores && input_count) return tcsi_fail(err, TCS_E_INVALID, "--scores %s or %s, not both", o->scores, inputs[0]);
    if (!o->scores && !input_count) return tcsi_fail(err, TCS_E_INVALID, "expected --scores FILE; try `tocsin evaluate --help`");
    if (o->threshold && o->decisions) return tcsi_fail(err, TCS_E_INVALID, "--threshold or --decisions, not both");
    tcs_status status = parse_number("--threshold", o->threshold, -INFINITY, &evaluate.threshold, err);
    if (status == TCS_OK) status = parse_number("--cost-miss", o->cost_miss, 0, &evaluate.cost_miss, err);
    if (status == TCS_OK) status = parse_number("--cost-false-alarm", o->cost_false_alarm, 0, &evaluate.cost_false_alarm, err);
    if (status == TCS_OK && evaluate.cost_miss + evaluate.cost_false_alarm == 0)
        status = tcsi_fail(err, TCS_E_INVALID, "--cost-miss and --cost-false-alarm are both 0: nothing would cost anything");
    *ret_path = o->scores ? o->scores : inputs[0];
    if (status == TCS_OK && o->plot) {
        const char *read[] = { *ret_path, o->labels ? o->labels : *ret_path };
        const cli_output plot = { "--plot", o->plot };
        status = strcmp(o->plot, "-") == 0 ? tcsi_fail(err, TCS_E_INVALID, "--plot -: expected the name of a file")
                                           : cli_outputs_check(&(cli_outputs){ 0 }, &plot, 1, read, 2, err);
    }
    *ret_evaluate = evaluate;
    return status;
}

static tcs_status evaluate_loaded(const evaluate_options *o, loaded *l, tcs_evaluate_options *evaluate, tcs_error *err)
{
    double *values = calloc(tcs_measure_count(), sizeof *values);
    if (!values) return tcsi_fail_memory(err, "measures");
    evaluate->decisions = l->decision_flags;
    evaluate->p_values = l->p_value;
    evaluate->probabilities = l->probability;
    evaluate->values = l->value;
    evaluate->lows = l->low;
    evaluate->highs = l->high;
    evaluate->times_ns = times_of(l);
    tcs_status status = tcs_evaluate(l->judged_score ? l->judged_score : l->score, l->label_flags, tcs_frame_row_count(l->scores),
                                     evaluate, values, err);
    if (status == TCS_OK && l->probability)
        status = tcs_reliability(l->probability, l->label_flags, tcs_frame_row_count(l->scores), l->bins, err);
    /* The options were checked but for the size of the window; what else is wrong is in the columns. */
    if (status == TCS_E_INVALID) status = err->status = TCS_E_FORMAT;
    else if (status == TCS_E_LIMIT && o->window > 0) status = err->status = TCS_E_INVALID;
    if (status == TCS_OK && o->plot) status = tcs_reliability_plot(l->bins, "Stated probability and what came", o->plot, err);
    if (status == TCS_OK) status = tell(o, l, values, err);
    free(values);
    return status;
}

static int run(const void *raw, const char *const *inputs, size_t input_count)
{
    const evaluate_options *o = raw;
    const char *path = NULL;
    tcs_evaluate_options evaluate;
    tcs_error err = { 0 };
    loaded l = { 0 };
    if (o->list) return list_measures();
    tcs_status status = parse_usage(o, inputs, input_count, &path, &evaluate, &err);
    if (status == TCS_OK) status = load(o, path, &l, &err);
    if (status == TCS_OK && o->knowledge) status = excuse(o, &l, &err);
    if (status == TCS_OK) status = evaluate_loaded(o, &l, &evaluate, &err);
    free(l.judged_score);
    free(l.label_flags);
    free(l.decision_flags);
    tcs_frame_destroy(l.scores);
    tcs_frame_destroy(l.labels);
    return status == TCS_OK ? EXIT_DONE : cli_fail("evaluate", &err);
}

const cli_command cli_evaluate = {
    .name = "evaluate",
    .positional = "[FILE]",
    .positional_max = 1,
    .summary = "compare scores with labels",
    .description = "Computes every measure of scores against labels: areas under curves, VUS, point, event, range and affiliation F1, time "
                   "to detect, false alarms, NAB's score, cost. The same values as the TSB-AD and NAB suites compute. "
                   "Columns p_value and probability are judged by what they promise, and so are bands, columns low and high beside value.",
    .examples = "  tocsin detect plant.csv --scores scores.csv && tocsin evaluate --scores scores.csv --labels plant.csv\n"
                "  tocsin evaluate scores.csv --decisions --json\n",
    .options = options,
    .option_count = TCS_COUNT(options),
    .options_size = sizeof(evaluate_options),
    .run = run,
};
