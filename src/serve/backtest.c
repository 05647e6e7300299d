/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/backtest.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/json.h"
#include "serve/intake.h"
#include "serve/keeper.h"
#include "serve/score_log.h"
#include "series/time.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SERIES_COUNT_MAX = 1000000, PATH_SIZE = 4096, DOCUMENT_ARENA = 1 << 20, LAG_TRIES = 25 };
static const int64_t LAG_NS = INT64_C(200000000);
static const double BUDGET_UNKNOWN = 1.0 / 86400; /* of a journal that does not say: `tocsin serve` without another word */

typedef struct span {
    int64_t begin_ns, end_ns;
} span;

typedef struct run {
    const tcsi_backtest_options *options;
    tcsi_backtest_report *report;
    char journal[PATH_SIZE], store_path[PATH_SIZE];
    uint64_t kept_first, kept_last;  /* records that the journal has */
    tcsi_store *kept, *made;         /* the service's, which may be missing; ours */
    tcsi_keeper *keeper;
    tcsi_live *live;
    tcsi_score_log *scores;
    FILE *episodes;
    span spans[TCSI_CELL_COUNT];     /* of stamps, a worker each */
    tcsi_backtest_series *series;    /* (series_count) by number */
    size_t series_count;
    tcs_error failure;               /* of the one who is told */
} run;

/* ---- what the journal has ---- */

/* Where it begins and ends, and which records lie between the times that were asked for. */
static tcs_status survey(run *r, tcs_error *err)
{
    const tcsi_backtest_options *o = r->options;
    tcsi_journal_cursor *cursor = NULL;
    tcsi_journal_record record;
    bool is_end = false;
    r->report->first = o->from ? o->from : 1;
    r->report->last = o->until ? o->until : UINT64_MAX;
    if (o->from_ns) r->report->first = UINT64_MAX;
    tcs_status status = tcsi_journal_cursor_open(r->journal, 1, &cursor, err);
    while (status == TCS_OK && (status = tcsi_journal_cursor_next(cursor, &record, &is_end, err)) == TCS_OK && !is_end) {
        if (r->kept_first == 0) r->kept_first = record.sequence;
        r->kept_last = record.sequence;
        if (o->from_ns && record.time_ns >= o->from_ns && record.sequence < r->report->first) r->report->first = record.sequence;
        if (o->until_ns && record.time_ns > o->until_ns && record.sequence <= r->report->last) r->report->last = record.sequence - 1;
    }
    tcsi_journal_cursor_close(cursor);
    if (status != TCS_OK) return status;
    if (r->report->last > r->kept_last) r->report->last = r->kept_last;
    if (r->kept_first == 0) return tcsi_fail(err, TCS_E_INVALID, "%s: the journal holds no record", r->journal);
    return TCS_OK;
}

static bool find_start(void *context, const tcsi_store_snapshot *snapshot)
{
    tcsi_store_snapshot *oldest = ((void **)context)[0];
    const uint64_t *first = ((void **)context)[1];
    if (snapshot->is_sound && snapshot->position + 1 >= *first) *oldest = *snapshot;
    return true;
}

/* From nothing, or from the oldest snapshot that the journal goes on from. */
static tcs_status load_start(run *r, tcs_error *err)
{
    tcsi_store_snapshot oldest = { 0 };
    void *context[] = { &oldest, &r->kept_first };
    if (r->kept_first == 1) return TCS_OK;
    tcs_status status = r->kept ? tcsi_store_snapshot_list(r->kept, TCSI_KEEPER_SNAPSHOT, find_start, context, err) : TCS_OK;
    if (status != TCS_OK) return status;
    if (oldest.number == 0)
        return tcsi_fail(err, TCS_E_INVALID, "%s: begins with record %llu, and no snapshot of the state goes that far back", r->journal,
                         (unsigned long long)r->kept_first);
    return tcsi_keeper_load_from(r->keeper, r->kept, oldest.number + 1, r->live, &r->report->start, err);
}

/* ---- what is told ---- */

static void on_judge(void *self, size_t worker, const tcsi_live_judged *rows, size_t count)
{
    run *r = self;
    span *s = &r->spans[worker];
    for (size_t i = 0; i < count; i++) {
        if (rows[i].outcome.outcome != TCSI_OUTCOME_ACCEPTED || rows[i].sequence < r->report->first) continue;
        if (rows[i].time_ns < s->begin_ns) s->begin_ns = rows[i].time_ns;
        if (rows[i].time_ns > s->end_ns) s->end_ns = rows[i].time_ns;
    }
    if (r->scores) tcsi_score_log_judge(r->scores, worker, rows, count);
}

