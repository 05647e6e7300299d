/* Files: what is refused, in which line and why; all problems at once; circles and contradictions; saved form; the words. */
#include "knowledge/knowledge.h"
#include "test.h"

#include "base/alloc.h"
#include "base/file.h"
#include "knowledge/bound.h"
#include "tocsin_config.h"

static tcs_status parse(const char *text, tcsi_problems *problems, tcsi_knowledge **ret_knowledge, tcs_error *err)
{
    if (!TCSI_HAVE_YAML) skip();
    return tcsi_knowledge_parse(text, strlen(text), "k.yaml", NULL, 0, problems, ret_knowledge, err);
}

/* The file is refused with exactly these problems, "LINE: part of the text", in order. */
static void expect_problems(const char *text, const char *const *expected, size_t count)
{
    tcsi_problems problems;
    tcsi_knowledge *knowledge = NULL;
    tcs_error err;
    assert_int_equal(parse(text, &problems, &knowledge, &err), TCS_E_FORMAT);
    assert_null(knowledge);
    for (size_t i = 0; i < problems.count || i < count; i++) {
        char line[640] = "";
        const char *part = i < count ? strchr(expected[i], ' ') + 1 : "nothing more";
        if (i < problems.count) tcsi_problems_format(&problems, i, line, sizeof line);
        const size_t number = i < count ? strtoul(expected[i], NULL, 10) : 0;
        const bool is_good = i < problems.count && i < count && problems.items[i].line == number && strstr(line, part);
        if (!is_good) print_error("%s\n  expected line %zu: %s\n", line, number, part);
        assert_true(is_good);
    }
    assert_non_null(strstr(err.text, "k.yaml:"));
}

#define REFUSED(text, ...) \
    expect_problems("version: 1\n" text, (const char *const[]){ __VA_ARGS__ }, \
                    sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(const char *))

static void test_form(void **state)
{
    (void)state;
    expect_problems("", (const char *const[]){ "1: no version; expected version: 1" }, 1);
    expect_problems("version: 2\n", (const char *const[]){ "1: a version that is not known" }, 1);
    expect_problems("- a\n", (const char *const[]){ "1: the file is a list; expected a map with version" }, 1);
    REFUSED("channels: {a: {range: [0, 1}}\n", "2: expected YAML");
    REFUSED("chanels: {}\n", "2: the file has no 'chanels'; did you mean 'channels'? expected version, zone, channels");
    REFUSED("channels:\n  a: &x {unit: bar}\n  b: *x\n", "3: an anchor (&name)");
    REFUSED("channels:\n  a: {unit: bar}\n  a: {unit: bar}\n", "4: 'a' a second time; it stands in line 3 already");
    REFUSED("channels: [a]\n", "2: 'channels' is a list; expected names");
    REFUSED("? [a]\n: b\n", "2: a list or map as a name");
    REFUSED("---\nversion: 1\n", "2: a second document");
    REFUSED("channels: [[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]\n", "2: nested more than 16 deep");
    REFUSED("zone: !!binary x\n", "2: a tag (!name)");
}

