/* api/joint.c -- episodes of many results judged together (decide/joint.h).  SPDX-License-Identifier: Apache-2.0 */
#include "api/handles.h"

#include "base/alloc.h"
#include "decide/joint.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DAY_NS INT64_C(86400000000000)

struct tcs_joint {
    tcsi_joint inner;
    tcs_joint_episode *episodes; /* (episode_count): as inner's, by number */
    bool *is_limit;              /* (episode_count): a hard limit was passed */
    size_t episode_count, room;
    size_t *kept;                /* (kept_count) numbers, by p-value */
    size_t kept_count;
};

tcs_status tcs_joint_create(const char *method, double level, tcs_joint **ret_joint, tcs_error *err)
{
    tcsi_fdr_method found = TCSI_FDR_BH;
    if (!ret_joint) return tcsi_fail(err, TCS_E_INVALID, "tcs_joint_create needs a place for what it makes");
    tcs_status status = method ? tcsi_fdr_find(method, &found, err) : TCS_OK;
    if (status != TCS_OK) return status;
    tcs_joint *joint = TCSI_NEW(tcs_joint);
    if (!joint) return tcsi_fail_memory(err, "false-discovery control");
    status = tcsi_joint_init(&joint->inner, found, level, err);
    if (status == TCS_OK) *ret_joint = joint;
    else tcs_joint_destroy(joint);
    return status;
}

void tcs_joint_destroy(tcs_joint *joint)
{
    if (!joint) return;
    tcsi_joint_deinit(&joint->inner);
    tcsi_free(joint->episodes);
    tcsi_free(joint->is_limit);
    tcsi_free(joint->kept);
    tcsi_free(joint);
}

/* ---- adding ---- */

/* Days since 1970 in UTC; without times, runs of as many rows as a budget without a time is for. */
static int64_t place_of(const tcs_result *result, size_t row)
{
    if (!result->frame->has_real_times) return (int64_t)(row / TCSI_BUDGET_ROWS);
    const int64_t time_ns = result->detection->frame->times_ns[row];
    return time_ns / DAY_NS - (time_ns % DAY_NS < 0);
}

static tcs_status reserve(tcs_joint *joint, size_t more, tcs_error *err)
{
    if (more <= joint->room - joint->episode_count) return TCS_OK;
    const size_t larger = 2 * joint->room + more;
    tcs_joint_episode *grown = tcsi_realloc_array(joint->episodes, larger, sizeof *grown);
    if (grown) joint->episodes = grown;
    bool *flags = grown ? tcsi_realloc_array(joint->is_limit, larger, sizeof *flags) : NULL;
    if (!flags) return tcsi_fail_memory(err, "episodes");
    joint->is_limit = flags;
    joint->room = larger;
    return TCS_OK;
}

/* Of a series, by rank. */
typedef struct facts {
    int64_t *places;
    size_t *row_begins;
    double *expected_counts;
} facts;

static tcs_status gather(const tcs_result *result, facts *ret_facts, tcs_error *err)
{
    const size_t count = tcs_result_episode_count(result), row_count = result->detection->frame->row_count;
    /* Online an episode is rated in TCSI_BUDGET_ROWS rows. */
    const double rows = result->detection->mode == TCS_MODE_ONLINE ? (double)row_count / TCSI_BUDGET_ROWS : 1;
    *ret_facts = (facts){ TCSI_NEW_ARRAY(int64_t, row_count), TCSI_NEW_ARRAY(size_t, count), TCSI_NEW_ARRAY(double, count) };
    if (!ret_facts->places || !ret_facts->row_begins || !ret_facts->expected_counts) return tcsi_fail_memory(err, "episodes");
    for (size_t t = 0; t < row_count; t++) ret_facts->places[t] = place_of(result, t);
    for (size_t rank = 0; rank < count; rank++) {
        const tcs_episode episode = tcs_result_episode(result, rank);
        ret_facts->row_begins[rank] = episode.row_begin;
        ret_facts->expected_counts[rank] = episode.limit ? INFINITY : episode.expected_count * rows; /* a limit says nothing of chance */
    }
    return TCS_OK;
}

