/* detect/deep/window_net_test.c -- every detector built on a network that looks at windows finds what its kind is known to find: a shape
 * that was not in the training rows, and a channel that is stuck while the others go on; some also say which.
 * SPDX-License-Identifier: Apache-2.0 */
#include "detect.h"

#include <stdlib.h>
#include <unistd.h>

enum { ROWS = 3000, TRAIN_ROWS = 1500, CHANNELS = 3, EVENT_BEGIN = 2200, EVENT_END = 2240 };

/* The first ones also name the channel; a hidden state that one channel confuses gives all channels back badly. */
static const char *const names[] = { "autoencoder", "conv_autoencoder", "vae", "lstm_autoencoder", "gru_autoencoder", "deep_svdd",
                                     "deep_sad", "flow", "usad", "gru_vae", "anomaly_transformer" };
enum { NAMING_COUNT = 3, NAME_COUNT = TCS_COUNT(names) };

static size_t name_count(void)
{
    return test_is_small() ? 1 : NAME_COUNT;
}

/* Three mixtures of two rhythms with a little noise. */
static void make_plant(double (*columns)[ROWS])
{
    tcsi_rng rng = tcsi_rng_make(11, 0);
    for (size_t t = 0; t < ROWS; t++) {
        double a = sin(0.2 * (double)t), b = cos(0.2 * (double)t + 1) * sin(0.05 * (double)t);
        columns[0][t] = 5 + a + 0.05 * tcsi_rng_normal(&rng);
        columns[1][t] = 100 * (a + b) + 5 * tcsi_rng_normal(&rng);
        columns[2][t] = -2 * b + 0.1 * tcsi_rng_normal(&rng);
    }
}

/* Fitted on the first half, scored on everything; parts are those of the event. */
static void run(const char *name, double (*columns)[ROWS], size_t channel_count, tcs_score *ret_scores, double *ret_parts)
{
    const double *pointers[CHANNELS] = { columns[0], columns[1], columns[2] };
    tcsi_frame *frame = detect_frame(pointers, channel_count, ROWS), train = tcsi_frame_view(frame, 0, TRAIN_ROWS);
    tcsi_detector *detector = detect_create(name, channel_count, NULL, 0);
    assert_ok(tcsi_detector_fit(detector, &train, test_err));
    assert_ok(tcsi_detector_score(detector, frame, ret_scores, test_err));
    (void)tcsi_detector_contribute_span(detector, EVENT_BEGIN, EVENT_END, ret_parts);
    tcsi_detector_destroy(detector);
    tcsi_frame_destroy(frame);
}

static double share_of_event(const tcs_score *scores)
{
    static double labels[ROWS];
    for (size_t t = 0; t < ROWS; t++) labels[t] = t >= EVENT_BEGIN && t < EVENT_END;
    return detect_auc(scores, labels, TRAIN_ROWS, ROWS);
}

static void test_finds_the_channel_that_is_stuck(void **state)
{
    (void)state;
    static double columns[CHANNELS][ROWS];
    static tcs_score scores[ROWS];
    double parts[CHANNELS] = { 0 };
    make_plant(columns);
    for (size_t t = EVENT_BEGIN; t < EVENT_END; t++) columns[1][t] = 60; /* stuck at an ordinary value */
    for (size_t i = 0; i < name_count(); i++) {
        run(names[i], columns, CHANNELS, scores, parts);
        double auc = share_of_event(scores);
        if (!(auc > 0.9)) fail_msg("%s: area under the ROC curve %.3f", names[i], auc);
        if (i < NAMING_COUNT && !(parts[1] > parts[0] && parts[1] > parts[2]))
            fail_msg("%s: parts %.3g, %.3g, %.3g, expected the second to be the largest", names[i], parts[0], parts[1], parts[2]);
    }
}

