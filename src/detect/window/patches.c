/* SPDX-License-Identifier: Apache-2.0 */
#include "detect/window/patches.h"

#include "base/alloc.h"

enum { WINDOW_ROWS_MIN = 4 };

static tcsi_coarse coarse_of(const tcsi_offline *offline, size_t target_window, const tcsi_patch_measure *measure)
{
    size_t window = offline->window > WINDOW_ROWS_MIN ? offline->window : WINDOW_ROWS_MIN;
    return measure ? tcsi_coarse_with_factor(offline->row_count, measure->window_row_count, measure->factor)
                   : tcsi_coarse_make(offline->row_count, window, target_window);
}

tcs_status tcsi_patches_begin(const tcsi_frame *frame, size_t window_row_count, size_t target_window, const tcsi_patch_measure *measure,
                              tcsi_patches *ret_patches, tcs_error *err)
{
    tcsi_patches made = { 0 };
    tcs_status status = tcsi_offline_begin(frame, measure ? measure->window_row_count : window_row_count, measure ? &measure->scale : NULL,
                                           &made.offline, err);
    if (status != TCS_OK) return status;
    made.coarse = coarse_of(&made.offline, target_window, measure);
    made.values = TCSI_NEW_ARRAY(double, made.coarse.value_count);
    if (!made.values) {
        tcsi_patches_end(&made);
        return tcsi_fail_memory(err, "a coarse series");
    }
    tcsi_coarse_shrink(&made.coarse, made.offline.z, made.values);
    *ret_patches = made;
    return TCS_OK;
}

void tcsi_patches_end(tcsi_patches *patches)
{
    tcsi_free(patches->values);
    tcsi_offline_end(&patches->offline);
    *patches = (tcsi_patches){ 0 };
}

tcs_status tcsi_patches_begin_fit(const tcsi_frame *train, size_t window_row_count, size_t target_window, const char *name,
                                  tcsi_patches *ret_patches, tcs_error *err)
{
    tcsi_patches made;
    tcs_status status = tcsi_patches_begin(train, window_row_count, target_window, NULL, &made, err);
    if (status != TCS_OK) return status;
    if (made.coarse.window_count == 0) {
        status = tcsi_fail(err, TCS_E_INVALID, "%s: %zu training rows are fewer than 8 windows of %zu", name, made.offline.row_count,
                           made.offline.window);
        tcsi_patches_end(&made);
        return status;
    }
    *ret_patches = made;
    return TCS_OK;
}

tcsi_patch_measure tcsi_patches_measure(const tcsi_patches *patches)
{
    return (tcsi_patch_measure){ .window_row_count = patches->offline.window, .factor = patches->coarse.factor,
                                 .window = patches->coarse.window, .scale = patches->offline.scale };
}

void tcsi_patch_measure_persist(tcsi_patch_measure *measure, tcsi_codec *codec)
{
    tcsi_codec_size(codec, &measure->window_row_count, 1000000);
    tcsi_codec_size(codec, &measure->factor, 1000000);
    tcsi_codec_size(codec, &measure->window, TCSI_PATCH_WINDOW_MAX);
    tcsi_offline_persist_scale(&measure->scale, codec);
    if (!tcsi_codec_loading(codec) || tcsi_codec_status(codec) != TCS_OK) return;
    bool fits = measure->factor > 0 && measure->window_row_count > 0
             && tcsi_coarse_with_factor(0, measure->window_row_count, measure->factor).window == measure->window;
    if (!fits) tcsi_codec_refuse(codec, "a window that does not fit its rows");
}

typedef struct score_job {
    tcsi_patch_score score;
    const void *model;
    const tcsi_patches *patches;
    size_t block_count;
    double *scores;
} score_job;

static void score_block(void *context, size_t task_index, size_t worker_index)
{
    const score_job *job = context;
    size_t begin = task_index * job->block_count, end = begin + job->block_count, count = job->patches->coarse.window_count;
    job->score(job->model, job->patches->values, begin, end < count ? end : count, worker_index, job->scores);
}

tcs_status tcsi_patches_score(const tcsi_patches *patches, size_t block_count, tcsi_patch_score score, const void *model,
                              tcsi_pool *pool, tcs_score *ret_scores, tcs_error *err)
{
    size_t count = patches->coarse.window_count;
    if (count == 0) {
        tcsi_offline_scores(&patches->offline, NULL, ret_scores);
        return TCS_OK;
    }
    double *windows = TCSI_NEW_ARRAY(double, count), *rows = TCSI_NEW_ARRAY(double, patches->offline.row_count);
    tcs_status status = windows && rows ? TCS_OK : tcsi_fail_memory(err, "scores");
    if (status == TCS_OK) {
        score_job job = { score, model, patches, block_count, windows };
        tcsi_pool_run(pool, (count + block_count - 1) / block_count, score_block, &job);
        tcsi_coarse_expand(&patches->coarse, windows, rows);
        tcsi_offline_scores(&patches->offline, rows, ret_scores);
    }
    tcsi_free(windows);
    tcsi_free(rows);
    return status;
}

size_t tcsi_patches_size_max(size_t row_count)
{
    return tcsi_offline_size_max(row_count) + 3 * row_count * sizeof(double);
}
