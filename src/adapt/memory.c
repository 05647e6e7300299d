/* SPDX-License-Identifier: Apache-2.0 */
#include "adapt/memory.h"

#include "base/alloc.h"

#include <math.h>

enum { GUARD_ROWS = 4 };

static const double SERIES_LIMIT = 0.5, SIMILAR_LIMIT = 0.02, SIMILAR_CHANCE = 0.1, VOTE_MIN = 0.25, VOTE_NEEDED = 0.2, MAJORITY = 1.5;
static const double GUARD_RARITY = 10, GUARD_HEIGHT = 1.25, GUARD_REACH = 1.25, GUARD_LASTED = 1.5;
static const double PRIOR_TRUE = 2, PRIOR_EXPECTED = 1;

const char *const tcsi_answer_verdict_names[TCSI_ANSWER_VERDICT_COUNT] = { "true", "expected", "not_mine" };
const char *const tcsi_answer_scope_names[TCSI_ANSWER_SCOPE_COUNT] = { "episode", "pattern", "series", "similar" };

/* ---- what is remembered ---- */

tcs_status tcsi_memory_init(tcsi_memory *memory, tcs_error *err)
{
    *memory = (tcsi_memory){ .items = TCSI_NEW_ARRAY(tcsi_remembered, TCSI_MEMORY_MAX) };
    return memory->items ? TCS_OK : tcsi_fail_memory(err, "answers");
}

void tcsi_memory_deinit(tcsi_memory *memory)
{
    tcsi_free(memory->items);
    *memory = (tcsi_memory){ 0 };
}

static tcsi_remembered *find(const tcsi_memory *memory, tcsi_fingerprint id)
{
    for (size_t i = 0; i < memory->count; i++)
        if (tcsi_fingerprint_equal(memory->items[i].answer.id, id)) return &memory->items[i];
    return NULL;
}

const tcsi_episode_answer *tcsi_memory_find(const tcsi_memory *memory, tcsi_fingerprint id)
{
    const tcsi_remembered *item = find(memory, id);
    return item ? &item->answer : NULL;
}

static void drop(tcsi_memory *memory, tcsi_remembered *item)
{
    memory->true_count -= item->answer.verdict == TCSI_ANSWER_TRUE;
    *item = memory->items[--memory->count];
}

static tcsi_remembered *longest_unused(tcsi_memory *memory)
{
    tcsi_remembered *oldest = &memory->items[0];
    for (size_t i = 1; i < memory->count; i++)
        if (memory->items[i].used < oldest->used) oldest = &memory->items[i];
    return oldest;
}

void tcsi_memory_put(tcsi_memory *memory, const tcsi_episode_answer *answer)
{
    tcsi_remembered *same = find(memory, answer->id);
    if (same) drop(memory, same);
    else if (memory->count == TCSI_MEMORY_MAX) drop(memory, longest_unused(memory));
    memory->items[memory->count++] = (tcsi_remembered){ .answer = *answer, .used = ++memory->serial };
    memory->true_count += answer->verdict == TCSI_ANSWER_TRUE;
}

bool tcsi_memory_undo(tcsi_memory *memory, tcsi_fingerprint id, tcsi_episode_answer *ret_answer)
{
    tcsi_remembered *item = find(memory, id);
    if (!item) return false;
    if (ret_answer) *ret_answer = item->answer;
    drop(memory, item);
    return true;
}

bool tcsi_memory_has_ended(const tcsi_memory *memory, int64_t now_ns)
{
    for (size_t i = 0; i < memory->count; i++)
        if (memory->items[i].answer.until_ns < now_ns) return true;
    return false;
}

bool tcsi_memory_expire(tcsi_memory *memory, int64_t now_ns)
{
    const size_t count = memory->count;
    for (size_t i = memory->count; i-- > 0;)
        if (memory->items[i].answer.until_ns < now_ns) drop(memory, &memory->items[i]);
    return memory->count < count;
}

/* ---- what it says ---- */

static bool is_same_episode(const tcsi_pattern *a, const tcsi_pattern *b)
{
    return a->series == b->series && a->kind == b->kind && a->begin_ns == b->begin_ns;
}

