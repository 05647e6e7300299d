/* explain/explain_test.c -- are explanations right?  Causes are planted, and must be found; counterfactuals are scored again from scratch.
 * SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "detect/registry.h"
#include "explain/band.h"
#include "explain/shapley.h"
#include "pipeline/explain.h"
#include "series/expect.h"

enum { ROWS = 2400, CHANNELS = 4, ONSET = 1800, LENGTH = 60, PERIOD = 48 };

/* ---- a series of channels that belong together, and what is done to one of them ---- */

static tcsi_frame *make_frame(size_t row_count, uint64_t seed)
{
    static const char *const names[CHANNELS] = { "pressure", "flow", "level", "current" };
    tcsi_frame *frame;
    tcsi_rng rng = tcsi_rng_make(seed, 1);
    double row[CHANNELS], common = 0;
    assert_ok(tcsi_frame_create(CHANNELS, row_count, true, false, &frame, test_err));
    for (size_t c = 0; c < CHANNELS; c++) assert_ok(tcsi_frame_channel_rename(frame, c, names[c], test_err));
    for (size_t t = 0; t < row_count; t++) {
        common = 0.9 * common + 0.2 * tcsi_rng_normal(&rng);
        for (size_t c = 0; c < CHANNELS; c++)
            row[c] = 20 + sin(6.283185307179586 * (double)t / PERIOD + (double)c) + common + 0.15 * tcsi_rng_normal(&rng);
        assert_ok(tcsi_frame_append(frame, row, 1767571200000000000 + (int64_t)t * 60000000000, 0, test_err));
    }
    return frame;
}

static void shift(tcsi_frame *frame, size_t channel, size_t begin, size_t end, double by)
{
    for (size_t t = begin; t < end; t++) tcsi_frame_column(frame, channel)[t] += by;
}

static tcsi_detection *detect(const tcsi_frame *frame, const char *detector, tcs_mode mode)
{
    static const tcsi_parameter_value deep[] = { { "epochs", 3 } };
    const bool is_deep = strstr(detector, "autoencoder") || strstr(detector, "svdd") || strstr(detector, "forecaster");
    const tcsi_detect_options options = { .mode = mode, .detector = detector, .train_row_count = 1200, .thread_count = 1, .keep = true,
                                          .parameters = deep, .parameter_count = is_deep,
                                          .budget = { .count = strcmp(detector, "half_space_trees") == 0 ? 40 : 0 } };
    tcsi_detection *detection;
    assert_ok(tcsi_detect(frame, &options, &detection, test_err));
    return detection;
}

/* The most severe episode that overlaps the planted rows. */
static size_t planted_episode(const tcsi_detection *detection)
{
    size_t best = SIZE_MAX;
    const tcsi_policy_result *decision = &detection->decision;
    for (size_t i = 0; i < decision->episode_count; i++) {
        const tcsi_episode *e = &decision->episodes[i];
        if (e->row_begin >= ONSET + LENGTH || e->row_end <= ONSET) continue;
        if (best == SIZE_MAX || e->score_peak > decision->episodes[best].score_peak) best = i;
    }
    if (best == SIZE_MAX) fail_msg("%s: what was planted was not found", detection->info->name);
    return best;
}

static tcsi_explanation explain(const tcsi_detection *detection, size_t episode, const tcsi_explain_options *options)
{
    tcsi_explanation explanation;
    assert_ok(tcsi_detection_explain(detection, &episode, 1, options, &explanation, test_err));
    return explanation;
}

/* ---- Shapley values ---- */

static tcs_status play_sum(void *context, const bool *is_in, double *ret_outcome, tcs_error *err)
{
    (void)context;
    (void)err;
    *ret_outcome = 3 + 1.0 * is_in[0] - 2.0 * is_in[1] + 4.0 * is_in[2] * is_in[3];
    return TCS_OK;
}

/* By hand: 1, -2, and half of 4 for each of two that are only worth something together. */
static void test_shapley_values_are_right(void **state)
{
    (void)state;
    double values[4], errors[4];
    const tcsi_shapley_options options = { .player_count = 4, .order_count = 50, .seed = 3 };
    assert_ok(tcsi_shapley(&options, play_sum, NULL, values, errors, test_err));
    assert_near(1, values[0], 1e-12);
    assert_near(-2, values[1], 1e-12);
    assert_near(2, values[2], 1e-12); /* there and back: each of the two comes last once */
    assert_near(2, values[3], 1e-12);
    assert_near(0, errors[0], 1e-12);
    assert_near(0, errors[2], 1e-12);
}

static tcs_status play_majority(void *context, const bool *is_in, double *ret_outcome, tcs_error *err)
{
    (void)context;
    (void)err;
    *ret_outcome = is_in[0] + is_in[1] + is_in[2] >= 2 && is_in[0];
    return TCS_OK;
}

/* Player 0 is needed, and one of two others: 2/3, 1/6, 1/6.  The standard error must tell how far the sample is off. */
static void test_shapley_errors_are_honest(void **state)
{
    (void)state;
    double values[3], errors[3];
    const double truth[3] = { 2.0 / 3, 1.0 / 6, 1.0 / 6 };
    size_t within = 0, trials = 0;
    for (uint64_t seed = 0; seed < 40; seed++) {
        const tcsi_shapley_options options = { .player_count = 3, .order_count = 60, .seed = seed };
        assert_ok(tcsi_shapley(&options, play_majority, NULL, values, errors, test_err));
        assert_near(1, values[0] + values[1] + values[2], 1e-12);
        for (size_t i = 0; i < 3; i++, trials++) within += fabs(values[i] - truth[i]) <= 2 * errors[i] + 1e-12;
    }
    assert_true((double)within > 0.88 * (double)trials);
}

/* ---- attribution ---- */

