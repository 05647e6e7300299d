/* Limits ahead: of a normal forecast the probabilities are those of the normal distribution, of any they are monotone, and of both sides
 * of one value they add up to 1; without a limit or a forecast there is nothing to say. */
#include "pipeline/crossing.h"
#include "pipeline/known.h"
#include "pipeline/pipeline.h"
#include "test.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "series/time.h"
#include "tocsin_config.h"

enum { ROWS = 600 };

static double normal_above(double z) { return erfc(z / sqrt(2)) / 2; }

/* The quantile by halving, from nothing but erfc. */
static double normal_quantile(double p)
{
    double low = -10, high = 10;
    for (size_t i = 0; i < 100; i++) {
        const double middle = (low + high) / 2;
        if (1 - normal_above(middle) < p) low = middle;
        else high = middle;
    }
    return (low + high) / 2;
}

static tcsi_forecast normal_forecast(double mean, double deviation)
{
    tcsi_forecast f = { .ahead = 1, .median = mean, .noise = deviation };
    for (size_t i = 0; i < TCSI_FORECAST_LEVEL_COUNT; i++) {
        const double half = deviation * normal_quantile((1 + tcsi_forecast_levels[i]) / 2);
        f.low[i] = mean - half;
        f.high[i] = mean + half;
    }
    return f;
}

static void test_a_normal_forecast_has_the_closed_form(void **state)
{
    (void)state;
    static const double means[] = { 0, -3, 1e6 }, deviations[] = { 1, 0.02, 1e3 };
    for (size_t k = 0; k < 3; k++) {
        const tcsi_forecast f = normal_forecast(means[k], deviations[k]);
        for (double z = -6; z <= 6; z += 0.03125) {
            const double limit = means[k] + z * deviations[k], expected = normal_above(z);
            assert_near(expected, tcsi_forecast_above(&f, limit), 1e-9);
            assert_near(1 - expected, tcsi_forecast_below(&f, limit), 1e-9);
            if (z > 0) assert_near(1, tcsi_forecast_above(&f, limit) / expected, 1e-6); /* tails too */
        }
    }
}

/* At its own quantiles a skewed forecast has their probabilities; in between it falls, and both sides add up. */
static void test_any_forecast_is_monotone_and_complementary(void **state)
{
    (void)state;
    tcsi_rng rng = tcsi_rng_make(3, 0);
    for (size_t n = 0; n < 200; n++) {
        tcsi_forecast f = { .median = 10 * tcsi_rng_normal(&rng) };
        double low = f.median, high = f.median, last = 1;
        for (size_t i = 0; i < TCSI_FORECAST_LEVEL_COUNT; i++) {
            f.low[i] = low -= 0.01 + tcsi_rng_exponential(&rng);
            f.high[i] = high += 0.01 + 3 * tcsi_rng_exponential(&rng);
        }
        assert_near(0.5, tcsi_forecast_above(&f, f.median), 1e-12);
        for (size_t i = 0; i < TCSI_FORECAST_LEVEL_COUNT; i++) {
            assert_near((1 - tcsi_forecast_levels[i]) / 2, tcsi_forecast_above(&f, f.high[i]), 1e-12);
            assert_near((1 - tcsi_forecast_levels[i]) / 2, tcsi_forecast_below(&f, f.low[i]), 1e-12);
        }
        for (double limit = low - 20; limit < high + 20; limit += 0.0917) {
            const double p = tcsi_forecast_above(&f, limit);
            assert_true(p >= 0 && p <= last);
            assert_near(1, p + tcsi_forecast_below(&f, limit), 1e-12);
            last = p;
        }
        assert_true(last < 0.025);
    }
}

