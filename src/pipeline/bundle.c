/* pipeline/bundle.c -- a pipeline in a file.
 *
 * The file is a safetensors file with one tensor, "pipeline" (U8): the state, written by a codec and sealed.  Everything the header says
 * in words is in the state as well, and the header is made from it: reading makes it anew and compares, so that nothing in the file can be
 * changed without being noticed.  That guards against accidents; whoever means to deceive can seal anew.
 * SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/pipeline.h"

#include "base/alloc.h"
#include "base/envelope.h"
#include "base/json.h"
#include "detect/registry.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { BUNDLE_VERSION = 2, LENGTH_SIZE = 8, SEAL_SIZE = 8 };

static const char FORMAT[] = "tocsin bundle";

/* ---- state ---- */

static void persist_name(char **name, tcsi_codec *codec)
{
    size_t size = *name ? strlen(*name) : 0;
    tcsi_codec_size(codec, &size, TCSI_PIPELINE_NAME_MAX);
    if (tcsi_codec_status(codec) != TCS_OK) return;
    if (tcsi_codec_loading(codec)) {
        *name = tcsi_alloc_zero(size + 1, 1);
        if (!*name) codec->status = tcsi_fail_memory(codec->err, "channel names");
    }
    tcsi_codec_bytes(codec, *name, size);
    if (tcsi_codec_loading(codec) && tcsi_codec_status(codec) == TCS_OK && strlen(*name) != size)
        tcsi_codec_refuse(codec, "a channel name that ends early");
}

static void persist_channels(tcsi_pipeline *pipeline, tcsi_codec *codec)
{
    tcsi_codec_size(codec, &pipeline->channel_count, TCSI_FRAME_CHANNEL_COUNT_MAX);
    if (tcsi_codec_loading(codec)) {
        if (pipeline->channel_count > codec->in_size / LENGTH_SIZE) pipeline->channel_count = 0;
        if (tcsi_codec_status(codec) == TCS_OK && pipeline->channel_count == 0) tcsi_codec_refuse(codec, "no channels");
        pipeline->channel_names = TCSI_NEW_ZEROS(char *, pipeline->channel_count);
        if (!pipeline->channel_names) codec->status = tcsi_fail_memory(codec->err, "channel names");
    }
    for (size_t c = 0; c < pipeline->channel_count && tcsi_codec_status(codec) == TCS_OK; c++)
        persist_name(&pipeline->channel_names[c], codec);
}

static void persist_detector(tcsi_pipeline *pipeline, tcsi_codec *codec)
{
    tcsi_registry_persist(&pipeline->info, codec);
    if (tcsi_codec_status(codec) != TCS_OK) return;
    if (tcsi_codec_loading(codec)) {
        pipeline->parameter_values = TCSI_NEW_ZEROS(double, pipeline->info->parameter_count);
        if (!pipeline->parameter_values) codec->status = tcsi_fail_memory(codec->err, "a pipeline");
    }
    tcsi_codec_f64s(codec, pipeline->parameter_values, pipeline->info->parameter_count);
    tcsi_codec_u64(codec, &pipeline->seed);
}

static void persist_reference(tcsi_pipeline *pipeline, tcsi_codec *codec)
{
    tcsi_codec_size(codec, &pipeline->reference_count, TCSI_HISTORY_MAX);
    if (tcsi_codec_loading(codec) && tcsi_codec_status(codec) == TCS_OK) {
        pipeline->reference = TCSI_NEW_ARRAY(double, pipeline->reference_count);
        if (!pipeline->reference) codec->status = tcsi_fail_memory(codec->err, "scores");
    }
    tcsi_codec_f64s(codec, pipeline->reference, pipeline->reference_count);
    if (!tcsi_codec_loading(codec) || tcsi_codec_status(codec) != TCS_OK) return;
    const bool is_absolute = pipeline->mode == TCS_MODE_OFFLINE && !pipeline->is_fleet && !(pipeline->info->traits & TCSI_TRAIT_RELATIVE);
    bool is_sound = is_absolute ? pipeline->reference_count >= 2 : pipeline->reference_count == 0;
    for (size_t i = 0; i < pipeline->reference_count; i++) is_sound &= pipeline->reference[i] - pipeline->reference[i] == 0;
    if (!is_sound) tcsi_codec_refuse(codec, "scores that no rows can have");
}

