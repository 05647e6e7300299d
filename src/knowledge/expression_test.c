/* Formulas: what is read, what is refused and where, and values computed by hand; the past row by row. */
#include "knowledge/expression.h"
#include "knowledge/bound.h"
#include "test.h"

#include "tocsin_config.h"

/* The value of text in each of the rows, whose channels are a, b and "odd name"; step_s apart. */
static void evaluate(const char *text, const double *rows, size_t row_count, double step_s, double *ret_values)
{
    static const char *const names[] = { "a", "b", "odd name" };
    char file[512];
    tcs_error err;
    tcsi_problems problems;
    tcsi_knowledge *knowledge;
    tcsi_bound *bound;
    if (!TCSI_HAVE_YAML) skip();
    snprintf(file, sizeof file, "version: 1\nderived:\n  it: '%s'\n", text);
    tcs_status status = tcsi_knowledge_parse(file, strlen(file), "f.yaml", NULL, 0, &problems, &knowledge, &err);
    if (status != TCS_OK) print_error("%s: %s\n", text, err.text);
    assert_int_equal(status, TCS_OK);
    assert_ok(tcsi_bound_create(knowledge, names, 3, true, &problems, &bound, &err));
    for (size_t t = 0; t < row_count; t++) {
        double out[4];
        tcsi_bound_row row;
        assert_ok(tcsi_bound_push(bound, (int64_t)((double)t * step_s * 1e9), rows + 3 * t, out, &row, &err));
        ret_values[t] = out[3];
    }
    tcsi_bound_destroy(bound);
    tcsi_knowledge_destroy(knowledge);
}

static double value_of(const char *text, double a, double b, double odd)
{
    const double row[3] = { a, b, odd };
    double value;
    evaluate(text, row, 1, 1, &value);
    return value;
}

static void test_values(void **state)
{
    (void)state;
    static const struct { const char *text; double expected; } cases[] = {
        { "a + b * 2", 13 }, { "(a + b) * 2", 16 }, { "a - b - 1", -3 }, { "a / b / 2", 0.3 }, { "-a + b", 2 }, { "- (a - b)", 2 },
        { "2 * -a", -6 }, { "abs(a - b)", 2 }, { "min(a, b)", 3 }, { "max(a, b, 7)", 7 }, { "\"odd name\" * 2", 22 }, { "`odd name`", 11 },
        { "1h", 3600 }, { "90 s", 90 }, { "1.5min", 90 }, { "2 m", 120 }, { "250ms", 0.25 }, { "1e3 * a", 3000 }, { ".5*a", 1.5 },
        { "b/1min", 5.0 / 60 },
    };
    for (size_t i = 0; i < TCS_COUNT(cases); i++) assert_near(cases[i].expected, value_of(cases[i].text, 3, 5, 11), 1e-15);
}

static void test_missing_stays_missing(void **state)
{
    (void)state;
    static const char *const texts[] = { "a + b", "a * 0", "min(a, b)", "max(b, a)", "abs(a)", "-a", "b / 0", "d(a)/dt",
                                         "b * 1e99 * 1e99" };
    for (size_t i = 0; i < TCS_COUNT(texts); i++) assert_true(isnan(value_of(texts[i], NAN, 5, 1)));
    assert_true(isnan(value_of("a", 1e200, 1, 1))); /* beyond TCS_VALUE_MAX is missing */
}

