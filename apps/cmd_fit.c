/* apps/cmd_fit.c -- `tocsin fit`: learns what is usual, and keeps it in a file for `tocsin score`.  SPDX-License-Identifier: Apache-2.0 */
#include "asked.h"
#include "cli.h"
#include "known.h"
#include "outcome.h"
#include "preview.h"
#include "progress.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/url.h"

#include <math.h>

typedef struct fit_options {
    cli_detecting detecting;
    cli_reading reading;
    const char *output;
    bool json, preview;
} fit_options;

#define AT(field) offsetof(fit_options, field)
static const cli_option options[] = {
    { "--output", "FILE.tocsin", CLI_TEXT, AT(output), "where the pipeline is kept; needed", 'o' },
    { "--mode", "online|offline", CLI_TEXT, AT(detecting.mode),
      "online (default): later rows are judged one by one, each by its past; offline: later inputs are judged as a whole" },
    CLI_DETECTING_OPTIONS(AT(detecting), "auto (default) or one of `tocsin detect --list-detectors`",
                          "learn from the first N rows; the others tell how high normal rows score.  Default four fifths"),
    CLI_COLUMN_OPTIONS(AT(reading)),
    CLI_READING_OPTIONS(AT(reading), "label column (1 = anomalous), learned from by detectors that can, and for probabilities; found when "
                                     "not given; '' for none"),
    { "--preview", NULL, CLI_FLAG, AT(preview),
      "show what would have alarmed in these rows, under the policy asked for and others beside it, before it is adopted; without -o "
      "nothing is kept" },
    { "--json", NULL, CLI_FLAG, AT(json), "print one JSON document instead of words" },
};

static void print_words(const tcs_pipeline *pipeline, const fit_options *o, double seconds)
{
    const tcs_pipeline_description d = tcs_pipeline_describe(pipeline);
    printf("  %s, detector %s, learned from %zu rows%s%s, %.2f s\n", d.mode == TCS_MODE_ONLINE ? "online" : "offline", d.detector,
           d.train_row_count, d.fleet ? " of a fleet" : "", d.told ? " and their labels" : "", seconds);
    if (d.step_count > 0) printf("  %zu steps of training, loss %.4g", d.step_count, d.train_loss);
    if (d.step_count > 0 && isfinite(d.held_loss)) printf(", of rows held out %.4g", d.held_loss);
    if (d.step_count > 0) printf("\n");
    if (d.knowledge) printf("  knows what %s states\n", d.knowledge);
    if (d.fleet)
        printf("\n  kept in %s; to judge a series of this kind, by its own first rows and what all have in common:\n\n"
               "    tocsin detect SERIES.csv --from %s\n", o->output, o->output);
    else printf("\n  kept in %s; to judge later rows:\n\n    tocsin score -m %s LATER.csv\n", o->output, o->output);
}

static tcs_status print_json(const char *const *paths, size_t count, const tcs_pipeline *pipeline, const fit_options *o, double seconds,
                             tcs_error *err)
{
    const tcs_pipeline_description d = tcs_pipeline_describe(pipeline);
    tcsi_buffer document;
    tcsi_json_writer w;
    char shown[1024];
    tcsi_buffer_init(&document, (size_t)1 << 30);
    tcsi_json_writer_init(&w, &document, true);
    tcsi_json_begin_object(&w);
    tcsi_json_key(&w, "inputs");
    tcsi_json_begin_array(&w);
    for (size_t i = 0; i < count; i++) tcsi_json_string(&w, tcsi_url_redact(paths[i], shown, sizeof shown));
    tcsi_json_end_array(&w);
    tcsi_json_put_string(&w, "output", o->output);
    tcsi_json_put_string(&w, "mode", d.mode == TCS_MODE_ONLINE ? "online" : "offline");
    tcsi_json_put_string(&w, "detector", d.detector);
    tcsi_json_key(&w, "channels");
    tcsi_json_begin_array(&w);
    for (size_t c = 0; c < d.channel_count; c++) tcsi_json_string(&w, tcs_pipeline_channel_name(pipeline, c));
    tcsi_json_end_array(&w);
    tcsi_json_put_number(&w, "rows", (double)d.row_count);
    tcsi_json_put_number(&w, "train_rows", (double)d.train_row_count);
    tcsi_json_key(&w, "labels_learned");
    tcsi_json_bool(&w, d.told);
    if (d.knowledge) tcsi_json_put_string(&w, "knowledge", d.knowledge);
    tcsi_json_put_number(&w, "seed", (double)d.seed);
    tcsi_json_put_number(&w, "steps", (double)d.step_count);
    tcsi_json_put_number(&w, "train_loss", d.train_loss);
    tcsi_json_put_number(&w, "held_loss", d.held_loss);
    tcsi_json_put_number(&w, "seconds", seconds);
    tcsi_json_end_object(&w);
    tcs_status status = tcsi_json_finish(&w, err);
    if (status == TCS_OK) printf("%s\n", document.data);
    tcsi_buffer_deinit(&document);
    return status;
}

