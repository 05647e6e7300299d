/* SPDX-License-Identifier: Apache-2.0 */
#include "explain/explanation.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "explain/expected.h"
#include "explain/sentence.h"
#include "series/stats.h"

#include <math.h>
#include <string.h>

enum { QUIET_ROWS = 12, VIEW_MIN = 20, VIEW_MAX = 2000, OUT_BACK_MAX = 256, OUT_OF = 4, OUT_DEVIATIONS = 2, BRIEF_CHANNELS = 16 };
static const double story_share_min = 0.02, story_share_times = 4; /* as much as its equal part */

void tcsi_explanation_deinit(tcsi_explanation *explanation)
{
    tcsi_free(explanation->bands);
    tcsi_attribution_deinit(&explanation->attribution);
    tcsi_counterfactual_deinit(&explanation->counterfactual);
    tcsi_regard_deinit(&explanation->regard);
    *explanation = (tcsi_explanation){ .bands = NULL };
}

/* ---- what is known of each channel that is looked at ---- */

typedef struct close_look {
    size_t channel, period;
    tcsi_kind kind;
} close_look;

typedef struct job {
    const tcsi_subject *subject;
    tcsi_explanation *explanation;
    close_look looks[TCSI_EXPLAIN_CHANNELS];
    size_t look_count;
    tcsi_expectations expectations; /* of the channels that are looked at, over all rows that anybody asks about */
} job;

static tcs_status look_at(job *j, tcs_error *err)
{
    size_t others[TCSI_EXPLAIN_CHANNELS];
    tcs_status status = TCS_OK;
    for (size_t k = 0; k < j->look_count && status == TCS_OK; k++) {
        close_look *look = &j->looks[k];
        size_t other_count = 0;
        for (size_t i = 0; i < j->look_count; i++)
            if (i != k) others[other_count++] = j->looks[i].channel;
        if (j->subject->is_tabular) continue;
        status = tcsi_expected_period(j->subject, j->explanation->rows, look->channel, &look->period, err);
        if (status == TCS_OK)
            status = tcsi_kind_find(j->subject, j->explanation->rows, look->channel, look->period, others, other_count, &look->kind, err);
    }
    return status;
}

/* Too many cells to be tried. */
static bool is_huge(const tcsi_explanation *e, const tcsi_subject *subject)
{
    return tcsi_extent_count(e->rows) > TCSI_EXPLAIN_CELLS_MAX / subject->frame->channel_count;
}

/* The view; and where the episode may be judged again, rows for that. */
static tcsi_extent asked_rows(const job *j)
{
    tcsi_extent rows = j->explanation->view;
    if (!j->subject->detector || is_huge(j->explanation, j->subject)) return rows;
    const tcsi_extent judged = tcsi_counterfactual_rows(j->subject, j->explanation->rows);
    if (rows.begin > judged.begin) rows.begin = judged.begin;
    if (rows.end < judged.end) rows.end = judged.end;
    return rows;
}

/* What came to stay would bend an expectation that sees it: then, and online, it is one from the past. */
static tcs_status expect_all(job *j, tcs_error *err)
{
    tcs_status status = tcsi_expectations_init(j->subject, asked_rows(j), &j->expectations, err);
    for (size_t k = 0; k < j->look_count && status == TCS_OK; k++) {
        const close_look *look = &j->looks[k];
        const bool past_only = j->subject->is_online || look->kind.persistent;
        status = tcsi_expectations_add(&j->expectations, j->subject, look->channel, j->explanation->rows, past_only, look->period, err);
    }
    return status;
}

/* Where the episode may really have begun: back from its onset as long as a channel is clearly outside its band every few rows. */
static size_t since(const job *j)
{
    const size_t onset = j->explanation->rows.begin;
    size_t first = onset, quiet = 0;
    for (size_t t = onset; t-- > j->expectations.rows.begin && onset - t <= TCSI_COUNTERFACTUAL_BACK_MAX && quiet < QUIET_ROWS;) {
        bool is_out = false;
        for (size_t k = 0; k < j->look_count && !is_out; k++) {
            const size_t c = j->looks[k].channel;
            const double value = tcsi_frame_column(j->subject->frame, c)[t], clear = j->expectations.spreads[c];
            is_out = value > tcsi_expectation(&j->expectations, c, TCSI_EXPECTED_HIGH, t) + clear ||
                     value < tcsi_expectation(&j->expectations, c, TCSI_EXPECTED_LOW, t) - clear;
        }
        quiet = is_out ? 0 : quiet + 1;
        if (is_out) first = t;
    }
    return first;
}

