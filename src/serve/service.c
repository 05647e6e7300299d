/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/service.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "knowledge/expression.h"
#include "serve/api/api.h"
#include "serve/api/labelled.h"
#include "serve/books.h"
#include "serve/collect/collect.h"
#include "serve/deliver/outbox_store.h"
#include "serve/http/auth.h"
#include "serve/http/builtin.h"
#include "serve/intake.h"
#include "serve/keep_action.h"
#include "serve/keeper.h"
#include "serve/score_log.h"
#include "serve/self/notify_systemd.h"
#include "serve/service_figures.h"
#include "serve/watching.h"
#include "serve/web/web.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { SERIES_COUNT_MAX = 1000000, BODY_SIZE_MAX = 1 << 24 };
enum { STANDBY_THREADS = 32 }; /* they wait for a commit of the database, each for the request that it has; so many share one */
static const double SNAPSHOT_S = 300, WATCH_S = 60, DEEP_DEADLINE_S = 1, DEEP_SAMPLED_PER_S = 50;
static const int64_t DRAIN_NS = INT64_C(10000000000);

/* A thread that does something each second. */
typedef struct clockwork {
    tcsi_service *service;
    void (*turn)(tcsi_service *service, int64_t now_ns);
    pthread_t thread;
    bool is_running;
} clockwork;

struct tcsi_service {
    tcsi_service_options options;
    char *journal_path, *store_path;
    tcsi_store *store;          /* the keeper's */
    tcsi_deliver_settings *settings;
    tcsi_store *outbox_stores[TCSI_RECEIVER_COUNT_MAX]; /* one for each receiver's thread */
    tcsi_outbox outboxes[TCSI_RECEIVER_COUNT_MAX];
    tcsi_standby_outbox guards[TCSI_RECEIVER_COUNT_MAX];
    tcsi_standby *standby;      /* NULL: it is alone */
    tcsi_deliver *deliver;
    tcsi_chronicle *history;
    tcsi_keeper *keeper;
    tcsi_score_log *scores;        /* NULL: nobody asks */
    tcsi_live *live;
    tcsi_store *deep_store;     /* of the deep layer's teacher */
    tcsi_deep *deep;            /* NULL: off */
    tcsi_deep_report deep_report;
    tcsi_intake *intake;
    tcsi_auth *auth;
    tcsi_events *events;
    tcsi_metrics *metrics;
    tcsi_service_figures *figures;
    tcsi_health health;
    tcsi_builtin builtin;
    tcsi_api api;
    bool has_api;
    tcsi_router *router;
    tcsi_server *server;
    tcsi_collector *collector;
    tcsi_buffer collected;
    tcsi_store *watch_store, *hours_store;
    tcsi_watching *watching;    /* from when rows can come */
    int64_t watched_ns;         /* when it last looked */
    int64_t hours_ns;           /* when what it saw was last kept; of the books' thread */
    tcsi_books *books;
    tcsi_traces traces;
    clockwork ticks, collecting, booking;
    uint64_t replayed;
    pthread_mutex_t mutex;      /* of what follows */
    pthread_cond_t ending;
    bool is_ending;
    bool has_tick_failed;
    bool has_said_rules;        /* of the clock's thread, and of start before it */
    tcs_error tick_failure;
};

/* ---- each second ---- */

static void *run_clockwork(void *argument)
{
    clockwork *c = argument;
    tcsi_service *s = c->service;
    pthread_mutex_lock(&s->mutex);
    while (!s->is_ending) {
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until); /* at whole seconds, so that hosts are read at the same moments */
        until.tv_sec++;
        until.tv_nsec = 0;
        while (!s->is_ending && pthread_cond_timedwait(&s->ending, &s->mutex, &until) != ETIMEDOUT) continue;
        if (s->is_ending) break;
        pthread_mutex_unlock(&s->mutex);
        c->turn(s, tcsi_clock_wall_ns());
        pthread_mutex_lock(&s->mutex);
    }
    pthread_mutex_unlock(&s->mutex);
    return NULL;
}

