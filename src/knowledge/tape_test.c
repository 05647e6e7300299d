/* Constraints over a window: the residuals of bound.c where a step is a row; the same of coarser steps as of the rows they are means of;
 * slopes against finite differences; what is broken on which side. */
#include "knowledge/tape.h"
#include "test.h"

#include "base/rng.h"
#include "tocsin_config.h"

enum { CHANNELS = 3, STEPS = 40, ENDS = 8, ROOM = 200000 };
static const char *const NAMES[CHANNELS] = { "a", "b", "c" };
static double room[ROOM];

typedef struct fixture {
    tcsi_knowledge *knowledge;
    tcsi_bound *bound;
    tcsi_tape *tape;
} fixture;

static fixture begin(const char *text, bool has_times)
{
    char file[2048];
    fixture f = { 0 };
    tcsi_problems problems;
    tcs_error err = { 0 };
    if (!TCSI_HAVE_YAML) skip();
    snprintf(file, sizeof file, "version: 1\n%s", text);
    tcs_status status = tcsi_knowledge_parse(file, strlen(file), "k.yaml", NULL, 0, &problems, &f.knowledge, &err);
    if (status == TCS_OK) status = tcsi_bound_create(f.knowledge, NAMES, CHANNELS, has_times, &problems, &f.bound, &err);
    if (status == TCS_OK) status = tcsi_tape_create(f.bound, &f.tape, &err);
    if (status != TCS_OK) print_error("%s\n", err.text);
    assert_int_equal(status, TCS_OK);
    if (f.tape) assert_true(tcsi_tape_room(f.tape, STEPS) <= ROOM && f.tape->end_count <= ENDS);
    return f;
}

static void end(fixture *f)
{
    tcsi_tape_destroy(f->tape);
    tcsi_bound_destroy(f->bound);
    tcsi_knowledge_destroy(f->knowledge);
}

/* Every operation, a derived channel, a constraint of another, all kinds of tolerance and of looking back. */
static const char EVERYTHING[] =
    "derived:\n  ratio: a / b\n  unused: a * 1e9\n"
    "constraints:\n"
    "  sum: a - 2 * b + d(c)/dt * 1min = 0.5 ± 0.1\n"
    "  percent: a * c - b - ratio = 0 ± 20%\n"
    "  most: max(a, b, c) - min(a, -b) <= 1 ± 0.3\n"
    "  least: abs(c) >= ratio ± 0.5\n"
    "  back: lag(a, 3) + lag(b, 150s) = c ± 0.7\n"
    "  means: mean(a, 4) + mean(d(b)/dt, 5min) * 30 + mean(c * c, 90s) = 0 ± 2\n"
    "  other: most + 2 * sum = 0 ± 3\n";

static void draw(double values[CHANNELS][STEPS], uint64_t seed)
{
    tcsi_rng rng = tcsi_rng_make(seed, 0);
    for (size_t c = 0; c < CHANNELS; c++)
        for (size_t t = 0; t < STEPS; t++) values[c][t] = 1 + 0.3 * tcsi_rng_normal(&rng);
}

static void test_steps_of_a_row_are_as_bound(void **state)
{
    (void)state;
    double values[CHANNELS][STEPS], residuals[ENDS][STEPS];
    const tcsi_pace pace = { STEPS, 1, 60 };
    fixture f = begin(EVERYTHING, true);
    draw(values, 1);
    assert_int_equal(f.tape->end_count, 7);
    tcsi_tape_evaluate(f.tape, &pace, values[0], residuals[0], room);
    for (size_t t = 0; t < STEPS; t++) {
        const double row[CHANNELS] = { values[0][t], values[1][t], values[2][t] };
        double out[CHANNELS + 2 + ENDS];
        tcsi_bound_row ignored;
        assert_ok(tcsi_bound_push(f.bound, (int64_t)t * 60 * 1000000000, row, out, &ignored, test_err));
        for (size_t k = 0; k < f.tape->end_count; k++) {
            const double expected = out[CHANNELS + 2 + k], r = residuals[k][t];
            const double cut = f.tape->ends[k].side > 0 ? fmax(r, 0) : f.tape->ends[k].side < 0 ? fmin(r, 0) : r;
            assert_int_equal(isnan(expected), isnan(r));
            if (!isnan(expected)) assert_near(expected, cut, 1e-11 * fmax(1, fabs(expected)));
        }
    }
    end(&f);
}

