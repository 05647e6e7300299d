/* The ring of events: whoever reads, however small the pieces, gets every event once and whole, or is dropped. */
#include "test.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/rng.h"
#include "serve/http/events.h"

static int64_t now_ns = INT64_C(5) * 1000000000;

static int64_t read_now(void *context)
{
    (void)context;
    return now_ns;
}

typedef struct client {
    tcsi_stream stream;
    int woken, dropped;
    char text[1 << 16];
    size_t size;
    bool waits, failed;
} client;

static void wake(void *context)
{
    ((client *)context)->woken++;
}

static void drop(void *context)
{
    ((client *)context)->dropped++;
}

static const char *last_id;

static const char *find_header(void *context, const char *name)
{
    (void)context;
    return strcmp(name, "Last-Event-ID") == 0 ? last_id : NULL;
}

static client *listen_to(tcsi_events *events, const char *names, const char *id)
{
    client *c = calloc(1, sizeof *c);
    tcsi_request request = { .header = find_header };
    tcsi_response response = { 0 };
    last_id = id;
    assert_ok(tcsi_events_listen(events, names, &request, &response, test_err));
    assert_string_equal(response.content_type, "text/event-stream");
    c->stream = response.stream;
    c->stream.start(c->stream.context, (tcsi_waker){ wake, drop, c });
    return c;
}

/* Reads pieces of at most size bytes until there is nothing more. */
static void drain(client *c, size_t size)
{
    char bytes[4096];
    c->waits = c->failed = false;
    while (!c->waits && !c->failed) {
        ptrdiff_t got = c->stream.read(c->stream.context, bytes, size);
        assert_true(got <= (ptrdiff_t)size && c->size + (got > 0 ? (size_t)got : 0) < sizeof c->text);
        c->waits = got == TCSI_STREAM_WAIT;
        c->failed = got == TCSI_STREAM_FAIL;
        if (got <= 0) continue;
        memcpy(c->text + c->size, bytes, (size_t)got);
        c->size += (size_t)got;
        c->text[c->size] = 0;
    }
}

static void leave(client *c)
{
    c->stream.close(c->stream.context, true);
    free(c);
}

static tcsi_events *begin(size_t count, size_t size)
{
    tcsi_events *events;
    tcsi_clock_set(&(tcsi_clock){ read_now, read_now, NULL });
    tcsi_events_options options = { .event_count = count, .size = size, .epoch = 9, .listener_max = 4 };
    assert_ok(tcsi_events_create(&options, &events, test_err));
    return events;
}

static void test_pieces(void **state)
{
    (void)state;
    static const size_t sizes[] = { 1, 2, 3, 7, 16, 4096 };
    for (size_t s = 0; s < TCS_COUNT(sizes); s++) {
        tcsi_events *events = begin(8, 0);
        client *c = listen_to(events, NULL, NULL), *stale = listen_to(events, NULL, "8-1");
        assert_ok(tcsi_events_publish(events, "a", "{\"x\":1}", test_err));
        assert_ok(tcsi_events_publish(events, "b", "", test_err));
        drain(c, sizes[s]);
        assert_true(c->waits);
        assert_ok(tcsi_events_publish(events, "a", "3", test_err));
        assert_int_equal(c->woken, 1);
        drain(c, sizes[s]);
        assert_string_equal(c->text, "retry: 2000\n\nid: 9-1\nevent: a\ndata: {\"x\":1}\n\nid: 9-2\nevent: b\ndata: \n\n"
                                     "id: 9-3\nevent: a\ndata: 3\n\n")
            ;
        drain(stale, sizes[s]);
        assert_non_null(strstr(stale->text, "event: reset\nid: 9-0\ndata: {}\n\nretry: 2000\n\nid: 9-1\n"));
        leave(c);
        leave(stale);
        tcsi_events_destroy(events);
    }
    tcsi_clock_set(NULL);
}

static void test_resume_and_names(void **state)
{
    (void)state;
    tcsi_events *events = begin(4, 0);
    for (int i = 1; i <= 6; i++) assert_ok(tcsi_events_publish(events, i % 2 ? "odd" : "even", "x", test_err));
    static const struct { const char *names, *id, *first; bool reset; } cases[] = {
        { NULL, NULL, NULL, false }, { NULL, "9-6", NULL, false }, { NULL, "9-2", "id: 9-3\n", false },
        { "even", "9-2", "id: 9-4\n", false },
        { "odd|x", "9-5", NULL, false }, { NULL, "9-1", NULL, true }, { NULL, "9-7", NULL, true }, { NULL, "x", NULL, true },
        { "od", "9-2", NULL, false },
    };
    for (size_t i = 0; i < TCS_COUNT(cases); i++) {
        client *c = listen_to(events, cases[i].names, cases[i].id);
        drain(c, 64);
        assert_true((strstr(c->text, "event: reset") != NULL) == cases[i].reset);
        const char *id = strstr(c->text, "2000\n\n") + 6;
        if (cases[i].first) assert_memory_equal(id, cases[i].first, strlen(cases[i].first));
        else assert_string_equal(id, "");
        leave(c);
    }
    client *four[4];
    for (int i = 0; i < 4; i++) four[i] = listen_to(events, NULL, NULL);
    assert_int_equal(tcsi_events_listen(events, NULL, &(tcsi_request){ 0 }, &(tcsi_response){ 0 }, NULL), TCS_E_LIMIT);
    assert_int_equal(tcsi_events_listener_count(events), 4);
    for (int i = 0; i < 4; i++) leave(four[(i + 2) % 4]);
    assert_int_equal(tcsi_events_listener_count(events), 0);
    tcsi_events_destroy(events);
    tcsi_clock_set(NULL);
}

