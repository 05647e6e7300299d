/* Knowledge applied to rows: ranges, residuals and limits against values computed by hand; events that excuse and hide; a stream, also one
 * that was saved in the middle, and a frame have the same bits; signatures; what rules are worth. */
#include "knowledge/bound.h"
#include "knowledge/votes.h"
#include "test.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "series/time.h"
#include "tocsin_config.h"

enum { CHANNELS = 3 };
static const char *const NAMES[CHANNELS] = { "a", "b", "c" };

typedef struct fixture {
    tcsi_knowledge *knowledge;
    tcsi_bound *bound;
} fixture;

static fixture bind(const char *text)
{
    char file[2048];
    fixture f = { 0 };
    tcsi_problems problems;
    tcs_error err = { 0 };
    if (!TCSI_HAVE_YAML) skip();
    snprintf(file, sizeof file, "version: 1\n%s", text);
    tcs_status status = tcsi_knowledge_parse(file, strlen(file), "k.yaml", NULL, 0, &problems, &f.knowledge, &err);
    if (status == TCS_OK) status = tcsi_bound_create(f.knowledge, NAMES, CHANNELS, true, &problems, &f.bound, &err);
    if (status != TCS_OK) print_error("%s\n", err.text);
    assert_int_equal(status, TCS_OK);
    return f;
}

static void unbind(fixture *f)
{
    tcsi_bound_destroy(f->bound);
    tcsi_knowledge_destroy(f->knowledge);
}

static tcsi_bound_row push(fixture *f, double seconds, double a, double b, double c, double *ret_values)
{
    const double row[CHANNELS] = { a, b, c };
    tcsi_bound_row out;
    tcs_error err;
    assert_ok(tcsi_bound_push(f->bound, (int64_t)(seconds * 1e9), row, ret_values, &out, &err));
    return out;
}

static void test_impossible_readings_are_missing(void **state)
{
    (void)state;
    double out[8];
    fixture f = bind("channels:\n  a: {range: [0, 10]}\n  '?': {range: [~, 100]}\nderived:\n  d: a + b\n");
    push(&f, 0, 10, 1, 101, out);
    assert_near(10, out[0], 0);
    assert_true(isnan(out[2]));
    assert_near(11, out[3], 0);
    push(&f, 1, -0.5, 1, 2, out);
    assert_true(isnan(out[0]) && isnan(out[3]));
    push(&f, 2, NAN, 1, 2, out);
    assert_int_equal(f.bound->fault_counts[0], 1);
    assert_int_equal(f.bound->fault_counts[2], 1);
    assert_int_equal(f.bound->fault_counts[3], 0);
    unbind(&f);
}

static void test_residuals_are_in_units_of_their_tolerance(void **state)
{
    (void)state;
    double out[16];
    fixture f = bind("constraints:\n  absolute: a - b = 1 ± 0.5\n  percent: a - b = 0 ± 10%\n  most: a <= b ± 2\n  least: a >= b ± 2\n"
                     "  of_other: absolute + c = 0 ± 4\n");
    push(&f, 0, 8, 4, 2, out);
    assert_near(6, out[3], 1e-12);     /* (8 - 4 - 1) / 0.5 */
    assert_near(5, out[4], 1e-12);     /* 4 of 10 % of 8 */
    assert_near(2, out[5], 1e-12);     /* 4 over, in units of 2 */
    assert_near(0, out[6], 0);
    assert_near(2, out[7], 1e-12);     /* (6 + 2) / 4 */
    push(&f, 1, 0, 0, NAN, out);
    assert_near(-2, out[3], 1e-12);
    assert_near(0, out[4], 0);         /* nothing of nothing */
    assert_true(isnan(out[7]));
    push(&f, 2, 1, 4, 0, out);
    assert_near(0, out[5], 0);
    assert_near(-1.5, out[6], 1e-12);
    unbind(&f);
}

