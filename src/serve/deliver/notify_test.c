/* What is said to whom, and when: with a clock that the test turns.  SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "serve/deliver/notify.h"

static const tcsi_receiver receivers[] = {
    { .name = "ops", .kind = TCSI_RECEIVER_ALERTMANAGER },
    { .name = "early", .kind = TCSI_RECEIVER_WEBHOOK, .suspected = true },
    { .name = "boss", .kind = TCSI_RECEIVER_MAIL, .only_escalated = true },
    { .name = "fix", .kind = TCSI_RECEIVER_COMMAND, .severity_min = 80 },
};

static char said[8192];
static size_t fail_at; /* 1: the next put fails */

static tcs_status put(void *context, const tcsi_receiver *receiver, const tcsi_alert *alert, int64_t now_ns, tcs_error *err)
{
    const size_t used = strlen(said);
    (void)context;
    (void)now_ns;
    if (fail_at > 0 && --fail_at == 0) return tcsi_fail(err, TCS_E_IO, "disk");
    snprintf(said + used, sizeof said - used, "%s:%s:%s:%u ", receiver->name, alert->episode_id, tcsi_alert_state_names[alert->state],
             (unsigned)alert->revision);
    return TCS_OK;
}

static const int64_t second = 1000000000;

static bool tells_incidents;
static const char *incident = ""; /* of the episodes that are updated */

static tcsi_notify *make(void)
{
    tcsi_notify *notify = NULL;
    const tcsi_notify_options options = { .receivers = receivers, .receiver_count = TCS_COUNT(receivers), .escalate_after_ns = 900 * second,
                                          .tells_incidents = tells_incidents, .put = put };
    said[0] = 0;
    fail_at = 0;
    assert_ok(tcsi_notify_create(&options, &notify, test_err));
    return notify;
}

static tcs_status update(tcsi_notify *notify, const char *episode, const char *host, tcsi_alert_state state, double severity, int64_t now_s)
{
    const tcsi_alert_tag tags[] = { { "__name__", episode }, { "host", host } };
    const tcsi_alert alert = { .tags = tags, .tag_count = 2, .episode_id = episode, .incident_id = incident, .state = state,
                               .starts_ns = now_s * second, .updated_ns = now_s * second, .severity = severity, .value = NAN,
                               .expected_lower = NAN, .expected_upper = NAN, .summary = "", .description = "", .url = "", .trace = "" };
    return tcsi_notify_update(notify, &alert, now_s * second, &(tcs_error){ 0 });
}

#define expect(text)                        \
    do {                                    \
        assert_string_equal(said, (text));  \
        said[0] = 0;                        \
    } while (0)

static void test_states(void **state)
{
    tcsi_notify *n = make();
    (void)state;
    assert_ok(update(n, "a", "h", TCSI_ALERT_SUSPECTED, 55, 100));
    expect("early:a:suspected:1 ");
    assert_ok(update(n, "a", "h", TCSI_ALERT_SUSPECTED, 58, 101)); /* the same again */
    expect("");
    assert_ok(update(n, "a", "h", TCSI_ALERT_CONFIRMED, 61, 102));
    expect("ops:a:confirmed:2 early:a:confirmed:2 ");
    assert_ok(update(n, "a", "h", TCSI_ALERT_CONFIRMED, 70.9, 103));
    expect("");
    assert_ok(update(n, "a", "h", TCSI_ALERT_CONFIRMED, 85, 104)); /* much worse, and now it is for the program too */
    expect("ops:a:confirmed:3 early:a:confirmed:3 fix:a:confirmed:3 ");
    assert_ok(update(n, "a", "h", TCSI_ALERT_RESOLVED, 50, 105));
    expect("ops:a:resolved:4 early:a:resolved:4 ");
    assert_int_equal(tcsi_notify_open_count(n), 0);
    assert_ok(update(n, "a", "h", TCSI_ALERT_RESOLVED, 50, 106));
    expect("");
    assert_ok(update(n, "b", "h", TCSI_ALERT_SUSPECTED, 55, 200));
    assert_ok(update(n, "b", "h", TCSI_ALERT_DISMISSED, 55, 201)); /* who did not hear of it hears nothing */
    expect("early:b:suspected:1 early:b:dismissed:2 ");
    tcsi_notify_destroy(n);
}

