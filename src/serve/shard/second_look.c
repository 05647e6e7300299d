/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/shard/second_look.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "serve/shard/cell.h"

#include <float.h>
#include <math.h>
#include <string.h>

enum { QUESTION_MAX = 512 };

static const double SURE_TIMES = 10, HOLD_TIMES = 100, MEAN_WEIGHT = 5, MEAN_FADE = 0.95, STRANGE_MAX = 4;
const tcsi_second_look_rule tcsi_second_look_usual = { .agree = 0.2, .part = 0.1 };

const char *const tcsi_verdict_names[TCSI_VERDICT_COUNT] = { "none", "pending", "confirmed", "ordinary", "unconfirmed" };

tcs_status tcsi_second_look_init(tcsi_second_look *look, const tcsi_second_look_options *options, tcs_error *err)
{
    *look = (tcsi_second_look){ .options = *options };
    if (!look->options.rule) look->options.rule = &tcsi_second_look_usual;
    look->waiting = TCSI_NEW_ZEROS(tcsi_waiting, QUESTION_MAX);
    return look->waiting ? TCS_OK : tcsi_fail_memory(err, "questions");
}

void tcsi_second_look_deinit(tcsi_second_look *look)
{
    tcsi_free(look->waiting);
    *look = (tcsi_second_look){ 0 };
}

size_t tcsi_second_look_size(void)
{
    return QUESTION_MAX * sizeof(tcsi_waiting);
}

void tcsi_second_look_set(tcsi_second_look *look, const tcsi_second_look_options *options)
{
    const tcsi_second_look_rule *rule = look->options.rule;
    look->options = *options;
    look->options.rule = rule;
}

void tcsi_second_look_set_share(tcsi_second_look *look, double part, double rows_per_s)
{
    look->sample_share = rows_per_s > 0 ? fmin(fmax(look->options.sampled_per_s * part / rows_per_s, 0), 1) : 0;
}

double tcsi_second_look_fast_part(const tcsi_second_look *look)
{
    return look->options.is_on ? 1 - look->options.rule->part : 1;
}

void tcsi_second_look_sum(const tcsi_second_look_counts *counts, tcsi_second_look_counts *sum)
{
    for (size_t i = 0; i < TCSI_QUESTION_SORT_COUNT; i++) sum->asked[i] += counts->asked[i];
    sum->answered += counts->answered;
    sum->untrained += counts->untrained;
    sum->expired += counts->expired;
    sum->overflowed += counts->overflowed;
    sum->held_back += counts->held_back;
    sum->opened += counts->opened;
    sum->open_cells += counts->open_cells;
    sum->missed += counts->missed;
}

void tcsi_second_look_add(const tcsi_second_look *look, tcsi_second_look_counts *sum)
{
    tcsi_second_look_sum(&look->counts, sum);
    sum->open_cells += look->breaker.state != TCSI_BREAKER_CLOSED;
}

/* ---- what is asked ---- */

static bool is_sampled(const tcsi_second_look *look, uint32_t number, uint64_t sequence, int64_t time_ns)
{
    const uint64_t hash = tcsi_mix(tcsi_mix(tcsi_mix(number + 0x9e3779b97f4a7c15u) ^ sequence) ^ (uint64_t)time_ns);
    return (double)(hash >> 11) * 0x1p-53 < look->sample_share;
}

static tcsi_waiting *waiting_at(const tcsi_second_look *look, uint64_t serial)
{
    return &look->waiting[serial % QUESTION_MAX];
}

/* The oldest ones that wait no longer give their place. */
static void drop_done(tcsi_second_look *look)
{
    while (look->first < look->next && !waiting_at(look, look->first)->is_waiting) look->first++;
}

/* Room for one more, and somebody who answers? */
static bool may_ask(tcsi_second_look *look)
{
    if (!tcsi_breaker_ask(&look->breaker)) {
        look->counts.held_back++;
        return false;
    }
    drop_done(look);
    if (look->next - look->first < QUESTION_MAX) return true;
    look->counts.overflowed++;
    return false;
}

