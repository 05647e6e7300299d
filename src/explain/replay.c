/* SPDX-License-Identifier: Apache-2.0 */
#include "explain/replay.h"

#include "base/alloc.h"

#include <math.h>
#include <string.h>

enum { SLICE_HORIZONS = 3 };
static const double same_share = 1e-6; /* of a score's size: what a slice's may be off by */

static tcs_status copy_detector(const tcsi_subject *subject, tcsi_detector **ret_copy, tcs_error *err)
{
    tcsi_buffer state;
    tcsi_buffer_init(&state, SIZE_MAX);
    tcs_status status = tcsi_detector_save(subject->detector, &state, err);
    if (status == TCS_OK) status = tcsi_detector_load(state.data, state.size, subject->detector->pool, ret_copy, err);
    tcsi_buffer_deinit(&state);
    return status;
}

static tcs_status load_state(const tcsi_replays *replays, const tcsi_buffer *state, tcsi_detector **ret_detector, tcs_error *err)
{
    return tcsi_detector_load(state->data, state->size, replays->subject->detector->pool, ret_detector, err);
}

static void push_row(const tcsi_replays *replays, tcsi_detector *detector, size_t t, tcs_score *ret_score)
{
    const tcsi_frame *frame = replays->subject->frame;
    const tcsi_row row = { .sequence = t, .time_ns = frame->times_ns ? frame->times_ns[t] : 0, .values = replays->row };
    tcsi_detector_push(detector, &row, ret_score);
}

/* ---- streams ---- */

/* Walks over the frame once and keeps the state before each span. */
static tcs_status save_states(tcsi_replays *replays, tcs_error *err)
{
    const tcsi_subject *subject = replays->subject;
    tcsi_detector *walker = NULL;
    tcs_score unwanted;
    size_t t = 0;
    tcs_status status = subject->origin ? load_state(replays, subject->origin, &walker, err) : copy_detector(subject, &walker, err);
    if (status == TCS_OK && !subject->origin) tcsi_detector_reset(walker);
    for (size_t i = 0; i < replays->count && status == TCS_OK; i++) {
        tcsi_replay *item = &replays->items[i];
        for (; t < item->rows.begin; t++) {
            tcsi_frame_row(subject->frame, t, replays->row);
            push_row(replays, walker, t, &unwanted);
        }
        status = tcsi_detector_save(walker, &item->state, err);
    }
    tcsi_detector_destroy(walker);
    return status;
}

/* Is what comes behind this row of no interest? */
static bool is_enough(const tcsi_replays *replays, const tcsi_replay *item, size_t t)
{
    if (item->until.end <= item->until.begin || t < item->until.begin) return false;
    const tcs_score *score = &item->scores[t - item->rows.begin];
    const double threshold = replays->subject->decision->thresholds[t];
    return t + 1 >= item->until.end || (score->state == TCS_SCORE_READY && tcsi_subject_level(replays->subject, score) > threshold);
}

static tcs_status run_stream(tcsi_replays *replays, tcsi_replay *item, bool with_parts, tcs_error *err)
{
    const size_t channels = replays->subject->frame->channel_count, count = tcsi_extent_count(item->rows);
    tcsi_detector *detector = NULL;
    tcs_status status = load_state(replays, &item->state, &detector, err);
    for (size_t i = 0; i < count && status == TCS_OK; i++) {
        for (size_t c = 0; c < channels; c++) replays->row[c] = item->values[c * count + i];
        push_row(replays, detector, item->rows.begin + i, &item->scores[i]);
        if (with_parts && !tcsi_detector_contribute(detector, item->parts + i * channels))
            memset(item->parts + i * channels, 0, channels * sizeof *item->parts);
        if (is_enough(replays, item, item->rows.begin + i)) break;
    }
    tcsi_detector_destroy(detector);
    return status;
}

/* ---- slices and whole frames ---- */

/* Begins where windows of the whole frame begin, too. */
static tcsi_extent slice_of(const tcsi_subject *subject, tcsi_extent rows)
{
    const size_t horizon = tcsi_detector_horizon(subject->detector);
    tcsi_extent slice = tcsi_extent_widen(rows, SLICE_HORIZONS * horizon, subject->frame->row_count);
    slice.begin -= slice.begin % horizon;
    return slice;
}

/* Into rows [row_begin, ...) of the subject's: all values, or those that were changed, bit for bit. */
static void put_values(const tcsi_replays *replays, const tcsi_frame *frame, size_t row_begin, const tcsi_replay *item, bool only_changed)
{
    const size_t count = tcsi_extent_count(item->rows);
    for (size_t c = 0; c < frame->channel_count; c++) {
        const double *observed = tcsi_frame_column(replays->subject->frame, c) + item->rows.begin, *values = item->values + c * count;
        double *to = tcsi_frame_column(frame, c) + (item->rows.begin - row_begin);
        for (size_t i = 0; i < count; i++)
            if (!only_changed || memcmp(&values[i], &observed[i], sizeof *values) != 0) to[i] = values[i];
    }
}

