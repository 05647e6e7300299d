/* bench/answers_bench.c -- what two hundred answers are worth: labelled series through the live service's own functions, with and without.
 *
 * usage: answers_bench FILE.json [SUITE FOLDER]...                     the label replay; without a suite, on SIMULATED series
 *        answers_bench --distances [SUITE FOLDER]...                   what a distance between patterns means (adapt/pattern.c)
 *
 * All series of the suites are one fleet over the same DAYS days: each has its rows evenly in them, and arrives as live rows do (shard/live.h,
 * one thread).  Series of one source are of one metric, so that "similar series" means something.  An oracle who knows the labels answers
 * the first ANSWERS episodes that were told (confirmed, and over), each as soon as it is over: *true* when it shares a row with a labelled
 * event or is within SLACK rows of one (of what looks like it), else *expected* (of what the row of the table says).  Counted is what is told from the last answer on: false alarms, and labelled events
 * that at least one told episode meets.  The same stretch of a run at the same budget without answers stands beside it.
 * "lost" are events that the run without answers found and the one with them did not; of these "quiet" those that a suppressed episode met;
 * "quiet and real" are suppressed episodes that met an event; "guarded" are questions in which the votes were for quiet and a guard against.
 * Wrong answers: each is turned round with that chance.  Three raters: the same episodes are answered by three people of whom one, two and
 * three in ten answers are wrong, combined by how they agree (adapt/raters.h), each answer weighed by how far its giver is believed then.
 * SPDX-License-Identifier: Apache-2.0 */
#include "adapt/raters.h"
#include "base/alloc.h"
#include "base/file.h"
#include "base/rng.h"
#include "figure.h"
#include "serve/shard/live.h"
#include "simulate/series.h"
#include "study/suite.h"

#include <stdio.h>

enum { DAYS = 30, MOMENTS = 20000, ANSWERS = 200, SLACK = 16, SERIES_MAX = 4096, EPISODES_MAX = 200000, RATERS = 3, SIMULATED = 400 };
static const int64_t START_NS = INT64_C(1767571200000000000), DAY_NS = INT64_C(86400000000000);
static const double BUDGETS[] = { 20, 60 };

static void stop_on(tcs_status status, const tcs_error *err)
{
    if (status == TCS_OK) return;
    fprintf(stderr, "answers_bench: %s\n", err->text);
    exit(1);
}

/* ---- the fleet ---- */

typedef struct source {
    char name[64], metric[64];
    const double *values;
    tcsi_frame *frame;
    tcsi_span_list events;
    size_t row_count, next;
    double step_ns;
} source;

typedef struct fleet {
    source *sources;
    size_t count, event_count;
} fleet;

static void add_source(fleet *f, const char *name, const char *metric, tcsi_frame *frame)
{
    tcs_error err;
    if (f->count == SERIES_MAX || frame->row_count < 200) {
        tcsi_frame_destroy(frame);
        return;
    }
    source *s = &f->sources[f->count++];
    *s = (source){ .frame = frame, .row_count = frame->row_count, .values = frame->values };
    snprintf(s->name, sizeof s->name, "%s", name);
    snprintf(s->metric, sizeof s->metric, "%s", metric);
    s->step_ns = (double)(DAYS * DAY_NS) / (double)s->row_count;
    stop_on(tcsi_span_list_from_flags(frame->labels, frame->row_count, &s->events, &err), &err);
    f->event_count += s->events.count;
}

/* TSB-AD says its source second, NAB and SKAB in the folder. */
static void metric_of(const char *file, char *metric, size_t size)
{
    char text[256];
    snprintf(text, sizeof text, "%s", file);
    char *slash = strrchr(text, '/'), *first = strchr(slash ? slash + 1 : text, '_');
    if (slash) {
        *slash = 0;
        const char *folder = strrchr(text, '/');
        snprintf(metric, size, "%s", folder ? folder + 1 : text);
    } else if (first) {
        char *second = strchr(first + 1, '_');
        if (second) *second = 0;
        snprintf(metric, size, "%s", first + 1);
    } else {
        snprintf(metric, size, "all");
    }
}

