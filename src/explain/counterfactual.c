/* SPDX-License-Identifier: Apache-2.0 */
#include "explain/counterfactual.h"

#include "base/alloc.h"
#include "explain/expected.h"
#include "series/stats.h"

#include <math.h>
#include <string.h>

enum { STEPS = 6, LIKE = 2, EARLIER = 2, TARGETS = 2 + LIKE + EARLIER };
enum { BESIDE_MAX = 1024, BESIDE_ROWS = 24, BESIDE_CHANNELS = 8, LIKE_MAX = 2048 };
static const double off_max = 1e3;

typedef enum phase { PHASE_TARGET, PHASE_CHANNELS, PHASE_SHARE, PHASE_DONE } phase;

/* A change as it can be tried. */
typedef struct change {
    size_t target;        /* 0: expected, 1: with texture, then: as where surroundings were alike, then: as some periods earlier */
    bool is_wide;         /* rows beside the episode, too */
    size_t channel_count; /* the first so many of the order */
    double share;
} change;

/* How far the search for one episode has come. */
typedef struct search {
    const tcsi_counterfactual_task *task;
    phase phase;
    change trial, best;   /* what is tried next; the smallest that was quiet */
    bool is_found;
    size_t low, high;     /* PHASE_CHANNELS: so many are not enough, so many are */
    double share_low;     /* PHASE_SHARE: not enough */
    size_t steps_left;
    size_t *order;        /* (order_count) channels, largest share first */
    size_t order_count;
    double *targets[TARGETS]; /* (order_count,rows) */
} search;

typedef struct finder {
    const tcsi_subject *subject;
    const tcsi_counterfactual_options *options;
    tcsi_replays *replays;
    search *searches;
    size_t count;
} finder;

static tcsi_replay *item_of(const finder *f, const search *s) { return &f->replays->items[s - f->searches]; }

/* ---- what values are moved towards ---- */

static double clip(const finder *f, size_t channel, double value)
{
    if (!f->options->ranges) return value;
    const tcsi_range range = f->options->ranges[channel];
    if (value < range.low) return range.low; /* false of NaN */
    return value > range.high ? range.high : value;
}

static bool is_normal(const finder *f, tcsi_extent rows)
{
    return !memchr(f->subject->decision->anomaly + rows.begin, 1, tcsi_extent_count(rows));
}

/* How unlike the rows beside the changed ones are those beside a stretch that begins at `begin`: mean square, in deviations. */
static double unlikeness(const finder *f, const search *s, size_t begin)
{
    const tcsi_extent rows = item_of(f, s)->rows;
    const size_t count = tcsi_extent_count(rows), channels = s->order_count < BESIDE_CHANNELS ? s->order_count : BESIDE_CHANNELS;
    double sum = 0, known = 0;
    for (size_t k = 0; k < channels; k++) {
        const double *x = tcsi_frame_column(f->subject->frame, s->order[k]), spread = s->task->expectations->spreads[s->order[k]];
        for (size_t i = 1; i <= BESIDE_ROWS; i++) {
            const bool has_before = rows.begin >= i && begin >= i, has_behind = rows.end + i <= f->subject->frame->row_count;
            const double before = has_before ? (x[rows.begin - i] - x[begin - i]) / spread : NAN;
            const double behind = has_behind && !f->subject->is_online ? (x[rows.end + i - 1] - x[begin + count + i - 1]) / spread : NAN;
            sum += (fabs(before) <= off_max ? before * before : 0) + (fabs(behind) <= off_max ? behind * behind : 0);
            known += (fabs(before) <= off_max) + (fabs(behind) <= off_max);
        }
    }
    return known > 0 ? sum / known : INFINITY;
}

/* Where the stretch of normal rows begins, as long as the changed ones, whose surroundings are most like theirs; online an earlier one.
 * `but`: one that begins not near there.  SIZE_MAX: there is none. */