/* ---- stories ---- */

static tcsi_extent choose_view(const tcsi_subject *subject, tcsi_extent rows)
{
    size_t margin = tcsi_extent_count(rows) / 2;
    if (margin < VIEW_MIN) margin = VIEW_MIN;
    if (tcsi_extent_count(rows) + 2 * margin > VIEW_MAX) margin = VIEW_MIN;
    return subject->is_tabular ? rows : tcsi_extent_widen(rows, margin, subject->frame->row_count);
}

static double beyond(double value, double low, double high)
{
    return value < low ? value - low : value > high ? value - high : 0;
}

static bool is_out(const tcsi_explanation *e, const tcsi_story *story, const double *column, size_t t)
{
    const size_t view = tcsi_extent_count(e->view), i = t - e->view.begin;
    return tcsi_present(column[t]) && beyond(column[t], story->band[view + i], story->band[2 * view + i]) != 0;
}

/* One row in a hundred is outside its band by chance.  It has left it where three of four rows are, or one is clearly. */
static bool has_left(const tcsi_explanation *e, const tcsi_story *story, const double *column, size_t t)
{
    const size_t view = tcsi_extent_count(e->view), i = t - e->view.begin;
    size_t out = 0;
    if (!is_out(e, story, column, t)) return false;
    if (fabs(beyond(column[t], story->band[view + i], story->band[2 * view + i])) > OUT_DEVIATIONS * story->spread) return true;
    for (size_t k = t; k < t + OUT_OF && k < e->view.end; k++) out += is_out(e, story, column, k);
    return out >= OUT_OF - 1;
}

/* The first row of that: back from the onset as long as it is outside there, else forward to the end. */
static void find_out(const tcsi_explanation *e, const double *column, tcsi_story *story)
{
    size_t t = e->seen.begin;
    while (t < e->seen.end && !has_left(e, story, column, t)) t++;
    story->is_out = t < e->seen.end;
    if (t == e->seen.begin)
        while (t > e->view.begin && e->seen.begin - t < OUT_BACK_MAX && is_out(e, story, column, t - 1)) t--;
    story->row_out = story->is_out ? t : e->seen.begin;
}

static void find_worst(const tcsi_explanation *e, const double *column, tcsi_story *story)
{
    const size_t view = tcsi_extent_count(e->view);
    const double *expected = story->band, *low = expected + view, *high = low + view;
    double farthest = -1;
    story->row_worst = e->seen.begin;
    for (size_t t = e->seen.begin; t < e->seen.end; t++) {
        const size_t i = t - e->view.begin;
        if (!tcsi_present(column[t]) || !tcsi_present(expected[i])) continue;
        const double out = fabs(beyond(column[t], low[i], high[i])), off = fabs(column[t] - expected[i]);
        const double far = story->is_out ? out : off;
        if (far <= farthest) continue;
        farthest = far;
        story->row_worst = t;
    }
    const size_t at = story->row_worst - e->view.begin;
    story->value = column[story->row_worst];
    story->expected = expected[at];
    story->low = low[at];
    story->high = high[at];
    story->beyond = tcsi_present(story->value) ? beyond(story->value, low[at], high[at]) : 0;
}

static void tell(job *j, const close_look *look, double share, double *band, tcsi_story *story)
{
    tcsi_explanation *e = j->explanation;
    const size_t view = tcsi_extent_count(e->view), count = tcsi_extent_count(j->expectations.rows);
    const double *column = tcsi_frame_column(j->subject->frame, look->channel);
    const double *from = j->expectations.bands[look->channel] + (e->view.begin - j->expectations.rows.begin);
    *story = (tcsi_story){ .channel = look->channel, .share = share, .kind = look->kind, .period = look->period, .when = e->seen,
                           .band = band, .spread = j->expectations.spreads[look->channel] };
    for (size_t i = 0; i < 3; i++) memcpy(band + i * view, from + i * count, view * sizeof *band);
    find_out(e, column, story);
    find_worst(e, column, story);
    if (e->attribution.shares) story->when = tcsi_attribution_span(&e->attribution, look->channel);
}

