/* SPDX-License-Identifier: Apache-2.0 */
#include "model_measure.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/url.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { DATA_SIZE = 256 };

/* The library reads bundles from files. */
static tcs_status load(const void *bytes, size_t size, tcs_pipeline **ret_pipeline, tcs_error *err)
{
    const char *folder = getenv("TMPDIR");
    char path[512];
    snprintf(path, sizeof path, "%s/tocsin-model-XXXXXX", folder && *folder ? folder : "/tmp");
    const int file = mkstemp(path);
    if (file < 0) return tcsi_fail(err, TCS_E_IO, "no temporary file in %s", folder ? folder : "/tmp");
    close(file);
    tcs_status status = tcsi_file_write(path, bytes, size, err);
    if (status == TCS_OK) status = tcs_pipeline_read(path, ret_pipeline, err);
    unlink(path);
    return status;
}

static void name_data(const tcs_frame *frame, const char *input, char ret_name[DATA_SIZE])
{
    const size_t row_count = tcs_frame_row_count(frame), channel_count = tcs_frame_channel_count(frame);
    unsigned char digest[TCSI_HASH_SIZE];
    char seal[TCSI_HASH_TEXT_SIZE], shown[1024];
    tcsi_hash hash;
    tcsi_hash_init(&hash);
    for (size_t c = 0; c < channel_count; c++) tcsi_hash_update(&hash, tcs_frame_values(frame, c), row_count * sizeof(double));
    if (tcs_frame_labels(frame)) tcsi_hash_update(&hash, tcs_frame_labels(frame), row_count);
    tcsi_hash_end(&hash, digest);
    tcsi_hash_text(digest, seal);
    input = tcsi_url_redact(input, shown, sizeof shown);
    const char *name = strrchr(input, '/');
    snprintf(ret_name, DATA_SIZE, "%.150s %zux%zu %.16s", name ? name + 1 : input, row_count, channel_count, seal);
}

static double measure_named(const double *values, const char *key)
{
    for (size_t i = 0; i < tcs_measure_count(); i++)
        if (strcmp(tcs_measure_describe(i).key, key) == 0) return values[i];
    return NAN;
}

static tcs_status rank(const tcs_result *result, const uint8_t *labels, size_t row_count, tcsi_model_evidence *evidence, tcs_error *err)
{
    const tcs_score *scores = tcs_result_scores(result);
    double *values = malloc(tcs_measure_count() * sizeof *values), *flat = malloc((row_count + 1) * sizeof *flat);
    tcs_status status = values && flat ? TCS_OK : tcsi_fail_memory(err, "scores");
    for (size_t t = 0; status == TCS_OK && t < row_count; t++) flat[t] = scores[t].state == TCS_SCORE_READY ? scores[t].value : NAN;
    const tcs_evaluate_options options = { .decisions = tcs_result_anomalies(result) };
    if (status == TCS_OK) status = tcs_evaluate(flat, labels, row_count, &options, values, err);
    if (status == TCS_OK) {
        evidence->vus_pr = measure_named(values, "vus_pr");
        evidence->auc_pr = measure_named(values, "auc_pr");
        evidence->f1_event = measure_named(values, "f1_event");
    }
    free(flat);
    free(values);
    return status;
}

static void count_alarms(const tcs_result *result, const uint8_t *labels, tcsi_model_evidence *evidence)
{
    const size_t count = tcs_result_episode_count(result);
    size_t wrong = 0;
    for (size_t i = 0; labels && i < count; i++) {
        const tcs_episode episode = tcs_result_episode(result, i);
        bool is_right = false;
        for (size_t t = episode.row_begin; t < episode.row_end; t++) is_right |= labels[t] == 1;
        wrong += !is_right;
    }
    evidence->alarms = (double)count;
    evidence->alarms_false = labels ? (double)wrong : NAN;
    evidence->alarms_allowed = tcs_result_budget(result);
}

static void count_low(const tcs_result *result, const uint8_t *labels, size_t row_count, tcsi_model_evidence *evidence)
{
    const tcs_score *scores = tcs_result_scores(result);
    size_t low = 0, all = 0;
    for (size_t t = 0; t < row_count; t++) {
        if (scores[t].state != TCS_SCORE_READY || isnan(scores[t].p_value) || (labels && labels[t] == 1)) continue;
        all++;
        low += scores[t].p_value < 0.01;
    }
    evidence->p_low_share = all ? (double)low / (double)all : NAN;
}

static double processor_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

tcs_status cli_model_measure(const void *bytes, size_t size, const char *input, const cli_reading *reading, tcsi_arena *arena,
                             tcsi_model_evidence *ret_evidence, tcs_error *err)
{
    const tcs_read_options read = cli_read_options(reading);
    tcs_pipeline *pipeline = NULL;
    tcs_frame *frame = NULL;
    tcs_result *result = NULL;
    char data[DATA_SIZE];
    double begin = 0;
    tcs_status status = load(bytes, size, &pipeline, err);
    if (status == TCS_OK) status = tcs_pipeline_frame_read(pipeline, input, &read, &frame, err);
    if (status == TCS_OK) {
        begin = processor_ns();
        status = tcs_pipeline_score(pipeline, frame, NULL, &result, err);
    }
    if (status == TCS_OK) {
        const size_t row_count = tcs_frame_row_count(frame);
        const uint8_t *labels = tcs_frame_labels(frame);
        *ret_evidence = (tcsi_model_evidence){ .vus_pr = NAN, .auc_pr = NAN, .f1_event = NAN, .auc_roc = NAN, .auc_roc_low = NAN,
                                               .auc_roc_high = NAN, .auc_gain_low = NAN, .row_count = row_count,
                                               .ns_per_row = (processor_ns() - begin) / (double)row_count,
                                               .measured_ns = tcsi_clock_wall_ns() };
        name_data(frame, input, data);
        ret_evidence->data = tcsi_arena_strndup(arena, data, strlen(data));
        count_alarms(result, labels, ret_evidence);
        count_low(result, labels, row_count, ret_evidence);
        if (!ret_evidence->data) status = tcsi_fail_memory(err, "evidence");
        else if (labels) status = rank(result, labels, row_count, ret_evidence, err);
    }
    tcs_result_destroy(result);
    tcs_frame_destroy(frame);
    tcs_pipeline_destroy(pipeline);
    return status;
}
