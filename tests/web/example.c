/* tests/web/example.c -- writes reports of made-up detections, for the browser test and for looking at.
 *
 * usage: report_example KIND FILE.html     KIND: a name in `kinds` below
 * The data are a daily wave with noise and a few events; the scores are made up as well, so that a report can be had without
 * any detector and every part of the page has something to show.  The same kind gives the same bytes. */
#include "base/alloc.h"
#include "base/rng.h"
#include "io/plot.h"
#include "io/report.h"
#include "series/expect.h"
#include "series/time.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct example_kind {
    const char *name;
    size_t row_count, channel_count, episode_count, period;
    bool has_times, has_labels, threshold_varies, is_nasty;
} example_kind;

static const example_kind kinds[] = {
    { "plain", 20160, 5, 6, 1440, true, true, false, false },
    { "million", 1000000, 1, 40, 1440, true, false, false, false },
    { "eight", 100000, 8, 12, 1440, true, true, false, false },
    { "wide", 2000, 200, 5, 100, false, false, false, false },
    { "online", 5000, 1, 4, 288, true, false, true, false },
    { "quiet", 3000, 2, 0, 288, true, false, false, false },
    { "one", 1, 1, 0, 0, false, false, false, false },
    { "nasty", 500, 6, 3, 0, false, true, false, true },
};

enum { EPISODE_COUNT_MAX = 64, PAGE_COUNT = 4, EXPECTED_COUNT = 2 }; /* the others have no page, as beyond the first of a real report */

typedef struct example {
    const example_kind *kind;
    tcsi_frame *frame;
    tcs_score *scores;
    double *thresholds;
    tcsi_report_episode episodes[EPISODE_COUNT_MAX];
    tcsi_report_reason reasons[PAGE_COUNT];
    double *numbers[PAGE_COUNT]; /* what they point into */
    tcsi_report_expected expected[EXPECTED_COUNT];
    tcsi_report_reliability reliability;
} example;

static double noise(uint64_t seed, uint64_t index)
{
    tcsi_rng rng = tcsi_rng_make(seed, index);
    return tcsi_rng_normal(&rng);
}

static void make_episode(example *e, size_t i)
{
    const example_kind *kind = e->kind;
    size_t begin = kind->row_count * (2 * i + 1) / (2 * kind->episode_count), length = 1 + kind->row_count / 400 * (i % 4);
    tcsi_report_episode *episode = &e->episodes[i];
    *episode = (tcsi_report_episode){ .row_begin = begin, .row_end = begin + length, .row_peak = begin + length / 2,
                                      .severity = 96 - 40.0 * (double)i / (double)kind->episode_count, .share_count = 0 };
    episode->expected_count = pow(10, (50 - episode->severity) / 10);
    episode->p_value = episode->expected_count / (double)kind->row_count;
    episode->score = 4 + (episode->severity - 50) / 5;
    double left = 1;
    for (size_t k = 0; k < 4 && k < kind->channel_count; k++) {
        double share = k + 1 == kind->channel_count ? left : left * 0.6;
        episode->shares[k] = (tcsi_report_share){ .channel = (i + 7 * k) % kind->channel_count, .share = share };
        left -= share;
        episode->share_count++;
        double *values = tcsi_frame_column(e->frame, episode->shares[k].channel);
        for (size_t t = begin; t < begin + length; t++) values[t] += 30 * share;
    }
    for (size_t t = begin; t < begin + length; t++) {
        e->scores[t].value = episode->score - 0.2 * fabs((double)t - (double)episode->row_peak) / (double)length;
        e->scores[t].p_value = episode->p_value;
        if (e->frame->labels) e->frame->labels[t] = i != 1;
    }
}

/* ---- reasons ---- */

/* Numbers of a reason: a band and what would have been quiet for each story, then shares. */
static tcs_status reserve_numbers(example *e, size_t i, double **ret_at, tcs_error *err)
{
    const tcsi_report_episode *episode = &e->episodes[i];
    const tcsi_report_reason *reason = &e->reasons[i];
    const size_t view = reason->view_end - reason->view_begin, rows = episode->row_end - episode->row_begin;
    e->numbers[i] = TCSI_NEW_ZEROS(double, 4 * view * episode->share_count + rows * e->kind->channel_count);
    *ret_at = e->numbers[i];
    return *ret_at ? TCS_OK : tcsi_fail_memory(err, "an example");
}