static void test_finds_an_unusual_shape(void **state)
{
    (void)state;
    static double columns[CHANNELS][ROWS];
    static tcs_score scores[ROWS];
    double part;
    make_plant(columns);
    for (size_t t = EVENT_BEGIN; t < EVENT_END; t++) columns[0][t] = ((t - EVENT_BEGIN) / 8) % 2 ? 5.9 : 4.1; /* inside its range */
    for (size_t i = 0; i < name_count(); i++) {
        run(names[i], columns, 1, scores, &part);
        double auc = share_of_event(scores);
        if (!(auc > 0.9)) fail_msg("%s: area under the ROC curve %.3f", names[i], auc);
    }
}

/* Several networks, several looks of each: they disagree most where they have seen nothing like it, and are saved all. */
static void test_members_and_draws_disagree_about_the_unknown(void **state)
{
    (void)state;
    static double columns[CHANNELS][ROWS];
    static tcs_score scores[ROWS], again[ROWS];
    const double *pointer = columns[0];
    const tcsi_parameter_value doubts[][3] = { { { "members", 3 }, { "draws", 1 }, { "dropout", 0 } },
                                               { { "members", 1 }, { "draws", 8 }, { "dropout", 0.1 } },
                                               { { "members", 2 }, { "draws", 2 }, { "dropout", 0.1 } } };
    static const char *const asked[] = { "autoencoder", "deep_svdd", "usad" }; /* one of each kind, and one whose error is its own */
    tcsi_pool *pool;
    make_plant(columns);
    for (size_t t = EVENT_BEGIN; t < EVENT_END; t++) columns[0][t] = ((t - EVENT_BEGIN) / 8) % 2 ? 5.9 : 4.1;
    assert_ok(tcsi_pool_create(3, &pool, test_err));
    for (size_t i = 0; i < (test_is_small() ? 1 : TCS_COUNT(asked) * TCS_COUNT(doubts)); i++) {
        const tcsi_parameter_value *doubt = doubts[i / TCS_COUNT(asked)];
        const char *name = asked[i % TCS_COUNT(asked)];
        tcsi_frame *frame = detect_frame(&pointer, 1, ROWS), train = tcsi_frame_view(frame, 0, TRAIN_ROWS);
        tcsi_detector *detector = detect_create(name, 1, doubt, 3), *loaded;
        assert_ok(tcsi_detector_fit(detector, &train, test_err));
        assert_ok(tcsi_detector_score(detector, frame, scores, test_err));
        double calm = 0, event = 0;
        for (size_t t = TRAIN_ROWS; t < EVENT_BEGIN - 100; t++) calm += (double)scores[t].uncertainty / (EVENT_BEGIN - 100 - TRAIN_ROWS);
        for (size_t t = EVENT_BEGIN; t < EVENT_END; t++) event += (double)scores[t].uncertainty / (EVENT_END - EVENT_BEGIN);
        if (!(calm > 0 && event > 1.5 * calm && scores[0].noise > 0))
            fail_msg("%s: uncertainty %.3g on known rows, %.3g in the event; noise %.3g", name, calm, event, (double)scores[0].noise);
        tcsi_buffer saved;
        tcsi_buffer_init(&saved, 1 << 24);
        assert_ok(tcsi_detector_save(detector, &saved, test_err));
        assert_ok(tcsi_detector_load(saved.data, saved.size, pool, &loaded, test_err)); /* and any number of threads */
        assert_ok(tcsi_detector_score(loaded, frame, again, test_err));
        detect_assert_same(scores, again, 0, ROWS);
        tcsi_buffer_deinit(&saved);
        tcsi_detector_destroy(loaded);
        tcsi_detector_destroy(detector);
        tcsi_frame_destroy(frame);
    }
    tcsi_pool_destroy(pool);
}

