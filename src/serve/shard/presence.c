/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/shard/presence.h"

#include "base/bounds.h"

#include <math.h>
#include <string.h>

enum { KNOWN_RECEIPTS = 8, LAG_RECEIPTS = 1000, STALE_ROWS = 200 };
enum { PACE_BEGIN = 64, PACE_RUN = 16, PACE_PATIENCE = 500, PACE_TOLD_MAX = 2, PACE_FORGET = 1 << 18 };
enum { STUCK_MIN = 30, STUCK_RUNS = 4, STUCK_CHANGES = 20, RUN_MAX = 1 << 30 };

static const double CADENCE_WEIGHT = 0.05, GAP_MEMORY = 4000, RAISE = 4;
static const double SILENT_CADENCES = 5, SILENT_GAPS = 3, SILENT_S = 3, KNOWN_SILENCES = 10, STALE_S = 86400;
static const double LATE_STEPS = 5, LATE_S = 5, LATE_SPREADS = 8, LATE_GAPS = 3, LATE_FOR_S = 15, LAG_SLOW = 8;
static const double PACE_WEIGHT = 1.0 / 16, PACE_SPREAD_WEIGHT = 1.0 / 256, PACE_CLIP = 3, PACE_OCTAVES = 0.75, PACE_SPREADS = 1.4;
static const int64_t TICK_LATE_NS = INT64_C(4000000000);

const tcsi_presence_policy tcsi_presence_policy_auto = { NAN, NAN, NAN, NAN, NAN };

/* ---- small things ---- */

static double seconds(int64_t early_ns, int64_t late_ns)
{
    if (late_ns < early_ns) return -(double)((uint64_t)early_ns - (uint64_t)late_ns) * 1e-9;
    return (double)((uint64_t)late_ns - (uint64_t)early_ns) * 1e-9;
}

/* Logarithm and power of two, straight between powers: within 0.09 of the true ones, each other's inverse, and the same bits everywhere.
 * normal: from 1e-300 on. */
static double octaves(double normal)
{
    const uint64_t one = UINT64_C(1) << 52;
    uint64_t bits;
    double mantissa; /* [1, 2) */
    memcpy(&bits, &normal, sizeof bits);
    const int exponent = (int)(bits >> 52) - 1023;
    bits = (bits & (one - 1)) | UINT64_C(1023) << 52;
    memcpy(&mantissa, &bits, sizeof mantissa);
    return exponent - 1 + mantissa;
}

static double of_octaves(double x)
{
    const double whole = floor(x);
    return ldexp(1 + x - whole, (int)whole);
}

static void add_news(tcsi_presence_news *news, struct tcsi_presence_item item)
{
    TCS_ASSERT(news->count < TCSI_PRESENCE_NEWS_MAX);
    news->items[news->count++] = item;
}

static void open_kind(tcsi_presence *p, tcsi_presence_news *news, struct tcsi_presence_item item)
{
    p->open = (uint8_t)(p->open | 1u << item.kind);
    add_news(news, item);
}

/* If it is open, it is over. */
static void close_kind(tcsi_presence *p, tcsi_presence_news *news, struct tcsi_presence_item item)
{
    if (!tcsi_presence_is_open(p, item.kind)) return;
    p->open = (uint8_t)(p->open & ~(1u << item.kind));
    add_news(news, item);
}

/* ---- silence ---- */

static double silence_limit(const tcsi_presence *p, double set_s)
{
    if (!isnan(set_s)) return set_s;
    return tcsi_at_least(tcsi_at_least(SILENT_CADENCES * (double)p->cadence_s, SILENT_GAPS * (double)p->gap_s), SILENT_S);
}

static void learn_gap(tcsi_presence *p, double gap_s)
{
    const double usual_s = (double)p->gap_s, learned_s = p->is_known ? tcsi_at_most(gap_s, RAISE * usual_s) : gap_s;
    if (learned_s >= usual_s) p->gap_s = (float)learned_s;
    else p->gap_s = (float)(usual_s - (usual_s - learned_s) * tcsi_at_most(learned_s / (GAP_MEMORY * usual_s), 1));
    if (p->is_known) return;
    p->lived_s = (float)((double)p->lived_s + gap_s); /* the first burst of a batch is no gap yet */
    p->is_known = p->receipt_count >= KNOWN_RECEIPTS && (double)p->lived_s >= KNOWN_SILENCES * silence_limit(p, NAN);
}