/* What it decides by is in the journal: a replay must not depend on how the service was called. */
static tcs_status say_setting(tcsi_service *s, const char *object, const char *document, tcs_error *err)
{
    char id[64];
    bool is_kept;
    snprintf(id, sizeof id, "%s-%llu", object, (unsigned long long)tcsi_journal_stat(tcsi_intake_journal(s->intake)).sequence_next);
    const tcsi_action action = { .kind = TCSI_ACTION_SETTING, .id = id, .who = "service", .role = "admin", .object = object,
                                 .document = document, .time_ns = tcsi_clock_wall_ns() };
    return tcsi_intake_act(s->intake, &action, &is_kept, err);
}

static tcs_status set_budget(tcsi_service *s, tcs_error *err)
{
    char document[64];
    if (tcsi_live_budget(s->live) == s->options.alarms_per_s && tcsi_journal_stat(tcsi_intake_journal(s->intake)).sequence_next > 1)
        return TCS_OK;
    snprintf(document, sizeof document, "{\"value\":%.17g}", s->options.alarms_per_s);
    return say_setting(s, TCSI_SETTING_BUDGET, document, err);
}

static tcs_status set_deep(tcsi_service *s, tcs_error *err)
{
    char document[128];
    const tcsi_second_look_options now = tcsi_live_second_look(s->live);
    const tcsi_second_look_options wanted = { .is_on = s->options.has_deep, .sampled_per_s = s->options.deep_sampled_per_s,
                                              .deadline_ns = (int64_t)rint(1e9 * s->options.deep_deadline_s) };
    const bool is_so = now.is_on == wanted.is_on && now.sampled_per_s == wanted.sampled_per_s && now.deadline_ns == wanted.deadline_ns;
    if (is_so || (!now.is_on && !wanted.is_on)) return TCS_OK;
    snprintf(document, sizeof document, "{\"is_on\":%s,\"sampled_per_s\":%.17g,\"deadline_s\":%.17g}", wanted.is_on ? "true" : "false",
             wanted.sampled_per_s, s->options.deep_deadline_s);
    return say_setting(s, TCSI_SETTING_DEEP, document, err);
}

/* Policies of series and what makes an incident, where the settings say others than were said last. */
static tcs_status set_rules(tcsi_service *s, tcs_error *err)
{
    const char *wanted = s->settings && s->settings->rules ? s->settings->rules : "{}";
    tcsi_buffer said;
    bool is_found;
    tcsi_buffer_init(&said, TCSI_RULES_SIZE_MAX);
    pthread_mutex_lock(&s->api.store_mutex);
    tcs_status status = tcsi_store_setting_get(s->api.store, TCSI_SETTING_KEPT TCSI_SETTING_RULES, &said, &is_found, err);
    pthread_mutex_unlock(&s->api.store_mutex);
    if (status == TCS_OK && strcmp(is_found ? said.data : "{}", wanted) != 0) status = say_setting(s, TCSI_SETTING_RULES, wanted, err);
    tcsi_buffer_deinit(&said);
    return status;
}

/* Who leads says it; alone it was said at start. */
static tcs_status say_settings(tcsi_service *s, tcs_error *err)
{
    tcs_status status = set_budget(s, err);
    if (status == TCS_OK) status = set_deep(s, err);
    if (status == TCS_OK && !s->has_said_rules) {
        status = set_rules(s, err);
        s->has_said_rules = status == TCS_OK;
    }
    return status;
}

static void tick(tcsi_service *s, int64_t now_ns)
{
    tcs_error failure = { 0 };
    const bool leads = tcsi_standby_leads(s->standby);
    tcs_status status = leads && s->standby ? say_settings(s, &failure) : TCS_OK;
    if (!leads) s->has_said_rules = false;
    if (leads && status == TCS_OK) status = tcsi_intake_tick(s->intake, now_ns, &failure);
    pthread_mutex_lock(&s->mutex);
    if (status != TCS_OK && !s->has_tick_failed) tcsi_log(TCSI_LOG_ERROR, "SERVE-JOURNAL-FAILED", "%s", failure.text);
    s->has_tick_failed = status != TCS_OK;
    s->tick_failure = failure;
    pthread_mutex_unlock(&s->mutex);
    tcsi_events_tick(s->events, now_ns);
    const tcs_status alive = tcsi_live_admit(s->live, 0, &failure);
    if (alive == TCS_OK || alive == TCS_E_LIMIT) (void)tcsi_systemd_notify("WATCHDOG=1"); /* who hangs or has stopped is started again */
    if (!leads || now_ns - s->watched_ns < (int64_t)(1e9 * s->options.watch_s)) return;
    s->watched_ns = now_ns;
    tcsi_watching_take(s->watching, now_ns);
}

