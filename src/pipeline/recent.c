/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/recent.h"

#include "base/alloc.h"

#include <string.h>

struct tcsi_recent {
    size_t room;              /* rows that are kept; there is space for twice as many */
    bool has_times;
    tcsi_frame *frame;        /* the rows, oldest first */
    uint64_t first;           /* rows before those in the frame */
    tcs_score *scores;        /* (2 room) as is what is decided */
    float *said;              /* (2 room,member_count) by the detector's members */
    size_t member_max, member_count; /* member_count: once they have said something */
    tcsi_policy_result decided;
    tcsi_episode over[TCSI_RECENT_EPISODES]; /* (over_count) oldest first */
    size_t over_count;
    tcsi_frame view;          /* what a subject borrows */
    tcsi_policy_result decision;
    tcsi_episode episodes[TCSI_RECENT_EPISODES + 1];
};

size_t tcsi_recent_row_count(size_t channel_count)
{
    const size_t rows = TCSI_RECENT_CELLS / channel_count;
    return rows < TCSI_RECENT_ROWS_MIN ? 0 : rows < TCSI_RECENT_ROWS ? rows : TCSI_RECENT_ROWS;
}

size_t tcsi_recent_size_max(size_t channel_count, size_t member_max)
{
    const size_t row = channel_count * sizeof(double) + sizeof(int64_t) + sizeof(tcs_score) + 3 * sizeof(double) + 1 +
                       member_max * sizeof(float);
    const size_t count = tcsi_recent_row_count(channel_count);
    return count > 0 ? 2 * count * row + sizeof(tcsi_frame) + channel_count * sizeof(tcsi_channel) + sizeof(tcsi_recent) : 0;
}

/* ---- life ---- */

static tcs_status name_channels(tcsi_frame *frame, const tcsi_recent_options *options, tcs_error *err)
{
    tcs_status status = TCS_OK;
    for (size_t c = 0; c < frame->channel_count && status == TCS_OK; c++) {
        status = tcsi_frame_channel_rename(frame, c, options->names[c], err);
        const char *unit = options->units ? options->units[c] : NULL;
        if (status == TCS_OK && unit && !(frame->channels[c].unit = tcsi_strdup(unit))) status = tcsi_fail_memory(err, "units");
    }
    return status;
}

tcs_status tcsi_recent_create(const tcsi_recent_options *options, tcsi_recent **ret_recent, tcs_error *err)
{
    tcsi_recent *recent = TCSI_NEW(tcsi_recent);
    if (!recent) return tcsi_fail_memory(err, "the last rows");
    recent->room = tcsi_recent_row_count(options->channel_count);
    recent->has_times = options->has_times;
    recent->member_max = options->member_max;
    TCS_ASSERT(recent->room > 0);
    const size_t space = 2 * recent->room;
    tcs_status status = tcsi_frame_create(options->channel_count, space, true, false, &recent->frame, err);
    if (status == TCS_OK) status = name_channels(recent->frame, options, err);
    if (status == TCS_OK) status = tcsi_policy_result_reserve(&recent->decided, space, options->adds_up, err);
    if (status == TCS_OK && !(recent->scores = TCSI_NEW_ZEROS(tcs_score, space))) status = tcsi_fail_memory(err, "the last rows");
    if (status == TCS_OK && recent->member_max > 0 && !(recent->said = TCSI_NEW_ZEROS(float, space * recent->member_max)))
        status = tcsi_fail_memory(err, "the last rows");
    if (status == TCS_OK) *ret_recent = recent;
    else tcsi_recent_destroy(recent);
    return status;
}

void tcsi_recent_destroy(tcsi_recent *recent)
{
    if (!recent) return;
    tcsi_frame_destroy(recent->frame);
    tcsi_policy_result_deinit(&recent->decided);
    tcsi_free(recent->scores);
    tcsi_free(recent->said);
    tcsi_free(recent);
}

/* ---- rows ---- */

