/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/shard/answered.h"

#include "base/arena.h"
#include "base/bounds.h"
#include "detect/fast/robust.h"
#include "serve/shard/cell.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ACTION_MEMORY_MAX = 1 << 22 };

/* ---- ids ---- */

bool tcsi_answer_id_read(const char *text, tcsi_fingerprint *ret_id)
{
    uint64_t halves[2] = { 0, 0 };
    for (size_t i = 0; i < 32; i++) {
        const char c = text[i];
        const bool is_digit = c >= '0' && c <= '9';
        if (!is_digit && !(c >= 'a' && c <= 'f')) return false;
        halves[i / 16] = halves[i / 16] << 4 | (uint64_t)(is_digit ? c - '0' : c - 'a' + 10);
    }
    *ret_id = (tcsi_fingerprint){ .high = halves[0], .low = halves[1] };
    return text[32] == 0 && (halves[0] | halves[1]) != 0;
}

void tcsi_answer_id_write(tcsi_fingerprint id, char ret_text[TCSI_ANSWER_ID_SIZE])
{
    snprintf(ret_text, TCSI_ANSWER_ID_SIZE, "%016" PRIx64 "%016" PRIx64, id.high, id.low);
}

/* ---- patterns ---- */

void tcsi_answered_row(tcsi_live_series *series, double value)
{
    tcsi_answered *answered = &series->answered;
    const tcsi_residual_chart *chart = &series->chart;
    const double spread = tcsi_robust_floor(sqrt((double)chart->variance), 0, chart->level);
    if (series->anomaly.begin_sequence) return; /* they are its onset's */
    memmove(answered->recent, answered->recent + 1, TCSI_PATTERN_SHAPE - 1);
    answered->recent[TCSI_PATTERN_SHAPE - 1] = chart->count > 0 ? tcsi_pattern_step((value - chart->level) / spread) : 0;
}

void tcsi_answered_score(tcsi_cell *cell, const tcsi_live_series *series, double score)
{
    const double usual = series->member.count > 0 ? (double)series->member.usual : cell->cohort.usual;
    cell->answers.height = tcsi_at_most(score / usual, TCSI_COHORT_HEIGHT_MAX);
}

static tcsi_pattern pattern_of_anomaly(const tcsi_live_series *series)
{
    const tcsi_live_episode *episode = &series->anomaly;
    const tcsi_answered *answered = &series->answered;
    tcsi_pattern pattern = { .series = series->number, .family = answered->family, .kind = TCSI_LIVE_ANOMALY, .begin_ns = episode->begin_ns,
                             .onset.height = answered->onset_height, .height = answered->height_max, .lasted = (float)episode->lasted,
                             .reach = fmin(fabs(episode->peak_value - episode->expected), 1e300) };
    memcpy(pattern.onset.shape, answered->recent, sizeof answered->recent);
    return pattern;
}

tcsi_pattern tcsi_answered_candidate(const tcsi_cell *cell, const tcsi_live_series *series, int64_t time_ns, bool is_below)
{
    const float height = (float)cell->answers.height;
    tcsi_pattern pattern = { .series = series->number, .family = series->answered.family, .kind = TCSI_LIVE_ANOMALY,
                             .begin_ns = time_ns, .onset.height = is_below ? -height : height, .height = height };
    memcpy(pattern.onset.shape, series->answered.recent, sizeof series->answered.recent);
    return pattern;
}

/* Of what no score tells of: how long it lasts is all there is. */
static tcsi_pattern pattern_of_other(const tcsi_live_series *series, const tcsi_live_event *event)
{
    const double lasted_s = ((double)event->time_ns - (double)event->episode.begin_ns) * 1e-9;
    return (tcsi_pattern){ .series = series->number, .family = series->answered.family, .kind = event->kind,
                           .begin_ns = event->episode.begin_ns, .lasted = (float)fmin(fmax(lasted_s, 0), 1e12) };
}

/* ---- questions ---- */