/* Weights that are distributions: what the training rows leave open is doubted more, and nothing is doubted without looking twice. */
static void test_a_last_layer_that_is_a_distribution_doubts(void **state)
{
    (void)state;
    static double columns[CHANNELS][ROWS];
    static tcs_score scores[ROWS];
    static const char *const asked[] = { "autoencoder", "gru_autoencoder", "lstm_autoencoder" };
    const double *pointer = columns[0];
    make_plant(columns);
    for (size_t t = EVENT_BEGIN; t < EVENT_END; t++) columns[0][t] = ((t - EVENT_BEGIN) / 8) % 2 ? 5.9 : 4.1;
    for (size_t i = 0; i < (test_is_small() ? 2 : 2 * TCS_COUNT(asked)); i++) {
        const bool looks = i % 2 == 0;
        const tcsi_parameter_value parameters[] = { { "bayes", 1e-3 }, { "draws", looks ? 16 : 1 } };
        tcsi_frame *frame = detect_frame(&pointer, 1, ROWS), train = tcsi_frame_view(frame, 0, TRAIN_ROWS);
        tcsi_detector *detector = detect_create(asked[i / 2], 1, parameters, 2);
        assert_ok(tcsi_detector_fit(detector, &train, test_err));
        assert_ok(tcsi_detector_score(detector, frame, scores, test_err));
        double calm = 0, event = 0;
        for (size_t t = TRAIN_ROWS; t < EVENT_BEGIN - 100; t++) calm += (double)scores[t].uncertainty / (EVENT_BEGIN - 100 - TRAIN_ROWS);
        for (size_t t = EVENT_BEGIN; t < EVENT_END; t++) event += (double)scores[t].uncertainty / (EVENT_END - EVENT_BEGIN);
        print_message("# %s: uncertainty %.3g on known rows, %.3g in the event\n", asked[i / 2], calm, event);
        if (!(looks ? calm > 0 && event > 1.2 * calm : calm == 0 && event == 0))
            fail_msg("%s: uncertainty %.3g on known rows, %.3g in the event", asked[i / 2], calm, event);
        if (!(share_of_event(scores) > 0.9)) fail_msg("%s: area under the ROC curve %.3f", asked[i / 2], share_of_event(scores));
        tcsi_detector_destroy(detector);
        tcsi_frame_destroy(frame);
    }
}

/* More channels than a dense network looks at singly, of four kinds; one of them stops following its kind. */
static void test_merged_channels_are_told_apart(void **state)
{
    (void)state;
    enum { MANY = 20, STUCK = 13 };
    static tcs_score scores[ROWS];
    static const char *const asked[] = { "autoencoder", "vae" };
    double row[MANY], parts[MANY];
    tcsi_rng rng = tcsi_rng_make(12, 0);
    tcsi_frame *frame;
    assert_ok(tcsi_frame_create(MANY, ROWS, false, false, &frame, test_err));
    for (size_t t = 0; t < ROWS; t++) {
        for (size_t c = 0; c < MANY; c++)
            row[c] = sin(0.2 * (double)t + (double)(c % 4)) * (double)(1 + c) + 0.05 * (double)(1 + c) * tcsi_rng_normal(&rng);
        if (t >= EVENT_BEGIN && t < EVENT_END) row[STUCK] = 5;
        assert_ok(tcsi_frame_append(frame, row, 0, 0, test_err));
    }
    const tcsi_frame train = tcsi_frame_view(frame, 0, TRAIN_ROWS);
    for (size_t i = 0; i < (test_is_small() ? 1 : TCS_COUNT(asked)); i++) {
        tcsi_detector *detector = detect_create(asked[i], MANY, &(tcsi_parameter_value){ "epochs", 60 }, 1);
        assert_ok(tcsi_detector_fit(detector, &train, test_err));
        assert_ok(tcsi_detector_score(detector, frame, scores, test_err));
        assert_true(tcsi_detector_contribute_span(detector, EVENT_BEGIN, EVENT_END, parts));
        const double auc = share_of_event(scores);
        if (!(auc > 0.9)) fail_msg("%s: area under the ROC curve %.3f", asked[i], auc);
        for (size_t c = 0; c < MANY; c++)
            if (c != STUCK && parts[c] >= parts[STUCK])
                fail_msg("%s: part %zu is %.3g, that of the stuck one %.3g", asked[i], c, parts[c], parts[STUCK]);
        tcsi_detector_destroy(detector);
    }
    tcsi_frame_destroy(frame);
}

