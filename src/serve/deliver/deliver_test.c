/* Deliveries in simulation: a clock, an outbox and receivers that are not there, driven by one seed a history.
 *
 * In each history episodes come and go while receivers fail, refuse and ask for time, the outbox fails, and the process dies at any
 * moment and begins anew with what the outbox holds.  Afterwards the world is put right, and then must hold:
 *   everything that was put for a receiver was sent to it at least once, or refused by it, or made needless by a later message;
 *   per episode and receiver the last thing said is the last thing put; nothing older was first said after something newer;
 *   a receiver that never failed was never kept waiting.
 * TOCSIN_SIM_SEED=N runs one history.  SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "serve/deliver/deliver.h"

enum { ITEM_MAX = 4096, RECEIVER_COUNT = 4, EPISODE_MAX = 24 };

typedef enum item_state { WAITING, DONE, GIVEN_UP } item_state;

typedef struct item {
    char receiver[16], id[TCSI_OUTBOX_ID_SIZE];
    char *payload;
    int64_t due_ns, put_ns;
    uint32_t attempts;
    char error[32];
    item_state state;
} item;

typedef struct world {
    tcsi_rng rng;
    int64_t now_ns;
    item items[ITEM_MAX];
    size_t item_count;
    double outbox_fails, dies; /* probabilities */
    double fails[RECEIVER_COUNT], refuses[RECEIVER_COUNT];
    uint32_t said[RECEIVER_COUNT][EPISODE_MAX];  /* highest revision that was sent */
    uint32_t refused[RECEIVER_COUNT][EPISODE_MAX];
    uint32_t put[RECEIVER_COUNT][EPISODE_MAX];   /* highest revision that was put */
    uint32_t last_said[RECEIVER_COUNT][EPISODE_MAX];
    uint64_t sent_of[RECEIVER_COUNT][EPISODE_MAX]; /* bit: revision */
    int64_t waited_ns[RECEIVER_COUNT];           /* longest of a message that was put and not failed by its receiver */
    size_t attempts;
} world;

static world w;
static bool should_die;

/* ---- the outbox ---- */

static bool fails_now(double probability)
{
    return probability > 0 && tcsi_rng_uniform(&w.rng) < probability;
}

static item *find_item(const char *receiver, const char *id)
{
    for (size_t i = 0; i < w.item_count; i++)
        if (strcmp(w.items[i].receiver, receiver) == 0 && strcmp(w.items[i].id, id) == 0) return &w.items[i];
    return NULL;
}

static tcs_status fake_put(void *context, const tcsi_outbox_message *m, tcs_error *err)
{
    (void)context;
    if (fails_now(w.outbox_fails)) return tcsi_fail(err, TCS_E_IO, "disk");
    if (!find_item(m->receiver, m->id)) {
        assert_true(w.item_count < ITEM_MAX);
        item *new = &w.items[w.item_count++];
        *new = (item){ .due_ns = m->due_ns, .put_ns = w.now_ns };
        snprintf(new->receiver, sizeof new->receiver, "%s", m->receiver);
        snprintf(new->id, sizeof new->id, "%s", m->id);
        new->payload = strndup(m->payload, m->payload_size);
    }
    /* It may have been written although it says that it failed. */
    return fails_now(w.outbox_fails) ? tcsi_fail(err, TCS_E_IO, "disk") : TCS_OK;
}

static int by_due(const void *a, const void *b)
{
    const item *x = *(item *const *)a, *y = *(item *const *)b;
    if (x->due_ns != y->due_ns) return x->due_ns < y->due_ns ? -1 : 1;
    return strcmp(x->id, y->id);
}

