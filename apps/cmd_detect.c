/* apps/cmd_detect.c -- `tocsin detect`: from a file nobody has described to a ranked list of episodes.
 * SPDX-License-Identifier: Apache-2.0 */
#include "asked.h"
#include "cli.h"
#include "detect_stream.h"
#include "labels.h"
#include "known.h"
#include "outcome.h"
#include "progress.h"
#include "teams.h"
#include "together.h"

#include "base/status.h"
#include "base/url.h"

#include <string.h>

typedef struct detect_options {
    cli_detecting detecting;
    cli_reading reading;
    cli_outputs outputs;
    cli_together together;
    cli_teams_asked teams;
    size_t top, explain;
    const char *labels;
    bool stream, json, fail_on_anomaly, list;
} detect_options;

#define AT(field) offsetof(detect_options, field)
static const cli_option options[] = {
    { "--mode", "offline|online", CLI_TEXT, AT(detecting.mode),
      "offline looks back over everything (default); online uses only the past of each row" },
    { "--stream", NULL, CLI_FLAG, AT(stream),
      "with --mode online: judge each row as it arrives, in bounded memory; episodes are printed as they open and close" },
    CLI_DETECTING_OPTIONS(AT(detecting), "auto (default) or one of --list-detectors",
                          "the first N rows are mostly normal, or, for a detector that learns from labels, labelled; chosen when not "
                          "given"),
    { "--list-detectors", NULL, CLI_FLAG, AT(list), "list every detector with its parameters and paper, and stop" },
    CLI_COLUMN_OPTIONS(AT(reading)),
    CLI_READING_OPTIONS(AT(reading), "label column (1 = anomalous), used only to compare, and those of --train-rows for probabilities, "
                                     "unless the detector learns from them; found when not given; '' for none"),
    CLI_OUTPUT_OPTIONS(AT(outputs)),
    CLI_TEAMS_OPTIONS(AT(teams)),
    CLI_TOGETHER_OPTIONS(AT(together)),
    { "--top", "N", CLI_COUNT, AT(top), "episodes to print; default 10" },
    CLI_LABELS_OPTION(AT(labels)),
    { "--explain", "N", CLI_COUNT, AT(explain),
      "tell of the N most severe episodes (at most 100) what would have kept them quiet, and in --json everything; see `tocsin explain`. "
      "With --stream: in --json, with each episode that is told, what is known of it without scoring anything again" },
    { "--json", NULL, CLI_FLAG, AT(json), "print one JSON document instead of words" },
    { "--fail-on-anomaly", NULL, CLI_FLAG, AT(fail_on_anomaly), "exit with 3 when there is an episode, with --fdr one that stays" },
};

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

/* What the inputs have in common. */
typedef struct detect_run {
    const detect_options *options;
    tcsi_json_writer *json; /* NULL: words */
    tcs_joint *joint;       /* NULL: each input is judged by itself */
    cli_teams *teams;       /* NULL: each input has a budget of its own */
    bool anomalous;
} detect_run;

static tcs_status detect_frame(detect_run *run, size_t index, const char *input, tcs_detect_options *detect, tcs_error *err)
{
    const detect_options *o = run->options;
    const tcs_read_options read = cli_read_options(&o->reading);
    cli_progress bar = cli_progress_begin();
    detect->progress = cli_progress_show;
    detect->progress_context = &bar;
    detect->explain = o->explain > 0 || o->outputs.report;
    tcs_frame *frame = NULL;
    tcs_result *result = NULL;
    char shown[1024]; /* whatever is printed or written is without the password of a URL */
    tcs_status status = tcs_frame_read(input, &read, &frame, err);
    input = tcsi_url_redact(input, shown, sizeof shown);
    if (status == TCS_OK && detect->knowledge) status = tcs_knowledge_check(detect->knowledge, frame, cli_known_problem, NULL, err);
    if (status == TCS_OK) status = tcs_detect(frame, detect, &result, err);
    if (status == TCS_OK) status = cli_labels_apply(o->labels, result, err);
    cli_progress_hide(&bar);
    if (status == TCS_OK) status = cli_outcome_write(result, &o->outputs, input, err);
    if (status == TCS_OK) {
        if (run->json) status = cli_outcome_json(run->json, input, tcs_result_frame(result), result, o->explain, err);
        else if (!cli_outputs_use_stdout(&o->outputs))
            status = cli_outcome_print(input, tcs_result_frame(result), result, o->top, o->explain, err);
        if (!run->json && o->outputs.report && !cli_outputs_use_stdout(&o->outputs)) printf("\n  report: %s\n", o->outputs.report);
        run->anomalous |= tcs_result_episode_count(result) > 0;
        if (run->teams) cli_teams_add(run->teams, index, result);
        if (status == TCS_OK && run->joint) status = tcs_joint_add(run->joint, result, err);
    }
    tcs_result_destroy(result);
    tcs_frame_destroy(frame);
    return status;
}