/* inflow - outflow - d(level)/dt: litres a second into a tank of 50 l per m of level. */
static void test_mass_balance(void **state)
{
    (void)state;
    double out[8], level = 1;
    fixture f = bind("constraints:\n  balance: a - b - d(c)/dt * 50 = 0 ± 3%\n");
    for (int t = 0; t < 100; t++) {
        const double in = 10 + sin(t), leak = t >= 60 ? 1 : 0;
        level += t > 0 ? (in - 8 - leak) / 50 : 0;
        push(&f, t, in, 8, level, out);
        if (t == 0) assert_true(isnan(out[3]));
        else if (t < 60) assert_near(0, out[3], 1e-9);
        else assert_near(1 / (0.03 * in), out[3], 1e-9);
    }
    unbind(&f);
}

static void test_hard_limits(void **state)
{
    (void)state;
    double out[8];
    fixture f = bind("channels:\n  a: {alarm: [{above: 10}, {below: 0, for: 20s}]}\nderived:\n  sum: a + b\n");
    assert_int_equal(push(&f, 0, 10, 0, 0, out).order.kind, TCSI_ORDER_NONE);
    assert_int_equal(push(&f, 10, 10.01, 0, 0, out).order.kind, TCSI_ORDER_ALARM);
    assert_int_equal(push(&f, 20, -1, 0, 0, out).order.kind, TCSI_ORDER_NONE);  /* not for so long yet */
    assert_int_equal(push(&f, 30, NAN, 0, 0, out).order.kind, TCSI_ORDER_NONE); /* missing: nothing begins or ends */
    tcsi_bound_row row = push(&f, 40, -1, 0, 0, out);
    assert_int_equal(row.order.kind, TCSI_ORDER_ALARM);
    char text[128];
    tcsi_bound_limit_format(f.bound, row.order.which, text, sizeof text);
    assert_string_equal(text, "a below 0 for 20 s");
    assert_int_equal(push(&f, 50, 1, 0, 0, out).order.kind, TCSI_ORDER_NONE);
    assert_int_equal(push(&f, 60, -1, 0, 0, out).order.kind, TCSI_ORDER_NONE);
    unbind(&f);
}

static void test_events_excuse_and_hide_but_not_from_limits(void **state)
{
    (void)state;
    double out[8];
    fixture f = bind("channels: {a: {alarm: {above: 10}}}\nderived: {twice: 2 * b, other: c + 1, four: 2 * twice}\n"
                     "events:\n  all: {from: 1970-01-01T00:01, to: 1970-01-01T00:02}\n"
                     "  some: {from: 1970-01-01T00:03, to: 1970-01-01T00:04, channels: [b, a]}\n");
    assert_int_equal(push(&f, 59, 1, 2, 3, out).order.kind, TCSI_ORDER_NONE);
    assert_int_equal(push(&f, 60, 1, 2, 3, out).order.kind, TCSI_ORDER_EXCUSE);
    assert_near(2, out[1], 0);
    assert_int_equal(push(&f, 61, 11, 2, 3, out).order.kind, TCSI_ORDER_ALARM);
    assert_int_equal(push(&f, 120, 1, 2, 3, out).order.kind, TCSI_ORDER_NONE);
    tcsi_bound_row row = push(&f, 180, 11, 2, 3, out);
    assert_int_equal(row.order.kind, TCSI_ORDER_ALARM);
    assert_true(isnan(out[0]) && isnan(out[1]) && isnan(out[3]) && isnan(out[5]));
    assert_true(out[2] == 3 && out[4] == 4);
    assert_int_equal(push(&f, 181, 1, 2, 3, out).order.kind, TCSI_ORDER_NONE);
    assert_int_equal(push(&f, 240, 1, 2, 3, out).order.kind, TCSI_ORDER_NONE);
    assert_near(8, out[5], 0);
    unbind(&f);
}

