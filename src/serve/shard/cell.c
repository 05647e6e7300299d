/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/shard/cell.h"

#include "base/alloc.h"
#include "detect/detector.h"

#include <math.h>

enum { PIECE = 4096, RUN_LENGTH = 4, READY_ROWS = 200, LASTED_MAX = 60000, RUN_MAX = 1 << 30 };
enum { ABSENCE_CADENCES = 5, STUCK_RUNS = 3, STUCK_MIN = 30 };

static const double CADENCE_WEIGHT = 0.05, SURE_TIMES = 10;

const char *const tcsi_live_kind_names[TCSI_LIVE_KIND_COUNT] = { "anomaly", "absence", "stuck" };
const char *const tcsi_live_state_names[TCSI_LIVE_STATE_COUNT] = { "suspected", "confirmed", "resolved", "dismissed" };
const char *const tcsi_live_readiness_names[TCSI_LIVE_READINESS_COUNT] = { "new", "learning", "ready", "ended" };

/* ---- life ---- */

tcs_status tcsi_cell_init(tcsi_cell *cell, const tcsi_cell_options *options, tcs_error *err)
{
    *cell = (tcsi_cell){ .options = *options };
    tcsi_reel_init(&cell->reel, &options->reel);
    return tcsi_cohort_init(&cell->cohort, options->rate, RUN_LENGTH, err);
}

void tcsi_cell_deinit(tcsi_cell *cell)
{
    for (size_t i = 0; i < cell->piece_count; i++) tcsi_free(cell->pieces[i]);
    tcsi_free(cell->pieces);
    tcsi_cohort_deinit(&cell->cohort);
    tcsi_reel_deinit(&cell->reel);
    *cell = (tcsi_cell){ 0 };
}