static size_t find_like(const finder *f, const search *s, size_t but)
{
    const tcsi_extent rows = item_of(f, s)->rows;
    const size_t count = tcsi_extent_count(rows), row_count = f->subject->frame->row_count;
    const size_t last = f->subject->is_online ? rows.begin : row_count, stride = 1 + last / LIKE_MAX;
    size_t best = SIZE_MAX;
    double least = INFINITY;
    for (size_t begin = BESIDE_ROWS; begin + count + BESIDE_ROWS <= last; begin += stride) {
        const tcsi_extent found = { begin, begin + count };
        const bool is_near = but != SIZE_MAX && found.begin < but + count && found.end > but;
        if (is_near || (found.begin < rows.end && found.end > rows.begin) || !is_normal(f, found)) continue;
        const double unlike = unlikeness(f, s, begin);
        if (unlike >= least) continue;
        least = unlike;
        best = begin;
    }
    return best;
}

/* The row that stands for row t a number of whole periods earlier, before all rows that are changed, `windows` times. */
static size_t earlier(tcsi_extent rows, size_t t, size_t windows, size_t period)
{
    const size_t count = tcsi_extent_count(rows), back = windows * (period > 0 ? (count + period - 1) / period * period : count);
    return rows.begin >= back ? t - back : SIZE_MAX;
}

/* Row i of a stretch that begins at `begin`, moved so that its ends meet what stands beside the changed rows. */
static double like_value(const double *x, tcsi_extent rows, size_t begin, size_t i, bool is_online, size_t row_count)
{
    const size_t count = tcsi_extent_count(rows);
    const double left = rows.begin > 0 && begin > 0 ? x[rows.begin - 1] - x[begin - 1] : 0;
    const double right = !is_online && rows.end < row_count ? x[rows.end] - x[begin + count] : left;
    const double along = ((double)i + 1) / ((double)count + 1), moved = x[begin + i] + left * (1 - along) + right * along;
    return tcsi_present(moved) ? moved : x[begin + i];
}

static void fill_channel(finder *f, search *s, size_t k, const size_t *like)
{
    const tcsi_extent rows = item_of(f, s)->rows;
    const tcsi_expectations *expectations = s->task->expectations;
    const size_t channel = s->order[k], count = tcsi_extent_count(rows);
    const double *x = tcsi_frame_column(f->subject->frame, channel);
    const bool has_before = !f->subject->is_tabular && rows.begin >= count;
    for (size_t i = 0; i < count; i++) {
        const size_t t = rows.begin + i, before = has_before ? t - count : t;
        const double expected = tcsi_expectation(expectations, channel, TCSI_EXPECTED, t);
        const double normal = tcsi_present(expected) ? expected : x[t];
        const double off = x[before] - tcsi_expectation(expectations, channel, TCSI_EXPECTED, before);
        const double texture = has_before && !f->subject->decision->anomaly[before] && tcsi_present(off) ? off : 0;
        s->targets[0][k * count + i] = clip(f, channel, normal);
        s->targets[1][k * count + i] = clip(f, channel, normal + texture);
        for (size_t n = 0; n < LIKE; n++) {
            const double value = like[n] == SIZE_MAX ? normal : like_value(x, rows, like[n], i, f->subject->is_online,
                                                                           f->subject->frame->row_count);
            s->targets[2 + n][k * count + i] = clip(f, channel, tcsi_present(value) ? value : normal);
        }
        for (size_t n = 0; n < EARLIER; n++) {
            const size_t at = f->subject->is_tabular ? SIZE_MAX : earlier(rows, t, n + 1, expectations->periods[channel]);
            const bool is_usable = at != SIZE_MAX && tcsi_present(x[at]) && !f->subject->decision->anomaly[at];
            s->targets[2 + LIKE + n][k * count + i] = clip(f, channel, is_usable ? x[at] : normal);
        }
    }
}

static tcs_status fill_targets(finder *f, search *s, tcs_error *err)
{
    const size_t count = tcsi_extent_count(item_of(f, s)->rows);
    for (size_t i = 0; i < TARGETS; i++) {
        s->targets[i] = TCSI_NEW_ARRAY(double, count * s->order_count);
        if (!s->targets[i]) return tcsi_fail_memory(err, "a counterfactual");
    }
    size_t like[LIKE] = { SIZE_MAX, SIZE_MAX };
    if (!f->subject->is_tabular) like[0] = find_like(f, s, SIZE_MAX);
    if (like[0] != SIZE_MAX) like[1] = find_like(f, s, like[0]);
    for (size_t k = 0; k < s->order_count; k++) fill_channel(f, s, k, like);
    return TCS_OK;
}