static void test_meaning(void **state)
{
    (void)state;
    REFUSED("channels:\n  a: {range: [5, 2]}\n", "3: the range of 'a' is impossible: no value is both at least 5 and at most 2");
    REFUSED("channels:\n  a: {range: [5, 5]}\n", "3: the range of 'a' is impossible");
    REFUSED("channels:\n  a: {range: [low, 2]}\n", "3: the lowest value of a range is 'low'; expected a number");
    REFUSED("channels:\n  a: {range: 3}\n", "3: the range of 'a' is not two numbers");
    REFUSED("channels:\n  a: {uint: bar}\n", "3: a channel has no 'uint'; did you mean 'unit'? expected unit, range, alarm");
    REFUSED("channels:\n  a: {alarm: {above: 1, below: 3}}\n", "3: the alarm of 'a' is for every value");
    REFUSED("channels:\n  a: {alarm: {for: 3s}}\n", "3: an alarm of 'a' without a limit");
    REFUSED("channels:\n  a: {alarm: {above: 1, for: soon}}\n", "3: 'for' is 'soon'; expected a duration");
    REFUSED("channels:\n  a:\n    range: [2, 4]\n    alarm: {above: 1}\n",
            "5: the alarm of 'a' is for every possible value: its range is 2 to 4");
    REFUSED("channels:\n  a:\n    range: [2, 4]\n    alarm: [{above: 3}, {above: 9}]\n", "5: an alarm of 'a' that cannot happen");
    REFUSED("derived:\n  x: a +\n  y: [a]\n", "3: 'a +' ends where", "4: a derived channel is a list; expected a text");
    REFUSED("derived: {x: a}\nconstraints: {x: a = b +- 1}\n", "3: 'x' names a derived channel and a constraint (line 2)");
    REFUSED("rules:\n  r: {when: a, says: odd}\n", "3: a rule says 'odd'; expected anomaly or normal", "3: a comparison before this");
    REFUSED("rules:\n  r: {when: a < 3}\n", "3: the rule 'r' has no 'says'");
    REFUSED("signatures:\n  s: {steps: [{channel: a, shape: raise}]}\n", "3: no shape 'raise'; did you mean 'rise'?");
    REFUSED("signatures:\n  s: {steps: []}\n", "3: the signature 's' has no list of 1 to 8 steps");
    REFUSED("signatures:\n  s: {steps: [{channel: a, shape: rise, within: 3s}]}\n", "3: 'within' of the first step");
}

static void test_events(void **state)
{
    (void)state;
    REFUSED("events:\n  e: {for: 2h}\n", "3: the event 'e' has no time");
    REFUSED("events:\n  e: {from: 2026-01-02}\n", "3: the event 'e' has no 'to'");
    REFUSED("events:\n  e: {from: 2026-01-02, to: 2026-01-01}\n", "3: the event 'e' ends before it begins");
    REFUSED("events:\n  e: {from: tomorrow, to: 2026-01-01}\n", "3: 'from' is 'tomorrow'; expected a time");
    REFUSED("events:\n  e: {daily: '02:00'}\n", "3: the event 'e' has no 'for'");
    REFUSED("events:\n  e: {daily: 2 pm, for: 1h}\n", "3: '2 pm' is no time; expected HH:MM");
    REFUSED("events:\n  e: {weekly: 'someday 02:00', for: 1h}\n", "3: 'someday 02:00' is no time; expected a weekday and a time");
    REFUSED("events:\n  e: {cron: '0 25 * * *', for: 1h}\n", "3: '0 25 * * *' is no cron line, by its hour");
    REFUSED("events:\n  e: {daily: '02:00', weekly: sun 02:00, for: 1h}\n", "3: the event 'e' is stated twice, by 'daily' and by 'weekly'");
    REFUSED("events:\n  e: {days: [2026-02-30]}\n", "3: '2026-02-30' is no day");
    REFUSED("events:\n  e: {daily: '02:00', for: 40d}\n", "3: 'for' of an event; expected whole seconds, at most 31 days");
    REFUSED("zone: Europe/Berln\n", "2: no time zone 'Europe/Berln' is known here");
}

static void test_circles(void **state)
{
    (void)state;
    REFUSED("derived:\n  x: y + 1\n  y: z * 2\n  z: a - x\n", "5: a circle: x -> y -> z -> x; expected formulas that end at channels");
    REFUSED("derived:\n  x: x + 1\n", "3: a circle: x -> x;");
    REFUSED("derived:\n  x: c + 1\nconstraints:\n  c: x = 3 +- 1\n", "5: a circle: x -> c -> x;");
}