static const char *const EVERYTHING =
    "zone: Europe/Berlin\n"
    "channels: {a: {range: [-3, 3], alarm: {above: 1, for: 1min}}}\n"
    "derived: {slow: 'mean(a, 10min)', before: 'lag(b, 3)', then: 'lag(c, 90s)', rate: d(slow)/dt}\n"
    "constraints: {balance: a + b - slow = 0 ± 3%}\n"
    "events: {night: {daily: '02:00', for: 1h}, part: {cron: '*/30 * * * *', for: 5min, channels: c}}\n"
    "rules: {high: {when: a > 1 and not balance < 2, says: anomaly}, calm: {when: 'abs(slow) < 0.1', says: normal}}\n";

static tcsi_frame *noise(size_t row_count)
{
    tcsi_frame *frame = NULL;
    tcs_error err;
    tcsi_rng rng = tcsi_rng_make(7, 0);
    assert_ok(tcsi_frame_create(CHANNELS, row_count, true, true, &frame, &err));
    for (size_t t = 0; t < row_count; t++) {
        double row[CHANNELS];
        for (size_t c = 0; c < CHANNELS; c++) row[c] = tcsi_rng_uniform(&rng) < 0.02 ? NAN : 1.5 * tcsi_rng_normal(&rng);
        assert_ok(tcsi_frame_append(frame, row, (int64_t)(1774700000 + 30 * t + (t > 500 ? 7 : 0)) * TCSI_NS_PER_S, t % 9 == 0, &err));
    }
    for (size_t c = 0; c < CHANNELS; c++) assert_ok(tcsi_frame_channel_rename(frame, c, NAMES[c], &err));
    return frame;
}

static void test_stream_is_frame_also_after_a_save(void **state)
{
    (void)state;
    enum { ROWS = 3000 };
    tcs_error err;
    tcsi_applied applied = { 0 };
    fixture whole = bind(EVERYTHING), first = bind(EVERYTHING), second = bind(EVERYTHING);
    tcsi_frame *frame = noise(ROWS);
    tcsi_buffer bytes;
    size_t alarms = 0, excused = 0, spoken = 0;
    tcsi_buffer_init(&bytes, 1 << 22);
    assert_ok(tcsi_bound_apply(whole.bound, frame, &applied, &err));
    assert_int_equal(applied.frame->channel_count, CHANNELS + 5);
    assert_string_equal(applied.frame->channels[7].name, "balance");
    for (size_t t = 0; t < ROWS; t++) {
        double in[CHANNELS], out[CHANNELS + 5], expected[CHANNELS + 5];
        tcsi_bound_row row;
        if (t == 1234) {
            tcsi_codec save = tcsi_codec_save(&bytes, &err);
            tcsi_bound_persist(first.bound, &save);
            tcsi_codec load = tcsi_codec_load(bytes.data, bytes.size, &err);
            tcsi_bound_persist(second.bound, &load);
            assert_int_equal(tcsi_codec_status(&load), TCS_OK);
            assert_int_equal(load.in_size, 0);
        }
        tcsi_frame_row(frame, t, in);
        tcsi_frame_row(applied.frame, t, expected);
        assert_ok(tcsi_bound_push(t < 1234 ? first.bound : second.bound, frame->times_ns[t], in, out, &row, &err));
        assert_memory_equal(out, expected, sizeof out);
        assert_int_equal(row.order.kind, applied.orders[t].kind);
        assert_int_equal(row.order.which, applied.orders[t].which);
        assert_int_equal(row.spoken, applied.spoken[t]);
        assert_int_equal(applied.frame->labels[t], frame->labels[t]);
        alarms += row.order.kind == TCSI_ORDER_ALARM;
        excused += row.order.kind == TCSI_ORDER_EXCUSE;
        spoken += row.spoken != 0;
    }
    assert_true(alarms > 0 && excused >= 100 && spoken > 100);
    assert_memory_equal(second.bound->fault_counts, whole.bound->fault_counts, sizeof(uint64_t) * (CHANNELS + 5));
    tcsi_applied_deinit(&applied);
    tcsi_frame_destroy(frame);
    tcsi_buffer_deinit(&bytes);
    unbind(&whole);
    unbind(&first);
    unbind(&second);
}