static tcs_status order_channels(search *s, size_t channels, tcs_error *err)
{
    s->order = TCSI_NEW_ARRAY(size_t, channels);
    if (!s->order) return tcsi_fail_memory(err, "channels");
    const double *shares = s->task->attribution->channels;
    for (size_t c = 0; c < channels; c++) { /* insertion: few channels carry anything, and only the first are kept */
        size_t at = s->order_count < TCSI_COUNTERFACTUAL_CHANNELS_MAX ? s->order_count++ : s->order_count;
        if (at == s->order_count && !(shares[s->order[--at]] < shares[c])) continue;
        for (; at > 0 && shares[s->order[at - 1]] < shares[c]; at--) s->order[at] = s->order[at - 1];
        s->order[at] = c;
    }
    return TCS_OK;
}

/* ---- trials ---- */

/* The rows of a change: the episode's, or all that are judged; online not those behind it, which came too late to matter. */
static tcsi_extent changed_rows(const finder *f, const search *s, const change *what)
{
    tcsi_extent rows = what->is_wide ? item_of(f, s)->rows : s->task->episode;
    if (f->subject->is_online) rows.end = s->task->episode.end;
    return rows;
}

static double changed_value(const search *s, const change *what, size_t k, size_t count, size_t i, double observed)
{
    const double target = s->targets[what->target][k * count + i];
    if (!tcsi_present(observed)) return target;
    return what->share >= 1 ? target : observed + what->share * (target - observed);
}

static void put_change(finder *f, search *s, const change *what)
{
    tcsi_replay *item = item_of(f, s);
    const size_t count = tcsi_extent_count(item->rows);
    const tcsi_extent rows = changed_rows(f, s, what);
    tcsi_replay_restore(f->replays, item);
    for (size_t k = 0; k < what->channel_count; k++) {
        double *values = item->values + s->order[k] * count;
        for (size_t i = rows.begin - item->rows.begin; i < rows.end - item->rows.begin; i++)
            values[i] = clip(f, s->order[k], changed_value(s, what, k, count, i, values[i]));
    }
}

static bool alarms(const finder *f, const tcsi_replay *item, size_t t)
{
    const tcs_score *score = &item->scores[t - item->rows.begin];
    return score->state == TCS_SCORE_READY && tcsi_subject_level(f->subject, score) > f->subject->decision->thresholds[t];
}

/* No row of the episode alarms, nor one before it that did not. */
static bool is_quiet(const finder *f, const search *s)
{
    const tcsi_replay *item = item_of(f, s);
    for (size_t t = item->rows.begin; t < s->task->episode.end; t++)
        if (alarms(f, item, t) && (t >= s->task->episode.begin || !f->subject->decision->anomaly[t])) return false;
    return true;
}

/* Does a row behind the episode alarm that did not? */
static bool is_late(const finder *f, const search *s)
{
    const tcsi_replay *item = item_of(f, s);
    for (size_t t = s->task->episode.end; t < item->rows.end; t++)
        if (alarms(f, item, t) && !f->subject->decision->anomaly[t]) return true;
    return false;
}

/* ---- the search ---- */

static size_t step_count(const finder *f) { return f->options->step_count ? f->options->step_count : STEPS; }

static void begin_share(const finder *f, search *s)
{
    s->phase = PHASE_SHARE;
    s->share_low = 0;
    s->steps_left = step_count(f);
    s->trial = s->best;
    s->trial.share = 0.5;
}

static void next_channels(const finder *f, search *s)
{
    if (s->high - s->low <= 1) {
        begin_share(f, s);
        return;
    }
    s->trial = s->best;
    s->trial.channel_count = s->low + (s->high - s->low) / 2;
}

/* What was tried is quiet or not: what is tried next? */
static void go_on(const finder *f, search *s, bool quiet)
{
    if (quiet) {
        s->best = s->trial;
        s->is_found = true;
    }
    switch (s->phase) {
    case PHASE_TARGET:
        if (quiet) {
            s->phase = PHASE_CHANNELS;
            s->low = 0;
            s->high = s->order_count;
            next_channels(f, s);
        } else if (!s->trial.is_wide) {
            s->trial.is_wide = true;
        } else if (++s->trial.target < TARGETS) {
            s->trial.is_wide = false;
        } else {
            s->phase = PHASE_DONE;
        }
        break;
    case PHASE_CHANNELS:
        if (quiet) s->high = s->trial.channel_count;
        else s->low = s->trial.channel_count;
        next_channels(f, s);
        break;
    case PHASE_SHARE:
        if (!quiet) s->share_low = s->trial.share;
        s->trial.share = 0.5 * (s->share_low + s->best.share);
        if (--s->steps_left == 0) s->phase = PHASE_DONE;
        break;
    case PHASE_DONE: break;
    }
}