static void test_strange_forecasts(void **state)
{
    (void)state;
    const tcsi_forecast sure = normal_forecast(5, 0); /* no width: a value beyond the limit, or not */
    assert_near(1, tcsi_forecast_above(&sure, 4.999), 0);
    assert_near(0, tcsi_forecast_above(&sure, 5), 0);
    assert_near(0, tcsi_forecast_above(&sure, 5.001), 0);
    assert_near(0, tcsi_forecast_below(&sure, 5), 0);
    assert_near(1, tcsi_forecast_below(&sure, 5.001), 0);
    tcsi_forecast f = normal_forecast(0, 1), wide = normal_forecast(0, 1e308 / 2);
    assert_near(0, tcsi_forecast_above(&f, 1e308), 0);
    assert_near(1, tcsi_forecast_above(&f, -1e308), 0);
    assert_near(normal_above(2), tcsi_forecast_above(&wide, 1e308), 1e-9);
    f.high[0] = 1.4; /* outside the next band */
    assert_true(tcsi_forecast_above(&f, 1.3) >= tcsi_forecast_above(&f, 1.4));
    assert_true(tcsi_forecast_above(&f, 1.4) >= tcsi_forecast_above(&f, 1.5));
    f = normal_forecast(0, 1);
    f.high[2] = f.high[3]; /* bands that lie on one another have a tail all the same */
    assert_near(normal_above(3), tcsi_forecast_above(&f, 3), 1e-9);
    f.high[3] = 3; /* and a heavy one counts in full: two deviations from 0.05 to 0.025 */
    f.high[2] = 1;
    assert_true(tcsi_forecast_above(&f, 6) > 5 * normal_above(2 * 1.96));
    f.low[3] = -INFINITY;
    assert_true(isnan(tcsi_forecast_above(&f, 0)));
    f = normal_forecast(NAN, 1);
    assert_true(isnan(tcsi_forecast_below(&f, 0)));
}

/* ---- limits of a file ---- */

static const tcsi_knowledge *know(const char *text)
{
    char file[1024];
    tcsi_problems problems;
    tcsi_knowledge *knowledge = NULL;
    if (!TCSI_HAVE_YAML) skip();
    snprintf(file, sizeof file, "version: 1\n%s", text);
    assert_ok(tcsi_knowledge_parse(file, strlen(file), "k.yaml", NULL, 0, &problems, &knowledge, test_err));
    return knowledge;
}

/* `a` climbs by 0.01 a row, `b` rests at 1; a minute apart, the last value of `a` missing. */
static tcsi_frame *rows(void)
{
    tcsi_rng rng = tcsi_rng_make(5, 0);
    tcsi_frame *frame;
    assert_ok(tcsi_frame_create(2, ROWS, true, false, &frame, test_err));
    assert_ok(tcsi_frame_channel_rename(frame, 0, "a", test_err));
    assert_ok(tcsi_frame_channel_rename(frame, 1, "b", test_err));
    for (size_t t = 0; t < ROWS; t++) {
        const double a = 0.01 * (double)t + 0.05 * tcsi_rng_normal(&rng), b = 1 + 0.01 * tcsi_rng_normal(&rng);
        const double row[2] = { t + 1 == ROWS ? NAN : a, b };
        assert_ok(tcsi_frame_append(frame, row, (int64_t)(1700006400 + 60 * t) * TCSI_NS_PER_S, 0, test_err));
    }
    return frame;
}

static tcsi_detection *detect(const tcsi_frame *frame, const char *detector, const tcsi_knowledge *knowledge)
{
    tcsi_detection *detection = NULL;
    const tcsi_detect_options options = { .mode = TCS_MODE_ONLINE, .detector = detector, .thread_count = 1, .knowledge = knowledge,
                                          .has_times = true };
    assert_ok(tcsi_detect(frame, &options, &detection, test_err));
    return detection;
}