static void test_no_row_uses_the_future(void **state)
{
    (void)state;
    enum { ROWS = 400, CUT = 200 };
    tcs_error err;
    tcsi_applied all = { 0 }, part = { 0 };
    fixture one = bind(EVERYTHING), two = bind(EVERYTHING);
    tcsi_frame *frame = noise(ROWS), head = tcsi_frame_view(frame, 0, CUT);
    assert_ok(tcsi_bound_apply(one.bound, frame, &all, &err));
    assert_ok(tcsi_bound_apply(two.bound, &head, &part, &err));
    for (size_t c = 0; c < CHANNELS + 5; c++)
        assert_memory_equal(tcsi_frame_column(all.frame, c), tcsi_frame_column(part.frame, c), CUT * sizeof(double));
    assert_memory_equal(all.orders, part.orders, CUT * sizeof(tcsi_order));
    tcsi_applied_deinit(&all);
    tcsi_applied_deinit(&part);
    tcsi_frame_destroy(frame);
    unbind(&one);
    unbind(&two);
}

/* After warm-up a row allocates nothing. */
static void test_no_allocation(void **state)
{
    (void)state;
    double out[CHANNELS + 5];
    fixture f = bind(EVERYTHING);
    for (int t = 0; t < 100; t++) push(&f, 30 * t, sin(t), cos(t), 1, out);
    tcsi_alloc_trace_begin();
    for (int t = 100; t < 1000; t++) push(&f, 30 * t, sin(t), cos(t), 1, out);
    assert_int_equal(tcsi_alloc_trace_stats().total_count, 0);
    tcsi_alloc_trace_end();
    unbind(&f);
}

/* ---- signatures ---- */

/* 400 rows of noise a second apart; then channel a does as `shape` says from row 200 on, b falls lag rows later, for 60 rows. */
static tcsi_frame *failing(tcsi_shape_kind shape, size_t lag)
{
    tcs_error err;
    tcsi_frame *frame;
    tcsi_rng rng = tcsi_rng_make(3, 0);
    assert_ok(tcsi_frame_create(CHANNELS, 400, true, false, &frame, &err));
    for (size_t t = 0; t < 400; t++) {
        double row[CHANNELS] = { 50 + tcsi_rng_normal(&rng), 20 + tcsi_rng_normal(&rng), tcsi_rng_normal(&rng) };
        const bool fails = t >= 200 && t < 260;
        if (fails && shape == TCSI_SHAPE_RISE) row[0] += 12;
        if (fails && shape == TCSI_SHAPE_FALL) row[0] -= 12;
        if (t == 210 && shape == TCSI_SHAPE_SPIKE) row[0] += 30;
        if (fails && shape == TCSI_SHAPE_STUCK) row[0] = 50.5;
        if (fails && shape == TCSI_SHAPE_DROP_OUT) row[0] = NAN;
        if (fails && shape == TCSI_SHAPE_OSCILLATION) row[0] += 15 * sin(0.5 * (double)t);
        if (fails && shape == TCSI_SHAPE_NOISE) row[0] += 15 * tcsi_rng_normal(&rng);
        if (t >= 200 + lag && t < 260) row[1] -= 10;
        assert_ok(tcsi_frame_append(frame, row, (int64_t)t * TCSI_NS_PER_S, 0, &err));
    }
    return frame;
}

static size_t recognized(const char *signatures, const tcsi_frame *frame, size_t begin, size_t end)
{
    char text[1024];
    size_t signature = 99;
    tcs_error err;
    snprintf(text, sizeof text, "signatures:\n%s", signatures);
    fixture f = bind(text);
    assert_ok(tcsi_bound_recognize(f.bound, frame, begin, end, &signature, &err));
    unbind(&f);
    return signature;
}

