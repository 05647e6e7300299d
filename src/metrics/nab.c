/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics/nab.h"

#include "base/alloc.h"
#include "metrics/ranking.h"

#include <math.h>

const tcsi_nab_profile tcsi_nab_profiles[TCSI_NAB_PROFILE_COUNT] = {
    [TCSI_NAB_STANDARD] = { "standard", "nab_standard", 1.0, 0.11, 1.0 },
    [TCSI_NAB_LOW_FP] = { "reward_low_FP_rate", "nab_low_fp", 1.0, 0.22, 1.0 },
    [TCSI_NAB_LOW_FN] = { "reward_low_FN_rate", "nab_low_fn", 1.0, 0.11, 2.0 },
};

static const uint32_t no_window = UINT32_MAX;

/* What a detection at each scored row is worth, all files in one run of rows. */
typedef struct bench {
    size_t row_count, window_count;
    double *scores;    /* (T) */
    double *worth;     /* (T) before weighting */
    uint32_t *windows; /* (T) which window the row lies in, or no_window */
    double *best;      /* (windows) best detection by now, weighted; -fn_weight: none */
    const tcsi_nab_profile *profile;
} bench;

size_t tcsi_nab_probation(size_t row_count)
{
    double rows = floor(0.15 * (double)row_count);
    return rows < 750.0 ? (size_t)rows : 750;
}

static double scaled_sigmoid(double y)
{
    return y > 3.0 ? -1.0 : 2.0 / (1.0 + exp(5.0 * y)) - 1.0;
}

static double worth_inside(tcsi_span window, size_t row)
{
    double width = (double)tcsi_span_length(window);
    return scaled_sigmoid(-(double)(window.end - row) / width) / scaled_sigmoid(-1.0);
}

static double worth_after(tcsi_span window, size_t row)
{
    size_t width = tcsi_span_length(window);
    return scaled_sigmoid((double)(row - (window.end - 1)) / (double)(width > 1 ? width - 1 : 1));
}

/* Windows with no scored row get no number: nobody could find them. */
static void add_file(bench *b, const tcsi_nab_file *file)
{
    size_t next = 0, numbered = SIZE_MAX;
    size_t probation = tcsi_nab_probation(file->row_count);
    for (size_t row = probation; row < file->row_count; row++, b->row_count++) {
        while (next < file->window_count && file->windows[next].end <= row) next++;
        bool inside = next < file->window_count && file->windows[next].begin <= row;
        if (inside && numbered != next) {
            numbered = next;
            b->window_count++;
        }
        double worth = -1.0;
        if (inside) worth = worth_inside(file->windows[next], row);
        else if (next > 0) worth = worth_after(file->windows[next - 1], row);
        b->scores[b->row_count] = file->scores[row];
        b->worth[b->row_count] = worth;
        b->windows[b->row_count] = inside ? (uint32_t)(b->window_count - 1) : no_window;
    }
}

static void bench_deinit(bench *b)
{
    tcsi_free(b->scores);
    tcsi_free(b->worth);
    tcsi_free(b->windows);
    tcsi_free(b->best);
}

static tcs_status bench_init(bench *b, const tcsi_nab_file *files, size_t file_count, tcs_error *err)
{
    *b = (bench){ 0 };
    size_t rows = 0, windows = 0;
    for (size_t f = 0; f < file_count; f++) {
        rows += files[f].row_count - tcsi_nab_probation(files[f].row_count);
        windows += files[f].window_count;
    }
    if (rows == 0) return tcsi_fail(err, TCS_E_INVALID, "no rows to score by NAB's rules");
    if (rows >= no_window) return tcsi_fail(err, TCS_E_LIMIT, "%zu rows: NAB's score takes at most %u", rows, no_window);
    b->scores = TCSI_NEW_ARRAY(double, rows);
    b->worth = TCSI_NEW_ARRAY(double, rows);
    b->windows = TCSI_NEW_ARRAY(uint32_t, rows);
    b->best = TCSI_NEW_ARRAY(double, windows);
    if (!b->scores || !b->worth || !b->windows || !b->best) {
        bench_deinit(b);
        return tcsi_fail_memory(err, "NAB's score");
    }
    for (size_t f = 0; f < file_count; f++) add_file(b, &files[f]);
    return TCS_OK;
}

