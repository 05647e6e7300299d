/* SPDX-License-Identifier: Apache-2.0 */
#include "detect/ensemble/deep_members.h"

#include "base/alloc.h"
#include "detect/deep/judges.h"
#include "detect/registry.h"
#include "series/stats.h"

static const double WEIGHT = 0.6;

struct tcsi_deep_members {
    tcsi_pool *pool;
    tcsi_judges *judges;
    tcsi_detector *encoder;
};

tcs_status tcsi_deep_members_create(size_t epochs, tcsi_pool *pool, tcsi_deep_members **ret_members, tcs_error *err)
{
    const tcsi_parameter_value parameter = { "epochs", (double)epochs };
    const tcsi_detector_setup setup = { .channel_count = 1, .pool = pool, .parameters = &parameter, .parameter_count = epochs > 0 };
    tcsi_deep_members *members = TCSI_NEW(tcsi_deep_members);
    if (!members) return tcsi_fail_memory(err, "deep members");
    *members = (tcsi_deep_members){ .pool = pool };
    tcs_status status = tcsi_judges_create(TCSI_JUDGE_VALUES, 0, &members->judges, err);
    if (status == TCS_OK) status = tcsi_detector_create(tcsi_registry_find("contrastive"), &setup, &members->encoder, err);
    if (status == TCS_OK) *ret_members = members;
    else tcsi_deep_members_destroy(members);
    return status;
}

void tcsi_deep_members_destroy(tcsi_deep_members *members)
{
    if (!members) return;
    tcsi_judges_destroy(members->judges);
    tcsi_detector_destroy(members->encoder);
    tcsi_free(members);
}

static void add(double *scores, double *member, size_t row_count)
{
    for (size_t t = 0; t < row_count; t++) {
        member[t] *= WEIGHT;
        scores[t] += member[t];
    }
}

static tcs_status add_judges(tcsi_deep_members *members, const tcsi_deep_members_series *series, double *scores, double *member,
                             tcs_error *err)
{
    tcsi_blocks blocks;
    tcs_status status = tcsi_blocks_init(series->x, series->row_count, series->period, NULL, 0, &blocks, err);
    if (status != TCS_OK) return status;
    status = tcsi_judges_score(members->judges, &blocks, series->period, members->pool, member, err);
    tcsi_blocks_deinit(&blocks);
    if (status == TCS_OK) add(scores, member, series->row_count);
    return status;
}

static tcs_status ask_encoder(tcsi_deep_members *members, const tcsi_deep_members_series *series, tcs_score *ret_scores, tcs_error *err)
{
    tcsi_channel channel = { .name = NULL };
    const tcsi_frame frame = { .row_count = series->row_count, .channel_count = 1, .stride = series->row_count,
                               .values = (double *)series->x, .channels = &channel, .is_view = true };
    const tcsi_frame train = tcsi_frame_view(&frame, 0, series->train_row_count);
    tcs_status status = tcsi_detector_fit(members->encoder, &train, err);
    return status == TCS_OK ? tcsi_detector_score(members->encoder, &frame, ret_scores, err) : status;
}

/* A series that the encoder cannot learn from is refused or never READY: then it has no say. */
static tcs_status add_encoder(tcsi_deep_members *members, const tcsi_deep_members_series *series, double *scores, double *member,
                              bool *ret_spoke, tcs_error *err)
{
    tcs_error refusal = { 0 };
    tcs_score *judged = TCSI_NEW_ARRAY(tcs_score, series->row_count);
    if (!judged) return tcsi_fail_memory(err, "scores");
    tcs_status status = ask_encoder(members, series, judged, &refusal);
    bool ready = status == TCS_OK;
    for (size_t t = 0; t < series->row_count && ready; t++) {
        ready = judged[t].state == TCS_SCORE_READY;
        member[t] = judged[t].value;
    }
    tcsi_free(judged);
    *ret_spoke = ready;
    if (status != TCS_OK && status != TCS_E_INVALID) {
        *err = refusal;
        return status;
    }
    if (!ready) return TCS_OK;
    tcsi_standardize(member, series->row_count);
    add(scores, member, series->row_count);
    return TCS_OK;
}

tcs_status tcsi_deep_members_add(tcsi_deep_members *members, const tcsi_deep_members_series *series, double *scores, double *ret_members,
                                 size_t *ret_count, tcs_error *err)
{
    bool encoder_spoke = false;
    tcsi_standardize(scores, series->row_count);
    tcs_status status = add_judges(members, series, scores, ret_members, err);
    if (status == TCS_OK) status = add_encoder(members, series, scores, ret_members + series->row_count, &encoder_spoke, err);
    *ret_count = encoder_spoke ? TCSI_DEEP_MEMBER_COUNT : 1;
    return status;
}

size_t tcsi_deep_members_size_max(const tcsi_deep_members *members, size_t row_count)
{
    const size_t size = tcsi_size_sum(sizeof *members, tcsi_detector_size_max(members->encoder, row_count));
    const size_t rows = tcsi_size_product(row_count, sizeof(double) + sizeof(tcs_score));
    return tcsi_size_sum(tcsi_size_sum(size, rows),
                         tcsi_size_sum(tcsi_judges_size_max(members->judges, row_count), tcsi_blocks_size_max(row_count, 0)));
}