static tcsi_advice ask(tcsi_cell *cell, tcsi_pattern pattern)
{
    const tcsi_question question = { .pattern = pattern, .now_ns = cell->now_ns, .is_hard = pattern.kind == TCSI_LIVE_LIMIT,
                                     .cohort = &cell->cohort };
    const tcsi_advice advice = tcsi_memory_ask(&cell->answers.memory, &question);
    cell->answers.guarded_count += advice.is_guarded;
    return advice;
}

bool tcsi_answered_is_quiet(const tcsi_live_series *series)
{
    return series->answered.quiet & 1u << TCSI_LIVE_ANOMALY;
}

static void set_quiet(tcsi_answered *answered, unsigned kind, bool is_quiet)
{
    answered->quiet = (uint8_t)((answered->quiet & ~(1u << kind)) | (is_quiet ? 1u << kind : 0));
}

/* Its open anomaly is one. */
static void mark_incident(tcsi_cell *cell, tcsi_live_series *series)
{
    series->answered.is_incident = 1;
    tcsi_taught_incident(cell, series, series->anomaly.begin_ns, (double)series->anomaly.lasted);
}

tcsi_advice_kind tcsi_answered_follow(tcsi_cell *cell, tcsi_live_series *series, bool is_opening)
{
    tcsi_answered *answered = &series->answered;
    const tcsi_live_episode *episode = &series->anomaly;
    const float height = (float)cell->answers.height;
    if (is_opening) {
        answered->onset_height = episode->peak_value < episode->expected ? -height : height;
        answered->height_max = 0;
        answered->is_incident = 0;
        tcsi_taught_open(cell, series);
        set_quiet(answered, TCSI_LIVE_ANOMALY, false);
    }
    answered->height_max = fmaxf(answered->height_max, height);
    if (!is_opening && !tcsi_answered_is_quiet(series)) return TCSI_ADVICE_NONE;
    cell->answers.advice = ask(cell, pattern_of_anomaly(series));
    set_quiet(answered, TCSI_LIVE_ANOMALY, cell->answers.advice.kind == TCSI_ADVICE_SUPPRESS);
    if (cell->answers.advice.kind == TCSI_ADVICE_RAISE) mark_incident(cell, series);
    return cell->answers.advice.kind;
}

/* An episode whose rows are not followed is confirmed when it opens, and now and then asked for again. */
static void tell_other(tcsi_cell *cell, tcsi_live_series *series, tcsi_live_event *event)
{
    const bool was_quiet = series->answered.quiet & 1u << event->kind, is_over = event->state >= TCSI_LIVE_RESOLVED;
    if (!was_quiet && is_over) return;
    const tcsi_advice advice = ask(cell, event->pattern);
    if (!is_over) set_quiet(&series->answered, event->kind, advice.kind == TCSI_ADVICE_SUPPRESS);
    if (is_over) set_quiet(&series->answered, event->kind, false);
    if (advice.kind == TCSI_ADVICE_SUPPRESS) event->suppressed_by = advice.answer;
    if (!is_over && advice.kind == TCSI_ADVICE_SUPPRESS) event->state = TCSI_LIVE_SUSPECTED;
    if (is_over) event->state = TCSI_LIVE_DISMISSED;
}

void tcsi_answered_tell(tcsi_cell *cell, tcsi_live_series *series, tcsi_live_event *event)
{
    if (event->kind == TCSI_LIVE_ANOMALY) {
        event->pattern = pattern_of_anomaly(series);
        if (tcsi_answered_is_quiet(series)) event->suppressed_by = cell->answers.advice.answer;
        if (event->state >= TCSI_LIVE_RESOLVED && !event->is_answered) series->answered.is_incident = 0;
    } else {
        event->pattern = pattern_of_other(series, event);
        if (!event->is_answered) tell_other(cell, series, event);
    }
    const bool is_suppressed = (event->suppressed_by.low | event->suppressed_by.high) != 0;
    cell->answers.suppressed_count += is_suppressed && event->state == TCSI_LIVE_SUSPECTED && !event->is_update; /* each once */
}

/* ---- other episodes, which no rows follow ---- */