/* Each shape is its own first; where several are true (a wide swing is also more change from row to row) the file's order decides. */
static void test_shapes_are_told_apart(void **state)
{
    (void)state;
    static const char *const signatures =
        "  rise: {steps: [{channel: a, shape: rise}]}\n  fall: {steps: [{channel: a, shape: fall}]}\n"
        "  spike: {steps: [{channel: a, shape: spike}]}\n  stuck: {steps: [{channel: a, shape: stuck}]}\n"
        "  drop: {steps: [{channel: a, shape: drop-out}]}\n  swing: {steps: [{channel: a, shape: oscillation}]}\n"
        "  noise: {steps: [{channel: a, shape: noise}]}\n";
    for (size_t shape = 0; shape < TCSI_SHAPE_COUNT; shape++) {
        tcsi_frame *frame = failing((tcsi_shape_kind)shape, 1000);
        const size_t found = recognized(signatures, frame, 203, 262);
        if (shape != TCSI_SHAPE_NOISE) assert_int_equal(found, shape); /* wide noise is many things, by chance also a step */
        if (shape == TCSI_SHAPE_NOISE) assert_int_equal(recognized("  n: {steps: [{channel: a, shape: noise}]}\n", frame, 203, 262), 0);
        assert_int_equal(recognized(signatures, frame, 100, 140), TCSI_SHAPE_COUNT); /* nothing is wrong there */
        tcsi_frame_destroy(frame);
    }
}

static void test_order_and_time_of_steps(void **state)
{
    (void)state;
    static const char *const a_then_b = "  s: {steps: [{channel: a, shape: fall}, {channel: b, shape: fall, within: 30s}]}\n";
    static const char *const b_then_a = "  s: {steps: [{channel: b, shape: fall}, {channel: a, shape: fall}]}\n";
    static const char *const any = "  s: {order: any, steps: [{channel: b, shape: fall}, {channel: a, shape: fall}]}\n";
    tcsi_frame *soon = failing(TCSI_SHAPE_FALL, 10), *late = failing(TCSI_SHAPE_FALL, 35), *never = failing(TCSI_SHAPE_FALL, 1000);
    assert_int_equal(recognized(a_then_b, soon, 203, 262), 0);
    assert_int_equal(recognized(a_then_b, late, 203, 262), 1);
    assert_int_equal(recognized(a_then_b, never, 203, 262), 1);
    assert_int_equal(recognized(b_then_a, soon, 203, 212), 1); /* the whole fall of a lies before that of b */
    assert_int_equal(recognized(any, soon, 203, 262), 0);
    assert_int_equal(recognized(any, never, 203, 262), 1);
    assert_int_equal(recognized("  s: {steps: [{channel: '*', shape: fall}]}\n", never, 203, 262), 0);
    assert_int_equal(recognized(any, soon, 2, 5), 1); /* nothing before to compare with */
    tcsi_frame_destroy(soon);
    tcsi_frame_destroy(late);
    tcsi_frame_destroy(never);
}

/* ---- rules ---- */

typedef struct source {
    double when_anomalous, when_normal; /* P(speaks) */
} source;

static void vote(const source *sources, bool is_labelled, size_t row_count, tcsi_votes *votes, double *ret_accuracy)
{
    size_t spoke[5] = { 0 }, right[5] = { 0 };
    tcsi_rng rng = tcsi_rng_make(11, 0);
    for (size_t t = 0; t < row_count; t++) {
        const bool anomalous = tcsi_rng_uniform(&rng) < 0.04;
        uint16_t spoken = 0;
        for (size_t j = 0; j < 5; j++) {
            const bool speaks = tcsi_rng_uniform(&rng) < (anomalous ? sources[j].when_anomalous : sources[j].when_normal);
            spoken |= (uint16_t)(speaks << j);
            spoke[j] += speaks;
            right[j] += speaks && anomalous == votes->says_anomaly[j];
        }
        const tcsi_truth truth = !is_labelled ? TCSI_TRUTH_UNKNOWN : anomalous ? TCSI_TRUTH_ANOMALY : TCSI_TRUTH_NORMAL;
        tcsi_votes_add(votes, spoken & 15, spoken >> 4, truth);
    }
    for (size_t j = 0; j < 5; j++) ret_accuracy[j] = (double)right[j] / (double)spoke[j];
    tcsi_votes_estimate(votes);
}

