/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/known.h"

#include "base/alloc.h"

#include <math.h>

tcs_status tcsi_known_bind(const tcsi_knowledge *knowledge, const char *const *names, size_t channel_count, bool has_times,
                           tcsi_bound **ret_bound, tcs_error *err)
{
    tcsi_problems *problems = TCSI_NEW(tcsi_problems);
    tcs_status status = problems ? tcsi_bound_create(knowledge, names, channel_count, has_times, problems, ret_bound, err)
                                 : tcsi_fail_memory(err, "knowledge of channels");
    tcsi_free(problems);
    return status;
}

static tcs_status bind_frame(const tcsi_knowledge *knowledge, const tcsi_frame *frame, bool has_times, tcsi_bound **ret_bound,
                             tcs_error *err)
{
    const char **names = TCSI_NEW_ARRAY(const char *, frame->channel_count);
    if (!names) return tcsi_fail_memory(err, "channel names");
    for (size_t c = 0; c < frame->channel_count; c++) names[c] = frame->channels[c].name;
    tcs_status status = tcsi_known_bind(knowledge, names, frame->channel_count, has_times, ret_bound, err);
    tcsi_free(names);
    return status;
}

static tcs_status new_known(tcsi_bound *bound, tcsi_known **ret_known, tcs_error *err)
{
    tcsi_known *known = TCSI_NEW(tcsi_known);
    if (!known) {
        tcsi_bound_destroy(bound);
        return tcsi_fail_memory(err, "knowledge");
    }
    known->bound = bound;
    *ret_known = known;
    return bound->knowledge->rule_count > 0 ? tcsi_votes_init(&known->votes, bound->knowledge, err) : TCS_OK;
}

tcs_status tcsi_known_create(const tcsi_knowledge *knowledge, const tcsi_frame *frame, bool has_times, tcsi_known **ret_known,
                             tcs_error *err)
{
    tcsi_bound *bound = NULL;
    tcsi_known *known = NULL;
    tcs_status status = bind_frame(knowledge, frame, has_times && frame->times_ns, &bound, err);
    if (status == TCS_OK) status = new_known(bound, &known, err);
    if (status == TCS_OK) status = tcsi_bound_apply(bound, frame, &known->applied, err);
    if (status == TCS_OK) *ret_known = known;
    else tcsi_known_destroy(known);
    return status;
}

tcs_status tcsi_known_follow(tcsi_bound *bound, const tcsi_frame *frame, tcsi_known **ret_known, tcs_error *err)
{
    tcsi_known *known = NULL;
    tcs_status status = new_known(bound, &known, err);
    if (status == TCS_OK) status = tcsi_bound_prepare(bound, frame, &known->applied, err);
    if (status == TCS_OK) *ret_known = known;
    else tcsi_known_destroy(known);
    return status;
}

void tcsi_known_destroy(tcsi_known *known)
{
    if (!known) return;
    tcsi_applied_deinit(&known->applied);
    tcsi_bound_destroy(known->bound);
    tcsi_votes_deinit(&known->votes);
    tcsi_free(known->signatures);
    tcsi_free(known->probabilities);
    tcsi_free(known);
}

/* What the detector says of a row by itself. */
static bool detector_alarms(const tcsi_detection *detection, size_t t)
{
    const tcs_score *score = &detection->scores[t];
    const double level = detection->decision.by_evidence ? score->evidence : score->value;
    return score->state == TCS_SCORE_READY && level > detection->decision.thresholds[t];
}

static void weigh_rules(tcsi_known *known, const tcsi_detection *detection)
{
    const tcsi_frame *frame = detection->frame;
    for (size_t t = 0; t < frame->row_count; t++) {
        const bool is_labelled = detection->is_told && t < detection->train_row_count;
        const tcsi_truth truth = !is_labelled ? TCSI_TRUTH_UNKNOWN : frame->labels[t] ? TCSI_TRUTH_ANOMALY : TCSI_TRUTH_NORMAL;
        tcsi_votes_add(&known->votes, known->applied.spoken[t], detector_alarms(detection, t), truth);
    }
    tcsi_votes_estimate(&known->votes);
}

/* That of its surest row: an episode is one when any of its rows is, and neighbours are no independent evidence. */
static double probability_of(const tcsi_known *known, const tcsi_detection *detection, const tcsi_episode *episode)
{
    double largest = 0;
    for (size_t t = episode->row_begin; t < episode->row_end; t++)
        largest = fmax(largest, tcsi_votes_probability(&known->votes, known->applied.spoken[t], detector_alarms(detection, t)));
    return largest;
}

tcs_status tcsi_known_conclude(tcsi_known *known, const tcsi_detection *detection, tcs_error *err)
{
    const size_t count = detection->decision.episode_count;
    tcs_status status = TCS_OK;
    known->signatures = TCSI_NEW_ZEROS(size_t, count);
    known->probabilities = TCSI_NEW_ARRAY(double, count);
    if (!known->signatures || !known->probabilities) return tcsi_fail_memory(err, "knowledge of episodes");
    if (known->votes.counts) weigh_rules(known, detection);
    for (size_t i = 0; i < count && status == TCS_OK; i++) {
        const tcsi_episode *episode = &detection->decision.episodes[i];
        const bool is_judged = known->votes.counts && episode->order.kind == TCSI_ORDER_NONE; /* of a limit nobody asks how likely it is */
        known->probabilities[i] = is_judged ? probability_of(known, detection, episode) : NAN;
        status = tcsi_bound_recognize(known->bound, known->applied.frame, episode->row_begin, episode->row_end, &known->signatures[i], err);
    }
    return status;
}