static void put_observed(const tcsi_replays *replays, const tcsi_replay *item)
{
    for (size_t c = 0; c < replays->frame->channel_count; c++)
        memcpy(tcsi_frame_column(replays->frame, c) + item->rows.begin,
               tcsi_frame_column(replays->subject->frame, c) + item->rows.begin, tcsi_extent_count(item->rows) * sizeof(double));
}

/* A frame of its own with the rows of the subject's. */
static tcs_status copy_rows(const tcsi_subject *subject, tcsi_extent rows, tcsi_frame **ret_frame, tcs_error *err)
{
    const tcsi_frame view = tcsi_frame_view(subject->frame, rows.begin, tcsi_extent_count(rows));
    size_t *all = TCSI_NEW_ARRAY(size_t, view.channel_count);
    if (!all) return tcsi_fail_memory(err, "a copy of the rows");
    for (size_t c = 0; c < view.channel_count; c++) all[c] = c;
    tcs_status status = tcsi_frame_select(&view, all, view.channel_count, ret_frame, err);
    tcsi_free(all);
    return status;
}

static tcs_status run_slice(tcsi_replays *replays, tcsi_replay *item, tcs_error *err)
{
    tcsi_frame *slice = NULL;
    tcs_status status = copy_rows(replays->subject, item->slice, &slice, err);
    if (status != TCS_OK) return status;
    put_values(replays, slice, item->slice.begin, item, false);
    status = tcsi_detector_score(replays->copy, slice, replays->scores, err);
    if (status == TCS_OK)
        memcpy(item->scores, replays->scores + (item->rows.begin - item->slice.begin), tcsi_extent_count(item->rows) * sizeof
               *item->scores);
    tcsi_frame_destroy(slice);
    return status;
}

/* Spans may overlap: an unchanged value must not undo another span's change. */
static tcs_status run_frame(tcsi_replays *replays, tcs_error *err)
{
    for (size_t i = 0; i < replays->count; i++) put_observed(replays, &replays->items[i]);
    for (size_t i = 0; i < replays->count; i++) put_values(replays, replays->frame, 0, &replays->items[i], true);
    tcs_status status = tcsi_detector_score(replays->copy, replays->frame, replays->scores, err);
    for (size_t i = 0; i < replays->count && status == TCS_OK; i++) {
        tcsi_replay *item = &replays->items[i];
        if (item->is_wanted) memcpy(item->scores, replays->scores + item->rows.begin, tcsi_extent_count(item->rows) * sizeof *item->scores);
    }
    return status;
}

static bool has_same_scores(const tcsi_replays *replays, const tcsi_replay *item)
{
    for (size_t i = 0; i < tcsi_extent_count(item->rows); i++) {
        const tcs_score *was = &replays->subject->scores[item->rows.begin + i], *is = &item->scores[i];
        if (was->state != is->state) return false;
        if (was->state == TCS_SCORE_READY && !(fabs(was->value - is->value) <= same_share * (1 + fabs(was->value)))) return false;
    }
    return true;
}

/* Does every span get the scores it had from a slice? */
static tcs_status try_slices(tcsi_replays *replays, bool *ret_same, tcs_error *err)
{
    const tcsi_subject *subject = replays->subject;
    size_t longest = 0, rows = 0;
    *ret_same = false;
    if (!subject->detector->is_fitted || (subject->detector->info->traits & TCSI_TRAIT_RELATIVE)) return TCS_OK;
    if (!subject->is_tabular && tcsi_detector_horizon(subject->detector) == 0) return TCS_OK;
    for (size_t i = 0; i < replays->count; i++) {
        tcsi_replay *item = &replays->items[i];
        item->slice = subject->is_tabular ? item->rows : slice_of(subject, item->rows);
        rows += tcsi_extent_count(item->slice);
        if (longest < tcsi_extent_count(item->slice)) longest = tcsi_extent_count(item->slice);
    }
    if (rows >= subject->frame->row_count) return TCS_OK;
    replays->scores = TCSI_NEW_ARRAY(tcs_score, longest);
    if (!replays->scores) return tcsi_fail_memory(err, "scores");
    tcs_status status = TCS_OK;
    *ret_same = true;
    for (size_t i = 0; i < replays->count && status == TCS_OK && *ret_same; i++) {
        status = run_slice(replays, &replays->items[i], err);
        *ret_same = status == TCS_OK && has_same_scores(replays, &replays->items[i]);
    }
    if (*ret_same) return status;
    tcsi_free(replays->scores);
    replays->scores = NULL;
    return status;
}

