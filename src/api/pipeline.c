/* api/pipeline.c -- pipelines: fitted, kept, read back, asked.  Their streams are in api/stream.c.  SPDX-License-Identifier: Apache-2.0 */
#include "api/handles.h"

#include "base/alloc.h"
#include "base/file.h"

#include <math.h>

enum { BUNDLE_SIZE_MAX = 1 << 30 };

/* ---- life ---- */

/* Takes over inner, even in failure. */
static tcs_status wrap(tcsi_pipeline *inner, tcs_pipeline **ret_pipeline, tcs_error *err)
{
    tcs_pipeline *pipeline = TCSI_NEW(tcs_pipeline);
    if (!pipeline) {
        tcsi_pipeline_destroy(inner);
        return tcsi_fail_memory(err, "a pipeline");
    }
    pipeline->inner = inner;
    *ret_pipeline = pipeline;
    return TCS_OK;
}

tcs_status tcs_pipeline_fit(const tcs_frame *frame, const tcs_detect_options *options, tcs_pipeline **ret_pipeline, tcs_error *err)
{
    static const tcs_detect_options defaults = { .mode = TCS_MODE_ONLINE };
    if (!frame || !ret_pipeline) return tcsi_fail(err, TCS_E_INVALID, "tcs_pipeline_fit needs a frame and a place for the pipeline");
    tcsi_api_detect *inner = TCSI_NEW(tcsi_api_detect);
    tcsi_pipeline *fitted = NULL;
    tcs_status status = inner ? tcsi_api_detect_options(options ? options : &defaults, frame->is_tabular, inner, err)
                              : tcsi_fail_memory(err, "a pipeline");
    if (inner) inner->options.has_times = frame->has_real_times;
    if (status == TCS_OK) status = tcsi_pipeline_fit(frame->frame, &inner->options, &fitted, err);
    tcsi_free(inner);
    return status == TCS_OK ? wrap(fitted, ret_pipeline, err) : status;
}

/* As many facts as the detector is to expect, unless the caller set the parameter. */
static tcs_status add_fact_count(tcsi_api_detect *inner, size_t fact_count, tcs_error *err)
{
    const size_t at = inner->options.parameter_count;
    if (fact_count == 0) return TCS_OK;
    if (at == TCSI_API_PARAMETER_COUNT_MAX) return tcsi_fail(err, TCS_E_INVALID, "too many parameters beside the facts");
    inner->values[at] = (tcsi_parameter_value){ .name = "facts", .value = (double)fact_count };
    inner->options.parameter_count++;
    return TCS_OK;
}

tcs_status tcs_pipeline_fit_fleet(const tcs_frame *const *frames, size_t frame_count, const double *facts,
                                  const tcs_detect_options *options, tcs_pipeline **ret_pipeline, tcs_error *err)
{
    static const tcs_detect_options defaults = { .mode = TCS_MODE_ONLINE };
    if (!frames || frame_count == 0 || !ret_pipeline)
        return tcsi_fail(err, TCS_E_INVALID, "tcs_pipeline_fit_fleet needs frames and a place for the pipeline");
    tcs_detect_options asked = options ? *options : defaults;
    const size_t fact_count = facts ? asked.fact_count : 0;
    asked.facts = NULL;
    tcsi_api_detect *inner = TCSI_NEW(tcsi_api_detect);
    const tcsi_frame **series = TCSI_NEW_ARRAY(const tcsi_frame *, frame_count);
    tcsi_pipeline *fitted = NULL;
    tcs_status status = inner && series ? tcsi_api_detect_options(&asked, false, inner, err) : tcsi_fail_memory(err, "a pipeline");
    if (status == TCS_OK) status = add_fact_count(inner, fact_count, err);
    if (status == TCS_OK) {
        for (size_t i = 0; i < frame_count; i++) series[i] = frames[i]->frame;
        const tcsi_fleet fleet = { .series = series, .series_count = frame_count, .facts = facts, .fact_count = fact_count };
        status = tcsi_pipeline_fit_fleet(&fleet, &inner->options, &fitted, err);
    }
    tcsi_free(series);
    tcsi_free(inner);
    return status == TCS_OK ? wrap(fitted, ret_pipeline, err) : status;
}

void tcs_pipeline_destroy(tcs_pipeline *pipeline)
{
    if (!pipeline) return;
    tcsi_pipeline_destroy(pipeline->inner);
    tcsi_free(pipeline);
}

tcs_pipeline_description tcs_pipeline_describe(const tcs_pipeline *pipeline)
{
    const tcsi_pipeline *inner = pipeline->inner;
    tcs_pipeline_description description = {
        .mode = inner->mode, .detector = inner->info->name, .engine = inner->engine, .channel_count = inner->channel_count,
        .train_row_count = inner->train_row_count, .row_count = inner->row_count, .seed = inner->seed, .tabular = inner->is_tabular,
        .told = inner->is_told, .fleet = inner->is_fleet, .knowledge = inner->knowledge ? inner->knowledge->file : NULL,
            .train_loss = NAN, .held_loss = NAN,
    };
    if (inner->training.point_count > 0) {
        const tcsi_learning_point *last = &inner->training.points[inner->training.point_count - 1];
        description.step_count = (size_t)last->step;
        description.train_loss = last->train_loss;
        description.held_loss = last->held_loss;
    }
    return description;
}