size_t tcsi_cell_size_max(size_t series_count)
{
    const size_t pieces = series_count / PIECE + (series_count % PIECE > 0);
    const size_t series = tcsi_size_product(tcsi_size_product(pieces, PIECE), sizeof(tcsi_live_series));
    return tcsi_size_sum(series, tcsi_size_sum(tcsi_size_product(pieces, sizeof(void *)), 3 * TCSI_COHORT_BODY * sizeof(double)));
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

tcsi_live_series *tcsi_cell_series(const tcsi_cell *cell, uint32_t place)
{
    TCS_ASSERT(place < cell->series_count);
    return &cell->pieces[place / PIECE][place % PIECE];
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
    *series = (tcsi_live_series){ .number = number, .kind = (uint8_t)kind };
    tcsi_arrival_begin(&series->arrival);
    tcsi_rate_begin(&series->rate);
    *ret_place = cell->series_count++;
    return TCS_OK;
}

tcsi_live_readiness tcsi_live_series_readiness(const tcsi_live_series *series)
{
    if (series->is_ended) return TCSI_LIVE_ENDED;
    if (series->member.count == 0) return TCSI_LIVE_NEW;
    return series->member.count < READY_ROWS ? TCSI_LIVE_LEARNING : TCSI_LIVE_READY;
}

void tcsi_cell_set_rate(tcsi_cell *cell, double rate)
{
    cell->options.rate = rate;
    tcsi_cohort_set_rate(&cell->cohort, rate);
}

/* ---- what happened ---- */

static void tell(const tcsi_cell *cell, tcsi_live_event event)
{
    event.received_ns = cell->now_ns;
    event.severity = 50;
    event.p_value = 1;
    if (event.kind == TCSI_LIVE_ANOMALY) {
        const double height = (double)event.episode.height;
        event.severity = fmin(fmax(50 + 10 * log10(cell->options.rate / tcsi_cohort_rate(&cell->cohort, height)), 50), 100);
        event.p_value = tcsi_cohort_p_value(&cell->cohort, height);
    }
    if (cell->options.tell) cell->options.tell(cell->options.self, &event);
}

/* Ten times rarer than what is allowed, or longer than scores remember each other. */
static bool is_sure(const tcsi_cell *cell, const tcsi_live_episode *episode)
{
    return episode->lasted > RUN_LENGTH || SURE_TIMES * tcsi_cohort_rate(&cell->cohort, (double)episode->height) <= cell->options.rate;
}

static void keep_peak(tcsi_live_episode *episode, const tcsi_live_row *row, const tcsi_live_outcome *outcome)
{
    if (!(outcome->verdict.height > (double)episode->height)) return;
    episode->height = (float)outcome->verdict.height;
    episode->peak_ns = row->time_ns;
    episode->peak_value = row->value;
    episode->expected = outcome->expected;
    episode->deviation = outcome->deviation;
}

/* row's value is the one that was judged. */
static void follow_anomaly(tcsi_cell *cell, tcsi_live_series *series, const tcsi_live_row *row, uint64_t sequence,
                           const tcsi_live_outcome *outcome)
{
    tcsi_live_episode *episode = &series->anomaly;
    tcsi_live_event event = { .sequence = sequence, .number = series->number, .kind = TCSI_LIVE_ANOMALY, .time_ns = row->time_ns };
    if (outcome->verdict.is_opening) *episode = (tcsi_live_episode){ .begin_sequence = sequence, .begin_ns = row->time_ns };
    if (episode->begin_sequence == 0) return;
    if (outcome->verdict.is_unusual && episode->lasted < LASTED_MAX) episode->lasted++;
    keep_peak(episode, row, outcome);
    if (outcome->verdict.is_opening) {
        event.state = TCSI_LIVE_SUSPECTED;
        event.episode = *episode;
        tell(cell, event);
    }
    if (!episode->is_confirmed && is_sure(cell, episode)) {
        episode->is_confirmed = 1;
        event.state = TCSI_LIVE_CONFIRMED;
        event.episode = *episode;
        tell(cell, event);
    }
    if (!outcome->verdict.is_closing) return;
    event.state = episode->is_confirmed ? TCSI_LIVE_RESOLVED : TCSI_LIVE_DISMISSED;
    event.episode = *episode;
    tell(cell, event);
    *episode = (tcsi_live_episode){ 0 };
}

static void end_absence(tcsi_cell *cell, tcsi_live_series *series, const tcsi_live_row *row, uint64_t sequence)
{
    if (series->absence_sequence == 0) return;
    const tcsi_live_episode episode = { .begin_sequence = series->absence_sequence, .begin_ns = series->arrival.newest_ns[1],
                                        .is_confirmed = 1 };
    tell(cell, (tcsi_live_event){ .sequence = sequence, .number = series->number, .kind = TCSI_LIVE_ABSENCE, .state = TCSI_LIVE_RESOLVED,
                                  .episode = episode, .time_ns = row->time_ns });
    series->absence_sequence = 0;
}

static void tell_stuck(tcsi_cell *cell, const tcsi_live_series *series, const tcsi_live_row *row, uint64_t sequence, tcsi_live_state state)
{
    const tcsi_live_episode episode = { .begin_sequence = series->stuck_sequence, .begin_ns = series->stuck_ns, .is_confirmed = 1,
                                        .peak_value = series->chart.last };
    tell(cell, (tcsi_live_event){ .sequence = sequence, .number = series->number, .kind = TCSI_LIVE_STUCK, .state = (uint8_t)state,
                                  .episode = episode, .time_ns = row->time_ns });
}

/* Before the chart has taken the row.  A constant has nothing to be stuck from: some row must have differed from the one before it. */
static void follow_stuck(tcsi_cell *cell, tcsi_live_series *series, const tcsi_live_row *row, uint64_t sequence)
{
    if (series->chart.count == 0) return;
    if (row->value != series->chart.last) {
        if (series->stuck_sequence) tell_stuck(cell, series, row, sequence, TCSI_LIVE_RESOLVED);
        series->stuck_sequence = 0;
        if (series->same_count > series->same_count_max) series->same_count_max = series->same_count;
        series->same_count = 0;
        return;
    }
    if (series->same_count == 0) series->stuck_ns = series->arrival.newest_ns[1];
    if (series->same_count < RUN_MAX) series->same_count++;
    const bool has_changed = series->chart.count > series->same_count;
    if (!has_changed || series->stuck_sequence || series->same_count < STUCK_MIN) return;
    if (series->same_count / STUCK_RUNS < series->same_count_max) return;
    series->stuck_sequence = sequence;
    tell_stuck(cell, series, row, sequence, TCSI_LIVE_CONFIRMED);
}

/* ---- one row ---- */

static double rows_per_s(const tcsi_live_series *series)
{
    return series->cadence_s > 0 ? 1 / (double)series->cadence_s : 0;
}

static void learn_cadence(tcsi_cell *cell, tcsi_live_series *series)
{
    const int64_t before_ns = series->arrival.newest_ns[1];
    if (before_ns == INT64_MIN) return;
    cell->rows_per_s -= rows_per_s(series);
    const double step_s = (double)((uint64_t)series->arrival.newest_ns[0] - (uint64_t)before_ns) * 1e-9;
    const double cadence_s = (double)series->cadence_s;
    /* A gap is no cadence: one step counts no more than twice the usual one. */
    series->cadence_s = (float)(cadence_s > 0 ? cadence_s + CADENCE_WEIGHT * (fmin(step_s, 2 * cadence_s) - cadence_s) : step_s);
    cell->rows_per_s += rows_per_s(series);
}

/* The value to judge, which of a counter is its rate; false: there is none. */
static bool value_of(tcsi_live_series *series, const tcsi_live_row *row, double *ret_value)
{
    *ret_value = row->value;
    return series->kind != TCSI_SERIES_COUNTER || tcsi_rate_push(&series->rate, row->time_ns, row->value, ret_value);
}

/* A row whose value is the one to judge. */
static tcs_status judge(tcsi_cell *cell, tcsi_live_series *series, const tcsi_live_row *row, uint64_t sequence,
                        tcsi_live_outcome *outcome, tcs_error *err)
{
    follow_stuck(cell, series, row, sequence);
    tcsi_residual_chart_expect(&series->chart, &outcome->expected, &outcome->deviation);
    outcome->score = tcsi_residual_chart_push(&series->chart, &tcsi_residual_chart_defaults, row->value);
    outcome->is_scored = !isnan(outcome->score);
    tcsi_reel_push(&cell->reel, row->place, series->number,
                   &(tcsi_reel_judged){ row->time_ns, row->value, outcome->expected, outcome->deviation, outcome->score });
    if (!outcome->is_scored) return TCS_OK;
    const tcs_status status = tcsi_cohort_push(&cell->cohort, &series->member, outcome->score, &outcome->verdict, err);
    follow_anomaly(cell, series, row, sequence, outcome);
    cell->row_count++;
    cell->unusual_count += outcome->verdict.is_unusual;
    return status;
}

tcs_status tcsi_cell_push(tcsi_cell *cell, const tcsi_live_row *row, uint64_t sequence, int64_t receive_ns, tcsi_live_outcome *ret_outcome,
                          tcs_error *err)
{
    tcsi_live_series *series = tcsi_cell_series(cell, row->place);
    tcsi_live_outcome outcome = { .outcome = tcsi_arrival_push(&series->arrival, &cell->options.arrival, row->time_ns, receive_ns) };
    tcsi_live_row judged = *row;
    tcs_status status = TCS_OK;
    cell->now_ns = receive_ns;
    if (outcome.outcome == TCSI_OUTCOME_ACCEPTED) {
        end_absence(cell, series, row, sequence);
        series->received_ns = receive_ns;
        if (tcsi_value_is_stale(row->value)) { /* what is learned stays; what links one row with the next does not */
            outcome.outcome = TCSI_OUTCOME_STALE;
            tcsi_rate_begin(&series->rate);
            if (!series->is_ended) cell->rows_per_s -= rows_per_s(series);
            series->is_ended = 1;
        } else {
            if (series->is_ended) cell->rows_per_s += rows_per_s(series);
            else learn_cadence(cell, series);
            series->is_ended = 0;
            if (value_of(series, row, &judged.value) && tcsi_value_ok(judged.value))
                status = judge(cell, series, &judged, sequence, &outcome, err);
        }
    }
    cell->outcomes[outcome.outcome]++;
    *ret_outcome = outcome;
    return status;
}

void tcsi_cell_tick(tcsi_cell *cell, uint64_t sequence, int64_t time_ns, uint32_t begin, uint32_t stride)
{
    cell->now_ns = time_ns;
    tcsi_reel_tick(&cell->reel, time_ns, cell->series_count, cell->rows_per_s);
    for (uint32_t i = begin; i < cell->series_count; i += stride) {
        tcsi_live_series *series = tcsi_cell_series(cell, i);
        if (series->is_ended || series->absence_sequence || !(series->cadence_s > 0) || time_ns <= series->received_ns) continue;
        const double silent_s = (double)((uint64_t)time_ns - (uint64_t)series->received_ns) * 1e-9;
        if (silent_s <= ABSENCE_CADENCES * (double)series->cadence_s) continue;
        series->absence_sequence = sequence;
        const tcsi_live_episode episode = { .begin_sequence = sequence, .begin_ns = series->arrival.newest_ns[0], .is_confirmed = 1 };
        tell(cell, (tcsi_live_event){ .sequence = sequence, .number = series->number, .kind = TCSI_LIVE_ABSENCE,
                                      .state = TCSI_LIVE_CONFIRMED, .episode = episode, .time_ns = time_ns });
    }
}

void tcsi_cell_act(tcsi_cell *cell, const tcsi_action *action)
{
    cell->now_ns = action->time_ns;
}

/* ---- saved form ---- */

static void persist_episode(tcsi_live_episode *episode, tcsi_codec *codec)
{
    uint32_t lasted = episode->lasted, is_confirmed = episode->is_confirmed;
    tcsi_codec_u64(codec, &episode->begin_sequence);
    tcsi_codec_i64(codec, &episode->begin_ns);
    tcsi_codec_i64(codec, &episode->peak_ns);
    tcsi_codec_f64(codec, &episode->peak_value);
    tcsi_codec_f64(codec, &episode->expected);
    tcsi_codec_f64(codec, &episode->deviation);
    tcsi_codec_f32(codec, &episode->height);
    tcsi_codec_u32(codec, &lasted);
    tcsi_codec_u32(codec, &is_confirmed);
    if (!tcsi_codec_loading(codec) || tcsi_codec_status(codec) != TCS_OK) return;
    episode->lasted = (uint16_t)lasted;
    episode->is_confirmed = (uint8_t)is_confirmed;
    const bool is_finite = isfinite(episode->peak_value) && isfinite(episode->expected) && isfinite(episode->deviation);
    const bool is_height = episode->height >= 0 && (double)episode->height <= TCSI_COHORT_HEIGHT_MAX;
    if (lasted > LASTED_MAX || is_confirmed > 1 || !is_finite || !is_height)
        tcsi_codec_refuse(codec, "an episode out of range");
}

static bool is_sound(const tcsi_live_series *series)
{
    bool is_ordered = true;
    for (size_t i = 1; i < TCSI_ARRIVAL_DEPTH; i++)
        is_ordered &= series->arrival.newest_ns[i] < series->arrival.newest_ns[i - 1] || series->arrival.newest_ns[i] == INT64_MIN;
    return is_ordered && series->kind <= TCSI_SERIES_RATE && series->is_ended <= 1 && series->cadence_s >= 0 &&
           isfinite(series->cadence_s) && series->same_count <= RUN_MAX && series->same_count_max <= RUN_MAX && !isinf(series->rate.value);
}

static void persist_series(tcsi_live_series *series, tcsi_codec *codec)
{
    uint32_t kind = series->kind, is_ended = series->is_ended;
    tcsi_codec_u32(codec, &series->number);
    for (size_t i = 0; i < TCSI_ARRIVAL_DEPTH; i++) tcsi_codec_i64(codec, &series->arrival.newest_ns[i]);
    tcsi_codec_i64(codec, &series->rate.time_ns);
    tcsi_codec_f64(codec, &series->rate.value);
    tcsi_residual_chart_persist(&series->chart, codec);
    tcsi_cohort_member_persist(&series->member, codec);
    tcsi_codec_i64(codec, &series->received_ns);
    tcsi_codec_f32(codec, &series->cadence_s);
    tcsi_codec_u32(codec, &series->same_count);
    tcsi_codec_u32(codec, &series->same_count_max);
    tcsi_codec_u32(codec, &kind);
    tcsi_codec_u32(codec, &is_ended);
    persist_episode(&series->anomaly, codec);
    tcsi_codec_u64(codec, &series->absence_sequence);
    tcsi_codec_u64(codec, &series->stuck_sequence);
    tcsi_codec_i64(codec, &series->stuck_ns);
    if (!tcsi_codec_loading(codec) || tcsi_codec_status(codec) != TCS_OK) return;
    series->kind = (uint8_t)(kind < UINT8_MAX ? kind : UINT8_MAX);
    series->is_ended = (uint8_t)(is_ended < UINT8_MAX ? is_ended : UINT8_MAX);
    if (!is_sound(series)) tcsi_codec_refuse(codec, "a series out of range");
}

void tcsi_cell_persist(tcsi_cell *cell, tcsi_codec *codec)
{
    uint32_t series_count = cell->series_count, added;
    tcsi_codec_tag(codec, "CELL");
    tcsi_codec_f64(codec, &cell->options.rate);
    tcsi_cohort_persist(&cell->cohort, codec);
    tcsi_codec_f64(codec, &cell->rows_per_s);
    tcsi_codec_u64(codec, &cell->row_count);
    tcsi_codec_u64(codec, &cell->unusual_count);
    for (size_t i = 0; i < TCSI_OUTCOME_COUNT; i++) tcsi_codec_u64(codec, &cell->outcomes[i]);
    tcsi_reel_persist(&cell->reel, codec);
    tcsi_codec_u32(codec, &series_count);
    const bool is_rate = cell->options.rate > 0 && cell->options.rate < 1 && isfinite(cell->rows_per_s);
    if (tcsi_codec_loading(codec) && !is_rate) tcsi_codec_refuse(codec, "a rate out of range");
    for (uint32_t i = 0; i < series_count && tcsi_codec_status(codec) == TCS_OK; i++) {
        tcs_error err;
        if (tcsi_codec_loading(codec) && tcsi_cell_add(cell, 0, TCSI_SERIES_GAUGE, &added, &err) != TCS_OK)
            codec->status = tcsi_fail(codec->err, err.status, "%s", err.text);
        else persist_series(tcsi_cell_series(cell, i), codec);
    }
}
