/* SPDX-License-Identifier: Apache-2.0 */
#include "api/handles.h"

#include "base/alloc.h"

tcs_status tcs_frame_create(size_t channel_count, const char *const *names, bool has_times, bool has_labels,
                            tcs_frame **ret_frame, tcs_error *err)
{
    if (channel_count == 0 || !ret_frame) return tcsi_fail(err, TCS_E_INVALID, "a frame needs at least one channel");
    tcs_frame *frame = TCSI_NEW(tcs_frame);
    if (!frame) return tcsi_fail_memory(err, "a frame");
    frame->has_real_times = has_times;
    tcs_status status = tcsi_frame_create(channel_count, 0, has_times, has_labels, &frame->frame, err);
    for (size_t c = 0; names && c < channel_count && status == TCS_OK; c++)
        status = tcsi_frame_channel_rename(frame->frame, c, names[c], err);
    if (status != TCS_OK) {
        tcs_frame_destroy(frame);
        return status;
    }
    *ret_frame = frame;
    return TCS_OK;
}

tcs_status tcsi_api_note(tcs_frame *frame, const char *text, tcs_error *err)
{
    if (frame->note_count == TCSI_NOTE_COUNT_MAX || !*text) return TCS_OK;
    if (!frame->notes && !(frame->notes = TCSI_NEW_ZEROS(char *, TCSI_NOTE_COUNT_MAX))) return tcsi_fail_memory(err, "notes");
    char *copy = tcsi_strdup(text);
    if (!copy) return tcsi_fail_memory(err, "notes");
    frame->notes[frame->note_count++] = copy;
    return TCS_OK;
}

tcs_status tcs_frame_append(tcs_frame *frame, const double *values, int64_t time_ns, int label, tcs_error *err)
{
    if (!frame || !values) return tcsi_fail(err, TCS_E_INVALID, "tcs_frame_append needs a frame and values");
    size_t count = frame->frame->row_count;
    if (count > 0 && frame->frame->times_ns && time_ns < frame->frame->times_ns[count - 1])
        return tcsi_fail(err, TCS_E_INVALID, "row %zu is earlier than the row before it: append rows in order of time", count);
    return tcsi_frame_append(frame->frame, values, time_ns, label != 0, err);
}

void tcs_frame_destroy(tcs_frame *frame)
{
    if (!frame) return;
    for (size_t i = 0; i < frame->note_count; i++) tcsi_free(frame->notes[i]);
    tcsi_free(frame->notes);
    tcsi_free(frame->places);
    tcsi_frame_destroy(frame->frame);
    tcsi_free(frame);
}

size_t tcs_frame_row_count(const tcs_frame *frame) { return frame->frame->row_count; }
size_t tcs_frame_channel_count(const tcs_frame *frame) { return frame->frame->channel_count; }

const char *tcs_frame_channel_name(const tcs_frame *frame, size_t channel)
{
    return channel < frame->frame->channel_count ? frame->frame->channels[channel].name : NULL;
}

const double *tcs_frame_values(const tcs_frame *frame, size_t channel)
{
    return channel < frame->frame->channel_count ? tcsi_frame_column(frame->frame, channel) : NULL;
}

const int64_t *tcs_frame_times_ns(const tcs_frame *frame) { return frame->frame->times_ns; }
const uint8_t *tcs_frame_labels(const tcs_frame *frame) { return frame->frame->labels; }
bool tcs_frame_is_tabular(const tcs_frame *frame) { return frame->is_tabular; }
bool tcs_frame_has_real_times(const tcs_frame *frame) { return frame->has_real_times; }
size_t tcs_frame_note_count(const tcs_frame *frame) { return frame->note_count; }

const char *tcs_frame_note(const tcs_frame *frame, size_t index)
{
    return index < frame->note_count ? frame->notes[index] : NULL;
}
