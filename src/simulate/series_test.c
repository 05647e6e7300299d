/* Families, event kinds and scenarios.  SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/alloc.h"
#include "series/stats.h"
#include "simulate/series.h"
#include "simulate/shape.h"

static const tcsi_series_options any = { .seed = 1, .scenario = TCSI_SCENARIO_ANY, .family = TCSI_FAMILY_ANY, .kind = TCSI_EVENT_ANY };

static tcsi_series_simulation simulate(tcsi_series_options options)
{
    tcsi_series_simulation s = { 0 };
    assert_ok(tcsi_series_simulate(&options, &s, test_err));
    return s;
}

static void check(const tcsi_series_simulation *s)
{
    size_t labelled = 0, inside = 0, n = s->frame->row_count;
    const double *x = tcsi_frame_column(s->frame, 0);
    for (size_t i = 0; i < n; i++) {
        assert_true(isfinite(x[i]) && fabs(x[i]) < 1e9);
        labelled += s->frame->labels[i];
    }
    for (size_t k = 0; k < s->event_count; k++) {
        assert_true(s->events[k].onset >= s->train_row_count && s->events[k].onset < s->events[k].end && s->events[k].end <= n);
        assert_true(k == 0 || s->events[k].onset >= s->events[k - 1].end);
        inside += s->events[k].end - s->events[k].onset;
    }
    assert_int_equal(labelled, inside);
    assert_true(s->train_row_count >= n / 20 && s->train_row_count <= n / 2);
    assert_true(tcsi_deviation(x, n) > 0);
}

static void test_every_family_and_scenario(void **state)
{
    (void)state;
    for (int family = 0; family < TCSI_FAMILY_COUNT; family++)
        for (int scenario = 0; scenario < TCSI_SCENARIO_COUNT; scenario++)
            for (uint64_t stream = 0; stream < 12; stream++) {
                tcsi_series_options o = any;
                o.family = (tcsi_family)family;
                o.scenario = (tcsi_scenario)scenario;
                o.stream = stream;
                o.row_count = stream % 3 == 0 ? 200 + 37 * stream : 0;
                tcsi_series_simulation s = simulate(o);
                check(&s);
                assert_true(s.family == o.family && s.scenario == o.scenario);
                tcsi_series_simulation_deinit(&s);
            }
}

/* The same event again and again, labels that reach beyond what differs; and training rows that no event touches. */
static void test_wide(void **state)
{
    (void)state;
    size_t generous = 0, recurring = 0, event_count = 0;
    for (uint64_t stream = 0; stream < 60; stream++) {
        tcsi_series_options o = any;
        o.scenario = TCSI_SCENARIO_WIDE;
        o.family = TCSI_FAMILY_SEASONAL;
        o.stream = stream;
        tcsi_series_simulation s = simulate(o);
        o.is_calm = true;
        tcsi_series_simulation calm = simulate(o);
        const double *x = tcsi_frame_column(s.frame, 0), *y = tcsi_frame_column(calm.frame, 0);
        check(&s);
        for (size_t i = 0; i < s.train_row_count; i++) assert_true(x[i] == y[i]);
        for (size_t k = 0; k < s.event_count; k++, event_count++) {
            size_t differing = 0;
            for (size_t i = s.events[k].onset; i < s.events[k].end; i++) differing += x[i] != y[i];
            generous += differing < s.events[k].end - s.events[k].onset;
            recurring += k > 0 && s.events[k].name == s.events[k - 1].name;
        }
        tcsi_series_simulation_deinit(&s);
        tcsi_series_simulation_deinit(&calm);
    }
    assert_true(event_count > 100 && generous > event_count / 20 && recurring > event_count / 10);
}

/* As many events as asked for, where there is room, all of one kind. */
static void test_many_events(void **state)
{
    (void)state;
    tcsi_series_options o = any;
    tcs_error err = { 0 };
    tcsi_series_simulation s;
    o.scenario = TCSI_SCENARIO_MIXED;
    o.kind = TCSI_EVENT_STUCK;
    o.row_count = 20000;
    o.event_count = 30;
    s = simulate(o);
    check(&s);
    assert_int_equal(30, s.event_count);
    for (size_t k = 0; k < s.event_count; k++) assert_string_equal("stuck", s.events[k].name);
    tcsi_series_simulation_deinit(&s);
    o.row_count = 400;
    s = simulate(o);
    assert_true(s.event_count < 30);
    tcsi_series_simulation_deinit(&s);
    o.event_count = TCSI_SERIES_EVENT_COUNT_MAX + 1;
    assert_int_equal(TCS_E_INVALID, tcsi_series_simulate(&o, &s, &err));
}

