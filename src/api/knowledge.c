/* api/knowledge.c -- knowledge files, and what a result says because of them.  SPDX-License-Identifier: Apache-2.0 */
#include "api/handles.h"

#include "base/alloc.h"
#include "pipeline/crossing.h"
#include "pipeline/known.h"
#include "series/cadence.h"

#include <math.h>

/* ---- files ---- */

/* Tells each problem to whoever asks; err then only counts them. */
static tcs_status tell(const tcsi_problems *problems, tcs_status status, tcs_problem_hook hook, void *context, tcs_error *err)
{
    char line[TCSI_PROBLEM_SIZE + TCSI_PROBLEM_FILE_SIZE + 32];
    if (!hook || problems->count == 0 || status != TCS_E_FORMAT) return status;
    for (size_t i = 0; i < problems->count; i++) {
        tcsi_problems_format(problems, i, line, sizeof line);
        hook(context, line);
    }
    const size_t count = problems->count + problems->left_off;
    return tcsi_fail(err, status, "%.200s: %zu problem%s%s", problems->file, count, count == 1 ? "" : "s",
                     problems->left_off ? ", the first of them told" : "");
}

tcs_status tcs_knowledge_read(const char *path, tcs_problem_hook hook, void *context, tcs_knowledge **ret_knowledge, tcs_error *err)
{
    if (!path || !ret_knowledge) return tcsi_fail(err, TCS_E_INVALID, "tcs_knowledge_read needs a path and a place for the knowledge");
    tcsi_problems *problems = TCSI_NEW(tcsi_problems);
    tcs_knowledge *knowledge = TCSI_NEW(tcs_knowledge);
    tcs_status status = problems && knowledge ? TCS_OK : tcsi_fail_memory(err, "knowledge");
    if (status == TCS_OK) {
        tcsi_knowledge *inner = NULL;
        tcsi_buffer_init(&knowledge->words, SIZE_MAX);
        status = tell(problems, tcsi_knowledge_read(path, problems, &inner, err), hook, context, err);
        knowledge->inner = inner;
    }
    if (status == TCS_OK) status = tcsi_knowledge_describe(knowledge->inner, &knowledge->words, err);
    if (status == TCS_OK) *ret_knowledge = knowledge;
    else tcs_knowledge_destroy(knowledge);
    tcsi_free(problems);
    return status;
}

void tcs_knowledge_destroy(tcs_knowledge *knowledge)
{
    if (!knowledge) return;
    tcsi_knowledge_destroy(knowledge->inner);
    tcsi_buffer_deinit(&knowledge->words);
    tcsi_free(knowledge);
}

tcs_status tcs_knowledge_check(const tcs_knowledge *knowledge, const tcs_frame *frame, tcs_problem_hook hook, void *context, tcs_error *err)
{
    if (!knowledge || !frame) return tcsi_fail(err, TCS_E_INVALID, "tcs_knowledge_check needs knowledge and a frame");
    const size_t count = frame->frame->channel_count;
    tcsi_problems *problems = TCSI_NEW(tcsi_problems);
    const char **names = TCSI_NEW_ARRAY(const char *, count);
    tcsi_bound *bound = NULL;
    tcs_status status = problems && names ? TCS_OK : tcsi_fail_memory(err, "knowledge");
    for (size_t c = 0; status == TCS_OK && c < count; c++) names[c] = frame->frame->channels[c].name;
    if (status == TCS_OK) {
        status = tcsi_bound_create(knowledge->inner, names, count, frame->has_real_times, problems, &bound, err);
        status = tell(problems, status, hook, context, err);
    }
    tcsi_bound_destroy(bound);
    tcsi_free(names);
    tcsi_free(problems);
    return status;
}

bool tcs_knowledge_excuses(const tcs_knowledge *knowledge, int64_t time_ns)
{
    const tcsi_knowledge *k = knowledge->inner;
    for (size_t i = 0; i < k->event_count; i++)
        if (k->events[i].channel_count == 0 && tcsi_known_event_covers(&k->events[i], time_ns)) return true;
    return false;
}

const char *tcs_knowledge_words(const tcs_knowledge *knowledge) { return knowledge->words.data; }
const char *tcs_knowledge_file(const tcs_knowledge *knowledge) { return knowledge->inner->file; }

/* ---- results ---- */

static tcs_status find_step(tcs_result *result, tcs_error *err)
{
    const tcsi_frame *frame = result->detection->frame;
    tcsi_cadence cadence;
    tcs_status status = tcsi_cadence_of(frame->times_ns, frame->row_count, &cadence, NULL, 0, err);
    if (status == TCS_OK) result->step_ns = cadence.step_ns;
    return status;
}

