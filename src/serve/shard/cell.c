/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/shard/cell.h"

#include "base/alloc.h"
#include "detect/detector.h"

#include <math.h>
#include <string.h>

enum { PIECE = 512, READY_ROWS = 200, LASTED_MAX = 60000 };

static const double SEVERITY_LEAST = 50, SEVERITY_MOST = 100;

const char *const tcsi_live_readiness_names[TCSI_LIVE_READINESS_COUNT] = { "new", "learning", "ready", "ended" };

/* ---- life ---- */

tcs_status tcsi_cell_init(tcsi_cell *cell, const tcsi_cell_options *options, tcs_error *err)
{
    *cell = (tcsi_cell){ .options = *options };
    tcsi_reel_init(&cell->reel, &options->reel);
    tcs_status status = tcsi_second_look_init(&cell->second_look, &options->second_look, err);
    const double fast_rate = options->rate * tcsi_second_look_fast_part(&cell->second_look);
    if (status == TCS_OK) status = tcsi_cell_answers_init(&cell->answers, err);
    if (status == TCS_OK) status = tcsi_cell_grounds_init(&cell->grounds, err);
    return status == TCS_OK ? tcsi_cohort_init(&cell->cohort, fast_rate, TCSI_CELL_RUN_LENGTH, err) : status;
}

void tcsi_cell_deinit(tcsi_cell *cell)
{
    for (size_t i = 0; i < cell->piece_count; i++) tcsi_free(cell->pieces[i]);
    tcsi_free(cell->pieces);
    tcsi_cohort_deinit(&cell->cohort);
    tcsi_second_look_deinit(&cell->second_look);
    tcsi_pasts_deinit(&cell->pasts);
    tcsi_policies_deinit(&cell->policies);
    tcsi_cell_answers_deinit(&cell->answers);
    tcsi_cell_grounds_deinit(&cell->grounds);
    tcsi_reel_deinit(&cell->reel);
    *cell = (tcsi_cell){ 0 };
}

size_t tcsi_cell_size_max(size_t series_count)
{
    const size_t pieces = series_count / PIECE + (series_count % PIECE > 0);
    const size_t series = tcsi_size_product(tcsi_size_product(pieces, PIECE), sizeof(tcsi_live_series) + 2 * sizeof(int64_t));
    const size_t decisions = 3 * TCSI_COHORT_BODY * sizeof(double) + tcsi_second_look_size() + tcsi_cell_grounds_size() +
                             TCSI_MEMORY_MAX * sizeof(tcsi_remembered);
    return tcsi_size_sum(series, tcsi_size_sum(tcsi_size_product(pieces, sizeof(void *)), decisions));
}

static tcs_status add_piece(tcsi_cell *cell, tcs_error *err)
{
    tcsi_live_series **pieces = tcsi_realloc_array(cell->pieces, cell->piece_count + 1, sizeof *pieces);
    if (!pieces) return tcsi_fail_memory(err, "live series");
    cell->pieces = pieces;
    pieces[cell->piece_count] = TCSI_NEW_ZEROS(tcsi_live_series, PIECE);
    if (!pieces[cell->piece_count]) return tcsi_fail_memory(err, "live series");
    cell->piece_count++;
    return TCS_OK;
}

static tcsi_live_series *series_at(const tcsi_cell *cell, uint32_t place)
{
    TCS_ASSERT(place < cell->series_count);
    return &cell->pieces[place / PIECE][place % PIECE];
}

const tcsi_live_series *tcsi_cell_series(const tcsi_cell *cell, uint32_t place)
{
    return series_at(cell, place);
}

tcs_status tcsi_cell_add(tcsi_cell *cell, uint32_t number, tcsi_series_kind kind, uint32_t *ret_place, tcs_error *err)
{
    if (cell->series_count >= cell->options.series_count_max)
        return tcsi_fail(err, TCS_E_LIMIT, "a new series beyond the %zu that may be live", cell->options.series_count_max);
    if (cell->series_count == cell->piece_count * PIECE) {
        const tcs_status status = add_piece(cell, err);
        if (status != TCS_OK) return status;
    }
    tcsi_live_series *series = &cell->pieces[cell->series_count / PIECE][cell->series_count % PIECE];
    *series = (tcsi_live_series){ .number = number, .kind = (uint8_t)kind, .saved = cell->saving.number };
    tcsi_arrival_begin(&series->arrival);
    tcsi_rate_begin(&series->rate);
    *ret_place = cell->series_count++;
    return TCS_OK;
}