static void test_contradictions(void **state)
{
    (void)state;
    REFUSED("constraints:\n  one: a = 3 +- 1\n  two: a = 9 +- 1\n",
            "4: 'two' contradicts the constraint 'one' (line 3): no values fit them all");
    REFUSED("channels:\n  a: {range: [0, 5]}\nconstraints:\n  one: a >= 7 +- 1\n", "5: 'one' contradicts the range of 'a' (line 3)");
    REFUSED("constraints:\n  one: a + b = 10 +- 1\n  two: a - b = 0 +- 1\n  three: b >= 8 +- 0.5\n",
            "5: 'three' contradicts the constraint 'one' (line 3), the constraint 'two' (line 4)");
    REFUSED("constraints:\n  one: a - a = 3 +- 1\n", "3: 'one' contradicts itself");
    REFUSED("constraints:\n  one: d(a)/dt >= 2 +- 0.1\n  two: d(a)/dt * 1min <= 60 +- 1\n",
            "4: 'two' contradicts the constraint 'one' (line 3)");
    REFUSED("derived:\n  x: 2 * a\nconstraints:\n  one: x = 10 +- 1\n  two: a = 9 +- 1\n",
            "6: 'two' contradicts the derived channel 'x' (line 3), the constraint 'one' (line 5)");
    REFUSED("constraints:\n  one: a = 100 +- 10%\n  two: a = 200 +- 10%\n", "4: 'two' contradicts the constraint 'one' (line 3)");
    REFUSED("channels: {'*': {range: [0, 5]}}\nconstraints:\n  one: a + b = 20 +- 1\n", "4: 'one' contradicts the range of '*' (line 2)");
    /* One problem each, and the third still is told. */
    REFUSED("constraints:\n  one: a = 1 +- 0.1\n  two: a = 2 +- 0.1\n  three: a = 3 +- 0.1\n", "4: 'two' contradicts",
            "5: 'three' contradicts");
}

/* What fits somewhere is never refused, however narrow or large. */
static void test_no_contradiction(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "constraints:\n  one: a = 3 +- 1\n  two: a = 5 +- 1\n", /* exactly at 4 */
        "constraints:\n  one: a + b = 10 +- 1e-6\n  two: a - b = 0 +- 1e-6\n  three: b = 5 +- 1e-6\n",
        "channels:\n  a: {range: [0, 1e9]}\nconstraints:\n  one: 1e-6 * a = 1000 +- 1\n",
        "constraints:\n  one: a * b = 3 +- 1\n  two: a * c = 9 +- 1\n",
        "constraints:\n  one: abs(a) = 3 +- 1\n  two: a = -3 +- 1\n",
        "constraints:\n  one: a - b - c = 0 +- 3%\n  two: a = 1 +- 3%\n  three: b = -5 +- 3%\n",
        "constraints:\n  one: a <= 3 +- 1\n  two: a >= 5 +- 1\n",
        "constraints:\n  one: a = 3 +- 1\n  two: lag(a, 1) = 9 +- 1\n",
        "constraints:\n  one: lag(a, 1) = 3 +- 1\n  two: lag(a, 2) = 9 +- 1\n",
    };
    for (size_t i = 0; i < TCS_COUNT(texts); i++) {
        char text[512];
        tcsi_problems problems;
        tcsi_knowledge *knowledge = NULL;
        tcs_error err = { 0 };
        snprintf(text, sizeof text, "version: 1\n%s", texts[i]);
        tcs_status status = parse(text, &problems, &knowledge, &err);
        if (status != TCS_OK) print_error("%s%s\n", text, err.text);
        assert_int_equal(status, TCS_OK);
        tcsi_knowledge_destroy(knowledge);
    }
}