static void persist_state(tcsi_pipeline *pipeline, tcsi_codec *codec)
{
    size_t size = pipeline->state.size;
    tcsi_codec_size(codec, &size, tcsi_codec_loading(codec) ? codec->in_size : SIZE_MAX);
    if (tcsi_codec_status(codec) != TCS_OK) return;
    if (!tcsi_codec_loading(codec)) {
        tcsi_codec_bytes(codec, pipeline->state.data, size);
        return;
    }
    if (size > codec->in_size) {
        tcsi_codec_refuse(codec, "a state longer than the file");
        return;
    }
    codec->status = tcsi_buffer_append(&pipeline->state, codec->in, size, codec->err);
    codec->in += size;
    codec->in_size -= size;
}

/* Only where there is some: bundles without are as they always were. */
static void persist_knowledge(tcsi_pipeline *pipeline, tcsi_codec *codec)
{
    const bool is_next = tcsi_codec_loading(codec) ? codec->in_size >= 4 && memcmp(codec->in, "KNOW", 4) == 0 : pipeline->knowledge != NULL;
    if (!is_next || tcsi_codec_status(codec) != TCS_OK) return;
    tcsi_knowledge_persist(&pipeline->knowledge, codec);
    tcsi_codec_bool(codec, &pipeline->has_times);
}

static void persist(tcsi_pipeline *pipeline, tcsi_codec *codec)
{
    bool is_offline = pipeline->mode == TCS_MODE_OFFLINE;
    tcsi_codec_bytes(codec, pipeline->engine, sizeof pipeline->engine);
    tcsi_codec_bool(codec, &is_offline);
    pipeline->mode = is_offline ? TCS_MODE_OFFLINE : TCS_MODE_ONLINE;
    tcsi_codec_bool(codec, &pipeline->is_tabular);
    tcsi_codec_bool(codec, &pipeline->is_fleet);
    tcsi_codec_bool(codec, &pipeline->is_told);
    persist_detector(pipeline, codec);
    persist_channels(pipeline, codec);
    tcsi_budget_persist(&pipeline->budget, codec);
    tcsi_codec_size(codec, &pipeline->train_row_count, SIZE_MAX);
    tcsi_codec_u64(codec, &pipeline->row_count);
    tcsi_codec_u64(codec, &pipeline->data_seal);
    persist_reference(pipeline, codec);
    if (tcsi_codec_status(codec) == TCS_OK) tcsi_calibrator_persist(&pipeline->calibrator, codec);
    persist_state(pipeline, codec);
    persist_knowledge(pipeline, codec);
    tcsi_codec_tag(codec, "DONE");
    if (!tcsi_codec_loading(codec) || tcsi_codec_status(codec) != TCS_OK) return;
    if (pipeline->engine[sizeof pipeline->engine - 1]) tcsi_codec_refuse(codec, "a version that does not end");
    else if (codec->in_size > 0) tcsi_codec_refuse(codec, "more bytes than a pipeline has");
}

/* ---- header ---- */

static void put_count(tcsi_json_writer *w, const char *key, uint64_t count)
{
    char text[32];
    snprintf(text, sizeof text, "%" PRIu64, count);
    tcsi_json_put_string(w, key, text);
}

/* Values of __metadata__ are strings: what is more than that is JSON in a string. */
static tcs_status put_json(tcsi_json_writer *w, const char *key, const tcsi_pipeline *pipeline,
                           void (*fill)(tcsi_json_writer *, const tcsi_pipeline *), tcs_error *err)
{
    tcsi_buffer text;
    tcsi_json_writer inner;
    tcsi_buffer_init(&text, SIZE_MAX);
    tcsi_json_writer_init(&inner, &text, false);
    fill(&inner, pipeline);
    tcs_status status = tcsi_json_finish(&inner, err);
    if (status == TCS_OK) tcsi_json_put_string(w, key, text.data);
    tcsi_buffer_deinit(&text);
    return status;
}

static void fill_channels(tcsi_json_writer *w, const tcsi_pipeline *pipeline)
{
    tcsi_json_begin_array(w);
    for (size_t c = 0; c < pipeline->channel_count; c++) tcsi_json_string(w, pipeline->channel_names[c]);
    tcsi_json_end_array(w);
}

static void fill_parameters(tcsi_json_writer *w, const tcsi_pipeline *pipeline)
{
    tcsi_json_begin_object(w);
    for (size_t i = 0; i < pipeline->info->parameter_count; i++) {
        tcsi_json_key(w, pipeline->info->parameters[i].name);
        tcsi_json_number(w, pipeline->parameter_values[i]);
    }
    tcsi_json_end_object(w);
}

