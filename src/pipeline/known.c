/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/known.h"

#include "base/alloc.h"
#include "knowledge/tape.h"

#include <math.h>

/* ---- constraints, as a detector is told of them ---- */

typedef struct told_constraints {
    tcsi_constraints table; /* the first member */
    tcsi_tape *tape;
    int sides[];
} told_constraints;

static size_t room(const void *tape, size_t step_count) { return tcsi_tape_room(tape, step_count); }

static void evaluate(const void *tape, const tcsi_pace *pace, const double *values, double *ret_residuals, double *numbers)
{
    tcsi_tape_evaluate(tape, pace, values, ret_residuals, numbers);
}

static void pull(const void *tape, const tcsi_pace *pace, const double *slopes, double *ret_slopes, double *numbers)
{
    tcsi_tape_pull(tape, pace, slopes, ret_slopes, numbers);
}

tcs_status tcsi_known_constraints_create(const tcsi_bound *bound, tcsi_constraints **ret_constraints, tcs_error *err)
{
    enum { NODE_COST = 8 }; /* there and back */
    tcsi_tape *tape;
    tcs_status status = tcsi_tape_create(bound, &tape, err);
    *ret_constraints = NULL;
    if (status != TCS_OK || !tape) return status;
    told_constraints *told = tcsi_alloc_zero(1, sizeof *told + tape->end_count * sizeof *told->sides);
    if (!told) {
        tcsi_tape_destroy(tape);
        return tcsi_fail_memory(err, "constraints");
    }
    for (size_t k = 0; k < tape->end_count; k++) told->sides[k] = tape->ends[k].side;
    told->tape = tape;
    told->table = (tcsi_constraints){ .context = tape, .channel_count = tape->channel_count, .count = tape->end_count, .sides = told->sides,
                                      .seal = tape->seal, .cost = NODE_COST * (double)tape->node_count, .room = room,
                                      .evaluate = evaluate, .pull = pull };
    *ret_constraints = &told->table;
    return TCS_OK;
}

void tcsi_known_constraints_destroy(tcsi_constraints *constraints)
{
    if (constraints) tcsi_tape_destroy(((told_constraints *)constraints)->tape);
    tcsi_free(constraints);
}

size_t tcsi_known_constraints_size(const tcsi_constraints *constraints)
{
    if (!constraints) return 0;
    const tcsi_tape *tape = ((const told_constraints *)constraints)->tape;
    return sizeof(told_constraints) + tape->end_count * sizeof(int) + sizeof *tape + tape->arena.size;
}

/* ---- knowledge of a frame ---- */

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
    if (status == TCS_OK) status = tcsi_known_constraints_create(bound, &known->constraints, err);
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
    tcsi_known_constraints_destroy(known->constraints);
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
