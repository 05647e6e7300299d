/* detect/regard_test.c -- do detectors say truly what they looked at?  Patterns are planted twice, and must be found again.
 * SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "detect/registry.h"

enum { ROWS = 2000, FIRST = 600, AGAIN = 1500, LENGTH = 48 };

/* Noise that remembers itself a little, around a season of 48 rows. */
static tcsi_frame *make_frame(uint64_t seed)
{
    tcsi_frame *frame;
    tcsi_rng rng = tcsi_rng_make(seed, 7);
    double value = 0;
    assert_ok(tcsi_frame_create(1, ROWS, true, false, &frame, test_err));
    for (size_t t = 0; t < ROWS; t++) {
        value = 0.7 * value + 0.3 * tcsi_rng_normal(&rng);
        const double row = value + sin(6.283185307179586 * (double)t / LENGTH);
        assert_ok(tcsi_frame_append(frame, &row, (int64_t)t * 1000000000, 0, test_err));
    }
    return frame;
}

/* A course that occurs nowhere else. */
static void plant(tcsi_frame *frame, size_t at)
{
    double *x = tcsi_frame_column(frame, 0);
    for (size_t i = 0; i < LENGTH; i++) x[at + i] = i % 12 < 6 ? 2.5 : -2.5;
}

static tcsi_detector *make(const char *name, const tcsi_parameter_value *parameters, size_t count, size_t channels)
{
    tcsi_detector *detector;
    const tcsi_detector_info *info = tcsi_registry_find(name);
    const tcsi_detector_setup setup = { .channel_count = channels, .seed = 3, .parameters = parameters, .parameter_count = count };
    assert_ok(tcsi_detector_create(info, &setup, &detector, test_err));
    return detector;
}

static void score(tcsi_detector *detector, const tcsi_frame *frame)
{
    tcs_score *scores = TCSI_NEW_ARRAY(tcs_score, frame->row_count);
    assert_ok(tcsi_detector_score(detector, frame, scores, test_err));
    tcsi_free(scores);
}

static size_t apart(size_t a, size_t b) { return a > b ? a - b : b - a; }

/* ---- likeness ---- */

/* clearly: how much more like the first one is than anything else; embeddings of patches lose their size. */
static const struct { const char *name; tcsi_parameter_value parameters[2]; size_t count; double clearly; } patched[] = {
    { "patch_knn", { { "window", LENGTH } }, 1, 2 },
    { "contrastive", { { "window", LENGTH }, { "epochs", 60 } }, 2, 1.1 },
    { "combined", { { "window", LENGTH }, { "epochs", 60 } }, 2, 1.1 },
};

static void check_nearest(const tcsi_regard *regard, const tcsi_frame *frame)
{
    assert_int_equal(regard->kind, TCSI_REGARD_LIKENESS);
    assert_true(regard->usual > 0);
    for (size_t i = 0; i < regard->line_count; i++) {
        const tcsi_regard_line *line = &regard->lines[i];
        const tcsi_link *links = regard->links + i * regard->link_count;
        assert_true(line->row_begin < line->row_end && line->row_end <= frame->row_count);
        for (size_t k = 0; k < regard->link_count && links[k].row_end > links[k].row_begin; k++) {
            assert_true(links[k].row_end <= frame->row_count && links[k].share > 0 && links[k].share <= 1);
            assert_true(k == 0 || links[k].distance >= links[k - 1].distance);
            assert_true(links[k].row_begin >= line->row_end || links[k].row_end <= line->row_begin);
            for (size_t n = 0; n < k; n++)
                assert_true(links[k].row_begin >= links[n].row_end || links[k].row_end <= links[n].row_begin);
        }
    }
}

