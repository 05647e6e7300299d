/* bench/tabular_scores.c -- scores a matrix with one detector, so that a script can compare it with others.
 *
 * usage: tabular_scores DETECTOR [fit] [name=value]... < matrix > scores
 * Standard input: rows and columns as two native uint64, then rows x columns native doubles, row by row; NaN = missing.
 * Standard output: processor seconds spent scoring as a native double, then one native double a row, NaN where the row was not scored.
 * With `fit` the detector learns from all rows first and only scoring is timed; otherwise learning and scoring are.
 * One thread; seed 1, or seed=N.  SPDX-License-Identifier: Apache-2.0 */
#include "base/alloc.h"
#include "detect/registry.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { PARAMETER_COUNT_MAX = 16 };

typedef struct job {
    const char *detector;
    bool fit_first;
    uint64_t seed;
    tcsi_parameter_value parameters[PARAMETER_COUNT_MAX];
    size_t parameter_count;
} job;

static tcs_status parse(int count, char **arguments, job *ret_job, tcs_error *err)
{
    if (count < 2) return tcsi_fail(err, TCS_E_INVALID, "usage: tabular_scores DETECTOR [fit] [name=value]...");
    job j = { .detector = arguments[1], .seed = 1 };
    for (int i = 2; i < count; i++) {
        char *equals = strchr(arguments[i], '=');
        if (strcmp(arguments[i], "fit") == 0) j.fit_first = true;
        else if (!equals || j.parameter_count == PARAMETER_COUNT_MAX)
            return tcsi_fail(err, TCS_E_INVALID, "%s: expected name=value", arguments[i]);
        else {
            *equals = 0;
            double value = strtod(equals + 1, NULL);
            if (strcmp(arguments[i], "seed") == 0) j.seed = (uint64_t)value;
            else j.parameters[j.parameter_count++] = (tcsi_parameter_value){ arguments[i], value };
        }
    }
    *ret_job = j;
    return TCS_OK;
}

static tcs_status read_matrix(tcsi_frame **ret_frame, tcs_error *err)
{
    uint64_t shape[2];
    tcsi_frame *frame;
    if (fread(shape, sizeof shape[0], 2, stdin) != 2) return tcsi_fail(err, TCS_E_IO, "standard input: no shape");
    tcs_status status = tcsi_frame_create(shape[1], shape[0], false, false, &frame, err);
    if (status != TCS_OK) return status;
    double *row = TCSI_NEW_ARRAY(double, shape[1]);
    if (!row) status = tcsi_fail_memory(err, "a row");
    for (uint64_t t = 0; status == TCS_OK && t < shape[0]; t++) {
        if (fread(row, sizeof *row, shape[1], stdin) != shape[1]) status = tcsi_fail(err, TCS_E_IO, "standard input: ends early");
        else status = tcsi_frame_append(frame, row, 0, 0, err);
    }
    tcsi_free(row);
    if (status != TCS_OK) {
        tcsi_frame_destroy(frame);
        return status;
    }
    *ret_frame = frame;
    return TCS_OK;
}

/* Processor time, not wall time: other people's work on the machine must not count for or against anybody. */
static double processor_seconds(void)
{
    struct timespec now = { 0 };
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static tcs_status score_matrix(const job *j, const tcsi_frame *frame, tcs_score *ret_scores, double *ret_seconds, tcs_error *err)
{
    const tcsi_detector_info *info;
    tcsi_detector *detector = NULL;
    tcsi_detector_setup setup = { .channel_count = frame->channel_count, .seed = j->seed, .parameters = j->parameters,
                                  .parameter_count = j->parameter_count };
    tcs_status status = tcsi_registry_get(j->detector, &info, err);
    if (status == TCS_OK) status = tcsi_detector_create(info, &setup, &detector, err);
    if (status == TCS_OK && j->fit_first) status = tcsi_detector_fit(detector, frame, err);
    double begin = processor_seconds();
    if (status == TCS_OK) status = tcsi_detector_score(detector, frame, ret_scores, err);
    *ret_seconds = processor_seconds() - begin;
    tcsi_detector_destroy(detector);
    return status;
}

static tcs_status write_scores(const tcs_score *scores, size_t count, double seconds, tcs_error *err)
{
    bool ok = fwrite(&seconds, sizeof seconds, 1, stdout) == 1;
    for (size_t t = 0; t < count && ok; t++) {
        double value = scores[t].state == TCS_SCORE_READY ? scores[t].value : NAN;
        ok = fwrite(&value, sizeof value, 1, stdout) == 1;
    }
    return ok && fflush(stdout) == 0 ? TCS_OK : tcsi_fail(err, TCS_E_IO, "standard output: cannot be written");
}

int main(int count, char **arguments)
{
    job j;
    tcs_error err = { 0 };
    tcsi_frame *frame = NULL;
    tcs_score *scores = NULL;
    double seconds;
    tcs_status status = parse(count, arguments, &j, &err);
    if (status == TCS_OK) status = read_matrix(&frame, &err);
    if (status == TCS_OK && !(scores = TCSI_NEW_ARRAY(tcs_score, frame->row_count))) status = tcsi_fail_memory(&err, "scores");
    if (status == TCS_OK) status = score_matrix(&j, frame, scores, &seconds, &err);
    if (status == TCS_OK) status = write_scores(scores, frame->row_count, seconds, &err);
    if (status != TCS_OK) fprintf(stderr, "tabular_scores: %s\n", err.text);
    tcsi_free(scores);
    tcsi_frame_destroy(frame);
    return status == TCS_OK ? 0 : 1;
}