static void ask(tcsi_cell *cell, const tcsi_live_series *series, const tcsi_waiting *waiting)
{
    tcsi_second_look *look = &cell->second_look;
    tcsi_deep_question question = { .serial = look->next, .number = series->number, .sort = (uint8_t)waiting->sort,
                               .received_ns = waiting->received_ns, .height = waiting->height };
    const bool is_whole = tcsi_last_rows_window(&series->last_rows, question.rows);
    tcsi_waiting *asked = waiting_at(look, look->next++);
    *asked = *waiting;
    memcpy(asked->rows, question.rows, sizeof asked->rows);
    look->counts.asked[waiting->sort]++;
    if (cell->options.ask && is_whole) cell->options.ask(cell->options.self, &question);
}

void tcsi_second_look_row(tcsi_cell *cell, tcsi_live_series *series, const tcsi_live_row *row, uint64_t sequence,
                          const tcsi_live_outcome *outcome)
{
    tcsi_second_look *look = &cell->second_look;
    tcsi_live_episode *episode = &series->anomaly;
    if (!look->options.is_on) return;
    if (outcome->verdict.is_closing && episode->verdict == TCSI_VERDICT_PENDING) episode->verdict = TCSI_VERDICT_UNCONFIRMED;
    const bool is_awaited = series->look.is_asked && !outcome->verdict.is_opening; /* an answer on a row before it says nothing of it */
    const bool is_escalated = outcome->verdict.is_unusual && !is_awaited && !episode->is_confirmed;
    const bool is_in_sample = !outcome->verdict.is_unusual && episode->begin_sequence == 0 &&
                              is_sampled(look, series->number, sequence, row->time_ns);
    if (!(is_escalated || is_in_sample) || series->last_rows.count < TCSI_LAST_ROWS) return;
    const bool is_asked = may_ask(look);
    if (is_asked) {
        ask(cell, series, &(tcsi_waiting){ .place = row->place, .is_waiting = 1, .height = (float)outcome->verdict.height,
                                           .sort = is_escalated ? TCSI_QUESTION_ESCALATED : TCSI_QUESTION_SAMPLED, .sequence = sequence,
                                           .time_ns = row->time_ns, .received_ns = cell->now_ns, .value = row->value,
                                           .expected = outcome->expected, .deviation = outcome->deviation });
        series->look.is_asked |= is_escalated;
    }
    if (is_escalated && episode->begin_sequence && episode->verdict == TCSI_VERDICT_NONE)
        episode->verdict = is_asked ? TCSI_VERDICT_PENDING : TCSI_VERDICT_UNCONFIRMED;
}

/* ---- what is answered ---- */

/* Of rows out of the ordinary, how many a row of the cell? */
static double escalated_share(const tcsi_cell *cell)
{
    return (double)(cell->unusual_count + 1) / (double)(cell->row_count + 1);
}

/* By chance, how many rows out of the ordinary a row of the cell are as high as this and as strange? */
static double chance_of_both(const tcsi_cell *cell, double height, double deep)
{
    const double share = escalated_share(cell), fast = tcsi_cohort_rate(&cell->cohort, height) / share;
    const double product = fmin(fast, 1) * deep;
    return share * product * (1 - log(product));
}

tcsi_grounds_by tcsi_second_look_confirms(const tcsi_cell *cell, const tcsi_live_series *series, double rate, bool has_lasted)
{
    const double allowed = tcsi_taught_allowed(cell, series);
    switch ((tcsi_verdict)series->anomaly.verdict) {
    case TCSI_VERDICT_CONFIRMED: return TCSI_GROUNDS_DEEP;
    case TCSI_VERDICT_ORDINARY: case TCSI_VERDICT_PENDING:
        return HOLD_TIMES * rate <= allowed ? TCSI_GROUNDS_HEIGHT : TCSI_GROUNDS_NONE;
    default:
        if (SURE_TIMES * rate <= allowed) return TCSI_GROUNDS_HEIGHT;
        return has_lasted ? TCSI_GROUNDS_LENGTH : TCSI_GROUNDS_NONE;
    }
}

void tcsi_second_look_heights(const tcsi_cell *cell, const tcsi_live_series *series, double *ret_sure, double *ret_hold)
{
    const tcsi_tail *tail = &cell->cohort.tail;
    const double allowed = tcsi_taught_allowed(cell, series);
    *ret_sure = tail->count ? tcsi_tail_threshold(tail, allowed / SURE_TIMES, 1) : INFINITY;
    *ret_hold = tail->count ? tcsi_tail_threshold(tail, allowed / HOLD_TIMES, 1) : INFINITY;
}

