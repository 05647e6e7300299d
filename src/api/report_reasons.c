/* SPDX-License-Identifier: Apache-2.0
 * Why a report's episodes alarmed: explanations (explain/explanation.h) as the plain data that io draws.
 *
 * What it may cost is bounded.  A brief explanation scores nothing again.  A whole one scores rows some tens of times; a detector that must
 * score the whole frame for that does so as often whatever the number of episodes, so they are explained together.  Only WHOLE_COUNT are,
 * and only in frames of WHOLE_CELL_COUNT_MAX cells at most, unless the detector is a stream that goes on from a saved state.  What pages
 * hold in memory ends at PAGE_CELL_COUNT_MAX numbers: then later episodes have a sentence and no page.  Bounds are counts and not seconds,
 * so that the same input gives the same report. */
#include "api/report.h"

#include "base/alloc.h"

#include <math.h>

enum { WHOLE_COUNT = 5, WHOLE_CELL_COUNT_MAX = 400000, PAGE_CELL_COUNT_MAX = 4000000 };

void tcsi_api_reasons_deinit(tcsi_api_reasons *reasons)
{
    for (size_t i = 0; reasons->explanations && i < reasons->page_count; i++) tcsi_explanation_deinit(&reasons->explanations[i]);
    for (size_t i = 0; reasons->reasons && i < reasons->page_count; i++) tcsi_api_map_deinit(&reasons->reasons[i].map);
    for (size_t i = 0; reasons->sentences && i < reasons->count; i++) tcsi_free(reasons->sentences[i]);
    tcsi_free(reasons->explanations);
    tcsi_free(reasons->reasons);
    tcsi_free(reasons->sentences);
    tcsi_free(reasons->kinds);
    *reasons = (tcsi_api_reasons){ .count = 0 };
}

/* ---- explaining ---- */

static size_t whole_count(const tcs_result *result, size_t count)
{
    const tcsi_detection *detection = result->detection;
    const tcsi_frame *frame = detection->frame;
    const bool is_small = frame->row_count <= WHOLE_CELL_COUNT_MAX / frame->channel_count;
    if (!detection->detector || (!is_small && detection->mode != TCS_MODE_ONLINE)) return 0;
    return count < WHOLE_COUNT ? count : WHOLE_COUNT;
}

static size_t cells_of(const tcsi_explanation *e)
{
    size_t cells = 3 * e->story_count * tcsi_extent_count(e->view);
    if (e->attribution.shares) cells += tcsi_extent_count(e->rows) * e->attribution.channel_count;
    return cells + e->counterfactual.channel_count * tcsi_extent_count(e->counterfactual.rows);
}

/* Keeps what is told of an episode wherever it stands. */
static tcs_status keep_words(tcsi_api_reasons *reasons, size_t rank, const tcsi_explanation *e, tcs_error *err)
{
    if (e->story_count > 0) reasons->kinds[rank] = tcsi_kind_text(e->stories[0].kind.kind);
    reasons->sentences[rank] = tcsi_strdup(e->sentence);
    return reasons->sentences[rank] ? TCS_OK : tcsi_fail_memory(err, "a report");
}

static tcs_status explain_whole(const tcs_result *result, size_t count, tcsi_api_reasons *reasons, tcs_error *err)
{
    static const tcs_explain_options options = { .counterfactual = true };
    tcs_status status = count > 0 ? tcsi_api_explain(result, result->order, count, &options, reasons->explanations, err) : TCS_OK;
    if (status == TCS_OK) reasons->page_count = count;
    for (size_t i = 0; i < count && status == TCS_OK; i++) status = keep_words(reasons, i, &reasons->explanations[i], err);
    return status;
}

static tcs_status explain_briefly(const tcs_result *result, size_t first, tcsi_api_reasons *reasons, tcs_error *err)
{
    static const tcs_explain_options options = { .brief = true };
    size_t cells = 0;
    bool has_pages = true;
    tcs_status status = TCS_OK;
    for (size_t i = 0; i < first; i++) cells += cells_of(&reasons->explanations[i]);
    for (size_t i = first; i < reasons->count && status == TCS_OK; i++) {
        tcsi_explanation explanation;
        status = tcsi_api_explain(result, &result->order[i], 1, &options, &explanation, err);
        if (status != TCS_OK) return status;
        status = keep_words(reasons, i, &explanation, err);
        cells += cells_of(&explanation);
        has_pages = has_pages && i < TCSI_REPORT_PAGE_COUNT_MAX && cells <= PAGE_CELL_COUNT_MAX;
        if (has_pages) reasons->explanations[reasons->page_count++] = explanation;
        else tcsi_explanation_deinit(&explanation);
    }
    return status;
}

/* ---- as plain data ---- */

static size_t rank_of(const tcs_result *result, size_t episode)
{
    for (size_t i = 0; i < tcs_result_episode_count(result); i++)
        if (result->order[i] == episode) return i;
    return SIZE_MAX;
}

/* The values of a channel that would have been quiet, if it had to change. */
static const double *instead_of(const tcsi_counterfactual *c, size_t channel)
{
    if (c->outcome != TCSI_COUNTERFACTUAL_FOUND) return NULL;
    for (size_t k = 0; k < c->channel_count; k++)
        if (c->channels[k] == channel) return c->values + k * tcsi_extent_count(c->rows);
    return NULL;
}