/* Since when, as shard/presence.c tells it; only while one of that kind is open. */
static int64_t begin_of(const tcsi_live_series *series, unsigned kind)
{
    const tcsi_presence *presence = &series->presence;
    switch (kind) {
    case TCSI_LIVE_ANOMALY: return series->anomaly.begin_ns;
    case TCSI_LIVE_STUCK: return presence->stuck_ns;
    case TCSI_LIVE_LATE: return presence->late_ns;
    case TCSI_LIVE_CADENCE: return presence->paced_ns;
    case TCSI_LIVE_LIMIT: return series->passed.begin_ns;
    default: return series->arrival.newest_ns[0];
    }
}

static bool is_open(const tcsi_live_series *series, unsigned kind)
{
    if (kind == TCSI_LIVE_ANOMALY) return series->anomaly.begin_sequence != 0;
    if (kind == TCSI_LIVE_LIMIT) return series->passed.side != TCSI_PASSED_NONE;
    return tcsi_presence_is_open(&series->presence, (tcsi_live_kind)kind);
}

static tcsi_live_event event_of(const tcsi_cell *cell, const tcsi_live_series *series, unsigned kind, uint64_t sequence)
{
    tcsi_live_event event = { .sequence = sequence, .number = series->number, .kind = (uint8_t)kind, .time_ns = cell->now_ns };
    event.episode = (tcsi_live_episode){ .begin_ns = begin_of(series, kind), .is_confirmed = 1 };
    if (kind == TCSI_LIVE_ANOMALY) event.episode = series->anomaly;
    if (kind == TCSI_LIVE_STUCK) event.episode.peak_value = series->chart.last;
    return event;
}

void tcsi_answered_tick(tcsi_cell *cell, tcsi_live_series *series, uint64_t sequence, int64_t now_ns)
{
    cell->now_ns = now_ns;
    for (unsigned kind = TCSI_LIVE_ANOMALY + 1; kind < TCSI_LIVE_KIND_COUNT; kind++) {
        if (!(series->answered.quiet & 1u << kind)) continue;
        tcsi_live_event event = event_of(cell, series, kind, sequence);
        if (is_open(series, kind) && ask(cell, pattern_of_other(series, &event)).kind == TCSI_ADVICE_SUPPRESS) continue;
        set_quiet(&series->answered, kind, false);
        event.state = TCSI_LIVE_CONFIRMED;
        if (is_open(series, kind)) tcsi_cell_tell(cell, series, event);
    }
}

/* ---- actions ---- */

static bool get_text(const tcsi_json_value *object, const char *key, const char **ret_text)
{
    const tcsi_json_value *value = tcsi_json_get(object, key);
    if (!value || value->type != TCSI_JSON_STRING) return false;
    *ret_text = value->text;
    return true;
}

static bool get_name(const tcsi_json_value *object, const char *key, const char *const *names, size_t count, uint8_t *ret_index)
{
    const char *text;
    if (!get_text(object, key, &text)) return false;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(text, names[i]) != 0) continue;
        *ret_index = (uint8_t)i;
        return true;
    }
    return false;
}

void tcsi_answered_write(const tcsi_episode_answer *answer, tcsi_json_writer *writer)
{
    char until[32] = "";
    if (answer->until_ns != INT64_MAX) snprintf(until, sizeof until, "%" PRId64, answer->until_ns);
    tcsi_json_put_string(writer, "verdict", tcsi_answer_verdict_names[answer->verdict]);
    tcsi_json_put_string(writer, "scope", tcsi_answer_scope_names[answer->scope]);
    tcsi_json_put_number(writer, "weight", (double)answer->confidence);
    tcsi_json_put_string(writer, "until_ns", until);
    tcsi_json_put_integer(writer, "place", answer->place);
    tcsi_json_key(writer, "pattern");
    tcsi_pattern_write(&answer->pattern, writer);
}