static void test_what_was_there_before_is_found(void **state)
{
    (void)state;
    const size_t rows[] = { AGAIN + LENGTH / 2, 1000 };
    for (size_t d = 0; d < TCS_COUNT(patched); d++) {
        tcsi_frame *frame = make_frame(1);
        tcsi_detector *detector = make(patched[d].name, patched[d].parameters, patched[d].count, 1);
        uint8_t *closed = TCSI_NEW_ZEROS(uint8_t, ROWS);
        tcsi_regard regard;
        tcsi_regard_wish wish = { .rows = rows, .row_count = 2 };
        plant(frame, FIRST);
        plant(frame, AGAIN);
        score(detector, frame);
        assert_ok(tcsi_detector_regard(detector, frame, &wish, &regard, test_err));
        check_nearest(&regard, frame);
        const tcsi_link first = regard.links[0], usual = regard.links[regard.link_count];
        print_message("# %s: again at %zu, first at %zu (%d), share %.2f; a normal patch has %.2f\n", patched[d].name,
                      regard.lines[0].row_begin, first.row_begin, FIRST, first.share, usual.share);
        assert_true(apart(first.row_begin + AGAIN, regard.lines[0].row_begin + FIRST) <= 4);
        assert_true(regard.links[0].share > patched[d].clearly * regard.links[1].share);
        assert_true(usual.share > 0.35 && usual.share < 0.65);
        tcsi_regard_deinit(&regard);
        memset(closed + FIRST, 1, LENGTH); /* then it is no neighbour, and nothing is like it */
        wish.closed = closed;
        assert_ok(tcsi_detector_regard(detector, frame, &wish, &regard, test_err));
        check_nearest(&regard, frame);
        for (size_t k = 0; k < regard.link_count; k++)
            assert_true(regard.links[k].row_begin >= FIRST + LENGTH || regard.links[k].row_end <= FIRST);
        assert_true(patched[d].clearly * regard.links[0].share < first.share);
        tcsi_regard_deinit(&regard);
        tcsi_free(closed);
        tcsi_detector_destroy(detector);
        tcsi_frame_destroy(frame);
    }
}

/* ---- attention ---- */

/* Every CYCLE rows a cue, a number that nothing foretells, and LAG rows later another cue and the same number. */
enum { CYCLE = 32, LAG = 16, AROUND = 6, TAUGHT = 6400, SHOWN = 8000 };

static tcsi_frame *make_echoes(void)
{
    tcsi_frame *frame;
    tcsi_rng rng = tcsi_rng_make(9, 1);
    double number = 0;
    assert_ok(tcsi_frame_create(1, SHOWN, true, false, &frame, test_err));
    for (size_t t = 0; t < SHOWN; t++) {
        const size_t at = t % CYCLE;
        double row = 0.05 * tcsi_rng_normal(&rng);
        if (at == 0) number = 2 * tcsi_rng_uniform(&rng) - 1;
        if (at == 3) row = 2;
        if (at == 3 + LAG) row = -2;
        if (at == 4 || at == 4 + LAG) row = number;
        assert_ok(tcsi_frame_append(frame, &row, (int64_t)t * 1000000000, 0, test_err));
    }
    return frame;
}

static void check_attention(const tcsi_regard *regard, const tcsi_frame *frame, bool is_causal)
{
    assert_int_equal(regard->kind, TCSI_REGARD_ATTENTION);
    for (size_t i = 0; i < regard->line_count; i++) {
        const tcsi_regard_line *line = &regard->lines[i];
        double sum = 0;
        for (size_t k = 0; k < regard->link_count; k++) {
            const tcsi_link *link = &regard->links[i * regard->link_count + k];
            sum += link->share;
            assert_true(link->share >= 0 && link->row_end <= frame->row_count && (link->share == 0 || link->row_begin < link->row_end));
            if (is_causal && link->row_end > link->row_begin) assert_true(link->row_end <= line->row || line->row == 0);
        }
        assert_near(1, sum, 1e-5);
    }
}