static void test_limits_of_a_file(void **state)
{
    (void)state;
    const tcsi_knowledge *knowledge = know("channels:\n"
                                           "  a: {unit: m, alarm: [{above: 5.5, for: 5min}, {above: 9}, {below: 9},\n"
                                           "                       {above: 9, below: 5.5}]}\n"
                                           "  d: {alarm: {below: 20}}\n"
                                           "derived: {d: 10 * b}\n");
    tcsi_frame *frame = rows();
    tcsi_detection *detection = detect(frame, "holt_winters", knowledge);
    assert_int_equal(detection->crossing_count, 5);
    const tcsi_crossing *c = detection->crossings;
    assert_string_equal(c[0].words, "a above 5.5 m"); /* `for` is not foretold */
    assert_string_equal(c[3].words, "a above 9 or below 5.5 m");
    assert_string_equal(c[4].words, "d below 20");
    assert_int_equal(c[4].channel, 2);
    assert_true(c[0].is_passed && !c[1].is_passed && c[2].is_passed && !c[3].is_passed && c[4].is_passed);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(c[i].horizon_count, 1);
        assert_int_equal(c[i].ahead[0], 1);
        assert_int_equal(c[i].likely, c[i].probabilities[0] >= 0.5 ? 0 : 1);
        assert_near(c[i].probabilities[0], c[i].probability, 0);
    }
    assert_true(c[0].probability > 0.99 && c[1].probability < 0.01 && c[4].probability > 0.99);
    assert_near(1, c[1].probability + c[2].probability, 1e-12);
    assert_near(1 - c[0].probability + c[1].probability, c[3].probability, 1e-12); /* of either side */
    tcsi_detection_destroy(detection);
    tcsi_frame_destroy(frame);
    tcsi_knowledge_destroy(knowledge);
}

/* Forecasts of several horizons: the largest probability is the bound, the first of a half or more the likely one. */
static void test_horizons(void **state)
{
    (void)state;
    const tcsi_knowledge *knowledge = know("channels: {a: {alarm: {above: 10}}, b: {alarm: {above: 10}}}\n");
    tcsi_frame *frame = rows();
    tcsi_detection *detection = detect(frame, "ewma", knowledge);
    static const double means[] = { 8, NAN, 10, 13, 9 };
    tcsi_channel_forecast forecasts[5];
    assert_int_equal(detection->crossing_count, 0);
    for (size_t i = 0; i < 5; i++) {
        forecasts[i] = (tcsi_channel_forecast){ .channel = 1, .forecast = normal_forecast(means[i], 1) };
        forecasts[i].forecast.ahead = i + 1;
    }
    detection->forecasts = forecasts;
    detection->forecast_count = 5;
    assert_ok(tcsi_detection_find_crossings(detection, test_err));
    detection->forecasts = NULL;
    assert_int_equal(detection->crossing_count, 1); /* `a` has no forecast */
    const tcsi_crossing *c = detection->crossings;
    assert_int_equal(c->channel, 1);
    assert_int_equal(c->horizon_count, 4); /* the one that is not finite says nothing */
    assert_int_equal(c->ahead[1], 3);
    assert_near(normal_above(2), c->probabilities[0], 1e-9);
    assert_near(normal_above(-3), c->probability, 1e-9);
    assert_int_equal(c->likely, 1);
    tcsi_detection_destroy(detection);
    tcsi_frame_destroy(frame);
    tcsi_knowledge_destroy(knowledge);
}

static void test_no_limit_or_no_forecast_gives_none(void **state)
{
    (void)state;
    const tcsi_knowledge *limited = know("channels: {a: {alarm: {above: 5}}}\n"), *unlimited = know("channels: {a: {unit: m}}\n");
    tcsi_frame *frame = rows();
    const struct { const char *detector; const tcsi_knowledge *knowledge; size_t count; } cases[] = {
        { "holt_winters", limited, 1 }, { "holt_winters", unlimited, 0 }, { "holt_winters", NULL, 0 }, { "ewma", limited, 0 },
    };
    for (size_t i = 0; i < TCS_COUNT(cases); i++) {
        tcsi_detection *detection = detect(frame, cases[i].detector, cases[i].knowledge);
        assert_int_equal(detection->crossing_count, cases[i].count);
        tcsi_detection_destroy(detection);
    }
    tcsi_frame_destroy(frame);
    tcsi_knowledge_destroy(limited);
    tcsi_knowledge_destroy(unlimited);
}