/* Nobody says what is true; the estimate finds it within 0.05, of good rules and of one that is mostly wrong. */
static void test_accuracy_from_agreement(void **state)
{
    (void)state;
    static const source sources[5] = { { 0.7, 0.01 }, { 0.5, 0.1 }, { 0.02, 0.6 }, { 0.6, 0.03 }, { 0.8, 0.02 } };
    for (int is_labelled = 0; is_labelled < 2; is_labelled++) {
        tcs_error err;
        tcsi_votes votes;
        double truth[5];
        fixture f = bind("rules:\n  r1: {when: a > 1, says: anomaly}\n  r2: {when: a > 1, says: anomaly}\n"
                         "  r3: {when: a > 1, says: normal}\n  r4: {when: a > 1, says: anomaly}\n");
        assert_ok(tcsi_votes_init(&votes, f.knowledge, &err));
        vote(sources, is_labelled, 50000, &votes, truth);
        for (size_t j = 0; j < 5; j++) assert_near(truth[j], tcsi_votes_accuracy(&votes, j), is_labelled ? 0.01 : 0.05);
        assert_near(0.04, votes.share, 0.005);
        assert_true(tcsi_votes_accuracy(&votes, 1) < 0.25 && tcsi_votes_accuracy(&votes, 2) > 0.98);
        assert_true(tcsi_votes_probability(&votes, 1 | 8, true) > 0.99); /* three agree */
        assert_true(tcsi_votes_probability(&votes, 4, false) < 0.01);
        assert_true(tcsi_votes_probability(&votes, 2, false) < tcsi_votes_probability(&votes, 2, true));
        tcsi_votes_deinit(&votes);
        unbind(&f);
    }
}

static void test_rules_that_never_speak_have_an_answer(void **state)
{
    (void)state;
    tcs_error err;
    tcsi_votes votes;
    fixture f = bind("rules:\n  r1: {when: a > 1, says: anomaly}\n  r2: {when: a > 1, says: normal}\n");
    assert_ok(tcsi_votes_init(&votes, f.knowledge, &err));
    tcsi_votes_estimate(&votes);
    for (size_t j = 0; j < 3; j++) assert_true(tcsi_votes_accuracy(&votes, j) >= 0 && tcsi_votes_accuracy(&votes, j) <= 1);
    assert_int_equal(tcsi_votes_spoken_count(&votes, 0), 0);
    for (int t = 0; t < 1000; t++) tcsi_votes_add(&votes, 0, t % 100 == 0, TCSI_TRUTH_UNKNOWN);
    tcsi_votes_estimate(&votes);
    assert_int_equal(tcsi_votes_spoken_count(&votes, 2), 10);
    for (size_t j = 0; j < 3; j++) assert_true(tcsi_votes_accuracy(&votes, j) >= 0 && tcsi_votes_accuracy(&votes, j) <= 1);
    tcsi_votes_deinit(&votes);
    unbind(&f);
}

TCS_TEST_MAIN(cmocka_unit_test(test_impossible_readings_are_missing), cmocka_unit_test(test_residuals_are_in_units_of_their_tolerance),
              cmocka_unit_test(test_mass_balance), cmocka_unit_test(test_hard_limits),
              cmocka_unit_test(test_events_excuse_and_hide_but_not_from_limits), cmocka_unit_test(test_stream_is_frame_also_after_a_save),
              cmocka_unit_test(test_no_row_uses_the_future), cmocka_unit_test(test_no_allocation),
              cmocka_unit_test(test_shapes_are_told_apart), cmocka_unit_test(test_order_and_time_of_steps),
              cmocka_unit_test(test_accuracy_from_agreement), cmocka_unit_test(test_rules_that_never_speak_have_an_answer))