static void hand_story(const tcsi_explanation *e, const tcsi_story *from, tcsi_report_story *to)
{
    const size_t view = tcsi_extent_count(e->view);
    *to = (tcsi_report_story){ .channel = from->channel, .share = from->share, .kind = tcsi_kind_text(from->kind.kind),
                               .kind_probability = from->kind.probability, .is_persistent = from->kind.persistent,
                               .value = from->value, .expected = from->expected,
                               .low = from->low, .high = from->high, .instead = instead_of(&e->counterfactual, from->channel) };
    if (!from->band) return;
    to->expecteds = from->band;
    to->lows = from->band + view;
    to->highs = from->band + 2 * view;
}

static tcsi_report_likeness likeness_of(const tcs_result *result, const tcsi_likeness *from)
{
    const tcsi_subject subject = tcsi_detection_subject(result->detection);
    const bool is_episode = from->episode != SIZE_MAX;
    const tcsi_label label = is_episode ? tcsi_subject_label(&subject, from->episode) : (tcsi_label){ .text = NULL };
    return (tcsi_report_likeness){ .row_begin = from->rows.begin, .row_end = from->rows.end,
                                   .rank = is_episode ? rank_of(result, from->episode) : SIZE_MAX, .label = label.text,
                                   .labelled_by = label.source == TCSI_LABEL_SIGNATURE ? "looked like" : "labelled", .raw = from->raw,
                                   .shape = from->shape };
}

static void hand_similar(const tcs_result *result, const tcsi_explanation *e, tcsi_report_reason *to)
{
    const tcsi_similar *similar = &e->similar;
    if (!e->has_similar) return;
    for (size_t i = 0; i < similar->episode_count; i++) to->likenesses[to->likeness_count++] = likeness_of(result, &similar->episodes[i]);
    if (similar->has_normal) to->likenesses[to->likeness_count++] = likeness_of(result, &similar->normal);
}

static tcs_status hand_reason(const tcs_result *result, const tcsi_explanation *e, tcsi_report_reason *to, tcs_error *err)
{
    const tcsi_counterfactual *c = &e->counterfactual;
    const bool was_found = c->outcome == TCSI_COUNTERFACTUAL_FOUND;
    *to = (tcsi_report_reason){ .advice = e->advice, .source = tcsi_attribution_source_name(e->attribution.source),
                                .view_begin = e->view.begin, .view_end = e->view.end, .shares = e->attribution.shares,
                                .has_change = was_found, .change_begin = c->rows.begin, .change_end = c->rows.end,
                                .changed_channel_count = c->channel_count, .trial_count = c->trial_count,
                                .score_before = c->score_before, .score_after = was_found ? c->score_after : NAN,
                                .threshold = c->threshold };
    for (size_t i = 0; i < e->story_count; i++) hand_story(e, &e->stories[i], &to->stories[to->story_count++]);
    hand_similar(result, e, to);
    return tcsi_api_map_make(&e->regard, &to->map, err);
}

void tcsi_api_reasons_hand(const tcsi_api_reasons *reasons, tcsi_report_episode *episodes)
{
    for (size_t i = 0; i < reasons->count; i++) {
        episodes[i].sentence = reasons->sentences[i];
        episodes[i].kind = reasons->kinds[i];
        if (i < reasons->page_count) episodes[i].reason = &reasons->reasons[i];
    }
}

static tcs_status reserve(tcsi_api_reasons *reasons, tcs_error *err)
{
    const size_t page_count = reasons->count < TCSI_REPORT_PAGE_COUNT_MAX ? reasons->count : TCSI_REPORT_PAGE_COUNT_MAX;
    reasons->explanations = TCSI_NEW_ZEROS(tcsi_explanation, page_count);
    reasons->reasons = TCSI_NEW_ZEROS(tcsi_report_reason, page_count);
    reasons->sentences = TCSI_NEW_ZEROS(char *, reasons->count);
    reasons->kinds = TCSI_NEW_ZEROS(const char *, reasons->count);
    if (reasons->explanations && reasons->reasons && reasons->sentences && reasons->kinds) return TCS_OK;
    return tcsi_fail_memory(err, "a report");
}

tcs_status tcsi_api_reasons_make(const tcs_result *result, tcsi_api_reasons *ret_reasons, tcs_error *err)
{
    const size_t episode_count = tcs_result_episode_count(result);
    tcsi_api_reasons reasons = { .count = episode_count < TCSI_REPORT_EPISODE_COUNT_MAX ? episode_count : TCSI_REPORT_EPISODE_COUNT_MAX };
    const size_t first = whole_count(result, reasons.count);
    tcs_status status = reserve(&reasons, err);
    if (status == TCS_OK) status = explain_whole(result, first, &reasons, err);
    if (status == TCS_OK) status = explain_briefly(result, first, &reasons, err);
    for (size_t i = 0; i < reasons.page_count && status == TCS_OK; i++)
        status = hand_reason(result, &reasons.explanations[i], &reasons.reasons[i], err);
    if (status == TCS_OK) *ret_reasons = reasons;
    else tcsi_api_reasons_deinit(&reasons);
    return status;
}