static tcs_status fake_due(void *context, const char *receiver, int64_t now_ns, size_t limit, tcsi_outbox_each each, void *each_context,
                           tcs_error *err)
{
    item *list[ITEM_MAX];
    size_t count = 0;
    (void)context;
    if (fails_now(w.outbox_fails)) return tcsi_fail(err, TCS_E_IO, "disk");
    for (size_t i = 0; i < w.item_count; i++)
        if (w.items[i].state == WAITING && w.items[i].due_ns <= now_ns && strcmp(w.items[i].receiver,
                                                                                 receiver) == 0) list[count++] = &w.items[i];
    qsort(list, count, sizeof *list, by_due);
    for (size_t i = 0; i < count && i < limit; i++) {
        const tcsi_outbox_message m = { receiver, list[i]->id, list[i]->payload, strlen(list[i]->payload), list[i]->due_ns,
                                        list[i]->attempts,
                                        list[i]->error };
        if (!each(each_context, &m)) break;
    }
    return TCS_OK;
}

static tcs_status fake_done(void *context, const char *receiver, const char *id, int64_t now_ns, tcs_error *err)
{
    (void)context;
    (void)now_ns;
    if (fails_now(w.outbox_fails)) return tcsi_fail(err, TCS_E_IO, "disk");
    item *i = find_item(receiver, id);
    if (i && i->state == WAITING) i->state = DONE;
    return TCS_OK;
}

static tcs_status fake_retry(void *context, const char *receiver, const char *id, int64_t now_ns, int64_t due_ns, const char *error,
                             tcs_error *err)
{
    (void)context;
    (void)now_ns;
    if (fails_now(w.outbox_fails)) return tcsi_fail(err, TCS_E_IO, "disk");
    item *i = find_item(receiver, id);
    assert_non_null(i);
    if (i->state != WAITING) return TCS_OK;
    i->due_ns = due_ns;
    i->attempts++;
    snprintf(i->error, sizeof i->error, "%s", error);
    if (due_ns == INT64_MAX) i->state = GIVEN_UP;
    return TCS_OK;
}

static tcs_status fake_next(void *context, const char *receiver, int64_t *ret_due_ns, tcs_error *err)
{
    (void)context;
    if (fails_now(w.outbox_fails)) return tcsi_fail(err, TCS_E_IO, "disk");
    *ret_due_ns = INT64_MAX;
    for (size_t i = 0; i < w.item_count; i++)
        if (w.items[i].state == WAITING && strcmp(w.items[i].receiver, receiver) == 0 && w.items[i].due_ns < *ret_due_ns)
            *ret_due_ns = w.items[i].due_ns;
    return TCS_OK;
}

static const tcsi_outbox_ops fake_ops = { fake_put, fake_due, fake_done, fake_done, fake_retry, fake_next };

/* ---- the receivers ---- */

static tcsi_receiver receivers[RECEIVER_COUNT] = {
    { .name = "steady", .kind = TCSI_RECEIVER_WEBHOOK, .retry_ns_max = INT64_C(60000000000), .suspected = true },
    { .name = "manager", .kind = TCSI_RECEIVER_ALERTMANAGER, .retry_ns_max = INT64_C(60000000000), .resend_ns = INT64_C(60000000000),
      .suspected = true },
    { .name = "hook", .kind = TCSI_RECEIVER_WEBHOOK, .retry_ns_max = INT64_C(300000000000), .suspected = true },
    { .name = "grafana", .kind = TCSI_RECEIVER_GRAFANA, .retry_ns_max = INT64_C(60000000000), .suspected = true },
};