const char *tcs_pipeline_channel_name(const tcs_pipeline *pipeline, size_t channel)
{
    TCS_ASSERT(channel < pipeline->inner->channel_count);
    return pipeline->inner->channel_names[channel];
}

/* ---- files ---- */

tcs_status tcs_pipeline_write(tcs_pipeline *pipeline, const char *path, tcs_error *err)
{
    tcsi_buffer bytes;
    tcsi_buffer_init(&bytes, BUNDLE_SIZE_MAX);
    tcs_status status = tcsi_pipeline_save(pipeline->inner, &bytes, err);
    if (status == TCS_OK) status = tcsi_file_write(path, bytes.data, bytes.size, err);
    tcsi_buffer_deinit(&bytes);
    return status;
}

tcs_status tcs_pipeline_read(const char *path, tcs_pipeline **ret_pipeline, tcs_error *err)
{
    if (!path || !ret_pipeline) return tcsi_fail(err, TCS_E_INVALID, "tcs_pipeline_read needs a path and a place for the pipeline");
    tcsi_buffer bytes;
    tcsi_pipeline *inner = NULL;
    tcsi_buffer_init(&bytes, BUNDLE_SIZE_MAX);
    tcs_status status = tcsi_file_read(path, &bytes, err);
    if (status == TCS_OK) status = tcsi_pipeline_load(bytes.data ? bytes.data : "", bytes.size, path, &inner, err);
    tcsi_buffer_deinit(&bytes);
    return status == TCS_OK ? wrap(inner, ret_pipeline, err) : status;
}

/* ---- rows ---- */

tcs_status tcsi_api_pipeline_read_options(const tcs_pipeline *pipeline, const tcs_read_options *options, tcsi_api_read *ret_read,
                                          tcs_error *err)
{
    const tcsi_pipeline *inner = pipeline->inner;
    tcs_read_options asked = options ? *options : (tcs_read_options){ 0 };
    asked.columns = NULL;
    asked.as_series = !inner->is_tabular;
    tcs_status status = tcsi_api_read_options(&asked, ret_read, err);
    if (status != TCS_OK) return status;
    ret_read->options.columns = (const char *const *)inner->channel_names;
    ret_read->options.column_count = inner->channel_count;
    return TCS_OK;
}

tcs_status tcs_pipeline_frame_read(const tcs_pipeline *pipeline, const char *input, const tcs_read_options *options, tcs_frame **ret_frame,
                                   tcs_error *err)
{
    if (!pipeline || !input || !ret_frame)
        return tcsi_fail(err, TCS_E_INVALID, "tcs_pipeline_frame_read needs a pipeline, an input and a place for the frame");
    tcsi_api_read read = { 0 };
    tcs_status status = tcsi_api_pipeline_read_options(pipeline, options, &read, err);
    if (status == TCS_OK) status = tcsi_api_frame_read(input, &read.options, options && options->keep_order, ret_frame, err);
    tcsi_api_read_deinit(&read);
    return status;
}

tcs_status tcsi_api_fail_times(tcs_error *err)
{
    return tcsi_fail(err, TCS_E_INVALID, "rows without times, but the pipeline has knowledge of rows with times");
}

tcs_status tcs_pipeline_score(tcs_pipeline *pipeline, const tcs_frame *frame, const tcs_score_options *options, tcs_result **ret_result,
                              tcs_error *err)
{
    static const tcs_score_options defaults = { 0 };
    const tcs_score_options *o = options ? options : &defaults;
    if (!pipeline || !frame || !ret_result)
        return tcsi_fail(err, TCS_E_INVALID, "tcs_pipeline_score needs a pipeline, a frame and a place for the result");
    const tcsi_pipeline_run run = { .thread_count = o->thread_count, .advance = o->advance, .keep = o->explain,
                                    .progress = { .report = o->progress, .context = o->progress_context } };
    tcsi_detection *detection = NULL;
    if (pipeline->inner->is_tabular != frame->is_tabular && pipeline->inner->mode == TCS_MODE_OFFLINE)
        return tcsi_fail(err, TCS_E_INVALID, frame->is_tabular ? "the rows are a table, but the pipeline was fitted on a series"
                                                               : "the rows are a series, but the pipeline was fitted on a table");
    if (pipeline->inner->has_times && !frame->has_real_times) return tcsi_api_fail_times(err);
    tcs_status status = tcsi_pipeline_score(pipeline->inner, frame->frame, &run, &detection, err);
    return status == TCS_OK ? tcsi_api_result(frame, detection, ret_result, err) : status;
}