static void test_logic_knows_missing(void **state)
{
    (void)state;
    static const struct { tcsi_op op; double left, right, expected; } cases[] = {
        { TCSI_OP_AND, 0, NAN, 0 }, { TCSI_OP_AND, NAN, 0, 0 }, { TCSI_OP_AND, 1, NAN, NAN }, { TCSI_OP_AND, 1, 1, 1 },
        { TCSI_OP_OR, 1, NAN, 1 }, { TCSI_OP_OR, NAN, 1, 1 }, { TCSI_OP_OR, 0, NAN, NAN }, { TCSI_OP_OR, 0, 0, 0 },
        { TCSI_OP_NOT, NAN, NAN, NAN }, { TCSI_OP_NOT, 0, 0, 1 }, { TCSI_OP_LESS, 1, NAN, NAN }, { TCSI_OP_LESS, 1, 2, 1 },
        { TCSI_OP_LESS_EQUAL, 2, 2, 1 }, { TCSI_OP_GREATER, 2, 2, 0 }, { TCSI_OP_GREATER_EQUAL, 2, 2, 1 }, { TCSI_OP_EQUAL, 2, 2, 1 },
        { TCSI_OP_NOT_EQUAL, 2, 2, 0 },
    };
    for (size_t i = 0; i < TCS_COUNT(cases); i++)
        assert_near(cases[i].expected, tcsi_op_apply(cases[i].op, cases[i].left, cases[i].right), 0);
}

static void test_looking_back(void **state)
{
    (void)state;
    const double rows[] = { 1, 0, 0, 3, 0, 0, NAN, 0, 0, 7, 0, 0, 4, 0, 0 }; /* a: 1, 3, missing, 7, 4, each 10 s later */
    static const struct { const char *text; double expected[5]; } cases[] = {
        { "d(a)/dt", { NAN, 0.2, NAN, 0.2, -0.3 } }, /* over the gap: 4 in 20 s */
        { "d(a)/dt * 1min", { NAN, 12, NAN, 12, -18 } },
        { "lag(a, 1)", { NAN, 1, 3, NAN, 7 } },
        { "lag(a, 2)", { NAN, NAN, 1, 3, NAN } },
        { "lag(a, 20s)", { NAN, NAN, 1, 3, NAN } },
        { "lag(a, 15s)", { NAN, NAN, 1, 3, NAN } }, /* the latest row at least 15 s ago */
        { "mean(a, 20s)", { NAN, NAN, 3, 7, 5.5 } },    /* of the last 20 s, this row among them */
        { "mean(a, 2)", { NAN, 2, 3, 7, 5.5 } },
        { "mean(a, 4)", { NAN, NAN, NAN, 11.0 / 3, 14.0 / 3 } }, { "mean(a, 1000)", { NAN, NAN, NAN, NAN, NAN } },
        { "mean(lag(a, 1), 2)", { NAN, 1, 2, 3, 7 } },
    };
    for (size_t i = 0; i < TCS_COUNT(cases); i++) {
        double values[5];
        evaluate(cases[i].text, rows, 5, 10, values);
        for (size_t t = 0; t < 5; t++) {
            if (isnan(cases[i].expected[t]) != isnan(values[t])) print_error("%s, row %zu\n", cases[i].text, t);
            assert_near(cases[i].expected[t], values[t], 1e-12);
        }
    }
}

/* A reading of 1e100 leaves no trace in a mean once it has left the window, as it would in a sum that it is taken off again. */
static void test_mean_forgets(void **state)
{
    (void)state;
    enum { ROWS = 100 };
    double rows[3 * ROWS] = { 0 }, values[ROWS];
    for (size_t t = 0; t < ROWS; t++) rows[3 * t] = t == 20 ? 1e100 : 0.1 * (double)t;
    evaluate("mean(a, 7)", rows, ROWS, 1, values);
    for (size_t t = 27; t < ROWS; t++) assert_near(0.1 * ((double)t - 3), values[t], 1e-12);
    assert_true(values[26] > 1e98);
}

static void test_past_goes_on_from_its_saved_form(void **state)
{
    (void)state;
    const tcsi_node node = { .op = TCSI_OP_MEAN, .rows = 37 };
    tcs_error err;
    tcsi_past one = { 0 }, two = { 0 };
    tcsi_buffer bytes;
    tcsi_buffer_init(&bytes, 1 << 20);
    for (int t = 0; t < 500; t++) {
        double a, b;
        const double value = t % 11 == 0 ? NAN : sin(t) * 1e3;
        assert_ok(tcsi_past_push(&one, &node, t, value, &a, &err));
        if (t >= 250) {
            assert_ok(tcsi_past_push(&two, &node, t, value, &b, &err));
            assert_memory_equal(&a, &b, sizeof a);
        }
        if (t != 249) continue;
        tcsi_codec save = tcsi_codec_save(&bytes, &err);
        tcsi_past_persist(&one, &save);
        tcsi_codec load = tcsi_codec_load(bytes.data, bytes.size, &err);
        tcsi_past_persist(&two, &load);
        assert_int_equal(tcsi_codec_status(&load), TCS_OK);
        assert_int_equal(load.in_size, 0);
    }
    tcsi_past_deinit(&one);
    tcsi_past_deinit(&two);
    tcsi_buffer_deinit(&bytes);
}