/* The newer half of the space to its front. */
static void make_room(tcsi_recent *recent)
{
    const size_t n = recent->room;
    tcsi_frame *frame = recent->frame;
    tcsi_policy_result *decided = &recent->decided;
    for (size_t c = 0; c < frame->channel_count; c++) {
        double *column = tcsi_frame_column(frame, c);
        memcpy(column, column + n, n * sizeof *column);
    }
    memcpy(frame->times_ns, frame->times_ns + n, n * sizeof *frame->times_ns);
    memcpy(recent->scores, recent->scores + n, n * sizeof *recent->scores);
    memcpy(decided->anomaly, decided->anomaly + n, n);
    if (recent->said) memcpy(recent->said, recent->said + n * recent->member_count, n * recent->member_count * sizeof *recent->said);
    double *const each[] = { decided->thresholds, decided->sums, decided->sum_thresholds };
    for (size_t i = 0; i < TCS_COUNT(each); i++)
        if (each[i]) memcpy(each[i], each[i] + n, n * sizeof(double));
    frame->row_count = n;
    recent->first += n;
}

void tcsi_recent_push(tcsi_recent *recent, const tcsi_row *row, const tcs_score *score, const tcsi_verdict *verdict)
{
    if (recent->frame->row_count == 2 * recent->room) make_room(recent);
    const size_t t = recent->frame->row_count;
    const tcs_status status = tcsi_frame_append(recent->frame, row->values, row->time_ns, 0, NULL);
    TCS_ASSERT(status == TCS_OK); /* there is space */
    recent->scores[t] = *score;
    tcsi_policy_result_note(&recent->decided, t, verdict);
}

void tcsi_recent_listen(tcsi_recent *recent, const float *said, size_t member_count)
{
    TCS_ASSERT(recent->frame->row_count > 0 && member_count <= recent->member_max);
    if (recent->member_count == 0) recent->member_count = member_count;
    TCS_ASSERT(member_count == recent->member_count);
    if (member_count > 0) memcpy(recent->said + (recent->frame->row_count - 1) * member_count, said, member_count * sizeof *said);
}

void tcsi_recent_close(tcsi_recent *recent, const tcsi_episode *episode)
{
    if (recent->over_count == TCSI_RECENT_EPISODES)
        memmove(recent->over, recent->over + 1, --recent->over_count * sizeof *recent->over);
    recent->over[recent->over_count++] = *episode;
}

/* ---- as explanations see them ---- */

static tcsi_episode counted_from(const tcsi_episode *episode, size_t first)
{
    tcsi_episode own = *episode;
    size_t *const rows[] = { &own.row_begin, &own.row_end, &own.row_peak, &own.row_confirmed };
    for (size_t i = 0; i < TCS_COUNT(rows); i++) *rows[i] -= *rows[i] < first ? *rows[i] : first;
    return own;
}

bool tcsi_recent_subject(tcsi_recent *recent, const tcsi_episode *current, bool by_evidence, tcsi_subject *ret_subject)
{
    const size_t held = recent->frame->row_count, skipped = held > recent->room ? held - recent->room : 0;
    const size_t first = (size_t)recent->first + skipped;
    if (current->row_end <= first) return false;
    const tcsi_policy_result *from = &recent->decided;
    tcsi_policy_result *decision = &recent->decision;
    *decision = (tcsi_policy_result){ .anomaly = from->anomaly + skipped, .thresholds = from->thresholds + skipped,
                                      .sums = from->sums ? from->sums + skipped : NULL,
                                      .sum_thresholds = from->sums ? from->sum_thresholds + skipped : NULL,
                                      .episodes = recent->episodes, .by_evidence = by_evidence };
    for (size_t i = 0; i < recent->over_count; i++)
        if (recent->over[i].row_begin >= first && recent->over[i].row_begin < current->row_begin)
            recent->episodes[decision->episode_count++] = counted_from(&recent->over[i], first);
    recent->episodes[decision->episode_count++] = counted_from(current, first);
    recent->view = tcsi_frame_view(recent->frame, skipped, held - skipped);
    *ret_subject = (tcsi_subject){ .frame = &recent->view, .scores = recent->scores + skipped, .decision = decision, .is_online = true,
                                   .said = recent->member_count > 0 ? recent->said + skipped * recent->member_count : NULL,
                                   .member_count = recent->member_count,
                                   .has_times = recent->has_times, .row_base = first };
    return true;
}
