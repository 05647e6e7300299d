/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/deep/model.h"

#include "base/alloc.h"
#include "base/envelope.h"
#include "base/json.h"
#include "decide/history.h"
#include "tocsin_config.h"

#include <float.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>

enum { SEED = 1, VERSION = 3, CLUSTERS_WANTED = 10 };
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
    tcsi_deep_head_deinit(&model->head);
    tcsi_free(model);
}

/* ---- making one ---- */

static double mean(const double *values, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++) sum += values[i];
    return sum / (double)count;
}

/* Windows to work on at once, and what is said of them. */
typedef struct workroom {
    tcsi_deep_scorer scorer;
    double *scores;   /* (TCSI_DEEP_TAIL_MAX) */
    double *features; /* (TCSI_DEEP_TAIL_MAX, TCSI_DEEP_FEATURES) */
} workroom;

static tcs_status workroom_init(workroom *room, const tcsi_deep_model *model, tcs_error *err)
{
    *room = (workroom){ .scores = TCSI_NEW_ARRAY(double, TCSI_DEEP_TAIL_MAX),
                        .features = TCSI_NEW_ARRAY(double, (size_t)TCSI_DEEP_TAIL_MAX * TCSI_DEEP_FEATURES) };
    if (!room->scores || !room->features) return tcsi_fail_memory(err, "scores");
    return tcsi_deep_scorer_init(&room->scorer, &model->network, err);
}

static void workroom_deinit(workroom *room)
{
    tcsi_deep_scorer_deinit(&room->scorer);
    tcsi_free(room->scores);
    tcsi_free(room->features);
}

static size_t run_references(workroom *room, tcsi_deep_windows windows)
{
    const size_t count = windows.count < TCSI_DEEP_TAIL_MAX ? windows.count : TCSI_DEEP_TAIL_MAX;
    tcsi_deep_scorer_run(&room->scorer, windows.rows, count, room->scores, room->features);
    return count;
}

/* What scores mean.  Windows of one sort come from many series in turn: each is a cluster of its own. */
static tcs_status compare(tcsi_deep_model *model, const tcsi_deep_windows references[TCSI_QUESTION_SORT_COUNT], workroom *room,
                          tcs_error *err)
{
    tcs_status status = TCS_OK;
    for (size_t i = 0; status == TCS_OK && i < TCSI_QUESTION_SORT_COUNT; i++) {
        if (references[i].count < TCSI_DEEP_TAIL_MIN) continue;
        const size_t count = run_references(room, references[i]);
        if (i == TCSI_QUESTION_SAMPLED) model->strangeness = mean(room->scores, count);
        for (size_t k = 0; k < count; k++)
            room->scores[k] = tcsi_deep_model_score(model, (tcsi_question_sort)i, room->scores[k], room->features + k * TCSI_DEEP_FEATURES);
        const tcsi_pareto_prior prior = tcsi_prior_at_age(count);
        status = tcsi_tail_fit_scores(room->scores, count, 1, CLUSTERS_WANTED, &prior, &model->tails[i], err);
    }
    return status;
}

/* What answers teach of rows out of the ordinary, where there are enough of both to go by. */
static tcs_status listen(tcsi_deep_model *model, const tcsi_deep_windows references[TCSI_QUESTION_SORT_COUNT],
                         const tcsi_deep_answers *answers, workroom *room, tcs_error *err)
{
    const tcsi_deep_windows escalated = references[TCSI_QUESTION_ESCALATED];
    if (escalated.count < TCSI_DEEP_TAIL_MIN || !tcsi_deep_head_is_due(answers->set)) return TCS_OK;
    const size_t count = answers->set->count;
    double *features = TCSI_NEW_ARRAY(double, count * TCSI_DEEP_FEATURES);
    if (!features) return tcsi_fail_memory(err, "answers");
    for (size_t i = 0; i < count; i++) {
        double ignored;
        tcsi_deep_scorer_run(&room->scorer, answers->set->items[i].rows, 1, &ignored, features + i * TCSI_DEEP_FEATURES);
    }
    const size_t reference_count = run_references(room, escalated);
    const tcs_status status = tcsi_deep_head_fit(answers->set, features, room->features, reference_count, &model->head, answers->held_out,
                                                 err);
    tcsi_free(features);
    return status;
}

