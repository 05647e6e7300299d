/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/shard/grounds.h"

#include "base/alloc.h"
#include "serve/shard/cell.h"

#include <math.h>
#include <string.h>

const char *const tcsi_grounds_by_names[TCSI_GROUNDS_BY_COUNT] = { "", "height", "length", "deep layer", "answers" };

tcs_status tcsi_cell_grounds_init(tcsi_cell_grounds *grounds, tcs_error *err)
{
    *grounds = (tcsi_cell_grounds){ .items = TCSI_NEW_ZEROS(tcsi_grounds, TCSI_GROUNDS_MAX) };
    return grounds->items ? TCS_OK : tcsi_fail_memory(err, "grounds of episodes");
}

void tcsi_cell_grounds_deinit(tcsi_cell_grounds *grounds)
{
    tcsi_free(grounds->items);
    *grounds = (tcsi_cell_grounds){ 0 };
}

size_t tcsi_cell_grounds_size(void)
{
    return TCSI_GROUNDS_MAX * sizeof(tcsi_grounds);
}

/* ---- the row that is being judged ---- */

void tcsi_grounds_keep(tcsi_cell *cell, const tcsi_live_series *series, const tcsi_live_row *row,
                       tcsi_cohort_regard regard)
{
    tcsi_grounds_row *now = &cell->grounds.now;
    cell->grounds.now_of = (uint64_t)series->number + 1;
    *now = (tcsi_grounds_row){ .is_known = true, .time_ns = row->time_ns, .received_ns = cell->now_ns, .value = row->value,
                               .chart = cell->grounds.chart, .member = series->member,
                               .threshold = tcsi_cohort_threshold(&cell->cohort, regard),
                               .threshold_low = cell->cohort.threshold_low };
    if (series->member.count > 0) return;
    now->member.usual = (float)cell->cohort.usual; /* as the cohort begins one */
    now->member.bar = 1;
}

/* ---- one anomaly ---- */

static tcsi_grounds *own(const tcsi_cell *cell, const tcsi_live_series *series)
{
    return series->grounds ? &cell->grounds.items[series->grounds - 1] : NULL;
}

const tcsi_grounds *tcsi_grounds_of(const tcsi_cell *cell, const tcsi_live_series *series)
{
    static const tcsi_grounds none;
    const tcsi_grounds *grounds = own(cell, series);
    return grounds ? grounds : &none;
}

/* The heights that confirm, as things stand. */
static void keep_heights(const tcsi_cell *cell, const tcsi_live_series *series, tcsi_grounds *grounds)
{
    grounds->allowed = tcsi_taught_allowed(cell, series);
    tcsi_second_look_heights(cell, series, &grounds->sure, &grounds->hold);
}

void tcsi_grounds_open(tcsi_cell *cell, tcsi_live_series *series, tcsi_grounds_by by)
{
    tcsi_cell_grounds *all = &cell->grounds;
    const tcsi_live_episode *episode = &series->anomaly;
    uint16_t place = series->grounds;
    for (size_t i = 0; !place && i < TCSI_GROUNDS_MAX; i++)
        if (!all->items[i].sequence) place = (uint16_t)(i + 1);
    all->unknown_count += place == 0;
    series->grounds = place;
    if (!place) return;
    tcsi_grounds *grounds = own(cell, series);
    *grounds = (tcsi_grounds){ .sequence = episode->begin_sequence, .opened_by = by };
    const bool is_now = all->now_of == (uint64_t)series->number + 1 && all->now.time_ns == episode->begin_ns;
    if (by != TCSI_GROUNDS_DEEP && is_now) grounds->onset = all->now;
    else grounds->onset = (tcsi_grounds_row){ .time_ns = episode->begin_ns, .value = episode->peak_value };
    grounds->peak = grounds->onset;
    keep_heights(cell, series, grounds);
}

void tcsi_grounds_peak(tcsi_cell *cell, const tcsi_live_series *series)
{
    tcsi_grounds *grounds = own(cell, series);
    if (grounds) grounds->peak = cell->grounds.now;
}

void tcsi_grounds_confirm(tcsi_cell *cell, const tcsi_live_series *series, tcsi_grounds_by by, int64_t time_ns)
{
    tcsi_grounds *grounds = own(cell, series);
    if (!grounds) return;
    grounds->confirmed_by = by;
    grounds->confirmed_ns = time_ns;
    grounds->lasted = series->anomaly.lasted;
    keep_heights(cell, series, grounds);
}