static bool any_left(const finder *f)
{
    for (size_t i = 0; i < f->count; i++)
        if (f->searches[i].phase != PHASE_DONE) return true;
    return false;
}

/* All searches in step; one that is done keeps its best change in place for the others. */
static tcs_status search_all(finder *f, tcs_error *err)
{
    tcs_status status = TCS_OK;
    while (status == TCS_OK && any_left(f)) {
        for (size_t i = 0; i < f->count; i++) {
            search *s = &f->searches[i];
            f->replays->items[i].is_wanted = s->phase != PHASE_DONE;
            f->replays->items[i].until = s->task->episode;
            if (s->phase != PHASE_DONE) put_change(f, s, &s->trial);
            else if (s->is_found) put_change(f, s, &s->best);
            else tcsi_replay_restore(f->replays, &f->replays->items[i]);
        }
        status = tcsi_replays_run(f->replays, false, err);
        for (size_t i = 0; i < f->count && status == TCS_OK; i++)
            if (f->searches[i].phase != PHASE_DONE) go_on(f, &f->searches[i], is_quiet(f, &f->searches[i]));
    }
    return status;
}

/* ---- the answer ---- */

static double highest_level(const tcsi_subject *subject, const tcs_score *scores, size_t count)
{
    double highest = NAN;
    for (size_t i = 0; i < count; i++)
        if (scores[i].state == TCS_SCORE_READY) highest = fmax(highest, tcsi_subject_level(subject, &scores[i]));
    return highest;
}

/* Sizes of the change, in deviations of the channels; of values that were missing nothing is said. */
static double change_size(const finder *f, const search *s, const tcsi_counterfactual *answer)
{
    const size_t count = tcsi_extent_count(answer->rows);
    double sum = 0, cells = 0;
    for (size_t k = 0; k < answer->channel_count; k++) {
        const double *column = tcsi_frame_column(f->subject->frame, answer->channels[k]) + answer->rows.begin;
        for (size_t i = 0; i < count; i++) {
            const double off = (answer->values[k * count + i] - column[i]) / s->task->expectations->spreads[answer->channels[k]];
            if (!isfinite(off)) continue;
            sum += off * off;
            cells++;
        }
    }
    return cells > 0 ? sqrt(sum / cells) : NAN;
}

static tcs_status answer_one(finder *f, search *s, tcsi_counterfactual *ret, tcs_error *err)
{
    const tcsi_replay *item = item_of(f, s);
    const tcsi_extent episode = s->task->episode, rows = changed_rows(f, s, &s->best);
    const size_t count = tcsi_extent_count(rows), offset = rows.begin - item->rows.begin;
    ret->outcome = s->is_found ? TCSI_COUNTERFACTUAL_FOUND : TCSI_COUNTERFACTUAL_NONE;
    ret->trial_count = f->replays->run_count;
    ret->score_before = highest_level(f->subject, f->subject->scores + episode.begin, tcsi_extent_count(episode));
    ret->threshold = INFINITY;
    for (size_t t = episode.begin; t < episode.end; t++) ret->threshold = fmin(ret->threshold, f->subject->decision->thresholds[t]);
    if (!s->is_found) return TCS_OK;
    ret->rows = rows;
    ret->channel_count = s->best.channel_count;
    ret->share = s->best.share;
    ret->is_late = is_late(f, s);
    ret->score_after = highest_level(f->subject, item->scores + (episode.begin - item->rows.begin), tcsi_extent_count(episode));
    ret->channels = TCSI_NEW_ARRAY(size_t, ret->channel_count);
    ret->values = TCSI_NEW_ARRAY(double, ret->channel_count * count);
    if (!ret->channels || !ret->values) return tcsi_fail_memory(err, "a counterfactual");
    for (size_t k = 0; k < ret->channel_count; k++) {
        ret->channels[k] = s->order[k];
        memcpy(ret->values + k * count, item->values + s->order[k] * tcsi_extent_count(item->rows) + offset, count * sizeof(double));
    }
    ret->change = change_size(f, s, ret);
    return TCS_OK;
}