/* Something came: silence is over. */
static void end_silence(tcsi_presence *p, const tcsi_presence_row *row, bool is_value, tcsi_presence_news *news)
{
    struct tcsi_presence_item item = { TCSI_LIVE_ABSENCE, TCSI_LIVE_RESOLVED, row->newest_ns, row->receive_ns, NAN, (double)p->gap_s };
    close_kind(p, news, item);
    item.kind = TCSI_LIVE_STALE;
    item.state = p->is_stale_sure ? TCSI_LIVE_RESOLVED : TCSI_LIVE_DISMISSED;
    if (is_value) close_kind(p, news, item);
}

/* ---- lag ---- */

/* How far the lag may be from what is usual. */
static double lag_reach(const tcsi_presence *p)
{
    const double step_s = tcsi_at_least((double)p->cadence_s, (double)p->gap_s);
    return tcsi_at_least(LATE_STEPS * step_s, LATE_S) + LATE_SPREADS * (double)p->lag_spread_s;
}

static bool is_late(const tcsi_presence *p, double lag_s, double set_s)
{
    if (!isnan(set_s)) return fabs(lag_s) > set_s;
    if (!p->is_known) return false;
    const double off_s = lag_s - (double)p->lag_s;
    return fabs(off_s) > lag_reach(p) && (off_s > 0 || lag_s < 0); /* to be less behind than usual is no fault */
}

/* The spread is of neighbours, so that a lag that grows slowly does not excuse itself. */
static void learn_lag(tcsi_presence *p, double lag_s)
{
    const double usual_s = (double)p->lag_s, before_s = (double)p->lag_before_s, reach_s = lag_reach(p);
    const double weight = 1 / (p->receipt_count * (p->late_ns ? LAG_SLOW : 1));
    const double learned_s = p->is_known ? tcsi_at_most(tcsi_at_least(lag_s, usual_s - reach_s), usual_s + reach_s) : lag_s;
    const double apart_s = p->receipt_count > 1 ? tcsi_at_most(fabs(lag_s - before_s), p->is_known ? reach_s : INFINITY) : 0;
    p->lag_s = (float)(usual_s + weight * (learned_s - usual_s));
    p->lag_spread_s = (float)((double)p->lag_spread_s + weight * (apart_s - (double)p->lag_spread_s));
    p->lag_before_s = (float)lag_s;
}

/* The receipt before this one is complete. */
static void follow_lag(tcsi_presence *p, const tcsi_presence_policy *policy, int64_t now_ns, tcsi_presence_news *news)
{
    const double lag_s = (double)p->lag_now_s;
    if (is_late(p, lag_s, policy->late_s)) {
        if (p->late_ns == 0) p->late_ns = p->received_ns;
    } else {
        close_kind(p, news, (struct tcsi_presence_item){ TCSI_LIVE_LATE, TCSI_LIVE_RESOLVED, p->late_ns, now_ns, lag_s,
                                                         (double)p->lag_s });
        p->late_ns = 0;
    }
    learn_lag(p, lag_s);
}

static void receive(tcsi_presence *p, const tcsi_presence_policy *policy, const tcsi_presence_row *row, tcsi_presence_news *news)
{
    const float lag_s = (float)seconds(row->time_ns, row->receive_ns);
    if (p->receipt_count > 0 && row->receive_ns == p->received_ns) {
        if (lag_s < p->lag_now_s) p->lag_now_s = lag_s;
        return;
    }
    if (p->receipt_count > 0) {
        follow_lag(p, policy, row->receive_ns, news);
        if (row->receive_ns > p->received_ns) learn_gap(p, seconds(p->received_ns, row->receive_ns));
    }
    if (p->receipt_count < LAG_RECEIPTS) p->receipt_count++;
    p->received_ns = row->receive_ns;
    p->lag_now_s = lag_s;
}