tcsi_live_readiness tcsi_live_series_readiness(const tcsi_live_series *series)
{
    if (series->presence.is_ended) return TCSI_LIVE_ENDED;
    if (series->member.count == 0) return TCSI_LIVE_NEW;
    return series->member.count < READY_ROWS ? TCSI_LIVE_LEARNING : TCSI_LIVE_READY;
}

void tcsi_cell_set_rate(tcsi_cell *cell, double rate)
{
    cell->options.rate = rate;
    tcsi_cohort_set_rate(&cell->cohort, rate * tcsi_second_look_fast_part(&cell->second_look));
}

void tcsi_cell_set_second_look(tcsi_cell *cell, const tcsi_second_look_options *options)
{
    tcsi_second_look_set(&cell->second_look, options);
    tcsi_cell_set_rate(cell, cell->options.rate); /* the fast layer's part of it has changed */
}

/* ---- what happened ---- */

static void tell(tcsi_cell *cell, tcsi_live_series *series, tcsi_live_event event)
{
    event.received_ns = cell->now_ns;
    if (event.rows_sequence == 0) event.rows_sequence = event.sequence;
    event.severity = event.kind == TCSI_LIVE_LIMIT ? SEVERITY_MOST : SEVERITY_LEAST;
    event.cadence_s = series->presence.cadence_s;
    event.p_value = 1;
    if (event.kind == TCSI_LIVE_ANOMALY) {
        const double height = (double)event.episode.height;
        event.severity = fmin(fmax(50 + 10 * log10(tcsi_taught_allowed(cell, series) / tcsi_cohort_rate(&cell->cohort, height)), 50), 100);
        event.p_value = tcsi_cohort_p_value(&cell->cohort, height);
        event.grounds = *tcsi_grounds_of(cell, series);
    }
    tcsi_answered_tell(cell, series, &event);
    if (cell->options.tell) cell->options.tell(cell->options.self, &event);
}

void tcsi_cell_tell(tcsi_cell *cell, tcsi_live_series *series, tcsi_live_event event)
{
    tell(cell, series, event);
}

/* Ten times rarer than what is allowed, or longer than scores remember each other; unless the deep layer knows better.  By which, if so. */
static tcsi_grounds_by sure_by(const tcsi_cell *cell, const tcsi_live_series *series)
{
    const double rate = tcsi_cohort_rate(&cell->cohort, (double)series->anomaly.height);
    return tcsi_second_look_confirms(cell, series, rate, series->anomaly.lasted > TCSI_CELL_RUN_LENGTH);
}

void tcsi_cell_tell_anomaly(tcsi_cell *cell, tcsi_live_series *series, tcsi_live_state state, tcsi_cause cause, bool is_update)
{
    tcsi_live_event event = { .sequence = cause.sequence, .rows_sequence = cause.rows_sequence, .number = series->number,
                              .kind = TCSI_LIVE_ANOMALY, .state = (uint8_t)state, .is_update = is_update, .episode = series->anomaly,
                              .time_ns = cause.time_ns };
    if (state == TCSI_LIVE_SUSPECTED && !is_update) event.has_window = tcsi_last_rows_window(&series->last_rows, event.window);
    tcsi_cell_tell(cell, series, event);
}

/* What answers keep quiet is confirmed by nothing, and what they raise by nothing else. */
static bool confirm(tcsi_cell *cell, tcsi_live_series *series, tcsi_cause cause, bool is_raised)
{
    if (series->anomaly.is_confirmed || tcsi_answered_is_quiet(series)) return false;
    const tcsi_grounds_by by = is_raised ? TCSI_GROUNDS_ANSWER : sure_by(cell, series);
    if (by == TCSI_GROUNDS_NONE) return false;
    series->anomaly.is_confirmed = 1;
    tcsi_grounds_confirm(cell, series, by, cause.time_ns);
    tcsi_cell_tell_anomaly(cell, series, TCSI_LIVE_CONFIRMED, cause, false);
    return true;
}

bool tcsi_cell_confirm(tcsi_cell *cell, tcsi_live_series *series, tcsi_cause cause)
{
    return confirm(cell, series, cause, false);
}

static void keep_peak(tcsi_cell *cell, tcsi_live_series *series, const tcsi_live_row *row, const tcsi_live_outcome *outcome)
{
    tcsi_live_episode *episode = &series->anomaly;
    if (!(outcome->verdict.height > (double)episode->height)) return;
    tcsi_grounds_peak(cell, series);
    episode->height = (float)outcome->verdict.height;
    episode->peak_ns = row->time_ns;
    episode->peak_value = row->value;
    episode->expected = outcome->expected;
    episode->deviation = outcome->deviation;
}