static void load_suite(fleet *f, const char *name, const char *folder)
{
    const tcsi_suite *suite;
    char **files, metric[64];
    size_t count;
    tcs_error err;
    stop_on(tcsi_suite_find(name, &suite, &err), &err);
    stop_on(tcsi_suite_files(suite, folder, &files, &count, &err), &err);
    for (size_t i = 0; i < count; i++) {
        tcsi_suite_series series = { 0 };
        stop_on(suite->load(folder, files[i], &series, &err), &err);
        metric_of(files[i], metric, sizeof metric);
        add_source(f, files[i], metric, series.frame);
        series.frame = NULL;
        tcsi_suite_series_deinit(&series);
    }
    tcsi_suite_files_free(files, count);
}

static void load_simulated(fleet *f)
{
    tcs_error err;
    for (size_t i = 0; i < SIMULATED; i++) {
        tcsi_series_simulation series;
        char name[64];
        const tcsi_series_options options = { .seed = 17, .stream = i, .scenario = TCSI_SCENARIO_ANY, .family = TCSI_FAMILY_ANY,
                                              .kind = TCSI_EVENT_ANY };
        stop_on(tcsi_series_simulate(&options, &series, &err), &err);
        snprintf(name, sizeof name, "%zu", i);
        add_source(f, name, "simulated", series.frame);
        series.frame = NULL;
        tcsi_series_simulation_deinit(&series);
    }
}

static void unload(fleet *f)
{
    for (size_t i = 0; i < f->count; i++) {
        tcsi_span_list_deinit(&f->sources[i].events);
        tcsi_frame_destroy(f->sources[i].frame);
    }
    tcsi_free(f->sources);
}

/* ---- one run ---- */

typedef struct arm {
    const char *name;
    bool acts;
    tcsi_answer_scope scope;
    double wrong;       /* share of answers that are */
    bool has_raters;
} arm;

typedef struct episode {
    uint32_t series;
    uint8_t kind;
    bool is_told, is_quiet, is_over, is_asked, is_real;
    int64_t begin_ns, end_ns;
    size_t event;       /* of its series that it meets; SIZE_MAX: none */
    size_t told_at;     /* moment */
    tcsi_pattern pattern;
} episode;

typedef struct run {
    const fleet *fleet;
    const arm *arm;
    tcsi_live *live;
    episode *episodes;
    size_t episode_count, moment, answer_count, last_answer; /* last_answer: moment */
    size_t (*open)[TCSI_LIVE_KIND_COUNT];                    /* (series) index + 1 of the last episode */
    uint64_t sequence;
    tcsi_rng rng;
    tcsi_vote *votes;
    size_t vote_count;
    double guard_count;
} run;

static size_t row_at(const source *s, int64_t time_ns)
{
    const double row = (double)(time_ns - START_NS) / s->step_ns + 0.5;
    return row <= 0 ? 0 : (size_t)row;
}

static int64_t time_of(const source *s, size_t row)
{
    return START_NS + (int64_t)((double)row * s->step_ns);
}

/* The labelled event that the episode meets. */
static size_t event_met(const source *s, const episode *e)
{
    const size_t begin = row_at(s, e->begin_ns), end = row_at(s, e->end_ns);
    for (size_t i = 0; i < s->events.count; i++)
        if (begin < s->events.spans[i].end + SLACK && end + SLACK >= s->events.spans[i].begin) return i;
    return SIZE_MAX;
}