/* What may wait for the store and decides nothing. */
static void write_books(tcsi_service *s, int64_t now_ns)
{
    tcsi_books_tick(s->books, now_ns);
    if (!tcsi_standby_leads(s->standby) || now_ns - s->hours_ns < (int64_t)(1e9 * s->options.watch_s)) return;
    s->hours_ns = now_ns;
    tcsi_watching_keep(s->watching, now_ns);
}

/* This host's figures go the way of all rows. */
static void collect(tcsi_service *s, int64_t now_ns)
{
    const tcsi_ingest_facts facts = { .route = TCSI_ROUTE_NDJSON, .content_type = "application/x-ndjson" };
    const tcsi_figures *figures = tcsi_collector_tick(s->collector);
    tcsi_intake_reply reply;
    tcsi_json_writer writer;
    tcs_error failure;
    tcsi_buffer answer;
    tcs_status status = TCS_OK;
    if (!tcsi_standby_leads(s->standby)) return;
    tcsi_buffer_init(&answer, 1 << 16);
    tcsi_buffer_clear(&s->collected);
    for (size_t i = 0; status == TCS_OK && i < figures->count; i++) {
        const tcsi_figure *figure = &figures->items[i];
        if (!tcsi_figure_is_present(figures, figure) || !isfinite(figure->value)) continue;
        tcsi_json_writer_init(&writer, &s->collected, false);
        tcsi_json_begin_object(&writer);
        tcsi_json_put_string(&writer, "series", figure->name);
        tcsi_json_put_number(&writer, "value", figure->value);
        tcsi_json_end_object(&writer);
        status = tcsi_json_finish(&writer, &failure);
        if (status == TCS_OK) status = tcsi_buffer_append(&s->collected, "\n", 1, &failure);
    }
    if (status == TCS_OK) tcsi_intake_take(s->intake, &facts, s->collected.data, s->collected.size, now_ns, &answer, &reply);
    if (status != TCS_OK || reply.http.code >= 300)
        tcsi_log(TCSI_LOG_WARNING, "SERVE-COLLECT-REFUSED", "this host's figures were refused: %s",
                 status != TCS_OK ? failure.text : answer.data);
    tcsi_buffer_deinit(&answer);
}

static tcs_status start_clockwork(tcsi_service *s, clockwork *c, void (*turn)(tcsi_service *, int64_t), tcs_error *err)
{
    *c = (clockwork){ .service = s, .turn = turn };
    if (pthread_create(&c->thread, NULL, run_clockwork, c) != 0) return tcsi_fail(err, TCS_E_IO, "no thread for the clock");
    c->is_running = true;
    return TCS_OK;
}

/* ---- health ---- */

static bool check_journal(void *context, char ret_reason[TCSI_HEALTH_REASON_SIZE])
{
    tcsi_service *s = context;
    pthread_mutex_lock(&s->mutex);
    const bool is_fine = !s->has_tick_failed;
    if (!is_fine) snprintf(ret_reason, TCSI_HEALTH_REASON_SIZE, "%s", s->tick_failure.text);
    pthread_mutex_unlock(&s->mutex);
    return is_fine;
}

static bool check_store(void *context, char ret_reason[TCSI_HEALTH_REASON_SIZE])
{
    return tcsi_keeper_is_fine(((tcsi_service *)context)->keeper, ret_reason);
}

static bool check_live(void *context, char ret_reason[TCSI_HEALTH_REASON_SIZE])
{
    tcsi_service *s = context;
    tcs_error failure;
    const bool is_fine = tcsi_live_admit(s->live, 0, &failure) == TCS_OK;
    if (!is_fine) snprintf(ret_reason, TCSI_HEALTH_REASON_SIZE, "%s", failure.text);
    return is_fine;
}

/* ---- start ---- */

static char *join(const char *folder, const char *name)
{
    const size_t size = strlen(folder) + strlen(name) + 2;
    char *path = tcsi_alloc(size);
    if (path) snprintf(path, size, "%s/%s", folder, name);
    return path;
}

