/* Programs as response: run without a shell, bounded, heard; matchers; settings and everything that is wrong with them.
 * SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/clock.h"
#include "serve/deliver/attempt.h"
#include "serve/deliver/settings.h"

#include <sys/stat.h>

static const tcsi_alert_tag tags[] = { { "__name__", "load" }, { "host", "$(touch /tmp/x); `id`" } };
static const tcsi_alert alert = { .tags = tags, .tag_count = 2, .episode_id = "e", .incident_id = "", .state = TCSI_ALERT_CONFIRMED,
                                  .revision = 1,
                                  .severity = 70, .summary = "rose; rm -rf /", .description = "", .url = "", .trace = "" };

static tcsi_attempt run_program(const char *script, int64_t timeout_ns)
{
    char path[] = "/tmp/tocsin-command-XXXXXX";
    tcsi_attempt attempt;
    int file = mkstemp(path);
    assert_true(file >= 0);
    assert_int_equal(write(file, script, strlen(script)), (ssize_t)strlen(script));
    fchmod(file, 0700);
    close(file);
    const tcsi_receiver receiver = { .name = "c", .kind = TCSI_RECEIVER_COMMAND, .program = { path, "a b", "$HOME" }, .program_count = 3,
                                     .is_live = true, .timeout_ns = timeout_ns };
    tcsi_attempt_command(&receiver, &alert, 0, &attempt);
    unlink(path);
    return attempt;
}

static void test_runs(void **state)
{
    static const int64_t second = 1000000000;
    (void)state;
    tcsi_attempt a = run_program("#!/bin/sh\nread -r line\necho \"$#|$1|$2|$TOCSIN_STATE|$TOCSIN_SERIES|${HOME-none}\"\n", 5 * second);
    assert_int_equal(a.outcome, TCSI_ATTEMPT_SENT);
    assert_string_equal(a.reason, "exit status 0: 2|a b|$HOME|confirmed|load{host=\"$(touch /tmp/x); `id`\"}|none ");
    a = run_program("#!/bin/sh\ncat | head -c 20\n", 5 * second);
    assert_string_equal(a.reason, "exit status 0: {\"episode\":\"e\",\"inci");
    a = run_program("#!/bin/sh\necho no >&2; exit 3\n", 5 * second);
    assert_int_equal(a.outcome, TCSI_ATTEMPT_REFUSED);
    assert_string_equal(a.reason, "exit status 3: no ");
    a = run_program("#!/bin/sh\nkill -9 $$\n", 5 * second);
    assert_string_equal(a.reason, "killed by signal 9");
    a = run_program("#!/bin/sh\nyes | head -c 1000000\n", 5 * second); /* more than is kept */
    assert_int_equal(a.outcome, TCSI_ATTEMPT_SENT);
    a = run_program("#!/nowhere/at/all\n", 5 * second);
    assert_int_equal(a.outcome, TCSI_ATTEMPT_REFUSED);
    assert_non_null(strstr(a.reason, "cannot be run"));
}

/* Deaf to SIGTERM, with a child that keeps the output open: it is over within a second of its time, and so is the child. */
static void test_times_out(void **state)
{
    const int64_t begun = tcsi_clock_monotonic_ns();
    (void)state;
    tcsi_attempt a = run_program("#!/bin/sh\ntrap '' TERM\nsleep 30 &\nsleep 30\n", 300000000);
    assert_int_equal(a.outcome, TCSI_ATTEMPT_REFUSED);
    assert_string_equal(a.reason, "ended after 300 ms");
    assert_true(tcsi_clock_monotonic_ns() - begun < INT64_C(8000000000));
}

static void test_dry_run(void **state)
{
    tcsi_attempt a;
    const tcsi_receiver receiver = { .kind = TCSI_RECEIVER_COMMAND, .program = { "/bin/false" }, .program_count = 1,
                                     .timeout_ns = 1000000000 };
    const tcsi_receiver relative = { .kind = TCSI_RECEIVER_COMMAND, .program = { "false" }, .program_count = 1, .is_live = true };
    (void)state;
    tcsi_attempt_command(&receiver, &alert, 0, &a);
    assert_int_equal(a.outcome, TCSI_ATTEMPT_SENT);
    assert_string_equal(a.reason, "would run /bin/false");
    tcsi_attempt_command(&relative, &alert, 0, &a);
    assert_int_equal(a.outcome, TCSI_ATTEMPT_REFUSED);
}

static bool holds(const char *text)
{
    tcsi_matcher matcher;
    static const tcsi_alert_tag given[] = { { "host", "db1" }, { "env", "" }, { "path", "a\"b\\c" } };
    assert_ok(tcsi_matcher_parse(text, &matcher, test_err));
    const bool answer = tcsi_matchers_hold(&matcher, 1, given, TCS_COUNT(given));
    tcsi_matcher_deinit(&matcher);
    return answer;
}