static const struct { const char *name; tcs_mode mode; } judges[] = {
    { "ewma", TCS_MODE_ONLINE },           { "pca_stream", TCS_MODE_ONLINE },      { "half_space_trees", TCS_MODE_ONLINE },
    { "auto_online", TCS_MODE_ONLINE },    { "tcn_forecaster", TCS_MODE_ONLINE },  { "auto_classic", TCS_MODE_OFFLINE },
    { "autoencoder", TCS_MODE_OFFLINE },   { "deep_svdd", TCS_MODE_OFFLINE },      { "auto_offline", TCS_MODE_OFFLINE },
};

static void check_attribution(const tcsi_attribution *a)
{
    double sum = 0, channels = 0;
    for (size_t k = 0; k < tcsi_extent_count(a->rows) * a->channel_count; k++) {
        assert_true(a->shares[k] >= 0);
        sum += a->shares[k];
    }
    for (size_t c = 0; c < a->channel_count; c++) channels += a->channels[c];
    assert_near(1, sum, 1e-9);
    assert_near(1, channels, 1e-9);
}

static void test_planted_causes_are_found(void **state)
{
    (void)state;
    static const tcsi_explain_options options = { .with_counterfactual = false };
    for (size_t i = 0; i < TCS_COUNT(judges); i++) {
        size_t first = 0, overlaps = 0;
        for (size_t c = 0; c < CHANNELS; c++) {
            tcsi_frame *frame = make_frame(ROWS, 100 + c);
            shift(frame, c, ONSET, ONSET + LENGTH, c % 2 ? 6 : -6);
            tcsi_detection *detection = detect(frame, judges[i].name, judges[i].mode);
            tcsi_explanation e = explain(detection, planted_episode(detection), &options);
            check_attribution(&e.attribution);
            assert_true(e.story_count > 0);
            const tcsi_story *story = &e.stories[0];
            first += story->channel == c;
            overlaps += story->when.begin < ONSET + LENGTH && story->when.end > ONSET;
            if (story->channel == c) assert_int_equal(story->beyond > 0, c % 2); /* it knows which way */
            tcsi_explanation_deinit(&e);
            tcsi_detection_destroy(detection);
            tcsi_frame_destroy(frame);
        }
        print_message("# %s: true channel first in %zu of %d, its rows met in %zu\n", judges[i].name, first, CHANNELS, overlaps);
        assert_true(first == CHANNELS);
        assert_true(overlaps == CHANNELS);
    }
}

/* Sources that ask the detector agree with Shapley values, which only ask for scores. */
static void test_sources_agree_with_shapley(void **state)
{
    (void)state;
    static const struct { const char *name; tcs_mode mode; tcsi_attribution_source source; } pairs[] = {
        { "ewma", TCS_MODE_ONLINE, TCSI_ATTRIBUTION_PARTS },
        { "tcn_forecaster", TCS_MODE_ONLINE, TCSI_ATTRIBUTION_PARTS },
        { "autoencoder", TCS_MODE_OFFLINE, TCSI_ATTRIBUTION_PARTS },
        { "deep_svdd", TCS_MODE_OFFLINE, TCSI_ATTRIBUTION_GRADIENTS },
        { "autoencoder", TCS_MODE_OFFLINE, TCSI_ATTRIBUTION_GRADIENTS },
    };
    for (size_t i = 0; i < TCS_COUNT(pairs); i++) {
        tcsi_frame *frame = make_frame(ROWS, 7);
        shift(frame, 2, ONSET, ONSET + LENGTH, 5);
        shift(frame, 1, ONSET, ONSET + LENGTH, -2.2);
        tcsi_detection *detection = detect(frame, pairs[i].name, pairs[i].mode);
        const size_t episode = planted_episode(detection);
        const tcsi_explain_options one = { .attribution = { .source = pairs[i].source } };
        const tcsi_explain_options two = { .attribution = { .source = TCSI_ATTRIBUTION_SHAPLEY, .order_count = 6 } };
        tcsi_explanation a = explain(detection, episode, &one), b = explain(detection, episode, &two);
        print_message("# %s, %s:", pairs[i].name, tcsi_attribution_source_name(a.attribution.source));
        for (size_t c = 0; c < CHANNELS; c++) print_message(" %.2f/%.2f", a.attribution.channels[c], b.attribution.channels[c]);
        print_message(", standard error %.2f\n", b.attribution.error);
        assert_int_equal(a.attribution.source, pairs[i].source);
        assert_int_equal(a.stories[0].channel, 2);
        assert_int_equal(b.stories[0].channel, 2);
        assert_true(fabs(a.attribution.channels[2] - b.attribution.channels[2]) < 0.35);
        tcsi_explanation_deinit(&a);
        tcsi_explanation_deinit(&b);
        tcsi_detection_destroy(detection);
        tcsi_frame_destroy(frame);
    }
}

/* What is added to all rows of a channel is nothing to a detector that scales by what it learned. */
static void test_constant_shifts_change_nothing(void **state)
{
    (void)state;
    static const tcsi_explain_options options = { .with_counterfactual = false };
    static const char *const names[] = { "ewma", "tcn_forecaster", "autoencoder" };
    for (size_t i = 0; i < TCS_COUNT(names); i++) {
        const tcs_mode mode = i < 2 ? TCS_MODE_ONLINE : TCS_MODE_OFFLINE;
        tcsi_frame *plain = make_frame(ROWS, 11), *moved = make_frame(ROWS, 11);
        shift(plain, 1, ONSET, ONSET + LENGTH, 4);
        shift(moved, 1, ONSET, ONSET + LENGTH, 4);
        for (size_t c = 0; c < CHANNELS; c++) shift(moved, c, 0, ROWS, 1024.0 * (double)(c + 1));
        tcsi_detection *a = detect(plain, names[i], mode), *b = detect(moved, names[i], mode);
        tcsi_explanation ea = explain(a, planted_episode(a), &options), eb = explain(b, planted_episode(b), &options);
        for (size_t c = 0; c < CHANNELS; c++) assert_near(ea.attribution.channels[c], eb.attribution.channels[c], 0.02);
        assert_int_equal(ea.stories[0].kind.kind, eb.stories[0].kind.kind);
        tcsi_explanation_deinit(&ea);
        tcsi_explanation_deinit(&eb);
        tcsi_detection_destroy(a);
        tcsi_detection_destroy(b);
        tcsi_frame_destroy(plain);
        tcsi_frame_destroy(moved);
    }
}