/* From the teller's thread, while the other one waits for it (tcsi_live_settle). */
static void on_tell(void *self, const tcsi_live_news *news)
{
    run *r = self;
    for (size_t i = 0; i < news->event_count; i++) {
        const tcsi_live_event *event = &news->events[i];
        size_t *open = &r->open[event->number][event->kind];
        if (*open == 0 || r->episodes[*open - 1].begin_ns != event->episode.begin_ns) {
            if (r->episode_count == EPISODES_MAX) abort();
            r->episodes[r->episode_count] = (episode){ .series = event->number, .kind = event->kind, .begin_ns = event->episode.begin_ns };
            *open = ++r->episode_count;
        }
        episode *e = &r->episodes[*open - 1];
        e->pattern = event->pattern;
        e->end_ns = event->time_ns;
        if (event->suppressed_by.low | event->suppressed_by.high) e->is_quiet = true;
        if (event->state == TCSI_LIVE_CONFIRMED && !e->is_told) {
            e->is_told = true;
            e->told_at = r->moment;
        }
        e->is_over = event->state >= TCSI_LIVE_RESOLVED;
        e->event = event_met(&r->fleet->sources[e->series], e);
        e->is_real = e->event != SIZE_MAX;
    }
}

static void act(run *r, const episode *e, tcsi_answer_verdict verdict, double weight)
{
    char id[TCSI_ANSWER_ID_SIZE];
    const tcsi_answer_scope scope = verdict == TCSI_ANSWER_TRUE ? TCSI_SCOPE_PATTERN : r->arm->scope;
    const tcsi_episode_answer answer = { .verdict = (uint8_t)verdict, .scope = (uint8_t)scope, .confidence = (float)weight,
                                         .until_ns = INT64_MAX, .pattern = e->pattern,
                                         .place = tcsi_directory_entry_of(tcsi_live_directory(r->live), e->series)->place };
    tcsi_action action = { .kind = TCSI_ACTION_ANSWER, .id = id, .who = "oracle", .role = "analyst", .object = "" };
    tcsi_json_writer writer;
    tcsi_buffer document, bytes;
    tcs_error err;
    tcsi_answer_id_write((tcsi_fingerprint){ .low = ++r->sequence, .high = 1 }, id);
    tcsi_buffer_init(&document, 1 << 20);
    tcsi_buffer_init(&bytes, 1 << 20);
    tcsi_json_writer_init(&writer, &document, false);
    tcsi_json_begin_object(&writer);
    tcsi_answered_write(&answer, &writer);
    tcsi_json_end_object(&writer);
    stop_on(tcsi_json_finish(&writer, &err), &err);
    action.document = document.data;
    tcsi_json_writer_init(&writer, &bytes, false);
    tcsi_action_write(&action, &writer);
    stop_on(tcsi_json_finish(&writer, &err), &err);
    stop_on(tcsi_live_act(r->live, r->sequence, START_NS, bytes.data, bytes.size, &err), &err);
    tcsi_buffer_deinit(&document);
    tcsi_buffer_deinit(&bytes);
}

/* Three people, each weighed by how far the three have agreed so far. */
static void ask_raters(run *r, const episode *e, size_t item)
{
    tcs_error err;
    tcsi_raters estimate;
    bool says[RATERS];
    for (uint32_t k = 0; k < RATERS; k++) {
        says[k] = (tcsi_rng_uniform(&r->rng) < 0.1 * (k + 1)) != e->is_real;
        r->votes[r->vote_count++] = (tcsi_vote){ k, (uint32_t)item, says[k], 1 };
    }
    stop_on(tcsi_raters_estimate(r->votes, r->vote_count, RATERS, item + 1, &estimate, &err), &err);
    for (size_t k = 0; k < RATERS; k++)
        act(r, e, says[k] ? TCSI_ANSWER_TRUE : TCSI_ANSWER_EXPECTED, tcsi_rater_reliability(&estimate.raters[k]));
    tcsi_raters_deinit(&estimate);
}

