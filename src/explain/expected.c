/* SPDX-License-Identifier: Apache-2.0 */
#include "explain/expected.h"

#include "base/alloc.h"
#include "explain/band.h"
#include "series/expect.h"
#include "series/period.h"
#include "series/stats.h"

#include <math.h>
#include <string.h>

enum { REACH_MIN = 1024, REACH_MAX = 16384, PERIOD_ROWS = 8192, PERIODS = 4, PAST_MIN = 64, GUARD = 64, TABLE_ROWS = 8192,
       PRESENT_MIN = 16 };
static const double band_deviations = 2 * 2.576; /* of a normal distribution, between the 0.5 % and the 99.5 % quantile */

/* Rows that the episode may have touched.  What happened may have begun before it was noticed: from the past alone, GUARD rows are not
 * trusted; looking back, as many as the episode has. */
static tcsi_extent touched(const tcsi_subject *subject, const tcsi_expected_wish *wish)
{
    size_t guard = wish->past_only ? GUARD : tcsi_extent_count(wish->episode);
    if (guard > GUARD || subject->is_tabular) guard = subject->is_tabular ? 0 : GUARD;
    if (guard > wish->episode.begin / 4) guard = wish->episode.begin / 4;
    return tcsi_extent_widen(wish->episode, guard, subject->frame->row_count);
}

/* Copies the rows of a channel, without those that are not to be looked at. */
static size_t copy_normal(const tcsi_subject *subject, const tcsi_expected_wish *wish, size_t channel, tcsi_extent rows, double *ret_values)
{
    const double *column = tcsi_frame_column(subject->frame, channel);
    const tcsi_extent hidden = touched(subject, wish);
    size_t present = 0;
    for (size_t t = rows.begin; t < rows.end; t++) {
        const bool is_hidden = (t >= hidden.begin && (t < hidden.end || wish->past_only)) || subject->decision->anomaly[t];
        ret_values[t - rows.begin] = is_hidden || !tcsi_present(column[t]) ? NAN : column[t];
        present += !isnan(ret_values[t - rows.begin]);
    }
    return present;
}

tcs_status tcsi_expected_period(const tcsi_subject *subject, tcsi_extent episode, size_t channel, size_t *ret_period, tcs_error *err)
{
    const tcsi_expected_wish wish = { .episode = episode };
    tcsi_extent rows = { episode.begin > PERIOD_ROWS ? episode.begin - PERIOD_ROWS : 0, episode.begin };
    *ret_period = 0;
    if (subject->is_tabular) return TCS_OK;
    if (tcsi_extent_count(rows) < PERIOD_ROWS / 8) rows.end = rows.begin + PERIOD_ROWS;
    if (rows.end > subject->frame->row_count) rows.end = subject->frame->row_count;
    tcsi_period found = { 0 };
    size_t count = 0;
    double *values = TCSI_NEW_ARRAY(double, tcsi_extent_count(rows));
    if (!values) return tcsi_fail_memory(err, "an expectation");
    tcs_status status = TCS_OK;
    if (copy_normal(subject, &wish, channel, rows, values) >= PRESENT_MIN)
        status = tcsi_periods_find(values, tcsi_extent_count(rows), tcsi_extent_count(rows) / PERIODS, &found, 1, &count, err);
    tcsi_free(values);
    if (status == TCS_OK) *ret_period = count > 0 ? (size_t)lround(found.period) : 0;
    return status;
}

/* Rows that the expectation is made from; those of the view among them. */
static tcsi_extent choose_rows(const tcsi_subject *subject, const tcsi_expected_wish *wish)
{
    size_t reach = wish->period < REACH_MAX ? PERIODS * wish->period : REACH_MAX;
    reach = reach < REACH_MIN ? REACH_MIN : reach > REACH_MAX ? REACH_MAX : reach;
    if (wish->past_only) reach *= 2;
    tcsi_extent rows = tcsi_extent_widen(wish->episode, reach, subject->frame->row_count);
    if (wish->past_only) rows.end = wish->episode.end;
    if (rows.begin > wish->view.begin) rows.begin = wish->view.begin;
    if (rows.end < wish->view.end) rows.end = wish->view.end;
    return rows;
}

static double spread_of(const double *low, const double *high, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++) sum += high[i] - low[i];
    return count > 0 && sum > 0 ? sum / ((double)count * band_deviations) : NAN;
}