static void fill_budget(tcsi_json_writer *w, const tcsi_pipeline *pipeline)
{
    tcsi_json_begin_object(w);
    tcsi_json_key(w, "false_alarms");
    tcsi_json_number(w, pipeline->budget.count);
    tcsi_json_key(w, "per_ns");
    tcsi_json_integer(w, pipeline->budget.per_ns);
    if (pipeline->budget.team_series > 0) {
        tcsi_json_put_string(w, "team", pipeline->budget.team);
        tcsi_json_put_integer(w, "team_series", (int64_t)pipeline->budget.team_series);
    }
    tcsi_json_end_object(w);
}

/* The header of a file whose state has so many bytes. */
static tcs_status make_header(const tcsi_pipeline *pipeline, size_t state_size, tcsi_buffer *out, tcs_error *err)
{
    tcsi_json_writer w;
    char seal[32];
    snprintf(seal, sizeof seal, "fnv1a64:%016" PRIx64, pipeline->data_seal);
    tcsi_json_writer_init(&w, out, false);
    tcsi_json_begin_object(&w);
    tcsi_json_key(&w, "__metadata__");
    tcsi_json_begin_object(&w);
    tcsi_json_put_string(&w, "format", FORMAT);
    put_count(&w, "version", BUNDLE_VERSION);
    tcsi_json_put_string(&w, "engine", pipeline->engine);
    tcsi_json_put_string(&w, "mode", pipeline->mode == TCS_MODE_ONLINE ? "online" : "offline");
    tcsi_json_put_string(&w, "knows", pipeline->is_fleet ? "fleet" : "series");
    tcsi_json_put_string(&w, "detector", pipeline->info->name);
    put_count(&w, "train_rows", pipeline->train_row_count);
    put_count(&w, "rows", pipeline->row_count);
    tcsi_json_put_string(&w, "data", seal);
    put_count(&w, "seed", pipeline->seed);
    tcs_status status = put_json(&w, "channels", pipeline, fill_channels, err);
    if (status == TCS_OK) status = put_json(&w, "parameters", pipeline, fill_parameters, err);
    if (status == TCS_OK) status = put_json(&w, "alarm_budget", pipeline, fill_budget, err);
    if (status != TCS_OK) return status;
    if (pipeline->knowledge) tcsi_json_put_string(&w, "knowledge", pipeline->knowledge->text);
    tcsi_json_end_object(&w);
    return tcsi_envelope_end(&w, "pipeline", state_size, err);
}

/* ---- both ways ---- */

static void persist_sealed(tcsi_pipeline *pipeline, tcsi_buffer *out, tcsi_codec *codec)
{
    uint32_t version = BUNDLE_VERSION;
    tcsi_codec_tag(codec, "TCSB");
    tcsi_codec_u32(codec, &version);
    persist(pipeline, codec);
    if (tcsi_codec_status(codec) != TCS_OK) return;
    uint64_t seal = tcsi_seal(TCSI_SEAL_BEGIN, out->data, out->size);
    tcsi_codec_u64(codec, &seal);
}

tcs_status tcsi_pipeline_save(tcsi_pipeline *pipeline, tcsi_buffer *out, tcs_error *err)
{
    tcsi_buffer state, header;
    tcsi_buffer_init(&state, SIZE_MAX);
    tcsi_buffer_init(&header, SIZE_MAX);
    tcsi_codec codec = tcsi_codec_save(&state, err);
    persist_sealed(pipeline, &state, &codec);
    tcs_status status = tcsi_codec_status(&codec);
    if (status == TCS_OK) status = make_header(pipeline, state.size, &header, err);
    if (status == TCS_OK) {
        tcsi_codec file = tcsi_codec_save(out, err);
        tcsi_codec_size(&file, &header.size, SIZE_MAX);
        tcsi_codec_bytes(&file, header.data, header.size);
        tcsi_codec_bytes(&file, state.data, state.size);
        status = tcsi_codec_status(&file);
    }
    tcsi_buffer_deinit(&state);
    tcsi_buffer_deinit(&header);
    return status;
}

