/* detect/deep/combined_test.c -- each of the three parts alone, and all together, see a shape that occurs nowhere else and a usual cycle
 * that comes at the wrong time.
 * SPDX-License-Identifier: Apache-2.0 */
#include "detect.h"

enum { ROWS = 4096, TRAIN_ROWS = 2048, CYCLE = 32, FIRST_EVENT = 71, SPACING = 31 /* cycles */ };

typedef enum event { EVENT_SHAPE, EVENT_TURN } event;

static bool in_event(size_t row)
{
    return row / CYCLE >= FIRST_EVENT && (row / CYCLE - FIRST_EVENT) % SPACING == 0;
}

/* Cycles of two shapes in turn, with noise.  In events a cycle of another shape, or of the one whose turn it is not. */
static tcsi_frame *make_frame(event kind)
{
    static double column[ROWS];
    const double *columns[] = { column };
    tcsi_rng rng = tcsi_rng_make(9, 0);
    for (size_t t = 0; t < ROWS; t++) {
        const double phase = 6.283185307179586 * (double)(t % CYCLE) / CYCLE;
        const bool second = (t / CYCLE) % 2 != (in_event(t) && kind == EVENT_TURN);
        column[t] = (second ? sin(2 * phase) : sin(phase)) + 0.1 * tcsi_rng_normal(&rng);
        if (in_event(t) && kind == EVENT_SHAPE) column[t] = sin(4 * phase) + 0.1 * tcsi_rng_normal(&rng);
    }
    return detect_frame(columns, 1, ROWS);
}

/* How well later scores tell events from all other rows; the highest score. */
static double auc_of(event kind, double reconstruction, double embedding, double context, double *ret_most)
{
    static double labels[ROWS];
    static tcs_score scores[ROWS];
    const tcsi_parameter_value parameters[] = { { "window", CYCLE }, { "smoothing", 8 }, { "reconstruction", reconstruction },
                                                { "embedding", embedding }, { "context", context } };
    tcsi_frame *frame = make_frame(kind), train = tcsi_frame_view(frame, 0, TRAIN_ROWS);
    tcsi_detector *detector = detect_create("combined", 1, parameters, TCS_COUNT(parameters));
    assert_ok(tcsi_detector_fit(detector, &train, test_err));
    assert_ok(tcsi_detector_score(detector, frame, scores, test_err));
    *ret_most = 0;
    for (size_t t = 0; t < ROWS; t++) {
        labels[t] = in_event(t);
        *ret_most = fmax(*ret_most, scores[t].value);
    }
    tcsi_detector_destroy(detector);
    tcsi_frame_destroy(frame);
    return detect_auc(scores, labels, TRAIN_ROWS, ROWS);
}

/* A weight of a millionth leaves a part out of loss and score, about: what is left must make the score. */
static void test_each_part_sees_both(void **state)
{
    (void)state;
    static const double nearly_none = 1e-6, weights[][3] = { { 1, 0, 0 }, { 1e-6, 1, 0 }, { 1e-6, 0, 1 }, { 1, 1, 1 } };
    for (size_t i = 0; i < (test_is_small() ? 1 : TCS_COUNT(weights)); i++)
        for (event kind = EVENT_SHAPE; kind <= EVENT_TURN; kind++) {
            double most;
            const double auc = auc_of(kind, weights[i][0], weights[i][1], weights[i][2], &most);
            if (!(auc > 0.9 && most > 1e3 * nearly_none))
                fail_msg("event %d, weights %g, %g, %g: area under the ROC curve %.3f, highest score %g", (int)kind, weights[i][0],
                         weights[i][1], weights[i][2], auc, most);
        }
}

TCS_TEST_MAIN(cmocka_unit_test(test_each_part_sees_both))