static tcs_status update_in(tcsi_notify *notify, const char *in, const char *episode, tcsi_alert_state state, double severity,
                            int64_t now_s)
{
    incident = in;
    const tcs_status status = update(notify, episode, "h", state, severity, now_s);
    incident = "";
    return status;
}

/* Acknowledged and escalated as a whole. */
static void test_incidents(void **state)
{
    tcsi_notify *n = make();
    bool found;
    (void)state;
    assert_ok(update_in(n, "one", "a", TCSI_ALERT_CONFIRMED, 60, 100));
    assert_ok(update_in(n, "two", "b", TCSI_ALERT_CONFIRMED, 60, 101));
    assert_ok(update_in(n, "one", "c", TCSI_ALERT_CONFIRMED, 60, 219));
    assert_ok(update_in(n, "", "f", TCSI_ALERT_CONFIRMED, 60, 460)); /* one of its own */
    assert_string_equal(tcsi_notify_incident(n, "c"), "one");
    assert_int_equal(strlen(tcsi_notify_incident(n, "f")), 32);
    expect("ops:a:confirmed:1 early:a:confirmed:1 ops:b:confirmed:1 early:b:confirmed:1 ops:c:confirmed:1 early:c:confirmed:1 "
           "ops:f:confirmed:1 early:f:confirmed:1 ");
    tcsi_notify_acknowledge(n, "c", &found); /* the whole incident, by one of its episodes */
    assert_true(found);
    tcsi_notify_acknowledge(n, "nobody", &found);
    assert_false(found);
    assert_ok(update_in(n, "two", "g", TCSI_ALERT_CONFIRMED, 60, 900)); /* in the incident of b, whose time comes first */
    expect("ops:g:confirmed:1 early:g:confirmed:1 ");
    assert_ok(tcsi_notify_tick(n, 1000 * second, test_err));
    expect("");
    assert_ok(tcsi_notify_tick(n, 1002 * second, test_err));
    expect("boss:b:confirmed:1 boss:g:confirmed:1 "); /* neither a, which is acknowledged, nor f, whose time has not come */
    assert_ok(tcsi_notify_tick(n, 1003 * second, test_err));
    expect("");
    assert_ok(update_in(n, "two", "h", TCSI_ALERT_CONFIRMED, 60, 110)); /* joins what is escalated */
    expect("ops:h:confirmed:1 early:h:confirmed:1 boss:h:confirmed:1 ");
    assert_ok(update_in(n, "two", "b", TCSI_ALERT_RESOLVED, 60, 1100));
    expect("ops:b:resolved:2 early:b:resolved:2 boss:b:resolved:2 ");
    tcsi_notify_destroy(n);
}

/* The time to acknowledge begins when somebody hears that it is confirmed, and not with a suspicion. */
static void test_time_to_acknowledge(void **state)
{
    (void)state;
    tcsi_notify *n = make();
    assert_ok(update(n, "a", "h", TCSI_ALERT_SUSPECTED, 55, 100));
    expect("early:a:suspected:1 ");
    assert_ok(tcsi_notify_tick(n, 1100 * second, test_err));
    assert_ok(update(n, "a", "h", TCSI_ALERT_CONFIRMED, 60, 1101));
    expect("ops:a:confirmed:2 early:a:confirmed:2 ");
    assert_ok(tcsi_notify_tick(n, 2000 * second, test_err));
    expect("");
    assert_ok(tcsi_notify_tick(n, 2001 * second, test_err));
    expect("boss:a:confirmed:2 ");
    tcsi_notify_destroy(n);
}

