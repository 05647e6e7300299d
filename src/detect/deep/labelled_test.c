/* detect/deep/labelled_test.c -- labels teach: what is labelled scores higher than what is not, also when a tenth of the labels is wrong;
 * without labels a detector says what it needs, or does without.
 *
 * A noisy wave with events of two kinds in turn, thirty of each: a kink upwards and one downwards, no larger than the noise around them.
 * SPDX-License-Identifier: Apache-2.0 */
#include "detect.h"

#include "base/alloc.h"

enum { ROWS = 6000, TRAIN_ROWS = 4000, SPACING = 100, LENGTH = 12, EVENTS = ROWS / SPACING, TRAIN_EVENTS = TRAIN_ROWS / SPACING };

static const char *const names[] = { "deep_sad", "devnet", "focal_classifier" };
enum { NAME_COUNT = TCS_COUNT(names) };

static size_t name_count(void)
{
    return test_is_small() ? 1 : NAME_COUNT;
}

static size_t event_row(size_t i)
{
    return i * SPACING + 30 + (i * 37) % 40;
}

static tcsi_frame *make_frame(void)
{
    static double column[ROWS];
    const double *columns[] = { column };
    tcsi_rng rng = tcsi_rng_make(5, 0);
    for (size_t t = 0; t < ROWS; t++) column[t] = 2 * sin(0.21 * (double)t) + 0.3 * tcsi_rng_normal(&rng);
    for (size_t i = 0; i < EVENTS; i++)
        for (size_t k = 0; k < LENGTH; k++) column[event_row(i) + k] += (i % 2 ? -1.2 : 1.2) * sin(0.24 * (double)(k + 1));
    return detect_frame(columns, 1, ROWS);
}

static void mark(uint8_t *labels, size_t row)
{
    memset(labels + row, 1, LENGTH);
}

/* Events of kind 0 or 1, or 2: both. */
static void mark_kind(uint8_t *labels, size_t kind)
{
    memset(labels, 0, ROWS);
    for (size_t i = 0; i < EVENTS; i++)
        if (kind == 2 || i % 2 == kind) mark(labels, event_row(i));
}

/* Scores of everything after learning from the first rows and their labels, which may be NULL. */
static void run(const char *name, const uint8_t *labels, tcs_score *ret_scores)
{
    tcsi_frame *frame = make_frame(), train = tcsi_frame_view(frame, 0, TRAIN_ROWS);
    const tcsi_parameter_value parameters[] = { { "epochs", 60 }, { "with_auto", 0 }, { "smoothing", 4 } };
    tcsi_detector *detector = detect_create(name, 1, parameters, TCS_COUNT(parameters));
    train.labels = (uint8_t *)(uintptr_t)labels;
    assert_ok(tcsi_detector_fit(detector, &train, test_err));
    assert_ok(tcsi_detector_score(detector, frame, ret_scores, test_err));
    tcsi_detector_destroy(detector);
    tcsi_frame_destroy(frame);
}

/* How well later scores tell events of a kind from all other rows. */
static double share_of(const tcs_score *scores, size_t kind)
{
    static uint8_t flags[ROWS];
    static double wanted[ROWS];
    mark_kind(flags, kind);
    for (size_t t = 0; t < ROWS; t++) wanted[t] = flags[t];
    return detect_auc(scores, wanted, TRAIN_ROWS, ROWS);
}

static void test_finds_what_was_labelled(void **state)
{
    (void)state;
    static uint8_t labels[ROWS];
    static tcs_score scores[ROWS];
    for (size_t i = 0; i < name_count(); i++)
        for (size_t kind = 0; kind < 2; kind++) {
            mark_kind(labels, kind);
            run(names[i], labels, scores);
            const double told = share_of(scores, kind), other = share_of(scores, 1 - kind);
            if (!(told > 0.9 && told > other + 0.1))
                fail_msg("%s: area under the ROC curve %.3f of the labelled kind, %.3f of the other", names[i], told, other);
        }
}