static void fake_attempt(void *context, const tcsi_receiver *receiver, const tcsi_alert *alert, int64_t now_ns, tcsi_attempt *ret_attempt)
{
    const size_t r = (size_t)(receiver - receivers), e = (size_t)strtoul(alert->episode_id, NULL, 10);
    (void)context;
    assert_true(now_ns <= w.now_ns);
    w.attempts++;
    *ret_attempt = (tcsi_attempt){ .outcome = TCSI_ATTEMPT_SENT };
    if (fails_now(w.dies)) should_die = true; /* while it is under way: nobody will hear of the outcome */
    if (fails_now(w.fails[r])) {
        ret_attempt->outcome = TCSI_ATTEMPT_RETRY;
        if (fails_now(0.2)) ret_attempt->asked_ns = (int64_t)(tcsi_rng_uniform(&w.rng) * 90e9);
        return;
    }
    if (fails_now(w.refuses[r])) {
        ret_attempt->outcome = TCSI_ATTEMPT_REFUSED;
        w.refused[r][e] |= 1u << alert->revision;
        return;
    }
    const bool is_new = !(w.sent_of[r][e] >> alert->revision & 1);
    if (is_new && alert->revision <= w.said[r][e])
        print_error("TOCSIN_SIM_SEED=%llu: %s hears of %zu's state %u after state %u\n", (unsigned long long)w.rng.seed, receiver->name, e,
                    alert->revision, w.said[r][e]);
    if (is_new) assert_true(alert->revision > w.said[r][e]); /* nothing older is first said after something newer */
    w.sent_of[r][e] |= UINT64_C(1) << alert->revision;
    if (alert->revision > w.said[r][e]) w.said[r][e] = alert->revision;
    w.last_said[r][e] = alert->revision;
    if (r == 0 && is_new) {
        char id[8];
        snprintf(id, sizeof id, "%zu", e);
        for (size_t i = 0; i < w.item_count; i++) {
            const char *sign = strrchr(w.items[i].id, '#');
            if (strcmp(w.items[i].receiver, "steady") != 0 || strtoul(sign + 1, NULL, 10) != alert->revision) continue;
            if (strstr(w.items[i].payload, alert->episode_id) && w.now_ns - w.items[i].put_ns > w.waited_ns[0] &&
                strncmp(w.items[i].payload + 12, id, strlen(id)) == 0 && w.items[i].payload[12 + strlen(id)] == '"')
                w.waited_ns[0] = w.now_ns - w.items[i].put_ns;
        }
    }
}

/* ---- a history ---- */

static tcsi_deliver *begin_life(void)
{
    static tcsi_outbox outboxes[RECEIVER_COUNT];
    tcsi_deliver *deliver = NULL;
    for (size_t r = 0; r < RECEIVER_COUNT; r++) outboxes[r] = (tcsi_outbox){ &fake_ops, NULL };
    const tcsi_deliver_options options = { .receivers = receivers, .receiver_count = RECEIVER_COUNT, .outboxes = outboxes,
                                           .seed = w.rng.seed, .attempt = fake_attempt };
    assert_ok(tcsi_deliver_create(&options, &deliver, test_err));
    return deliver;
}

static void put_one(size_t r, size_t e, uint32_t revision, tcsi_alert_state state)
{
    const tcsi_outbox outbox = { &fake_ops, NULL };
    char id[8], name[16];
    snprintf(id, sizeof id, "%zu", e);
    snprintf(name, sizeof name, "series-%zu", e);
    const tcsi_alert_tag tag = { "__name__", name };
    const tcsi_alert alert = { .tags = &tag, .tag_count = 1, .episode_id = id, .incident_id = "", .state = state, .revision = revision,
                               .starts_ns = 1, .ends_ns = state == TCSI_ALERT_RESOLVED ? w.now_ns : 0, .updated_ns = w.now_ns,
                                   .severity = 60,
                               .value = NAN, .expected_lower = NAN, .expected_upper = NAN, .summary = "s", .description = "", .url = "",
                               .trace = "" };
    while (tcsi_deliver_put(&outbox, &receivers[r], &alert, w.now_ns, w.now_ns, NULL) != TCS_OK) continue; /* as a replay would */
    w.put[r][e] = revision;
}