/* What was read of the inputs. */
typedef struct fleet_inputs {
    tcs_frame *frames[CLI_INPUT_COUNT_MAX];
    size_t count;
} fleet_inputs;

static tcs_status read_inputs(fleet_inputs *in, const fit_options *o, const char *const *paths, size_t count, tcs_error *err)
{
    const tcs_read_options read = cli_read_options(&o->reading);
    tcs_status status = TCS_OK;
    for (; status == TCS_OK && in->count < count; in->count += status == TCS_OK)
        status = tcs_frame_read(paths[in->count], &read, &in->frames[in->count], err);
    return status;
}

static tcs_status fit_frames(const fleet_inputs *in, const fit_options *o, tcs_pipeline **ret_pipeline, tcs_error *err)
{
    tcs_detect_options detect;
    cli_given given;
    cli_progress bar = cli_progress_begin();
    tcs_status status = cli_detect_options(&o->detecting, TCS_MODE_ONLINE, in->count, &given, &detect, err);
    detect.progress = cli_progress_show;
    detect.progress_context = &bar;
    if (status == TCS_OK && in->count == 1 && detect.knowledge)
        status = tcs_knowledge_check(detect.knowledge, in->frames[0], cli_known_problem, NULL, err);
    if (status == TCS_OK && in->count > 1)
        status = tcs_pipeline_fit_fleet((const tcs_frame *const *)in->frames, in->count, given.facts, &detect, ret_pipeline, err);
    else if (status == TCS_OK) status = tcs_pipeline_fit(in->frames[0], &detect, ret_pipeline, err);
    cli_progress_hide(&bar);
    cli_given_deinit(&given);
    return status;
}

static tcs_status preview(const char *path, const fit_options *o, tcs_error *err)
{
    const tcs_read_options read = cli_read_options(&o->reading);
    tcs_detect_options detect;
    cli_given given;
    char shown[1024];
    tcs_frame *frame = NULL;
    tcsi_buffer document;
    tcsi_json_writer w;
    tcsi_buffer_init(&document, (size_t)1 << 30);
    tcsi_json_writer_init(&w, &document, true);
    tcs_status status = cli_detect_options(&o->detecting, TCS_MODE_ONLINE, 1, &given, &detect, err);
    cli_progress bar = cli_progress_begin();
    detect.progress = cli_progress_show;
    detect.progress_context = &bar;
    if (status == TCS_OK) status = tcs_frame_read(path, &read, &frame, err);
    if (o->json) {
        tcsi_json_begin_object(&w);
        tcsi_json_key(&w, "preview");
    }
    if (status == TCS_OK) status = cli_preview(frame, &detect, tcsi_url_redact(path, shown, sizeof shown), o->json ? &w : NULL, err);
    cli_progress_hide(&bar);
    if (o->json) tcsi_json_end_object(&w);
    if (status == TCS_OK && o->json) status = tcsi_json_finish(&w, err);
    if (status == TCS_OK && o->json) printf("%s\n", document.data);
    tcsi_buffer_deinit(&document);
    tcs_frame_destroy(frame);
    cli_given_deinit(&given);
    return status;
}