static void answer_what_is_over(run *r)
{
    const size_t count = r->episode_count;
    for (size_t i = 0; i < count && r->answer_count < ANSWERS; i++) {
        episode *e = &r->episodes[i];
        if (!e->is_told || !e->is_over || e->is_asked) continue;
        e->is_asked = true;
        r->last_answer = r->moment;
        if (r->arm->acts && r->arm->has_raters) ask_raters(r, e, r->answer_count);
        else if (r->arm->acts) {
            const bool is_wrong = tcsi_rng_uniform(&r->rng) < r->arm->wrong;
            act(r, e, e->is_real != is_wrong ? TCSI_ANSWER_TRUE : TCSI_ANSWER_EXPECTED, 1);
        }
        r->answer_count++;
    }
}

/* Rows of one moment. */
static void push_moment(run *r, tcsi_batch *batch)
{
    const int64_t now_ns = START_NS + (int64_t)((double)r->moment * (double)(DAYS * DAY_NS) / MOMENTS);
    tcs_error err;
    tcsi_batch_clear(batch);
    for (size_t i = 0; i < r->fleet->count; i++) {
        source *s = &r->fleet->sources[i];
        char name[16];
        tcsi_key key;
        tcsi_key_begin(&key);
        snprintf(name, sizeof name, "%zu", i);
        (void)tcsi_key_add(&key, TCSI_KEY_METRIC, strlen(TCSI_KEY_METRIC), s->metric, strlen(s->metric));
        (void)tcsi_key_add(&key, "id", 2, name, strlen(name));
        if (tcsi_key_finish(&key) != TCSI_KEY_NONE) abort();
        for (; s->next < s->row_count && time_of(s, s->next) <= now_ns; s->next++)
            if (isfinite(s->values[s->next]))
                stop_on(tcsi_batch_point(batch, &key, TCSI_SERIES_GAUGE, time_of(s, s->next), s->values[s->next], &err), &err);
    }
    stop_on(tcsi_live_admit(r->live, batch->sample_count, &err), &err);
    stop_on(tcsi_live_apply(r->live, ++r->sequence, now_ns, batch, &err), &err);
    stop_on(tcsi_live_tick(r->live, ++r->sequence, now_ns, &err), &err);
    tcsi_live_settle(r->live);
}

static void run_arm(run *r, const fleet *f, const arm *a, double budget)
{
    tcs_error err;
    tcsi_batch batch;
    *r = (run){ .fleet = f, .arm = a, .rng = tcsi_rng_make(5, 0), .episodes = TCSI_NEW_ZEROS(episode, EPISODES_MAX),
                .open = tcsi_alloc_zero(f->count, sizeof *r->open), .votes = TCSI_NEW_ZEROS(tcsi_vote, ANSWERS * RATERS) };
    if (!r->episodes || !r->open || !r->votes) abort();
    const tcsi_live_options options = { .thread_count = 1, .series_count_max = SERIES_MAX, .alarms_per_s = budget / 86400,
                                        .arrival = tcsi_arrival_limits_default(), .tell = on_tell, .self = r };
    stop_on(tcsi_live_create(&options, &r->live, &err), &err);
    tcsi_batch_init(&batch, NULL);
    for (size_t i = 0; i < f->count; i++) f->sources[i].next = 0;
    for (r->moment = 0; r->moment < MOMENTS; r->moment++) {
        push_moment(r, &batch);
        if (r->answer_count < ANSWERS) answer_what_is_over(r);
    }
    const tcsi_live_stats stats = tcsi_live_stat(r->live);
    r->guard_count = (double)stats.guarded_count;
    tcsi_batch_deinit(&batch);
    tcsi_live_destroy(r->live);
}

static void run_deinit(run *r)
{
    tcsi_free(r->episodes);
    tcsi_free(r->open);
    tcsi_free(r->votes);
}

/* ---- what came of it ---- */

typedef struct outcome {
    double false_alarms, found, quiet_real;
    uint8_t **found_events; /* (series, events) */
} outcome;

