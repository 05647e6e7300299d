/* bench/ablation.c -- what each part of `auto` is worth, and what other detectors would add to it.
 *
 * usage: ablation FOLDER SUITE [DETECTOR[:PARAMETER=VALUE]...]
 * On the files of one channel: mean VUS-PR of the offline ensemble, without each of its parts in turn, and with the standardized score of
 * each DETECTOR, and of all together, added at three weights.  Beside each stands the mean difference to the ensemble with the interval in which 95 % of 2,000
 * bootstrap draws of the files lie, and processor seconds per 10,000 rows.  Detectors learn from the training rows and are seeded 0.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/alloc.h"
#include "base/rng.h"
#include "detect/ensemble/experts.h"
#include "detect/registry.h"
#include "metrics/vus.h"
#include "series/period.h"
#include "series/stats.h"
#include "study/suite.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { PARTS = TCSI_EXPERT_PART_COUNT, DETECTOR_MAX = 16, WEIGHTS = 3, DRAWS = 2000 };
enum { VARIANT_MAX = 1 + PARTS + DETECTOR_MAX * (1 + WEIGHTS) + WEIGHTS };
static const double weights[WEIGHTS] = { 0.3, 0.6, 1 };

static const char *const part_names[PARTS] = {
    "centred join at L/4", "raw join at L/4", "centred join at L", "raw join at L", "z-normalized join at L", "centred join at 2 L",
    "raw join at 2 L", "z-normalized join at 2 L", "residual over L/4", "residual over L", "energy over L/4", "look at 2 L",
};

typedef struct member {
    const char *name; /* as given */
    const tcsi_detector_info *info;
    tcsi_parameter_value parameter;
    size_t parameter_count; /* 0 or 1 */
} member;

typedef struct study {
    member members[DETECTOR_MAX];
    size_t member_count, variant_count, file_count, file_max;
    double *values;                         /* (VARIANT_MAX, file_max) VUS-PR */
    double seconds[1 + DETECTOR_MAX], rows; /* of the ensemble, of each detector */
} study;

static double processor_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* One file on its way through the variants. */
typedef struct trial {
    study *s;
    const tcsi_suite_series *series;
    tcsi_experts_options options;
    size_t rows, variant;
    double *parts, *kept, *fused, *sum, *member, *together; /* (P,T); (T) each */
    double *memory;
} trial;

static tcs_status note(trial *t, const double *scores, tcs_error *err)
{
    tcsi_vus vus;
    tcs_status status = tcsi_vus_of_scores(scores, t->series->frame->labels, t->rows, t->series->window, &vus, err);
    if (status == TCS_OK) t->s->values[t->variant++ * t->s->file_max + t->s->file_count] = vus.pr;
    return status;
}

static tcs_status with_and_without_parts(trial *t, tcs_error *err)
{
    const double begin = processor_seconds();
    tcs_status status = tcsi_experts_parts(tcsi_frame_column(t->series->frame, 0), t->rows, &t->options, t->parts, err);
    if (status == TCS_OK) status = tcsi_experts_fuse(t->parts, t->rows, &t->options, t->fused, NULL, err);
    t->s->seconds[0] += processor_seconds() - begin;
    if (status == TCS_OK) status = note(t, t->fused, err);
    for (size_t k = 0; k < PARTS && status == TCS_OK; k++) {
        double *part = t->parts + k * t->rows;
        memcpy(t->kept, part, t->rows * sizeof *part);
        memset(part, 0, t->rows * sizeof *part);
        status = tcsi_experts_fuse(t->parts, t->rows, &t->options, t->sum, NULL, err);
        if (status == TCS_OK) status = note(t, t->sum, err);
        memcpy(part, t->kept, t->rows * sizeof *part);
    }
    tcsi_standardize(t->fused, t->rows);
    return status;
}