/* ---- cadence ---- */

static void learn_cadence(tcsi_presence *p, double step_s)
{
    const double usual_s = (double)p->cadence_s;
    /* A gap is no cadence: one step counts no more than twice the usual one. */
    p->cadence_s = (float)(usual_s > 0 ? usual_s + CADENCE_WEIGHT * (tcsi_at_most(step_s, 2 * usual_s) - usual_s) : step_s);
}

static double nearest_usual(const tcsi_presence *p)
{
    const double low = p->pace_low / 4.0, high = p->pace_high / 4.0;
    return of_octaves((double)p->pace < low ? low : (double)p->pace > high ? high : (double)p->pace);
}

static int8_t quarters(double octave)
{
    return (int8_t)fmin(fmax(nearbyint(4 * octave), INT8_MIN), INT8_MAX);
}

/* The first steps: nothing is usual yet. */
static void begin_pace(tcsi_presence *p, double step)
{
    const double weight = 1 / (double)(p->step_count < 16 ? p->step_count : 16);
    p->pace = (float)((double)p->pace + weight * (step - (double)p->pace));
    p->pace_spread = (float)((double)p->pace_spread + (fabs(step - (double)p->pace) - (double)p->pace_spread) / (double)p->step_count);
    if (p->step_count == PACE_BEGIN) p->pace_low = p->pace_high = quarters((double)p->pace);
}

/* That is usual, too, from now on. */
static void widen_pace(tcsi_presence *p)
{
    const int8_t pace = quarters((double)p->pace);
    if (pace < p->pace_low) p->pace_low = pace;
    if (pace > p->pace_high) p->pace_high = pace;
    p->pace_run = 0;
}

static void end_pace(tcsi_presence *p, int64_t now_ns, tcsi_presence_news *news)
{
    close_kind(p, news, (struct tcsi_presence_item){ TCSI_LIVE_CADENCE, TCSI_LIVE_RESOLVED, p->paced_ns, now_ns,
                                                     of_octaves((double)p->pace), nearest_usual(p) });
}

/* So far out of the range, for so many steps on end. */
static void leave_pace(tcsi_presence *p, const tcsi_presence_policy *policy, int64_t now_ns, tcsi_presence_news *news)
{
    if (p->pace_run++ == 0) p->paced_ns = now_ns;
    if (p->pace_run == PACE_RUN && p->pace_told == PACE_TOLD_MAX) widen_pace(p);
    else if (p->pace_run == PACE_RUN && !isinf(policy->cadence_s)) {
        p->pace_told++;
        open_kind(p, news, (struct tcsi_presence_item){ TCSI_LIVE_CADENCE, TCSI_LIVE_CONFIRMED, p->paced_ns, now_ns,
                                                        seconds(p->paced_ns, now_ns) / (PACE_RUN - 1), nearest_usual(p) });
    }
    if (p->pace_run < PACE_RUN + PACE_PATIENCE) return;
    end_pace(p, now_ns, news);
    widen_pace(p);
}

static void follow_pace(tcsi_presence *p, const tcsi_presence_policy *policy, const tcsi_presence_row *row, double step_s,
                        tcsi_presence_news *news)
{
    const double step = octaves(tcsi_at_most(tcsi_at_least(step_s, 1e-6), 1e9)), before = (double)p->pace;
    if (p->step_count < RUN_MAX) p->step_count++;
    if (p->step_count <= PACE_BEGIN) {
        begin_pace(p, step);
        return;
    }
    const double clip = PACE_CLIP * (1 + (double)p->pace_spread), reach = PACE_OCTAVES + PACE_SPREADS * (double)p->pace_spread;
    const double pace = before + PACE_WEIGHT * tcsi_at_most(tcsi_at_least(step - before, -clip), clip);
    p->pace = (float)pace;
    if (p->pace_told > 0 && p->step_count % PACE_FORGET == 0) p->pace_told--;
    if (pace < p->pace_low / 4.0 - reach || pace > p->pace_high / 4.0 + reach) {
        leave_pace(p, policy, row->time_ns, news);
        return;
    }
    const double spread = (double)p->pace_spread;
    p->pace_spread = (float)(spread + PACE_SPREAD_WEIGHT * (tcsi_at_most(fabs(step - pace), clip) - spread));
    end_pace(p, row->time_ns, news);
    p->pace_run = 0;
}