/* Anomalies of a series may be none of anybody's business. */
static bool is_judged(const tcsi_cell *cell, const tcsi_live_series *series)
{
    return !isinf(tcsi_policies_get(&cell->policies, series->policy)->anomaly_s);
}

/* row's value is the one that was judged. */
static void follow_anomaly(tcsi_cell *cell, tcsi_live_series *series, const tcsi_live_row *row, uint64_t sequence,
                           const tcsi_live_outcome *outcome)
{
    const tcsi_cause cause = { .sequence = sequence, .rows_sequence = sequence, .time_ns = row->time_ns };
    tcsi_live_episode *episode = &series->anomaly;
    const bool is_raising = outcome->verdict.is_unusual && !outcome->verdict.is_opening && episode->begin_sequence == 0 &&
                            tcsi_taught_raises(cell, series, row->time_ns, row->value < outcome->expected);
    const bool is_opening = outcome->verdict.is_opening || is_raising;
    if (is_raising) tcsi_cohort_open(&series->member);
    if (is_opening) *episode = (tcsi_live_episode){ .begin_sequence = sequence, .begin_ns = row->time_ns, .deep_p_value = 1 };
    if (is_opening) tcsi_grounds_open(cell, series, is_raising ? TCSI_GROUNDS_ANSWER : TCSI_GROUNDS_HEIGHT);
    if (episode->begin_sequence && outcome->verdict.is_unusual && episode->lasted < LASTED_MAX) episode->lasted++;
    if (episode->begin_sequence) keep_peak(cell, series, row, outcome);
    if (is_judged(cell, series)) tcsi_second_look_row(cell, series, row, sequence, outcome);
    if (episode->begin_sequence == 0) return;
    const bool is_raised = tcsi_answered_follow(cell, series, is_opening) == TCSI_ADVICE_RAISE;
    if (is_opening) tcsi_cell_tell_anomaly(cell, series, TCSI_LIVE_SUSPECTED, cause, false);
    (void)confirm(cell, series, cause, is_raised);
    if (!outcome->verdict.is_closing) return;
    const tcsi_live_state end = episode->is_confirmed ? TCSI_LIVE_RESOLVED : TCSI_LIVE_DISMISSED;
    tcsi_cell_tell_anomaly(cell, series, end, cause, false);
    tcsi_grounds_close(cell, series);
    *episode = (tcsi_live_episode){ 0 };
}

/* What the rows' coming says. */
static void tell_presence(tcsi_cell *cell, tcsi_live_series *series, uint64_t sequence, const tcsi_presence_news *news)
{
    for (size_t i = 0; i < news->count; i++) {
        const struct tcsi_presence_item *item = &news->items[i];
        const tcsi_live_episode episode = { .begin_ns = item->begin_ns, .is_confirmed = item->state != TCSI_LIVE_SUSPECTED,
                                            .peak_value = item->value, .expected = item->usual };
        tell(cell, series, (tcsi_live_event){ .sequence = sequence, .number = series->number, .kind = (uint8_t)item->kind,
                                              .state = (uint8_t)item->state, .episode = episode,
                                              .time_ns = item->begin_ns > item->time_ns ? item->begin_ns : item->time_ns });
    }
}

static void tell_limit(tcsi_cell *cell, tcsi_live_series *series, tcsi_live_state state, uint64_t sequence, int64_t time_ns)
{
    const tcsi_passed *passed = &series->passed;
    const tcsi_live_episode episode = { .begin_ns = passed->begin_ns, .is_confirmed = 1, .peak_value = passed->farthest,
                                        .expected = passed->limit };
    tell(cell, series, (tcsi_live_event){ .sequence = sequence, .number = series->number, .kind = TCSI_LIVE_LIMIT, .state = (uint8_t)state,
                                          .episode = episode, .time_ns = time_ns > passed->begin_ns ? time_ns : passed->begin_ns });
}

static void end_limit(tcsi_cell *cell, tcsi_live_series *series, uint64_t sequence, int64_t time_ns)
{
    tell_limit(cell, series, TCSI_LIVE_RESOLVED, sequence, time_ns);
    series->passed = (tcsi_passed){ 0 };
}

