/* SPDX-License-Identifier: Apache-2.0 */
#include "explain/attribution.h"

#include "base/alloc.h"
#include "explain/shapley.h"
#include "series/stats.h"

#include <math.h>
#include <string.h>

static const double part_max = 1e100, deviation_max = 1e6, span_share = 0.1;

const char *tcsi_attribution_source_name(tcsi_attribution_source source)
{
    static const char *const names[] = { "none", "parts", "gradients", "shapley", "deviation" };
    return names[source];
}

void tcsi_attribution_deinit(tcsi_attribution *attribution)
{
    tcsi_free(attribution->shares);
    tcsi_free(attribution->signs);
    tcsi_free(attribution->channels);
    *attribution = (tcsi_attribution){ .shares = NULL };
}

typedef struct job {
    const tcsi_subject *subject;
    tcsi_extent rows;
    size_t count, channels;
    const tcsi_expectations *expectations;
    bool within; /* no value of the rows is outside its band */
    const tcsi_attribution_options *options;
    double *shares; /* (rows,C), any scale, not yet all >= 0 */
    double error;
} job;

/* ---- what the detector says ---- */

/* How far each row of a single channel stands above the lowest score nearby: then there is nothing to share but time. */
static void share_rows(job *j)
{
    double low = INFINITY;
    for (size_t i = 0; i < j->count; i++) {
        const tcs_score *score = &j->subject->scores[j->rows.begin + i];
        if (score->state == TCS_SCORE_READY) low = fmin(low, tcsi_subject_level(j->subject, score));
    }
    const double usual = j->rows.begin > 0 ? tcsi_subject_level(j->subject, &j->subject->scores[j->rows.begin - 1]) : low;
    low = fmin(low, usual);
    for (size_t i = 0; i < j->count; i++) {
        const tcs_score *score = &j->subject->scores[j->rows.begin + i];
        j->shares[i] = score->state == TCS_SCORE_READY ? tcsi_subject_level(j->subject, score) - low : 0;
    }
    if (j->count == 1) j->shares[0] = 1;
}

/* Row by row, of the frame that the detector scored last. */
static bool take_span_parts(job *j)
{
    for (size_t i = 0; i < j->count; i++)
        if (!tcsi_detector_contribute_span(j->subject->detector, j->rows.begin + i, j->rows.begin + i + 1, j->shares + i * j->channels))
            return false;
    return true;
}

/* Rows to be judged again: those that were given, or of their own. */
static tcs_status borrow_replays(const job *j, tcsi_replays *own, tcsi_replays **ret, tcsi_replay **ret_item, tcs_error *err)
{
    tcs_status status = TCS_OK;
    *own = (tcsi_replays){ .subject = NULL };
    *ret = j->options->replays;
    if (!*ret) {
        status = tcsi_replays_init(j->subject, &j->rows, 1, own, err);
        *ret = own;
    }
    if (status != TCS_OK) return status;
    const size_t item = j->options->replays ? j->options->item : 0;
    for (size_t i = 0; i < (*ret)->count; i++) (*ret)->items[i].is_wanted = i == item;
    *ret_item = &(*ret)->items[item];
    tcsi_replay_restore(*ret, *ret_item);
    return TCS_OK;
}

static tcs_status take_stream_parts(job *j, tcs_error *err)
{
    tcsi_replays own, *replays;
    tcsi_replay *item;
    tcs_status status = borrow_replays(j, &own, &replays, &item, err);
    if (status == TCS_OK) status = tcsi_replays_run(replays, true, err);
    if (status == TCS_OK)
        memcpy(j->shares, item->parts + (j->rows.begin - item->rows.begin) * j->channels, j->count * j->channels * sizeof *j->shares);
    tcsi_replays_deinit(&own);
    return status;
}

static tcs_status take_parts(job *j, bool *ret_any, tcs_error *err)
{
    const tcsi_detector *detector = j->subject->detector;
    *ret_any = true;
    if (j->channels == 1) {
        share_rows(j);
        return TCS_OK;
    }
    *ret_any = detector && take_span_parts(j);
    if (*ret_any || !detector || !detector->info->ops->contribute) return TCS_OK;
    *ret_any = true;
    return take_stream_parts(j, err);
}

/* ---- integrated gradients ---- */

static double observed_at(const job *j, size_t c, size_t i) { return tcsi_frame_column(j->subject->frame, c)[j->rows.begin + i]; }