static tcs_status score_member(trial *t, size_t k, tcs_error *err)
{
    const member *m = &t->s->members[k];
    const tcsi_detector_setup setup = { .channel_count = 1, .parameters = &m->parameter, .parameter_count = m->parameter_count };
    const tcsi_frame train = tcsi_frame_view(t->series->frame, 0, t->options.train_row_count);
    tcsi_detector *detector = NULL;
    tcs_score *scores = TCSI_NEW_ARRAY(tcs_score, t->rows);
    const double begin = processor_seconds();
    tcs_status status = scores ? tcsi_detector_create(m->info, &setup, &detector, err) : tcsi_fail_memory(err, "scores");
    if (status == TCS_OK && m->info->ops->fit) status = tcsi_detector_fit(detector, &train, err);
    if (status == TCS_OK) status = tcsi_detector_score(detector, t->series->frame, scores, err);
    t->s->seconds[1 + k] += processor_seconds() - begin;
    for (size_t i = 0; i < t->rows && status == TCS_OK; i++) t->member[i] = scores[i].state == TCS_SCORE_READY ? scores[i].value : 0;
    if (status == TCS_OK) tcsi_standardize(t->member, t->rows);
    tcsi_detector_destroy(detector);
    tcsi_free(scores);
    return status;
}

static tcs_status add_weighted(trial *t, const double *added, tcs_error *err)
{
    tcs_status status = TCS_OK;
    for (size_t w = 0; w < WEIGHTS && status == TCS_OK; w++) {
        for (size_t i = 0; i < t->rows; i++) t->sum[i] = t->fused[i] + weights[w] * added[i];
        status = note(t, t->sum, err);
    }
    return status;
}

static tcs_status with_members(trial *t, tcs_error *err)
{
    tcs_status status = TCS_OK;
    for (size_t k = 0; k < t->s->member_count && status == TCS_OK; k++) {
        status = score_member(t, k, err);
        if (status == TCS_OK) status = note(t, t->member, err);
        if (status == TCS_OK) status = add_weighted(t, t->member, err);
        for (size_t i = 0; i < t->rows; i++) t->together[i] += t->member[i];
    }
    return status == TCS_OK ? add_weighted(t, t->together, err) : status;
}

static tcs_status run_file(study *s, const tcsi_suite_series *series, tcs_error *err)
{
    const size_t rows = series->frame->row_count;
    trial t = { .s = s, .series = series, .rows = rows,
                .options = { .train_row_count = series->train_row_count ? series->train_row_count : rows / 5, .segment_count = 160 } };
    t.memory = TCSI_NEW_ZEROS(double, rows * (PARTS + 5));
    if (!t.memory) return tcsi_fail_memory(err, "scores");
    t.parts = t.memory;
    t.kept = t.memory + PARTS * rows;
    t.fused = t.kept + rows;
    t.sum = t.fused + rows;
    t.member = t.sum + rows;
    t.together = t.member + rows;
    tcs_status status = tcsi_period_find_or(tcsi_frame_column(series->frame, 0), rows, TCSI_EXPERTS_PERIOD_DEFAULT, &t.options.period, err);
    if (status == TCS_OK) status = with_and_without_parts(&t, err);
    if (status == TCS_OK) status = with_members(&t, err);
    tcsi_free(t.memory);
    if (status != TCS_OK) return status;
    s->variant_count = t.variant;
    s->rows += (double)rows;
    s->file_count++;
    return TCS_OK;
}

static tcs_status run_files(study *s, const tcsi_suite *suite, const char *folder, tcs_error *err)
{
    char **files = NULL;
    tcs_status status = tcsi_suite_files(suite, folder, &files, &s->file_max, err);
    if (status != TCS_OK) return status;
    s->values = TCSI_NEW_ARRAY(double, VARIANT_MAX * s->file_max);
    if (!s->values) status = tcsi_fail_memory(err, "results");
    for (size_t i = 0; i < s->file_max && status == TCS_OK; i++) {
        tcsi_suite_series series = { 0 };
        status = suite->load(folder, files[i], &series, err);
        if (status == TCS_OK && !series.is_tabular && series.frame->channel_count == 1) status = run_file(s, &series, err);
        tcsi_suite_series_deinit(&series);
        fprintf(stderr, "\r%zu of %zu files", i + 1, s->file_max);
    }
    fputc('\n', stderr);
    tcsi_suite_files_free(files, s->file_max);
    return status;
}