static tcs_status open_stores(tcsi_service *s, tcs_error *err)
{
    const tcsi_store_options writer = { .alone = true }, reader = { .must_exist = true };
    if (mkdir(s->options.folder, 0750) != 0 && errno != EEXIST)
        return tcsi_fail(err, TCS_E_IO, "%s: %s", s->options.folder, strerror(errno));
    s->journal_path = join(s->options.folder, "journal");
    s->store_path = s->options.store ? tcsi_strdup(s->options.store) : join(s->options.folder, "tocsin.db");
    if (!s->journal_path || !s->store_path) return tcsi_fail_memory(err, "a folder's name");
    tcs_status status = tcsi_store_open(s->store_path, &writer, &s->store, err);
    if (status == TCS_OK) status = tcsi_store_open(s->store_path, &reader, &s->api.store, err);
    return status;
}

static uint64_t kept(void *self)
{
    return tcsi_keeper_kept(((tcsi_service *)self)->keeper);
}

static void on_lead(void *self)
{
    const tcsi_service *s = self;
    if (s->deep) tcsi_deep_start(s->deep, s->intake);
    if (s->deliver) tcsi_deliver_wake(s->deliver);
}

static void on_lost(void *self)
{
    const tcsi_service *s = self;
    if (s->options.on_lost) s->options.on_lost();
}

static tcs_status create_standby(tcsi_service *s, uint64_t sequence, tcs_error *err)
{
    const tcsi_standby_options standby = { .store = s->store_path, .lease_s = s->options.lease_s, .sequence = sequence, .live = s->live,
                                           .kept = kept, .on_lead = on_lead, .on_lost = on_lost, .self = s };
    if (strncmp(s->store_path, "postgres", 8) != 0)
        return tcsi_fail(err, TCS_E_INVALID, "a standby needs a store that several can use; expected postgresql://...");
    tcs_status status = tcsi_standby_check_folder(s->journal_path, sequence, err);
    if (status == TCS_OK) status = tcsi_standby_create(&standby, &s->standby, err);
    if (status == TCS_OK) tcsi_keeper_set_standby(s->keeper, s->standby);
    return status;
}

/* It has an address now, and can be the one who leads. */
static tcs_status start_standby(tcsi_service *s, tcs_error *err)
{
    char text[160], host[64] = "";
    const char *address = s->options.address ? s->options.address : "127.0.0.1";
    if (!s->standby) return TCS_OK;
    if ((strcmp(address, "0.0.0.0") == 0 || strcmp(address, "::") == 0) && gethostname(host, sizeof host - 1) == 0) address = host;
    snprintf(text, sizeof text, strchr(address, ':') ? "%s://[%s]:%u" : "%s://%s:%u", s->options.certificate ? "https" : "http", address,
             tcsi_server_port(s->server));
    return tcsi_standby_start(s->standby, s->intake, s->options.advertise ? s->options.advertise : text, err);
}

static tcs_status create_deep(tcsi_service *s, tcs_error *err)
{
    const tcsi_store_options reader = { .must_exist = true };
    if (!s->options.has_deep) return TCS_OK;
    tcs_status status = tcsi_store_open(s->store_path, &reader, &s->deep_store, err);
    const tcsi_deep_options deep = { .train_share = s->options.deep_share, .deadline_ns = (int64_t)(1e9 * s->options.deep_deadline_s),
                                     .store = s->deep_store };
    return status == TCS_OK ? tcsi_deep_create(&deep, &s->deep, err) : status;
}

static void tell(void *self, const tcsi_live_news *news)
{
    tcsi_service *s = self;
    tcsi_keeper_tell(s->keeper, news);
    if (s->scores) tcsi_score_log_told(s->scores, tcsi_live_directory(s->live), news->sequence);
}

static void keep(void *self, const tcsi_live_snapshot *snapshot)
{
    tcsi_keeper_keep(((tcsi_service *)self)->keeper, snapshot);
}

static tcs_status make_history(tcsi_service *s, tcs_error *err)
{
    tcsi_chronicle_options history = { .store = s->store_path, .rows_per_s = s->options.history_rows_per_s };
    if (s->options.retention && !(tcsi_duration_parse(s->options.retention, &history.retention_ns) && history.retention_ns > 0))
        return tcsi_fail(err, TCS_E_INVALID, "retention '%s': expected a duration as 12h, 30d, 1w", s->options.retention);
    return tcsi_chronicle_create(&history, &s->history, err);
}

/* What is told while the journal is read would be told again after a power loss: it need not be synced step by step.  No snapshot is
 * kept meanwhile, so that nothing of the journal goes. */