tcs_status tcsi_api_know(tcs_result *result, const tcs_frame *given, tcs_error *err)
{
    const tcsi_known *known = result->detection->known;
    const tcsi_policy_result *decision = &result->detection->decision;
    result->frame = given;
    if (!known) return TCS_OK;
    result->seen = *given; /* its notes and places stay the given frame's */
    result->seen.frame = known->applied.frame;
    result->frame = &result->seen;
    result->limits = tcsi_alloc_zero(decision->episode_count, sizeof *result->limits);
    if (!result->limits) return tcsi_fail_memory(err, "limits");
    for (size_t i = 0; i < decision->episode_count; i++)
        if (decision->episodes[i].order.kind == TCSI_ORDER_ALARM)
            tcsi_bound_limit_format(known->bound, decision->episodes[i].order.which, result->limits[i], TCSI_API_LIMIT_SIZE);
    return result->detection->crossing_count > 0 && given->has_real_times ? find_step(result, err) : TCS_OK;
}

void tcsi_api_add_knowledge(const tcs_result *result, size_t index, tcs_episode *episode)
{
    const tcsi_known *known = result->detection->known;
    episode->probability = NAN;
    if (!known) return;
    const tcsi_knowledge *k = known->bound->knowledge;
    if (*result->limits[index]) episode->limit = result->limits[index];
    if (known->signatures[index] < k->signature_count) episode->signature = k->signatures[known->signatures[index]].name;
    episode->probability = known->probabilities[index];
}

const tcs_frame *tcs_result_frame(const tcs_result *result) { return result->frame; }
bool tcs_result_has_knowledge(const tcs_result *result) { return result->detection->known != NULL; }
size_t tcs_result_expected_count(const tcs_result *result) { return result->detection->decision.expected_count; }

tcs_episode tcs_result_expected(const tcs_result *result, size_t index)
{
    const tcsi_policy_result *decision = &result->detection->decision;
    TCS_ASSERT(index < decision->expected_count);
    const tcsi_episode *from = &decision->expected[index];
    tcs_episode episode = tcsi_api_episode(result, from);
    episode.event = result->detection->known->bound->knowledge->events[from->order.which].name;
    episode.probability = NAN;
    return episode;
}

uint64_t tcs_result_fault_count(const tcs_result *result, size_t channel)
{
    const tcsi_known *known = result->detection->known;
    return known && channel < known->bound->out_count ? known->bound->fault_counts[channel] : 0;
}

tcs_rule tcsi_api_rule(const tcsi_knowledge *knowledge, const tcsi_votes *votes, size_t index)
{
    TCS_ASSERT(index < knowledge->rule_count);
    return (tcs_rule){ .name = knowledge->rules[index].name, .says_anomaly = knowledge->rules[index].says_anomaly,
                       .row_count = tcsi_votes_spoken_count(votes, index), .accuracy = tcsi_votes_accuracy(votes, index) };
}

size_t tcs_result_rule_count(const tcs_result *result)
{
    return result->detection->known ? result->detection->known->bound->knowledge->rule_count : 0;
}

tcs_rule tcs_result_rule(const tcs_result *result, size_t index)
{
    const tcsi_known *known = result->detection->known;
    return tcsi_api_rule(known->bound->knowledge, &known->votes, index);
}

/* 0: there are no times, or none so late. */
static int64_t time_ahead(const tcs_result *result, size_t ahead)
{
    const tcsi_frame *frame = result->detection->frame;
    if (result->step_ns <= 0) return 0;
    const int64_t last_ns = frame->times_ns[frame->row_count - 1], rest_ns = last_ns > 0 ? INT64_MAX - last_ns : INT64_MAX;
    return ahead <= (uint64_t)(rest_ns / result->step_ns) ? last_ns + (int64_t)ahead * result->step_ns : 0;
}

size_t tcs_result_crossing_count(const tcs_result *result) { return result->detection->crossing_count; }

tcs_crossing tcs_result_crossing(const tcs_result *result, size_t index)
{
    TCS_ASSERT(index < result->detection->crossing_count);
    const tcsi_crossing *from = &result->detection->crossings[index];
    tcs_crossing to = { .channel = from->channel, .limit = from->words, .is_passed = from->is_passed,
                        .horizon_count = from->horizon_count, .probability = from->probability, .likely = from->likely };
    for (size_t i = 0; i < from->horizon_count; i++) {
        to.horizons[i].rows_ahead = from->ahead[i];
        to.horizons[i].time_ns = time_ahead(result, from->ahead[i]);
        to.horizons[i].probability = from->probabilities[i];
    }
    return to;
}

_Static_assert((int)TCS_CROSSING_HORIZON_COUNT_MAX == (int)TCSI_CROSSING_HORIZON_COUNT_MAX, "the public one is ours");