static bool read_answer(const tcsi_action *action, const tcsi_json_value *document, tcsi_episode_answer *ret_answer)
{
    const tcsi_json_value *pattern = tcsi_json_get(document, "pattern"), *weight = tcsi_json_get(document, "weight");
    const tcsi_json_value *place = tcsi_json_get(document, "place");
    tcsi_episode_answer answer = { .until_ns = INT64_MAX };
    const char *until;
    tcs_error err;
    if (!tcsi_answer_id_read(action->id, &answer.id) || !get_text(document, "until_ns", &until) || !pattern) return false;
    if (!get_name(document, "verdict", tcsi_answer_verdict_names, TCSI_ANSWER_VERDICT_COUNT, &answer.verdict)) return false;
    if (!get_name(document, "scope", tcsi_answer_scope_names, TCSI_ANSWER_SCOPE_COUNT, &answer.scope)) return false;
    if (!weight || weight->type != TCSI_JSON_NUMBER || !(weight->number >= 0 && weight->number <= 1)) return false;
    if (!place || place->type != TCSI_JSON_NUMBER || !(place->number >= 0 && place->number <= UINT32_MAX)) return false;
    if (*until) answer.until_ns = strtoll(until, NULL, 10);
    answer.confidence = (float)weight->number;
    if (tcsi_pattern_read(pattern, &answer.pattern, &err) != TCS_OK) return false;
    answer.place = (uint32_t)place->number;
    *ret_answer = answer;
    return true;
}

/* The series at that place, if it is the one of this number: another cell may have one of its own there. */
static tcsi_live_series *own_series(tcsi_cell *cell, uint32_t place, uint32_t number)
{
    const bool is_own = place < cell->series_count && tcsi_cell_series(cell, place)->number == number;
    return is_own ? tcsi_cell_touch(cell, place) : NULL;
}

/* The answered episode is open: it is confirmed, or dismissed, or goes on being suspected with the answer's name on it. */
static void answer_open(tcsi_cell *cell, tcsi_live_series *series, const tcsi_episode_answer *answer, uint64_t sequence)
{
    const unsigned kind = answer->pattern.kind;
    tcsi_live_event event = event_of(cell, series, kind, sequence);
    const bool is_anomaly = kind == TCSI_LIVE_ANOMALY, was_quiet = series->answered.quiet & 1u << kind;
    const tcsi_advice advice = ask(cell, answer->pattern);
    const bool is_quiet = advice.kind == TCSI_ADVICE_SUPPRESS, was_told = is_anomaly ? series->anomaly.is_confirmed : !was_quiet;
    const bool is_told = is_quiet ? false : was_told || advice.kind == TCSI_ADVICE_RAISE || !is_anomaly;
    set_quiet(&series->answered, kind, is_quiet);
    if (is_anomaly) {
        cell->answers.advice = advice;
        series->anomaly.is_confirmed = is_told;
        if (is_told && !was_told) tcsi_grounds_confirm(cell, series, TCSI_GROUNDS_ANSWER, cell->now_ns);
        series->answered.is_incident = 0;
        if (advice.kind == TCSI_ADVICE_RAISE) mark_incident(cell, series);
        event.episode = series->anomaly;
    } else if (is_quiet) {
        event.suppressed_by = advice.answer;
    }
    if (!is_quiet && is_told == was_told) return;
    event.is_answered = true;
    event.state = is_told ? TCSI_LIVE_CONFIRMED : was_told ? TCSI_LIVE_DISMISSED : TCSI_LIVE_SUSPECTED;
    tcsi_cell_tell(cell, series, event);
}

static void take_answer(tcsi_cell *cell, const tcsi_action *action, const tcsi_json_value *document)
{
    tcsi_episode_answer answer;
    if (!read_answer(action, document, &answer)) return;
    tcsi_live_series *series = own_series(cell, answer.place, answer.pattern.series);
    const bool is_anomaly = answer.pattern.kind == TCSI_LIVE_ANOMALY;
    const bool goes_on = series && is_open(series, answer.pattern.kind) && begin_of(series, answer.pattern.kind) == answer.pattern.begin_ns;
    if (goes_on && is_anomaly) answer.pattern = pattern_of_anomaly(series); /* it went on since it was shown */
    tcsi_memory_put(&cell->answers.memory, &answer);
    if (goes_on) answer_open(cell, series, &answer, action->sequence);
    else if (series && is_anomaly && ask(cell, answer.pattern).kind == TCSI_ADVICE_RAISE)
        tcsi_taught_incident(cell, series, answer.pattern.begin_ns, (double)answer.pattern.lasted);
}