static void hash_windows(tcsi_hash *hash, tcsi_deep_windows windows)
{
    unsigned char bytes[2 * TCSI_LAST_ROWS];
    for (size_t i = 0; i < windows.count; i++) {
        for (size_t k = 0; k < TCSI_LAST_ROWS; k++) {
            const uint16_t row = (uint16_t)windows.rows[i * TCSI_LAST_ROWS + k];
            bytes[2 * k] = (unsigned char)(row & 255);
            bytes[2 * k + 1] = (unsigned char)(row >> 8);
        }
        tcsi_hash_update(hash, bytes, sizeof bytes);
    }
}

static void write_lineage(tcsi_deep_model *model, tcsi_deep_windows lesson, const tcsi_deep_windows references[TCSI_QUESTION_SORT_COUNT])
{
    unsigned char digest[TCSI_HASH_SIZE];
    tcsi_hash hash;
    tcsi_hash_init(&hash);
    hash_windows(&hash, lesson);
    for (size_t i = 0; i < TCSI_QUESTION_SORT_COUNT; i++) hash_windows(&hash, references[i]);
    tcsi_hash_end(&hash, digest);
    tcsi_hash_text(digest, model->lineage.data);
    snprintf(model->lineage.engine, sizeof model->lineage.engine, "%s", TCSI_VERSION);
}

static void name_bytes(tcsi_deep_model *model, const void *bytes, size_t size)
{
    unsigned char digest[TCSI_HASH_SIZE];
    tcsi_hash_bytes(bytes, size, digest);
    tcsi_hash_text(digest, model->hash);
}

static tcs_status name(tcsi_deep_model *model, tcs_error *err)
{
    tcsi_buffer bytes;
    tcsi_buffer_init(&bytes, (size_t)1 << 24);
    const tcs_status status = tcsi_deep_model_save(model, &bytes, err);
    if (status == TCS_OK) name_bytes(model, bytes.data, bytes.size);
    tcsi_buffer_deinit(&bytes);
    return status;
}

/* Answers, tails, lineage, name: of a model whose weights are what they will be. */
static tcs_status finish(tcsi_deep_model *model, tcsi_deep_windows lesson, const tcsi_deep_windows references[TCSI_QUESTION_SORT_COUNT],
                         const tcsi_deep_answers *answers, tcs_error *err)
{
    workroom room;
    tcs_status status = workroom_init(&room, model, err);
    if (status == TCS_OK && answers) status = listen(model, references, answers, &room, err);
    if (status == TCS_OK) status = compare(model, references, &room, err);
    workroom_deinit(&room);
    write_lineage(model, lesson, references);
    return status == TCS_OK ? name(model, err) : status;
}

tcs_status tcsi_deep_model_train(const tcsi_deep_model *before, tcsi_deep_windows lesson, const tcsi_deep_training *training,
                                 const tcsi_deep_windows references[TCSI_QUESTION_SORT_COUNT], uint64_t window_count,
                                 const tcsi_deep_answers *answers, tcsi_deep_model **ret_model, tcs_error *err)
{
    tcsi_deep_model *model = NULL;
    tcs_status status = create(&model, err);
    if (status != TCS_OK) return status;
    model->window_count = window_count;
    model->lineage = (tcsi_deep_lineage){ .seed = training->seed, .step_count = training->step_count, .rate = training->rate };
    if (before) tcsi_net_copy(before->network.net, model->network.net);
    status = tcsi_deep_network_train(&model->network, lesson.rows, lesson.count, training, err);
    if (status == TCS_OK) status = finish(model, lesson, references, answers, err);
    if (status == TCS_OK) *ret_model = model;
    else tcsi_deep_model_release(model);
    return status;
}

tcs_status tcsi_deep_model_compare(const tcsi_deep_model *before, const tcsi_deep_windows references[TCSI_QUESTION_SORT_COUNT],
                                   const tcsi_deep_answers *answers, tcsi_deep_model **ret_model, tcs_error *err)
{
    tcsi_deep_model *model = NULL;
    tcs_status status = create(&model, err);
    if (status != TCS_OK) return status;
    model->window_count = before->window_count;
    model->lineage = before->lineage;
    tcsi_net_copy(before->network.net, model->network.net);
    if (!answers) status = tcsi_deep_head_copy(&before->head, &model->head, err);
    if (status == TCS_OK) status = finish(model, (tcsi_deep_windows){ NULL, 0 }, references, answers, err);
    if (status == TCS_OK) *ret_model = model;
    else tcsi_deep_model_release(model);
    return status;
}