static void check_history(uint64_t seed)
{
    bool sound = true;
    for (size_t r = 0; r < RECEIVER_COUNT; r++)
        for (size_t e = 0; e < EPISODE_MAX; e++) {
            const uint32_t last = w.put[r][e];
            for (uint32_t revision = 1; revision <= last; revision++) {
                const bool sent = w.sent_of[r][e] >> revision & 1, refused = w.refused[r][e] >> revision & 1;
                const bool needless = tcsi_receiver_keeps_state(&receivers[r]) && revision < last;
                sound = sound && (sent || refused || needless);
            }
            if (last && !(w.refused[r][e] >> last & 1)) sound = sound && w.last_said[r][e] == last;
        }
    for (size_t i = 0; i < w.item_count; i++) /* nothing is left, except what is told again while it lasts: none here */
        sound = sound && w.items[i].state != WAITING;
    if (w.dies == 0 && w.outbox_fails == 0) sound = sound && w.waited_ns[0] <= INT64_C(1500000000);
    if (!sound) print_error("history %llu: TOCSIN_SIM_SEED=%llu\n", (unsigned long long)seed, (unsigned long long)seed);
    assert_true(sound);
}

static void run_for(tcsi_deliver **deliver, int64_t length_ns)
{
    const int64_t end_ns = w.now_ns + length_ns;
    while (w.now_ns < end_ns) {
        int64_t next_ns = end_ns;
        for (size_t r = 0; r < RECEIVER_COUNT; r++) {
            const int64_t at_ns = tcsi_deliver_step(*deliver, r, w.now_ns);
            if (at_ns < next_ns) next_ns = at_ns;
            if (should_die || fails_now(w.dies)) {
                should_die = false;
                tcsi_deliver_destroy(*deliver);
                *deliver = begin_life();
                next_ns = w.now_ns;
            }
        }
        w.now_ns = next_ns > w.now_ns ? next_ns : w.now_ns + 1000000;
    }
}

static void run_history(uint64_t seed)
{
    uint32_t revisions[EPISODE_MAX] = { 0 };
    bool over[EPISODE_MAX] = { false };
    memset(&w, 0, sizeof w);
    w.rng = tcsi_rng_make(seed, 0);
    w.now_ns = INT64_C(1700000000000000000);
    w.outbox_fails = seed % 3 == 0 ? 0.1 * tcsi_rng_uniform(&w.rng) : 0;
    w.dies = seed % 5 == 0 ? 0.05 * tcsi_rng_uniform(&w.rng) : 0;
    tcsi_deliver *deliver = begin_life();
    for (size_t turn = 0; turn < 60; turn++) {
        for (size_t r = 1; r < RECEIVER_COUNT; r++) { /* the weather changes */
            if (fails_now(0.15)) w.fails[r] = fails_now(0.5) ? 1 : tcsi_rng_uniform(&w.rng);
            if (fails_now(0.15)) w.fails[r] = 0;
            w.refuses[r] = r == 2 && seed % 4 == 0 ? 0.1 : 0;
        }
        const size_t e = tcsi_rng_below(&w.rng, EPISODE_MAX);
        if (!over[e] && revisions[e] < 20) {
            over[e] = revisions[e] > 0 && fails_now(0.4);
            revisions[e]++;
            for (size_t r = 0; r < RECEIVER_COUNT; r++)
                put_one(r, e, revisions[e],
                        over[e] ? TCSI_ALERT_RESOLVED : revisions[e] == 1 ? TCSI_ALERT_SUSPECTED : TCSI_ALERT_CONFIRMED);
        }
        run_for(&deliver, (int64_t)(tcsi_rng_uniform(&w.rng) * 40e9));
    }
    for (size_t e = 0; e < EPISODE_MAX; e++)
        if (revisions[e] > 0 && !over[e])
            for (size_t r = 0; r < RECEIVER_COUNT; r++) put_one(r, e, revisions[e] + 1, TCSI_ALERT_RESOLVED);
    memset(w.fails, 0, sizeof w.fails); /* and the sun comes out */
    w.outbox_fails = w.dies = 0;
    run_for(&deliver, INT64_C(7200000000000));
    tcsi_deliver_destroy(deliver);
    w.dies = seed % 5 == 0 ? 1 : 0; /* what the checks may expect */
    w.outbox_fails = seed % 3 == 0 ? 1 : 0;
    check_history(seed);
    for (size_t i = 0; i < w.item_count; i++) free(w.items[i].payload);
}