void tcsi_presence_steps(const tcsi_presence *presence, double *ret_low_s, double *ret_high_s)
{
    *ret_low_s = presence->step_count < PACE_BEGIN ? NAN : of_octaves(presence->pace_low / 4.0);
    *ret_high_s = presence->step_count < PACE_BEGIN ? NAN : of_octaves(presence->pace_high / 4.0);
}

/* ---- a row ---- */

void tcsi_presence_push(tcsi_presence *presence, const tcsi_presence_policy *policy, const tcsi_presence_row *row,
                        tcsi_presence_news *news)
{
    const bool is_mark = row->outcome == TCSI_OUTCOME_STALE, is_new = row->outcome == TCSI_OUTCOME_ACCEPTED;
    end_silence(presence, row, !is_mark, news);
    receive(presence, policy, row, news);
    if (is_mark) presence->is_ended = 1;
    if (!is_new) return;
    if (!presence->is_ended && row->newest_ns != INT64_MIN) {
        const double step_s = seconds(row->newest_ns, row->time_ns);
        learn_cadence(presence, step_s);
        follow_pace(presence, policy, row, step_s, news);
    }
    presence->is_ended = 0;
}

double tcsi_presence_rate(const tcsi_presence *presence)
{
    return presence->cadence_s > 0 && !presence->is_ended ? 1 / (double)presence->cadence_s : 0;
}

/* ---- a value ---- */

static void end_run(tcsi_presence *p, double last, int64_t now_ns, tcsi_presence_news *news)
{
    uint32_t run = p->same_count;
    const uint32_t most = (uint32_t)RAISE * (p->same_count_max > STUCK_MIN ? p->same_count_max : STUCK_MIN);
    if (tcsi_presence_is_open(p, TCSI_LIVE_STUCK) && run > most) run = most;
    close_kind(p, news, (struct tcsi_presence_item){ TCSI_LIVE_STUCK, TCSI_LIVE_RESOLVED, p->stuck_ns, now_ns, last, NAN });
    if (run > p->same_count_max) p->same_count_max = run < RUN_MAX ? run : RUN_MAX;
    p->same_count = 0;
    if (p->change_count < UINT16_MAX) p->change_count++;
}

/* A constant has nothing to be stuck from. */
static bool is_stuck(const tcsi_presence *p, double set_s, int64_t now_ns)
{
    if (!isnan(set_s)) return seconds(p->stuck_ns, now_ns) >= set_s;
    return p->change_count >= STUCK_CHANGES && p->same_count >= STUCK_MIN && p->same_count / STUCK_RUNS >= p->same_count_max;
}

void tcsi_presence_value(tcsi_presence *presence, const tcsi_presence_policy *policy, const tcsi_presence_row *row, double value,
                         double last, bool has_last, tcsi_presence_news *news)
{
    if (!has_last) return;
    if (value != last) {
        end_run(presence, last, row->time_ns, news);
        return;
    }
    if (presence->same_count == 0) presence->stuck_ns = row->newest_ns;
    if (presence->same_count < RUN_MAX) presence->same_count++;
    if (tcsi_presence_is_open(presence, TCSI_LIVE_STUCK) || !is_stuck(presence, policy->stuck_s, row->time_ns)) return;
    open_kind(presence, news, (struct tcsi_presence_item){ TCSI_LIVE_STUCK, TCSI_LIVE_CONFIRMED, presence->stuck_ns, row->time_ns, value,
                                                           NAN });
}

/* ---- a row of the past ---- */