static void test_all_problems_at_once(void **state)
{
    (void)state;
    enum { COUNT = 30 };
    tcsi_problems problems;
    tcsi_knowledge *knowledge;
    tcs_error err;
    char text[4096] = "version: 1\nchannels:\n";
    for (int i = 0; i < COUNT; i++) snprintf(text + strlen(text), sizeof text - strlen(text), "  c%d: {range: [2, 1]}\n", i);
    assert_int_equal(parse(text, &problems, &knowledge, &err), TCS_E_FORMAT);
    assert_int_equal(problems.count, TCSI_PROBLEM_COUNT_MAX);
    assert_int_equal(problems.left_off, COUNT - TCSI_PROBLEM_COUNT_MAX);
    for (size_t i = 0; i < problems.count; i++) assert_int_equal(problems.items[i].line, 3 + i);
    assert_non_null(strstr(err.text, "k.yaml:3: the range of 'c0' is impossible"));
    assert_non_null(strstr(err.text, "(and 29 more)"));
}

static void expect_unbound(const char *text, const char *expected)
{
    static const char *const names[] = { "pressure", "flow_in", "flow_out" };
    tcsi_problems problems;
    tcsi_knowledge *knowledge;
    tcsi_bound *bound;
    tcs_error err;
    char file[512];
    snprintf(file, sizeof file, "version: 1\n%s", text);
    assert_ok(parse(file, &problems, &knowledge, &err));
    assert_int_equal(tcsi_bound_create(knowledge, names, 3, false, &problems, &bound, &err), TCS_E_FORMAT);
    if (!strstr(err.text, expected)) print_error("%s\n  expected: %s\n", err.text, expected);
    assert_non_null(strstr(err.text, expected));
    tcsi_knowledge_destroy(knowledge);
}

static void test_channels_of_the_input(void **state)
{
    (void)state;
    expect_unbound("channels:\n  presure: {unit: bar}\n",
                   "k.yaml:3: 'channels' names 'presure', but the input has no such channel; did you mean 'pressure'?");
    expect_unbound("channels:\n  'temp_*': {unit: C}\n", "k.yaml:3: 'channels' names 'temp_*'");
    expect_unbound("derived:\n  x: flow_i + 1\n",
                   "k.yaml:3: the derived channel 'x' names 'flow_i', but the input has no such channel; did you mean 'flow_in'?");
    expect_unbound("derived:\n  pressure: flow_in + 1\n", "k.yaml:3: 'pressure' is the name of a channel of the input");
    expect_unbound("rules:\n  r: {when: p < 3, says: normal}\n", "k.yaml:3: the rule 'r' names 'p'");
    expect_unbound("signatures:\n  s: {steps: [{channel: level, shape: rise}]}\n", "k.yaml:3: a signature names 'level'");
    expect_unbound("constraints:\n  c: mean(flow_in, 5min) = 3 +- 1\n",
                   "k.yaml:3: the constraint 'c' looks back for a duration, and the input has no times");
    expect_unbound("events:\n  e: {daily: '02:00', for: 1h}\n", "k.yaml:3: the event 'e' needs times");
    expect_unbound("channels:\n  pressure: {alarm: {above: 3, for: 1s}}\n", "k.yaml:3: 'for' needs times");
}

static const char *const WHOLE =
    "version: 1\nzone: Europe/Berlin\n"
    "channels:\n  pressure: {unit: bar, range: [0, 16], alarm: {above: 12, for: 30s}}\n"
    "derived:\n  head: pressure * 10.2\n"
    "constraints:\n  balance: flow_in - flow_out = 0 ± 3%\n"
    "signatures:\n  leak:\n    steps:\n      - {channel: pressure, shape: fall}\n      - {channel: flow_out, shape: fall, within: 60s}\n"
    "events:\n  service: {weekly: [sat 06:00, sun 06:00], for: 2h}\n  holidays: {days: [2026-12-25, 01-01]}\n"
    "  filter: {from: 2026-07-01T08:00, to: 2026-07-01T09:00, channels: flow_*}\n"
    "rules:\n  dry: {when: flow_in < 1 and not pressure < 2, says: anomaly}\n";