static double *make_story(const example *e, const tcsi_report_reason *reason, const tcsi_report_share *share, tcsi_report_story *story,
                          double *at)
{
    const size_t view = reason->view_end - reason->view_begin;
    const double *values = tcsi_frame_column(e->frame, share->channel);
    double *expecteds = at, *lows = at + view, *highs = at + 2 * view, *instead = at + 3 * view;
    for (size_t t = 0; t < view; t++) {
        expecteds[t] = values[reason->view_begin]; /* a gap, where that is missing */
        lows[t] = expecteds[t] - 3;
        highs[t] = expecteds[t] + 3;
        instead[t] = expecteds[t] + 0.5;
    }
    *story = (tcsi_report_story){ .channel = share->channel, .share = share->share, .kind = "level shift",
                                  .is_persistent = share->share > 0.5, .value = expecteds[0] + 9, .expected = expecteds[0], .low = lows[0], .high = highs[0],
                                  .expecteds = expecteds, .lows = lows, .highs = highs, .instead = share->share > 0.2 ? instead : NULL };
    return at + 4 * view;
}

static void make_likenesses(const example *e, size_t i)
{
    tcsi_report_reason *reason = (tcsi_report_reason *)e->episodes[i].reason;
    const size_t normal = reason->view_begin / 2;
    for (size_t k = 0; k < 2 && k < i; k++)
        reason->likenesses[reason->likeness_count++] =
            (tcsi_report_likeness){ .row_begin = e->episodes[k].row_begin, .row_end = e->episodes[k].row_end, .rank = k,
                                    .label = k == 0 ? "valve <b>stuck</b>" : NULL, .labelled_by = "labelled", .raw = 1.5, .shape = 0.7 };
    if (normal > 0)
        reason->likenesses[reason->likeness_count++] = (tcsi_report_likeness){ .row_begin = normal, .row_end = normal + 20, .rank = SIZE_MAX, .raw = 3.25,
                                                                       .shape = 1.4 };
}

/* Attention of the first, nearest patches of the second. */
static tcsi_report_map make_map(const example *e, size_t i)
{
    enum { LINES = 3, COLUMNS = 4 };
    static const double cells[LINES * COLUMNS] = { 0.7, 0.1, 0.1, 0.1, 0, 0.6, 0.2, 0.2, 0.25, 0.25, 0.25, 0.25 };
    static size_t rows[2][LINES], begins[COLUMNS], ends[COLUMNS];
    const tcsi_report_episode *episode = &e->episodes[i];
    if (i > 1 || e->kind->row_count < 8) return (tcsi_report_map){ .row_count = 0 };
    for (size_t k = 0; k < LINES; k++)
        rows[i][k] = episode->row_begin + k < episode->row_end ? episode->row_begin + k : episode->row_end - 1;
    for (size_t k = 0; k < COLUMNS; k++) ends[k] = (begins[k] = k * e->kind->row_count / 8) + 1;
    return (tcsi_report_map){ .kind = i == 0 ? "attention" : "likeness", .rows = rows[i], .begins = begins, .ends = ends,
                              .row_count = LINES, .column_count = COLUMNS, .cells = cells };
}

static tcs_status make_reason(example *e, size_t i, tcs_error *err)
{
    tcsi_report_episode *episode = &e->episodes[i];
    tcsi_report_reason *reason = &e->reasons[i];
    double *at;
    *reason = (tcsi_report_reason){ .advice = "it would not have alarmed with less of everything", .source = "parts",
                                    .view_begin = episode->row_begin > 60 ? episode->row_begin - 60 : 0,
                                    .has_change = i % 2 == 0, .trial_count = 12, .score_before = 9, .score_after = i % 2 == 0 ? 2.5 : NAN, .threshold = 4, .changed_channel_count = 2 };
    reason->view_end = e->kind->row_count - episode->row_end > 60 ? episode->row_end + 60 : e->kind->row_count;
    reason->change_begin = reason->view_begin; /* of its whole view */
    reason->change_end = reason->view_end;
    tcs_status status = reserve_numbers(e, i, &at, err);
    if (status != TCS_OK) return status;
    for (size_t k = 0; k < episode->share_count; k++) {
        at = make_story(e, reason, &episode->shares[k], &reason->stories[k], at);
        reason->story_count++;
    }
    reason->shares = at;
    for (size_t t = 0; t < episode->row_end - episode->row_begin; t++)
        for (size_t k = 0; k < episode->share_count; k++)
            at[t * e->kind->channel_count + episode->shares[k].channel] = episode->shares[k].share * (double)(1 + t % 7);
    reason->map = make_map(e, i);
    episode->reason = reason;
    make_likenesses(e, i);
    return TCS_OK;
}

