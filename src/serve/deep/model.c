/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/deep/model.h"

#include "base/alloc.h"
#include "base/json.h"
#include "decide/history.h"
#include "base/envelope.h"

#include <float.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>

enum { SEED = 1, VERSION = 2, CLUSTERS_WANTED = 10 };
static const char FORMAT[] = "tocsin live network";

static tcs_status create(tcsi_deep_model **ret_model, tcs_error *err)
{
    tcsi_deep_model *model = TCSI_NEW(tcsi_deep_model);
    if (!model) return tcsi_fail_memory(err, "a deep model");
    atomic_store(&model->user_count, 1);
    const tcs_status status = tcsi_deep_network_init(&model->network, SEED, err);
    if (status == TCS_OK) *ret_model = model;
    else tcsi_deep_model_release(model);
    return status;
}

void tcsi_deep_model_refer(tcsi_deep_model *model)
{
    atomic_fetch_add(&model->user_count, 1);
}

void tcsi_deep_model_release(tcsi_deep_model *model)
{
    if (!model || atomic_fetch_sub(&model->user_count, 1) > 1) return;
    for (size_t i = 0; i < TCSI_QUESTION_SORT_COUNT; i++) tcsi_tail_deinit(&model->tails[i]);
    tcsi_deep_network_deinit(&model->network);
    tcsi_free(model);
}

/* ---- making one ---- */

static double mean(const double *values, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++) sum += values[i];
    return sum / (double)count;
}

/* What scores mean.  Windows of one sort come from many series in turn: each is a cluster of its own. */
static tcs_status compare(tcsi_deep_model *model, const tcsi_deep_windows references[TCSI_QUESTION_SORT_COUNT], tcs_error *err)
{
    tcsi_deep_scorer scorer = { 0 };
    double *scores = TCSI_NEW_ARRAY(double, TCSI_DEEP_TAIL_MAX);
    tcs_status status = scores ? tcsi_deep_scorer_init(&scorer, &model->network, err) : tcsi_fail_memory(err, "scores");
    for (size_t i = 0; status == TCS_OK && i < TCSI_QUESTION_SORT_COUNT; i++) {
        const size_t count = references[i].count < TCSI_DEEP_TAIL_MAX ? references[i].count : TCSI_DEEP_TAIL_MAX;
        if (count < TCSI_DEEP_TAIL_MIN) continue;
        tcsi_deep_scorer_run(&scorer, references[i].rows, count, scores);
        if (i == TCSI_QUESTION_SAMPLED) model->strangeness = mean(scores, count);
        const tcsi_pareto_prior prior = tcsi_prior_at_age(count);
        status = tcsi_tail_fit_scores(scores, count, 1, CLUSTERS_WANTED, &prior, &model->tails[i], err);
    }
    tcsi_deep_scorer_deinit(&scorer);
    tcsi_free(scores);
    return status;
}

static tcs_status name(tcsi_deep_model *model, tcs_error *err)
{
    unsigned char digest[TCSI_HASH_SIZE];
    tcsi_buffer bytes;
    tcsi_buffer_init(&bytes, (size_t)1 << 24);
    const tcs_status status = tcsi_deep_model_save(model, &bytes, err);
    if (status == TCS_OK) {
        tcsi_hash_bytes(bytes.data, bytes.size, digest);
        tcsi_hash_text(digest, model->hash);
    }
    tcsi_buffer_deinit(&bytes);
    return status;
}

tcs_status tcsi_deep_model_train(const tcsi_deep_model *before, tcsi_deep_windows lesson, const tcsi_deep_training *training,
                                 const tcsi_deep_windows references[TCSI_QUESTION_SORT_COUNT], uint64_t window_count,
                                 tcsi_deep_model **ret_model, tcs_error *err)
{
    tcsi_deep_model *model = NULL;
    tcs_status status = create(&model, err);
    if (status != TCS_OK) return status;
    model->window_count = window_count;
    if (before) tcsi_net_copy(before->network.net, model->network.net);
    status = tcsi_deep_network_train(&model->network, lesson.rows, lesson.count, training, err);
    if (status == TCS_OK) status = compare(model, references, err);
    if (status == TCS_OK) status = name(model, err);
    if (status == TCS_OK) *ret_model = model;
    else tcsi_deep_model_release(model);
    return status;
}