tcs_status tcs_joint_add(tcs_joint *joint, const tcs_result *result, tcs_error *err)
{
    if (!joint || !result) return tcsi_fail(err, TCS_E_INVALID, "tcs_joint_add needs a result, and where to add it");
    facts f = { 0 };
    const size_t count = tcs_result_episode_count(result), series = joint->inner.series_count;
    tcs_status status = gather(result, &f, err);
    if (status == TCS_OK) status = reserve(joint, count, err);
    if (status == TCS_OK) {
        const tcsi_joint_series one = { .row_count = result->detection->frame->row_count, .places = f.places, .row_begins = f.row_begins,
                                        .expected_counts = f.expected_counts, .episode_count = count };
        status = tcsi_joint_add(&joint->inner, &one, err);
    }
    for (size_t i = joint->episode_count; status == TCS_OK && i < joint->inner.episode_count; i++) {
        const tcsi_joint_episode *from = &joint->inner.episodes[i];
        tcs_episode episode = tcs_result_episode(result, from->index);
        joint->is_limit[i] = episode.limit != NULL;
        episode.limit = episode.event = episode.signature = NULL;
        joint->episodes[i] = (tcs_joint_episode){ .series = series, .rank = from->index, .p_value = joint->is_limit[i] ? 0 : from->p_value,
                                                  .has_real_times = result->frame->has_real_times, .episode = episode };
    }
    if (status == TCS_OK) joint->episode_count = joint->inner.episode_count;
    tcsi_free(f.places);
    tcsi_free(f.row_begins);
    tcsi_free(f.expected_counts);
    return status;
}

/* ---- judging ---- */

static bool stays(const tcs_joint *joint, size_t index)
{
    return joint->is_limit[index] || joint->inner.episodes[index].stays;
}

typedef struct ranked {
    double p_value;
    size_t index;
} ranked;

static int by_p_value(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    if (x->p_value != y->p_value) return x->p_value < y->p_value ? -1 : 1;
    return (x->index > y->index) - (x->index < y->index);
}

static tcs_status keep(tcs_joint *joint, tcs_error *err)
{
    ranked *order = TCSI_NEW_ARRAY(ranked, joint->episode_count);
    size_t *kept = TCSI_NEW_ARRAY(size_t, joint->episode_count), count = 0;
    if (!order || !kept) {
        tcsi_free(order);
        tcsi_free(kept);
        return tcsi_fail_memory(err, "episodes");
    }
    for (size_t i = 0; i < joint->episode_count; i++)
        if (stays(joint, i)) order[count++] = (ranked){ joint->episodes[i].p_value, i };
    qsort(order, count, sizeof *order, by_p_value);
    for (size_t i = 0; i < count; i++) kept[i] = order[i].index;
    tcsi_free(order);
    tcsi_free(joint->kept);
    joint->kept = kept;
    joint->kept_count = count;
    return TCS_OK;
}

tcs_status tcs_joint_judge(tcs_joint *joint, tcs_joint_summary *ret_summary, tcs_error *err)
{
    if (!joint || !ret_summary) return tcsi_fail(err, TCS_E_INVALID, "tcs_joint_judge needs results, and a place for what comes out");
    tcs_status status = tcsi_joint_run(&joint->inner, err);
    if (status == TCS_OK) status = keep(joint, err);
    if (status != TCS_OK) return status;
    const tcsi_fdr_info *info = &tcsi_fdr_table[joint->inner.method];
    tcs_joint_summary summary = { .method = info->name, .assumes = info->assumes, .level = joint->inner.level,
                                  .series_count = joint->inner.series_count, .test_count = joint->inner.test_count,
                                  .episode_count = joint->episode_count, .kept_episode_count = joint->kept_count };
    size_t last = SIZE_MAX;
    for (size_t i = 0; i < joint->episode_count; i++) { /* episodes of a series stand together */
        if (!stays(joint, i) || joint->episodes[i].series == last) continue;
        last = joint->episodes[i].series;
        summary.kept_series_count++;
    }
    *ret_summary = summary;
    return TCS_OK;
}

tcs_joint_episode tcs_joint_kept(const tcs_joint *joint, size_t index)
{
    TCS_ASSERT(index < joint->kept_count);
    return joint->episodes[joint->kept[index]];
}