static void test_past_is_bounded(void **state)
{
    (void)state;
    const tcsi_node node = { .op = TCSI_OP_LAG, .duration_ns = 1000000000000000 };
    tcsi_past past = { 0 };
    tcs_error err;
    double value = 0;
    for (int64_t t = 0; t < TCSI_PAST_ROWS_MAX + 1000; t++) assert_ok(tcsi_past_push(&past, &node, t, 1, &value, &err));
    assert_true(isnan(value));
    assert_true(past.capacity <= TCSI_PAST_ROWS_MAX);
    tcsi_past_deinit(&past);
}

static void test_refused_formulas_say_where(void **state)
{
    (void)state;
    static const struct { const char *text; bool logic; const char *expected; } cases[] = {
        { "a +", false, "'a +' ends where a number, a channel or '(' is expected" },
        { "a + * b", false, "column 5, at '* b': expected a number, a channel or '('" },
        { "a b", false, "column 3, at 'b': expected an operator or the end" },
        { "(a", false, "ends where ')' is expected" },
        { "a < 3", false, "column 3, at '< 3': expected an operator or the end" },
        { "(a < 3) + 1", false, "a number before this, not a comparison" },
        { "a", true, "a comparison before this" },
        { "a < b and c", true, "a comparison before this" },
        { "not a", true, "a comparison before this" },
        { "sqrt(a)", false, "column 1, at 'sqrt(a)': expected one of abs, min, max, lag, mean and d(...)/dt" },
        { "d(a)", false, "ends where '/dt' after d(...) is expected" },
        { "d(a)/dx", false, "expected 'dt' after d(...)/" },
        { "lag(a)", false, "expected ',' and how far to look back" },
        { "lag(a, b)", false, "expected a number of rows or a duration" },
        { "lag(a, 1.5)", false, "1 to 100000 rows" },
        { "mean(a, 0)", false, "1 to 100000 rows" },
        { "mean(a, 900000h)", false, "at most 10 years" },
        { "min(a)", false, "expected ',' and another value" },
        { "\"a", false, "a channel's name and the closing quote" },
        { "1e200", false, "a number below 1e100" },
        { "a ~ b", false, "an operator or the end" },
    };
    for (size_t i = 0; i < TCS_COUNT(cases); i++) {
        tcsi_arena arena;
        tcsi_problems problems;
        tcsi_expression expression;
        tcs_error err;
        bool is_good = true;
        tcsi_arena_init(&arena, 0);
        tcsi_problems_init(&problems, "f");
        assert_ok(tcsi_expression_parse(cases[i].text, cases[i].logic, 7, &arena, &problems, &expression, &is_good, &err));
        assert_false(is_good);
        assert_int_equal(problems.count, 1);
        assert_int_equal(problems.items[0].line, 7);
        const char *found = strstr(problems.items[0].text, cases[i].expected);
        if (!found) print_error("case %zu: %s\n", i, problems.items[0].text);
        assert_non_null(found);
        tcsi_arena_deinit(&arena);
    }
}