double tcsi_deep_model_score(const tcsi_deep_model *model, tcsi_question_sort sort, double strangeness,
                             const double features[TCSI_DEEP_FEATURES])
{
    return sort == TCSI_QUESTION_ESCALATED && model->head.is_set ? tcsi_deep_head_log_odds(&model->head, features) : strangeness;
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
    if (tcsi_codec_loading(codec) && tcsi_codec_status(codec) == TCS_OK && version != VERSION && version != 2)
        tcsi_codec_refuse(codec, "a deep model of another version");
    tcsi_codec_u64(codec, &model->window_count);
    tcsi_codec_f64(codec, &model->strangeness);
    if (tcsi_codec_loading(codec) && tcsi_codec_status(codec) == TCS_OK && !(model->strangeness >= 0 && isfinite(model->strangeness)))
        tcsi_codec_refuse(codec, "a deep model out of range");
    tcsi_net_persist(model->network.net, codec);
    for (size_t i = 0; i < TCSI_QUESTION_SORT_COUNT; i++) tcsi_tail_persist(&model->tails[i], TCSI_DEEP_TAIL_MAX, codec);
    if (version == 2) return; /* made before answers taught anything */
    tcsi_codec_text(codec, model->lineage.engine, sizeof model->lineage.engine);
    tcsi_codec_text(codec, model->lineage.data, sizeof model->lineage.data);
    tcsi_codec_u64(codec, &model->lineage.seed);
    tcsi_codec_u64(codec, &model->lineage.step_count);
    tcsi_codec_f64(codec, &model->lineage.rate);
    if (tcsi_codec_loading(codec) && tcsi_codec_status(codec) == TCS_OK && !(model->lineage.rate >= 0 && isfinite(model->lineage.rate)))
        tcsi_codec_refuse(codec, "a deep model's lineage out of range");
    tcsi_deep_head_persist(&model->head, codec);
}

/* What its card says of it: texts, which live in `room`. */
enum { NOTES = 13, ROOM = TCSI_NUMBER_TEXT_SIZE };
static size_t write_notes(const tcsi_deep_model *model, char room[NOTES][ROOM], tcsi_envelope_note ret_notes[NOTES])
{
    const tcsi_deep_lineage *l = &model->lineage;
    const struct {
        const char *name;
        uint64_t value;
    } counts[] = { { "windows", model->window_count }, { "references_escalated", model->tails[TCSI_QUESTION_ESCALATED].count },
                   { "references_sampled", model->tails[TCSI_QUESTION_SAMPLED].count }, { "seed", l->seed }, { "steps", l->step_count },
                   { "labels_true", model->head.counts[1] }, { "labels_other", model->head.counts[0] } };
    const tcsi_envelope_note texts[] = { { "format", FORMAT }, { "engine", l->engine }, { "data_sha256", l->data },
                                         { "labels_sha256", model->head.labels } };
    const struct {
        const char *name;
        double value;
    } numbers[] = { { "strangeness", model->strangeness }, { "rate", l->rate } };
    size_t count = 0;
    for (size_t i = 0; i < TCS_COUNT(texts); i++) ret_notes[count++] = texts[i];
    for (size_t i = 0; i < TCS_COUNT(counts); i++, count++) {
        snprintf(room[count], ROOM, "%llu", (unsigned long long)counts[i].value);
        ret_notes[count] = (tcsi_envelope_note){ counts[i].name, room[count] };
    }
    for (size_t i = 0; i < TCS_COUNT(numbers); i++, count++) {
        room[count][tcsi_number_format(numbers[i].value, room[count])] = 0;
        ret_notes[count] = (tcsi_envelope_note){ numbers[i].name, room[count] };
    }
    return count;
}

tcs_status tcsi_deep_model_save(const tcsi_deep_model *model, tcsi_buffer *out, tcs_error *err)
{
    tcsi_buffer state;
    char room[NOTES][ROOM];
    tcsi_envelope_note notes[NOTES];
    tcsi_buffer_init(&state, (size_t)1 << 24);
    tcsi_codec codec = tcsi_codec_save(&state, err);
    persist((tcsi_deep_model *)model, &codec); /* saving changes nothing */
    tcs_status status = tcsi_codec_status(&codec);
    const size_t count = write_notes(model, room, notes);
    if (status == TCS_OK) status = tcsi_envelope_write(notes, count, state.data, state.size, out, err);
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
    name_bytes(model, bytes, size); /* as it came, also in an older form */
    if (status == TCS_OK) *ret_model = model;
    else tcsi_deep_model_release(model);
    return status;
}