static tcs_status reserve_series(run *r, size_t number, tcs_error *err)
{
    if (number < r->series_count) return TCS_OK;
    const size_t count = number < 1000 ? 1024 : 2 * number;
    tcsi_backtest_series *more = tcsi_realloc_array(r->series, count, sizeof *more);
    if (!more) return tcsi_fail_memory(err, "series of a backtest");
    memset(more + r->series_count, 0, (count - r->series_count) * sizeof *more);
    r->series = more;
    r->series_count = count;
    return TCS_OK;
}

/* Days come in their order but for rows that were late, so that one is found at the end or near it. */
static tcsi_backtest_day *day_of(tcsi_backtest_report *report, int64_t time_ns, tcs_error *err)
{
    const int64_t day = time_ns / TCSI_NS_PER_DAY - (time_ns % TCSI_NS_PER_DAY < 0);
    size_t at = report->day_count;
    while (at > 0 && report->days[at - 1].day > day) at--;
    if (at > 0 && report->days[at - 1].day == day) return &report->days[at - 1];
    if (!tcsi_grow((void **)&report->days, &report->day_capacity, report->day_count, sizeof *report->days, 32)) {
        (void)tcsi_fail_memory(err, "days of a backtest");
        return NULL;
    }
    memmove(report->days + at + 1, report->days + at, (report->day_count - at) * sizeof *report->days);
    report->day_count++;
    report->days[at] = (tcsi_backtest_day){ .day = day };
    return &report->days[at];
}

/* An anomaly begins by being suspected, the other kinds by being confirmed; of an anomaly that is counted on its own. */
static tcs_status count_step(run *r, const tcsi_live_event *event, tcs_error *err)
{
    const bool is_anomaly = event->kind == TCSI_LIVE_ANOMALY, is_confirmed = event->state == TCSI_LIVE_CONFIRMED;
    const bool is_begin = is_anomaly ? event->state == TCSI_LIVE_SUSPECTED : is_confirmed;
    if (!is_begin && !is_confirmed) return TCS_OK;
    const tcs_status status = reserve_series(r, event->number, err);
    tcsi_backtest_day *day = status == TCS_OK ? day_of(r->report, event->time_ns, err) : NULL;
    if (!day) return err->status;
    uint64_t *const counts[] = { r->report->counts, day->counts, r->series[event->number].counts };
    uint64_t *const confirmed[] = { &r->report->confirmed, &day->confirmed, &r->series[event->number].confirmed };
    for (size_t i = 0; i < TCS_COUNT(counts); i++) {
        counts[i][event->kind] += is_begin;
        *confirmed[i] += is_anomaly && is_confirmed;
    }
    return TCS_OK;
}

static void on_step(void *self, const tcsi_live_event *event, const char *document)
{
    run *r = self;
    if (r->failure.status != TCS_OK || event->sequence < r->report->first) return;
    tcs_status status = count_step(r, event, &r->failure);
    if (status == TCS_OK && r->episodes && fprintf(r->episodes, "%s\n", document) < 0)
        status = tcsi_fail(&r->failure, TCS_E_IO, "%s: %s", r->options->episodes, strerror(errno));
    r->failure.status = status;
}

static void on_tell(void *self, const tcsi_live_news *news)
{
    run *r = self;
    tcsi_keeper_tell(r->keeper, news);
    if (r->scores) tcsi_score_log_told(r->scores, tcsi_live_directory(r->live), news->sequence);
}

static bool on_record(void *self, const tcsi_journal_record *record)
{
    run *r = self;
    if (record->sequence > r->report->last) return false;
    const double all = (double)(r->report->last - r->report->start);
    if (r->options->progress && record->sequence % 16 == 0)
        r->options->progress(r->options->context, all > 0 ? (double)(record->sequence - r->report->start) / all : 1);
    return true;
}

/* ---- start ---- */