/* How like chance nearness may be among other series: the more answers there are to be near to, the less. */
static double similar_limit(const tcsi_memory *memory, const tcsi_question *question)
{
    size_t count = 0;
    for (size_t i = 0; i < memory->count; i++) {
        const tcsi_episode_answer *answer = &memory->items[i].answer;
        count += answer->scope == TCSI_SCOPE_SIMILAR && answer->pattern.family == question->pattern.family;
    }
    return fmin(SIMILAR_LIMIT, SIMILAR_CHANCE / (double)(count > 0 ? count : 1));
}

/* Of one answer; 0: it does not speak of this. */
static double vote(const tcsi_episode_answer *answer, const tcsi_question *question, double limit_similar, double *ret_distance)
{
    const tcsi_pattern *asked = &question->pattern, *said = &answer->pattern;
    const double confidence = (double)answer->confidence;
    *ret_distance = 0;
    if (answer->until_ns < question->now_ns) return 0;
    if (is_same_episode(asked, said)) return confidence;
    const bool is_own = asked->series == said->series;
    const bool is_similar = answer->scope == TCSI_SCOPE_SIMILAR && asked->family == said->family;
    if (answer->scope == TCSI_SCOPE_EPISODE || !(is_own || is_similar)) return 0;
    *ret_distance = tcsi_pattern_distance(asked, said);
    if (answer->scope == TCSI_SCOPE_SERIES) return confidence;
    const double limit = is_own ? SERIES_LIMIT : limit_similar, share = tcsi_pattern_share(*ret_distance);
    return share > limit ? 0 : confidence * fmax(1 - share / limit, VOTE_MIN);
}

/* The greatest of what was answered for quiet. */
typedef struct bounds {
    double height, lasted, reach;
} bounds;

static void widen(bounds *b, const tcsi_pattern *said, const tcsi_pattern *asked)
{
    b->height = fmax(b->height, (double)said->height);
    b->lasted = fmax(b->lasted, is_same_episode(said, asked) ? INFINITY : (double)said->lasted);
    if (said->series == asked->series) b->reach = fmax(b->reach, said->reach);
}

static bool is_rarer(const tcsi_cohort *cohort, double height, double than)
{
    return height > than && GUARD_RARITY * tcsi_cohort_rate(cohort, height) < tcsi_cohort_rate(cohort, than);
}

static bool is_guarded(const tcsi_question *question, const bounds *b)
{
    const tcsi_pattern *asked = &question->pattern;
    const double height = (double)asked->height;
    if (question->is_hard || height > GUARD_HEIGHT * b->height) return true;
    if (b->reach > 0 && asked->reach > GUARD_REACH * b->reach) return true;
    if ((double)asked->lasted > GUARD_LASTED * b->lasted + GUARD_ROWS) return true;
    return question->cohort && is_rarer(question->cohort, height, b->height);
}

tcsi_advice tcsi_memory_ask(tcsi_memory *memory, const tcsi_question *question)
{
    tcsi_advice advice = { .kind = TCSI_ADVICE_NONE };
    tcsi_remembered *nearest[2] = { NULL, NULL }; /* for quiet, against it */
    double distances[2] = { INFINITY, INFINITY }, votes[2] = { 0, 0 };
    const double limit = similar_limit(memory, question);
    bounds quiet = { 0 };
    for (size_t i = 0; i < memory->count; i++) {
        tcsi_remembered *item = &memory->items[i];
        const size_t side = item->answer.verdict == TCSI_ANSWER_TRUE;
        double distance;
        const double cast = vote(&item->answer, question, limit, &distance);
        if (!(cast > 0)) continue;
        votes[side] += cast;
        if (side == 0) widen(&quiet, &item->answer.pattern, &question->pattern);
        if (nearest[side] && !(distance < distances[side])) continue;
        nearest[side] = item;
        distances[side] = distance;
    }
    advice.vote_quiet = votes[0];
    advice.vote_heard = votes[1];
    const bool is_quiet = votes[0] >= VOTE_NEEDED && votes[0] >= MAJORITY * votes[1];
    const bool is_heard = votes[1] >= VOTE_NEEDED && votes[1] >= MAJORITY * votes[0];
    advice.is_guarded = is_quiet && is_guarded(question, &quiet);
    if (advice.is_guarded || !(is_quiet || is_heard)) return advice;
    advice.kind = is_quiet ? TCSI_ADVICE_SUPPRESS : TCSI_ADVICE_RAISE;
    advice.answer = nearest[is_heard]->answer.id;
    advice.distance = distances[is_heard];
    nearest[is_heard]->used = ++memory->serial;
    return advice;
}

