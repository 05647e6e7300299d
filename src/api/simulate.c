/* SPDX-License-Identifier: Apache-2.0 */
#include "api/handles.h"

#include "base/alloc.h"
#include "base/text.h"
#include "series/time.h"
#include "simulate/pump.h"

#include <stdio.h>
#include <string.h>

/* One note per event, so that whoever looks at the data knows what to find. */
static tcs_status note_events(tcs_frame *frame, const tcsi_event *events, size_t event_count, tcs_error *err)
{
    for (size_t i = 0; i < event_count; i++) {
        char text[256], onset[TCSI_TIME_TEXT_SIZE], end[TCSI_TIME_TEXT_SIZE];
        tcsi_time_format_iso(frame->frame->times_ns[events[i].onset], onset, sizeof onset);
        tcsi_time_format_iso(frame->frame->times_ns[events[i].end - 1], end, sizeof end);
        int used = snprintf(text, sizeof text, "%s, rows %zu to %zu, %s to %s:", events[i].name, events[i].onset,
                            events[i].end - 1, onset, end);
        for (size_t c = 0; c < frame->frame->channel_count && used < (int)sizeof text; c++)
            if (events[i].channels >> c & 1)
                used += snprintf(text + used, sizeof text - (size_t)used, " %s", frame->frame->channels[c].name);
        tcs_status status = tcsi_api_note(frame, text, err);
        if (status != TCS_OK) return status;
    }
    return TCS_OK;
}

static tcs_status simulate_pump(size_t row_count, uint64_t seed, tcs_frame *frame, tcs_error *err)
{
    tcsi_pump_options options = tcsi_pump_options_default();
    tcsi_event *events = NULL;
    size_t event_count = 0;
    if (row_count > 0) options.row_count = row_count;
    if (seed > 0) options.seed = seed;
    tcs_status status = tcsi_pump_simulate(&options, &frame->frame, &events, &event_count, err);
    if (status != TCS_OK) return status;
    frame->has_real_times = true;
    status = note_events(frame, events, event_count, err);
    tcsi_free(events);
    return status;
}

tcs_status tcs_simulate(const char *scenario, size_t row_count, uint64_t seed, tcs_frame **ret_frame, tcs_error *err)
{
    if (!scenario || !ret_frame) return tcsi_fail(err, TCS_E_INVALID, "tcs_simulate needs a scenario and a place for the frame");
    if (strcmp(scenario, "pump") != 0)
        return tcsi_fail(err, TCS_E_INVALID, "no scenario is called '%s'; there is: pump", scenario);
    tcs_frame *frame = TCSI_NEW(tcs_frame);
    if (!frame) return tcsi_fail_memory(err, "a frame");
    tcs_status status = simulate_pump(row_count, seed, frame, err);
    if (status != TCS_OK) {
        tcs_frame_destroy(frame);
        return status;
    }
    *ret_frame = frame;
    return TCS_OK;
}
