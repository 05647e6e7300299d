/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/deep/reason.h"

#include "explain/shapley.h"

#include <math.h>
#include <string.h>

enum { ORDERS = 8, BISECTIONS = 10, SEED = 1 };
static const double BAND = 4.604; /* holds 99 % of a Student distribution of 4 degrees */

typedef struct search {
    const tcsi_deep_model *model;
    const tcsi_deep_verdict_options *options;
    const int16_t *rows;
    tcsi_deep_scorer scorer;
    tcsi_deep_reason *reason;
    size_t players[TCSI_LAST_ROWS]; /* rows that are not as expected */
    size_t player_count;
} search;

static double score_of(search *s, const int16_t *window)
{
    double strangeness, features[TCSI_DEEP_FEATURES];
    tcsi_deep_scorer_run(&s->scorer, window, 1, &strangeness, features);
    s->reason->trial_count++;
    return tcsi_deep_model_score(s->model, s->options->sort, strangeness, features);
}

static double chance_of(const search *s, double score)
{
    return tcsi_second_look_counted(tcsi_deep_model_p_value(s->model, s->options->sort, score), s->options->mean);
}

static bool is_ordinary(const search *s, double score)
{
    return chance_of(s, score) > s->options->limit;
}

/* ---- what was expected ---- */

static void expect(search *s)
{
    int16_t *expected = s->reason->expected;
    memcpy(expected, s->rows, sizeof s->reason->expected);
    for (size_t t = 1; t < TCSI_LAST_ROWS; t++) {
        tcsi_deep_expectation said[TCSI_LAST_ROWS];
        tcsi_deep_scorer_expect(&s->scorer, expected, said);
        s->reason->trial_count++;
        const bool is_judged = t >= TCSI_LAST_ROWS - TCSI_DEEP_STRETCH;
        if (is_judged || fabs(said[t].distance) > BAND) expected[t] = said[t].row;
    }
    for (size_t t = 0; t < TCSI_LAST_ROWS; t++)
        if (expected[t] != s->rows[t]) s->players[s->player_count++] = t;
}

/* ---- shares ---- */

static tcs_status play(void *context, const bool *is_in, double *ret_outcome, tcs_error *err)
{
    search *s = context;
    int16_t window[TCSI_LAST_ROWS];
    (void)err;
    memcpy(window, s->reason->expected, sizeof window);
    for (size_t i = 0; i < s->player_count; i++)
        if (is_in[i]) window[s->players[i]] = s->rows[s->players[i]];
    *ret_outcome = score_of(s, window);
    return TCS_OK;
}

static tcs_status share_out(search *s, tcs_error *err)
{
    double values[TCSI_LAST_ROWS] = { 0 }, errors[TCSI_LAST_ROWS] = { 0 };
    const tcsi_shapley_options options = { .player_count = s->player_count, .order_count = ORDERS, .seed = SEED };
    if (s->player_count == 0) return TCS_OK;
    const tcs_status status = tcsi_shapley(&options, play, s, values, errors, err);
    for (size_t i = 0; i < s->player_count; i++) {
        s->reason->shares[s->players[i]] = values[i];
        s->reason->error = fmax(s->reason->error, errors[i]);
    }
    return status;
}

/* ---- what would have been ordinary ---- */

/* Rows with the largest shares first; of equal ones the older. */
static void order_players(search *s)
{
    const double *shares = s->reason->shares;
    for (size_t i = 1; i < s->player_count; i++) {
        const size_t player = s->players[i];
        size_t at = i;
        for (; at > 0 && shares[s->players[at - 1]] < shares[player]; at--) s->players[at] = s->players[at - 1];
        s->players[at] = player;
    }
}

/* The window with its first `count` players so far on their way. */
static void move(const search *s, size_t count, double way, int16_t *ret_window)
{
    memcpy(ret_window, s->rows, TCSI_LAST_ROWS * sizeof *ret_window);
    for (size_t i = 0; i < count; i++) {
        const size_t t = s->players[i];
        ret_window[t] = (int16_t)lrint(s->rows[t] + way * (s->reason->expected[t] - s->rows[t]));
    }
}

static bool try_change(search *s, size_t count, double way)
{
    int16_t window[TCSI_LAST_ROWS];
    move(s, count, way, window);
    return is_ordinary(s, score_of(s, window));
}

static void find_change(search *s)
{
    tcsi_deep_reason *reason = s->reason;
    double low = 0, high = 1;
    size_t count = 1;
    memcpy(reason->instead, s->rows, sizeof reason->instead);
    order_players(s);
    while (count <= s->player_count && !try_change(s, count, 1)) count++;
    if (count > s->player_count) return;
    for (int i = 0; i < BISECTIONS; i++) {
        const double middle = (low + high) / 2;
        if (try_change(s, count, middle)) high = middle;
        else low = middle;
    }
    move(s, count, high, reason->instead);
    reason->score_after = score_of(s, reason->instead);
    reason->p_value_after = chance_of(s, reason->score_after);
    reason->is_found = reason->p_value_after > s->options->limit;
    reason->changed_count = count;
    reason->way = high;
}

tcs_status tcsi_deep_reason_find(const tcsi_deep_model *model, const int16_t *rows, const tcsi_deep_verdict_options *options,
                                 tcsi_deep_reason *ret, tcs_error *err)
{
    search s = { .model = model, .options = options, .rows = rows, .reason = ret };
    *ret = (tcsi_deep_reason){ .error = 0 };
    tcs_status status = tcsi_deep_scorer_init(&s.scorer, &model->network, err);
    if (status == TCS_OK) {
        ret->score = score_of(&s, rows);
        ret->p_value = chance_of(&s, ret->score);
        ret->chance = options->sort == TCSI_QUESTION_ESCALATED ? tcsi_deep_head_chance(&model->head, ret->score) : NAN;
        expect(&s);
        ret->score_expected = score_of(&s, ret->expected);
        status = share_out(&s, err);
    }
    if (status == TCS_OK && !is_ordinary(&s, ret->score)) find_change(&s);
    tcsi_deep_scorer_deinit(&s.scorer);
    return status;
}