static void test_matchers(void **state)
{
    tcsi_matcher matcher;
    tcs_error err;
    (void)state;
    assert_true(holds("host=db1") && holds("host=\"db1\"") && holds("host!=db2") && holds("host=~\"db[0-9]\"") && holds("host=~db1|db2"));
    assert_false(holds("host=db") || holds("host=~db") || holds("host!~\"db.*\"") || holds("host!=db1")); /* the whole value */
    assert_true(holds("env=\"\"") && holds("nobody=\"\"") && holds("nobody!=x") && holds("nobody!~x")); /* absent is empty */
    assert_true(holds("path=\"a\\\"b\\\\c\""));
    static const char *const wrong[] = { "", "host", "=x", "host==~x", "1a=x", "host=\"x", "host=\"x\"y", "host=a b", "host=~\"(\"",
                                         "host=~\"a{9}\"",
                                         "host~x", "ho st=x" };
    for (size_t i = 0; i < TCS_COUNT(wrong); i++) {
        if (strcmp(wrong[i], "host==~x") == 0) continue; /* the value "=~x" */
        assert_int_equal(tcsi_matcher_parse(wrong[i], &matcher, &err), TCS_E_INVALID);
    }
}

static void test_silence(void **state)
{
    tcsi_silence silence = { .starts_ns = 100, .ends_ns = 200 };
    (void)state;
    assert_false(tcsi_silence_holds(&silence, &alert, 150)); /* without matchers it holds for nothing */
    assert_ok(tcsi_matcher_parse("__name__=load", &silence.match[0], test_err));
    silence.match_count = 1;
    assert_true(tcsi_silence_holds(&silence, &alert, 100) && tcsi_silence_holds(&silence, &alert, 199));
    assert_false(tcsi_silence_holds(&silence, &alert, 99) || tcsi_silence_holds(&silence, &alert, 200));
    tcsi_silence_deinit(&silence);
}

static void test_routing(void **state)
{
    tcsi_receiver receiver = { .kind = TCSI_RECEIVER_WEBHOOK, .severity_min = 60 }, program = { .kind = TCSI_RECEIVER_COMMAND };
    tcsi_alert one = alert;
    (void)state;
    assert_true(tcsi_receiver_wants(&receiver, &one, false));
    one.severity = 59;
    assert_false(tcsi_receiver_wants(&receiver, &one, false));
    one = alert;
    one.state = TCSI_ALERT_SUSPECTED;
    assert_false(tcsi_receiver_wants(&receiver, &one, false));
    receiver.suspected = true;
    assert_true(tcsi_receiver_wants(&receiver, &one, false));
    receiver.only_escalated = true;
    assert_false(tcsi_receiver_wants(&receiver, &one, false));
    assert_true(tcsi_receiver_wants(&receiver, &one, true));
    one.state = TCSI_ALERT_RESOLVED;
    assert_false(tcsi_receiver_wants(&program, &one, false)); /* there is nothing to respond to any more */
}

static const char good[] =
    "programs: [/usr/local/bin/restart]\n"
    "escalate_after: 15min\n"
    "group_within: 2min\n"
    "receivers:\n"
    "  - {name: ops, kind: alertmanager, url: 'http://127.0.0.1:9093',\n"
    "     match: ['team=\"db\"', env!=test], labels: {severity: page}, resend: 30s}\n"
    "  - {name: hook, kind: webhook, url: https://example.org/x, secret_file: /etc/key, suspected: yes, severity: 55.5, timeout: 500ms}\n"
    "  - {name: notes, kind: grafana, url: 'http://g:3000/', dashboard: abc, panel: 4}\n"
    "  - {name: post, kind: mail, url: 'smtp://127.0.0.1:25', plain: yes, from: t@x, to: [a@x, b@x]}\n"
    "  - {name: fix, kind: command, program: [/usr/local/bin/restart, --now], live: yes, runs_per_hour: 2}\n"
    "silences:\n"
    "  - {match: [host=db1], from: 2026-12-01T22:00:00Z, until: 2026-12-02T06:00:00Z, author: ann, comment: disks}\n"
    "maintenance:\n"
    "  - {match: ['host=~\"db.*\"'], from: 2026-12-01T22:00:00+01:00, until: 2026-12-02}\n";

static void test_settings(void **state)
{
    tcsi_deliver_settings *s = NULL;
    tcs_error err = { 0 };
    (void)state;
    if (tcsi_deliver_settings_parse("", 0, "x", &s, &err) == TCS_E_UNSUPPORTED) skip();
    tcsi_deliver_settings_destroy(s);
    assert_ok(tcsi_deliver_settings_parse(good, sizeof good - 1, "good.yaml", &s, test_err));
    assert_int_equal(s->receiver_count, 5);
    assert_int_equal(s->escalate_after_ns, INT64_C(900000000000));
    const tcsi_receiver *ops = &s->receivers[0], *hook = &s->receivers[1], *post = &s->receivers[3], *fix = &s->receivers[4];
    assert_int_equal(ops->match_count, 2);
    assert_int_equal(ops->resend_ns, INT64_C(30000000000));
    assert_string_equal(ops->labels[0].value, "page");
    assert_true(hook->suspected && hook->severity_min == 55.5 && hook->timeout_ns == 500000000 &&
                hook->retry_ns_max == INT64_C(300000000000));
    assert_int_equal(s->receivers[2].panel, 4);
    assert_int_equal(post->to_count, 2);
    assert_string_equal(fix->program[1], "--now");
    assert_true(fix->is_live && fix->runs_per_hour == 2);
    assert_int_equal(s->silence_count, 2);
    assert_true(s->silences[1].is_maintenance && !s->silences[0].is_maintenance);
    assert_string_equal(s->silences[0].comment, "disks");
    tcsi_deliver_settings_destroy(s);
}