/* The service's store, which is needed for a start in the middle, and to be compared with. */
static tcs_status open_kept(run *r, tcs_error *err)
{
    const tcsi_backtest_options *o = r->options;
    const tcsi_store_options reader = { .must_exist = true, .as_is = true };
    const tcs_status status = tcsi_store_open(r->store_path, &reader, &r->kept, err);
    if (o->verifies && o->alarms_per_s > 0)
        return tcsi_fail(err, TCS_E_INVALID, "with another alarm budget than the service's there is nothing to verify");
    return o->verifies || r->kept_first > 1 ? status : TCS_OK;
}

static tcs_status open_files(run *r, tcs_error *err)
{
    const tcsi_backtest_options *o = r->options;
    if (o->episodes && !(r->episodes = fopen(o->episodes, "we"))) return tcsi_fail(err, TCS_E_IO, "%s: %s", o->episodes, strerror(errno));
    return o->scores ? tcsi_score_log_open(o->scores, false, r->report->first, &r->scores, err) : TCS_OK;
}

static tcs_status start(run *r, tcs_error *err)
{
    const tcsi_store_options scratch = { .scratch = true };
    tcs_status status = tcsi_store_open("", &scratch, &r->made, err);
    const double alarms_per_s = r->options->alarms_per_s > 0 ? r->options->alarms_per_s : BUDGET_UNKNOWN;
    const tcsi_keeper_options keeper = { .store = r->made, .alarms_per_s = alarms_per_s, .step = on_step, .step_self = r };
    if (status == TCS_OK) status = tcsi_keeper_create(&keeper, &r->keeper, err);
    const tcsi_live_options live = { .thread_count = r->options->thread_count, .is_budget_fixed = r->options->alarms_per_s > 0,
                                     .alarms_per_s = alarms_per_s,
                                     .series_count_max = r->options->series_count_max ? r->options->series_count_max : SERIES_COUNT_MAX,
                                     .arrival = tcsi_arrival_limits_default(), .tell = on_tell, .self = r, .judge = on_judge,
                                     .judge_self = r };
    if (status == TCS_OK) status = tcsi_live_create(&live, &r->live, err);
    if (status != TCS_OK) return status;
    tcsi_keeper_set_directory(r->keeper, tcsi_live_directory(r->live));
    for (size_t i = 0; i < TCS_COUNT(r->spans); i++) r->spans[i] = (span){ INT64_MAX, INT64_MIN };
    return load_start(r, err);
}

static tcs_status read_journal(run *r, tcs_error *err)
{
    const tcsi_intake_options intake = { .folder = r->journal, .live = r->live, .sequence = r->report->start, .watch = on_record,
                                         .watch_self = r };
    const tcs_status status = tcsi_intake_replay(&intake, 0, &r->report->record_count, err);
    if (status != TCS_OK) return status;
    if (r->failure.status != TCS_OK) return tcsi_fail(err, r->failure.status, "%s", r->failure.text);
    return TCS_OK;
}

/* ---- beside the service's own ---- */

typedef struct comparison {
    run *run;
    tcsi_store *other;      /* that is looked into for each episode of the one that is listed */
    const char *here, *there;
    tcsi_arena arena;
} comparison;

/* Of the last step that made the document. */
static uint64_t sequence_of(comparison *c, const tcsi_store_record *record)
{
    const tcsi_json_value *root, *sequence;
    tcs_error ignored;
    tcsi_arena_reset(&c->arena);
    if (tcsi_json_parse(record->document, strlen(record->document), &c->arena, &root, &ignored) != TCS_OK) return 0;
    sequence = tcsi_json_get(root, "sequence");
    return sequence && sequence->type == TCSI_JSON_NUMBER ? (uint64_t)sequence->number : 0;
}

typedef struct twin {
    comparison *comparison;
    const tcsi_store_record *record;
    bool is_found, is_same, is_later;
    char document[600];
} twin;

static bool see_twin(void *context, const tcsi_store_record *record)
{
    twin *t = context;
    const tcsi_store_record *wanted = t->record;
    t->is_found = true;
    t->is_same = record->state == wanted->state && record->begin_ns == wanted->begin_ns && record->end_ns == wanted->end_ns &&
                 record->updated_ns == wanted->updated_ns && strcmp(record->document, wanted->document) == 0;
    t->is_later = sequence_of(t->comparison, record) > t->comparison->run->report->last;
    snprintf(t->document, sizeof t->document, "%s", record->document);
    return false;
}

