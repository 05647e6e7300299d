/* SPDX-License-Identifier: Apache-2.0
 * Why episodes alarmed. */
#include "api/explain.h"

#include "base/alloc.h"
#include "explain/expected.h"
#include "pipeline/known.h"

#include <math.h>
#include <string.h>

void tcs_explanation_destroy(tcs_explanation *explanation)
{
    if (!explanation) return;
    tcsi_explanation_deinit(&explanation->inner);
    tcsi_buffer_deinit(&explanation->json);
    tcsi_free(explanation);
}

static double narrower(const double *stated, size_t channel, double otherwise)
{
    return stated && !isnan(stated[channel]) ? stated[channel] : otherwise;
}

/* Limits as the room below wants them: what the caller states, else what is known to be possible; NULL where there are none. */
static tcs_status take_ranges(const tcs_result *result, const tcs_explain_options *options, tcsi_range **ret_ranges, tcs_error *err)
{
    const tcsi_known *known = result->detection->known;
    const size_t channel_count = result->detection->frame->channel_count;
    *ret_ranges = NULL;
    if (!options->lows && !options->highs && !known) return TCS_OK;
    *ret_ranges = TCSI_NEW_ARRAY(tcsi_range, channel_count);
    if (!*ret_ranges) return tcsi_fail_memory(err, "ranges");
    for (size_t c = 0; c < channel_count; c++)
        (*ret_ranges)[c] = (tcsi_range){ narrower(options->lows, c, known ? known->bound->low[c] : NAN),
                                         narrower(options->highs, c, known ? known->bound->high[c] : NAN) };
    return TCS_OK;
}

tcs_status tcsi_api_explain(const tcs_result *result, const size_t *episodes, size_t count, const tcs_explain_options *options,
                            tcsi_explanation *ret, tcs_error *err)
{
    tcs_status status = TCS_OK;
    if (!options->brief) {
        tcsi_range *ranges;
        status = take_ranges(result, options, &ranges, err);
        const tcsi_explain_options inner = { .with_counterfactual = options->counterfactual, .attribution = { .seed = options->seed },
                                             .counterfactual = { .ranges = ranges } };
        if (status == TCS_OK) status = tcsi_detection_explain(result->detection, episodes, count, &inner, ret, err);
        tcsi_free(ranges);
        return status;
    }
    for (size_t i = 0; i < count && status == TCS_OK; i++) {
        status = tcsi_detection_explain_briefly(result->detection, episodes[i], &ret[i], err);
        for (size_t k = 0; status != TCS_OK && k < i; k++) tcsi_explanation_deinit(&ret[k]);
    }
    return status;
}

/* Room for all first: what was explained then only has to be handed over. */
static tcs_status explain_ranks(const tcs_result *result, const size_t *ranks, size_t count, const tcs_explain_options *options,
                                tcs_explanation **ret_explanations, tcs_error *err)
{
    size_t *episodes = TCSI_NEW_ARRAY(size_t, count), room = 0;
    tcsi_explanation *found = TCSI_NEW_ZEROS(tcsi_explanation, count);
    tcs_status status = episodes && found ? TCS_OK : tcsi_fail_memory(err, "explanations");
    for (; room < count && status == TCS_OK; room++) {
        episodes[room] = result->order[ranks[room]];
        ret_explanations[room] = TCSI_NEW(tcs_explanation);
        if (!ret_explanations[room]) status = tcsi_fail_memory(err, "explanations");
    }
    if (status == TCS_OK) status = tcsi_api_explain(result, episodes, count, options, found, err);
    for (size_t i = 0; i < room; i++) {
        if (status == TCS_OK) {
            ret_explanations[i]->subject = tcsi_detection_subject(result->detection);
            ret_explanations[i]->inner = found[i];
            tcsi_buffer_init(&ret_explanations[i]->json, TCSI_API_EXPLANATION_SIZE_MAX);
        } else {
            tcsi_free(ret_explanations[i]);
            ret_explanations[i] = NULL;
        }
    }
    tcsi_free(episodes);
    tcsi_free(found);
    return status;
}

tcs_status tcs_result_explain(const tcs_result *result, const size_t *ranks, size_t rank_count, const tcs_explain_options *options,
                              tcs_explanation **ret_explanations, tcs_error *err)
{
    static const tcs_explain_options defaults = { .brief = false };
    if (!result || (rank_count > 0 && (!ranks || !ret_explanations)))
        return tcsi_fail(err, TCS_E_INVALID, "tcs_result_explain needs a result, ranks and a place for the explanations");
    for (size_t i = 0; i < rank_count; i++)
        if (ranks[i] >= tcs_result_episode_count(result))
            return tcsi_fail(err, TCS_E_INVALID, "no episode of rank %zu: there are %zu", ranks[i] + 1, tcs_result_episode_count(result));
    return explain_ranks(result, ranks, rank_count, options ? options : &defaults, ret_explanations, err);
}

const char *tcs_explanation_sentence(const tcs_explanation *explanation) { return explanation->inner.sentence; }
const char *tcs_explanation_advice(const tcs_explanation *explanation) { return explanation->inner.advice; }
size_t tcs_explanation_channel_count(const tcs_explanation *explanation) { return explanation->inner.story_count; }
double tcs_explanation_seconds(const tcs_explanation *explanation) { return explanation->inner.seconds; }