static tcs_status detect_one(detect_run *run, size_t index, const char *input, tcs_error *err)
{
    const detect_options *o = run->options;
    tcs_detect_options detect;
    cli_given given;
    tcs_status status = cli_detect_options(&o->detecting, TCS_MODE_OFFLINE, 1, &given, &detect, err);
    if (status == TCS_OK && run->teams) cli_teams_ask(run->teams, index, &detect);
    if (status == TCS_OK && o->stream) {
        const tcs_read_options read = cli_read_options(&o->reading);
        const cli_stream_request request = { .input = input, .read = &read, .detect = &detect, .scores = o->outputs.scores,
                                             .json = run->json != NULL, .explain = o->explain > 0 };
        status = cli_detect_stream(&request, &run->anomalous, err);
    } else if (status == TCS_OK) {
        status = detect_frame(run, index, input, &detect, err);
    }
    cli_given_deinit(&given);
    return status;
}

/* What --stream cannot be asked for; NULL: nothing. */
static const char *stream_problem(const detect_options *o, size_t input_count)
{
    const char *mode = o->detecting.mode;
    if (!o->detecting.from && (!mode || strcmp(mode, "online") != 0)) return "--stream judges rows as they arrive: it needs --mode online";
    if (o->outputs.report || o->outputs.plot) return "--report and --plot need the whole series: not with --stream";
    if (o->teams.budget_for || o->teams.file)
        return "--budget-for and --teams are for inputs that are over: with --stream say --team NAME:COUNT";
    if (o->together.level) return "--fdr judges inputs that are over: not with --stream";
    if (o->detecting.checkpoint) return "--checkpoint is not for streams, whose training is short";
    if (o->labels) return "--labels is about rows of a whole input: not with --stream";
    if (o->outputs.forecast) return "--forecast says what comes after the last row: not with --stream, which knows of none";
    if (o->outputs.episodes)
        return "--episodes ranks all episodes at the end: not with --stream, which prints each (--json: one object a line)";
    return input_count > 1 ? "one input at a time with --stream" : NULL;
}

static tcs_status check_usage(const detect_options *o, const char *const *inputs, size_t input_count, tcs_error *err)
{
    const cli_output checkpoint = { "--checkpoint", o->detecting.checkpoint };
    if (input_count == 0) return tcsi_fail(err, TCS_E_INVALID, "expected INPUT...; try `tocsin detect --help`");
    if (input_count > 1 && o->detecting.facts) return tcsi_fail(err, TCS_E_INVALID, "one input at a time with --facts");
    if (input_count > 1 && (cli_outputs_any(&o->outputs) || o->detecting.checkpoint))
        return tcsi_fail(err, TCS_E_INVALID, "one input at a time with --scores, --episodes, --forecast, --checkpoint, --report or --plot");
    const char *problem = o->stream ? stream_problem(o, input_count) : NULL;
    if (problem) return tcsi_fail(err, TCS_E_INVALID, "%s", problem);
    tcs_status status = o->stream ? TCS_OK : cli_outputs_check_stdout(&o->outputs, o->json, err);
    return status == TCS_OK ? cli_outputs_check(&o->outputs, &checkpoint, 1, inputs, input_count, err) : status;
}