static void test_refuses_too_many_channels(void **state)
{
    (void)state;
    tcs_error err = { 0 };
    tcsi_detector *detector = NULL;
    for (size_t i = 0; i < name_count(); i++) {
        const tcsi_detector_setup setup = { .channel_count = 1000000 };
        assert_int_equal(TCS_E_LIMIT, tcsi_detector_create(tcsi_registry_find(names[i]), &setup, &detector, &err));
        assert_non_null(strstr(err.text, "1000000 channels"));
    }
}

/* ---- interruptions ---- */

static bool stop_halfway(void *context, double share)
{
    (void)context;
    return share < 0.5;
}

/* Fitted on labelled rows and scored; halfway: fit stops there, and nothing is scored. */
static void train(const char *name, const char *path, bool halfway, tcs_score *ret_scores)
{
    static double columns[CHANNELS][ROWS];
    static tcsi_training training;
    const double *pointer = columns[0];
    const tcsi_progress progress = { stop_halfway, NULL };
    const tcsi_parameter_value epochs = { "epochs", 20 };
    const tcsi_detector_setup setup = { .channel_count = 1, .progress = halfway ? &progress : NULL, .training = &training,
                                        .parameters = &epochs, .parameter_count = 1 };
    uint8_t labels[TRAIN_ROWS] = { 0 };
    tcsi_detector *detector;
    tcs_error err = { 0 };
    make_plant(columns);
    memset(labels + TRAIN_ROWS / 2, 1, 40);
    training = (tcsi_training){ .checkpoint = path };
    tcsi_frame *frame = detect_frame(&pointer, 1, ROWS), rows = tcsi_frame_view(frame, 0, TRAIN_ROWS);
    rows.labels = labels;
    assert_ok(tcsi_detector_create(tcsi_registry_find(name), &setup, &detector, test_err));
    assert_int_equal(halfway ? TCS_E_CANCELLED : TCS_OK, tcsi_detector_fit(detector, &rows, &err));
    if (!halfway) assert_ok(tcsi_detector_score(detector, frame, ret_scores, test_err));
    tcsi_detector_destroy(detector);
    tcsi_frame_destroy(frame);
}

/* Adversaries, and what learns from labels, keep more than others. */
static void test_goes_on_after_an_interruption(void **state)
{
    (void)state;
    static const char *const asked[] = { "autoencoder", "usad", "deep_sad", "focal_classifier" };
    static tcs_score whole[ROWS], resumed[ROWS];
    for (size_t i = 0; i < (test_is_small() ? 1 : TCS_COUNT(asked)); i++) {
        char path[] = "/tmp/tocsin-window-net-XXXXXX";
        assert_int_equal(0, close(mkstemp(path)));
        (void)!unlink(path);
        train(asked[i], NULL, false, whole);
        train(asked[i], path, true, NULL);
        assert_int_equal(0, access(path, F_OK));
        train(asked[i], path, false, resumed);
        for (size_t t = 0; t < ROWS; t++)
            if (memcmp(&whole[t].value, &resumed[t].value, sizeof whole[t].value) != 0)
                fail_msg("%s: row %zu scores %.17g after an interruption, %.17g without", asked[i], t, resumed[t].value, whole[t].value);
        (void)!unlink(path);
    }
}

TCS_TEST_MAIN(cmocka_unit_test(test_finds_the_channel_that_is_stuck),
              cmocka_unit_test(test_finds_an_unusual_shape),
              cmocka_unit_test(test_members_and_draws_disagree_about_the_unknown),
              cmocka_unit_test(test_a_last_layer_that_is_a_distribution_doubts),
              cmocka_unit_test(test_merged_channels_are_told_apart),
              cmocka_unit_test(test_refuses_too_many_channels),
              cmocka_unit_test(test_goes_on_after_an_interruption))