static tcs_status read_journal(tcsi_service *s, const tcsi_intake_options *intake, tcs_error *err)
{
    tcs_error ignored; /* a database that is away is slow, not wrong */
    if (!s->standby) (void)!tcsi_store_hurry(s->store, true, &ignored);
    const tcs_status status = tcsi_intake_open(intake, &s->intake, &s->replayed, err);
    if (!s->standby && tcsi_store_hurry(s->store, false, &ignored) != TCS_OK && status == TCS_OK)
        tcsi_log(TCSI_LOG_WARNING, "SERVE-STORE-FAILED", "%s", ignored.text);
    return status;
}

static tcs_status start_live(tcsi_service *s, tcs_error *err)
{
    tcs_status status = s->options.receivers ? tcsi_deliver_settings_load(s->options.receivers, &s->settings, err) : TCS_OK;
    tcsi_keeper_options keeper = { .store = s->store, .events = s->events, .settings = s->settings, .traces = &s->traces,
                                   .alarms_per_s = s->options.alarms_per_s };
    if (status == TCS_OK && s->options.history_rows_per_s >= 0) status = make_history(s, err);
    keeper.history = s->history;
    if (status == TCS_OK) status = tcsi_keeper_create(&keeper, &s->keeper, err);
    if (status == TCS_OK) status = create_deep(s, err);
    if (status == TCS_OK && s->options.scores) status = tcsi_score_log_open(s->options.scores, true, 0, &s->scores, err);
    if (status != TCS_OK) return status;
    tcsi_live_options live = { .ask = s->deep ? tcsi_deep_ask : NULL, .asked = s->deep, .thread_count = s->options.thread_count,
                                     .series_count_max = s->options.series_count_max,
                                     .alarms_per_s = s->options.alarms_per_s, .arrival = tcsi_arrival_limits_default(),
                                     .tell = tell, .keep = keep, .self = s, .judge = s->scores ? tcsi_score_log_judge : NULL,
                                     .judge_self = s->scores };
    if (s->history) live.reel = tcsi_chronicle_reel_options(s->history);
    status = tcsi_live_create(&live, &s->live, err);
    if (status == TCS_OK && s->history) status = tcsi_chronicle_start(s->history, s->live, err);
    if (status != TCS_OK) return status;
    tcsi_keeper_set_directory(s->keeper, tcsi_live_directory(s->live));
    tcsi_intake_options intake = { .folder = s->journal_path, .live = s->live, .traces = &s->traces,
                                   .ticks_a_snapshot = (uint64_t)fmax(1, s->options.snapshot_s) };
    status = tcsi_keeper_load(s->keeper, s->live, &intake.sequence, err);
    if (status == TCS_OK && s->options.has_standby) status = create_standby(s, intake.sequence, err);
    if (s->standby) intake.log = tcsi_standby_log(s->standby);
    if (status == TCS_OK && !s->standby) status = tcsi_keeper_recall(s->keeper, s->journal_path, err);
    if (status == TCS_OK) status = read_journal(s, &intake, err);
    if (status == TCS_OK && !s->options.keeps_journal) tcsi_keeper_set_journal(s->keeper, tcsi_intake_journal(s->intake));
    if (status == TCS_OK && !s->standby) status = say_settings(s, err);
    if (status == TCS_OK && !s->standby && s->deep) tcsi_deep_start(s->deep, s->intake);
    s->deep_report = (tcsi_deep_report){ s->deep, s->live, s->options.deep_deadline_s };
    return status;
}

static void on_attempt(void *context, const tcsi_receiver *receiver, const tcsi_alert *alert, const char *id, const tcsi_attempt *attempt)
{
    (void)context;
    tcsi_log(TCSI_LOG_INFO, "SERVE-ALERT", "%s: %s of %s: %s %s", receiver->name, tcsi_alert_state_names[alert->state], id,
             tcsi_attempt_outcome_names[attempt->outcome], attempt->reason);
}