/* The state before any detection. */
static tcsi_nab_result begin(bench *b, const tcsi_nab_profile *profile)
{
    b->profile = profile;
    for (size_t w = 0; w < b->window_count; w++) b->best[w] = -profile->fn_weight;
    return (tcsi_nab_result){ .raw = -b->profile->fn_weight * (double)b->window_count, .threshold = INFINITY,
                              .window_count = b->window_count };
}

static void detect_row(bench *b, size_t row, tcsi_nab_result *now)
{
    if (b->windows[row] == no_window) {
        now->raw += b->profile->fp_weight * b->worth[row];
        now->false_positives++;
        return;
    }
    double *best = &b->best[b->windows[row]], gain = b->profile->tp_weight * b->worth[row];
    if (gain <= *best) return;
    now->windows_found += *best == -b->profile->fn_weight;
    now->raw += gain - *best;
    *best = gain;
}

static void normalize(const bench *b, tcsi_nab_result *result)
{
    double windows = (double)b->window_count, worst = -b->profile->fn_weight * windows, perfect = b->profile->tp_weight * windows;
    result->score = b->window_count ? 100.0 * (result->raw - worst) / (perfect - worst) : NAN;
}

/* Lowers the threshold from score to score; -infinity and NaN never detect. */
static tcsi_nab_result sweep(bench *b, const tcsi_ranking *ranking, const tcsi_nab_profile *profile)
{
    tcsi_nab_result now = begin(b, profile), best = now;
    for (size_t p = 0; p < ranking->row_count;) {
        now.threshold = tcsi_ranking_score(ranking, p);
        if (now.threshold == -INFINITY) break;
        size_t end = tcsi_ranking_tie_end(ranking, p);
        for (; p < end; p++) detect_row(b, ranking->order[p], &now);
        if (now.raw > best.raw) best = now;
    }
    normalize(b, &best);
    return best;
}

static tcs_status sweep_profiles(const tcsi_nab_file *files, size_t file_count, const tcsi_nab_profile *profiles, size_t profile_count,
                                 tcsi_nab_result *ret_results, tcs_error *err)
{
    bench b;
    tcsi_ranking ranking = { 0 };
    tcs_status status = bench_init(&b, files, file_count, err);
    if (status != TCS_OK) return status;
    status = tcsi_ranking_init(b.scores, b.row_count, &ranking, err);
    for (size_t i = 0; i < profile_count && status == TCS_OK; i++) ret_results[i] = sweep(&b, &ranking, &profiles[i]);
    tcsi_ranking_deinit(&ranking);
    bench_deinit(&b);
    return status;
}

tcs_status tcsi_nab_sweep(const tcsi_nab_file *files, size_t file_count, const tcsi_nab_profile *profile,
                          tcsi_nab_result *ret_result, tcs_error *err)
{
    return sweep_profiles(files, file_count, profile, 1, ret_result, err);
}

tcs_status tcsi_nab_sweep_all(const tcsi_nab_file *files, size_t file_count, tcsi_nab_result *ret_results, tcs_error *err)
{
    return sweep_profiles(files, file_count, tcsi_nab_profiles, TCSI_NAB_PROFILE_COUNT, ret_results, err);
}

tcs_status tcsi_nab_score(const tcsi_nab_file *files, size_t file_count, const tcsi_nab_profile *profile, double threshold,
                          tcsi_nab_result *ret_result, tcs_error *err)
{
    if (isnan(threshold)) return tcsi_fail(err, TCS_E_INVALID, "NAB's score needs a threshold, got NaN");
    bench b;
    tcs_status status = bench_init(&b, files, file_count, err);
    if (status != TCS_OK) return status;
    tcsi_nab_result result = begin(&b, profile);
    result.threshold = threshold;
    for (size_t row = 0; row < b.row_count; row++)
        if (b.scores[row] >= threshold) detect_row(&b, row, &result);
    normalize(&b, &result);
    *ret_result = result;
    bench_deinit(&b);
    return TCS_OK;
}