static tcs_status prepare_frame(tcsi_replays *replays, tcs_error *err)
{
    const size_t row_count = replays->subject->frame->row_count;
    tcs_status status = copy_rows(replays->subject, (tcsi_extent){ 0, row_count }, &replays->frame, err);
    if (status == TCS_OK) replays->scores = TCSI_NEW_ARRAY(tcs_score, row_count);
    return status == TCS_OK && !replays->scores ? tcsi_fail_memory(err, "scores") : status;
}

/* ---- life ---- */

static tcs_status item_init(const tcsi_replays *replays, tcsi_extent rows, tcsi_replay *item, tcs_error *err)
{
    const size_t channels = replays->subject->frame->channel_count, count = tcsi_extent_count(rows);
    size_t cells;
    item->rows = rows;
    item->is_wanted = true;
    tcsi_buffer_init(&item->state, SIZE_MAX);
    if (!tcsi_multiply(channels, count, &cells)) return tcsi_fail_memory(err, "rows of an episode");
    item->values = TCSI_NEW_ARRAY(double, cells);
    item->parts = TCSI_NEW_ZEROS(double, cells);
    item->scores = TCSI_NEW_ZEROS(tcs_score, count);
    return item->values && item->parts && item->scores ? TCS_OK : tcsi_fail_memory(err, "rows of an episode");
}

tcs_status tcsi_replays_init(const tcsi_subject *subject, const tcsi_extent *spans, size_t count, tcsi_replays *ret_replays, tcs_error *err)
{
    tcsi_replays replays = { .subject = subject, .count = count, .items = TCSI_NEW_ZEROS(tcsi_replay, count),
                             .row = TCSI_NEW_ARRAY(double, subject->frame->channel_count) };
    tcs_status status = replays.items && replays.row ? TCS_OK : tcsi_fail_memory(err, "episodes");
    for (size_t i = 0; i < count && status == TCS_OK; i++) status = item_init(&replays, spans[i], &replays.items[i], err);
    for (size_t i = 0; i < count && status == TCS_OK; i++) tcsi_replay_restore(&replays, &replays.items[i]);
    if (status == TCS_OK && (subject->detector->info->traits & TCSI_TRAIT_STREAMING)) {
        replays.way = TCSI_REPLAY_STREAM;
        status = save_states(&replays, err);
    } else if (status == TCS_OK) {
        bool is_same = false;
        status = copy_detector(subject, &replays.copy, err);
        if (status == TCS_OK) status = try_slices(&replays, &is_same, err);
        replays.way = is_same ? TCSI_REPLAY_SLICE : TCSI_REPLAY_FRAME;
        if (status == TCS_OK && !is_same) status = prepare_frame(&replays, err);
    }
    if (status == TCS_OK) *ret_replays = replays;
    else tcsi_replays_deinit(&replays);
    return status;
}

void tcsi_replays_deinit(tcsi_replays *replays)
{
    for (size_t i = 0; replays->items && i < replays->count; i++) {
        tcsi_free(replays->items[i].values);
        tcsi_free(replays->items[i].scores);
        tcsi_free(replays->items[i].parts);
        tcsi_buffer_deinit(&replays->items[i].state);
    }
    tcsi_free(replays->items);
    tcsi_free(replays->row);
    tcsi_free(replays->scores);
    tcsi_frame_destroy(replays->frame);
    tcsi_detector_destroy(replays->copy);
    *replays = (tcsi_replays){ .subject = NULL };
}

tcs_status tcsi_replays_run(tcsi_replays *replays, bool with_parts, tcs_error *err)
{
    tcs_status status = TCS_OK;
    replays->run_count++;
    if (replays->way == TCSI_REPLAY_FRAME) return run_frame(replays, err);
    for (size_t i = 0; i < replays->count && status == TCS_OK; i++) {
        tcsi_replay *item = &replays->items[i];
        if (!item->is_wanted) continue;
        status = replays->way == TCSI_REPLAY_STREAM ? run_stream(replays, item, with_parts, err) : run_slice(replays, item, err);
    }
    return status;
}

void tcsi_replay_restore(const tcsi_replays *replays, tcsi_replay *item)
{
    const size_t count = tcsi_extent_count(item->rows);
    for (size_t c = 0; c < replays->subject->frame->channel_count; c++)
        memcpy(item->values + c * count, tcsi_frame_column(replays->subject->frame, c) + item->rows.begin, count * sizeof(double));
}