static void test_attention_goes_to_what_repeats(void **state)
{
    (void)state;
    static const tcsi_parameter_value small[] = { { "steps", 32 }, { "epochs", 100 }, { "horizons", 1 }, { "hidden", 32 } };
    tcsi_frame *frame = make_echoes();
    const tcsi_frame taught = tcsi_frame_view(frame, 0, TAUGHT);
    tcsi_detector *detector = make("transformer_forecaster", small, TCS_COUNT(small), 1);
    size_t rows[40], count = 0;
    double by_lag[CYCLE + 1] = { 0 };
    tcsi_regard regard;
    assert_ok(tcsi_detector_fit(detector, &taught, test_err));
    score(detector, frame);
    for (size_t i = 0; count < TCS_COUNT(rows); i++) rows[count++] = TAUGHT + i * CYCLE + 4 + LAG;
    const tcsi_regard_wish wish = { .rows = rows, .row_count = count };
    assert_ok(tcsi_detector_regard(detector, frame, &wish, &regard, test_err));
    check_attention(&regard, frame, true);
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < regard.link_count; k++) {
            const tcsi_link *link = &regard.links[i * regard.link_count + k];
            if (link->row_end > link->row_begin) by_lag[rows[i] - link->row_begin] += link->share / (double)count;
        }
    size_t best = AROUND + 1; /* nearer rows are the cue itself */
    for (size_t lag = best; lag <= CYCLE; lag++)
        if (by_lag[lag] > by_lag[best]) best = lag;
    print_message("# the number stood %d rows before; most attention, but for the cue, goes %zu back: %.3f, evenly %.3f\n", LAG, best,
                  by_lag[best], 1.0 / CYCLE);
    assert_true(best <= LAG && best + AROUND >= LAG); /* rows whose surroundings, of a convolution, hold it */
    assert_true(by_lag[best] > 3.0 / CYCLE);
    tcsi_regard_deinit(&regard);
    tcsi_detector_destroy(detector);
    tcsi_frame_destroy(frame);
}

static void test_attention_of_windows(void **state)
{
    (void)state;
    static const tcsi_parameter_value small[] = { { "window", LENGTH }, { "epochs", 3 }, { "members", 2 } };
    static const size_t rows[] = { 0, 1, 700, ROWS - 1 };
    tcsi_frame *frame = make_frame(2);
    tcsi_detector *detector = make("anomaly_transformer", small, TCS_COUNT(small), 1);
    const tcsi_regard_wish wish = { .rows = rows, .row_count = TCS_COUNT(rows) };
    tcsi_regard regard;
    score(detector, frame);
    assert_ok(tcsi_detector_regard(detector, frame, &wish, &regard, test_err));
    check_attention(&regard, frame, false);
    for (size_t i = 0; i < TCS_COUNT(rows); i++)
        assert_true(regard.lines[i].row_begin <= rows[i] && rows[i] < regard.lines[i].row_end + 2); /* the last rows make no whole step */
    tcsi_regard_deinit(&regard);
    tcsi_detector_destroy(detector);
    tcsi_frame_destroy(frame);
}

static void test_who_cannot_say(void **state)
{
    (void)state;
    static const tcsi_parameter_value few[] = { { "epochs", 2 } };
    static const char *const silent[] = { "gru_forecaster", "autoencoder", "ewma" };
    static const size_t row = 900;
    const tcsi_regard_wish wish = { .rows = &row, .row_count = 1 };
    tcsi_frame *frame = make_frame(3);
    tcsi_frame shorter = tcsi_frame_view(frame, 0, 20);
    tcsi_regard regard;
    for (size_t i = 0; i < TCS_COUNT(silent); i++) {
        tcsi_detector *detector = make(silent[i], few, strcmp(silent[i], "ewma") != 0, 1);
        if (detector->info->ops->fit) assert_ok(tcsi_detector_fit(detector, frame, test_err));
        assert_int_equal(TCS_E_UNSUPPORTED, tcsi_detector_regard(detector, frame, &wish, &regard, NULL));
        tcsi_detector_destroy(detector);
    }
    for (size_t d = 0; d < TCS_COUNT(patched); d++) { /* nothing learned, and fewer rows than a patch */
        const tcsi_regard_wish early = { .rows = (const size_t[]){ 3 }, .row_count = 1 };
        tcsi_detector *detector = make(patched[d].name, patched[d].parameters, patched[d].count, 1);
        assert_int_equal(TCS_E_UNSUPPORTED, tcsi_detector_regard(detector, &shorter, &early, &regard, NULL));
        tcsi_detector_destroy(detector);
    }
    tcsi_frame_destroy(frame);
}

TCS_TEST_MAIN(cmocka_unit_test(test_what_was_there_before_is_found), cmocka_unit_test(test_attention_goes_to_what_repeats),
              cmocka_unit_test(test_attention_of_windows), cmocka_unit_test(test_who_cannot_say))