static const close_look *look_of(const job *j, size_t channel)
{
    for (size_t k = 0; k < j->look_count; k++)
        if (j->looks[k].channel == channel) return &j->looks[k];
    return NULL;
}

/* The channels that carry the episode, by shares (C). */
static tcs_status tell_stories(job *j, const double *shares, tcs_error *err)
{
    tcsi_explanation *e = j->explanation;
    const size_t channels = j->subject->frame->channel_count, view = tcsi_extent_count(e->view);
    const double least = fmin(story_share_min, story_share_times / (double)channels); /* of many, all have a little */
    size_t order[TCSI_STORY_COUNT_MAX], count = 0;
    for (size_t c = 0; c < channels; c++) {
        if (!(shares[c] >= least) || !look_of(j, c)) continue;
        size_t at = count < TCSI_STORY_COUNT_MAX ? count++ : count;
        if (at == count && !(shares[order[--at]] < shares[c])) continue;
        for (; at > 0 && shares[order[at - 1]] < shares[c]; at--) order[at] = order[at - 1];
        order[at] = c;
    }
    e->bands = TCSI_NEW_ARRAY(double, count * 3 * view);
    if (!e->bands) return tcsi_fail_memory(err, "bands");
    for (size_t i = 0; i < count; i++) tell(j, look_of(j, order[i]), shares[order[i]], e->bands + i * 3 * view, &e->stories[i]);
    e->story_count = count;
    return TCS_OK;
}

static tcs_status find_similar(job *j, tcs_error *err)
{
    tcsi_explanation *e = j->explanation;
    size_t channels[TCSI_STORY_COUNT_MAX];
    double spreads[TCSI_STORY_COUNT_MAX];
    e->has_similar = !j->subject->is_tabular && e->story_count > 0;
    if (!e->has_similar) return TCS_OK;
    for (size_t i = 0; i < e->story_count; i++) {
        channels[i] = e->stories[i].channel;
        spreads[i] = e->stories[i].spread;
    }
    const tcsi_similar_wish wish = { .episode = e->episode, .channels = channels, .spreads = spreads, .channel_count = e->story_count };
    return tcsi_similar_find(j->subject, &wish, &e->similar, err);
}

/* What the detector compared the episode's rows with, evenly chosen ones when they are many; nothing where it cannot say. */
static tcs_status find_regard(job *j, tcs_error *err)
{
    tcsi_explanation *e = j->explanation;
    const size_t count = tcsi_extent_count(e->seen), chosen = count < TCSI_REGARDED_ROWS ? count : TCSI_REGARDED_ROWS;
    size_t rows[TCSI_REGARDED_ROWS];
    for (size_t i = 0; i < chosen; i++) rows[i] = e->seen.begin + i * count / chosen;
    const tcsi_regard_wish wish = { .rows = rows, .row_count = chosen, .closed = j->subject->decision->anomaly };
    if (j->subject->is_tabular) return TCS_OK;
    const tcs_status status = tcsi_detector_regard(j->subject->detector, j->subject->frame, &wish, &e->regard, err);
    return status == TCS_E_UNSUPPORTED ? TCS_OK : status;
}

/* All rows of an episode, or as many around its peak as there is room for. */
static tcsi_extent choose_seen(const tcsi_subject *subject, const tcsi_episode *episode)
{
    const size_t most = TCSI_EXPLAIN_CELLS_MAX / subject->frame->channel_count + 1;
    tcsi_extent seen = { episode->row_begin, episode->row_end };
    if (tcsi_extent_count(seen) <= most) return seen;
    if (episode->row_peak > seen.begin + most / 2) seen.begin = episode->row_peak - most / 2;
    if (seen.begin > seen.end - most) seen.begin = seen.end - most;
    seen.end = seen.begin + most;
    return seen;
}