static double expected_at(const job *j, size_t c, size_t i)
{
    return tcsi_expectation(j->expectations, c, TCSI_EXPECTED, j->rows.begin + i);
}

static bool is_within(const job *j, size_t c, size_t i)
{
    const double value = observed_at(j, c, i);
    return value >= tcsi_expectation(j->expectations, c, TCSI_EXPECTED_LOW, j->rows.begin + i) &&
           value <= tcsi_expectation(j->expectations, c, TCSI_EXPECTED_HIGH, j->rows.begin + i);
}

static bool are_all_within(const job *j)
{
    for (size_t c = 0; c < j->channels; c++)
        for (size_t i = 0; i < j->count; i++)
            if (j->expectations->bands[c] && !is_within(j, c, i)) return false;
    return true;
}

/* What stands for an observed value; the value itself where it may stay, or nothing better is known. */
static double normal_at(const job *j, size_t c, size_t i)
{
    const double expected = expected_at(j, c, i), observed = observed_at(j, c, i);
    return tcsi_present(expected) && (j->within || !is_within(j, c, i)) ? expected : observed;
}

/* The subject's frame with what is normal in the rows of the episode. */
static tcs_status make_normal(const job *j, tcsi_frame **ret_frame, tcs_error *err)
{
    const tcsi_frame *frame = j->subject->frame;
    size_t *all = TCSI_NEW_ARRAY(size_t, j->channels);
    if (!all) return tcsi_fail_memory(err, "channels");
    for (size_t c = 0; c < j->channels; c++) all[c] = c;
    tcs_status status = tcsi_frame_select(frame, all, j->channels, ret_frame, err);
    for (size_t c = 0; c < j->channels && status == TCS_OK; c++)
        for (size_t i = 0; i < j->count; i++) tcsi_frame_column(*ret_frame, c)[j->rows.begin + i] = normal_at(j, c, i);
    tcsi_free(all);
    return status;
}

static tcs_status take_gradients(job *j, bool *ret_any, tcs_error *err)
{
    tcsi_frame *normal = NULL;
    *ret_any = j->subject->detector && j->subject->detector->info->ops->attribute;
    if (!*ret_any) return TCS_OK;
    tcs_status status = make_normal(j, &normal, err);
    if (status == TCS_OK)
        status = j->subject->detector->info->ops->attribute(j->subject->detector, j->subject->frame, normal, j->rows.begin, j->rows.end,
                                                            j->shares, err);
    tcsi_frame_destroy(normal);
    if (status != TCS_E_UNSUPPORTED) return status;
    *ret_any = false; /* of this series: too short, say */
    return TCS_OK;
}

/* ---- Shapley values ---- */

typedef struct game {
    const job *job;
    tcsi_replays *replays;
    tcsi_replay *item;
    size_t groups, segments; /* player g * segments + s: channels of group g in segment s */
} game;

static size_t segment_of(const game *g, size_t i) { return i * g->segments / g->job->count; }
static size_t group_of(const game *g, size_t c) { return c * g->groups / g->job->channels; }

/* The mean score of the episode when only those players show what was observed. */
static tcs_status play(void *context, const bool *is_in, double *ret_outcome, tcs_error *err)
{
    game *g = context;
    const job *j = g->job;
    tcsi_replay *item = g->item;
    const size_t stride = tcsi_extent_count(item->rows), offset = j->rows.begin - item->rows.begin;
    tcsi_replay_restore(g->replays, item);
    for (size_t c = 0; c < j->channels; c++)
        for (size_t i = 0; i < j->count; i++)
            if (!is_in[group_of(g, c) * g->segments + segment_of(g, i)]) item->values[c * stride + offset + i] = normal_at(j, c, i);
    tcs_status status = tcsi_replays_run(g->replays, false, err);
    double sum = 0, ready = 0;
    for (size_t i = 0; i < j->count; i++) {
        const tcs_score *score = &item->scores[offset + i];
        if (score->state != TCS_SCORE_READY) continue;
        sum += tcsi_subject_level(j->subject, score);
        ready++;
    }
    *ret_outcome = ready > 0 ? sum / ready : 0;
    return status;
}