static void test_depth_and_size_are_bounded(void **state)
{
    (void)state;
    enum { SIZE = 20000 };
    static const char *const pieces[] = { "(", "-", "a+", "not ", "abs(", "a and " };
    char *text = malloc(SIZE + 16);
    for (size_t i = 0; i < TCS_COUNT(pieces); i++)
        for (int is_logic = 0; is_logic < 2; is_logic++) {
            tcsi_arena arena;
            tcsi_problems problems;
            tcsi_expression expression;
            tcs_error err;
            bool is_good = true;
            text[0] = 0;
            for (size_t used = 0; used + 8 < SIZE; used += strlen(pieces[i])) memcpy(text + used, pieces[i], strlen(pieces[i]) + 1);
            tcsi_arena_init(&arena, 0);
            tcsi_problems_init(&problems, "f");
            assert_ok(tcsi_expression_parse(text, is_logic, 1, &arena, &problems, &expression, &is_good, &err));
            assert_false(is_good);
            tcsi_arena_deinit(&arena);
        }
    free(text);
}

static tcsi_equation equation_of(const char *text, tcsi_arena *arena)
{
    tcsi_problems problems;
    tcsi_equation equation = { 0 };
    tcs_error err;
    bool is_good = false;
    tcsi_problems_init(&problems, "f");
    assert_ok(tcsi_equation_parse(text, 1, arena, &problems, &equation, &is_good, &err));
    if (!is_good) print_error("%s: %s\n", text, problems.items[0].text);
    assert_true(is_good);
    return equation;
}

static void test_equations(void **state)
{
    (void)state;
    static const char *const refused[] = { "a = b", "a = b ± 0", "a = b ± -1", "a = b ± x", "a ± 3", "a = b ± 3 bar", "a < b ± 1",
                                           "= b ± 1" };
    tcsi_arena arena;
    tcsi_arena_init(&arena, 0);
    tcsi_equation e = equation_of("a + b - (a - 2 * b) = 0 ± 3%", &arena);
    assert_true(e.is_percent && e.relation == TCSI_RELATION_EQUAL);
    assert_near(3, e.tolerance, 0);
    assert_int_equal(e.term_count, 5); /* a, b, a, 2 * b, 0 */
    assert_int_equal(equation_of("a<=b+-0.5", &arena).relation, TCSI_RELATION_AT_MOST);
    assert_int_equal(equation_of("a >= b +/- 0.5", &arena).relation, TCSI_RELATION_AT_LEAST);
    assert_false(equation_of("a = b ± 0.5", &arena).is_percent);
    for (size_t i = 0; i < TCS_COUNT(refused); i++) {
        tcsi_problems problems;
        tcs_error err;
        bool is_good = true;
        tcsi_problems_init(&problems, "f");
        assert_ok(tcsi_equation_parse(refused[i], 1, &arena, &problems, &e, &is_good, &err));
        if (is_good) print_error("%s is taken\n", refused[i]);
        assert_false(is_good);
    }
    tcsi_arena_deinit(&arena);
}

static void test_durations(void **state)
{
    (void)state;
    int64_t ns;
    assert_true(tcsi_duration_parse("90s", &ns) && ns == 90000000000);
    assert_true(tcsi_duration_parse("1.5 h", &ns) && ns == 5400000000000);
    assert_true(tcsi_duration_parse("250ms", &ns) && ns == 250000000);
    assert_true(tcsi_duration_parse("2w", &ns) && ns == 1209600000000000);
    static const char *const refused[] = { "", "s", "5", "-5s", "0s", "5 parsecs", "1e9w", "nan s", "inf s", "0x10s" };
    for (size_t i = 0; i < TCS_COUNT(refused); i++) assert_false(tcsi_duration_parse(refused[i], &ns));
}

TCS_TEST_MAIN(cmocka_unit_test(test_values), cmocka_unit_test(test_missing_stays_missing), cmocka_unit_test(test_logic_knows_missing),
              cmocka_unit_test(test_looking_back), cmocka_unit_test(test_mean_forgets),
              cmocka_unit_test(test_past_goes_on_from_its_saved_form), cmocka_unit_test(test_past_is_bounded),
              cmocka_unit_test(test_refused_formulas_say_where), cmocka_unit_test(test_depth_and_size_are_bounded),
              cmocka_unit_test(test_equations), cmocka_unit_test(test_durations))
