/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/why/instead.h"

#include "serve/shard/cell.h"
#include "serve/why/first_look.h"

#include <math.h>

enum { NUDGES = 40 };

/* Rows that are judged again, and the state before the next one. */
typedef struct judge {
    tcsi_cohort cohort;       /* its thresholds stand still */
    tcsi_residual_chart chart;
    tcsi_cohort_member member;
    size_t lasted;            /* rows out of the ordinary since it opened */
    bool is_open;
    size_t trial_count;
    tcs_error *err;
} judge;

static tcs_status begin(judge *j, const tcsi_grounds *grounds, tcs_error *err)
{
    const tcsi_grounds_row *onset = &grounds->onset;
    *j = (judge){ .chart = onset->chart, .member = onset->member, .err = err };
    if (j->member.count == 0) j->member.count = 1; /* its scale was begun (grounds.c) */
    const tcs_status status = tcsi_cohort_init(&j->cohort, 0.5, TCSI_CELL_RUN_LENGTH, err);
    if (status != TCS_OK) return status;
    j->cohort.count = 1;
    j->cohort.fit_at = UINT64_MAX; /* never */
    j->cohort.usual = (double)onset->member.usual;
    j->cohort.threshold = onset->threshold;
    j->cohort.threshold_low = onset->threshold_low;
    for (size_t i = 0; i < TCSI_COHORT_SHARES; i++) j->cohort.thresholds[0][i] = onset->threshold;
    return TCS_OK;
}

/* What the row would do; the state stays. */
static tcs_status look(judge *j, double value, tcsi_cohort_verdict *ret_verdict)
{
    tcsi_residual_chart chart = j->chart;
    tcsi_cohort_member member = j->member;
    const double score = tcsi_residual_chart_push(&chart, &tcsi_residual_chart_defaults, value);
    *ret_verdict = (tcsi_cohort_verdict){ .height = 0 };
    j->trial_count++;
    return isnan(score) ? TCS_OK : tcsi_cohort_push(&j->cohort, &member, score, ret_verdict, j->err);
}

static tcs_status take(judge *j, double value, tcsi_cohort_verdict *ret_verdict)
{
    const double score = tcsi_residual_chart_push(&j->chart, &tcsi_residual_chart_defaults, value);
    *ret_verdict = (tcsi_cohort_verdict){ .height = 0 };
    const tcs_status status = isnan(score) ? TCS_OK : tcsi_cohort_push(&j->cohort, &j->member, score, ret_verdict, j->err);
    j->is_open |= ret_verdict->is_opening;
    j->lasted += j->is_open && ret_verdict->is_unusual;
    if (!ret_verdict->is_closing) return status;
    j->is_open = false; /* what comes now is another one */
    j->lasted = 0;
    return status;
}

/* Above it the onset opened an episode: of what people had answered like it, that it was out of the ordinary was enough. */
static double opening_of(const tcsi_grounds *grounds)
{
    return grounds->opened_by == TCSI_GROUNDS_ANSWER ? grounds->onset.threshold_low : grounds->onset.threshold;
}

/* The heights that the goal leaves to the next row. */
static double ceiling_of(const judge *j, const tcsi_grounds *grounds, tcsi_instead_goal goal, bool is_ordinary)
{
    if (goal == TCSI_INSTEAD_OPENED) return opening_of(grounds);
    if (is_ordinary) return grounds->hold;
    return j->lasted < TCSI_CELL_RUN_LENGTH ? grounds->sure : fmin(grounds->onset.threshold_low, grounds->sure);
}

/* Just reaching the heights that confirm is enough to confirm; they are compared with what the episode keeps of its own, a float. */
static bool is_within(const tcsi_grounds *grounds, double height, double ceiling)
{
    return ceiling == grounds->sure || ceiling == grounds->hold ? (double)(float)height < ceiling : height <= ceiling;
}