/* row's value is the one to judge. */
static void follow_limits(tcsi_cell *cell, tcsi_live_series *series, const tcsi_limits *limits, const tcsi_live_row *row, uint64_t sequence)
{
    if (tcsi_passed_ends(&series->passed, limits, row->value)) end_limit(cell, series, sequence, row->time_ns);
    if (tcsi_passed_begins(&series->passed, limits, row->time_ns, row->value))
        tell_limit(cell, series, TCSI_LIVE_CONFIRMED, sequence, row->time_ns);
}

/* ---- one row ---- */

/* The value to judge, which of a counter is its rate; false: there is none. */
static bool value_of(tcsi_live_series *series, const tcsi_live_row *row, double *ret_value)
{
    *ret_value = row->value;
    return series->kind != TCSI_SERIES_COUNTER || tcsi_rate_push(&series->rate, row->time_ns, row->value, ret_value);
}

/* May the row that is being judged open an anomaly, or belong to one?  As the cohort will find it. */
static bool is_of_note(tcsi_cell *cell, const tcsi_live_series *series, tcsi_cohort_regard regard)
{
    const double height = cell->answers.height / (series->member.count > 0 ? (double)series->member.bar : 1);
    if (series->anomaly.begin_sequence || height > cell->cohort.threshold_low) return true;
    return height > tcsi_cohort_threshold(&cell->cohort, regard);
}

/* A row whose value is the one to judge. */
static tcs_status judge(tcsi_cell *cell, tcsi_live_series *series, const tcsi_live_row *row, uint64_t sequence,
                        tcsi_live_outcome *outcome, tcs_error *err)
{
    outcome->value = row->value;
    tcsi_answered_row(series, row->value);
    tcsi_taught_row(cell, series);
    cell->grounds.chart = series->chart;
    tcsi_residual_chart_expect(&series->chart, &outcome->expected, &outcome->deviation);
    tcsi_last_rows_push(&series->last_rows, tcsi_residual_chart_distance(&series->chart, row->value));
    outcome->score = tcsi_residual_chart_push(&series->chart, &tcsi_residual_chart_defaults, row->value);
    outcome->is_scored = !isnan(outcome->score);
    tcsi_reel_push(&cell->reel, row->place, series->number,
                   &(tcsi_reel_judged){ row->time_ns, row->value, outcome->expected, outcome->deviation, outcome->score });
    if (!outcome->is_scored) return TCS_OK;
    tcsi_answered_score(cell, series, outcome->score);
    const tcsi_cohort_regard regard = tcsi_taught_score(cell, series);
    if (is_of_note(cell, series, regard)) tcsi_grounds_keep(cell, series, row, regard);
    tcs_status status = TCS_OK;
    if (is_judged(cell, series))
        status = tcsi_cohort_push_as(&cell->cohort, &series->member, outcome->score, regard, &outcome->verdict, err);
    else outcome->verdict = (tcsi_cohort_verdict){ .is_closing = true }; /* what was open when that was set */
    follow_anomaly(cell, series, row, sequence, outcome);
    if (cell->row_count++ % TCSI_PULSE_EVERY == 0)
        tcsi_pulse_take(&cell->pulse, tcsi_cohort_p_value(&cell->cohort, outcome->verdict.height), outcome->score,
                        (row->value - outcome->expected) / outcome->deviation);
    cell->unusual_count += outcome->verdict.is_unusual;
    return status;
}

/* A row that is newer than all before it, and no mark. */
static tcs_status take(tcsi_cell *cell, tcsi_live_series *series, const tcsi_presence_row *came, tcsi_live_row *row, uint64_t sequence,
                       tcsi_live_outcome *outcome, tcsi_presence_news *news, tcs_error *err)
{
    const tcsi_policy *policy = tcsi_policies_get(&cell->policies, series->policy);
    if (!value_of(series, row, &row->value)) return TCS_OK;
    if (tcsi_passed_concerns(&series->passed, &policy->limits, row->value)) follow_limits(cell, series, &policy->limits, row, sequence);
    if (!tcsi_value_ok(row->value)) return TCS_OK;
    tcsi_presence_value(&series->presence, &policy->presence, came, row->value, series->chart.last, series->chart.count > 0, news);
    return judge(cell, series, row, sequence, outcome, err);
}