/* How strange its rows looked so far; of all series: 1. */
static double mean_of(const tcsi_second_look_member *member)
{
    return (MEAN_WEIGHT + (double)member->strange) / (MEAN_WEIGHT + (double)member->count);
}

double tcsi_second_look_counted(float p_value, double mean)
{
    return fmax(exp(log((double)p_value) / mean), (double)FLT_MIN);
}

static void learn(tcsi_second_look_member *member, float p_value)
{
    member->strange = (float)(MEAN_FADE * (double)member->strange + fmin(-log((double)p_value), STRANGE_MAX));
    member->count = (float)(MEAN_FADE * (double)member->count + 1);
}

/* By chance, how many rows like this one a row of the cell? */
static double chance_per_row(const tcsi_cell *cell, const tcsi_live_series *series, const tcsi_waiting *waiting, float p_value)
{
    const double bar = pow((double)series->member.bar, 4);
    if (waiting->sort == TCSI_QUESTION_SAMPLED) return cell->second_look.sample_share * (double)p_value * bar;
    return chance_of_both(cell, (double)waiting->height, (double)p_value) * bar;
}

/* The largest chance that would have opened one: what is rarer, opens. */
static double limit_of(const tcsi_cell *cell, const tcsi_live_series *series, const tcsi_waiting *waiting, float p_value, double allowed)
{
    double low = log((double)p_value), high = 0; /* of chances that open, and that need not */
    if (chance_per_row(cell, series, waiting, 1) <= allowed) return 1;
    for (int i = 0; i < 40; i++) {
        const double middle = (low + high) / 2;
        if (chance_per_row(cell, series, waiting, (float)exp(middle)) <= allowed) low = middle;
        else high = middle;
    }
    return exp(low);
}

/* What record `sequence` says of the row in question. */
static tcsi_cause cause_of(const tcsi_waiting *waiting, uint64_t sequence)
{
    return (tcsi_cause){ .sequence = sequence, .rows_sequence = waiting->sequence, .time_ns = waiting->time_ns };
}

static void open_episode(tcsi_cell *cell, tcsi_live_series *series, const tcsi_waiting *waiting, const tcsi_deep_answer *answer,
                         double limit, uint64_t sequence)
{
    series->anomaly = (tcsi_live_episode){ .begin_sequence = sequence, .begin_ns = waiting->time_ns, .peak_ns = waiting->time_ns,
                                           .peak_value = waiting->value, .expected = waiting->expected, .deviation = waiting->deviation,
                                           .height = waiting->height, .lasted = 1, .deep_p_value = answer->p_value,
                                           .verdict = TCSI_VERDICT_CONFIRMED };
    tcsi_grounds_open(cell, series, TCSI_GROUNDS_DEEP);
    tcsi_grounds_hear(cell, series, waiting, answer, limit);
    tcsi_cohort_open(&series->member);
    cell->second_look.counts.opened++;
    /* The bar may have risen since it was asked. */
    cell->answers.height = fmin((double)waiting->height * (double)series->member.bar, TCSI_COHORT_HEIGHT_MAX);
    const bool is_raised = tcsi_answered_follow(cell, series, true) == TCSI_ADVICE_RAISE;
    (void)is_raised; /* it is confirmed at once anyway, unless answers keep it quiet */
    tcsi_cell_tell_anomaly(cell, series, TCSI_LIVE_SUSPECTED, cause_of(waiting, sequence), false);
}

/* An answer on a row of the open episode. */
static void weigh(tcsi_cell *cell, tcsi_live_series *series, const tcsi_waiting *waiting, const tcsi_deep_answer *answer)
{
    const double agree = cell->second_look.options.rule->agree;
    tcsi_live_episode *episode = &series->anomaly;
    if (answer->is_untrained) {
        if (episode->verdict == TCSI_VERDICT_PENDING) episode->verdict = TCSI_VERDICT_NONE;
        return;
    }
    if (answer->p_value <= episode->deep_p_value) {
        episode->deep_p_value = answer->p_value;
        tcsi_grounds_hear(cell, series, waiting, answer, agree);
    }
    episode->verdict = (double)episode->deep_p_value <= agree ? TCSI_VERDICT_CONFIRMED : TCSI_VERDICT_ORDINARY;
}