static bool compare_episode(void *context, const tcsi_store_record *record)
{
    comparison *c = context;
    tcsi_backtest_report *report = c->run->report;
    twin t = { .comparison = c, .record = record };
    const tcsi_store_record_query query = { .kind = TCSI_STORE_EPISODE, .id = record->id, .limit = 1 };
    const uint64_t sequence = sequence_of(c, record);
    if (sequence <= report->start || sequence > report->last) return true; /* before what was read, or after */
    c->run->failure.status = tcsi_store_record_list(c->other, &query, see_twin, &t, &c->run->failure);
    if (c->run->failure.status != TCS_OK) return false;
    report->compared_count++;
    if (t.is_same || t.is_later) return true;
    if (report->differing_count++ == 0 && t.is_found)
        snprintf(report->difference, sizeof report->difference, "%s: %s %.250s, %s %.250s", record->id, c->here, record->document,
                 c->there, t.document);
    else if (report->differing_count == 1)
        snprintf(report->difference, sizeof report->difference, "%s: only %s: %.400s", record->id, c->here, record->document);
    return true;
}

static tcs_status compare_stores(run *r, tcs_error *err)
{
    const tcsi_store_record_query all = { .kind = TCSI_STORE_EPISODE };
    comparison c = { .run = r, .other = r->made, .here = "in the store", .there = "here" };
    r->report->compared_count = r->report->differing_count = 0;
    r->report->difference[0] = 0;
    tcsi_arena_init(&c.arena, DOCUMENT_ARENA);
    tcs_status status = tcsi_store_record_list(r->kept, &all, compare_episode, &c, err);
    const uint64_t listed = r->report->compared_count;
    c.other = r->kept;
    c.here = "here";
    c.there = "in the store";
    if (status == TCS_OK && r->report->differing_count == 0) status = tcsi_store_record_list(r->made, &all, compare_episode, &c, err);
    r->report->compared_count = listed;
    tcsi_arena_deinit(&c.arena);
    if (status == TCS_OK && r->failure.status != TCS_OK) status = tcsi_fail(err, r->failure.status, "%s", r->failure.text);
    return status;
}

/* A service that runs may not have kept yet what its journal has. */
static tcs_status verify(run *r, tcs_error *err)
{
    tcs_status status = compare_stores(r, err);
    for (int i = 0; i < LAG_TRIES && status == TCS_OK && r->report->differing_count; i++) {
        nanosleep(&(struct timespec){ .tv_nsec = (long)LAG_NS }, NULL);
        status = compare_stores(r, err);
    }
    return status;
}

/* ---- the report ---- */

static int by_anomalies(const void *a, const void *b)
{
    const tcsi_backtest_series *x = a, *y = b;
    if (x->counts[TCSI_LIVE_ANOMALY] != y->counts[TCSI_LIVE_ANOMALY])
        return x->counts[TCSI_LIVE_ANOMALY] > y->counts[TCSI_LIVE_ANOMALY] ? -1 : 1;
    return (x->number > y->number) - (x->number < y->number);
}

static tcs_status name_series(run *r, tcsi_backtest_series *series, tcs_error *err)
{
    const tcsi_directory_entry *entry = tcsi_directory_entry_of(tcsi_live_directory(r->live), series->number);
    tcsi_buffer name;
    tcsi_key key;
    tcsi_buffer_init(&name, 1 << 17);
    tcs_status status = tcsi_key_decode(entry->key, entry->key_size, &key, err);
    if (status == TCS_OK) status = tcsi_key_print(&key, &name, err);
    if (status == TCS_OK && !(series->name = tcsi_strdup(name.data))) status = tcsi_fail_memory(err, "a name");
    tcsi_buffer_deinit(&name);
    return status;
}

/* Those with episodes, most anomalies first. */
static tcs_status list_series(run *r, tcs_error *err)
{
    tcsi_backtest_report *report = r->report;
    tcs_status status = TCS_OK;
    for (size_t i = 0; status == TCS_OK && i < r->series_count; i++) {
        uint64_t count = 0;
        for (int k = 0; k < TCSI_LIVE_KIND_COUNT; k++) count += r->series[i].counts[k];
        if (!count) continue;
        tcsi_backtest_series *listed = &r->series[report->listed_count++];
        *listed = r->series[i];
        listed->number = (uint32_t)i;
        listed->name = NULL;
        status = name_series(r, listed, err);
    }
    report->series = r->series;
    r->series = NULL;
    if (report->listed_count) qsort(report->series, report->listed_count, sizeof *report->series, by_anomalies);
    return status;
}