/* A row of the past: as judged, but that nothing comes of it. */
static tcs_status teach(tcsi_cell *cell, tcsi_live_series *series, const tcsi_live_row *row, int64_t receive_ns,
                        tcsi_live_outcome *outcome, tcs_error *err)
{
    const bool is_busy = series->anomaly.begin_sequence || series->presence.open || series->passed.side;
    const tcs_status status = tcsi_pasts_reserve(&cell->pasts, row->place, err);
    if (status != TCS_OK) return status;
    int64_t *newest_ns = &cell->pasts.newest_ns[row->place];
    const tcsi_presence_row came = { .time_ns = row->time_ns, .receive_ns = receive_ns, .newest_ns = *newest_ns };
    outcome->outcome = tcsi_backfill_push(&series->backfill, newest_ns, &cell->options.arrival, row->time_ns, receive_ns, is_busy);
    if (outcome->outcome != TCSI_OUTCOME_BACKFILLED) return TCS_OK;
    if (series->backfill.live_s == 0)
        (void)!tcsi_arrival_push(&series->arrival, &cell->options.arrival, row->time_ns, receive_ns);
    if (tcsi_value_is_stale(row->value) || row->time_ns <= series->rate.time_ns) tcsi_rate_begin(&series->rate);
    double value;
    if (tcsi_value_is_stale(row->value) || !value_of(series, row, &value) || !tcsi_value_ok(value)) return TCS_OK;
    cell->rows_per_s -= tcsi_presence_rate(&series->presence);
    tcsi_presence_teach(&series->presence, &came, value, series->chart.last, series->chart.count > 0);
    cell->rows_per_s += tcsi_presence_rate(&series->presence);
    outcome->value = value;
    tcsi_residual_chart_expect(&series->chart, &outcome->expected, &outcome->deviation);
    outcome->score = tcsi_residual_chart_push(&series->chart, &tcsi_residual_chart_defaults, value);
    outcome->is_scored = !isnan(outcome->score);
    return outcome->is_scored ? tcsi_cohort_push(&cell->cohort, &series->member, outcome->score, &outcome->verdict, err) : TCS_OK;
}

/* An alarm that was on when the past ended was told to nobody: if it goes on, it opens now. */
static void end_backfill(tcsi_live_series *series)
{
    if (series->anomaly.begin_sequence == 0) series->member.open_for = series->member.since = 0;
    if (series->anomaly.begin_sequence == 0) series->member.peak = 0;
}

tcs_status tcsi_cell_push(tcsi_cell *cell, const tcsi_live_row *row, uint64_t sequence, int64_t receive_ns, tcsi_live_outcome *ret_outcome,
                          tcs_error *err)
{
    tcsi_live_series *series = tcsi_cell_touch(cell, row->place);
    if (row->is_backfill) {
        *ret_outcome = (tcsi_live_outcome){ .value = NAN };
        const tcs_status taught = teach(cell, series, row, receive_ns, ret_outcome, err);
        cell->outcomes[ret_outcome->outcome]++;
        return taught;
    }
    tcsi_presence_row came = { .time_ns = row->time_ns, .receive_ns = receive_ns, .newest_ns = series->arrival.newest_ns[0] };
    tcsi_live_outcome outcome = { .outcome = tcsi_arrival_push(&series->arrival, &cell->options.arrival, row->time_ns, receive_ns),
                                  .value = NAN };
    const tcsi_policy *policy = tcsi_policies_get(&cell->policies, series->policy);
    tcsi_presence_news news = { .count = 0 };
    tcsi_live_row judged = *row;
    tcs_status status = TCS_OK;
    const bool is_new = outcome.outcome == TCSI_OUTCOME_ACCEPTED;
    if (is_new && tcsi_backfill_live(&series->backfill, row->time_ns)) end_backfill(series);
    if (is_new && tcsi_value_is_stale(row->value)) outcome.outcome = TCSI_OUTCOME_STALE;
    came.outcome = outcome.outcome;
    cell->now_ns = receive_ns;
    cell->rows_per_s -= tcsi_presence_rate(&series->presence);
    tcsi_presence_push(&series->presence, &policy->presence, &came, &news);
    cell->rows_per_s += tcsi_presence_rate(&series->presence);
    if (outcome.outcome == TCSI_OUTCOME_STALE) tcsi_rate_begin(&series->rate); /* nothing links the next row with the last one */
    else if (is_new) status = take(cell, series, &came, &judged, sequence, &outcome, &news, err);
    tell_presence(cell, series, sequence, &news);
    cell->outcomes[outcome.outcome]++;
    *ret_outcome = outcome;
    return status;
}