/* One document for all: the input's own; of several an array; with --fdr or teams an object with them, and what is said of all. */
static tcs_status detect_all(detect_run *run, const char *const *inputs, size_t input_count, tcs_error *err)
{
    const detect_options *o = run->options;
    const bool is_told = run->joint || run->teams;
    tcs_status status = TCS_OK;
    if (run->json && is_told) {
        tcsi_json_begin_object(run->json);
        tcsi_json_key(run->json, "inputs");
    }
    if (run->json && (is_told || input_count > 1)) tcsi_json_begin_array(run->json);
    for (size_t i = 0; i < input_count && status == TCS_OK; i++) {
        if (i > 0 && !run->json) printf("\n");
        status = detect_one(run, i, inputs[i], err);
    }
    if (run->json && (is_told || input_count > 1)) tcsi_json_end_array(run->json);
    if (status != TCS_OK || !is_told) return status;
    if (run->teams) cli_teams_tell(run->teams, run->json);
    if (run->json && run->joint) tcsi_json_key(run->json, "together");
    if (run->joint) status = cli_together_tell(run->joint, inputs, o->top, run->json, &run->anomalous, err);
    if (run->json) tcsi_json_end_object(run->json);
    return status;
}

static int run(const void *raw, const char *const *inputs, size_t input_count)
{
    const detect_options *o = raw;
    tcs_error err = { 0 };
    tcsi_buffer document;
    tcsi_json_writer json;
    detect_run all = { .options = o, .json = o->json ? &json : NULL };
    if (o->list) return list_detectors();
    if (check_usage(o, inputs, input_count, &err) != TCS_OK) return cli_fail("detect", &err);
    tcsi_buffer_init(&document, (size_t)1 << 30);
    tcsi_json_writer_init(&json, &document, true);
    tcs_status status = cli_together_begin(&o->together, &all.joint, &err);
    if (status == TCS_OK) status = cli_teams_begin(&o->teams, &o->detecting, inputs, input_count, &all.teams, &err);
    if (status == TCS_OK) status = detect_all(&all, inputs, input_count, &err);
    if (status == TCS_OK && o->json && !o->stream) {
        status = tcsi_json_finish(&json, &err);
        if (status == TCS_OK) printf("%s\n", document.data);
    }
    tcsi_buffer_deinit(&document);
    tcs_joint_destroy(all.joint);
    cli_teams_destroy(all.teams);
    if (status != TCS_OK) return cli_fail("detect", &err);
    return o->fail_on_anomaly && all.anomalous ? EXIT_ANOMALY : EXIT_DONE;
}

const cli_command cli_detect = {
    .name = "detect",
    .positional = "INPUT...",
    .positional_max = CLI_INPUT_COUNT_MAX,
    .summary = "find the rare events in data it has never seen",
    .description = "Reads INPUT (a path, - for standard input, or a sqlite:, postgresql: or http: URL), finds out what its columns are, "
                   "looks for rows that do not belong, and prints the episodes they form, most severe first, with the channels "
                   "that carry them. Needs no labels, no configuration and no training. CSV, TSV, NDJSON, NPY and NPZ, also "
                   "inside gzip or zstd. Without a time column the rows are taken as a table, unless --series is given.",
    .examples = "  tocsin detect plant.csv --report plant.html\n"
                "  tocsin detect metrics.csv.gz --mode online --alarm-budget 2/week\n"
                "  tocsin detect 'sqlite:plant.db' --query 'select time, flow from sensor order by time'\n"
                "  tocsin detect http://localhost:9090 --query 'rate(node_cpu_seconds_total[5m])' --start now-6h\n"
                "  tocsin detect plant.csv --knowledge plant.yaml\n"
                "  psql -c '...' --csv | tocsin detect - --json\n"
                "  tocsin detect fleet/*.csv --fdr 0.1\n"
                "  tocsin detect */*.csv --alarm-budget 2/week --budget-for folder\n"
                "  tail -f sensor.csv | tocsin detect - --mode online --stream --scores -\n",
    .options = options,
    .option_count = TCS_COUNT(options),
    .options_size = sizeof(detect_options),
    .run = run,
};