void tcsi_grounds_hear(tcsi_cell *cell, const tcsi_live_series *series, const tcsi_waiting *waiting, const tcsi_deep_answer *answer,
                       double limit)
{
    tcsi_grounds *grounds = own(cell, series);
    if (!grounds) return;
    grounds->answer = (tcsi_grounds_answer){ .time_ns = waiting->time_ns, .sort = waiting->sort, .p_value = waiting->p_value,
                                             .mean = waiting->mean, .limit = (float)limit };
    memcpy(grounds->answer.model, answer->model, sizeof answer->model);
    memcpy(grounds->answer.rows, waiting->rows, sizeof waiting->rows);
}

void tcsi_grounds_close(tcsi_cell *cell, tcsi_live_series *series)
{
    tcsi_grounds *grounds = own(cell, series);
    if (grounds) *grounds = (tcsi_grounds){ 0 };
    series->grounds = 0;
}

/* ---- saved form ---- */

static void persist_row(tcsi_grounds_row *row, tcsi_codec *codec)
{
    tcsi_codec_bool(codec, &row->is_known);
    tcsi_codec_i64(codec, &row->time_ns);
    tcsi_codec_i64(codec, &row->received_ns);
    tcsi_codec_f64(codec, &row->value);
    if (!row->is_known) return;
    tcsi_residual_chart_persist(&row->chart, codec);
    tcsi_cohort_member_persist(&row->member, codec);
    tcsi_codec_f64(codec, &row->threshold);
    tcsi_codec_f64(codec, &row->threshold_low);
    const bool is_sound = isfinite(row->value) && row->threshold >= 0 && row->threshold_low >= 0;
    if (tcsi_codec_loading(codec) && tcsi_codec_status(codec) == TCS_OK && !is_sound) tcsi_codec_refuse(codec, "grounds out of range");
}

static void persist_answer(tcsi_grounds_answer *answer, tcsi_codec *codec)
{
    tcsi_codec_i64(codec, &answer->time_ns);
    if (answer->time_ns == 0) return;
    tcsi_codec_bytes(codec, answer->model, sizeof answer->model);
    tcsi_codec_u32(codec, &answer->sort);
    tcsi_codec_f32(codec, &answer->p_value);
    tcsi_codec_f32(codec, &answer->mean);
    tcsi_codec_f32(codec, &answer->limit);
    tcsi_last_rows_persist_window(answer->rows, codec);
    const bool is_sound = answer->sort < TCSI_QUESTION_SORT_COUNT && answer->p_value > 0 && answer->p_value <= 1 && answer->mean > 0 &&
                          answer->limit >= 0;
    if (tcsi_codec_loading(codec) && tcsi_codec_status(codec) == TCS_OK && !is_sound)
        tcsi_codec_refuse(codec, "an answer that an episode rests on out of range");
}

static void persist(tcsi_grounds *grounds, tcsi_codec *codec)
{
    tcsi_codec_u32(codec, &grounds->opened_by);
    tcsi_codec_u32(codec, &grounds->confirmed_by);
    persist_row(&grounds->onset, codec);
    persist_row(&grounds->peak, codec);
    tcsi_codec_i64(codec, &grounds->confirmed_ns);
    tcsi_codec_u32(codec, &grounds->lasted);
    tcsi_codec_f64(codec, &grounds->sure);
    tcsi_codec_f64(codec, &grounds->hold);
    tcsi_codec_f64(codec, &grounds->allowed);
    persist_answer(&grounds->answer, codec);
    if (!tcsi_codec_loading(codec) || tcsi_codec_status(codec) != TCS_OK) return;
    if (grounds->opened_by >= TCSI_GROUNDS_BY_COUNT || grounds->confirmed_by >= TCSI_GROUNDS_BY_COUNT || !(grounds->allowed >= 0))
        tcsi_codec_refuse(codec, "grounds out of range");
}

/* Free places but for the last in use are one number each; what is behind it is not written. */
void tcsi_cell_grounds_persist(tcsi_cell_grounds *grounds, tcsi_codec *codec)
{
    size_t count = TCSI_GROUNDS_MAX;
    while (!tcsi_codec_loading(codec) && count > 0 && !grounds->items[count - 1].sequence) count--;
    tcsi_codec_tag(codec, "GRO1");
    tcsi_codec_u64(codec, &grounds->unknown_count);
    tcsi_codec_size(codec, &count, TCSI_GROUNDS_MAX);
    for (size_t i = 0; i < count && tcsi_codec_status(codec) == TCS_OK; i++) {
        tcsi_codec_u64(codec, &grounds->items[i].sequence);
        if (grounds->items[i].sequence) persist(&grounds->items[i], codec);
    }
}