/* What alarmed: a row's score, or under the policy of evidence what rows have added up to. */
static void find_cause(const tcsi_subject *subject, tcsi_explanation *e)
{
    const tcsi_policy_result *decision = subject->decision;
    e->sum = e->sum_threshold = NAN;
    for (size_t t = e->rows.begin; t < e->rows.end; t++) {
        if (subject->scores[t].state != TCS_SCORE_READY) continue;
        e->by_score = e->by_score || tcsi_subject_level(subject, &subject->scores[t]) > decision->thresholds[t];
        if (!decision->sums || !(decision->sums[t] > decision->sum_thresholds[t]) || e->sum >= decision->sums[t]) continue;
        e->by_sum = true;
        e->row_sum = t;
        e->sum = decision->sums[t];
        e->sum_threshold = decision->sum_thresholds[t];
    }
}

static void begin(job *j, const tcsi_subject *subject, size_t episode, tcsi_explanation *explanation)
{
    const tcsi_episode *from = &subject->decision->episodes[episode];
    *j = (job){ .subject = subject, .explanation = explanation };
    *explanation = (tcsi_explanation){ .episode = episode, .rows = { from->row_begin, from->row_end },
                                       .is_limit = from->order.kind == TCSI_ORDER_ALARM };
    if (subject->said)
        explanation->agreement = tcsi_agreement_of(subject->said + from->row_peak * subject->member_count, subject->member_count);
    find_cause(subject, explanation);
    explanation->seen = choose_seen(subject, from);
    explanation->view = choose_view(subject, explanation->seen);
}

/* ---- a whole explanation ---- */

/* Of many channels, those that the detector names; of few, all. */
static tcs_status choose_channels(job *j, tcs_error *err)
{
    const size_t channels = j->subject->frame->channel_count;
    if (channels <= TCSI_EXPLAIN_CHANNELS) {
        for (size_t c = 0; c < channels; c++) j->looks[j->look_count++].channel = c;
        return TCS_OK;
    }
    double *parts = TCSI_NEW_ZEROS(double, channels);
    if (!parts) return tcsi_fail_memory(err, "channels");
    (void)tcsi_detector_contribute_span(j->subject->detector, j->explanation->rows.begin, j->explanation->rows.end, parts);
    for (size_t k = 0; k < TCSI_EXPLAIN_CHANNELS; k++) {
        size_t best = 0;
        for (size_t c = 1; c < channels; c++)
            if (parts[c] > parts[best]) best = c;
        parts[best] = -1;
        j->looks[j->look_count++].channel = best;
    }
    tcsi_free(parts);
    return TCS_OK;
}

static tcs_status look_closely(job *j, tcs_error *err)
{
    tcs_status status = choose_channels(j, err);
    if (status == TCS_OK) status = look_at(j, err);
    return status == TCS_OK ? expect_all(j, err) : status;
}

static tcs_status explain_one(job *j, const tcsi_attribution_options *attribution, tcs_error *err)
{
    tcsi_explanation *e = j->explanation;
    tcs_status status = tcsi_attribute(j->subject, e->seen, &j->expectations, attribution, &e->attribution, err);
    if (status == TCS_OK) status = tell_stories(j, e->attribution.channels, err);
    if (status == TCS_OK) status = find_similar(j, err);
    return status == TCS_OK ? find_regard(j, err) : status;
}

/* Rows to be judged again, of all episodes, by one walk over the frame: where counterfactuals are asked for, or a stream must be asked
 * again what carried a row. */
static tcs_status make_replays(const tcsi_subject *subject, const job *jobs, size_t count, bool with_counterfactual,
                               tcsi_replays *ret_replays, tcs_error *err)
{
    const tcsi_detector_ops *ops = subject->detector->info->ops;
    if (!with_counterfactual && !(ops->contribute && !ops->contribute_span && subject->frame->channel_count > 1)) return TCS_OK;
    tcsi_extent *spans = TCSI_NEW_ARRAY(tcsi_extent, count);
    if (!spans) return tcsi_fail_memory(err, "episodes");
    for (size_t i = 0; i < count; i++) {
        const tcsi_extent rows = jobs[i].explanation->rows;
        spans[i] = is_huge(jobs[i].explanation, subject) ? (tcsi_extent){ rows.begin, rows.begin + 1 }
                                                         : tcsi_counterfactual_judged(subject, rows, since(&jobs[i]));
        if (i > 0 && spans[i].begin < spans[i - 1].begin) spans[i].begin = spans[i - 1].begin; /* a wide one before a narrow one */
    }
    tcs_status status = tcsi_replays_init(subject, spans, count, ret_replays, err);
    tcsi_free(spans);
    return status;
}