static outcome count_from(const run *r, size_t moment)
{
    outcome o = { .found_events = TCSI_NEW_ZEROS(uint8_t *, r->fleet->count) };
    for (size_t i = 0; o.found_events && i < r->fleet->count; i++)
        if (!(o.found_events[i] = TCSI_NEW_ZEROS(uint8_t, r->fleet->sources[i].events.count + 1))) abort();
    for (size_t i = 0; i < r->episode_count; i++) {
        const episode *e = &r->episodes[i];
        const int64_t from_ns = START_NS + (int64_t)((double)moment * (double)(DAYS * DAY_NS) / MOMENTS);
        if (e->begin_ns <= from_ns) continue;
        uint8_t *event = e->is_real ? &o.found_events[e->series][e->event] : NULL;
        if (!e->is_told) {
            if (event && e->is_quiet) {
                o.quiet_real++;
                *event |= 2;
            }
        } else if (event) {
            o.found += !(*event & 1);
            *event |= 1;
        } else {
            o.false_alarms++;
        }
    }
    return o;
}

static void outcome_deinit(const fleet *f, outcome *o)
{
    for (size_t i = 0; i < f->count; i++) tcsi_free(o->found_events[i]);
    tcsi_free(o->found_events);
}

/* Events that the first found and the second did not; ret_quiet: of them those that a suppressed episode met. */
static double count_lost(const fleet *f, const outcome *without, const outcome *with, double *ret_quiet)
{
    double lost = 0;
    *ret_quiet = 0;
    for (size_t i = 0; i < f->count; i++)
        for (size_t k = 0; k < f->sources[i].events.count; k++) {
            if (!(without->found_events[i][k] & 1) || (with->found_events[i][k] & 1)) continue;
            lost++;
            *ret_quiet += (with->found_events[i][k] & 2) != 0;
        }
    return lost;
}

static void report(const run *with, const run *without, double budget, tcsi_json_writer *w)
{
    outcome a = count_from(without, with->last_answer), b = count_from(with, with->last_answer);
    double quiet;
    char name[128];
    const double lost = count_lost(with->fleet, &a, &b, &quiet), ratio = a.false_alarms / b.false_alarms;
    printf("| %.0f/day | %s | %zu | %.0f | %.0f | %.0f | %.2f | %.0f | %.0f | %.0f | %.0f | %.0f | %.0f |\n", budget, with->arm->name,
           with->answer_count, 100.0 * (double)with->last_answer / MOMENTS, a.false_alarms, b.false_alarms, b.false_alarms / a.false_alarms,
           a.found, b.found, lost, quiet, b.quiet_real, with->guard_count);
    fflush(stdout);
    snprintf(name, sizeof name, "false alarms after %zu answers, %s, budget %.0f a day", with->answer_count, with->arm->name, budget);
    figure_begin(w, &(figure){ .name = name, .unit = "alarms", .ours = b.false_alarms, .peer = a.false_alarms,
                               .peer_name = "without answers", .ratio = ratio, .target = a.false_alarms / 2,
                               .ok = b.false_alarms <= a.false_alarms / 2 });
    tcsi_json_put_number(w, "events_found", b.found);
    tcsi_json_put_number(w, "events_found_without", a.found);
    tcsi_json_put_number(w, "events_lost", lost);
    tcsi_json_put_number(w, "events_lost_to_answers", quiet);
    tcsi_json_end_object(w);
    outcome_deinit(with->fleet, &a);
    outcome_deinit(with->fleet, &b);
}