/* Told as one: by the first episode that a receiver wants to hear of, until the last one is over. */
static void test_incidents_told_as_one(void **state)
{
    (void)state;
    tells_incidents = true;
    tcsi_notify *n = make();
    assert_ok(update_in(n, "one", "a", TCSI_ALERT_SUSPECTED, 55, 100));
    expect("early:a:suspected:1 ");
    assert_ok(update_in(n, "one", "b", TCSI_ALERT_SUSPECTED, 55, 100));
    expect("");
    assert_ok(update_in(n, "one", "b", TCSI_ALERT_CONFIRMED, 70, 101)); /* early heard of a suspicion only */
    expect("ops:b:confirmed:2 early:b:confirmed:2 ");
    assert_ok(update_in(n, "one", "c", TCSI_ALERT_CONFIRMED, 75, 102));
    assert_ok(update_in(n, "one", "a", TCSI_ALERT_CONFIRMED, 75, 102));
    expect("");
    assert_ok(update_in(n, "one", "d", TCSI_ALERT_CONFIRMED, 85, 103)); /* severe enough for the program */
    expect("fix:d:confirmed:1 ");
    assert_ok(update_in(n, "two", "x", TCSI_ALERT_CONFIRMED, 60, 103));
    expect("ops:x:confirmed:1 early:x:confirmed:1 ");
    assert_ok(update_in(n, "one", "b", TCSI_ALERT_RESOLVED, 70, 104)); /* the one that was told is over, others last */
    assert_ok(tcsi_notify_describe(n, "one", "4 series", "a, b, c, d", test_err));
    assert_ok(tcsi_notify_tick(n, 109 * second, test_err));
    expect("");
    assert_ok(tcsi_notify_tick(n, 111 * second, test_err)); /* new words for those whom they do not wake */
    expect("ops:b:confirmed:3 ");
    assert_ok(tcsi_notify_describe(n, "one", "4 series", "a, b, c, d", test_err));
    assert_ok(tcsi_notify_tick(n, 130 * second, test_err));
    expect("");
    assert_ok(update_in(n, "one", "a", TCSI_ALERT_RESOLVED, 70, 131));
    assert_ok(update_in(n, "one", "d", TCSI_ALERT_RESOLVED, 70, 132));
    assert_ok(update_in(n, "one", "x", TCSI_ALERT_RESOLVED, 70, 133));
    expect("ops:x:resolved:2 early:x:resolved:2 ");
    assert_ok(update_in(n, "one", "c", TCSI_ALERT_RESOLVED, 70, 134)); /* the last one: nobody heard of c itself */
    expect("early:a:resolved:3 ops:b:resolved:4 early:b:resolved:4 ");
    assert_int_equal(tcsi_notify_open_count(n), 0);
    assert_ok(update_in(n, "one", "e", TCSI_ALERT_CONFIRMED, 60, 200));
    assert_ok(update_in(n, "two", "f", TCSI_ALERT_CONFIRMED, 60, 200));
    expect("ops:e:confirmed:1 early:e:confirmed:1 ops:f:confirmed:1 early:f:confirmed:1 ");
    tcsi_notify_merge(n, "two", "one");
    assert_ok(update_in(n, "one", "e", TCSI_ALERT_RESOLVED, 60, 210));
    expect("");
    assert_ok(update_in(n, "one", "f", TCSI_ALERT_RESOLVED, 60, 211));
    expect("ops:f:resolved:2 early:f:resolved:2 ops:e:resolved:2 early:e:resolved:2 ");
    tcsi_notify_destroy(n);
    tells_incidents = false;
}

/* A silence ends over an incident of many: it is told once. */
static void test_silence_over_an_incident(void **state)
{
    tcsi_silence silence = { .starts_ns = 100 * second, .ends_ns = 200 * second, .match_count = 1 };
    (void)state;
    tells_incidents = true;
    tcsi_notify *n = make();
    assert_ok(tcsi_matcher_parse("host=h", &silence.match[0], test_err));
    tcsi_notify_silences(n, &silence, 1);
    for (int i = 0; i < 5; i++) assert_ok(update_in(n, "one", (const char[]){ (char)('a' + i), 0 }, TCSI_ALERT_CONFIRMED, 60, 110 + i));
    expect("");
    assert_ok(tcsi_notify_tick(n, 200 * second, test_err));
    expect("ops:a:confirmed:1 early:a:confirmed:1 ");
    tcsi_notify_destroy(n);
    tcsi_silence_deinit(&silence);
    tells_incidents = false;
}