/* The contract of `attribute`, of every registered detector that has it: finite parts, none where nothing differs, and a detector that
 * scores as before. */
static void test_attribute_changes_nothing(void **state)
{
    (void)state;
    static const tcsi_parameter_value few[] = { { "epochs", 2 } };
    enum { FEW = 600 };
    size_t tried = 0;
    tcsi_frame *frame = make_frame(FEW, 5), *other = make_frame(FEW, 5);
    shift(frame, 1, 400, 430, 5);
    frame->labels = TCSI_NEW_ZEROS(uint8_t, FEW);
    memset(frame->labels + 100, 1, 20);
    tcs_score *before = TCSI_NEW_ARRAY(tcs_score, FEW), *after = TCSI_NEW_ARRAY(tcs_score, FEW);
    double *parts = TCSI_NEW_ARRAY(double, 30 * CHANNELS);
    for (size_t d = 0; d < tcsi_registry_count(); d++) {
        const tcsi_detector_info *info = tcsi_registry_at(d);
        const tcsi_detector_setup setup = { .channel_count = CHANNELS, .parameters = few, .parameter_count = 1 };
        tcsi_detector *detector;
        if (!info->ops->attribute) continue;
        assert_ok(tcsi_detector_create(info, &setup, &detector, test_err));
        assert_ok(tcsi_detector_fit(detector, frame, test_err));
        assert_ok(tcsi_detector_score(detector, frame, before, test_err));
        const tcs_status status = info->ops->attribute(detector, frame, other, 400, 430, parts, NULL);
        assert_true(status == TCS_OK || status == TCS_E_UNSUPPORTED);
        double largest = 0;
        for (size_t k = 0; k < 30 * CHANNELS && status == TCS_OK; k++) {
            assert_true(isfinite(parts[k]));
            largest = fmax(largest, fabs(parts[k]));
            if (k % CHANNELS != 1) assert_near(0, parts[k], 1e-12); /* the other channels are the same in both */
        }
        if (status == TCS_OK) assert_true(largest > 0);
        tried += status == TCS_OK;
        assert_ok(tcsi_detector_score(detector, frame, after, test_err));
        for (size_t t = 0; t < FEW; t++) assert_memory_equal(&before[t].value, &after[t].value, sizeof(double));
        tcsi_detector_destroy(detector);
    }
    print_message("# %zu detectors say it\n", tried);
    assert_true(tried >= 8);
    tcsi_free(before);
    tcsi_free(after);
    tcsi_free(parts);
    tcsi_frame_destroy(frame);
    tcsi_frame_destroy(other);
}

/* ---- counterfactuals ---- */

static tcsi_frame *apply(const tcsi_frame *frame, const tcsi_counterfactual *c)
{
    size_t all[CHANNELS] = { 0, 1, 2, 3 };
    tcsi_frame *changed;
    assert_ok(tcsi_frame_select(frame, all, CHANNELS, &changed, test_err));
    for (size_t k = 0; k < c->channel_count; k++)
        memcpy(tcsi_frame_column(changed, c->channels[k]) + c->rows.begin, c->values + k * tcsi_extent_count(c->rows),
               tcsi_extent_count(c->rows) * sizeof(double));
    return changed;
}

/* A new detector, fitted anew, sees nothing above the thresholds that were in force. */
static void check_quiet(const tcsi_detection *detection, const tcsi_explanation *e, const char *name)
{
    tcsi_frame *changed = apply(detection->frame, &e->counterfactual);
    tcsi_detection *again = detect(changed, name, detection->mode);
    for (size_t t = e->rows.begin; t < e->rows.end; t++) {
        const tcs_score *score = &again->scores[t];
        const double level = detection->decision.by_evidence ? score->evidence : score->value;
        if (score->state == TCS_SCORE_READY) assert_true(level <= detection->decision.thresholds[t]);
    }
    tcsi_detection_destroy(again);
    tcsi_frame_destroy(changed);
}

static void test_counterfactuals_do_not_alarm(void **state)
{
    (void)state;
    static const tcsi_explain_options options = { .with_counterfactual = true };
    for (size_t i = 0; i < TCS_COUNT(judges); i++) {
        tcsi_frame *frame = make_frame(ROWS, 50 + i);
        shift(frame, i % CHANNELS, ONSET, ONSET + LENGTH, 4);
        tcsi_detection *detection = detect(frame, judges[i].name, judges[i].mode);
        const size_t episode = planted_episode(detection);
        tcsi_explanation e = explain(detection, episode, &options);
        const tcsi_counterfactual *c = &e.counterfactual;
        assert_int_equal(c->outcome, TCSI_COUNTERFACTUAL_FOUND);
        assert_true(c->share > 0 && c->share <= 1);
        assert_true(c->channels[0] == i % CHANNELS || c->channel_count > 1);
        assert_true(c->score_before > c->threshold);
        check_quiet(detection, &e, judges[i].name);
        tcsi_explanation_deinit(&e);
        tcsi_detection_destroy(detection);
        tcsi_frame_destroy(frame);
    }
}