void tcsi_answered_act(tcsi_cell *cell, const tcsi_action *action)
{
    const bool is_answer = action->kind == TCSI_ACTION_ANSWER || action->kind == TCSI_ACTION_MARK;
    const tcsi_json_value *document = NULL;
    tcsi_fingerprint id;
    tcsi_arena arena;
    tcs_error err;
    if (!is_answer && action->kind != TCSI_ACTION_UNDO) return;
    cell->now_ns = action->time_ns;
    tcsi_taught_forget_shares(cell);
    (void)tcsi_memory_expire(&cell->answers.memory, cell->now_ns);
    if (!is_answer && tcsi_answer_id_read(action->object, &id)) (void)tcsi_memory_undo(&cell->answers.memory, id, NULL);
    tcsi_arena_init(&arena, ACTION_MEMORY_MAX);
    if (is_answer && tcsi_json_parse(action->document, strlen(action->document), &arena, &document, &err) == TCS_OK)
        take_answer(cell, action, document);
    tcsi_arena_deinit(&arena);
    tcsi_taught_share(cell);
}

void tcsi_answered_turn(tcsi_cell *cell)
{
    if (cell->answers.memory.count == 0) return;
    if (tcsi_memory_has_ended(&cell->answers.memory, cell->now_ns)) {
        tcsi_taught_forget_shares(cell);
        (void)tcsi_memory_expire(&cell->answers.memory, cell->now_ns);
        tcsi_taught_share(cell);
    }
    if (!cell->policies.has_weights) tcsi_taught_weigh(cell); /* else that is for cell.c, and not at each tick */
}

/* ---- life and saved form ---- */

tcs_status tcsi_cell_answers_init(tcsi_cell_answers *answers, tcs_error *err)
{
    *answers = (tcsi_cell_answers){ .height = 0 };
    return tcsi_memory_init(&answers->memory, err);
}

void tcsi_cell_answers_deinit(tcsi_cell_answers *answers)
{
    tcsi_memory_deinit(&answers->memory);
}

void tcsi_cell_answers_persist(tcsi_cell_answers *answers, tcsi_codec *codec)
{
    tcsi_codec_u64(codec, &answers->suppressed_count);
    tcsi_codec_u64(codec, &answers->guarded_count);
    tcsi_memory_persist(&answers->memory, codec);
}

void tcsi_answered_persist(tcsi_answered *answered, tcsi_codec *codec)
{
    uint32_t quiet = answered->quiet, flags = answered->is_shared + 2u * answered->has_true + 4u * answered->is_incident;
    uint32_t share = (uint32_t)(TCSI_COHORT_SHARE_ONE + answered->share);
    tcsi_codec_bytes(codec, answered->recent, sizeof answered->recent);
    tcsi_codec_f32(codec, &answered->onset_height);
    tcsi_codec_f32(codec, &answered->height_max);
    tcsi_codec_u32(codec, &answered->family);
    tcsi_codec_u32(codec, &quiet);
    tcsi_codec_u32(codec, &flags);
    tcsi_codec_u32(codec, &share);
    if (!tcsi_codec_loading(codec) || tcsi_codec_status(codec) != TCS_OK) return;
    answered->quiet = (uint8_t)quiet;
    answered->is_shared = flags & 1;
    answered->has_true = flags >> 1 & 1;
    answered->is_incident = flags >> 2 & 1;
    answered->share = (int8_t)(share < TCSI_COHORT_SHARES ? (int)share - TCSI_COHORT_SHARE_ONE : 0);
    const bool is_height = fabs((double)answered->onset_height) <= TCSI_COHORT_HEIGHT_MAX && answered->height_max >= 0 &&
                           (double)answered->height_max <= TCSI_COHORT_HEIGHT_MAX;
    if (quiet >> TCSI_LIVE_KIND_COUNT || flags > 7 || share >= TCSI_COHORT_SHARES || !is_height)
        tcsi_codec_refuse(codec, "a series' answers out of range");
}