void tcsi_presence_teach(tcsi_presence *presence, const tcsi_presence_row *row, double value, double last, bool has_last)
{
    static const tcsi_presence_policy silent = { INFINITY, INFINITY, INFINITY, INFINITY, INFINITY };
    tcsi_presence_news news = { .count = 0 };
    if (row->newest_ns != INT64_MIN) {
        const double step_s = seconds(row->newest_ns, row->time_ns);
        learn_cadence(presence, step_s);
        follow_pace(presence, &silent, row, step_s, &news);
    }
    tcsi_presence_value(presence, &silent, row, value, last, has_last, &news);
    TCS_ASSERT(news.count == 0);
}

/* ---- a tick ---- */

void tcsi_presence_look(tcsi_presence_watch *watch, int64_t now_ns)
{
    const int64_t step_ns = watch->tick_ns ? now_ns - watch->tick_ns : 0;
    if (watch->tick_ns == now_ns) return;
    const int64_t usual_ns = watch->step_ns > TICK_LATE_NS / 4 ? watch->step_ns : TICK_LATE_NS / 4;
    if (watch->since_ns == 0 || step_ns < 0 || step_ns / 4 > usual_ns) watch->since_ns = now_ns;
    watch->tick_ns = now_ns;
    watch->step_ns = step_ns > 0 ? step_ns : 0;
}

/* How long nothing has come while somebody looked. */
static double silent_s(const tcsi_presence *p, const tcsi_presence_watch *watch)
{
    const bool is_past = p->received_ns <= watch->tick_ns && p->received_ns > watch->since_ns; /* its clock may have been set back */
    return seconds(is_past ? p->received_ns : watch->since_ns, watch->tick_ns);
}

/* Is it known only now that it is one to be sure of, it becomes so; but what ended long before that was said is past. */
static void tick_ended(tcsi_presence *p, const tcsi_presence_policy *policy, double silence_s, struct tcsi_presence_item item,
                       tcsi_presence_news *news)
{
    const bool is_sure = !isnan(policy->stale_s), is_open = tcsi_presence_is_open(p, TCSI_LIVE_STALE);
    const double limit_s = silence_limit(p, policy->stale_s == 0 ? NAN : policy->stale_s);
    item.kind = TCSI_LIVE_STALE;
    item.state = is_sure ? TCSI_LIVE_CONFIRMED : silence_s > STALE_S ? TCSI_LIVE_DISMISSED : TCSI_LIVE_SUSPECTED;
    if (is_open && p->is_stale_sure) return;
    if (is_open && !is_sure && item.state == TCSI_LIVE_DISMISSED) close_kind(p, news, item);
    if (silence_s <= limit_s || (is_open && !is_sure)) return;
    if (!is_open && (silence_s > (is_sure ? limit_s : 0) + STALE_S || (!is_sure && p->step_count < STALE_ROWS))) return;
    p->is_stale_sure = is_sure;
    open_kind(p, news, item);
}

void tcsi_presence_tick(tcsi_presence *presence, const tcsi_presence_policy *policy, const tcsi_presence_watch *watch, int64_t newest_ns,
                        tcsi_presence_news *news)
{
    tcsi_presence *p = presence;
    if (p->receipt_count == 0) return;
    const double silence_s = silent_s(p, watch);
    const struct tcsi_presence_item item = { TCSI_LIVE_ABSENCE, TCSI_LIVE_CONFIRMED, newest_ns, watch->tick_ns, NAN, (double)p->gap_s };
    if (p->is_ended) {
        tick_ended(p, policy, silence_s, item, news);
        return;
    }
    const bool is_silent = (p->is_known || !isnan(policy->absence_s)) && silence_s > silence_limit(p, policy->absence_s);
    if (is_silent && !tcsi_presence_is_open(p, TCSI_LIVE_ABSENCE)) open_kind(p, news, item);
    if (is_silent || p->late_ns == 0 || tcsi_presence_is_open(p, TCSI_LIVE_LATE)) return;
    if (seconds(p->late_ns, p->received_ns) <= fmax(LATE_GAPS * (double)p->gap_s, LATE_FOR_S)) return;
    open_kind(p, news, (struct tcsi_presence_item){ TCSI_LIVE_LATE, TCSI_LIVE_CONFIRMED, p->late_ns, watch->tick_ns,
                                                    (double)p->lag_now_s, (double)p->lag_s });
}