/* The verdict may have confirmed the episode, or have changed without. */
static void tell_change(tcsi_cell *cell, tcsi_live_series *series, tcsi_cause cause, uint8_t verdict_before)
{
    if (tcsi_cell_confirm(cell, series, cause)) return;
    if (series->anomaly.verdict != verdict_before)
        tcsi_cell_tell_anomaly(cell, series, series->anomaly.is_confirmed ? TCSI_LIVE_CONFIRMED : TCSI_LIVE_SUSPECTED, cause, true);
}

static void consider(tcsi_cell *cell, tcsi_live_series *series, const tcsi_waiting *waiting, const tcsi_deep_answer *answer,
                     uint64_t sequence)
{
    tcsi_live_episode *episode = &series->anomaly;
    const uint8_t verdict_before = episode->verdict;
    if (episode->begin_sequence) {
        if (waiting->sort != TCSI_QUESTION_ESCALATED || waiting->time_ns < episode->begin_ns) return;
        weigh(cell, series, waiting, answer);
        tell_change(cell, series, cause_of(waiting, sequence), verdict_before);
        return;
    }
    if (answer->is_untrained || series->presence.is_ended) return;
    const double allowed = cell->second_look.options.rule->part * tcsi_taught_allowed(cell, series);
    const double chance = chance_per_row(cell, series, waiting, answer->p_value);
    if (chance > allowed) return;
    if (waiting->sort == TCSI_QUESTION_SAMPLED) cell->second_look.counts.missed += 1 / cell->second_look.sample_share;
    open_episode(cell, series, waiting, answer, limit_of(cell, series, waiting, answer->p_value, allowed), sequence);
    (void)tcsi_cell_confirm(cell, series, cause_of(waiting, sequence));
}

void tcsi_second_look_hear(tcsi_cell *cell, const tcsi_deep_answer *answer, uint64_t sequence)
{
    tcsi_second_look *look = &cell->second_look;
    if (answer->serial < look->first || answer->serial >= look->next) return;
    tcsi_waiting *waiting = waiting_at(look, answer->serial);
    if (!waiting->is_waiting || tcsi_cell_series(cell, waiting->place)->number != answer->number) return;
    tcsi_live_series *series = tcsi_cell_touch(cell, waiting->place);
    waiting->is_waiting = 0;
    if (waiting->sort == TCSI_QUESTION_ESCALATED) series->look.is_asked = 0;
    if (answer->is_untrained) look->counts.untrained++;
    else look->counts.answered++;
    tcsi_breaker_note(&look->breaker, false);
    tcsi_deep_answer weighed = *answer;
    waiting->p_value = answer->p_value;
    waiting->mean = 1;
    if (waiting->sort == TCSI_QUESTION_ESCALATED && !answer->is_untrained) {
        waiting->mean = (float)mean_of(&series->look);
        weighed.p_value = (float)tcsi_second_look_counted(answer->p_value, mean_of(&series->look));
        learn(&series->look, answer->p_value);
    }
    consider(cell, series, waiting, &weighed, sequence);
    drop_done(look);
}

/* ---- what is not ---- */

static void expire(tcsi_cell *cell, tcsi_waiting *waiting, uint64_t sequence)
{
    tcsi_live_series *series = tcsi_cell_touch(cell, waiting->place);
    waiting->is_waiting = 0;
    cell->second_look.counts.expired++;
    tcsi_breaker_note(&cell->second_look.breaker, true);
    if (waiting->sort != TCSI_QUESTION_ESCALATED) return;
    series->look.is_asked = 0;
    if (series->anomaly.begin_sequence == 0 || series->anomaly.verdict != TCSI_VERDICT_PENDING) return;
    series->anomaly.verdict = TCSI_VERDICT_UNCONFIRMED;
    tell_change(cell, series, cause_of(waiting, sequence), TCSI_VERDICT_PENDING);
}

void tcsi_second_look_tick(tcsi_cell *cell, uint64_t sequence, int64_t time_ns)
{
    tcsi_second_look *look = &cell->second_look;
    for (; look->first < look->next; look->first++) {
        tcsi_waiting *waiting = waiting_at(look, look->first);
        if (!waiting->is_waiting) continue;
        if (time_ns - waiting->received_ns < look->options.deadline_ns) break; /* rows come in the order of their receipt */
        expire(cell, waiting, sequence);
    }
    tcsi_breaker_tick(&look->breaker);
}