tcs_status tcsi_deep_model_compare(const tcsi_deep_model *before, const tcsi_deep_windows references[TCSI_QUESTION_SORT_COUNT],
                                   tcsi_deep_model **ret_model, tcs_error *err)
{
    tcsi_deep_model *model = NULL;
    tcs_status status = create(&model, err);
    if (status != TCS_OK) return status;
    model->window_count = before->window_count;
    tcsi_net_copy(before->network.net, model->network.net);
    status = compare(model, references, err);
    if (status == TCS_OK) status = name(model, err);
    if (status == TCS_OK) *ret_model = model;
    else tcsi_deep_model_release(model);
    return status;
}

float tcsi_deep_model_p_value(const tcsi_deep_model *model, tcsi_question_sort sort, double score)
{
    const tcsi_tail *tail = &model->tails[sort];
    return tail->count ? (float)fmax(tcsi_tail_p_value(tail, score), (double)FLT_MIN) : 1;
}

/* ---- saved form ---- */

static void persist(tcsi_deep_model *model, tcsi_codec *codec)
{
    uint32_t version = VERSION;
    tcsi_codec_tag(codec, "DEEP");
    tcsi_codec_u32(codec, &version);
    if (tcsi_codec_loading(codec) && tcsi_codec_status(codec) == TCS_OK && version != VERSION)
        tcsi_codec_refuse(codec, "a deep model of another version");
    tcsi_codec_u64(codec, &model->window_count);
    tcsi_codec_f64(codec, &model->strangeness);
    if (tcsi_codec_loading(codec) && tcsi_codec_status(codec) == TCS_OK && !(model->strangeness >= 0 && isfinite(model->strangeness)))
        tcsi_codec_refuse(codec, "a deep model out of range");
    tcsi_net_persist(model->network.net, codec);
    for (size_t i = 0; i < TCSI_QUESTION_SORT_COUNT; i++) tcsi_tail_persist(&model->tails[i], TCSI_DEEP_TAIL_MAX, codec);
}

tcs_status tcsi_deep_model_save(const tcsi_deep_model *model, tcsi_buffer *out, tcs_error *err)
{
    tcsi_buffer state;
    char windows[24], escalated[24], sampled[24], strangeness[TCSI_NUMBER_TEXT_SIZE];
    tcsi_buffer_init(&state, (size_t)1 << 24);
    tcsi_codec codec = tcsi_codec_save(&state, err);
    persist((tcsi_deep_model *)model, &codec); /* saving changes nothing */
    tcs_status status = tcsi_codec_status(&codec);
    snprintf(windows, sizeof windows, "%llu", (unsigned long long)model->window_count);
    snprintf(escalated, sizeof escalated, "%zu", model->tails[TCSI_QUESTION_ESCALATED].count);
    snprintf(sampled, sizeof sampled, "%zu", model->tails[TCSI_QUESTION_SAMPLED].count);
    strangeness[tcsi_number_format(model->strangeness, strangeness)] = 0;
    const tcsi_envelope_note notes[] = { { "format", FORMAT }, { "windows", windows }, { "references_escalated", escalated },
                                         { "references_sampled", sampled }, { "strangeness", strangeness } };
    if (status == TCS_OK) status = tcsi_envelope_write(notes, TCS_COUNT(notes), state.data, state.size, out, err);
    tcsi_buffer_deinit(&state);
    return status;
}

tcs_status tcsi_deep_model_load(const void *bytes, size_t size, tcsi_deep_model **ret_model, tcs_error *err)
{
    tcsi_deep_model *model = NULL;
    const void *inside;
    size_t inside_size;
    tcs_status status = tcsi_envelope_open(bytes, size, FORMAT, &inside, &inside_size, err);
    if (status == TCS_OK) status = create(&model, err);
    if (status != TCS_OK) return status;
    tcsi_codec codec = tcsi_codec_load(inside, inside_size, err);
    persist(model, &codec);
    if (tcsi_codec_status(&codec) == TCS_OK && codec.in_size) tcsi_codec_refuse(&codec, "bytes behind its end");
    status = tcsi_codec_status(&codec);
    if (status == TCS_OK) status = name(model, err);
    if (status == TCS_OK) *ret_model = model;
    else tcsi_deep_model_release(model);
    return status;
}