/* Each receiver has a thread and a handle of the store. */
static tcs_status start_deliver(tcsi_service *s, tcs_error *err)
{
    const tcsi_store_options reader = { .must_exist = true };
    tcs_status status = TCS_OK;
    if (!s->settings) return TCS_OK;
    for (size_t i = 0; status == TCS_OK && i < s->settings->receiver_count; i++) {
        status = tcsi_store_open(s->store_path, &reader, &s->outbox_stores[i], err);
        s->guards[i] = (tcsi_standby_outbox){ s->standby, tcsi_outbox_of_store(s->outbox_stores[i]) };
        s->outboxes[i] = tcsi_standby_guard(&s->guards[i]);
    }
    const tcsi_deliver_options deliver = { .receivers = s->settings->receivers, .receiver_count = s->settings->receiver_count,
                                           .outboxes = s->outboxes, .seed = (uint64_t)tcsi_clock_wall_ns(), .observe = on_attempt };
    if (status == TCS_OK) status = tcsi_deliver_create(&deliver, &s->deliver, err);
    if (status == TCS_OK) status = tcsi_deliver_start(s->deliver, err);
    if (status == TCS_OK) tcsi_keeper_set_deliver(s->keeper, s->deliver);
    return status;
}

/* Before the first tick. */
static tcs_status start_watching(tcsi_service *s, tcs_error *err)
{
    const tcsi_store_options reader = { .must_exist = true };
    tcs_status status = tcsi_store_open(s->store_path, &reader, &s->watch_store, err);
    if (status == TCS_OK) status = tcsi_store_open(s->store_path, &reader, &s->hours_store, err);
    if (status != TCS_OK) return status;
    const tcsi_watching_options watching = { .intake = s->intake, .live = s->live, .keeper = s->keeper, .store = s->watch_store,
                                             .hours = s->hours_store, .metrics = s->metrics, .events = s->events,
                                             .settings = s->settings, .deliver = s->deliver, .latency_s = s->options.latency_s };
    return tcsi_watching_create(&watching, &s->watching, err);
}

static double price_of(double option)
{
    return option > 0 ? option : NAN;
}

static tcs_status start_http(tcsi_service *s, tcs_error *err)
{
    tcs_status status = tcsi_router_create(&s->router, err);
    const tcsi_service_parts parts = { s->live, s->intake, s->keeper, s->standby, s->history };
    if (status == TCS_OK) status = tcsi_service_figures_create(&parts, s->metrics, &s->figures, err);
    if (status == TCS_OK) status = tcsi_deep_report_bind(&s->deep_report, s->metrics, err);
    if (status == TCS_OK && s->options.token_file) status = tcsi_auth_create(&s->auth, err);
    if (status == TCS_OK && s->auth) status = tcsi_auth_load(s->auth, s->options.token_file, err);
    if (status != TCS_OK) return status;
    tcsi_health_add(&s->health, "journal", check_journal, s);
    tcsi_health_add(&s->health, "store", check_store, s);
    tcsi_health_add(&s->health, "live", check_live, s);
    if (s->standby) tcsi_health_add(&s->health, "leader", tcsi_standby_check, s->standby);
    if (s->deep) tcsi_health_add_spare(&s->health, "deep", tcsi_deep_report_check, &s->deep_report);
    s->builtin = (tcsi_builtin){ s->router, &s->health, s->metrics, s->events, s->auth != NULL };
    s->api.intake = s->intake;
    s->api.live = s->live;
    s->api.deep = &s->deep_report;
    s->api.watching = s->watching;
    s->api.history = s->history;
    s->api.traces = &s->traces;
    s->api.prices = (tcsi_tally_prices){ price_of(s->options.cost_false_alarm), price_of(s->options.cost_missed),
                                           price_of(s->options.gain_true_alarm) };
    s->api.started_ns = tcsi_clock_wall_ns();
    status = tcsi_builtin_mount(s->router, &s->builtin, err);
    if (status == TCS_OK) status = tcsi_labelled_create(&s->api.labelled, err);
    if (status == TCS_OK) status = tcsi_api_mount(s->router, &s->api, err);
    if (status == TCS_OK) status = tcsi_web_mount(s->router, err);
    const tcsi_server_options server = { .address = s->options.address, .port = s->options.port, .auth = s->auth,
                                         .anonymous_role = TCSI_ROLE_ADMIN, .metrics = s->metrics,
                                         .thread_count = s->standby ? STANDBY_THREADS : 0,
                                         .certificate_path = s->options.certificate, .key_path = s->options.key,
                                         .observe = tcsi_books_observe, .observe_context = s->books };
    return status == TCS_OK ? tcsi_server_start(&server, s->router, &s->server, err) : status;
}