static void test_silences(void **state)
{
    tcsi_silence silence = { .starts_ns = 100 * second, .ends_ns = 200 * second, .is_maintenance = true, .match_count = 1 };
    tcsi_notify *n = make();
    (void)state;
    assert_ok(tcsi_matcher_parse("host=h", &silence.match[0], test_err));
    tcsi_notify_silences(n, &silence, 1);
    assert_ok(update(n, "before", "h", TCSI_ALERT_CONFIRMED, 60, 99));
    expect("ops:before:confirmed:1 early:before:confirmed:1 ");
    assert_ok(update(n, "short", "h", TCSI_ALERT_CONFIRMED, 60, 110));
    assert_ok(update(n, "long", "h", TCSI_ALERT_CONFIRMED, 60, 120));
    assert_ok(update(n, "other", "x", TCSI_ALERT_CONFIRMED, 60, 120));
    assert_ok(update(n, "before", "h", TCSI_ALERT_CONFIRMED, 75, 125));
    assert_ok(tcsi_notify_tick(n, 130 * second, test_err));
    expect("ops:other:confirmed:1 early:other:confirmed:1 ");
    assert_ok(update(n, "short", "h", TCSI_ALERT_RESOLVED, 60, 150)); /* nobody heard that it began */
    expect("");
    assert_ok(tcsi_notify_tick(n, 200 * second, test_err)); /* what lasts is told now, as it is now */
    expect("ops:before:confirmed:2 early:before:confirmed:2 ops:long:confirmed:1 early:long:confirmed:1 ");
    assert_ok(tcsi_notify_tick(n, 201 * second, test_err));
    expect("");
    silence.ends_ns = 900 * second;
    assert_ok(update(n, "long", "h", TCSI_ALERT_RESOLVED, 60, 300)); /* silenced or not, its end is told */
    expect("ops:long:resolved:2 early:long:resolved:2 ");
    tcsi_notify_destroy(n);
    tcsi_silence_deinit(&silence);
}

static void begin_silence(tcsi_silences *set, const char *id, const char *matcher, int64_t from_s, int64_t to_s)
{
    tcsi_silence silence = { .match_count = 1, .starts_ns = from_s * second, .ends_ns = to_s * second };
    snprintf(silence.id, sizeof silence.id, "%s", id);
    assert_ok(tcsi_matcher_parse(matcher, &silence.match[0], test_err));
    assert_ok(tcsi_silences_add(set, &silence, test_err));
}

/* A set that changes: each change counts from the next call on, however long a silence was to hold. */
static void test_silences_come_and_go(void **state)
{
    tcsi_notify *n = make();
    tcsi_silences set;
    (void)state;
    tcsi_silences_init(&set);
    tcsi_notify_set(n, &set);
    begin_silence(&set, "one", "host=h", 100, 1000);
    assert_ok(update(n, "a", "h", TCSI_ALERT_CONFIRMED, 60, 100));
    assert_ok(update(n, "b", "x", TCSI_ALERT_CONFIRMED, 60, 100));
    expect("ops:b:confirmed:1 early:b:confirmed:1 ");
    assert_ok(tcsi_notify_tick(n, 110 * second, test_err));
    expect("");
    begin_silence(&set, "two", "host=~h|x", 110, 200); /* overlaps; of b nothing new is told */
    assert_ok(update(n, "b", "x", TCSI_ALERT_CONFIRMED, 75, 111));
    tcsi_silences_end(&set, "one");
    assert_ok(tcsi_notify_tick(n, 112 * second, test_err));
    expect("");
    assert_ok(tcsi_notify_tick(n, 199 * second, test_err));
    expect("");
    tcsi_silences_expire(&set, 200 * second); /* as the keeper does, whether it is before or after the tick */
    assert_ok(tcsi_notify_tick(n, 200 * second, test_err));
    expect("ops:a:confirmed:1 early:a:confirmed:1 ops:b:confirmed:2 early:b:confirmed:2 ");
    begin_silence(&set, "three", "host=y", 200, 1000);
    assert_ok(update(n, "c", "y", TCSI_ALERT_CONFIRMED, 60, 201));
    tcsi_silences_end(&set, "three"); /* before its time */
    assert_ok(tcsi_notify_tick(n, 202 * second, test_err));
    expect("ops:c:confirmed:1 early:c:confirmed:1 ");
    tcsi_notify_destroy(n);
    tcsi_silences_deinit(&set);
}