/* ---- saved form ---- */

static void persist_waiting(tcsi_waiting *waiting, tcsi_codec *codec)
{
    tcsi_codec_u32(codec, &waiting->place);
    tcsi_codec_u32(codec, &waiting->is_waiting);
    tcsi_codec_u32(codec, &waiting->sort);
    tcsi_codec_f32(codec, &waiting->height);
    tcsi_codec_u64(codec, &waiting->sequence);
    tcsi_codec_i64(codec, &waiting->time_ns);
    tcsi_codec_i64(codec, &waiting->received_ns);
    tcsi_codec_f64(codec, &waiting->value);
    tcsi_codec_f64(codec, &waiting->expected);
    tcsi_codec_f64(codec, &waiting->deviation);
    if (waiting->is_waiting) tcsi_last_rows_persist_window(waiting->rows, codec);
}

static void persist_counts(tcsi_second_look_counts *counts, tcsi_codec *codec)
{
    for (size_t i = 0; i < TCSI_QUESTION_SORT_COUNT; i++) tcsi_codec_u64(codec, &counts->asked[i]);
    tcsi_codec_u64(codec, &counts->answered);
    tcsi_codec_u64(codec, &counts->untrained);
    tcsi_codec_u64(codec, &counts->expired);
    tcsi_codec_u64(codec, &counts->overflowed);
    tcsi_codec_u64(codec, &counts->held_back);
    tcsi_codec_u64(codec, &counts->opened);
    tcsi_codec_f64(codec, &counts->missed);
}

void tcsi_second_look_member_persist(tcsi_second_look_member *member, tcsi_codec *codec)
{
    uint32_t is_asked = member->is_asked;
    tcsi_codec_f32(codec, &member->strange);
    tcsi_codec_f32(codec, &member->count);
    tcsi_codec_u32(codec, &is_asked);
    if (!tcsi_codec_loading(codec) || tcsi_codec_status(codec) != TCS_OK) return;
    member->is_asked = (uint8_t)is_asked;
    const double most = 1.01 / (1 - MEAN_FADE);
    if (!((double)member->count >= 0 && (double)member->count <= most && (double)member->strange >= 0 &&
          (double)member->strange <= STRANGE_MAX * most) || is_asked > 1)
        tcsi_codec_refuse(codec, "answers on a series out of range");
}

void tcsi_second_look_persist(tcsi_second_look *look, tcsi_codec *codec)
{
    tcsi_codec_tag(codec, "LOO2");
    tcsi_codec_bool(codec, &look->options.is_on);
    tcsi_codec_f64(codec, &look->options.sampled_per_s);
    tcsi_codec_i64(codec, &look->options.deadline_ns);
    tcsi_codec_u64(codec, &look->first);
    tcsi_codec_u64(codec, &look->next);
    tcsi_codec_f64(codec, &look->sample_share);
    tcsi_breaker_persist(&look->breaker, codec);
    persist_counts(&look->counts, codec);
    if (tcsi_codec_loading(codec) && tcsi_codec_status(codec) == TCS_OK) {
        const bool is_options = look->options.sampled_per_s >= 0 && look->options.deadline_ns >= 0;
        const bool is_ring = look->next >= look->first && look->next - look->first <= QUESTION_MAX;
        if (!is_options || !is_ring || !(look->sample_share >= 0 && look->sample_share <= 1))
            tcsi_codec_refuse(codec, "questions out of range");
    }
    for (uint64_t i = look->first; tcsi_codec_status(codec) == TCS_OK && i < look->next; i++) {
        persist_waiting(waiting_at(look, i), codec);
        const tcsi_waiting *waiting = waiting_at(look, i);
        const bool is_finite = isfinite(waiting->value) && isfinite(waiting->expected) && isfinite(waiting->deviation);
        if (tcsi_codec_loading(codec) && tcsi_codec_status(codec) == TCS_OK &&
            (waiting->is_waiting > 1 || waiting->sort >= TCSI_QUESTION_SORT_COUNT || !is_finite || !(waiting->height >= 0)))
            tcsi_codec_refuse(codec, "a question out of range");
    }
}

bool tcsi_second_look_fits(const tcsi_second_look *look, uint32_t series_count)
{
    for (uint64_t i = look->first; i < look->next; i++)
        if (waiting_at(look, i)->place >= series_count) return false;
    return true;
}
