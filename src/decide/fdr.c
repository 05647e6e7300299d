/* SPDX-License-Identifier: Apache-2.0 */
#include "decide/fdr.h"

#include "base/alloc.h"
#include "series/stats.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

const tcsi_fdr_info tcsi_fdr_table[TCSI_FDR_METHOD_COUNT] = {
    [TCSI_FDR_BH] = { "bh", false, "series independent of each other, or positively dependent", 0, 0 },
    [TCSI_FDR_BY] = { "by", false, "nothing about how series depend on each other", 0, 0 },
    [TCSI_FDR_E_BH] = { "e-bh", false, "nothing about how series depend on each other", 0, 0 },
    [TCSI_FDR_LORD] = { "lord", true, "tests independent of each other", 0, 1 },
    [TCSI_FDR_SAFFRON] = { "saffron", true, "tests independent of each other", 0.5, 1 },
    [TCSI_FDR_ADDIS] = { "addis", true, "tests independent of each other", 0.25, 0.5 },
    [TCSI_FDR_E_LOND] = { "e-lond", true, "nothing about how tests depend on each other", 0, 1 },
};

tcs_status tcsi_fdr_find(const char *name, tcsi_fdr_method *ret_method, tcs_error *err)
{
    char names[128] = "";
    size_t used = 0;
    for (size_t i = 0; i < TCSI_FDR_METHOD_COUNT; i++) {
        if (strcmp(tcsi_fdr_table[i].name, name) == 0) {
            *ret_method = (tcsi_fdr_method)i;
            return TCS_OK;
        }
        used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", i ? ", " : "", tcsi_fdr_table[i].name);
    }
    return tcsi_fail(err, TCS_E_INVALID, "'%.40s' controls no false-discovery rate; expected one of %s", name, names);
}

/* ---- batch ---- */

static double harmonic_number(size_t count)
{
    double sum = 0;
    for (size_t i = count; i > 0; i--) sum += 1 / (double)i;
    return sum;
}

/* p n factor / rank, and nothing above what a larger p has: each value's adjusted one is the minimum over those as large. */
static void adjust_sorted(const double *p, const size_t *order, size_t count, double factor, double *ret_adjusted)
{
    double least = 1;
    for (size_t rank = count; rank > 0; rank--) {
        const size_t i = order[rank - 1];
        least = fmin(least, p[i] * (double)count * factor / (double)rank);
        ret_adjusted[i] = least;
    }
}

tcs_status tcsi_fdr_adjust(tcsi_fdr_method method, const double *values, size_t count, double *ret_adjusted, tcs_error *err)
{
    const bool by_evidence = method == TCSI_FDR_E_BH;
    TCS_ASSERT(!tcsi_fdr_table[method].is_online);
    for (size_t i = 0; i < count; i++)
        if (!(values[i] >= 0 && (by_evidence || values[i] <= 1)))
            return tcsi_fail(err, TCS_E_INVALID, "test %zu: %g, expected %s", i, values[i], by_evidence ? "0 or more" : "0 to 1");
    double *p = TCSI_NEW_ARRAY(double, count);
    size_t *order = TCSI_NEW_ARRAY(size_t, count), *scratch = TCSI_NEW_ARRAY(size_t, count);
    tcs_status status = p && order && scratch ? TCS_OK : tcsi_fail_memory(err, "false-discovery control");
    if (status == TCS_OK) {
        for (size_t i = 0; i < count; i++) p[i] = by_evidence ? fmin(1 / values[i], TCS_VALUE_MAX) : values[i];
        tcsi_argsort(p, count, order, scratch);
        adjust_sorted(p, order, count, method == TCSI_FDR_BY ? harmonic_number(count) : 1, ret_adjusted);
    }
    tcsi_free(p);
    tcsi_free(order);
    tcsi_free(scratch);
    return status;
}

/* ---- online ---- */

/* What a test or a discovery begins with at each ratio: with ratio^(n - 1) these sum to g(n), and over all n to 1. */
static void make_weights(double ret_weights[TCSI_FDR_SCALE_COUNT])
{
    double sum = 0;
    for (size_t k = 0; k < TCSI_FDR_SCALE_COUNT; k++) sum += ret_weights[k] = pow((double)(k + 1), -1.6);
    for (size_t k = 0; k < TCSI_FDR_SCALE_COUNT; k++) ret_weights[k] *= ldexp(1 / sum, -(int)(k + 1));
}

tcs_status tcsi_fdr_init(tcsi_fdr *fdr, tcsi_fdr_method method, double level, tcs_error *err)
{
    *fdr = (tcsi_fdr){ .method = method, .level = level };
    if (!(level > 0 && level < 1))
        return tcsi_fail(err, TCS_E_INVALID, "a false-discovery rate of %g, expected above 0 and below 1", level);
    if (!tcsi_fdr_table[method].is_online) return tcsi_fail(err, TCS_E_INVALID, "%s needs all tests at once", tcsi_fdr_table[method].name);
    make_weights(fdr->start);
    return TCS_OK;
}

static double sum_of(const double scales[TCSI_FDR_SCALE_COUNT])
{
    double sum = 0;
    for (size_t k = 0; k < TCSI_FDR_SCALE_COUNT; k++) sum += scales[k];
    return sum;
}

/* What 1 / e may be at most. */
static double evidence_level(const tcsi_fdr *fdr)
{
    return fdr->level * sum_of(fdr->start) * (double)(fdr->discovery_count + 1);
}

double tcsi_fdr_level(const tcsi_fdr *fdr)
{
    const tcsi_fdr_info *info = &tcsi_fdr_table[fdr->method];
    if (fdr->method == TCSI_FDR_E_LOND) return evidence_level(fdr) * evidence_level(fdr) / 4; /* p^(-1/2) / 2 >= 1 / level */
    const double all = fdr->level * (info->tau - info->lambda), half = all / 2;
    const double level = half * sum_of(fdr->start) + (all - half) * sum_of(fdr->first) + all * sum_of(fdr->later);
    return info->lambda > 0 ? fmin(level, info->lambda) : level;
}

static void grow_older(double scales[TCSI_FDR_SCALE_COUNT])
{
    double part = 1;
    for (size_t k = 0; k < TCSI_FDR_SCALE_COUNT; k++) scales[k] -= scales[k] * (part *= 0.5);
}

static bool note(tcsi_fdr *fdr, bool is_counted, bool is_discovery)
{
    fdr->test_count++;
    if (is_counted) {
        grow_older(fdr->start);
        grow_older(fdr->first);
        grow_older(fdr->later);
    }
    if (is_discovery) {
        double weights[TCSI_FDR_SCALE_COUNT], *to = fdr->discovery_count++ == 0 ? fdr->first : fdr->later;
        make_weights(weights);
        for (size_t k = 0; k < TCSI_FDR_SCALE_COUNT; k++) to[k] += weights[k];
    }
    return is_discovery;
}

bool tcsi_fdr_test(tcsi_fdr *fdr, double p_value)
{
    const tcsi_fdr_info *info = &tcsi_fdr_table[fdr->method];
    TCS_ASSERT(p_value >= 0 && p_value <= 1);
    const bool is_counted = (info->lambda == 0 || p_value > info->lambda) && p_value <= info->tau;
    return note(fdr, is_counted, p_value <= tcsi_fdr_level(fdr));
}

bool tcsi_fdr_test_evidence(tcsi_fdr *fdr, double e_value)
{
    TCS_ASSERT(fdr->method == TCSI_FDR_E_LOND);
    return note(fdr, true, e_value * evidence_level(fdr) >= 1);
}
