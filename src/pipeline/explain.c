/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/explain.h"

#include "base/alloc.h"
#include "pipeline/recent.h"

tcsi_subject tcsi_detection_subject(const tcsi_detection *detection)
{
    return (tcsi_subject){ .frame = detection->frame, .detector = detection->detector,
                           .origin = detection->origin.size > 0 ? &detection->origin : NULL, .scores = detection->scores,
                           .said = detection->said, .member_count = detection->member_count,
                           .decision = &detection->decision, .labels = detection->labels,
                           .is_online = detection->mode == TCS_MODE_ONLINE,
                           .is_tabular = detection->is_tabular,
                           .has_times = detection->has_times };
}

/* Episodes by index, which is by time: where each of those asked for stands among them. */
static void sort_places(const size_t *episodes, size_t count, size_t *ret_places)
{
    for (size_t i = 0; i < count; i++) {
        size_t at = i;
        for (; at > 0 && episodes[ret_places[at - 1]] > episodes[i]; at--) ret_places[at] = ret_places[at - 1];
        ret_places[at] = i;
    }
}

tcs_status tcsi_detection_explain(const tcsi_detection *detection, const size_t *episodes, size_t count,
                                  const tcsi_explain_options *options, tcsi_explanation *ret_explanations, tcs_error *err)
{
    const tcsi_subject subject = tcsi_detection_subject(detection);
    size_t *places = TCSI_NEW_ARRAY(size_t, count), *sorted = TCSI_NEW_ARRAY(size_t, count);
    tcsi_explanation *found = TCSI_NEW_ZEROS(tcsi_explanation, count);
    tcs_status status = places && sorted && found ? TCS_OK : tcsi_fail_memory(err, "explanations");
    if (status == TCS_OK) {
        sort_places(episodes, count, places);
        for (size_t i = 0; i < count; i++) sorted[i] = episodes[places[i]];
        status = tcsi_explain(&subject, sorted, count, options, found, err);
    }
    for (size_t i = 0; i < count && status == TCS_OK; i++) ret_explanations[places[i]] = found[i];
    tcsi_free(places);
    tcsi_free(sorted);
    tcsi_free(found);
    return status;
}

static tcs_status explain_briefly(const tcsi_subject *subject, size_t episode, const tcsi_episode_shares *shares,
                                  tcsi_explanation *ret_explanation, tcs_error *err)
{
    size_t channels[TCSI_SHARE_COUNT_MAX];
    double parts[TCSI_SHARE_COUNT_MAX];
    for (size_t i = 0; i < shares->count; i++) {
        channels[i] = shares->shares[i].channel;
        parts[i] = shares->shares[i].share;
    }
    const tcsi_carriers carriers = { .channels = channels, .shares = parts, .count = shares->count };
    return tcsi_explain_briefly(subject, episode, &carriers, ret_explanation, err);
}

tcs_status tcsi_detection_explain_briefly(const tcsi_detection *detection, size_t episode, tcsi_explanation *ret_explanation,
                                          tcs_error *err)
{
    const tcsi_subject subject = tcsi_detection_subject(detection);
    return explain_briefly(&subject, episode, &detection->shares[episode], ret_explanation, err);
}

tcs_status tcsi_detect_stream_explain(const tcsi_detect_stream *stream, tcsi_subject *ret_subject, tcsi_explanation *ret_explanation,
                                      tcs_error *err)
{
    tcsi_recent *recent = tcsi_detect_stream_recent(stream);
    tcsi_stream_episode last;
    if (!recent) return tcsi_fail(err, TCS_E_UNSUPPORTED, "the stream keeps no rows: its episodes cannot be explained");
    if (!tcsi_detect_stream_episode(stream, &last)) return tcsi_fail(err, TCS_E_INVALID, "there was no episode yet to explain");
    if (!tcsi_recent_subject(recent, &last.episode, tcsi_detect_stream_by_evidence(stream), ret_subject))
        return tcsi_fail(err, TCS_E_INVALID, "the rows of the last episode are gone: it can no longer be explained");
    return explain_briefly(ret_subject, ret_subject->decision->episode_count - 1, &last.shares, ret_explanation, err);
}