/* A put that fails: the same call made again says the same under the same revisions. */
static void test_outbox_fails(void **state)
{
    tcsi_notify *n = make();
    (void)state;
    fail_at = 2;
    assert_int_equal(update(n, "a", "h", TCSI_ALERT_CONFIRMED, 60, 100), TCS_E_IO);
    expect("ops:a:confirmed:1 ");
    assert_ok(update(n, "a", "h", TCSI_ALERT_CONFIRMED, 60, 100));
    expect("ops:a:confirmed:1 early:a:confirmed:1 ");
    fail_at = 2;
    assert_int_equal(update(n, "a", "h", TCSI_ALERT_RESOLVED, 60, 110), TCS_E_IO);
    assert_int_equal(tcsi_notify_open_count(n), 1);
    said[0] = 0;
    assert_ok(update(n, "a", "h", TCSI_ALERT_RESOLVED, 60, 110));
    expect("ops:a:resolved:2 early:a:resolved:2 ");
    tcsi_notify_destroy(n);
}

/* Saved and loaded at any moment, it says what it would have said; a cut or changed state is refused. */
static void test_persist(void **state)
{
    static char whole[sizeof said];
    (void)state;
    for (uint64_t seed = 0; seed < 200; seed++) {
        tells_incidents = seed % 4 == 1;
        for (int kept = 0; kept < 2; kept++) {
            tcsi_rng rng = tcsi_rng_make(seed, 0), cuts = tcsi_rng_make(seed, 1);
            tcsi_notify *n = make();
            for (int64_t step = 0; step < 40; step++) {
                const char episode[] = { (char)('a' + (char)tcsi_rng_below(&rng, 6)), 0 }, host[] = { (char)('x' + (*episode & 1)), 0 };
                const tcsi_alert_state what = tcsi_rng_below(&rng, 3) ? TCSI_ALERT_CONFIRMED : TCSI_ALERT_RESOLVED;
                incident = seed % 2 ? host : "";
                assert_ok(update(n, episode, host, what, 50 + 10 * (double)tcsi_rng_below(&rng, 5), 100 * step));
                assert_ok(tcsi_notify_tick(n, 100 * step * second, test_err));
                if (!kept) continue;
                tcsi_buffer bytes;
                tcs_error err;
                tcsi_buffer_init(&bytes, 1 << 20);
                tcsi_codec save = tcsi_codec_save(&bytes, &err);
                tcsi_notify_persist(n, &save);
                assert_int_equal(tcsi_codec_status(&save), TCS_OK);
                tcsi_codec cut = tcsi_codec_load(bytes.data, tcsi_rng_below(&cuts, bytes.size), &err);
                tcsi_notify_persist(n, &cut);
                assert_int_equal(tcsi_codec_status(&cut), TCS_E_FORMAT);
                tcsi_codec load = tcsi_codec_load(bytes.data, bytes.size, &err);
                tcsi_notify_persist(n, &load);
                assert_int_equal(tcsi_codec_status(&load), TCS_OK);
                tcsi_buffer_deinit(&bytes);
            }
            tcsi_notify_destroy(n);
            if (kept) assert_string_equal(said, whole);
            memcpy(whole, said, sizeof said);
        }
    }
    tells_incidents = false;
    incident = "";
}

static void test_failing_memory(void **state)
{
    (void)state;
    for (size_t fail = 1;; fail++) {
        tcsi_alloc_trace_begin();
        tcsi_notify *n = make();
        tcsi_alloc_trace_fail_at(fail);
        const tcs_status status = update(n, "a", "h", TCSI_ALERT_CONFIRMED, 60, 100);
        assert_int_equal(tcsi_notify_open_count(n), status == TCS_OK);
        tcsi_notify_destroy(n);
        assert_int_equal(tcsi_alloc_trace_stats().live_count, 0);
        tcsi_alloc_trace_end();
        if (status == TCS_OK) break;
        assert_int_equal(status, TCS_E_MEMORY);
    }
}

TCS_TEST_MAIN(cmocka_unit_test(test_states), cmocka_unit_test(test_incidents),
              cmocka_unit_test(test_time_to_acknowledge), cmocka_unit_test(test_incidents_told_as_one),
              cmocka_unit_test(test_silence_over_an_incident), cmocka_unit_test(test_silences),
              cmocka_unit_test(test_silences_come_and_go),
              cmocka_unit_test(test_outbox_fails), cmocka_unit_test(test_persist), cmocka_unit_test(test_failing_memory))