/* Of twenty labelled events two lose their label, and two stretches of nothing get one. */
static void test_bears_a_tenth_of_wrong_labels(void **state)
{
    (void)state;
    static uint8_t labels[ROWS];
    static tcs_score scores[ROWS];
    for (size_t i = 0; i < name_count(); i++) {
        mark_kind(labels, 0);
        run(names[i], labels, scores);
        const double right = share_of(scores, 0);
        for (size_t k = 0; k < 2; k++) {
            memset(labels + event_row(8 + 16 * k), 0, LENGTH);
            mark(labels, event_row(5 + 16 * k) + 40);
        }
        run(names[i], labels, scores);
        const double wrong = share_of(scores, 0);
        if (!(wrong > 0.85 && wrong > right - 0.08))
            fail_msg("%s: area under the ROC curve %.3f, with a tenth of the labels wrong %.3f", names[i], right, wrong);
    }
}

/* ---- what focal_classifier is told besides ---- */

/* Scores of the classifier after learning events of kind 0 with parameters; saved and loaded in between. */
static void classify(const tcsi_parameter_value *more, size_t more_count, tcs_score *ret_scores)
{
    static uint8_t labels[ROWS];
    tcsi_parameter_value parameters[8] = { { "epochs", 60 }, { "with_auto", 0 } };
    tcsi_frame *frame = make_frame(), train = tcsi_frame_view(frame, 0, TRAIN_ROWS);
    tcsi_detector *detector, *loaded;
    tcsi_buffer saved;
    for (size_t i = 0; i < more_count; i++) parameters[2 + i] = more[i];
    mark_kind(labels, 0);
    train.labels = labels;
    detector = detect_create("focal_classifier", 1, parameters, 2 + more_count);
    tcsi_buffer_init(&saved, 1 << 24);
    assert_ok(tcsi_detector_fit(detector, &train, test_err));
    assert_ok(tcsi_detector_save(detector, &saved, test_err));
    assert_ok(tcsi_detector_load(saved.data, saved.size, NULL, &loaded, test_err));
    assert_ok(tcsi_detector_score(loaded, frame, ret_scores, test_err));
    tcsi_buffer_deinit(&saved);
    tcsi_detector_destroy(loaded);
    tcsi_detector_destroy(detector);
    tcsi_frame_destroy(frame);
}

static double mean_later(const tcs_score *scores)
{
    double sum = 0;
    for (size_t t = TRAIN_ROWS; t < ROWS; t++) sum += scores[t].value / (ROWS - TRAIN_ROWS);
    return sum;
}

/* Adjusted, their mean is about the share of rows in events; as they were learned, far above. */
static void test_probabilities_are_as_rare_as_events(void **state)
{
    (void)state;
    static tcs_score raw[ROWS], adjusted[ROWS];
    const double share = (double)LENGTH / (2 * SPACING);
    classify((tcsi_parameter_value[]){ { "probabilities", 1 }, { "adjustment", 0 } }, 2, raw);
    classify((tcsi_parameter_value[]){ { "probabilities", 1 }, { "adjustment", 1 } }, 2, adjusted);
    for (size_t t = 0; t < ROWS; t++) assert_true(adjusted[t].value >= 0 && adjusted[t].value < raw[t].value && raw[t].value <= 1);
    if (!(mean_later(adjusted) > share / 2 && mean_later(adjusted) < 2 * share && mean_later(raw) > 1.2 * mean_later(adjusted)))
        fail_msg("mean probability %.3g, not adjusted %.3g, of %.3g", mean_later(adjusted), mean_later(raw), share);
}

/* Rows before an event score higher when they are labelled the more, the nearer it is. */
static void test_warns(void **state)
{
    (void)state;
    static tcs_score plain[ROWS], warned[ROWS];
    double before[2] = { 0 };
    classify((tcsi_parameter_value[]){ { "probabilities", 1 }, { "smoothing", 4 } }, 2, plain);
    classify((tcsi_parameter_value[]){ { "probabilities", 1 }, { "smoothing", 4 }, { "warning", 20 } }, 3, warned);
    for (size_t i = TRAIN_EVENTS; i < EVENTS; i += 2)
        for (size_t t = event_row(i) - 12; t < event_row(i) - 4; t++) {
            before[0] += plain[t].value;
            before[1] += warned[t].value;
        }
    if (!(before[1] > 1.2 * before[0])) fail_msg("probabilities before events sum to %.3g, with warning to %.3g", before[0], before[1]);
}