static void print_row(const study *s, size_t variant, const char *name, const char *detail, double seconds)
{
    const double *own = s->values + variant * s->file_max, *base = s->values;
    double mean = 0, gain = 0, gains[DRAWS];
    tcsi_rng rng = tcsi_rng_make(1, 0);
    for (size_t i = 0; i < s->file_count; i++) {
        mean += own[i] / (double)s->file_count;
        gain += (own[i] - base[i]) / (double)s->file_count;
    }
    for (size_t k = 0; k < DRAWS; k++) {
        gains[k] = 0;
        for (size_t i = 0; i < s->file_count; i++) {
            const size_t drawn = tcsi_rng_below(&rng, s->file_count);
            gains[k] += (own[drawn] - base[drawn]) / (double)s->file_count;
        }
    }
    tcsi_sort(gains, DRAWS);
    printf("| %s%s | %.4f | %+.4f | %+.4f to %+.4f | ", name, detail, mean, gain, gains[DRAWS / 40], gains[DRAWS - 1 - DRAWS / 40]);
    if (seconds >= 0) printf("%.3f", seconds / s->rows * 1e4);
    printf(" |\n");
}

static void print(const study *s)
{
    size_t variant = 0;
    char detail[128];
    printf("%zu files\n\n| ensemble | VUS-PR | gain | 95 %% interval | s per 10,000 rows |\n|---|---|---|---|---|\n", s->file_count);
    print_row(s, variant++, "`auto_classic`", "", s->seconds[0]);
    for (size_t k = 0; k < PARTS; k++) print_row(s, variant++, "without ", part_names[k], -1);
    double all = s->seconds[0];
    for (size_t k = 0; k < s->member_count; k++) {
        snprintf(detail, sizeof detail, "`%s` alone", s->members[k].name);
        print_row(s, variant++, "", detail, s->seconds[1 + k]);
        for (size_t w = 0; w < WEIGHTS; w++) {
            snprintf(detail, sizeof detail, "%g `%s`", weights[w], s->members[k].name);
            print_row(s, variant++, "and ", detail, s->seconds[0] + s->seconds[1 + k]);
        }
        all += s->seconds[1 + k];
    }
    for (size_t w = 0; w < WEIGHTS; w++) {
        snprintf(detail, sizeof detail, "%g of each of them", weights[w]);
        print_row(s, variant++, "and ", detail, all);
    }
}

static tcs_status add_member(study *s, const char *text, tcs_error *err)
{
    static char copies[DETECTOR_MAX][128];
    char *copy = copies[s->member_count];
    member *m = &s->members[s->member_count++];
    snprintf(copy, sizeof copies[0], "%s", text);
    m->name = text;
    char *parameter = strchr(copy, ':'), *value = parameter ? strchr(parameter, '=') : NULL;
    if (parameter && !value) return tcsi_fail(err, TCS_E_INVALID, "%s: expected DETECTOR:PARAMETER=VALUE", text);
    if (parameter) {
        *parameter = *value = 0;
        m->parameter = (tcsi_parameter_value){ parameter + 1, strtod(value + 1, NULL) };
        m->parameter_count = 1;
    }
    return tcsi_registry_get(copy, &m->info, err);
}

int main(int argc, char **argv)
{
    study s = { 0 };
    tcs_error err = { 0 };
    const tcsi_suite *suite;
    if (argc < 3 || argc - 3 > DETECTOR_MAX) {
        fprintf(stderr, "usage: ablation FOLDER SUITE [DETECTOR...]\n");
        return 2;
    }
    tcs_status status = tcsi_suite_find(argv[2], &suite, &err);
    for (int i = 3; i < argc && status == TCS_OK; i++) status = add_member(&s, argv[i], &err);
    if (status == TCS_OK) status = run_files(&s, suite, argv[1], &err);
    if (status == TCS_OK && s.file_count == 0) status = tcsi_fail(&err, TCS_E_FORMAT, "%s: no series of one channel", argv[1]);
    if (status == TCS_OK) print(&s);
    if (status != TCS_OK) fprintf(stderr, "ablation: %s\n", err.text);
    tcsi_free(s.values);
    return status == TCS_OK ? 0 : 1;
}