/* Within limits; and where no value within them is quiet, it says so. */
static void test_counterfactuals_respect_ranges(void **state)
{
    (void)state;
    tcsi_range ranges[CHANNELS] = { { NAN, NAN }, { NAN, 23 }, { NAN, NAN }, { NAN, NAN } };
    const tcsi_explain_options options = { .with_counterfactual = true, .counterfactual = { .ranges = ranges } };
    tcsi_frame *frame = make_frame(ROWS, 31);
    shift(frame, 1, ONSET, ONSET + LENGTH, 6);
    tcsi_detection *detection = detect(frame, "ewma", TCS_MODE_ONLINE);
    const size_t episode = planted_episode(detection);
    tcsi_explanation e = explain(detection, episode, &options);
    assert_int_equal(e.counterfactual.outcome, TCSI_COUNTERFACTUAL_FOUND);
    for (size_t k = 0; k < e.counterfactual.channel_count; k++)
        for (size_t i = 0; i < tcsi_extent_count(e.counterfactual.rows) && e.counterfactual.channels[k] == 1; i++)
            assert_true(e.counterfactual.values[k * tcsi_extent_count(e.counterfactual.rows) + i] <= 23);
    tcsi_explanation_deinit(&e);
    ranges[1] = (tcsi_range){ 25, 30 };
    e = explain(detection, episode, &options);
    assert_int_equal(e.counterfactual.outcome, TCSI_COUNTERFACTUAL_NONE);
    assert_non_null(strstr(e.advice, "no change"));
    tcsi_explanation_deinit(&e);
    tcsi_detection_destroy(detection);
    tcsi_frame_destroy(frame);
}

/* Episodes that are explained together: each answer holds, in whatever order they are asked for. */
static void test_episodes_are_explained_together(void **state)
{
    (void)state;
    static const tcsi_explain_options options = { .with_counterfactual = true };
    tcsi_frame *frame = make_frame(ROWS, 77);
    shift(frame, 0, 1400, 1440, 5);
    shift(frame, 3, ONSET, ONSET + LENGTH, -5);
    tcsi_detection *detection = detect(frame, "autoencoder", TCS_MODE_OFFLINE);
    assert_true(detection->decision.episode_count >= 2);
    const size_t last = detection->decision.episode_count - 1, episodes[2] = { last, 0 };
    tcsi_explanation both[2];
    assert_ok(tcsi_detection_explain(detection, episodes, 2, &options, both, test_err));
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(both[i].episode, episodes[i]);
        assert_int_equal(both[i].counterfactual.outcome, TCSI_COUNTERFACTUAL_FOUND);
        check_quiet(detection, &both[i], "autoencoder");
        tcsi_explanation_deinit(&both[i]);
    }
    tcsi_detection_destroy(detection);
    tcsi_frame_destroy(frame);
}

/* ---- kind, likeness, words ---- */

static tcsi_subject subject_of(const tcsi_frame *frame, tcsi_policy_result *decision)
{
    return (tcsi_subject){ .frame = frame, .decision = decision, .is_online = true, .has_times = true };
}

/* An event does not bend what is expected in its rows, however long; nor does what came to stay, where only the past is asked. */
static void test_events_do_not_bend_what_is_expected(void **state)
{
    (void)state;
    enum { LONG = 400 };
    uint8_t *anomaly = TCSI_NEW_ZEROS(uint8_t, ROWS);
    double *expected = TCSI_NEW_ARRAY(double, 3 * LONG);
    tcsi_policy_result decision = { .anomaly = anomaly };
    for (int stays = 0; stays < 2; stays++) {
        tcsi_frame *frame = make_frame(ROWS, 700), *calm = make_frame(ROWS, 700);
        const tcsi_subject subject = subject_of(frame, &decision);
        const tcsi_extent rows = { 1600, 1600 + LONG };
        tcsi_expected_wish wish = { .episode = rows, .view = rows, .past_only = stays };
        double spread, off = 0;
        shift(frame, 1, rows.begin, stays ? ROWS : rows.end, 5);
        assert_ok(tcsi_expected_period(&subject, rows, 1, &wish.period, test_err));
        assert_int_equal(wish.period, PERIOD);
        assert_ok(tcsi_expected(&subject, &wish, 1, expected, expected + LONG, expected + 2 * LONG, &spread, test_err));
        for (size_t i = 0; i < LONG; i++) {
            off += fabs(expected[i] - tcsi_frame_column(calm, 1)[rows.begin + i]) / LONG;
            assert_true(expected[LONG + i] <= expected[i] && expected[i] <= expected[2 * LONG + i]);
        }
        assert_true(off < 0.8); /* the noise that nobody could know is about half of that */
        assert_true(spread > 0.2 && spread < 1.5);
        tcsi_frame_destroy(frame);
        tcsi_frame_destroy(calm);
    }
    tcsi_free(anomaly);
    tcsi_free(expected);
}

/* Lays one kind over rows of channel 1. */
static void plant(tcsi_frame *frame, tcsi_kind_name kind, size_t begin, size_t end)
{
    double *x = tcsi_frame_column(frame, 1);
    tcsi_rng rng = tcsi_rng_make(9, kind);
    const double stuck = x[begin];
    for (size_t t = begin; t < end; t++) {
        const double along = (double)(t - begin) / (double)(end - begin);
        switch (kind) {
        case TCSI_KIND_SPIKE: x[t] += t == begin + 10 || t == begin + 11 ? 9 : 0; break;
        case TCSI_KIND_LEVEL_SHIFT: x[t] += 5; break;
        case TCSI_KIND_TREND: x[t] += 9 * along; break;
        case TCSI_KIND_VARIANCE: x[t] += 1.5 * tcsi_rng_normal(&rng); break;
        case TCSI_KIND_DROP_OUT: x[t] = NAN; break;
        case TCSI_KIND_STUCK: x[t] = stuck; break;
        case TCSI_KIND_PATTERN: x[t] += 0.4 * sin(6.283185307179586 * (double)t / 9); break;
        default: break;
        }
    }
}