static tcs_status find_counterfactuals(const job *jobs, tcsi_replays *replays, const tcsi_explain_options *options, tcs_error *err)
{
    const size_t count = replays->count;
    tcsi_counterfactual_task *tasks = TCSI_NEW_ARRAY(tcsi_counterfactual_task, count);
    tcsi_counterfactual *answers = TCSI_NEW_ZEROS(tcsi_counterfactual, count);
    tcs_status status = tasks && answers ? TCS_OK : tcsi_fail_memory(err, "counterfactuals");
    for (size_t i = 0; i < count && status == TCS_OK; i++) {
        const tcsi_explanation *e = jobs[i].explanation;
        tasks[i] = (tcsi_counterfactual_task){ .episode = e->rows,
                                               .is_asked = !e->is_limit && !e->by_sum && !is_huge(e, jobs[i].subject),
                                               .attribution = &e->attribution, .expectations = &jobs[i].expectations };
    }
    if (status == TCS_OK) status = tcsi_counterfactuals_find(replays, tasks, &options->counterfactual, answers, err);
    for (size_t i = 0; answers && i < count; i++) {
        if (jobs[i].explanation->by_sum) answers[i].outcome = TCSI_COUNTERFACTUAL_EVIDENCE;
        if (jobs[i].explanation->is_limit) answers[i].outcome = TCSI_COUNTERFACTUAL_LIMIT;
        jobs[i].explanation->counterfactual = answers[i];
    }
    tcsi_free(tasks);
    tcsi_free(answers);
    return status;
}

static double seconds_since(int64_t begin_ns) { return (double)(tcsi_clock_monotonic_ns() - begin_ns) * 1e-9; }

/* Episodes that are explained together. */
static tcs_status explain_batch(const tcsi_subject *subject, const size_t *episodes, size_t count, const tcsi_explain_options *options,
                                tcsi_explanation *ret, tcs_error *err)
{
    job *jobs = TCSI_NEW_ZEROS(job, count);
    tcsi_replays replays = { .subject = NULL };
    const int64_t first_ns = tcsi_clock_monotonic_ns();
    tcs_status status = jobs ? TCS_OK : tcsi_fail_memory(err, "explanations");
    for (size_t i = 0; jobs && i < count; i++) begin(&jobs[i], subject, episodes[i], &ret[i]);
    for (size_t i = 0; i < count && status == TCS_OK; i++) status = look_closely(&jobs[i], err);
    if (status == TCS_OK) status = make_replays(subject, jobs, count, options->with_counterfactual, &replays, err);
    for (size_t i = 0; i < count && status == TCS_OK; i++) {
        tcsi_attribution_options attribution = options->attribution;
        attribution.replays = replays.subject && !is_huge(&ret[i], subject) ? &replays : NULL;
        attribution.item = i;
        status = explain_one(&jobs[i], &attribution, err);
    }
    if (status == TCS_OK && options->with_counterfactual) status = find_counterfactuals(jobs, &replays, options, err);
    for (size_t i = 0; i < count && status == TCS_OK; i++) {
        tcsi_sentence_write(subject, &ret[i], ret[i].sentence);
        tcsi_sentence_write_advice(subject, &ret[i], ret[i].advice);
        ret[i].seconds = seconds_since(first_ns) / (double)count;
    }
    for (size_t i = 0; jobs && i < count; i++) {
        tcsi_expectations_deinit(&jobs[i].expectations);
        if (status != TCS_OK) tcsi_explanation_deinit(&ret[i]);
    }
    tcsi_replays_deinit(&replays);
    tcsi_free(jobs);
    return status;
}

