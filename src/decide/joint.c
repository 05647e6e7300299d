/* SPDX-License-Identifier: Apache-2.0 */
#include "decide/joint.h"

#include "base/alloc.h"

#include <math.h>
#include <stdlib.h>

tcs_status tcsi_joint_init(tcsi_joint *joint, tcsi_fdr_method method, double level, tcs_error *err)
{
    *joint = (tcsi_joint){ .method = method, .level = level };
    if (level > 0 && level < 1) return TCS_OK;
    return tcsi_fail(err, TCS_E_INVALID, "a false-discovery rate of %g, expected above 0 and below 1", level);
}

void tcsi_joint_deinit(tcsi_joint *joint)
{
    tcsi_free(joint->tests);
    tcsi_free(joint->episodes);
    *joint = (tcsi_joint){ 0 };
}

/* ---- adding ---- */

static tcs_status add_test(tcsi_joint *joint, int64_t place, tcs_error *err)
{
    if (joint->test_count == joint->test_room) {
        const size_t larger = joint->test_room ? 2 * joint->test_room : 64;
        tcsi_joint_test *grown = tcsi_realloc_array(joint->tests, larger, sizeof *grown);
        if (!grown) return tcsi_fail_memory(err, "tests");
        joint->tests = grown;
        joint->test_room = larger;
    }
    joint->tests[joint->test_count++] = (tcsi_joint_test){ .place = place, .series = joint->series_count, .p_value = 1 };
    return TCS_OK;
}

static tcs_status add_episode(tcsi_joint *joint, const tcsi_joint_episode *episode, tcs_error *err)
{
    if (joint->episode_count == joint->episode_room) {
        const size_t larger = joint->episode_room ? 2 * joint->episode_room : 64;
        tcsi_joint_episode *grown = tcsi_realloc_array(joint->episodes, larger, sizeof *grown);
        if (!grown) return tcsi_fail_memory(err, "episodes");
        joint->episodes = grown;
        joint->episode_room = larger;
    }
    joint->episodes[joint->episode_count++] = *episode;
    tcsi_joint_test *test = &joint->tests[episode->test];
    test->p_value = fmin(test->p_value, episode->p_value);
    return TCS_OK;
}

/* Episodes that begin in rows [row_begin, row_end), which are one test. */
static tcs_status add_block(tcsi_joint *joint, const tcsi_joint_series *series, size_t row_begin, size_t row_end, tcs_error *err)
{
    const bool is_one = row_end - row_begin == series->row_count;
    tcs_status status = add_test(joint, series->places ? series->places[row_end - 1] : (int64_t)joint->series_count, err);
    for (size_t i = 0; i < series->episode_count && status == TCS_OK; i++) {
        if (series->row_begins[i] < row_begin || series->row_begins[i] >= row_end) continue;
        const double part = is_one ? 1 : (double)(row_end - row_begin) / (double)series->row_count;
        const tcsi_joint_episode episode = { .series = joint->series_count, .index = i, .test = joint->test_count - 1,
                                              .p_value = -expm1(-series->expected_counts[i] * part) };
        status = add_episode(joint, &episode, err);
    }
    return status;
}

tcs_status tcsi_joint_add(tcsi_joint *joint, const tcsi_joint_series *series, tcs_error *err)
{
    const bool has_blocks = series->places && tcsi_fdr_table[joint->method].is_online;
    const size_t test_count = joint->test_count, episode_count = joint->episode_count;
    tcs_status status = TCS_OK;
    if (series->row_count == 0) return tcsi_fail(err, TCS_E_INVALID, "a series without rows cannot be judged");
    for (size_t begin = 0; begin < series->row_count && status == TCS_OK;) {
        size_t end = has_blocks ? begin + 1 : series->row_count;
        while (end < series->row_count && series->places[end] == series->places[begin]) end++;
        status = add_block(joint, series, begin, end, err);
        begin = end;
    }
    if (status == TCS_OK) {
        joint->series_count++;
    } else { /* as if it had never been added */
        joint->test_count = test_count;
        joint->episode_count = episode_count;
    }
    return status;
}

/* ---- judging ---- */

static int by_time(const void *a, const void *b)
{
    const tcsi_joint_test *x = *(tcsi_joint_test *const *)a, *y = *(tcsi_joint_test *const *)b;
    if (x->place != y->place) return x->place < y->place ? -1 : 1;
    return (x->series > y->series) - (x->series < y->series);
}

static tcs_status judge_online(tcsi_joint *joint, tcs_error *err)
{
    tcsi_fdr fdr;
    tcs_status status = tcsi_fdr_init(&fdr, joint->method, joint->level, err);
    if (status != TCS_OK) return status;
    tcsi_joint_test **order = TCSI_NEW_ARRAY(tcsi_joint_test *, joint->test_count);
    if (!order) return tcsi_fail_memory(err, "tests");
    for (size_t i = 0; i < joint->test_count; i++) order[i] = &joint->tests[i];
    qsort(order, joint->test_count, sizeof(tcsi_joint_test *), by_time); /* no two compare equal: one series has a place once */
    for (size_t i = 0; i < joint->test_count; i++) {
        order[i]->level = tcsi_fdr_level(&fdr);
        (void)tcsi_fdr_test(&fdr, order[i]->p_value);
    }
    tcsi_free(order);
    return TCS_OK;
}

/* The largest p-value of a discovery is at most level R / (n c): what adjusting makes of it says so for all at once. */
static tcs_status judge_batch(tcsi_joint *joint, tcs_error *err)
{
    const size_t count = joint->test_count;
    const bool by_evidence = joint->method == TCSI_FDR_E_BH;
    double *values = TCSI_NEW_ARRAY(double, count), *adjusted = TCSI_NEW_ARRAY(double, count), factor = 0;
    tcs_status status = values && adjusted ? TCS_OK : tcsi_fail_memory(err, "tests");
    for (size_t i = 0; i < count && status == TCS_OK; i++)
        values[i] = by_evidence ? 0.5 / sqrt(joint->tests[i].p_value) : joint->tests[i].p_value;
    if (status == TCS_OK) status = tcsi_fdr_adjust(joint->method, values, count, adjusted, err);
    if (status == TCS_OK) {
        size_t discoveries = 0;
        for (size_t i = 0; i < count; i++) {
            discoveries += adjusted[i] <= joint->level;
            factor += 1 / (double)(i + 1);
        }
        if (joint->method != TCSI_FDR_BY) factor = 1;
        const double share = joint->level * (double)discoveries / ((double)count * factor);
        const double level = by_evidence ? share * share / 4 : share; /* p^(-1/2) / 2 >= 1 / share */
        for (size_t i = 0; i < count; i++) joint->tests[i].level = adjusted[i] <= joint->level ? fmax(level, joint->tests[i].p_value) : 0;
    }
    tcsi_free(values);
    tcsi_free(adjusted);
    return status;
}

tcs_status tcsi_joint_run(tcsi_joint *joint, tcs_error *err)
{
    tcs_status status = (tcsi_fdr_table[joint->method].is_online ? judge_online : judge_batch)(joint, err);
    for (size_t i = 0; i < joint->episode_count && status == TCS_OK; i++)
        joint->episodes[i].stays = joint->episodes[i].p_value <= joint->tests[joint->episodes[i].test].level;
    return status;
}
