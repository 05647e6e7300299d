/* apps/cmd_score.c -- `tocsin score`: judges rows with a pipeline that `tocsin fit` kept.  SPDX-License-Identifier: Apache-2.0 */
#include "asked.h"
#include "cli.h"
#include "detect_stream.h"
#include "outcome.h"
#include "progress.h"

#include "base/url.h"

#include <string.h>

typedef struct score_options {
    cli_reading reading;
    cli_outputs outputs;
    const char *model, *output;
    size_t top, explain, threads;
    bool stream, json, fail_on_anomaly;
} score_options;

#define AT(field) offsetof(score_options, field)
static const cli_option options[] = {
    { "--model", "FILE.tocsin", CLI_TEXT, AT(model), "a pipeline that `tocsin fit` kept; needed", 'm' },
    { "--output", "FILE.tocsin", CLI_TEXT, AT(output),
      "keep the pipeline as it stands behind the last row, to go on from there; inputs are then one after the other (may be the same file)",
      'o' },
    { "--stream", NULL, CLI_FLAG, AT(stream),
      "judge each row as it arrives; episodes are printed as they open and close.  Standard input is, unless more is asked for" },
    CLI_READING_OPTIONS(AT(reading), "label column (1 = anomalous), used only to compare; found when not given; '' for none"),
    CLI_OUTPUT_OPTIONS(AT(outputs)),
    { "--top", "N", CLI_COUNT, AT(top), "episodes to print; default 10" },
    { "--threads", "N", CLI_COUNT, AT(threads), "default one per processor; never changes a result" },
    { "--explain", "N", CLI_COUNT, AT(explain),
      "tell of the N most severe episodes (at most 100) what would have kept them quiet, and in --json everything; see `tocsin explain`. "
      "With --stream: in --json, with each episode that is told, what is known of it without scoring anything again" },
    { "--json", NULL, CLI_FLAG, AT(json), "print one JSON document instead of words; with --stream one object a line" },
    { "--fail-on-anomaly", NULL, CLI_FLAG, AT(fail_on_anomaly), "exit with 3 when there is an episode" },
};

/* What is ranked or drawn at the end needs the whole input. */
static bool needs_all_rows(const score_options *o)
{
    return o->outputs.episodes || o->outputs.forecast || o->outputs.report || o->outputs.plot;
}

static bool is_streamed(const score_options *o, const tcs_pipeline *pipeline, const char *input)
{
    const bool online = tcs_pipeline_describe(pipeline).mode == TCS_MODE_ONLINE;
    return o->stream || (online && strcmp(input, "-") == 0 && !needs_all_rows(o) && o->explain == 0);
}

static tcs_status score_frame(const score_options *o, tcs_pipeline *pipeline, const char *input, tcsi_json_writer *json, bool *anomalous,
                              tcs_error *err)
{
    const tcs_read_options read = cli_read_options(&o->reading);
    cli_progress bar = cli_progress_begin();
    const tcs_score_options score = { .thread_count = o->threads, .advance = o->output != NULL, .progress = cli_progress_show,
                                      .progress_context = &bar, .explain = o->explain > 0 || o->outputs.report };
    tcs_frame *frame = NULL;
    tcs_result *result = NULL;
    char shown[1024];
    tcs_status status = tcs_pipeline_frame_read(pipeline, input, &read, &frame, err);
    input = tcsi_url_redact(input, shown, sizeof shown);
    if (status == TCS_OK) status = tcs_pipeline_score(pipeline, frame, &score, &result, err);
    cli_progress_hide(&bar);
    if (status == TCS_OK) status = cli_outcome_write(result, &o->outputs, input, err);
    if (status == TCS_OK) {
        if (json) status = cli_outcome_json(json, input, tcs_result_frame(result), result, o->explain, err);
        else if (!cli_outputs_use_stdout(&o->outputs))
            status = cli_outcome_print(input, tcs_result_frame(result), result, o->top, o->explain, err);
        *anomalous |= tcs_result_episode_count(result) > 0;
    }
    tcs_result_destroy(result);
    tcs_frame_destroy(frame);
    return status;
}

