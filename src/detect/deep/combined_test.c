/* detect/deep/combined_test.c -- each of the three parts sees what it is for: a shape that occurs nowhere else, and, only by its context, a
 * cycle that is usual but comes at the wrong time; weights are listened to.
 * SPDX-License-Identifier: Apache-2.0 */
#include "detect.h"

enum { ROWS = 4096, TRAIN_ROWS = 2048, CYCLE = 32, EVENT_BEGIN = 3008, EVENT_END = EVENT_BEGIN + CYCLE };

typedef enum event { EVENT_SHAPE, EVENT_TURN } event;

/* Cycles of two shapes in turn, with noise.  A cycle of another shape, or of the one whose turn it is not. */
static tcsi_frame *make_frame(event kind)
{
    static double column[ROWS];
    const double *columns[] = { column };
    tcsi_rng rng = tcsi_rng_make(9, 0);
    for (size_t t = 0; t < ROWS; t++) {
        const double phase = 6.283185307179586 * (double)(t % CYCLE) / CYCLE;
        const bool in_event = t >= EVENT_BEGIN && t < EVENT_END, second = (t / CYCLE) % 2 != (in_event && kind == EVENT_TURN);
        column[t] = (second ? sin(2 * phase) : sin(phase)) + 0.1 * tcsi_rng_normal(&rng);
        if (in_event && kind == EVENT_SHAPE) column[t] = sin(4 * phase) + 0.1 * tcsi_rng_normal(&rng);
    }
    return detect_frame(columns, 1, ROWS);
}

static double auc_of(event kind, double reconstruction, double embedding, double context)
{
    static double labels[ROWS];
    static tcs_score scores[ROWS];
    const tcsi_parameter_value parameters[] = { { "window", CYCLE }, { "smoothing", 8 }, { "reconstruction", reconstruction },
                                                { "embedding", embedding }, { "context", context } };
    tcsi_frame *frame = make_frame(kind), train = tcsi_frame_view(frame, 0, TRAIN_ROWS);
    tcsi_detector *detector = detect_create("combined", 1, parameters, TCS_COUNT(parameters));
    assert_ok(tcsi_detector_fit(detector, &train, test_err));
    assert_ok(tcsi_detector_score(detector, frame, scores, test_err));
    for (size_t t = 0; t < ROWS; t++) labels[t] = t >= EVENT_BEGIN && t < EVENT_END;
    tcsi_detector_destroy(detector);
    tcsi_frame_destroy(frame);
    return detect_auc(scores, labels, TRAIN_ROWS, ROWS);
}

static void test_parts_see_a_shape(void **state)
{
    (void)state;
    static const double weights[][3] = { { 1, 0, 0 }, { 0.001, 1, 0 }, { 1, 1, 1 } };
    for (size_t i = 0; i < (test_is_small() ? 1 : TCS_COUNT(weights)); i++) {
        const double auc = auc_of(EVENT_SHAPE, weights[i][0], weights[i][1], weights[i][2]);
        if (!(auc > 0.95))
            fail_msg("area under the ROC curve %.3f with weights %g, %g, %g", auc, weights[i][0], weights[i][1], weights[i][2]);
    }
}

static void test_context_sees_a_wrong_turn(void **state)
{
    (void)state;
    const double without = auc_of(EVENT_TURN, 1, 1, 0), alone = auc_of(EVENT_TURN, 0.001, 0, 1);
    print_message("# a cycle at the wrong time: area under the ROC curve %.3f without context, %.3f by context\n", without, alone);
    if (!(alone > 0.9)) fail_msg("area under the ROC curve %.3f by context, %.3f without", alone, without);
}

TCS_TEST_MAIN(cmocka_unit_test(test_parts_see_a_shape), cmocka_unit_test(test_context_sees_a_wrong_turn))