/* Every kind can be made visible in every family, and mostly is. */
static void test_every_event_kind(void **state)
{
    (void)state;
    for (int kind = 0; kind < TCSI_EVENT_KIND_COUNT; kind++) {
        size_t found = 0, tried = 0;
        for (uint64_t stream = 0; stream < 30; stream++, tried++) {
            tcsi_series_options o = any;
            o.kind = (tcsi_event_kind)kind;
            o.stream = stream;
            tcsi_series_simulation s = simulate(o);
            for (size_t k = 0; k < s.event_count; k++) assert_string_equal(s.events[k].name, tcsi_event_kind_name(o.kind));
            found += s.event_count > 0;
            tcsi_series_simulation_deinit(&s);
        }
        if (found * 2 < tried) fail_msg("%s: visible in %zu of %zu series only", tcsi_event_kind_name((tcsi_event_kind)kind), found, tried);
    }
}

static void test_same_seed_and_stream_same_bits(void **state)
{
    (void)state;
    for (uint64_t stream = 0; stream < 40; stream++) {
        tcsi_series_options o = any;
        o.stream = stream;
        tcsi_series_simulation a = simulate(o), b = simulate(o);
        assert_int_equal(a.frame->row_count, b.frame->row_count);
        assert_memory_equal(a.frame->values, b.frame->values, a.frame->row_count * sizeof(double));
        assert_memory_equal(a.frame->labels, b.frame->labels, a.frame->row_count);
        o.stream++;
        tcsi_series_simulation c = simulate(o);
        assert_true(a.frame->row_count != c.frame->row_count || memcmp(a.frame->values, c.frame->values, 100 * sizeof(double)) != 0);
        tcsi_series_simulation_deinit(&a);
        tcsi_series_simulation_deinit(&b);
        tcsi_series_simulation_deinit(&c);
    }
}

/* The calm twin differs inside the labels (unless a limit computed from the data moved) and nowhere else by more than 3 %. */
static void test_calm_twin(void **state)
{
    (void)state;
    size_t different = 0, event_count = 0;
    for (uint64_t stream = 0; stream < 60; stream++) {
        tcsi_series_options o = any;
        o.scenario = TCSI_SCENARIO_SERVICE; /* quantization only, from the training rows: otherwise untouched */
        o.stream = stream;
        tcsi_series_simulation s = simulate(o);
        o.is_calm = true;
        tcsi_series_simulation calm = simulate(o);
        assert_int_equal(calm.event_count, 0);
        double spread = tcsi_deviation(calm.frame->values, calm.frame->row_count);
        for (size_t i = 0; i < s.frame->row_count; i++) {
            assert_int_equal(calm.frame->labels[i], 0);
            bool differs = s.frame->values[i] != calm.frame->values[i];
            if (i < s.train_row_count) assert_false(differs);
            if (!s.frame->labels[i] && fabs(s.frame->values[i] - calm.frame->values[i]) > 0.3 * spread) fail_msg("row %zu", i);
        }
        for (size_t k = 0; k < s.event_count; k++, event_count++) {
            bool differs = false;
            for (size_t i = s.events[k].onset; i < s.events[k].end; i++) differs |= s.frame->values[i] != calm.frame->values[i];
            different += differs;
        }
        tcsi_series_simulation_deinit(&s);
        tcsi_series_simulation_deinit(&calm);
    }
    assert_true(event_count > 100 && different * 100 >= event_count * 97); /* coarse quantization may swallow a faint one */
}