/* The value nearest to `value` that stays below the ceiling; false: there is none. */
static tcs_status clamp(judge *j, const tcsi_grounds *grounds, double value, double ceiling, double *ret_value, bool *ret_found)
{
    double low, high;
    tcsi_cohort_verdict verdict;
    tcs_status status = TCS_OK;
    tcsi_first_look_quiet(&j->chart, &j->member, ceiling, &low, &high);
    *ret_found = false;
    for (int i = 0; status == TCS_OK && !*ret_found && low <= high && i < NUDGES; i++) { /* as much inside as rounding asks for */
        const double room = (high - low) / 2, inside = i == 0 ? 0 : fmin(room, ldexp(fabs(value) + fabs(high - low), i - 53));
        *ret_value = fmin(fmax(value, low + inside), high - inside);
        status = look(j, *ret_value, &verdict);
        *ret_found = is_within(grounds, verdict.height, ceiling);
    }
    return status;
}

static tcs_status try_row(judge *j, const tcsi_grounds *grounds, tcsi_instead_goal goal, bool is_ordinary, tcsi_instead_row *row,
                          tcsi_instead *ret)
{
    const double ceiling = ceiling_of(j, grounds, goal, is_ordinary);
    tcsi_cohort_verdict verdict;
    bool is_found = true;
    row->instead = row->value;
    tcs_status status = look(j, row->value, &verdict);
    if (status == TCS_OK && !is_within(grounds, verdict.height, ceiling))
        status = clamp(j, grounds, row->value, ceiling, &row->instead, &is_found);
    if (!is_found) row->instead = row->value;
    if (status == TCS_OK) status = take(j, row->instead, &verdict);
    ret->is_found &= is_found;
    ret->height_after = fmax(ret->height_after, verdict.height);
    return status;
}

/* The rows as they came. */
static tcs_status judge_as_they_came(const tcsi_grounds *grounds, const tcsi_instead_row *rows, size_t count, tcsi_instead *ret,
                                     tcs_error *err)
{
    judge j;
    tcs_status status = begin(&j, grounds, err);
    for (size_t i = 0; status == TCS_OK && i < count; i++) {
        tcsi_cohort_verdict verdict;
        status = take(&j, rows[i].value, &verdict);
        if (i == 0) ret->is_like_then = verdict.height > opening_of(grounds);
        ret->height_before = fmax(ret->height_before, verdict.height);
    }
    tcsi_cohort_deinit(&j.cohort);
    ret->trial_count += count;
    return status;
}

static void measure(const tcsi_grounds *grounds, const tcsi_instead_row *rows, size_t count, tcsi_instead *ret)
{
    const tcsi_residual_parts parts =
        tcsi_residual_chart_parts(&grounds->onset.chart, &tcsi_residual_chart_defaults, grounds->onset.value);
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        const double change = fabs(rows[i].instead - rows[i].value) / parts.rest_spread;
        ret->changed_count += change > 0;
        ret->change_max = fmax(ret->change_max, change);
        sum += change * change;
    }
    ret->change = ret->changed_count ? sqrt(sum / (double)ret->changed_count) : 0;
}

tcs_status tcsi_instead_find(const tcsi_grounds *grounds, tcsi_instead_goal goal, bool is_ordinary, tcsi_instead_row *rows, size_t count,
                             tcsi_instead *ret, tcs_error *err)
{
    const double confirms = is_ordinary ? grounds->hold : grounds->sure;
    judge j;
    *ret = (tcsi_instead){ .is_found = true, .threshold = goal == TCSI_INSTEAD_OPENED ? opening_of(grounds) : confirms };
    tcs_status status = judge_as_they_came(grounds, rows, count, ret, err);
    if (status != TCS_OK) return status;
    status = begin(&j, grounds, err);
    for (size_t i = 0; status == TCS_OK && i < count; i++) status = try_row(&j, grounds, goal, is_ordinary, &rows[i], ret);
    ret->trial_count += j.trial_count;
    ret->is_found &= ret->is_like_then; /* else it is not known what happened */
    tcsi_cohort_deinit(&j.cohort);
    if (status == TCS_OK) measure(grounds, rows, count, ret);
    return status;
}