const double *tcs_explanation_shares(const tcs_explanation *explanation, size_t *ret_row_begin, size_t *ret_row_count)
{
    const tcsi_attribution *attribution = &explanation->inner.attribution;
    *ret_row_begin = explanation->subject.row_base + attribution->rows.begin;
    *ret_row_count = tcsi_extent_count(attribution->rows);
    return attribution->shares;
}

const char *tcs_explanation_source(const tcs_explanation *explanation)
{
    return tcsi_attribution_source_name(explanation->inner.attribution.source);
}

tcs_explained_channel tcs_explanation_channel(const tcs_explanation *explanation, size_t index)
{
    const tcsi_explanation *e = &explanation->inner;
    TCS_ASSERT(index < e->story_count);
    const tcsi_story *story = &e->stories[index];
    const size_t view = tcsi_extent_count(e->view), base = explanation->subject.row_base;
    return (tcs_explained_channel){
        .channel = story->channel, .share = story->share, .kind = tcsi_kind_text(story->kind.kind),
        .kind_probability = story->kind.probability, .persistent = story->kind.persistent,
        .left_band = story->is_out, .row_out = base + story->row_out, .row_worst = base + story->row_worst, .value = story->value,
        .expected = story->expected, .low = story->low, .high = story->high, .row_begin = base + story->when.begin,
        .row_end = base + story->when.end, .band_begin = base + e->view.begin, .band_count = view, .band_expected = story->band,
        .band_low = story->band + view, .band_high = story->band + 2 * view,
    };
}

tcs_counterfactual tcs_explanation_counterfactual(const tcs_explanation *explanation)
{
    const tcsi_counterfactual *c = &explanation->inner.counterfactual;
    return (tcs_counterfactual){
        .asked = c->outcome == TCSI_COUNTERFACTUAL_FOUND || c->outcome == TCSI_COUNTERFACTUAL_NONE,
        .found = c->outcome == TCSI_COUNTERFACTUAL_FOUND, .later_alarm = c->is_late,
        .row_begin = c->rows.begin, .row_end = c->rows.end, .channel_count = c->channel_count, .trial_count = c->trial_count,
        .channels = c->channels, .values = c->values, .share = c->share, .change = c->change, .score_before = c->score_before,
        .score_after = c->score_after, .threshold = c->threshold,
    };
}

tcs_status tcs_explanation_json(tcs_explanation *explanation, bool is_pretty, const char **ret_text, tcs_error *err)
{
    tcsi_json_writer writer;
    tcsi_buffer_clear(&explanation->json);
    tcsi_json_writer_init(&writer, &explanation->json, is_pretty);
    tcsi_explanation_write_json(&writer, &explanation->subject, &explanation->inner);
    tcs_status status = tcsi_json_finish(&writer, err);
    if (status == TCS_OK) *ret_text = explanation->json.data;
    return status;
}

/* ---- one row ---- */

/* Shares of the row's score, where anybody can say. */
static void share_row(const tcsi_subject *subject, tcsi_extent row, const tcsi_expectations *expectations, tcs_explained_value *ret_values)
{
    static const tcsi_attribution_options options = { .source = TCSI_ATTRIBUTION_PARTS };
    tcsi_attribution attribution;
    if (!subject->detector || tcsi_attribute(subject, row, expectations, &options, &attribution, NULL) != TCS_OK) return;
    for (size_t c = 0; c < subject->frame->channel_count; c++) ret_values[c].share = attribution.channels[c];
    tcsi_attribution_deinit(&attribution);
}

tcs_status tcs_result_explain_row(const tcs_result *result, size_t row, tcs_explained_value *ret_values, tcs_error *err)
{
    if (row >= result->detection->frame->row_count)
        return tcsi_fail(err, TCS_E_INVALID, "no row %zu: there are %zu, counted from 0", row, result->detection->frame->row_count);
    const tcsi_subject subject = tcsi_detection_subject(result->detection);
    const tcsi_extent span = { row, row + 1 };
    tcsi_expectations expectations = { .bands = NULL };
    tcs_status status = tcsi_expectations_init(&subject, span, &expectations, err);
    for (size_t c = 0; c < subject.frame->channel_count && status == TCS_OK; c++) {
        size_t period;
        status = tcsi_expected_period(&subject, span, c, &period, err);
        if (status == TCS_OK) status = tcsi_expectations_add(&expectations, &subject, c, span, subject.is_online, period, err);
        if (status == TCS_OK)
            ret_values[c] = (tcs_explained_value){ .value = tcsi_frame_column(subject.frame, c)[row],
                                                   .expected = tcsi_expectation(&expectations, c, TCSI_EXPECTED, row),
                                                   .low = tcsi_expectation(&expectations, c, TCSI_EXPECTED_LOW, row),
                                                   .high = tcsi_expectation(&expectations, c, TCSI_EXPECTED_HIGH, row), .share = NAN };
    }
    if (status == TCS_OK) share_row(&subject, span, &expectations, ret_values);
    tcsi_expectations_deinit(&expectations);
    return status;
}