static void test_names(void **state)
{
    (void)state;
    for (int k = 0; k < TCSI_FAMILY_COUNT; k++) {
        tcsi_family family = TCSI_FAMILY_ANY;
        assert_true(tcsi_family_by_name(tcsi_family_name((tcsi_family)k), &family) && (int)family == k);
    }
    for (int k = 0; k < TCSI_EVENT_KIND_COUNT; k++) {
        tcsi_event_kind kind = TCSI_EVENT_ANY;
        assert_true(tcsi_event_kind_by_name(tcsi_event_kind_name((tcsi_event_kind)k), &kind) && (int)kind == k);
    }
    for (int k = 0; k < TCSI_SCENARIO_COUNT; k++) {
        tcsi_scenario scenario = TCSI_SCENARIO_ANY;
        assert_true(tcsi_scenario_by_name(tcsi_scenario_name((tcsi_scenario)k), &scenario) && (int)scenario == k);
    }
    tcsi_family family;
    assert_false(tcsi_family_by_name("any", &family) || tcsi_family_by_name("", &family));
    assert_string_equal(tcsi_event_kind_name(TCSI_EVENT_ANY), "any");
}

static void test_shapes(void **state)
{
    (void)state;
    double x[700], scratch[700];
    tcsi_rng rng = tcsi_rng_make(1, 1);
    for (int kind = 0; kind < TCSI_SHAPE_KIND_COUNT; kind++)
        for (size_t n = 2; n <= 600; n += 1 + n / 2) {
            tcsi_shape_template(&rng, (tcsi_shape_kind)kind, x, n, scratch);
            for (size_t i = 0; i < n; i++) assert_true(isfinite(x[i]));
            assert_near(0, tcsi_mean(x, n), 1e-12);
        }
    for (size_t order = 1; order <= 4; order++)
        for (int turn = 0; turn < 200; turn++) { /* stationary: never runs away, whatever roots were drawn */
            tcsi_shape_autoregression(&rng, order, x, 700);
            tcsi_moments m = tcsi_moments_of(x, 700);
            assert_near(1, m.variance, 1e-9);
            assert_true(m.maximum < 27 && m.minimum > -27);
        }
    for (int i = 0; i < 700; i++) x[i] = 3;
    tcsi_shape_standardize(x, 700);
    assert_true(x[0] == 0 && x[699] == 0);
    tcsi_shape_smooth(x, 700, 0, scratch);
}

static void test_odd_options(void **state)
{
    (void)state;
    tcsi_series_simulation s;
    tcs_error err;
    tcsi_series_options o = any;
    o.row_count = 199;
    assert_int_equal(tcsi_series_simulate(&o, &s, &err), TCS_E_INVALID);
    o.row_count = 0;
    o.family = (tcsi_family)99;
    assert_int_equal(tcsi_series_simulate(&o, &s, &err), TCS_E_INVALID);
    o = any;
    o.row_count = 50000;
    o.seed = UINT64_MAX;
    o.stream = UINT64_MAX;
    s = simulate(o);
    check(&s);
    tcsi_series_simulation_deinit(&s);
    tcsi_series_simulation_deinit(&s); /* a zeroed struct */
}

static void test_without_memory(void **state)
{
    (void)state;
    tcsi_series_options o = any;
    o.row_count = 300;
    for (size_t at = 1;; at++) {
        tcsi_series_simulation s = { 0 };
        tcs_error err = { 0 };
        tcsi_alloc_trace_begin();
        tcsi_alloc_trace_fail_at(at);
        tcs_status status = tcsi_series_simulate(&o, &s, &err);
        tcsi_alloc_trace_fail_at(0);
        tcsi_series_simulation_deinit(&s);
        assert_int_equal(tcsi_alloc_trace_stats().live_count, 0);
        tcsi_alloc_trace_end();
        if (status == TCS_OK) break;
        assert_int_equal(status, TCS_E_MEMORY);
        assert_true(at < 20);
    }
}

TCS_TEST_MAIN(cmocka_unit_test(test_every_family_and_scenario), cmocka_unit_test(test_wide), cmocka_unit_test(test_many_events),
              cmocka_unit_test(test_every_event_kind),
              cmocka_unit_test(test_same_seed_and_stream_same_bits), cmocka_unit_test(test_calm_twin), cmocka_unit_test(test_names),
              cmocka_unit_test(test_shapes), cmocka_unit_test(test_odd_options), cmocka_unit_test(test_without_memory))