static tcs_status expect_series(const tcsi_subject *subject, const tcsi_expected_wish *wish, size_t channel, double *ret_expected,
                                double *ret_low, double *ret_high, tcs_error *err)
{
    const tcsi_extent rows = choose_rows(subject, wish);
    const size_t count = tcsi_extent_count(rows), view = tcsi_extent_count(wish->view), offset = wish->view.begin - rows.begin;
    double *work = TCSI_NEW_ARRAY(double, 4 * count);
    if (!work) return tcsi_fail_memory(err, "an expectation");
    (void)copy_normal(subject, wish, channel, rows, work);
    tcs_status status = tcsi_expect(work, count, wish->period, work + count, work + 2 * count, work + 3 * count, NULL, err);
    if (status == TCS_OK) status = tcsi_band_adapt(work, count, offset, work + count, work + 2 * count, work + 3 * count, err);
    if (status == TCS_OK) {
        memcpy(ret_expected, work + count + offset, view * sizeof *work);
        memcpy(ret_low, work + 2 * count + offset, view * sizeof *work);
        memcpy(ret_high, work + 3 * count + offset, view * sizeof *work);
    }
    tcsi_free(work);
    return status;
}

static tcs_status expect_table(const tcsi_subject *subject, const tcsi_expected_wish *wish, size_t channel, double *ret_expected,
                               double *ret_low, double *ret_high, tcs_error *err)
{
    const double *column = tcsi_frame_column(subject->frame, channel);
    const size_t row_count = subject->frame->row_count, step = (row_count + TABLE_ROWS - 1) / TABLE_ROWS;
    double *values = TCSI_NEW_ARRAY(double, row_count / step + 1);
    if (!values) return tcsi_fail_memory(err, "an expectation");
    size_t count = 0;
    for (size_t t = 0; t < row_count; t += step)
        if (!subject->decision->anomaly[t] && tcsi_present(column[t])) values[count++] = column[t];
    const double middle = count > 0 ? tcsi_quantile_inplace(values, count, 0.5) : NAN;
    const double low = count > 0 ? tcsi_quantile_inplace(values, count, 0.005) : NAN;
    const double high = count > 0 ? tcsi_quantile_inplace(values, count, 0.995) : NAN;
    for (size_t i = 0; i < tcsi_extent_count(wish->view); i++) {
        ret_expected[i] = middle;
        ret_low[i] = low;
        ret_high[i] = high;
    }
    tcsi_free(values);
    return TCS_OK;
}

tcs_status tcsi_expected(const tcsi_subject *subject, const tcsi_expected_wish *wish, size_t channel, double *ret_expected, double *ret_low,
                         double *ret_high, double *ret_spread, tcs_error *err)
{
    tcsi_expected_wish chosen = *wish;
    chosen.past_only &= wish->episode.begin >= PAST_MIN;
    tcs_status status = subject->is_tabular ? expect_table(subject, &chosen, channel, ret_expected, ret_low, ret_high, err)
                                            : expect_series(subject, &chosen, channel, ret_expected, ret_low, ret_high, err);
    if (status == TCS_OK && ret_spread) *ret_spread = spread_of(ret_low, ret_high, tcsi_extent_count(wish->view));
    return status;
}

/* ---- of several channels ---- */

tcs_status tcsi_expectations_init(const tcsi_subject *subject, tcsi_extent rows, tcsi_expectations *ret, tcs_error *err)
{
    const size_t channels = subject->frame->channel_count;
    tcsi_expectations e = { .rows = rows, .channel_count = channels, .bands = TCSI_NEW_ZEROS(double *, channels),
                            .spreads = TCSI_NEW_ARRAY(double, channels), .periods = TCSI_NEW_ZEROS(size_t, channels) };
    if (!e.bands || !e.spreads || !e.periods) {
        tcsi_expectations_deinit(&e);
        return tcsi_fail_memory(err, "what was expected");
    }
    for (size_t c = 0; c < channels; c++) e.spreads[c] = 1;
    *ret = e;
    return TCS_OK;
}

void tcsi_expectations_deinit(tcsi_expectations *expectations)
{
    for (size_t c = 0; expectations->bands && c < expectations->channel_count; c++) tcsi_free(expectations->bands[c]);
    tcsi_free(expectations->bands);
    tcsi_free(expectations->spreads);
    tcsi_free(expectations->periods);
    *expectations = (tcsi_expectations){ .bands = NULL };
}

tcs_status tcsi_expectations_add(tcsi_expectations *expectations, const tcsi_subject *subject, size_t channel, tcsi_extent episode,
                                 bool past_only, size_t period, tcs_error *err)
{
    const size_t count = tcsi_extent_count(expectations->rows);
    const tcsi_expected_wish wish = { .episode = episode, .view = expectations->rows, .past_only = past_only, .period = period };
    double *band = TCSI_NEW_ARRAY(double, 3 * count);
    if (!band) return tcsi_fail_memory(err, "what was expected");
    tcsi_free(expectations->bands[channel]);
    expectations->bands[channel] = band;
    expectations->periods[channel] = period;
    tcs_status status = tcsi_expected(subject, &wish, channel, band, band + count, band + 2 * count, &expectations->spreads[channel], err);
    if (!(expectations->spreads[channel] > 0)) expectations->spreads[channel] = 1;
    return status;
}