/* Other losses find the labelled kind, too, and are not the usual one. */
static void test_other_losses(void **state)
{
    (void)state;
    static const tcsi_parameter_value losses[][2] = { { { "by_risk", 1 }, { "missed", 0.02 } }, { { "tolerance", 0.7 }, { "missed", 0 } },
                                                      { { "gamma", 0 }, { "missed", 0 } } };
    static tcs_score usual[ROWS], scores[ROWS];
    classify(NULL, 0, usual);
    for (size_t i = 0; i < (test_is_small() ? 1 : TCS_COUNT(losses)); i++) {
        classify(losses[i], 2, scores);
        const double told = share_of(scores, 0);
        if (!(told > 0.9) || memcmp(usual, scores, sizeof usual) == 0)
            fail_msg("%s: area under the ROC curve %.3f", losses[i][0].name, told);
    }
}

/* Every other event of kind 0 lost its label; how many are missed is estimated, and later events are found no worse for it. */
static void test_estimates_what_is_missed(void **state)
{
    (void)state;
    static uint8_t labels[ROWS];
    static tcs_score scores[2][ROWS];
    memset(labels, 0, ROWS);
    for (size_t i = 0; i < EVENTS; i += 4) mark(labels, event_row(i));
    for (size_t k = 0; k < 2; k++) {
        const tcsi_parameter_value parameters[] = { { "epochs", 60 }, { "missed", k ? -1 : 0 } };
        tcsi_frame *frame = make_frame(), train = tcsi_frame_view(frame, 0, TRAIN_ROWS);
        tcsi_detector *detector = detect_create("focal_classifier", 1, parameters, TCS_COUNT(parameters));
        train.labels = labels;
        assert_ok(tcsi_detector_fit(detector, &train, test_err));
        assert_ok(tcsi_detector_score(detector, frame, scores[k], test_err));
        tcsi_detector_destroy(detector);
        tcsi_frame_destroy(frame);
    }
    const double told = share_of(scores[0], 0), estimated = share_of(scores[1], 0);
    if (!(estimated > told - 0.01) || memcmp(scores[0], scores[1], sizeof scores[0]) == 0)
        fail_msg("area under the ROC curve %.3f, with an estimate of what is missed %.3f", told, estimated);
}

static void test_says_what_it_needs(void **state)
{
    (void)state;
    static uint8_t labels[ROWS]; /* none */
    tcsi_frame *frame = make_frame(), train = tcsi_frame_view(frame, 0, TRAIN_ROWS);
    for (size_t i = 1; i < NAME_COUNT; i++)
        for (size_t k = 0; k < 2; k++) {
            tcs_error err = { 0 };
            tcsi_detector *detector = detect_create(names[i], 1, NULL, 0);
            train.labels = k ? labels : NULL;
            assert_int_equal(TCS_E_INVALID, tcsi_detector_fit(detector, &train, &err));
            assert_non_null(strstr(err.text, "none of the 4000 training rows is labelled anomalous"));
            tcsi_detector_destroy(detector);
        }
    tcsi_frame_destroy(frame);
}

/* No labels and labels that mark nothing are the same, bit for bit. */
static void test_does_without(void **state)
{
    (void)state;
    static uint8_t labels[ROWS];
    static tcs_score bare[ROWS], unmarked[ROWS];
    run("deep_sad", NULL, bare);
    run("deep_sad", labels, unmarked);
    assert_memory_equal(bare, unmarked, sizeof bare);
}

TCS_TEST_MAIN(cmocka_unit_test(test_finds_what_was_labelled),
              cmocka_unit_test(test_bears_a_tenth_of_wrong_labels),
              cmocka_unit_test(test_probabilities_are_as_rare_as_events),
              cmocka_unit_test(test_warns),
              cmocka_unit_test(test_other_losses),
              cmocka_unit_test(test_estimates_what_is_missed),
              cmocka_unit_test(test_says_what_it_needs),
              cmocka_unit_test(test_does_without))