static void test_kinds_are_told_apart(void **state)
{
    (void)state;
    static const tcsi_kind_name kinds[] = { TCSI_KIND_SPIKE, TCSI_KIND_LEVEL_SHIFT, TCSI_KIND_TREND, TCSI_KIND_VARIANCE,
                                            TCSI_KIND_DROP_OUT, TCSI_KIND_STUCK };
    static const size_t others[] = { 0, 2, 3 };
    uint8_t *anomaly = TCSI_NEW_ZEROS(uint8_t, ROWS);
    tcsi_policy_result decision = { .anomaly = anomaly };
    for (size_t i = 0; i < TCS_COUNT(kinds); i++) {
        tcsi_frame *frame = make_frame(ROWS, 200 + i);
        const tcsi_subject subject = subject_of(frame, &decision);
        const tcsi_extent rows = { ONSET, ONSET + LENGTH };
        tcsi_kind kind;
        plant(frame, kinds[i], rows.begin, rows.end);
        assert_ok(tcsi_kind_find(&subject, rows, 1, PERIOD, others, 3, &kind, test_err));
        assert_string_equal(tcsi_kind_text(kinds[i]), tcsi_kind_text(kind.kind));
        assert_false(kind.persistent);
        assert_true(kind.probability >= TCSI_KIND_CONFIDENCE && kind.probability <= 1 && kind.likeliest == kind.kind);
        tcsi_frame_destroy(frame);
    }
    tcsi_free(anomaly);
}

/* What comes later changes neither a kind nor its probability; whether it stays is not known until there is something behind it. */
static void test_kinds_are_known_before_episodes_are_over(void **state)
{
    (void)state;
    static const tcsi_kind_name kinds[] = { TCSI_KIND_LEVEL_SHIFT, TCSI_KIND_VARIANCE, TCSI_KIND_DROP_OUT, TCSI_KIND_STUCK };
    static const size_t others[] = { 0, 2, 3 };
    uint8_t *anomaly = TCSI_NEW_ZEROS(uint8_t, ROWS);
    tcsi_policy_result decision = { .anomaly = anomaly };
    for (size_t i = 0; i < TCS_COUNT(kinds); i++) {
        tcsi_frame *frame = make_frame(ROWS, 600 + i);
        const tcsi_subject subject = subject_of(frame, &decision);
        const tcsi_extent rows = { ONSET, ONSET + 20 };
        tcsi_kind whole, begun;
        plant(frame, kinds[i], ONSET, ONSET + LENGTH);
        assert_ok(tcsi_kind_find(&subject, rows, 1, PERIOD, others, 3, &whole, test_err));
        frame->row_count = rows.end;
        assert_ok(tcsi_kind_find(&subject, rows, 1, PERIOD, others, 3, &begun, test_err));
        frame->row_count = ROWS;
        assert_string_equal(tcsi_kind_text(kinds[i]), tcsi_kind_text(begun.kind));
        assert_int_equal(whole.kind, begun.kind);
        assert_true(whole.probability == begun.probability && whole.shift == begun.shift && whole.variance == begun.variance);
        assert_true(whole.is_over && whole.persistent); /* twenty of sixty rows: it goes on */
        assert_true(!begun.is_over && !begun.persistent);
        tcsi_frame_destroy(frame);
    }
    tcsi_free(anomaly);
}

/* Nothing before the episode: unknown.  Nothing happened: no kind is likely enough, or none that claims a size. */
static void test_what_cannot_be_told_is_not(void **state)
{
    (void)state;
    uint8_t *anomaly = TCSI_NEW_ZEROS(uint8_t, ROWS);
    tcsi_policy_result decision = { .anomaly = anomaly };
    size_t unclear = 0;
    tcsi_kind kind;
    for (size_t i = 0; i < 40; i++) {
        tcsi_frame *frame = make_frame(ROWS, 700 + i);
        const tcsi_subject subject = subject_of(frame, &decision);
        assert_ok(tcsi_kind_find(&subject, (tcsi_extent){ 0, LENGTH }, 1, PERIOD, NULL, 0, &kind, test_err));
        assert_true(kind.kind == TCSI_KIND_UNKNOWN && kind.probability == 0);
        assert_ok(tcsi_kind_find(&subject, (tcsi_extent){ ONSET, ONSET + LENGTH }, 1, PERIOD, NULL, 0, &kind, test_err));
        assert_int_not_equal(kind.likeliest, TCSI_KIND_CORRELATION); /* there is no other channel */
        assert_true((kind.kind == TCSI_KIND_UNCLEAR) == (kind.probability < TCSI_KIND_CONFIDENCE));
        unclear += kind.kind == TCSI_KIND_UNCLEAR;
        tcsi_frame_destroy(frame);
    }
    assert_true(unclear > 10);
    tcsi_free(anomaly);
}

static void test_what_stays_is_told_from_what_passes(void **state)
{
    (void)state;
    uint8_t *anomaly = TCSI_NEW_ZEROS(uint8_t, ROWS);
    tcsi_policy_result decision = { .anomaly = anomaly };
    tcsi_frame *frame = make_frame(ROWS, 300);
    const tcsi_subject subject = subject_of(frame, &decision);
    tcsi_kind kind;
    shift(frame, 1, ONSET, ROWS, 5);
    assert_ok(tcsi_kind_find(&subject, (tcsi_extent){ ONSET, ONSET + LENGTH }, 1, PERIOD, NULL, 0, &kind, test_err));
    assert_int_equal(kind.kind, TCSI_KIND_LEVEL_SHIFT);
    assert_true(kind.persistent);
    shift(frame, 1, ONSET + LENGTH, ROWS, -5); /* a blip */
    assert_ok(tcsi_kind_find(&subject, (tcsi_extent){ ONSET, ONSET + LENGTH }, 1, PERIOD, NULL, 0, &kind, test_err));
    assert_int_equal(kind.kind, TCSI_KIND_LEVEL_SHIFT);
    assert_true(kind.is_over && !kind.persistent);
    tcsi_frame_destroy(frame);
    tcsi_free(anomaly);
}