double tcsi_memory_share(const tcsi_memory *memory, uint32_t series, int64_t now_ns)
{
    double is_true = PRIOR_TRUE, is_expected = PRIOR_EXPECTED;
    for (size_t i = 0; i < memory->count; i++) {
        const tcsi_episode_answer *answer = &memory->items[i].answer;
        if (answer->pattern.series != series || answer->until_ns < now_ns) continue;
        if (answer->verdict == TCSI_ANSWER_TRUE) is_true += (double)answer->confidence;
        if (answer->verdict == TCSI_ANSWER_EXPECTED) is_expected += (double)answer->confidence;
    }
    const double precision = is_true / (is_true + is_expected), before = PRIOR_TRUE / (PRIOR_TRUE + PRIOR_EXPECTED);
    return fmin(fmax(precision / before, TCSI_SHARE_MIN), TCSI_SHARE_MAX);
}

double tcsi_memory_nearest_true(const tcsi_memory *memory, const tcsi_pattern *pattern, int64_t now_ns)
{
    double distance = INFINITY;
    for (size_t i = 0; i < memory->count; i++) {
        const tcsi_episode_answer *answer = &memory->items[i].answer;
        if (answer->verdict != TCSI_ANSWER_TRUE || answer->scope == TCSI_SCOPE_EPISODE) continue;
        if (answer->until_ns < now_ns || !(answer->confidence > 0)) continue;
        if (answer->pattern.series == pattern->series) distance = fmin(distance, tcsi_pattern_distance(pattern, &answer->pattern));
    }
    return tcsi_pattern_share(distance);
}

/* ---- saved form ---- */

static void persist_answer(tcsi_episode_answer *answer, tcsi_codec *codec)
{
    uint32_t verdict = answer->verdict, scope = answer->scope;
    tcsi_codec_u64(codec, &answer->id.low);
    tcsi_codec_u64(codec, &answer->id.high);
    tcsi_codec_u32(codec, &verdict);
    tcsi_codec_u32(codec, &scope);
    tcsi_codec_f32(codec, &answer->confidence);
    tcsi_codec_i64(codec, &answer->until_ns);
    tcsi_codec_u32(codec, &answer->place);
    tcsi_pattern_persist(&answer->pattern, codec);
    if (!tcsi_codec_loading(codec) || tcsi_codec_status(codec) != TCS_OK) return;
    answer->verdict = (uint8_t)verdict;
    answer->scope = (uint8_t)scope;
    if (verdict >= TCSI_ANSWER_VERDICT_COUNT || scope >= TCSI_ANSWER_SCOPE_COUNT || !(answer->confidence >= 0 && answer->confidence <= 1))
        tcsi_codec_refuse(codec, "an answer out of range");
}

void tcsi_memory_persist(tcsi_memory *memory, tcsi_codec *codec)
{
    size_t count = memory->count;
    tcsi_codec_tag(codec, "ANSW");
    tcsi_codec_u64(codec, &memory->serial);
    tcsi_codec_size(codec, &count, TCSI_MEMORY_MAX);
    for (size_t i = 0; i < count && tcsi_codec_status(codec) == TCS_OK; i++) {
        tcsi_remembered *item = &memory->items[i];
        if (tcsi_codec_loading(codec)) *item = (tcsi_remembered){ 0 };
        persist_answer(&item->answer, codec);
        tcsi_codec_u64(codec, &item->used);
        if (!tcsi_codec_loading(codec)) continue;
        memory->count++;
        memory->true_count += item->answer.verdict == TCSI_ANSWER_TRUE;
    }
}