/* A pipeline that was fitted on the first rows says of the end what a detection of all does. */
static void test_a_pipeline_says_the_same(void **state)
{
    (void)state;
    enum { FIRST = 400 };
    const tcsi_knowledge *knowledge = know("channels: {a: {alarm: [{above: 5.9}, {below: 6.1}]}}\n");
    tcsi_frame *frame = rows(), head = tcsi_frame_view(frame, 0, FIRST), tail = tcsi_frame_view(frame, FIRST, ROWS - FIRST);
    tcsi_pipeline *pipeline = NULL;
    tcsi_detection *all = NULL, *later = NULL;
    const tcsi_detect_options options = { .mode = TCS_MODE_ONLINE, .detector = "holt_winters", .thread_count = 1, .knowledge = knowledge,
                                          .has_times = true, .train_row_count = 200 };
    assert_ok(tcsi_detect(frame, &options, &all, test_err));
    assert_ok(tcsi_pipeline_fit(&head, &options, &pipeline, test_err));
    assert_ok(tcsi_pipeline_score(pipeline, &tail, &(tcsi_pipeline_run){ .thread_count = 1 }, &later, test_err));
    assert_int_equal(all->crossing_count, 2);
    assert_int_equal(later->crossing_count, 2);
    for (size_t i = 0; i < 2; i++) {
        const double probability = all->crossings[i].probability;
        assert_true(probability > 0.001 && probability < 0.999);
        assert_memory_equal(&probability, &later->crossings[i].probability, sizeof probability);
        assert_int_equal(all->crossings[i].is_passed, later->crossings[i].is_passed);
    }
    tcsi_pipeline_destroy(pipeline);
    tcsi_detection_destroy(all);
    tcsi_detection_destroy(later);
    tcsi_frame_destroy(frame);
    tcsi_knowledge_destroy(knowledge);
}

static void test_memory_runs_out(void **state)
{
    (void)state;
    const tcsi_knowledge *knowledge = know("channels: {\"*\": {alarm: {above: 5}}}\n");
    tcsi_frame *frame = rows();
    tcs_status status = TCS_E_MEMORY;
    for (size_t at = 1; status == TCS_E_MEMORY; at++) {
        tcs_error err;
        tcsi_detection *detection = NULL;
        const tcsi_detect_options options = { .mode = TCS_MODE_ONLINE, .detector = "holt_winters", .thread_count = 1,
                                              .knowledge = knowledge, .has_times = true };
        tcsi_alloc_trace_begin();
        tcsi_alloc_trace_fail_at(at);
        status = tcsi_detect(frame, &options, &detection, &err);
        if (status == TCS_OK) assert_int_equal(detection->crossing_count, 2);
        tcsi_detection_destroy(detection);
        assert_int_equal(tcsi_alloc_trace_stats().live_count, 0);
        tcsi_alloc_trace_end();
    }
    assert_int_equal(status, TCS_OK);
    tcsi_frame_destroy(frame);
    tcsi_knowledge_destroy(knowledge);
}

TCS_TEST_MAIN(cmocka_unit_test(test_a_normal_forecast_has_the_closed_form),
              cmocka_unit_test(test_any_forecast_is_monotone_and_complementary), cmocka_unit_test(test_strange_forecasts),
              cmocka_unit_test(test_limits_of_a_file), cmocka_unit_test(test_horizons),
              cmocka_unit_test(test_no_limit_or_no_forecast_gives_none),
              cmocka_unit_test(test_a_pipeline_says_the_same), cmocka_unit_test(test_memory_runs_out))