static void test_channels_that_part_are_seen(void **state)
{
    (void)state;
    static const size_t others[] = { 0 };
    uint8_t *anomaly = TCSI_NEW_ZEROS(uint8_t, ROWS);
    tcsi_policy_result decision = { .anomaly = anomaly };
    tcsi_frame *frame = make_frame(ROWS, 400);
    const tcsi_subject subject = subject_of(frame, &decision);
    tcsi_kind kind;
    tcsi_rng rng = tcsi_rng_make(4, 4);
    for (size_t t = 0; t < ROWS; t++) { /* noise that two channels share, until one of them goes alone */
        const double together = tcsi_rng_normal(&rng), alone = tcsi_rng_normal(&rng);
        tcsi_frame_column(frame, 0)[t] = together;
        tcsi_frame_column(frame, 1)[t] = t >= ONSET && t < ONSET + LENGTH ? alone : together + 0.1 * alone;
    }
    assert_ok(tcsi_kind_find(&subject, (tcsi_extent){ ONSET, ONSET + LENGTH }, 1, 0, others, 1, &kind, test_err));
    assert_int_equal(kind.kind, TCSI_KIND_CORRELATION);
    assert_int_equal(kind.partner, 0);
    tcsi_frame_destroy(frame);
    tcsi_free(anomaly);
}

/* The same twice, and something else between: the last is most like the first. */
static void test_the_like_is_found(void **state)
{
    (void)state;
    uint8_t *anomaly = TCSI_NEW_ZEROS(uint8_t, ROWS);
    tcsi_episode episodes[3] = { { .row_begin = 600, .row_end = 660 }, { .row_begin = 1200, .row_end = 1260 },
                                 { .row_begin = ONSET, .row_end = ONSET + LENGTH } };
    tcsi_policy_result decision = { .anomaly = anomaly, .episodes = episodes, .episode_count = 3 };
    tcsi_frame *frame = make_frame(ROWS, 500);
    const tcsi_subject subject = subject_of(frame, &decision);
    static const size_t channels[] = { 1 };
    static const double spreads[] = { 0.3 };
    const tcsi_similar_wish wish = { .episode = 2, .channels = channels, .spreads = spreads, .channel_count = 1 };
    tcsi_similar similar;
    plant(frame, TCSI_KIND_TREND, 600, 660);
    plant(frame, TCSI_KIND_VARIANCE, 1200, 1260);
    plant(frame, TCSI_KIND_TREND, ONSET, ONSET + LENGTH);
    for (size_t i = 0; i < 3; i++) memset(anomaly + episodes[i].row_begin, 1, LENGTH);
    assert_ok(tcsi_similar_find(&subject, &wish, &similar, test_err));
    assert_int_equal(similar.episode_count, 2);
    assert_int_equal(similar.episodes[0].episode, 0);
    assert_true(similar.episodes[0].shape < 0.5 * similar.episodes[1].shape);
    assert_true(similar.has_normal);
    assert_true(similar.unusual == 1);
    assert_true(similar.normal.raw > similar.episodes[0].raw);
    assert_true(similar.normal.rows.end <= ONSET);
    tcsi_frame_destroy(frame);
    tcsi_free(anomaly);
}

static void test_the_sentence_is_true(void **state)
{
    (void)state;
    tcsi_frame *frame = make_frame(ROWS, 600);
    frame->channels[0].unit = tcsi_strdup("bar");
    shift(frame, 0, ONSET, ROWS, -8);
    tcsi_detection *detection = detect(frame, "ewma", TCS_MODE_ONLINE);
    tcsi_explanation e = { .bands = NULL };
    assert_ok(tcsi_detection_explain_briefly(detection, planted_episode(detection), &e, test_err));
    print_message("# %s\n", e.sentence);
    assert_non_null(strstr(e.sentence, "pressure fell "));
    assert_non_null(strstr(e.sentence, " bar) below its expected band from 2026-01-06 06:0"));
    assert_non_null(strstr(e.sentence, "stayed so"));
    assert_non_null(strstr(e.sentence, "nothing like it in the 30 h before"));
    double percent = 0;
    assert_int_equal(sscanf(strstr(e.sentence, "fell "), "fell %lf %%", &percent), 1);
    assert_near(100 * fabs(e.stories[0].beyond) / e.stories[0].low, percent, 0.005);
    assert_true(percent > 20 && percent < 50); /* 8 of some 19, less the band */
    assert_true(e.stories[0].row_out >= ONSET && e.stories[0].row_out <= ONSET + 2);
    tcsi_explanation_deinit(&e);
    tcsi_detection_destroy(detection);
    tcsi_frame_destroy(frame);
}

/* ---- the rest ---- */

static void test_json_is_complete(void **state)
{
    (void)state;
    static const tcsi_explain_options options = { .with_counterfactual = true };
    static const char *const keys[] = { "schema", "sentence", "advice", "row_onset", "time_onset", "attribution", "channels", "similar",
                                        "counterfactual", "seconds" };
    tcsi_frame *frame = make_frame(ROWS, 41);
    shift(frame, 2, ONSET, ONSET + LENGTH, 5);
    tcsi_detection *detection = detect(frame, "ewma", TCS_MODE_ONLINE);
    tcsi_explanation e = explain(detection, planted_episode(detection), &options);
    const tcsi_subject subject = tcsi_detection_subject(detection);
    tcsi_buffer text;
    tcsi_json_writer writer;
    tcsi_arena arena;
    const tcsi_json_value *root;
    tcsi_buffer_init(&text, 1 << 24);
    tcsi_arena_init(&arena, (size_t)1 << 24);
    tcsi_json_writer_init(&writer, &text, true);
    tcsi_explanation_write_json(&writer, &subject, &e);
    assert_ok(tcsi_json_finish(&writer, test_err));
    assert_ok(tcsi_json_parse(text.data, text.size, &arena, &root, test_err));
    for (size_t i = 0; i < TCS_COUNT(keys); i++) assert_non_null(tcsi_json_get(root, keys[i]));
    assert_string_equal(tcsi_json_get(root, "schema")->text, "tocsin/explanation/1");
    const tcsi_json_value *channel = &tcsi_json_get(root, "channels")->items[0];
    assert_string_equal(tcsi_json_get(channel, "name")->text, "level");
    assert_int_equal(tcsi_json_get(channel, "shares")->item_count, tcsi_extent_count(e.rows));
    assert_int_equal(tcsi_json_get(tcsi_json_get(channel, "band"), "low")->item_count, tcsi_extent_count(e.view));
    tcsi_arena_deinit(&arena);
    tcsi_buffer_deinit(&text);
    tcsi_explanation_deinit(&e);
    tcsi_detection_destroy(detection);
    tcsi_frame_destroy(frame);
}