/* What is told of an episode whether it has a page or not; some of it is unknown here and there. */
static void make_words(example *e, size_t i)
{
    static const char *const states[] = { "suspected", "confirmed", "resolved", "dismissed" };
    tcsi_report_episode *episode = &e->episodes[i];
    episode->state = states[i % 4];
    episode->row_confirmed = i % 4 == 1 || i % 4 == 2 ? episode->row_peak : SIZE_MAX;
    episode->kind = i == 2 ? NULL : "level shift";
    episode->probability = i == 3 ? NAN : 0.9;
    episode->sentence = e->kind->is_nasty ? "<img src=x onerror=window.hacked=1> rose \xff above its band"
                                          : "pressure fell 18 % (2.1) below its expected band from 2026-01-08 14:02 on, 40 s before flow";
    if (i == 0) episode->limit = e->kind->is_nasty ? "</span><script>window.hacked = 1</script>" : "level above 4.5 m";
    if (i == 1) episode->signature = "valve stuck";
}

static void make_trust(example *e)
{
    e->reliability = (tcsi_report_reliability){ .bin_count = e->kind->has_labels ? 3 : 0, .ece = 0.031, .brier = 0.012 };
    for (size_t i = 0; i < e->reliability.bin_count; i++) {
        e->reliability.bins[i].row_count = i == 1 ? 0 : 100 * (i + 1);
        e->reliability.bins[i].probability = 0.1 + 0.4 * (double)i;
        e->reliability.bins[i].share = 0.05 + 0.45 * (double)i;
    }
    for (size_t i = 0; i < EXPECTED_COUNT; i++)
        e->expected[i] = (tcsi_report_expected){ 10 * i, 10 * i + 5, e->kind->is_nasty ? "<b onclick=hacked=1>deploy" : "maintenance" };
}

static tcs_status make_reasons(example *e, tcs_error *err)
{
    tcs_status status = TCS_OK;
    make_trust(e);
    for (size_t i = 0; i < e->kind->episode_count && status == TCS_OK; i++) {
        make_words(e, i);
        if (i < PAGE_COUNT) status = make_reason(e, i, err);
    }
    return status;
}

/* ---- the example ---- */

static void make_values(example *e)
{
    const example_kind *kind = e->kind;
    for (size_t c = 0; c < kind->channel_count; c++) {
        double *values = tcsi_frame_column(e->frame, c);
        for (size_t t = 0; t < kind->row_count; t++) {
            double wave = kind->period ? sin(6.283185307179586 * ((double)t / (double)kind->period + 0.1 * (double)c)) : 0;
            values[t] = 20 + 10 * (double)c + 6 * wave + noise(1 + c, t);
            if (t % 9973 > 9900 || (c == 1 && t % 997 < 9)) values[t] = NAN;
        }
    }
    for (size_t t = 0; t < kind->row_count; t++) {
        e->scores[t] = (tcs_score){ .state = t < kind->row_count / 50 ? TCS_SCORE_WARMUP : TCS_SCORE_READY, .value = fabs(noise(99, t)) * 0.8 };
        e->scores[t].p_value = erfc(e->scores[t].value / 0.8 / sqrt(2));
        if (kind->threshold_varies) e->scores[t].noise = 0.5f, e->scores[t].uncertainty = 0.25f;
        e->thresholds[t] = kind->threshold_varies ? 3.2 + 1.5 * exp(-(double)t / 800) : 4;
        if (kind->has_times)
            e->frame->times_ns[t] = INT64_C(1767571200) * TCSI_NS_PER_S + (int64_t)t * TCSI_NS_PER_MINUTE +
                                    (t > kind->row_count / 3 ? 400 * TCSI_NS_PER_MINUTE : 0);
    }
}

/* Everything that has ever broken a page. */
static tcs_status make_nasty(example *e, tcs_error *err)
{
    static const char *const names[] = { "</script><script>window.hacked = 1</script>", "<img src=x onerror=hacked=1>", "a&b \"quoted\" 'too'",
                                         "bad \xff\xfe bytes", "<!-- comment", "huge" };
    tcs_status status = TCS_OK;
    for (size_t c = 0; c < TCS_COUNT(names) && status == TCS_OK; c++) status = tcsi_frame_channel_rename(e->frame, c, names[c], err);
    for (size_t t = 0; t < e->kind->row_count; t++) {
        tcsi_frame_column(e->frame, 0)[t] = NAN;
        tcsi_frame_column(e->frame, 1)[t] = 42;
        tcsi_frame_column(e->frame, 2)[t] = t % 2 ? INFINITY : 1e308;
        tcsi_frame_column(e->frame, 3)[t] = 1e-310 * (double)t;
        tcsi_frame_column(e->frame, 4)[t] = 1e12 + 1e-3 * (double)t;
        tcsi_frame_column(e->frame, 5)[t] = t % 7 ? 1e149 : -1e149;
    }
    return status;
}