/* Each player's value over its cells; of a group of several channels by their squared deviations. */
static void spread_values(job *j, const game *g, const double *values)
{
    for (size_t player = 0; player < g->groups * g->segments; player++) {
        double weight_sum = 0;
        for (int pass = 0; pass < 2; pass++)
            for (size_t i = 0; i < j->count; i++)
                for (size_t c = 0; c < j->channels; c++) {
                    if (group_of(g, c) * g->segments + segment_of(g, i) != player) continue;
                    const double off = fabs(observed_at(j, c, i) - expected_at(j, c, i)) / j->expectations->spreads[c];
                    const double weight = 1e-9 + (off <= deviation_max ? off * off : 0);
                    if (pass == 0) weight_sum += weight;
                    else j->shares[i * j->channels + c] = values[player] * weight / weight_sum;
                }
    }
}

static tcs_status take_shapley(job *j, tcs_error *err)
{
    game g = { .job = j, .segments = j->count < TCSI_ATTRIBUTION_SEGMENTS ? j->count : TCSI_ATTRIBUTION_SEGMENTS };
    g.groups = TCSI_ATTRIBUTION_PLAYERS_MAX / g.segments < j->channels ? TCSI_ATTRIBUTION_PLAYERS_MAX / g.segments : j->channels;
    const size_t players = g.groups * g.segments;
    const tcsi_shapley_options options = { .player_count = players, .seed = j->options->seed,
                                           .order_count = j->options->order_count ? j->options->order_count : TCSI_ATTRIBUTION_ORDERS };
    double values[TCSI_ATTRIBUTION_PLAYERS_MAX], errors[TCSI_ATTRIBUTION_PLAYERS_MAX], sum = 0;
    tcsi_replays own;
    tcs_status status = borrow_replays(j, &own, &g.replays, &g.item, err);
    if (status == TCS_OK) status = tcsi_shapley(&options, play, &g, values, errors, err);
    if (status == TCS_OK) {
        spread_values(j, &g, values);
        for (size_t i = 0; i < players; i++) sum += fmax(values[i], 0);
        for (size_t i = 0; i < g.groups && sum > 0; i++) {
            double variance = 0;
            for (size_t s = 0; s < g.segments; s++) variance += errors[i * g.segments + s] * errors[i * g.segments + s];
            j->error = fmax(j->error, sqrt(variance) / sum);
        }
    }
    tcsi_replays_deinit(&own);
    return status;
}

/* ---- what the data say ---- */

static void take_deviations(job *j)
{
    for (size_t c = 0; c < j->channels; c++)
        for (size_t i = 0; i < j->count; i++) {
            const double off = fabs(observed_at(j, c, i) - expected_at(j, c, i)) / j->expectations->spreads[c];
            j->shares[i * j->channels + c] = off <= deviation_max ? off * off : off > deviation_max ? deviation_max * deviation_max : 0;
        }
}

/* ---- together ---- */

static void put_signs(const job *j, int8_t *ret_signs)
{
    for (size_t i = 0; i < j->count; i++)
        for (size_t c = 0; c < j->channels; c++) {
            const double value = observed_at(j, c, i), normal = expected_at(j, c, i);
            ret_signs[i * j->channels + c] = (int8_t)(tcsi_present(value) ? (value > normal) - (value < normal) : 0);
        }
}

/* What a channel is worth is the sum of its parts, of whatever sign: those of a network come large and of both signs, and cancel.  It is
 * then shared out over the rows whose parts are positive.  Returns it, or 0. */
static double settle_channel(job *j, size_t c)
{
    double net = 0, positive = 0;
    for (size_t i = 0; i < j->count; i++) {
        double *part = &j->shares[i * j->channels + c];
        *part = isnan(*part) ? 0 : fmax(-part_max, fmin(part_max, *part));
        net += *part;
        positive += fmax(*part, 0);
    }
    const double scale = net > 0 && positive > 0 ? net / positive : 0;
    for (size_t i = 0; i < j->count; i++) j->shares[i * j->channels + c] = fmax(j->shares[i * j->channels + c], 0) * scale;
    return net > 0 ? net : 0;
}

/* To parts >= 0 that sum to 1; false: there is nothing to share. */
static bool normalize(job *j)
{
    double sum = 0;
    for (size_t c = 0; c < j->channels; c++) sum += settle_channel(j, c);
    for (size_t k = 0; k < j->count * j->channels && sum > 0; k++) j->shares[k] /= sum;
    return sum > 0;
}