/* ---- saved form ---- */

static void persist_u16(tcsi_codec *codec, uint16_t *value)
{
    uint32_t wide = *value;
    tcsi_codec_u32(codec, &wide);
    if (tcsi_codec_loading(codec) && wide > UINT16_MAX) tcsi_codec_refuse(codec, "a count out of range");
    *value = (uint16_t)wide;
}

static void persist_u8(tcsi_codec *codec, uint8_t *value, uint32_t max)
{
    uint32_t wide = *value;
    tcsi_codec_u32(codec, &wide);
    if (tcsi_codec_loading(codec) && wide > max) tcsi_codec_refuse(codec, "a flag out of range");
    *value = (uint8_t)wide;
}

static void persist_i8(tcsi_codec *codec, int8_t *value)
{
    uint8_t bits;
    memcpy(&bits, value, sizeof bits);
    persist_u8(codec, &bits, UINT8_MAX);
    memcpy(value, &bits, sizeof bits);
}

static bool is_sound(const tcsi_presence *p)
{
    const bool are_times = p->cadence_s >= 0 && p->gap_s >= 0 && p->lived_s >= 0 && p->lag_spread_s >= 0 && p->pace_spread >= 0;
    const bool are_finite = isfinite(p->cadence_s) && isfinite(p->gap_s) && isfinite(p->lived_s) && isfinite(p->lag_s) &&
                            isfinite(p->lag_spread_s) && isfinite(p->lag_now_s) && isfinite(p->lag_before_s) && isfinite(p->pace_spread);
    return are_times && are_finite && p->pace > -64 && p->pace < 64 && p->same_count <= RUN_MAX && p->same_count_max <= RUN_MAX &&
           p->receipt_count <= LAG_RECEIPTS && p->pace_low <= p->pace_high;
}

void tcsi_presence_persist(tcsi_presence *presence, tcsi_codec *codec)
{
    tcsi_presence *p = presence;
    tcsi_codec_i64(codec, &p->received_ns);
    tcsi_codec_i64(codec, &p->stuck_ns);
    tcsi_codec_i64(codec, &p->late_ns);
    tcsi_codec_i64(codec, &p->paced_ns);
    float *const figures[] = { &p->cadence_s, &p->gap_s, &p->lived_s, &p->lag_s, &p->lag_spread_s, &p->lag_now_s, &p->lag_before_s,
                               &p->pace, &p->pace_spread };
    for (size_t i = 0; i < TCS_COUNT(figures); i++) tcsi_codec_f32(codec, figures[i]);
    tcsi_codec_u32(codec, &p->same_count);
    tcsi_codec_u32(codec, &p->same_count_max);
    tcsi_codec_u32(codec, &p->step_count);
    uint16_t *const counts[] = { &p->receipt_count, &p->pace_run, &p->change_count };
    for (size_t i = 0; i < TCS_COUNT(counts); i++) persist_u16(codec, counts[i]);
    persist_i8(codec, &p->pace_low);
    persist_i8(codec, &p->pace_high);
    persist_u8(codec, &p->pace_told, PACE_TOLD_MAX);
    persist_u8(codec, &p->open, (1u << TCSI_LIVE_KIND_COUNT) - 1);
    persist_u8(codec, &p->is_known, 1);
    persist_u8(codec, &p->is_ended, 1);
    persist_u8(codec, &p->is_stale_sure, 1);
    if (tcsi_codec_loading(codec) && tcsi_codec_status(codec) == TCS_OK && !is_sound(p))
        tcsi_codec_refuse(codec, "a series out of range");
}

void tcsi_presence_watch_persist(tcsi_presence_watch *watch, tcsi_codec *codec)
{
    tcsi_codec_i64(codec, &watch->tick_ns);
    tcsi_codec_i64(codec, &watch->step_ns);
    tcsi_codec_i64(codec, &watch->since_ns);
}