/* Nothing but missing values around, the first rows of a frame, constant channels, infinities: an answer, and no crash. */
static void test_nasty_rows_are_explained(void **state)
{
    (void)state;
    static const tcsi_explain_options options = { .with_counterfactual = true };
    tcsi_frame *frame = make_frame(400, 90);
    tcsi_detection *detection;
    for (size_t t = 0; t < 400; t++) {
        tcsi_frame_column(frame, 0)[t] = 7;
        tcsi_frame_column(frame, 1)[t] = t % 3 ? NAN : INFINITY;
        if (t > 200 && t < 220) tcsi_frame_column(frame, 2)[t] = t % 2 ? NAN : 1e140;
    }
    tcsi_frame_column(frame, 0)[210] = 8;
    const tcsi_detect_options detecting = { .mode = TCS_MODE_ONLINE, .detector = "ewma", .thread_count = 1, .keep = true };
    assert_ok(tcsi_detect(frame, &detecting, &detection, test_err));
    assert_true(detection->decision.episode_count > 0);
    detection->decision.episodes[0].row_begin = 0; /* an episode from the first row on */
    for (size_t i = 0; i < detection->decision.episode_count; i++) {
        tcsi_explanation e = explain(detection, i, &options);
        assert_true(e.sentence[0] != 0);
        tcsi_explanation_deinit(&e);
    }
    tcsi_detection_destroy(detection);
    tcsi_frame_destroy(frame);
}

/* More cells than there is room for: those around the peak are looked at, and nothing is tried. */
static void test_huge_episodes_are_looked_at_in_part(void **state)
{
    (void)state;
    enum { WIDE = 4000, SHORT = 700, PEAK = 500 };
    static const tcsi_explain_options options = { .with_counterfactual = true };
    tcsi_frame *frame;
    tcsi_rng rng = tcsi_rng_make(3, 3);
    double *row = TCSI_NEW_ARRAY(double, WIDE);
    assert_ok(tcsi_frame_create(WIDE, SHORT, true, false, &frame, test_err));
    for (size_t t = 0; t < SHORT; t++) {
        for (size_t c = 0; c < WIDE; c++) row[c] = tcsi_rng_normal(&rng) + (c == 1234 && t == PEAK ? 60 : 0);
        assert_ok(tcsi_frame_append(frame, row, (int64_t)t * 1000000000, 0, test_err));
    }
    tcsi_detection *detection = NULL;
    const tcsi_detect_options detecting = { .mode = TCS_MODE_ONLINE, .detector = "ewma", .train_row_count = 200, .thread_count = 1,
                                            .keep = true };
    assert_ok(tcsi_detect(frame, &detecting, &detection, test_err));
    assert_true(detection->decision.episode_count > 0);
    detection->decision.episodes[0] = (tcsi_episode){ .row_begin = 10, .row_end = SHORT, .row_peak = PEAK };
    tcsi_explanation e = explain(detection, 0, &options);
    assert_int_equal(e.rows.begin, 10);
    assert_int_equal(e.rows.end, SHORT);
    assert_true(tcsi_extent_count(e.seen) * WIDE <= TCSI_EXPLAIN_CELLS_MAX + WIDE && tcsi_extent_count(e.seen) < SHORT - 10);
    assert_true(e.seen.begin <= PEAK && e.seen.end > PEAK);
    assert_int_equal(e.counterfactual.outcome, TCSI_COUNTERFACTUAL_NOT_ASKED);
    check_attribution(&e.attribution);
    for (size_t c = 0; c < WIDE; c++) assert_true(e.attribution.channels[c] <= e.attribution.channels[1234]);
    tcsi_explanation_deinit(&e);
    tcsi_detection_destroy(detection);
    tcsi_frame_destroy(frame);
    tcsi_free(row);
}

/* A state of a stream, a slice, a whole frame; with parts, gradients, Shapley values. */
static void test_memory_that_runs_out_is_survived(void **state)
{
    (void)state;
    static const struct { const char *name; tcs_mode mode; } each[] = {
        { "ewma", TCS_MODE_ONLINE }, { "half_space_trees", TCS_MODE_ONLINE }, { "deep_svdd", TCS_MODE_OFFLINE },
        { "auto_classic", TCS_MODE_OFFLINE },
    };
    static const tcsi_explain_options options = { .with_counterfactual = true, .attribution = { .order_count = 1 } };
    static const tcsi_parameter_value few[] = { { "epochs", 2 } };
    for (size_t d = 0; d < TCS_COUNT(each); d++) {
        tcsi_frame *frame = make_frame(700, 21);
        shift(frame, 2, 500, 510, 9);
        tcsi_alloc_trace_begin();
        const tcsi_detect_options detecting = { .mode = each[d].mode, .detector = each[d].name, .train_row_count = 200, .thread_count = 1,
                                                .keep = true, .parameters = few, .parameter_count = strcmp(each[d].name, "deep_svdd") == 0,
                                                .budget = { .count = 20 } };
        tcsi_detection *detection;
        assert_ok(tcsi_detect(frame, &detecting, &detection, test_err));
        assert_true(detection->decision.episode_count > 0);
        const size_t live = tcsi_alloc_trace_stats().live_count, episode = 0;
        tcs_status status = TCS_E_MEMORY;
        for (size_t at = 1; status != TCS_OK && at < 10000000; at += at < 60 ? 1 : at / 6) {
            tcsi_explanation e;
            tcsi_alloc_trace_fail_at(at);
            status = tcsi_detection_explain(detection, &episode, 1, &options, &e, NULL);
            tcsi_alloc_trace_fail_at(0);
            if (status == TCS_OK) tcsi_explanation_deinit(&e);
            else assert_int_equal(status, TCS_E_MEMORY);
            assert_int_equal(tcsi_alloc_trace_stats().live_count, live);
        }
        assert_int_equal(status, TCS_OK);
        tcsi_detection_destroy(detection);
        assert_int_equal(tcsi_alloc_trace_stats().live_count, 0);
        tcsi_alloc_trace_end();
        tcsi_frame_destroy(frame);
    }
}