static void test_histories(void **state)
{
    const char *one = getenv("TOCSIN_SIM_SEED");
    const uint64_t count = test_is_small() ? 100 : 3000;
    (void)state;
    if (one) run_history(strtoull(one, NULL, 10));
    for (uint64_t seed = 1; !one && seed <= count; seed++) run_history(seed);
}

static void test_resend_and_supersede(void **state)
{
    (void)state;
    memset(&w, 0, sizeof w);
    w.rng = tcsi_rng_make(1, 0);
    w.now_ns = INT64_C(1700000000000000000);
    tcsi_deliver *deliver = begin_life();
    put_one(1, 3, 1, TCSI_ALERT_CONFIRMED);
    run_for(&deliver, INT64_C(601000000000));
    assert_int_equal(w.attempts, 11); /* at once, and each minute for ten */
    tcsi_deliver_destroy(deliver);
    deliver = begin_life(); /* a restart changes nothing of it */
    run_for(&deliver, INT64_C(120000000000));
    assert_int_equal(w.attempts, 13);
    put_one(1, 3, 2, TCSI_ALERT_RESOLVED);
    run_for(&deliver, INT64_C(600000000000));
    assert_int_equal(w.attempts, 14);
    assert_int_equal(w.last_said[1][3], 2);
    tcsi_deliver_destroy(deliver);
    for (size_t i = 0; i < w.item_count; i++) free(w.items[i].payload);
}

static void test_poison_holds_back_nobody(void **state)
{
    (void)state;
    memset(&w, 0, sizeof w);
    w.rng = tcsi_rng_make(2, 0);
    w.now_ns = INT64_C(1700000000000000000);
    tcsi_deliver *deliver = begin_life();
    const tcsi_outbox outbox = { &fake_ops, NULL };
    static const char poison[] = "{\"no\":\"alert\"}";
    assert_ok(outbox.ops->put(NULL, &(tcsi_outbox_message){ "hook", "poison#000001", poison, sizeof poison - 1, w.now_ns, 0, "" },
                              test_err));
    put_one(2, 1, 1, TCSI_ALERT_CONFIRMED);
    run_for(&deliver, INT64_C(5000000000));
    assert_int_equal(w.last_said[2][1], 1);
    assert_int_equal(find_item("hook", "poison#000001")->state, GIVEN_UP);
    assert_int_equal(tcsi_deliver_stat(deliver, 2).malformed_count, 1);
    assert_int_equal(tcsi_deliver_stat(deliver, 2).counts[TCSI_ATTEMPT_SENT], 1);
    tcsi_deliver_destroy(deliver);
    for (size_t i = 0; i < w.item_count; i++) free(w.items[i].payload);
}

/* The clock of an earlier life was a year ahead. */
static void test_clock_went_back(void **state)
{
    (void)state;
    memset(&w, 0, sizeof w);
    w.rng = tcsi_rng_make(3, 0);
    w.now_ns = INT64_C(1731536000000000000);
    put_one(2, 1, 1, TCSI_ALERT_CONFIRMED);
    w.now_ns = INT64_C(1700000000000000000);
    tcsi_deliver *deliver = begin_life();
    run_for(&deliver, INT64_C(5000000000));
    assert_int_equal(w.last_said[2][1], 1);
    tcsi_deliver_destroy(deliver);
    for (size_t i = 0; i < w.item_count; i++) free(w.items[i].payload);
}

TCS_TEST_MAIN(cmocka_unit_test(test_resend_and_supersede), cmocka_unit_test(test_poison_holds_back_nobody),
              cmocka_unit_test(test_clock_went_back), cmocka_unit_test(test_histories))