static void test_words(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "channel pressure, in bar\n", "readings below 0 or above 16 are impossible", "always an alarm: pressure above 12 bar for 30 s\n",
        "derived channel head: pressure * 10.2\n", "constraint balance: flow_in - flow_out = 0 ± 3%\n",
            "±1 at the tolerance of 3 % of its largest term",
        "signature leak: an episode is called so when pressure shows a fall, then flow_out shows a fall within 1 min\n",
        "event service: at 06:00 on Sat; at 06:00 on Sun, for 2 h, Europe/Berlin time\n",
            "event holidays: 2 whole days, Europe/Berlin time\n",
        "event filter: from 2026-07-01T06:00:00Z to 2026-07-01T07:00:00Z\n",
        "  what flow_* reads then is not looked at, except by hard limits\n",
        "rule dry: says anomaly when flow_in < 1 and not pressure < 2\n",
    };
    tcsi_problems problems;
    tcsi_knowledge *knowledge;
    tcsi_buffer out;
    tcs_error err;
    tcsi_buffer_init(&out, 1 << 16);
    assert_ok(parse(WHOLE, &problems, &knowledge, &err));
    assert_ok(tcsi_knowledge_describe(knowledge, &out, &err));
    for (size_t i = 0; i < TCS_COUNT(lines); i++) {
        if (!strstr(out.data, lines[i])) print_error("%s\n  has not: %s\n", out.data, lines[i]);
        assert_non_null(strstr(out.data, lines[i]));
    }
    tcsi_buffer_deinit(&out);
    tcsi_knowledge_destroy(knowledge);
}

/* Saved, it is read again without the zones of the machine. */
static void test_saved_form(void **state)
{
    (void)state;
    tcsi_problems problems;
    tcsi_knowledge *parsed;
    const tcsi_knowledge *knowledge, *loaded = NULL;
    tcsi_buffer bytes, again;
    tcs_error err;
    tcsi_buffer_init(&bytes, 1 << 20);
    tcsi_buffer_init(&again, 1 << 20);
    assert_ok(parse(WHOLE, &problems, &parsed, &err));
    knowledge = parsed;
    tcsi_codec save = tcsi_codec_save(&bytes, &err);
    tcsi_knowledge_persist(&knowledge, &save);
    assert_int_equal(tcsi_codec_status(&save), TCS_OK);
    tcsi_codec load = tcsi_codec_load(bytes.data, bytes.size, &err);
    tcsi_knowledge_persist(&loaded, &load);
    assert_int_equal(tcsi_codec_status(&load), TCS_OK);
    assert_string_equal(knowledge->text, loaded->text);
    assert_int_equal(loaded->zone_data_count, 1);
    for (int64_t t = 1750000000; t < 1800000000; t += 1801)
        assert_int_equal(tcsi_known_event_covers(&knowledge->events[0], t * 1000000000),
                         tcsi_known_event_covers(&loaded->events[0], t * 1000000000));
    save = tcsi_codec_save(&again, &err);
    tcsi_knowledge_persist(&loaded, &save);
    assert_int_equal(bytes.size, again.size);
    assert_memory_equal(bytes.data, again.data, bytes.size);
    for (size_t size = 0; size < bytes.size; size += 7) { /* cut short */
        const tcsi_knowledge *none = NULL;
        tcsi_codec cut = tcsi_codec_load(bytes.data, size, NULL);
        tcsi_knowledge_persist(&none, &cut);
        assert_null(none);
    }
    tcsi_knowledge_destroy(knowledge);
    tcsi_knowledge_destroy(loaded);
    tcsi_buffer_deinit(&bytes);
    tcsi_buffer_deinit(&again);
}