static void test_a_detector_that_is_gone_is_said(void **state)
{
    (void)state;
    static const tcsi_explain_options options = { .with_counterfactual = true };
    tcsi_frame *frame = make_frame(700, 22);
    shift(frame, 2, 500, 510, 6);
    const tcsi_detect_options detecting = { .mode = TCS_MODE_ONLINE, .detector = "ewma", .train_row_count = 200, .thread_count = 1 };
    tcsi_detection *detection;
    tcsi_explanation e;
    const size_t episode = 0;
    assert_ok(tcsi_detect(frame, &detecting, &detection, test_err));
    assert_int_equal(tcsi_detection_explain(detection, &episode, 1, &options, &e, NULL), TCS_E_INVALID);
    assert_ok(tcsi_detection_explain_briefly(detection, 0, &e, test_err));
    tcsi_explanation_deinit(&e);
    tcsi_detection_destroy(detection);
    tcsi_frame_destroy(frame);
}

/* ---- bands ---- */

/* How far the coverage of 500 rows is from 99 % on average, of a channel that moves slowly. */
static void test_bands_follow_the_spread(void **state)
{
    (void)state;
    enum { N = 16000, BEGIN = 1000, PIECE = 500 };
    static double values[N], expected[N], low[N], high[N], plain_low[N], plain_high[N];
    tcsi_rng rng = tcsi_rng_make(21, 0);
    double level = 0, gaps[2] = { 0, 0 };
    for (size_t t = 0; t < N; t++) values[t] = level = 0.99 * level + tcsi_rng_normal(&rng);
    for (size_t t = 5000; t < 5040; t++) values[t] = NAN;
    assert_ok(tcsi_expect(values, N, 0, expected, low, high, NULL, test_err));
    memcpy(plain_low, low, sizeof low);
    memcpy(plain_high, high, sizeof high);
    assert_ok(tcsi_band_adapt(values, N, BEGIN, expected, low, high, test_err));
    assert_memory_equal(plain_low, low, BEGIN * sizeof *low);
    for (size_t begin = BEGIN; begin < N; begin += PIECE) {
        double held[2] = { 0, 0 }, present = 0;
        for (size_t t = begin; t < begin + PIECE; t++) {
            assert_true(isfinite(low[t]) && low[t] <= expected[t] && expected[t] <= high[t]);
            if (isnan(values[t])) continue;
            present++;
            held[0] += values[t] >= plain_low[t] && values[t] <= plain_high[t];
            held[1] += values[t] >= low[t] && values[t] <= high[t];
        }
        for (int k = 0; k < 2; k++) gaps[k] += fabs(held[k] / present - 0.99) * PIECE / (N - BEGIN);
    }
    print_message("# 500 rows are %.4f from 99 %%, and %.4f followed\n", gaps[0], gaps[1]);
    assert_true(gaps[1] < 0.006 && gaps[1] < 0.6 * gaps[0]);
    for (size_t t = 0; t < N; t++) values[t] = expected[t] = low[t] = high[t] = 3; /* no width: stays so */
    assert_ok(tcsi_band_adapt(values, N, 0, expected, low, high, test_err));
    for (size_t t = 0; t < N; t++) assert_true(low[t] == 3 && high[t] == 3);
}

TCS_TEST_MAIN(cmocka_unit_test(test_bands_follow_the_spread), cmocka_unit_test(test_shapley_values_are_right),
              cmocka_unit_test(test_shapley_errors_are_honest),
              cmocka_unit_test(test_planted_causes_are_found), cmocka_unit_test(test_sources_agree_with_shapley),
              cmocka_unit_test(test_constant_shifts_change_nothing), cmocka_unit_test(test_attribute_changes_nothing),
              cmocka_unit_test(test_counterfactuals_do_not_alarm),
              cmocka_unit_test(test_counterfactuals_respect_ranges), cmocka_unit_test(test_episodes_are_explained_together),
              cmocka_unit_test(test_events_do_not_bend_what_is_expected), cmocka_unit_test(test_kinds_are_told_apart),
              cmocka_unit_test(test_what_stays_is_told_from_what_passes),
              cmocka_unit_test(test_channels_that_part_are_seen), cmocka_unit_test(test_the_like_is_found),
              cmocka_unit_test(test_the_sentence_is_true), cmocka_unit_test(test_json_is_complete),
              cmocka_unit_test(test_kinds_are_known_before_episodes_are_over),
              cmocka_unit_test(test_what_cannot_be_told_is_not), cmocka_unit_test(test_nasty_rows_are_explained),
              cmocka_unit_test(test_huge_episodes_are_looked_at_in_part),
              cmocka_unit_test(test_memory_that_runs_out_is_survived),
              cmocka_unit_test(test_a_detector_that_is_gone_is_said))