/* The answers once more.  One that does not hold beside the others, which may have ended elsewhere than where it was found, is none. */
static tcs_status check_all(finder *f, tcs_error *err)
{
    for (size_t i = 0; i < f->count; i++) {
        f->replays->items[i].is_wanted = f->searches[i].is_found;
        f->replays->items[i].until = (tcsi_extent){ 0, 0 };
        if (f->searches[i].is_found) put_change(f, &f->searches[i], &f->searches[i].best);
    }
    tcs_status status = tcsi_replays_run(f->replays, false, err);
    for (size_t i = 0; i < f->count && status == TCS_OK; i++)
        if (f->searches[i].is_found) f->searches[i].is_found = is_quiet(f, &f->searches[i]);
    return status;
}

/* ---- together ---- */

tcsi_extent tcsi_counterfactual_judged(const tcsi_subject *subject, tcsi_extent episode, size_t since)
{
    if (subject->is_tabular) return episode;
    const size_t horizon = tcsi_detector_horizon(subject->detector);
    const size_t beside = horizon < 4 ? 4 : horizon < BESIDE_MAX ? horizon : BESIDE_MAX;
    tcsi_extent rows = tcsi_extent_widen(episode, beside, subject->frame->row_count);
    if (since < rows.begin) rows.begin = since;
    return rows;
}

tcsi_extent tcsi_counterfactual_rows(const tcsi_subject *subject, tcsi_extent episode)
{
    const size_t since = episode.begin > TCSI_COUNTERFACTUAL_BACK_MAX ? episode.begin - TCSI_COUNTERFACTUAL_BACK_MAX : 0;
    tcsi_extent rows = tcsi_counterfactual_judged(subject, episode, since);
    const size_t before = subject->is_tabular ? 0 : tcsi_extent_count(rows);
    rows.begin -= rows.begin < before ? rows.begin : before;
    return rows;
}

static tcs_status prepare(finder *f, const tcsi_counterfactual_task *tasks, tcs_error *err)
{
    tcs_status status = TCS_OK;
    f->searches = TCSI_NEW_ZEROS(search, f->count);
    if (!f->searches) return tcsi_fail_memory(err, "counterfactuals");
    for (size_t i = 0; i < f->count && status == TCS_OK; i++) {
        search *s = &f->searches[i];
        s->task = &tasks[i];
        s->phase = s->task->is_asked ? PHASE_TARGET : PHASE_DONE;
        tcsi_replay_restore(f->replays, item_of(f, s));
        if (!s->task->is_asked) continue;
        status = order_channels(s, f->subject->frame->channel_count, err);
        if (status == TCS_OK) status = fill_targets(f, s, err);
        s->trial = (change){ .channel_count = s->order_count, .share = 1 };
    }
    return status;
}

static void finder_deinit(finder *f)
{
    for (size_t i = 0; f->searches && i < f->count; i++) {
        tcsi_free(f->searches[i].order);
        for (size_t k = 0; k < TARGETS; k++) tcsi_free(f->searches[i].targets[k]);
    }
    tcsi_free(f->searches);
}

tcs_status tcsi_counterfactuals_find(tcsi_replays *replays, const tcsi_counterfactual_task *tasks,
                                     const tcsi_counterfactual_options *options, tcsi_counterfactual *ret, tcs_error *err)
{
    finder f = { .subject = replays->subject, .options = options, .replays = replays, .count = replays->count };
    replays->run_count = 0;
    tcs_status status = prepare(&f, tasks, err);
    if (status == TCS_OK) status = search_all(&f, err);
    if (status == TCS_OK) status = check_all(&f, err);
    for (size_t i = 0; i < f.count && status == TCS_OK; i++)
        if (tasks[i].is_asked) status = answer_one(&f, &f.searches[i], &ret[i], err);
    finder_deinit(&f);
    return status;
}

void tcsi_counterfactual_deinit(tcsi_counterfactual *counterfactual)
{
    tcsi_free(counterfactual->channels);
    tcsi_free(counterfactual->values);
    *counterfactual = (tcsi_counterfactual){ .outcome = TCSI_COUNTERFACTUAL_NOT_ASKED };
}