static void replay_labels(const fleet *f, tcsi_json_writer *w)
{
    static const arm silent = { .name = "none" };
    static const arm arms[] = {
        { .name = "right, this pattern", .acts = true, .scope = TCSI_SCOPE_PATTERN },
        { .name = "right, this series", .acts = true, .scope = TCSI_SCOPE_SERIES },
        { .name = "right, similar series", .acts = true, .scope = TCSI_SCOPE_SIMILAR },
        { .name = "1 in 10 wrong, similar series", .acts = true, .scope = TCSI_SCOPE_SIMILAR, .wrong = 0.1 },
        { .name = "2 in 10 wrong, similar series", .acts = true, .scope = TCSI_SCOPE_SIMILAR, .wrong = 0.2 },
        { .name = "three raters, similar series", .acts = true, .scope = TCSI_SCOPE_SIMILAR, .has_raters = true },
    };
    printf("%zu series, %zu labelled events\n\n| budget | answers | given | until, %% | false alarms without | with | ratio | events without | with "
           "| lost | of them quiet | quiet and real | guarded |\n|---|---|---|---|---|---|---|---|---|---|---|---|---|\n",
           f->count, f->event_count);
    for (size_t b = 0; b < TCS_COUNT(BUDGETS); b++) {
        run without;
        run_arm(&without, f, &silent, BUDGETS[b]);
        for (size_t i = 0; i < TCS_COUNT(arms); i++) {
            run with;
            run_arm(&with, f, &arms[i], BUDGETS[b]);
            report(&with, &without, BUDGETS[b], w);
            run_deinit(&with);
        }
        run_deinit(&without);
    }
}

/* ---- what a distance means ---- */

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Between episodes of different series that rose or fell alike, and are of one kind: others are infinitely far. */
static void print_distances(const fleet *f)
{
    static const double at[] = { 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9, 1 };
    static const arm silent = { .name = "none" };
    run r;
    run_arm(&r, f, &silent, 100);
    double *distances = TCSI_NEW_ARRAY(double, r.episode_count * r.episode_count / 2 + 1);
    size_t count = 0, all = 0;
    if (!distances) abort();
    for (size_t i = 0; i < r.episode_count; i++)
        for (size_t k = 0; k < i; k++) {
            const episode *a = &r.episodes[i], *b = &r.episodes[k];
            if (a->series == b->series || a->kind != TCSI_LIVE_ANOMALY || b->kind != TCSI_LIVE_ANOMALY) continue;
            const double distance = tcsi_pattern_distance(&a->pattern, &b->pattern);
            all++;
            if (!isinf(distance)) distances[count++] = distance;
        }
    qsort(distances, count, sizeof *distances, ascending);
    printf("%zu episodes, %zu pairs of different series, %zu of one direction\n\n| of pairs | lie within | the table says |\n|---|---|---|\n",
           r.episode_count, all, count);
    for (size_t i = 0; i < TCS_COUNT(at); i++) {
        const size_t index = (size_t)(at[i] * (double)(count - 1));
        printf("| %.3f | %.4f | %.4f |\n", at[i], distances[index], tcsi_pattern_share(distances[index]));
    }
    tcsi_free(distances);
    run_deinit(&r);
}

int main(int argc, char **argv)
{
    const bool has_distances = argc > 1 && strcmp(argv[1], "--distances") == 0;
    if (argc < 2 || argc % 2 != 0) {
        fprintf(stderr, "usage: answers_bench FILE.json [SUITE FOLDER]... | --distances [SUITE FOLDER]...\n");
        return 2;
    }
    fleet f = { .sources = TCSI_NEW_ZEROS(source, SERIES_MAX) };
    tcsi_buffer json;
    tcsi_json_writer w;
    tcs_error err;
    if (!f.sources) abort();
    for (int i = 2; i + 1 < argc; i += 2) load_suite(&f, argv[i], argv[i + 1]);
    if (f.count == 0) load_simulated(&f);
    if (has_distances) {
        print_distances(&f);
        unload(&f);
        return 0;
    }
    tcsi_buffer_init(&json, 1 << 20);
    tcsi_json_writer_init(&w, &json, true);
    tcsi_json_begin_array(&w);
    replay_labels(&f, &w);
    tcsi_json_end_array(&w);
    stop_on(tcsi_json_finish(&w, &err), &err);
    stop_on(tcsi_file_write(argv[1], json.data, json.size, &err), &err);
    tcsi_buffer_deinit(&json);
    unload(&f);
    return 0;
}