/* The file that the reference shows is one, and uses every key there is. */
static void test_the_reference_is_right(void **state)
{
    (void)state;
    tcsi_problems problems;
    tcsi_knowledge *knowledge = NULL;
    tcsi_buffer page;
    tcs_error err = { 0 };
    tcsi_buffer_init(&page, 1 << 20);
    assert_ok(tcsi_file_read(test_source("docs/reference/knowledge.md"), &page, &err));
    char *begin = strstr(page.data, "```yaml\n"), *end = begin ? strstr(begin, "\n```\n") : NULL;
    assert_non_null(end);
    end[1] = 0;
    tcs_status status = parse(begin + 8, &problems, &knowledge, &err);
    if (status != TCS_OK) print_error("%s\n", err.text);
    assert_int_equal(status, TCS_OK);
    assert_true(knowledge->fact_count && knowledge->limit_count && knowledge->formula_count && knowledge->signature_count
                && knowledge->event_count == 6 && knowledge->rule_count);
    tcsi_knowledge_destroy(knowledge);
    tcsi_buffer_deinit(&page);
}

static void test_memory_runs_out(void **state)
{
    (void)state;
    for (size_t at = 1;; at++) {
        static const char *const names[] = { "pressure", "flow_in", "flow_out" };
        tcsi_problems problems;
        tcsi_knowledge *knowledge = NULL;
        tcsi_bound *bound = NULL;
        tcs_error err;
        tcsi_alloc_trace_begin();
        tcsi_alloc_trace_fail_at(at);
        tcs_status status = parse(WHOLE, &problems, &knowledge, &err);
        if (status == TCS_OK) status = tcsi_bound_create(knowledge, names, 3, true, &problems, &bound, &err);
        tcsi_bound_destroy(bound);
        tcsi_knowledge_destroy(knowledge);
        assert_int_equal(tcsi_alloc_trace_stats().live_count, 0);
        tcsi_alloc_trace_end();
        if (status == TCS_OK) return;
        assert_true(status == TCS_E_MEMORY || (status == TCS_E_FORMAT &&
                                               strstr(err.text, "zone"))); /* a zone's file may not be read then */
    }
}

static void test_patterns(void **state)
{
    (void)state;
    static const struct { const char *pattern, *name; bool matches; } cases[] = {
        { "flow", "flow", true }, { "flow", "flow_in", false }, { "flow*", "flow_in", true }, { "*in", "flow_in", true }, { "*", "", true },
        { "f?ow", "flow", true }, { "f?ow", "fow", false }, { "*o*i*", "flow_in", true }, { "*o*x*", "flow_in", false }, { "", "", true },
        { "a*b*c", "aXbXbXc", true }, { "a*b*c", "aXbXbX", false },
    };
    for (size_t i = 0; i < TCS_COUNT(cases); i++) assert_int_equal(cases[i].matches, tcsi_pattern_matches(cases[i].pattern, cases[i].name));
}

static void test_builds_without_libyaml_say_so(void **state)
{
    (void)state;
    tcsi_problems problems;
    tcsi_knowledge *knowledge = NULL;
    tcs_error err = { 0 };
    const tcs_status status = tcsi_knowledge_parse("version: 1", 10, "k.yaml", NULL, 0, &problems, &knowledge, &err);
    assert_int_equal(status, TCSI_HAVE_YAML ? TCS_OK : TCS_E_UNSUPPORTED);
    assert_true(TCSI_HAVE_YAML || strstr(err.text, "-Dyaml=enabled"));
    tcsi_knowledge_destroy(knowledge);
}

TCS_TEST_MAIN(cmocka_unit_test(test_builds_without_libyaml_say_so), cmocka_unit_test(test_form), cmocka_unit_test(test_meaning),
              cmocka_unit_test(test_events), cmocka_unit_test(test_circles),
              cmocka_unit_test(test_contradictions), cmocka_unit_test(test_no_contradiction), cmocka_unit_test(test_all_problems_at_once),
              cmocka_unit_test(test_channels_of_the_input), cmocka_unit_test(test_words), cmocka_unit_test(test_saved_form),
                  cmocka_unit_test(test_the_reference_is_right),
              cmocka_unit_test(test_memory_runs_out), cmocka_unit_test(test_patterns))
