/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/why/story.h"

#include "base/alloc.h"
#include "explain/explanation.h"

#include <math.h>

/* What an explanation borrows. */
typedef struct stage {
    tcsi_frame *frame;
    tcs_score *scores;
    uint8_t *anomaly;
    double *thresholds;
    tcsi_episode episode;
    tcsi_policy_result decision;
} stage;

static void stage_deinit(stage *s)
{
    tcsi_frame_destroy(s->frame);
    tcsi_free(s->scores);
    tcsi_free(s->anomaly);
    tcsi_free(s->thresholds);
}

static tcs_status fill(stage *s, const tcsi_story_rows *rows, tcs_error *err)
{
    size_t peak = rows->onset;
    s->scores = TCSI_NEW_ZEROS(tcs_score, rows->count);
    s->anomaly = TCSI_NEW_ZEROS(uint8_t, rows->count);
    s->thresholds = TCSI_NEW_ARRAY(double, rows->count);
    if (!s->scores || !s->anomaly || !s->thresholds) return tcsi_fail_memory(err, "an explanation");
    tcs_status status = tcsi_frame_create(1, rows->count, true, false, &s->frame, err);
    if (status == TCS_OK) status = tcsi_frame_channel_rename(s->frame, 0, rows->series, err);
    for (size_t t = 0; status == TCS_OK && t < rows->count; t++) {
        status = tcsi_frame_append(s->frame, &rows->values[t], rows->times_ns[t], 0, err);
        if (!isnan(rows->scores[t])) s->scores[t] = (tcs_score){ .state = TCS_SCORE_READY, .value = rows->scores[t] };
        s->thresholds[t] = rows->limit;
        s->anomaly[t] = t >= rows->onset && t < rows->end;
        if (s->anomaly[t] && s->scores[t].value > s->scores[peak].value) peak = t;
    }
    s->episode = (tcsi_episode){ .row_begin = rows->onset, .row_end = rows->end, .row_peak = peak, .score_peak = s->scores[peak].value };
    s->decision = (tcsi_policy_result){ .anomaly = s->anomaly, .thresholds = s->thresholds, .episodes = &s->episode, .episode_count = 1 };
    return status;
}

tcs_status tcsi_story_write(const tcsi_story_rows *rows, tcsi_json_writer *writer, tcs_error *err)
{
    static const size_t channel = 0;
    static const double share = 1;
    const tcsi_carriers carriers = { &channel, &share, 1 };
    tcsi_explanation explanation = { 0 };
    stage s = { 0 };
    if (rows->onset < TCSI_STORY_ROWS_MIN || rows->onset >= rows->end || rows->end > rows->count) {
        tcsi_json_null(writer);
        return TCS_OK;
    }
    tcs_status status = fill(&s, rows, err);
    const tcsi_subject subject = { .frame = s.frame, .scores = s.scores, .decision = &s.decision, .is_online = true, .has_times = true };
    if (status == TCS_OK) status = tcsi_explain_briefly(&subject, 0, &carriers, &explanation, err);
    if (status == TCS_OK) {
        tcsi_explanation_write_json(writer, &subject, &explanation);
        tcsi_explanation_deinit(&explanation);
    }
    stage_deinit(&s);
    return status;
}