static tcs_status score_one(const score_options *o, tcs_pipeline *pipeline, const char *input, tcsi_json_writer *json, bool *anomalous,
                            tcs_error *err)
{
    if (!is_streamed(o, pipeline, input)) return score_frame(o, pipeline, input, json, anomalous, err);
    const tcs_read_options read = cli_read_options(&o->reading);
    const cli_stream_request request = { .input = input, .read = &read, .pipeline = pipeline, .advance = o->output != NULL,
                                         .threads = o->threads, .scores = o->outputs.scores, .json = json != NULL,
                                         .explain = o->explain > 0 };
    return cli_detect_stream(&request, anomalous, err);
}

static tcs_status score_all(const score_options *o, tcs_pipeline *pipeline, const char *const *inputs, size_t input_count, bool *anomalous,
                            tcs_error *err)
{
    tcs_status status = TCS_OK;
    tcsi_buffer document;
    tcsi_json_writer json;
    const bool is_document = o->json && !is_streamed(o, pipeline, inputs[0]);
    tcsi_buffer_init(&document, (size_t)1 << 30);
    tcsi_json_writer_init(&json, &document, true);
    if (is_document && input_count > 1) tcsi_json_begin_array(&json);
    for (size_t i = 0; i < input_count && status == TCS_OK; i++) {
        if (i > 0 && !o->json) printf("\n");
        status = score_one(o, pipeline, inputs[i], o->json ? &json : NULL, anomalous, err);
    }
    if (status == TCS_OK && is_document) {
        if (input_count > 1) tcsi_json_end_array(&json);
        status = tcsi_json_finish(&json, err);
        if (status == TCS_OK) printf("%s\n", document.data);
    }
    tcsi_buffer_deinit(&document);
    return status;
}

static tcs_status check_usage(const score_options *o, const char *const *inputs, size_t input_count, tcs_error *err)
{
    const cli_output output = { "--output", o->output };
    bool any_stdin = false;
    if (!o->model) return tcsi_fail(err, TCS_E_INVALID, "expected -m FILE.tocsin, a pipeline that `tocsin fit` kept");
    for (size_t i = 0; i < input_count; i++) any_stdin |= strcmp(inputs[i], "-") == 0;
    if (input_count > 1 && (cli_outputs_any(&o->outputs) || o->stream || any_stdin))
        return tcsi_fail(err, TCS_E_INVALID, "one input at a time with standard input, --stream, --scores, --episodes, --forecast, "
                         "--report or --plot");
    if (o->stream && needs_all_rows(o))
        return tcsi_fail(err, TCS_E_INVALID, "--episodes, --forecast, --report and --plot need all rows: not with --stream");
    tcs_status status = o->stream ? TCS_OK : cli_outputs_check_stdout(&o->outputs, o->json, err);
    return status == TCS_OK ? cli_outputs_check(&o->outputs, &output, 1, inputs, input_count, err) : status;
}

static int run(const void *raw, const char *const *inputs, size_t input_count)
{
    const score_options *o = raw;
    tcs_error err = { 0 };
    tcs_pipeline *pipeline = NULL;
    bool anomalous = false;
    tcs_status status = check_usage(o, inputs, input_count, &err);
    if (status == TCS_OK) status = tcs_pipeline_read(o->model, &pipeline, &err);
    if (status == TCS_OK) status = score_all(o, pipeline, inputs, input_count, &anomalous, &err);
    if (status == TCS_OK && o->output) status = tcs_pipeline_write(pipeline, o->output, &err);
    tcs_pipeline_destroy(pipeline);
    if (status != TCS_OK) return cli_fail("score", &err);
    return o->fail_on_anomaly && anomalous ? EXIT_ANOMALY : EXIT_DONE;
}

const cli_command cli_score = {
    .name = "score",
    .positional = "INPUT...",
    .positional_min = 1,
    .positional_max = CLI_INPUT_COUNT_MAX,
    .summary = "judge later rows with what `tocsin fit` learned",
    .description = "Judges the rows of INPUT (as in `tocsin detect`) with a pipeline that `tocsin fit` kept. Columns are found by their "
                   "names, in whatever order they stand. Several inputs are each judged from where the pipeline stands; with --output they "
                   "follow one another.",
    .examples = "  tocsin score -m plant.tocsin tuesday.csv --scores tuesday.scores.csv\n"
                "  tocsin score -m plant.tocsin -o plant.tocsin tuesday.csv wednesday.csv\n"
                "  tail -f sensor.csv | tocsin score -m plant.tocsin - --scores -\n",
    .options = options,
    .option_count = TCS_COUNT(options),
    .options_size = sizeof(score_options),
    .run = run,
};