/* Rows that stand still within a step: means and lags of the rows, each at a step's last row, are those of the steps. */
static void test_coarser_steps_look_back_as_far(void **state)
{
    (void)state;
    enum { FACTOR = 4 };
    double values[CHANNELS][STEPS], residuals[ENDS][STEPS];
    const tcsi_pace pace = { STEPS, FACTOR, 60 };
    fixture f = begin("constraints:\n  mean: mean(a, 10) = 0 ± 1\n  time: mean(b, 10min) - mean(a, 2) = 0 ± 1\n"
                      "  lag: lag(a, 8) + lag(b, 4min) = 0 ± 1\n", true);
    draw(values, 2);
    tcsi_tape_evaluate(f.tape, &pace, values[0], residuals[0], room);
    for (size_t row_number = 0; row_number < STEPS * FACTOR; row_number++) {
        const size_t t = row_number / FACTOR;
        const double row[CHANNELS] = { values[0][t], values[1][t], values[2][t] };
        double out[CHANNELS + 3];
        tcsi_bound_row ignored;
        assert_ok(tcsi_bound_push(f.bound, (int64_t)row_number * 60 * 1000000000, row, out, &ignored, test_err));
        if (row_number % FACTOR != FACTOR - 1 || t < 4) continue;
        for (size_t k = 0; k < 3; k++) assert_near(out[CHANNELS + k], residuals[k][t], 1e-12);
    }
    assert_true(isnan(residuals[0][1]) && !isnan(residuals[0][2])); /* 10 rows are 2.5 steps */
    end(&f);
    f = begin("constraints:\n  rate: d(a)/dt = 0 ± 1\n", true);
    tcsi_tape_evaluate(f.tape, &pace, values[0], residuals[0], room);
    assert_true(isnan(residuals[0][0]));
    assert_near((values[0][7] - values[0][6]) / 240, residuals[0][7], 1e-15);
    end(&f);
    f = begin("constraints:\n  rate: d(a)/dt = 0 ± 1\n", false); /* a row counts as a second */
    tcsi_tape_evaluate(f.tape, &pace, values[0], residuals[0], room);
    assert_near((values[0][7] - values[0][6]) / 4, residuals[0][7], 1e-15);
    end(&f);
}

static double weighed(const fixture *f, const tcsi_pace *pace, const double *values, const double *weights)
{
    double residuals[ENDS * STEPS], sum = 0;
    tcsi_tape_evaluate(f->tape, pace, values, residuals, room);
    for (size_t i = 0; i < f->tape->end_count * STEPS; i++)
        if (!isnan(residuals[i])) sum += weights[i] * residuals[i];
    return sum;
}

static void check_slopes(const char *text, size_t rows_a_step, uint64_t seed)
{
    double values[CHANNELS][STEPS], weights[ENDS * STEPS], slopes[CHANNELS * STEPS];
    const tcsi_pace pace = { STEPS, rows_a_step, 30 };
    fixture f = begin(text, true);
    tcsi_rng rng = tcsi_rng_make(seed, 1);
    draw(values, seed);
    for (size_t i = 0; i < ENDS * STEPS; i++) weights[i] = i % 7 == 0 ? 0 : tcsi_rng_normal(&rng);
    (void)weighed(&f, &pace, values[0], weights);
    tcsi_tape_pull(f.tape, &pace, weights, slopes, room);
    for (size_t i = 0; i < CHANNELS * STEPS; i++) {
        double *value = &values[0][0] + i;
        const double before = *value, step = 1e-6;
        *value = before + step;
        const double above = weighed(&f, &pace, values[0], weights);
        *value = before - step;
        const double below = weighed(&f, &pace, values[0], weights);
        *value = before;
        assert_near((above - below) / (2 * step), slopes[i], 1e-6 * fmax(1, fabs(slopes[i])));
    }
    end(&f);
}

