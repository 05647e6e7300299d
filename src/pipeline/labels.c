/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/labels.h"

#include "base/alloc.h"
#include "pipeline/known.h"

#include <string.h>

static tcsi_label label_of(const tcsi_detection *detection, size_t index)
{
    const tcsi_known *known = detection->known;
    const tcsi_episode *episode = &detection->decision.episodes[index];
    const tcsi_knowledge *knowledge = known ? known->bound->knowledge : NULL;
    if (known && known->signatures && known->signatures[index] < knowledge->signature_count)
        return (tcsi_label){ TCSI_LABEL_SIGNATURE, knowledge->signatures[known->signatures[index]].name };
    if (!detection->frame->labels) return (tcsi_label){ .text = NULL };
    const bool is_anomaly = memchr(detection->frame->labels + episode->row_begin, 1, episode->row_end - episode->row_begin) != NULL;
    return (tcsi_label){ TCSI_LABEL_COLUMN, is_anomaly ? "anomaly" : "normal" };
}

tcs_status tcsi_detection_label(tcsi_detection *detection, tcs_error *err)
{
    const size_t count = detection->decision.episode_count;
    if (detection->labels) return TCS_OK;
    detection->labels = TCSI_NEW_ZEROS(tcsi_label, count);
    if (!detection->labels) return tcsi_fail_memory(err, "labels of episodes");
    for (size_t i = 0; i < count; i++) detection->labels[i] = label_of(detection, i);
    return TCS_OK;
}

/* Texts of the source NAME are owned, others are the knowledge's or constant. */
static void forget(tcsi_label *label)
{
    if (label->source == TCSI_LABEL_NAME) tcsi_free((char *)(uintptr_t)label->text);
    *label = (tcsi_label){ .text = NULL };
}

tcs_status tcsi_detection_name_rows(tcsi_detection *detection, size_t row_begin, size_t row_end, const char *text, tcs_error *err)
{
    tcs_status status = tcsi_detection_label(detection, err);
    for (size_t i = 0; i < detection->decision.episode_count && status == TCS_OK; i++) {
        const tcsi_episode *episode = &detection->decision.episodes[i];
        if (episode->row_begin >= row_end || episode->row_end <= row_begin) continue;
        char *copy = tcsi_strdup(text);
        if (!copy) return tcsi_fail_memory(err, "labels of episodes");
        forget(&detection->labels[i]);
        detection->labels[i] = (tcsi_label){ TCSI_LABEL_NAME, copy };
    }
    return status;
}

void tcsi_detection_labels_destroy(tcsi_detection *detection)
{
    for (size_t i = 0; detection->labels && i < detection->decision.episode_count; i++) forget(&detection->labels[i]);
    tcsi_free(detection->labels);
    detection->labels = NULL;
}