void tcsi_cell_tick(tcsi_cell *cell, uint64_t sequence, int64_t time_ns, uint32_t begin, uint32_t stride)
{
    cell->now_ns = time_ns;
    tcsi_presence_look(&cell->watch, time_ns);
    tcsi_answered_turn(cell);
    if (begin == 0 && cell->policies.has_weights) tcsi_taught_weigh(cell);
    tcsi_second_look_tick(cell, sequence, time_ns);
    tcsi_reel_tick(&cell->reel, time_ns, cell->series_count, cell->rows_per_s);
    for (uint32_t i = begin; i < cell->series_count; i += stride) {
        tcsi_live_series *series = tcsi_cell_touch(cell, i);
        const tcsi_policy *policy = tcsi_policies_get(&cell->policies, series->policy);
        tcsi_presence_news news = { .count = 0 };
        if (series->answered.quiet) tcsi_answered_tick(cell, series, sequence, time_ns);
        if (tcsi_passed_is_void(&series->passed, &policy->limits)) end_limit(cell, series, sequence, time_ns);
        tcsi_presence_tick(&series->presence, &policy->presence, &cell->watch, series->arrival.newest_ns[0], &news);
        tell_presence(cell, series, sequence, &news);
    }
}

static void take_weights(tcsi_cell *cell)
{
    double weights[1 + TCSI_POLICY_COUNT_MAX];
    const size_t count = 1 + (cell->policies.has_weights ? cell->policies.count : 0);
    for (size_t i = 0; i < count; i++) weights[i] = tcsi_policies_get(&cell->policies, (uint8_t)i)->budget_weight;
    tcsi_cohort_set_weights(&cell->cohort, weights, count);
    cell->weight_sum = 0;
}

static double weight_of(const tcsi_cell *cell, uint32_t place)
{
    return tcsi_policies_get(&cell->policies, tcsi_cell_series(cell, place)->policy)->budget_weight;
}

tcs_status tcsi_cell_set_rules(tcsi_cell *cell, const char *text, tcs_error *err)
{
    tcsi_policies policies;
    const tcs_status status = tcsi_policies_init(&policies, text, strlen(text), err);
    if (status != TCS_OK) return status;
    tcsi_policies_deinit(&cell->policies);
    cell->policies = policies;
    take_weights(cell);
    return TCS_OK;
}

void tcsi_cell_weigh(tcsi_cell *cell)
{
    tcsi_taught_weigh_policies(cell);
}

void tcsi_cell_choose_policy(tcsi_cell *cell, uint32_t place, const tcsi_key *key)
{
    tcsi_cell_touch(cell, place)->policy = tcsi_policies_find(&cell->policies, key);
    cell->weight_sum += weight_of(cell, place);
}

void tcsi_cell_act(tcsi_cell *cell, const tcsi_action *action)
{
    cell->now_ns = action->time_ns;
    tcsi_answered_act(cell, action);
}

/* ---- saved form ---- */

static void persist_episode(tcsi_live_episode *episode, tcsi_codec *codec)
{
    uint32_t lasted = episode->lasted, is_confirmed = episode->is_confirmed, verdict = episode->verdict;
    tcsi_codec_u64(codec, &episode->begin_sequence);
    tcsi_codec_i64(codec, &episode->begin_ns);
    tcsi_codec_i64(codec, &episode->peak_ns);
    tcsi_codec_f64(codec, &episode->peak_value);
    tcsi_codec_f64(codec, &episode->expected);
    tcsi_codec_f64(codec, &episode->deviation);
    tcsi_codec_f32(codec, &episode->height);
    tcsi_codec_u32(codec, &lasted);
    tcsi_codec_u32(codec, &is_confirmed);
    tcsi_codec_u32(codec, &verdict);
    tcsi_codec_f32(codec, &episode->deep_p_value);
    if (!tcsi_codec_loading(codec) || tcsi_codec_status(codec) != TCS_OK) return;
    episode->lasted = (uint16_t)lasted;
    episode->is_confirmed = (uint8_t)is_confirmed;
    episode->verdict = (uint8_t)verdict;
    const bool is_finite = isfinite(episode->peak_value) && isfinite(episode->expected) && isfinite(episode->deviation);
    const bool is_height = episode->height >= 0 && (double)episode->height <= TCSI_COHORT_HEIGHT_MAX;
    const bool is_verdict = verdict < TCSI_VERDICT_COUNT && episode->deep_p_value >= 0 && episode->deep_p_value <= 1;
    if (lasted > LASTED_MAX || is_confirmed > 1 || !is_finite || !is_height || !is_verdict)
        tcsi_codec_refuse(codec, "an episode out of range");
}