static void test_slow_is_dropped(void **state)
{
    (void)state;
    tcsi_events *events = begin(4, 0);
    client *slow = listen_to(events, NULL, NULL), *quick = listen_to(events, NULL, NULL), *other = listen_to(events, "never", NULL);
    char bytes[20];
    drain(other, 64);
    assert_true(slow->stream.read(slow->stream.context, bytes, sizeof bytes) > 0);
    for (int i = 0; i < 10; i++) {
        assert_ok(tcsi_events_publish(events, "a", "x", test_err));
        drain(quick, 64);
        if (i == 0) assert_true(slow->stream.read(slow->stream.context, bytes, 5) == 5); /* in the middle of an event */
    }
    assert_int_equal(slow->dropped, 1);
    drain(slow, 64);
    assert_true(slow->failed && quick->waits && quick->dropped == 0);
    assert_int_equal(other->dropped, 0); /* what is not for it does not push it out */
    assert_int_equal(other->woken, 0);
    leave(slow);
    leave(quick);
    leave(other);
    tcsi_events_destroy(events);
    tcsi_clock_set(NULL);
}

/* Between the handler and the first byte a listener is in nobody's list yet. */
static void test_overtaken_before_it_began(void **state)
{
    (void)state;
    tcsi_events *events = begin(4, 0);
    tcsi_request request = { 0 };
    tcsi_response response = { 0 };
    char bytes[64];
    assert_ok(tcsi_events_listen(events, NULL, &request, &response, test_err));
    for (int i = 0; i < 10; i++) assert_ok(tcsi_events_publish(events, "a", "x", test_err));
    client c = { 0 };
    response.stream.start(response.stream.context, (tcsi_waker){ wake, drop, &c });
    assert_int_equal(response.stream.read(response.stream.context, bytes, sizeof bytes), TCSI_STREAM_FAIL);
    response.stream.close(response.stream.context, false);
    assert_ok(tcsi_events_listen(events, NULL, &request, &response, test_err)); /* and one that never begins */
    response.stream.close(response.stream.context, false);
    assert_int_equal(tcsi_events_listener_count(events), 0);
    tcsi_events_destroy(events);
    tcsi_clock_set(NULL);
}

static void test_heartbeat(void **state)
{
    (void)state;
    tcsi_events *events = begin(4, 0);
    client *c = listen_to(events, NULL, NULL);
    drain(c, 64);
    tcsi_events_tick(events, now_ns);
    assert_int_equal(c->woken, 0);
    now_ns += TCSI_EVENTS_HEARTBEAT_NS;
    tcsi_events_tick(events, now_ns);
    assert_int_equal(c->woken, 1);
    drain(c, 64);
    assert_true(c->waits);
    assert_string_equal(c->text, "retry: 2000\n\n: still here\n\n");
    leave(c);
    tcsi_events_destroy(events);
    tcsi_clock_set(NULL);
}

/* A seeded history of events of any size and readers of any speed: what each reads is a run of whole events, none left out. */
static void test_histories(void **state)
{
    (void)state;
    size_t dropped = 0, sent = 0;
    for (uint64_t seed = 0; seed < (test_is_small() ? 20u : 200u); seed++) {
        tcsi_rng rng = tcsi_rng_make(seed, 0);
        tcsi_events *events = begin(1 + tcsi_rng_below(&rng, 20), 300 + tcsi_rng_below(&rng, 3000));
        client *c[4] = { 0 };
        char data[128], bytes[512];
        for (int step = 0; step < 300; step++) {
            size_t who = tcsi_rng_below(&rng, 4);
            if (tcsi_rng_below(&rng, 3) == 0) {
                size_t length = tcsi_rng_below(&rng, sizeof data - 1);
                memset(data, 'x', length);
                data[length] = 0;
                assert_ok(tcsi_events_publish(events, "e", data, test_err));
            } else if (!c[who]) {
                c[who] = listen_to(events, NULL, NULL);
            } else {
                ptrdiff_t got = c[who]->stream.read(c[who]->stream.context, bytes, 1 + tcsi_rng_below(&rng, sizeof bytes));
                if (got > 0) {
                    memcpy(c[who]->text + c[who]->size, bytes, (size_t)got);
                    c[who]->size += (size_t)got;
                    c[who]->text[c[who]->size] = 0;
                }
                assert_true((got == TCSI_STREAM_FAIL) >= (c[who]->dropped > 0));
                if (got != TCSI_STREAM_FAIL) continue;
                dropped++;
                unsigned long long number = 0, before = 0;
                for (const char *at = strstr(c[who]->text, "id: 9-"); at; at = strstr(at + 1, "id: 9-"), before = number, sent++) {
                    if (!strstr(at, "data:")) break; /* cut off when it was dropped */
                    assert_true(sscanf(at, "id: 9-%llu", &number) == 1 && (before == 0 || number == before + 1));
                }
                leave(c[who]);
                c[who] = NULL;
            }
        }
        for (size_t who = 0; who < 4; who++)
            if (c[who]) leave(c[who]);
        tcsi_events_destroy(events);
    }
    assert_true(dropped > 50 && sent > 200);
    tcsi_clock_set(NULL);
}

TCS_TEST_MAIN(cmocka_unit_test(test_pieces), cmocka_unit_test(test_resume_and_names), cmocka_unit_test(test_slow_is_dropped),
              cmocka_unit_test(test_overtaken_before_it_began), cmocka_unit_test(test_heartbeat), cmocka_unit_test(test_histories))
