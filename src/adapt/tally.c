/* SPDX-License-Identifier: Apache-2.0 */
#include "adapt/tally.h"

#include "base/alloc.h"

#include <math.h>
#include <stdlib.h>

static const double SURE_95 = 1.959964, REAL = 0.5;

static tcs_status keep_detect(tcsi_tally *tally, double detect_s, tcs_error *err)
{
    if (!tcsi_grow((void **)&tally->detect_s, &tally->detect_capacity, tally->detect_count, sizeof *tally->detect_s, 16))
        return tcsi_fail_memory(err, "times to detect");
    tally->detect_s[tally->detect_count++] = detect_s;
    return TCS_OK;
}

tcs_status tcsi_tally_add(tcsi_tally *tally, const tcsi_tally_event *event, tcs_error *err)
{
    tally->missed_count += event->is_missed;
    if (event->is_missed) return TCS_OK;
    tally->alarm_count += event->is_alarm;
    if (!event->is_answered) return TCS_OK;
    tally->answered_count++;
    if (event->verdict < TCSI_ANSWER_VERDICT_COUNT) tally->verdict_counts[event->verdict]++;
    if (isnan(event->real)) return TCS_OK;
    tally->real += event->real;
    tally->known++;
    const bool is_timed = event->real >= REAL && event->detect_s >= 0;
    return is_timed ? keep_detect(tally, event->detect_s, err) : TCS_OK;
}

void tcsi_tally_deinit(tcsi_tally *tally)
{
    tcsi_free(tally->detect_s);
    *tally = (tcsi_tally){ 0 };
}

static tcsi_tally_share share_of(double part, double whole)
{
    const double z = SURE_95, p = part / whole;
    if (!(whole > 0)) return (tcsi_tally_share){ NAN, NAN, NAN };
    const double middle = (p + z * z / (2 * whole)) / (1 + z * z / whole);
    const double reach = z / (1 + z * z / whole) * sqrt(p * (1 - p) / whole + z * z / (4 * whole * whole));
    return (tcsi_tally_share){ p, fmax(middle - reach, 0), fmin(middle + reach, 1) };
}

tcsi_tally_share tcsi_tally_precision(const tcsi_tally *tally)
{
    return share_of(tally->real, tally->known);
}

tcsi_tally_share tcsi_tally_recall(const tcsi_tally *tally)
{
    return share_of(tally->real, tally->real + (double)tally->missed_count);
}

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double tcsi_tally_detect(tcsi_tally *tally)
{
    const size_t count = tally->detect_count;
    if (count == 0) return NAN;
    if (count > 1) qsort(tally->detect_s, count, sizeof *tally->detect_s, by_value);
    return (tally->detect_s[(count - 1) / 2] + tally->detect_s[count / 2]) / 2;
}

tcsi_tally_cost tcsi_tally_price(const tcsi_tally *tally, const tcsi_tally_prices *prices)
{
    const tcsi_tally_cost cost = { .false_alarms = prices->false_alarm * (tally->known - tally->real),
                                     .missed = prices->missed * (double)tally->missed_count, .saved = prices->true_alarm * tally->real };
    const double parts[] = { -cost.false_alarms, -cost.missed, cost.saved };
    tcsi_tally_cost whole = cost;
    whole.net = NAN;
    for (size_t i = 0; i < TCS_COUNT(parts); i++)
        if (!isnan(parts[i])) whole.net = (isnan(whole.net) ? 0 : whole.net) + parts[i];
    return whole;
}