/* Splits the file; the state is sealed and of a version that can be read. */
static tcs_status open_file(const char *bytes, size_t size, const char *name, size_t *ret_header_size, tcsi_codec *ret_codec,
                            tcs_error *err)
{
    char expected[64];
    uint64_t header_size = 0, seal = 0;
    uint32_t version = 0;
    const int length = snprintf(expected, sizeof expected, "{\"__metadata__\":{\"format\":\"%s\"", FORMAT);
    tcsi_codec file = tcsi_codec_load(bytes, size, NULL);
    tcsi_codec_u64(&file, &header_size);
    const bool is_ours = tcsi_codec_status(&file) == TCS_OK && header_size >= (uint64_t)length && header_size <= file.in_size &&
                         memcmp(file.in, expected, (size_t)length) == 0;
    if (!is_ours) return tcsi_fail(err, TCS_E_FORMAT, "%.200s: expected a bundle, as `tocsin fit` writes it", name);
    tcsi_codec state = tcsi_codec_load(file.in + header_size, file.in_size - (size_t)header_size, NULL);
    const unsigned char *const begin = state.in;
    tcsi_codec_tag(&state, "TCSB");
    tcsi_codec_u32(&state, &version);
    if (tcsi_codec_status(&state) != TCS_OK || state.in_size < SEAL_SIZE)
        return tcsi_fail(err, TCS_E_FORMAT, "%.200s: the bundle is cut short or damaged", name);
    if (version > BUNDLE_VERSION)
        return tcsi_fail(err, TCS_E_UNSUPPORTED, "%.200s: a bundle of version %u; this tocsin reads version %d", name, version,
                         BUNDLE_VERSION);
    if (version < BUNDLE_VERSION)
        return tcsi_fail(err, TCS_E_UNSUPPORTED, "%.200s: a bundle of version %u; this tocsin reads version %d: fit it again", name,
                         version, BUNDLE_VERSION);
    state.in_size -= SEAL_SIZE;
    tcsi_codec end = tcsi_codec_load(state.in + state.in_size, SEAL_SIZE, NULL);
    tcsi_codec_u64(&end, &seal);
    if (seal != tcsi_seal(TCSI_SEAL_BEGIN, begin, (size_t)(state.in - begin) + state.in_size))
        return tcsi_fail(err, TCS_E_FORMAT, "%.200s: the bundle is cut short or damaged (its checksum does not match)", name);
    *ret_header_size = (size_t)header_size;
    *ret_codec = state;
    return TCS_OK;
}

static tcs_status check_header(const tcsi_pipeline *pipeline, const char *bytes, size_t size, size_t header_size, const char *name,
                               tcs_error *err)
{
    tcsi_buffer header;
    tcsi_buffer_init(&header, SIZE_MAX);
    tcs_status status = make_header(pipeline, size - LENGTH_SIZE - header_size, &header, err);
    if (status == TCS_OK && (header.size != header_size || memcmp(header.data, bytes + LENGTH_SIZE, header_size) != 0))
        status = tcsi_fail(err, TCS_E_FORMAT, "%.200s: the bundle's header was changed: it does not describe what is in it", name);
    tcsi_buffer_deinit(&header);
    return status;
}

/* What the state holds can be put to work: later users need not ask. */
static tcs_status check_state(const tcsi_pipeline *pipeline, tcs_error *err)
{
    tcsi_detect_stream *stream = NULL;
    tcsi_detector *detector = NULL;
    tcs_status status = pipeline->mode == TCS_MODE_ONLINE && !pipeline->is_fleet
                            ? tcsi_pipeline_stream(pipeline, 1, &stream, err)
                            : tcsi_detector_load(pipeline->state.data, pipeline->state.size, NULL, &detector, err);
    const size_t expected = pipeline->channel_count + (pipeline->knowledge ? pipeline->knowledge->formula_count : 0);
    size_t channel_count = expected;
    if (status == TCS_OK) channel_count = stream ? tcsi_detect_stream_detector(stream)->channel_count : detector->channel_count;
    if (channel_count != expected) status = tcsi_fail(err, TCS_E_FORMAT, "saved state: %zu channels", channel_count);
    tcsi_detect_stream_destroy(stream);
    tcsi_detector_destroy(detector);
    return status;
}

tcs_status tcsi_pipeline_load(const void *bytes, size_t size, const char *name, tcsi_pipeline **ret_pipeline, tcs_error *err)
{
    tcsi_codec codec;
    size_t header_size = 0;
    tcs_status status = open_file(bytes, size, name, &header_size, &codec, err);
    if (status != TCS_OK) return status;
    tcsi_pipeline *pipeline = TCSI_NEW(tcsi_pipeline);
    if (!pipeline) return tcsi_fail_memory(err, "a pipeline");
    tcsi_buffer_init(&pipeline->state, SIZE_MAX);
    codec.err = err;
    persist(pipeline, &codec);
    status = tcsi_codec_status(&codec);
    if (status == TCS_OK) status = check_header(pipeline, bytes, size, header_size, name, err);
    if (status == TCS_OK) status = check_state(pipeline, err);
    if (status == TCS_OK) {
        *ret_pipeline = pipeline;
        return TCS_OK;
    }
    tcsi_pipeline_destroy(pipeline);
    return status == TCS_E_INVALID ? tcsi_detect_blame_rows(status, err) : status;
}