static tcs_status start_collecting(tcsi_service *s, tcs_error *err)
{
    const tcsi_collector_options collector = { 0 };
    if (!s->options.collects) return TCS_OK;
    const tcs_status status = tcsi_collector_create(&collector, &s->collector, err);
    return status == TCS_OK ? start_clockwork(s, &s->collecting, collect, err) : status;
}

static void note_start(tcsi_service *s)
{
    char detail[160];
    snprintf(detail, sizeof detail, "{\"records_read\":%llu,\"tokens\":%zu,\"tls\":%s}", (unsigned long long)s->replayed,
             s->auth ? tcsi_auth_count(s->auth) : 0, s->options.certificate ? "true" : "false");
    tcsi_books_note(s->books, "start", detail, tcsi_clock_wall_ns());
}

tcs_status tcsi_service_start(const tcsi_service_options *options, tcsi_service **ret_service, tcs_error *err)
{
    tcsi_service *s = TCSI_NEW(tcsi_service);
    if (!s) return tcsi_fail_memory(err, "a service");
    s->options = *options;
    if (!s->options.series_count_max) s->options.series_count_max = SERIES_COUNT_MAX;
    if (!(s->options.snapshot_s > 0)) s->options.snapshot_s = SNAPSHOT_S;
    if (!(s->options.deep_deadline_s > 0)) s->options.deep_deadline_s = DEEP_DEADLINE_S;
    if (!(s->options.deep_sampled_per_s > 0)) s->options.deep_sampled_per_s = DEEP_SAMPLED_PER_S;
    if (!(s->options.watch_s > 0)) s->options.watch_s = WATCH_S;
    pthread_mutex_init(&s->mutex, NULL);
    pthread_cond_init(&s->ending, NULL);
    pthread_mutex_init(&s->api.store_mutex, NULL);
    tcsi_traces_init(&s->traces);
    tcsi_buffer_init(&s->collected, BODY_SIZE_MAX);
    tcs_status status = tcsi_metrics_create(0, &s->metrics, err);
    const tcsi_events_options events = { .metrics = s->metrics };
    if (status == TCS_OK) status = tcsi_events_create(&events, &s->events, err);
    if (status == TCS_OK) status = open_stores(s, err);
    if (status == TCS_OK) status = start_live(s, err);
    if (status == TCS_OK) status = start_deliver(s, err);
    if (status == TCS_OK) status = start_watching(s, err);
    if (status == TCS_OK) status = start_clockwork(s, &s->ticks, tick, err);
    if (status == TCS_OK) status = start_collecting(s, err);
    if (status == TCS_OK) status = tcsi_books_open(s->store_path, &s->books, err);
    if (status == TCS_OK) status = start_http(s, err);
    if (status == TCS_OK) status = start_clockwork(s, &s->booking, write_books, err);
    if (status == TCS_OK) note_start(s);
    if (status == TCS_OK) status = start_standby(s, err);
    if (status == TCS_OK) *ret_service = s;
    else (void)tcsi_service_stop(s);
    return status;
}

uint16_t tcsi_service_port(const tcsi_service *service) { return tcsi_server_port(service->server); }
uint64_t tcsi_service_replayed(const tcsi_service *service) { return service->replayed; }
size_t tcsi_service_series_count(const tcsi_service *service) { return tcsi_live_stat(service->live).series_count; }

tcs_status tcsi_service_reload(tcsi_service *service, tcs_error *err)
{
    tcs_status status = service->auth ? tcsi_auth_load(service->auth, service->options.token_file, err) : TCS_OK;
    if (status == TCS_OK && service->options.certificate) status = tcsi_server_reload(service->server, err);
    char detail[80];
    snprintf(detail, sizeof detail, "{\"is_done\":%s,\"tokens\":%zu}", status == TCS_OK ? "true" : "false",
             service->auth ? tcsi_auth_count(service->auth) : 0);
    tcsi_books_note(service->books, "reload", detail, tcsi_clock_wall_ns());
    return status;
}

/* ---- stop ---- */

static void end_clockwork(clockwork *c)
{
    if (c->is_running) pthread_join(c->thread, NULL);
    c->is_running = false;
}