/* How many of the next episodes fit into memory together; one at least. */
static size_t batch_size(const tcsi_subject *subject, const size_t *episodes, size_t count)
{
    const size_t channels = subject->frame->channel_count;
    const bool has_states = subject->detector->info->traits & TCSI_TRAIT_STREAMING;
    const size_t state = has_states ? tcsi_detector_size_max(subject->detector, 0) : 0;
    size_t cells = 0, states = 0, batch = 0;
    for (; batch < count; batch++) {
        const tcsi_episode *episode = &subject->decision->episodes[episodes[batch]];
        cells = tcsi_size_sum(cells, tcsi_size_product(episode->row_end - episode->row_begin, channels));
        states = tcsi_size_sum(states, state);
        if (batch > 0 && (cells > TCSI_EXPLAIN_CELLS_MAX || states > TCSI_EXPLAIN_STATES_MAX)) break;
    }
    return batch;
}

tcs_status tcsi_explain(const tcsi_subject *subject, const size_t *episodes, size_t count, const tcsi_explain_options *options,
                        tcsi_explanation *ret, tcs_error *err)
{
    if (!subject->detector) return tcsi_fail(err, TCS_E_INVALID, "the detector was not kept: episodes can only be explained briefly");
    tcs_status status = TCS_OK;
    size_t done = 0;
    while (done < count && status == TCS_OK) {
        const size_t batch = batch_size(subject, episodes + done, count - done);
        status = explain_batch(subject, episodes + done, batch, options, ret + done, err);
        if (status == TCS_OK) done += batch;
    }
    for (size_t i = 0; i < done && status != TCS_OK; i++) tcsi_explanation_deinit(&ret[i]);
    return status;
}

/* ---- a brief one ---- */

/* Shares by distance from what was expected, of the channels that were looked at. */
static void share_by_distance(const job *j, double *ret_shares)
{
    const tcsi_extent rows = j->explanation->seen;
    const size_t count = tcsi_extent_count(rows);
    double sum = 0;
    for (size_t k = 0; k < j->look_count; k++) {
        const size_t c = j->looks[k].channel;
        for (size_t i = 0; i < count; i++) {
            const double expected = tcsi_expectation(&j->expectations, c, TCSI_EXPECTED, rows.begin + i);
            const double off = (tcsi_frame_column(j->subject->frame, c)[rows.begin + i] - expected) / j->expectations.spreads[c];
            if (fabs(off) <= 1e6) ret_shares[c] += off * off;
        }
        sum += ret_shares[c];
    }
    for (size_t c = 0; c < j->subject->frame->channel_count && sum > 0; c++) ret_shares[c] /= sum;
}

static tcs_status explain_brief(job *j, const tcsi_carriers *carriers, tcs_error *err)
{
    const size_t channels = j->subject->frame->channel_count;
    const size_t most = carriers->count > 0 ? carriers->count : channels < BRIEF_CHANNELS ? channels : BRIEF_CHANNELS;
    double *shares = TCSI_NEW_ZEROS(double, channels);
    if (!shares) return tcsi_fail_memory(err, "an explanation");
    for (size_t k = 0; k < most && k < TCSI_EXPLAIN_CHANNELS; k++) {
        j->looks[j->look_count++].channel = carriers->count > 0 ? carriers->channels[k] : k;
        if (carriers->count > 0) shares[carriers->channels[k]] = carriers->shares[k];
    }
    tcs_status status = look_at(j, err);
    if (status == TCS_OK) status = expect_all(j, err);
    if (status == TCS_OK && carriers->count == 0) share_by_distance(j, shares);
    if (status == TCS_OK) status = tell_stories(j, shares, err);
    if (status == TCS_OK) status = find_similar(j, err);
    tcsi_free(shares);
    return status;
}

tcs_status tcsi_explain_briefly(const tcsi_subject *subject, size_t episode, const tcsi_carriers *carriers, tcsi_explanation *ret,
                                tcs_error *err)
{
    job j;
    const int64_t begin_ns = tcsi_clock_monotonic_ns();
    begin(&j, subject, episode, ret);
    tcs_status status = explain_brief(&j, carriers, err);
    if (status == TCS_OK) tcsi_sentence_write(subject, ret, ret->sentence);
    ret->seconds = seconds_since(begin_ns);
    tcsi_expectations_deinit(&j.expectations);
    if (status != TCS_OK) tcsi_explanation_deinit(ret);
    return status;
}