static tcs_status band(void *context, size_t channel, double *ret_expected, double *ret_low, double *ret_high, tcs_error *err)
{
    const example *e = context;
    return tcsi_expect(tcsi_frame_column(e->frame, channel), e->kind->row_count, e->kind->period, ret_expected, ret_low, ret_high, NULL, err);
}

static tcs_status make_example(example *e, tcs_error *err)
{
    const example_kind *kind = e->kind;
    tcs_status status = tcsi_frame_create(kind->channel_count, kind->row_count, kind->has_times, kind->has_labels, &e->frame, err);
    if (status != TCS_OK) return status;
    e->scores = TCSI_NEW_ZEROS(tcs_score, kind->row_count);
    e->thresholds = TCSI_NEW_ZEROS(double, kind->row_count);
    if (!e->scores || !e->thresholds) return tcsi_fail_memory(err, "an example");
    e->frame->row_count = kind->row_count;
    if (e->frame->labels) memset(e->frame->labels, 0, kind->row_count);
    make_values(e);
    for (size_t i = 0; i < kind->episode_count; i++) make_episode(e, i);
    status = kind->is_nasty ? make_nasty(e, err) : TCS_OK;
    return status == TCS_OK ? make_reasons(e, err) : status;
}

static tcs_status write_file(const example *e, const char *path, tcs_error *err)
{
    static const char *const notes[] = { "time column 'time': ISO 8601, every minute, in order", "1 gap, 400 rows missing, the longest gap 6 h 40 min" };
    static const tcsi_report_fact facts[] = { { "Mode", "offline: looks back over everything" }, { "Detector", "made up for this test" },
                                              { "Alarm budget", "1 false alarm in all rows" } };
    static const tcsi_report_fact method[] = { { "Detector", "none: scores are drawn, events are placed" },
                                               { "Calibration", "generalized Pareto tail over 120 clusters of 20,160 reference rows" } };
    static const tcsi_report_fact assumption[] = { { "Policy", "alarm budget: later normal rows score like earlier ones" } };
    static const tcsi_report_fact promise[] = { { "Promised", "at most 1 false alarm" }, { "Raised", "6 alarms" } };
    tcsi_report report = { .title = e->kind->is_nasty ? "</title><script>window.hacked = 1</script>" : "plant.csv", .version = "0.1.0",
                           .frame = e->frame, .has_times = e->kind->has_times, .scores = e->scores, .thresholds = e->thresholds,
                           .episodes = e->episodes, .episode_count = e->kind->episode_count, .facts = facts, .fact_count = TCS_COUNT(facts),
                           .method = method, .method_count = TCS_COUNT(method), .notes = notes, .note_count = TCS_COUNT(notes), .band = band,
                           .context = (void *)e, .assumption = assumption, .assumption_count = TCS_COUNT(assumption), .promise = promise,
                           .promise_count = TCS_COUNT(promise), .reliability = e->reliability };
    if (e->kind->episode_count > 0 && e->kind->has_labels) {
        report.expected = e->expected;
        report.expected_count = EXPECTED_COUNT;
    }
    size_t length = strlen(path);
    if (length > 4 && strcmp(path + length - 4, ".png") == 0) return tcsi_plot_write(&report, path, err);
    return tcsi_report_write(&report, path, err);
}

int main(int argc, char **argv)
{
    tcs_error err = { 0 };
    example e = { 0 };
    for (size_t i = 0; argc == 3 && i < TCS_COUNT(kinds); i++)
        if (strcmp(kinds[i].name, argv[1]) == 0) e.kind = &kinds[i];
    if (!e.kind) {
        fprintf(stderr, "usage: report_example KIND FILE.html|FILE.png\n");
        return 2;
    }
    tcs_status status = make_example(&e, &err);
    if (status == TCS_OK) status = write_file(&e, argv[2], &err);
    if (status != TCS_OK) fprintf(stderr, "report_example: %s\n", err.text);
    tcsi_frame_destroy(e.frame);
    tcsi_free(e.scores);
    tcsi_free(e.thresholds);
    for (size_t i = 0; i < PAGE_COUNT; i++) tcsi_free(e.numbers[i]);
    return status != TCS_OK;
}