bool tcsi_service_stop(tcsi_service *s)
{
    if (!s) return true;
    tcs_error ignored;
    const bool is_drained = !s->server || tcsi_server_drain(s->server, DRAIN_NS);
    pthread_mutex_lock(&s->mutex);
    s->is_ending = true;
    pthread_cond_broadcast(&s->ending);
    pthread_mutex_unlock(&s->mutex);
    end_clockwork(&s->ticks);
    end_clockwork(&s->collecting);
    end_clockwork(&s->booking);
    if (s->booking.turn)
        tcsi_books_note(s->books, "stop", is_drained ? "{\"is_drained\":true}" : "{\"is_drained\":false}", tcsi_clock_wall_ns());
    tcsi_server_destroy(s->server);
    tcsi_deep_stop(s->deep);
    tcsi_books_close(s->books);
    char reason[TCSI_KEEPER_REASON_SIZE];
    const bool keeps = s->keeper && tcsi_standby_leads(s->standby) && tcsi_keeper_is_fine(s->keeper, reason);
    if (s->keeper && !keeps) tcsi_keeper_stop(s->keeper); /* what it waits for happens again, or somewhere else */
    else if (s->intake) (void)!tcsi_live_save(s->live, &ignored); /* so that the next start reads little */
    if (s->live) tcsi_live_settle(s->live);
    if (s->keeper) tcsi_keeper_stop(s->keeper);
    if (s->keeper) tcsi_keeper_set_journal(s->keeper, NULL);
    tcsi_standby_stop(s->standby);
    tcsi_intake_close(s->intake); /* which tells live of what was lost */
    tcsi_chronicle_stop(s->history);
    tcsi_live_destroy(s->live);
    tcsi_deep_destroy(s->deep);
    tcsi_store_close(s->deep_store);
    if (tcsi_score_log_close(s->scores, &ignored) != TCS_OK) tcsi_log(TCSI_LOG_WARNING, "SERVE-SCORES-FAILED", "%s", ignored.text);
    tcsi_watching_destroy(s->watching);
    tcsi_store_close(s->watch_store);
    tcsi_store_close(s->hours_store);
    tcsi_chronicle_destroy(s->history);
    tcsi_deliver_destroy(s->deliver);
    tcsi_keeper_destroy(s->keeper);
    tcsi_standby_destroy(s->standby);
    for (size_t i = 0; i < TCSI_RECEIVER_COUNT_MAX; i++) tcsi_store_close(s->outbox_stores[i]);
    tcsi_deliver_settings_destroy(s->settings);
    tcsi_labelled_destroy(s->api.labelled);
    tcsi_store_close(s->api.store);
    tcsi_store_close(s->store);
    tcsi_router_destroy(s->router);
    tcsi_events_destroy(s->events);
    tcsi_auth_destroy(s->auth);
    tcsi_metrics_destroy(s->metrics);
    tcsi_service_figures_destroy(s->figures);
    tcsi_collector_destroy(s->collector);
    tcsi_buffer_deinit(&s->collected);
    pthread_mutex_destroy(&s->api.store_mutex);
    tcsi_traces_deinit(&s->traces);
    pthread_cond_destroy(&s->ending);
    pthread_mutex_destroy(&s->mutex);
    tcsi_free(s->journal_path);
    tcsi_free(s->store_path);
    tcsi_free(s);
    return is_drained;
}

/* ---- before it starts ---- */

tcs_status tcsi_service_plan(size_t series_count, tcsi_buffer *out, tcs_error *err)
{
    const size_t in_cells = TCSI_CELL_COUNT * tcsi_cell_size_max(series_count / TCSI_CELL_COUNT + 1) + sizeof(tcsi_cell) * TCSI_CELL_COUNT;
    const size_t in_directory = tcsi_directory_size_max(series_count);
    const size_t in_history = TCSI_CELL_COUNT * tcsi_reel_size_max(series_count / TCSI_CELL_COUNT + 1) +
                              tcsi_chronicle_size_max(series_count);
    return tcsi_buffer_printf(out, err, "%zu series, keys of 200 bytes:\n  %8.1f MiB state of series (%zu bytes each)\n"
                              "  %8.1f MiB names of series\n  %8.1f MiB history on its way to the store, at most (--history off: none)\n"
                              "  %8.1f MiB deep layer (--deep off: none)\n  %8.1f MiB together\n", series_count, (double)in_cells / 1048576,
                              sizeof(tcsi_live_series), (double)in_directory / 1048576, (double)in_history / 1048576,
                              (double)tcsi_deep_size() / 1048576,
                              (double)(in_cells + in_directory + in_history + tcsi_deep_size()) / 1048576);
}