static void test_wrong_settings(void **state)
{
    static const struct { const char *text, *words; } wrong[] = {
        { "receivers:\n- {name: a, kind: webhook, url: 'http://x', urll: 1}",
          "x.yaml:2: no setting 'urll' of webhook; did you mean 'url'?" },
        { "receivers:\n- {name: a, kind: pager}", "x.yaml:2: receiver a: expected kind: alertmanager" },
        { "receivers:\n- {name: a b, kind: mail}", "x.yaml:2: a receiver without a name" },
        { "receivers:\n- {kind: mail}", "x.yaml:2: a receiver without a name" },
        { "receivers:\n- {name: a, kind: webhook}", "receiver a: has no url" },
        { "receivers:\n- {name: a, kind: webhook, url: 'ftp://x'}", "url: expected http://HOST" },
        { "receivers:\n- {name: a, kind: webhook, url: 'http://u:pw@x'}", "has a password in it" },
        { "receivers:\n- {name: a, kind: webhook, url: 'http://x'}\n- {name: a, kind: webhook, url: 'http://x'}",
          "x.yaml:3: a second receiver a" },
        { "receivers:\n- name: a\n  kind: webhook\n  url: http://x\n  timeout: soon", "x.yaml:5: timeout: 'soon'; expected a time" },
        { "receivers:\n- {name: a, kind: webhook, url: 'http://x', resend: 1s}", "no setting 'resend' of webhook" },
        { "receivers:\n- {name: a, kind: webhook, url: 'http://x', match: ['a{b']}", "is no matcher" },
        { "receivers:\n- {name: a, kind: mail, url: 'smtp://far.example', plain: yes, from: a@b, to: c@d}",
          "without TLS only to localhost" },
        { "receivers:\n- {name: a, kind: mail, url: 'smtp://127.0.0.1.evil.org', plain: yes, from: a@b, to: c@d}",
          "without TLS only to localhost" },
        { "receivers:\n- {name: a, kind: mail, url: 'smtp://h', from: \"a@b\\r\\nX: y\", to: c@d}", "expected name@host" },
        { "receivers:\n- {name: a, kind: mail, url: 'smtp://h', from: a@b, to: 'c@d>, e'}", "expected name@host" },
        { "receivers:\n- {name: a, kind: command, program: /bin/rm}", "/bin/rm is not among the `programs`" },
        { "programs: [rm]\nreceivers:\n- {name: a, kind: command, program: rm}", "expected an absolute path" },
        { "receivers:\n- {name: a, kind: command, program: /x, runs_per_hour: 2.5}", "expected a whole number" },
        { "silences:\n- {from: 2026-01-01, until: 2026-01-02}", "would silence everything" },
        { "silences:\n- {match: a=b, from: 2026-01-02, until: 2026-01-01}", "ends before it begins" },
        { "silences:\n- {match: a=b, from: today, until: 2026-01-01}", "from: expected a time" },
        { "receivrs: []", "no setting 'receivrs' of deliveries; did you mean 'receivers'?" },
        { "receivers: 5", "receivers: expected a list" },
        { "- a", "expected receivers:" },
        { "receivers: [", "x.yaml:" },
    };
    tcsi_deliver_settings *s = NULL;
    tcs_error err = { 0 };
    (void)state;
    if (tcsi_deliver_settings_parse("", 0, "x", &s, &err) == TCS_E_UNSUPPORTED) skip();
    tcsi_deliver_settings_destroy(s);
    for (size_t i = 0; i < TCS_COUNT(wrong); i++) {
        s = NULL;
        const tcs_status status = tcsi_deliver_settings_parse(wrong[i].text, strlen(wrong[i].text), "x.yaml", &s, &err);
        if (status != TCS_E_FORMAT || !strstr(err.text, wrong[i].words)) print_error("%s\n  said: %s\n", wrong[i].text, err.text);
        assert_int_equal(status, TCS_E_FORMAT);
        assert_non_null(strstr(err.text, wrong[i].words));
        assert_null(s);
        assert_null(strstr(err.text, "pw@"));
    }
}

TCS_TEST_MAIN(cmocka_unit_test(test_runs), cmocka_unit_test(test_times_out), cmocka_unit_test(test_dry_run),
              cmocka_unit_test(test_matchers),
              cmocka_unit_test(test_silence), cmocka_unit_test(test_routing), cmocka_unit_test(test_settings),
              cmocka_unit_test(test_wrong_settings))