static void test_slopes_are_those_of_finite_differences(void **state)
{
    (void)state;
    static const char *const alone[] = { "a + b", "a - b", "-a", "a * b", "a / b", "abs(a - 1)", "min(a, b)", "max(a, b, 1)", "d(a)/dt",
                                         "lag(a, 2)", "lag(a, 100s)", "mean(a, 5)", "mean(a * b, 200s)", "a * a / (b + c)",
                                         "mean(1 / (lag(a, 1) - 1e3), 3)" };
    for (size_t i = 0; i < TCS_COUNT(alone); i++) {
        char text[128];
        for (size_t p = 0; p < 3; p++) {
            static const char *const forms[] = { "constraints:\n  it: '%s = c ± 2'\n", "constraints:\n  it: '%s <= c ± 3%%'\n",
                                                 "derived:\n  x: '%s'\nconstraints:\n  it: x * x >= c ± 2\n" };
            snprintf(text, sizeof text, forms[p], alone[i]);
            check_slopes(text, 1 + p, i);
        }
    }
    for (size_t rows_a_step = 1; rows_a_step < 8; rows_a_step++) check_slopes(EVERYTHING, rows_a_step, 40 + rows_a_step);
}

static void test_what_cannot_be_told_pulls_nowhere(void **state)
{
    (void)state;
    double values[CHANNELS][STEPS], residuals[ENDS][STEPS], slopes[CHANNELS][STEPS], ones[ENDS * STEPS];
    const tcsi_pace pace = { STEPS, 1, 1 };
    fixture f = begin("constraints:\n  ratio: a / b = 1 ± 1\n  far: lag(a, 100000) = b ± 1\n  years: mean(a, 3000d) = b ± 1\n", true);
    draw(values, 3);
    values[1][5] = 0;
    for (size_t i = 0; i < ENDS * STEPS; i++) ones[i] = 1;
    tcsi_tape_evaluate(f.tape, &pace, values[0], residuals[0], room);
    tcsi_tape_pull(f.tape, &pace, ones, slopes[0], room);
    for (size_t t = 0; t < STEPS; t++) {
        assert_int_equal(isnan(residuals[0][t]), t == 5);
        assert_true(isnan(residuals[1][t]) && isnan(residuals[2][t]));
        assert_near(t == 5 ? 0 : 1 / values[1][t], slopes[0][t], 1e-12);
        assert_near(t == 5 ? 0 : -values[0][t] / values[1][t] / values[1][t], slopes[1][t], 1e-12);
        assert_near(0, slopes[2][t], 0);
    }
    end(&f);
}

static void test_without_constraints_there_is_no_tape(void **state)
{
    (void)state;
    fixture f = begin("derived:\n  x: a + b\n", true), one = begin("constraints:\n  it: a = b ± 1\n", true),
            same = begin("derived:\n  x: a + b\nconstraints:\n  named: a = b ± 1\n", true),
            other = begin("constraints:\n  it: a = b ± 2\n", true);
    assert_null(f.tape);
    assert_true(one.tape->seal == same.tape->seal && one.tape->seal != other.tape->seal);
    assert_int_equal(same.tape->node_count, one.tape->node_count); /* what no constraint asks for is not written out */
    end(&f);
    end(&one);
    end(&same);
    end(&other);
}

static void test_too_many_terms_are_left_out(void **state)
{
    (void)state;
    char text[1 << 16];
    tcsi_knowledge *knowledge;
    tcsi_bound *bound;
    tcsi_tape *tape;
    tcsi_problems problems;
    tcs_error err;
    if (!TCSI_HAVE_YAML) skip();
    size_t used = (size_t)snprintf(text, sizeof text, "version: 1\nconstraints:\n");
    for (size_t k = 0; k < 40; k++) {
        used += (size_t)snprintf(text + used, sizeof text - used, "  k%zu: a", k);
        for (size_t i = 0; i < 50; i++) used += (size_t)snprintf(text + used, sizeof text - used, " + b * c");
        used += (size_t)snprintf(text + used, sizeof text - used, " <= 100000 ± 1\n");
    }
    assert_ok(tcsi_knowledge_parse(text, used, "k.yaml", NULL, 0, &problems, &knowledge, &err));
    assert_ok(tcsi_bound_create(knowledge, NAMES, CHANNELS, true, &problems, &bound, &err));
    assert_ok(tcsi_tape_create(bound, &tape, &err));
    assert_null(tape);
    tcsi_bound_destroy(bound);
    tcsi_knowledge_destroy(knowledge);
}

TCS_TEST_MAIN(cmocka_unit_test(test_steps_of_a_row_are_as_bound), cmocka_unit_test(test_coarser_steps_look_back_as_far),
              cmocka_unit_test(test_slopes_are_those_of_finite_differences), cmocka_unit_test(test_what_cannot_be_told_pulls_nowhere),
              cmocka_unit_test(test_without_constraints_there_is_no_tape), cmocka_unit_test(test_too_many_terms_are_left_out))