static tcs_status fill_report(run *r, tcs_error *err)
{
    tcsi_backtest_report *report = r->report;
    const tcsi_live_stats stats = tcsi_live_stat(r->live);
    report->begin_ns = INT64_MAX;
    report->end_ns = INT64_MIN;
    for (size_t i = 0; i < TCS_COUNT(r->spans); i++) {
        if (r->spans[i].begin_ns < report->begin_ns) report->begin_ns = r->spans[i].begin_ns;
        if (r->spans[i].end_ns > report->end_ns) report->end_ns = r->spans[i].end_ns;
    }
    if (report->begin_ns > report->end_ns) report->begin_ns = report->end_ns = 0;
    for (int i = 0; i < TCSI_OUTCOME_COUNT; i++) report->row_count += stats.outcomes[i];
    report->scored_count = stats.row_count;
    report->unusual_count = stats.unusual_count;
    report->series_count = stats.series_count;
    report->alarms_per_s = tcsi_live_budget(r->live);
    return list_series(r, err);
}

static tcs_status finish(run *r, tcs_status status, tcs_error *err)
{
    tcs_error failure = { 0 };
    tcsi_live_destroy(r->live);
    tcsi_keeper_destroy(r->keeper);
    tcsi_store_close(r->made);
    tcsi_store_close(r->kept);
    if (tcsi_score_log_close(r->scores, &failure) != TCS_OK && status == TCS_OK)
        status = tcsi_fail(err, failure.status, "%s", failure.text);
    if (r->episodes && fclose(r->episodes) != 0 && status == TCS_OK)
        status = tcsi_fail(err, TCS_E_IO, "%s: %s", r->options->episodes, strerror(errno));
    tcsi_free(r->series);
    tcsi_free(r);
    return status;
}

tcs_status tcsi_backtest_run(const tcsi_backtest_options *options, tcsi_backtest_report *ret_report, tcs_error *err)
{
    tcsi_backtest_report report = { 0 };
    run *r = TCSI_NEW(run);
    if (!r) return tcsi_fail_memory(err, "a backtest");
    *r = (run){ .options = options, .report = &report };
    snprintf(r->journal, sizeof r->journal, "%s/journal", options->folder);
    if (options->store) snprintf(r->store_path, sizeof r->store_path, "%s", options->store);
    else snprintf(r->store_path, sizeof r->store_path, "%s/tocsin.db", options->folder);
    tcs_status status = survey(r, err);
    if (status == TCS_OK) status = open_kept(r, err);
    if (status == TCS_OK) status = open_files(r, err);
    if (status == TCS_OK) status = start(r, err);
    if (status == TCS_OK) status = read_journal(r, err);
    if (status == TCS_OK && options->verifies) status = verify(r, err);
    if (status == TCS_OK) status = fill_report(r, err);
    status = finish(r, status, err);
    if (status == TCS_OK) *ret_report = report;
    else tcsi_backtest_report_deinit(&report);
    return status;
}

void tcsi_backtest_report_deinit(tcsi_backtest_report *report)
{
    for (size_t i = 0; i < report->listed_count; i++) tcsi_free(report->series[i].name);
    tcsi_free(report->series);
    tcsi_free(report->days);
    *report = (tcsi_backtest_report){ 0 };
}

tcs_status tcsi_backtest_compare(const char *path, const char *other, uint64_t *ret_line, tcs_error *err)
{
    FILE *a = fopen(path, "re"), *b = a ? fopen(other, "re") : NULL;
    uint64_t line = 1;
    int x = 0, y = 0;
    if (!b) {
        const tcs_status status = tcsi_fail(err, TCS_E_IO, "%s: %s", a ? other : path, strerror(errno));
        if (a) fclose(a);
        return status;
    }
    do {
        line += x == '\n';
        x = getc(a);
        y = getc(b);
    } while (x == y && x != EOF);
    const bool has_failed = ferror(a) || ferror(b);
    *ret_line = x == y ? 0 : line;
    fclose(a);
    fclose(b);
    return has_failed ? tcsi_fail(err, TCS_E_IO, "%s: cannot be read", path) : TCS_OK;
}