static tcs_status fit(const char *const *paths, size_t count, const fit_options *o, tcs_error *err)
{
    fleet_inputs *in = TCSI_NEW(fleet_inputs);
    tcs_pipeline *pipeline = NULL;
    char shown[1024];
    tcs_status status = in ? read_inputs(in, o, paths, count, err) : tcsi_fail_memory(err, "inputs");
    const int64_t begin_ns = tcsi_clock_monotonic_ns();
    if (status == TCS_OK) status = fit_frames(in, o, &pipeline, err);
    if (status == TCS_OK) status = tcs_pipeline_write(pipeline, o->output, err);
    const double seconds = (double)(tcsi_clock_monotonic_ns() - begin_ns) * 1e-9;
    for (size_t i = 0; status == TCS_OK && i < count && !o->json; i++)
        cli_frame_print(tcsi_url_redact(paths[i], shown, sizeof shown), in->frames[i]);
    if (status == TCS_OK && o->json) status = print_json(paths, count, pipeline, o, seconds, err);
    else if (status == TCS_OK) print_words(pipeline, o, seconds);
    tcs_pipeline_destroy(pipeline);
    for (size_t i = 0; in && i < in->count; i++) tcs_frame_destroy(in->frames[i]);
    tcsi_free(in);
    return status;
}

static int run(const void *raw, const char *const *inputs, size_t input_count)
{
    const fit_options *o = raw;
    const cli_output others[] = { { "--output", o->output }, { "--checkpoint", o->detecting.checkpoint } };
    static const cli_outputs none = { 0 };
    tcs_error err = { 0 };
    tcs_status status = TCS_OK;
    if (!o->output && !o->preview) status = tcsi_fail(&err, TCS_E_INVALID, "expected -o FILE.tocsin, where the pipeline is kept");
    if (status == TCS_OK && input_count > 1 && o->detecting.from)
        status = tcsi_fail(&err, TCS_E_INVALID, "--from begins one series: one input at a time");
    if (status == TCS_OK && input_count > 1 && o->detecting.train_rows > 0)
        status = tcsi_fail(&err, TCS_E_INVALID, "--train-rows is for one series: of a fleet all rows are learned from");
    if (status == TCS_OK) status = cli_outputs_check(&none, others, 2, inputs, input_count, &err);
    if (status == TCS_OK && o->preview && input_count != 1)
        status = tcsi_fail(&err, TCS_E_INVALID, "--preview judges one series: one input at a time");
    if (status == TCS_OK && o->preview && o->json && o->output)
        status = tcsi_fail(&err, TCS_E_INVALID, "--preview --json prints one document, and so does keeping a pipeline: leave -o out");
    if (status == TCS_OK && o->preview) status = preview(inputs[0], o, &err);
    if (status == TCS_OK && o->output) status = fit(inputs, input_count, o, &err);
    return status == TCS_OK ? EXIT_DONE : cli_fail("fit", &err);
}

const cli_command cli_fit = {
    .name = "fit",
    .positional = "INPUT...",
    .positional_min = 1,
    .positional_max = CLI_INPUT_COUNT_MAX,
    .summary = "learn what is usual, and keep it in a file",
    .description = "Learns from INPUT (as in `tocsin detect`) what is usual, and writes a pipeline: detector, calibration and alarm budget "
                   "in one file, with which `tocsin score` judges rows that come later. Online, whatever it says of them is what `tocsin "
                   "detect --mode online` would have said of all rows in one file, bit for bit.",
    .examples = "  tocsin fit monday.csv -o plant.tocsin\n"
                "  tocsin fit history.csv --detector tcn_forecaster --budget 60 -o plant.tocsin\n"
                "  tocsin fit labelled.csv --mode offline --detector deep_sad -o valve.tocsin\n"
                "  tocsin fit pump-*.csv --detector tcn_forecaster -o pumps.tocsin && tocsin detect new-pump.csv --from pumps.tocsin\n",
    .options = options,
    .option_count = TCS_COUNT(options),
    .options_size = sizeof(fit_options),
    .run = run,
};