static bool is_sound(const tcsi_live_series *series)
{
    bool is_ordered = true;
    for (size_t i = 1; i < TCSI_ARRIVAL_DEPTH; i++)
        is_ordered &= series->arrival.newest_ns[i] < series->arrival.newest_ns[i - 1] || series->arrival.newest_ns[i] == INT64_MIN;
    return is_ordered && series->kind <= TCSI_SERIES_RATE && !isinf(series->rate.value);
}

static void persist_series(tcsi_live_series *series, bool has_passed, tcsi_codec *codec)
{
    uint32_t kind = series->kind, policy = series->policy, grounds = series->grounds;
    tcsi_codec_u32(codec, &series->number);
    for (size_t i = 0; i < TCSI_ARRIVAL_DEPTH; i++) tcsi_codec_i64(codec, &series->arrival.newest_ns[i]);
    tcsi_codec_i64(codec, &series->rate.time_ns);
    tcsi_codec_f64(codec, &series->rate.value);
    tcsi_residual_chart_persist(&series->chart, codec);
    tcsi_cohort_member_persist(&series->member, codec);
    tcsi_presence_persist(&series->presence, codec);
    tcsi_backfill_persist(&series->backfill, codec);
    tcsi_codec_u32(codec, &policy);
    tcsi_codec_u32(codec, &kind);
    tcsi_codec_u32(codec, &grounds);
    persist_episode(&series->anomaly, codec);
    tcsi_second_look_member_persist(&series->look, codec);
    tcsi_last_rows_persist(&series->last_rows, codec);
    tcsi_answered_persist(&series->answered, codec);
    if (has_passed) tcsi_passed_persist(&series->passed, codec);
    if (!tcsi_codec_loading(codec) || tcsi_codec_status(codec) != TCS_OK) return;
    series->kind = (uint8_t)(kind < UINT8_MAX ? kind : UINT8_MAX);
    series->policy = (uint8_t)(policy <= TCSI_POLICY_COUNT_MAX ? policy : 0);
    series->grounds = (uint16_t)(grounds <= TCSI_GROUNDS_MAX ? grounds : 0);
    if (!is_sound(series)) tcsi_codec_refuse(codec, "a series out of range");
}

/* What follows the head: pieces, until one is the last. */
enum { PIECE_LAST, PIECE_SERIES, PIECE_ROWS };

/* false: it was written before series had limits. */
static bool persist_head(tcsi_cell *cell, uint32_t *series_count, tcsi_codec *codec)
{
    const bool has_passed = !tcsi_codec_tag_or(codec, "CEL5", "CEL4");
    tcsi_codec_f64(codec, &cell->options.rate);
    tcsi_cohort_persist(&cell->cohort, codec);
    tcsi_second_look_persist(&cell->second_look, codec);
    tcsi_codec_f64(codec, &cell->rows_per_s);
    tcsi_presence_watch_persist(&cell->watch, codec);
    tcsi_policies_persist(&cell->policies, codec);
    tcsi_pulse_persist(&cell->pulse, codec);
    tcsi_codec_u64(codec, &cell->row_count);
    tcsi_codec_u64(codec, &cell->unusual_count);
    tcsi_cell_answers_persist(&cell->answers, codec);
    tcsi_taught_persist(&cell->taught, codec);
    tcsi_cell_grounds_persist(&cell->grounds, codec);
    for (size_t i = 0; i < TCSI_OUTCOME_COUNT; i++) tcsi_codec_u64(codec, &cell->outcomes[i]);
    tcsi_codec_u32(codec, series_count);
    if (tcsi_codec_loading(codec) && *series_count > codec->in_size / sizeof(tcsi_live_episode))
        tcsi_codec_refuse(codec, "more series than bytes");
    tcsi_pasts_persist(&cell->pasts, *series_count, codec);
    return has_passed;
}

static void save_series(tcsi_cell *cell, uint32_t place)
{
    uint32_t piece = PIECE_SERIES;
    tcsi_live_series *series = series_at(cell, place);
    tcsi_codec_u32(&cell->saving.codec, &piece);
    tcsi_codec_u32(&cell->saving.codec, &place);
    persist_series(series, true, &cell->saving.codec);
    tcsi_reel_persist_series(&cell->reel, place, &cell->saving.codec);
    series->saved = cell->saving.number;
}

tcsi_live_series *tcsi_cell_touch(tcsi_cell *cell, uint32_t place)
{
    tcsi_live_series *series = series_at(cell, place);
    if (series->saved != cell->saving.number && cell->saving.codec.out) save_series(cell, place);
    return series;
}