/* Tries one source; *ret_any: it had something to say. */
static tcs_status take(job *j, tcsi_attribution_source source, bool *ret_any, tcs_error *err)
{
    const bool can_replay = j->subject->detector && j->count * j->channels <= TCSI_EXPLAIN_CELLS_MAX;
    tcs_status status = TCS_OK;
    *ret_any = true;
    memset(j->shares, 0, j->count * j->channels * sizeof *j->shares);
    if (source == TCSI_ATTRIBUTION_PARTS) status = take_parts(j, ret_any, err);
    else if (source == TCSI_ATTRIBUTION_DEVIATION) take_deviations(j);
    else if (!can_replay) *ret_any = false;
    else if (source == TCSI_ATTRIBUTION_GRADIENTS) status = take_gradients(j, ret_any, err);
    else status = take_shapley(j, err);
    if (status == TCS_OK && *ret_any) *ret_any = normalize(j);
    return status;
}

/* Shapley values take dozens of trials: not where each is a scoring of the whole frame. */
static bool is_worth_it(const job *j, tcsi_attribution_source source)
{
    const tcsi_detector *detector = j->subject->detector;
    if (source != TCSI_ATTRIBUTION_SHAPLEY || !detector) return true;
    return (detector->info->traits & TCSI_TRAIT_STREAMING) || (detector->is_fitted && !(detector->info->traits & TCSI_TRAIT_RELATIVE));
}

tcs_status tcsi_attribute(const tcsi_subject *subject, tcsi_extent rows, const tcsi_expectations *expectations,
                          const tcsi_attribution_options *options, tcsi_attribution *ret_attribution, tcs_error *err)
{
    job j = { .subject = subject, .rows = rows, .count = tcsi_extent_count(rows), .channels = subject->frame->channel_count,
              .expectations = expectations, .options = options };
    const bool is_chosen = options->source != TCSI_ATTRIBUTION_NONE;
    tcsi_attribution_source source = is_chosen ? options->source : TCSI_ATTRIBUTION_PARTS;
    bool any = false;
    size_t cells;
    if (!tcsi_multiply(j.count, j.channels, &cells)) return tcsi_fail_memory(err, "an attribution");
    tcsi_attribution a = { .rows = rows, .channel_count = j.channels, .shares = TCSI_NEW_ZEROS(double, cells),
                           .signs = TCSI_NEW_ZEROS(int8_t, cells), .channels = TCSI_NEW_ZEROS(double, j.channels) };
    j.shares = a.shares;
    j.within = are_all_within(&j);
    tcs_status status = a.shares && a.signs && a.channels ? TCS_OK : tcsi_fail_memory(err, "an attribution");
    for (; status == TCS_OK && source <= TCSI_ATTRIBUTION_DEVIATION; source++) {
        if (is_chosen || is_worth_it(&j, source)) status = take(&j, source, &any, err);
        if (any || is_chosen) break;
    }
    if (status == TCS_OK && is_chosen && !any)
        status = tcsi_fail(err, TCS_E_UNSUPPORTED, "%s: no %s of this episode", subject->detector ? subject->detector->info->name : "?",
                           tcsi_attribution_source_name(source));
    if (status != TCS_OK) {
        tcsi_attribution_deinit(&a);
        return status;
    }
    a.source = any ? source : TCSI_ATTRIBUTION_NONE;
    a.error = source == TCSI_ATTRIBUTION_SHAPLEY ? j.error : 0;
    put_signs(&j, a.signs);
    for (size_t i = 0; i < j.count; i++)
        for (size_t c = 0; c < j.channels; c++) a.channels[c] += a.shares[i * j.channels + c];
    *ret_attribution = a;
    return TCS_OK;
}

tcsi_extent tcsi_attribution_span(const tcsi_attribution *attribution, size_t channel)
{
    const size_t channels = attribution->channel_count, count = tcsi_extent_count(attribution->rows);
    double highest = 0;
    size_t first = 0, last = count - 1;
    for (size_t i = 0; i < count; i++) highest = fmax(highest, attribution->shares[i * channels + channel]);
    while (first < last && attribution->shares[first * channels + channel] < span_share * highest) first++;
    while (last > first && attribution->shares[last * channels + channel] < span_share * highest) last--;
    return (tcsi_extent){ attribution->rows.begin + first, attribution->rows.begin + last + 1 };
}