void tcsi_cell_save(tcsi_cell *cell, tcsi_buffer *out, tcs_error *err)
{
    tcsi_cell_saving *saving = &cell->saving;
    TCS_ASSERT(!saving->codec.out);
    saving->codec = tcsi_codec_save(out, err);
    saving->next = 0;
    saving->count = cell->series_count;
    saving->number++;
    (void)persist_head(cell, &saving->count, &saving->codec);
    tcsi_reel_save(&cell->reel, PIECE_ROWS, &saving->codec);
}

tcs_status tcsi_cell_save_some(tcsi_cell *cell, uint32_t count, bool *ret_is_more)
{
    tcsi_cell_saving *saving = &cell->saving;
    uint32_t piece = PIECE_LAST;
    *ret_is_more = true;
    for (; saving->next < saving->count && count > 0; saving->next++, count--) (void)tcsi_cell_touch(cell, saving->next);
    if (saving->next == saving->count && !tcsi_reel_save_rows(&cell->reel, count)) *ret_is_more = false;
    if (tcsi_codec_status(&saving->codec) == TCS_OK && *ret_is_more) return TCS_OK;
    tcsi_codec_u32(&saving->codec, &piece);
    *ret_is_more = false;
    saving->codec.out = NULL;
    cell->reel.saving.codec = NULL;
    return tcsi_codec_status(&saving->codec);
}

/* The series of a piece, in a place that none was in before. */
static void load_series(tcsi_cell *cell, bool has_passed, tcsi_codec *codec)
{
    uint32_t place = 0;
    tcsi_codec_u32(codec, &place);
    const bool is_new = place < cell->series_count && series_at(cell, place)->saved != cell->saving.number;
    if (!is_new) tcsi_codec_refuse(codec, "a series twice, or one too many");
    if (tcsi_codec_status(codec) != TCS_OK) return;
    persist_series(series_at(cell, place), has_passed, codec);
    tcsi_reel_persist_series(&cell->reel, place, codec);
    series_at(cell, place)->saved = cell->saving.number;
    cell->saving.count++;
}

static bool load_head(tcsi_cell *cell, tcsi_codec *codec)
{
    uint32_t series_count = 0, added;
    tcs_error err;
    const bool has_passed = persist_head(cell, &series_count, codec);
    const bool is_rate = cell->options.rate > 0 && cell->options.rate < 1 && isfinite(cell->rows_per_s);
    if (!is_rate) tcsi_codec_refuse(codec, "a rate out of range");
    take_weights(cell);
    tcsi_reel_load(&cell->reel, codec);
    for (uint32_t i = 0; i < series_count && tcsi_codec_status(codec) == TCS_OK; i++)
        if (tcsi_cell_add(cell, 0, TCSI_SERIES_GAUGE, &added, &err) != TCS_OK)
            codec->status = tcsi_fail(codec->err, err.status, "%s", err.text);
    return has_passed;
}

static void load(tcsi_cell *cell, tcsi_codec *codec)
{
    uint32_t piece = PIECE_LAST;
    const bool has_passed = load_head(cell, codec);
    cell->saving.number++; /* those that are loaded have it */
    do {
        tcsi_codec_u32(codec, &piece);
        if (piece == PIECE_SERIES) load_series(cell, has_passed, codec);
        else if (piece == PIECE_ROWS) tcsi_reel_load_rows(&cell->reel, codec);
        else if (piece != PIECE_LAST) tcsi_codec_refuse(codec, "a piece that is none");
    } while (piece != PIECE_LAST && tcsi_codec_status(codec) == TCS_OK);
    tcsi_reel_loaded(&cell->reel, codec);
    if (cell->saving.count != cell->series_count) tcsi_codec_refuse(codec, "series are missing");
    for (uint32_t i = 0; i < cell->series_count && tcsi_codec_status(codec) == TCS_OK; i++) cell->weight_sum += weight_of(cell, i);
    if (!tcsi_second_look_fits(&cell->second_look, cell->series_count))
        tcsi_codec_refuse(codec, "questions about series that there are not");
}

void tcsi_cell_persist(tcsi_cell *cell, tcsi_codec *codec)
{
    bool is_more = true;
    if (tcsi_codec_loading(codec)) {
        load(cell, codec);
        return;
    }
    tcsi_cell_save(cell, codec->out, codec->err);
    while (is_more) codec->status = tcsi_cell_save_some(cell, UINT32_MAX, &is_more);
}
