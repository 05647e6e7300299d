/* detect/contract_test.c -- the promises of detector.h, checked on every registered detector at its defaults.
 *
 * One table of promises times one table of detectors: each pair is a case of its own ("welford: batch equals pushing"),
 * so that a new row in registry.def is tested without a line here.  The series are generated, small, and nasty on purpose:
 * noise, season, gaps, constants, zeros, 1e-200, 1e150, one row, two rows, nothing but NaN, infinities, an offset
 * of 1e9.  Each is tried with one channel and with three (per_channel wraps detectors that look at one).  Detectors
 * that can be fitted run both fitted and, unless they must be trained, unfitted.
 *
 * Detectors that learn from fleets run all of it again after they did, with facts and with series in the fleet that nothing can be
 * learned from.
 *
 * Every series is labelled, about its spikes, for detectors that learn from labels; no other, and no score, may depend on them.
 *
 * A nasty series may be refused, but only with a status and a sentence; noise and season must be scored.
 * Detectors that train for epochs do so for two: the promises do not depend on how much was learned.
 * SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "detect/registry.h"

/* ---- series ---- */

typedef enum series_kind {
    SERIES_NOISE, SERIES_SEASON, SERIES_OFFSET, SERIES_GAPS, SERIES_CONSTANT, SERIES_ZERO, SERIES_TINY, SERIES_HUGE,
    SERIES_INFINITE, SERIES_MISSING, SERIES_TWO_ROWS, SERIES_ONE_ROW, SERIES_COUNT
} series_kind;

static const char *const series_names[] = { "noise", "season", "offset 1e9", "gaps", "constant", "zero", "tiny 1e-200", "huge 1e150",
                                            "infinities", "all missing", "two rows", "one row" };

enum { ROWS_LONG = 480, ROWS_SHORT = 240, ROWS_FAULT = 160, PERIOD = 24, CHANNELS_MANY = 3, FACT_COUNT = 2 };

/* These must be scored; the others may be refused with a clear error. */
static bool series_is_ordinary(series_kind kind)
{
    return kind <= SERIES_GAPS;
}

static double series_value(series_kind kind, size_t t, size_t c, tcsi_rng *rng)
{
    double noise = tcsi_rng_normal(rng), wave = 3.0 * sin(6.283185307179586 * (double)t / PERIOD + (double)c);
    double spike = t == 333 || t == 77 ? 20.0 : 0.0;
    switch (kind) {
    case SERIES_SEASON: return wave + 0.3 * noise + spike;
    case SERIES_OFFSET: return 1e9 + wave + 0.3 * noise + spike;
    case SERIES_GAPS: return t % 53 == 17 || (t > 100 && t < 110) || (t + c) % 31 == 5 ? NAN : wave + 0.3 * noise + spike;
    case SERIES_CONSTANT: return 7.25;
    case SERIES_ZERO: return 0.0;
    case SERIES_TINY: return 1e-200 * (noise + spike);
    case SERIES_HUGE: return 1e150 * (2.0 * tcsi_rng_uniform(rng) - 1.0);
    case SERIES_INFINITE: {
        static const double nasty[] = { INFINITY, -INFINITY, NAN, 1e308, -1e308, 5e-324, 1e150, -0.0 };
        return t % 7 == 3 ? nasty[(t / 7) % TCS_COUNT(nasty)] : noise;
    }
    case SERIES_MISSING: return NAN;
    default: return noise + spike;
    }
}

static size_t series_row_count(series_kind kind)
{
    return kind == SERIES_ONE_ROW ? 1 : kind == SERIES_TWO_ROWS ? 2 : series_is_ordinary(kind) ? ROWS_LONG : ROWS_SHORT;
}

/* The spikes and what is near them. */
static uint8_t series_label(size_t t)
{
    return (t >= 73 && t < 81) || (t >= 329 && t < 337);
}

/* Noise has no times; the others one row a minute, with a pause of an hour in the series with gaps. */
static tcsi_frame *make_series(series_kind kind, size_t channel_count, size_t row_count)
{
    tcsi_frame *frame;
    double row[CHANNELS_MANY];
    tcsi_rng rng = tcsi_rng_make(20261123, kind);
    assert_ok(tcsi_frame_create(channel_count, row_count, kind != SERIES_NOISE, true, &frame, test_err));
    for (size_t t = 0; t < row_count; t++) {
        int64_t minutes = (int64_t)t + (kind == SERIES_GAPS && t > 200 ? 60 : 0);
        for (size_t c = 0; c < channel_count; c++) row[c] = series_value(kind, t, c, &rng);
        assert_ok(tcsi_frame_append(frame, row, 1700000000000000000 + minutes * 60000000000, series_label(t), test_err));
    }
    return frame;
}

/* ---- an allocator that refuses more than a plain amount: a damaged or extreme size must end in a clear error ---- */

enum { GUARD_HEADER_SIZE = 16 };
static const size_t guard_size_max = (size_t)48 << 20;
static size_t guard_size;

static void *guard_reallocate(void *context, void *block, size_t size)
{
    (void)context;
    size_t old_size = 0;
    char *base = block ? (char *)block - GUARD_HEADER_SIZE : NULL;
    if (base) memcpy(&old_size, base, sizeof old_size);
    if (size > guard_size_max || guard_size - old_size + size > guard_size_max) return NULL;
    char *result = realloc(base, size + GUARD_HEADER_SIZE);
    if (!result) return NULL;
    guard_size += size - old_size;
    memcpy(result, &size, sizeof size);
    return result + GUARD_HEADER_SIZE;
}

static void *guard_allocate(void *context, size_t size)
{
    return guard_reallocate(context, NULL, size);
}

static void guard_release(void *context, void *block)
{
    (void)context;
    if (!block) return;
    size_t size;
    char *base = (char *)block - GUARD_HEADER_SIZE;
    memcpy(&size, base, sizeof size);
    guard_size -= size;
    free(base);
}

static const tcsi_allocator guard = { guard_allocate, guard_reallocate, guard_release, NULL };

/* ---- instances and scores ---- */

typedef struct contract_trial {
    const tcsi_detector_info *info;
    series_kind kind;
    size_t channel_count;
    bool fitted;
    const tcsi_fleet *fleet; /* that was learned from before; NULL: none */
    tcsi_frame *frame;
    tcsi_frame train; /* view: the first half */
} contract_trial;

static bool is_streaming(const contract_trial *trial)
{
    return trial->info->traits & TCSI_TRAIT_STREAMING;
}

static bool same_bits(const tcs_score *a, const tcs_score *b)
{
    return a->state == b->state && memcmp(&a->value, &b->value, sizeof a->value) == 0
        && memcmp(&a->p_value, &b->p_value, sizeof a->p_value) == 0
        && memcmp(&a->uncertainty, &b->uncertainty, sizeof a->uncertainty) == 0
        && memcmp(&a->noise, &b->noise, sizeof a->noise) == 0
        && memcmp(&a->evidence, &b->evidence, sizeof a->evidence) == 0;
}

static const char *words_of(const contract_trial *trial)
{
    return trial->fleet ? trial->fitted ? "adapted from a fleet" : "taught by a fleet" : trial->fitted ? "fitted" : "not fitted";
}

static void assert_same_scores(const contract_trial *trial, const tcs_score *expected, const tcs_score *actual, size_t begin, size_t end,
                               const char *what)
{
    for (size_t t = begin; t < end; t++) {
        if (same_bits(&expected[t], &actual[t])) continue;
        fail_msg("%s, %s, %zu channels, %s: %s: row %zu is state %d value %.17g, expected state %d value %.17g", trial->info->name,
                 series_names[trial->kind], trial->channel_count, words_of(trial), what, t, actual[t].state,
                 actual[t].value, expected[t].state, expected[t].value);
    }
}

/* A refusal needs a sentence, and is allowed for nasty series only. */
static bool accepted(const contract_trial *trial, tcs_status status, const tcs_error *err, const char *what)
{
    if (status == TCS_OK) return true;
    if (series_is_ordinary(trial->kind) || strlen(err->text) < 10 || err->status != status)
        fail_msg("%s, %s, %zu channels: %s failed: %s (%s)", trial->info->name, series_names[trial->kind], trial->channel_count, what,
                 tcsi_status_name(status), err->text);
    return false;
}

static tcsi_detector_setup setup_of(const contract_trial *trial, uint64_t seed, tcsi_pool *pool)
{
    static const tcsi_parameter_value brief[] = { { "epochs", 2 }, { "facts", FACT_COUNT } };
    size_t has_epochs = 0;
    for (size_t i = 0; i < trial->info->parameter_count; i++) has_epochs |= strcmp(trial->info->parameters[i].name, brief[0].name) == 0;
    return (tcsi_detector_setup){ .channel_count = trial->channel_count, .seed = seed, .pool = pool,
                                  .parameters = trial->fleet ? brief + 1 - has_epochs : brief,
                                  .parameter_count = has_epochs + (trial->fleet != NULL) };
}

static tcsi_detector *create(const contract_trial *trial, uint64_t seed, tcsi_pool *pool)
{
    tcsi_detector *detector;
    tcsi_detector_setup setup = setup_of(trial, seed, pool);
    assert_ok(tcsi_detector_create(trial->info, &setup, &detector, test_err));
    return detector;
}

/* Created and, when the trial says so, fitted; NULL when the training rows were refused. */
static tcsi_detector *prepare(const contract_trial *trial, uint64_t seed, tcsi_pool *pool)
{
    tcs_error err = { 0 };
    tcsi_detector *detector = create(trial, seed, pool);
    if (trial->fleet) {
        const double facts[FACT_COUNT] = { 4, NAN };
        assert_ok(tcsi_detector_fit_fleet(detector, trial->fleet, test_err));
        assert_ok(tcsi_detector_describe(detector, facts, FACT_COUNT, test_err));
    }
    if (!trial->fitted || accepted(trial, tcsi_detector_fit(detector, &trial->train, &err), &err, "fit")) return detector;
    tcsi_detector_destroy(detector);
    return NULL;
}

/* The scores of the trial's frame in a new array, NULL when the series was refused. */
static tcs_score *score_with(const contract_trial *trial, tcsi_detector *detector, const tcsi_frame *frame)
{
    tcs_error err = { 0 };
    tcs_score *scores = TCSI_NEW_ARRAY(tcs_score, frame->row_count);
    assert_non_null(scores);
    if (accepted(trial, tcsi_detector_score(detector, frame, scores, &err), &err, "score")) return scores;
    tcsi_free(scores);
    return NULL;
}

static tcs_score *score_new(const contract_trial *trial, const tcsi_frame *frame, uint64_t seed, tcsi_pool *pool)
{
    tcsi_detector *detector = prepare(trial, seed, pool);
    tcs_score *scores = detector ? score_with(trial, detector, frame) : NULL;
    tcsi_detector_destroy(detector);
    return scores;
}

static void push_rows(tcsi_detector *detector, const tcsi_frame *frame, size_t begin, size_t end, tcs_score *ret_scores)
{
    double values[CHANNELS_MANY];
    for (size_t t = begin; t < end; t++) {
        tcsi_row row = { .sequence = t, .time_ns = frame->times_ns ? frame->times_ns[t] : 0, .values = values };
        tcsi_frame_row(frame, t, values);
        tcsi_detector_push(detector, &row, &ret_scores[t]);
    }
}

enum { KINDS_ALL = (1 << SERIES_COUNT) - 1, KINDS_MAIN = 1 << SERIES_SEASON | 1 << SERIES_GAPS,
       KINDS_SMALL = 1 << SERIES_GAPS | 1 << SERIES_INFINITE | 1 << SERIES_ONE_ROW };

/* Two ordinary series, and three that teach little or nothing; of each two facts, some of them unknown. */
static const series_kind fleet_kinds[] = { SERIES_TWO_ROWS, SERIES_SEASON, SERIES_CONSTANT, SERIES_GAPS, SERIES_MISSING };
enum { FLEET_SIZE = TCS_COUNT(fleet_kinds) };

static void make_fleet(size_t channel_count, tcsi_frame **ret_frames, tcsi_fleet *ret_fleet)
{
    static const double facts[FLEET_SIZE][FACT_COUNT] = { { 1, 0 }, { 2, 1 }, { NAN, 0 }, { 4, NAN }, { INFINITY, 1e300 } };
    for (size_t s = 0; s < FLEET_SIZE; s++) ret_frames[s] = make_series(fleet_kinds[s], channel_count, series_row_count(fleet_kinds[s]));
    *ret_fleet = (tcsi_fleet){ .series = (const tcsi_frame *const *)ret_frames, .series_count = FLEET_SIZE, .facts = facts[0],
                               .fact_count = FACT_COUNT };
}

static void end_fleet(tcsi_frame **frames)
{
    for (size_t s = 0; s < FLEET_SIZE; s++) tcsi_frame_destroy(frames[s]);
}

/* Not fitted, where that is allowed, and fitted. */
static void try_both(contract_trial *trial, void (*check)(const contract_trial *trial))
{
    const bool trained = trial->info->traits & TCSI_TRAIT_TRAINED;
    for (int fitted = trained ? 1 : 0; fitted <= (trained || trial->info->ops->fit ? 1 : 0); fitted++) {
        trial->fitted = fitted;
        check(trial);
    }
}

/* Runs check on every series in kinds (a bit per kind), with one and three channels, fitted and not, and on some after a fleet. */
static void for_trials(const tcsi_detector_info *info, unsigned kinds, void (*check)(const contract_trial *trial))
{
    for (series_kind kind = 0; kind < SERIES_COUNT; kind++) {
        if (!(kinds >> kind & 1u) || (test_is_small() && !(KINDS_SMALL >> kind & 1u))) continue;
        for (size_t channel_count = 1; channel_count <= CHANNELS_MANY; channel_count += CHANNELS_MANY - 1) {
            size_t row_count = series_row_count(kind);
            tcsi_frame *frame = make_series(kind, channel_count, row_count);
            contract_trial trial = { .info = info, .kind = kind, .channel_count = channel_count, .frame = frame,
                            .train = tcsi_frame_view(frame, 0, (row_count + 1) / 2) };
            try_both(&trial, check);
            if (info->traits & TCSI_TRAIT_FLEET && KINDS_MAIN >> kind & 1u) {
                tcsi_frame *frames[FLEET_SIZE];
                tcsi_fleet fleet;
                make_fleet(channel_count, frames, &fleet);
                trial.fleet = &fleet;
                try_both(&trial, check);
                end_fleet(frames);
            }
            tcsi_frame_destroy(frame);
        }
    }
}

/* ---- the promises ---- */

static void test_describes_itself(void **state)
{
    const tcsi_detector_info *info = *state;
    bool streaming = info->traits & TCSI_TRAIT_STREAMING;
    assert_true(strlen(info->name) > 0 && strlen(info->name) < 32);
    assert_true(strlen(info->title) > 5 && strlen(info->paper) > 20 && strlen(info->summary) > 40);
    assert_true(info->traits & (TCSI_TRAIT_STREAMING | TCSI_TRAIT_OFFLINE));
    assert_true(info->ops->size_max && (info->ops->persist || !(streaming || info->ops->fit)));
    assert_true(streaming ? info->ops->push && info->ops->reset : info->ops->score != NULL);
    assert_true(!(info->traits & TCSI_TRAIT_TRAINED) || info->ops->fit);
    assert_true(!(info->traits & TCSI_TRAIT_FLEET) || (info->ops->fit && info->ops->fit_fleet && info->ops->describe));
    assert_true(!(info->traits & TCSI_TRAIT_FORECAST) || (streaming && info->ops->forecast));
    assert_ptr_equal(info, tcsi_registry_find(info->name));
    for (size_t i = 0; i < info->parameter_count; i++) {
        const tcsi_parameter *parameter = &info->parameters[i];
        assert_true(strlen(parameter->name) > 0 && strlen(parameter->help) > 5);
        assert_true(parameter->value_min <= parameter->value_default && parameter->value_default <= parameter->value_max);
        assert_true(isfinite(parameter->value_min) && isfinite(parameter->value_max));
        assert_true(info->options_offset + parameter->offset < info->instance_size);
    }
}

static bool row_has(const tcsi_frame *frame, size_t t, bool usable)
{
    for (size_t c = 0; c < frame->channel_count; c++)
        if (tcsi_value_ok(tcsi_frame_column(frame, c)[t]) == usable) return true;
    return false;
}

static void check_outcomes(const contract_trial *trial)
{
    tcs_score *scores = score_new(trial, trial->frame, 1, NULL);
    size_t ready_count = 0;
    if (!scores) return;
    for (size_t t = 0; t < trial->frame->row_count; t++) {
        const tcs_score *score = &scores[t];
        bool missing = !row_has(trial->frame, t, true), complete = !row_has(trial->frame, t, false);
        bool ready = score->state == TCS_SCORE_READY, said_missing = score->state == TCS_SCORE_MISSING;
        bool fine = ready ? isfinite(score->value) && isfinite(score->uncertainty) && score->uncertainty >= 0 &&
                                isfinite(score->noise) && score->noise >= 0
                          : score->value == 0 && (said_missing || score->state == TCS_SCORE_WARMUP);
        fine = fine && (ready && trial->info->traits & TCSI_TRAIT_EVIDENCE ? isfinite(score->evidence) : score->evidence == 0);
        if (!fine || score->p_value != 0 || (missing && !said_missing) || (complete && said_missing))
            fail_msg("%s, %s, %zu channels: row %zu (%s) has state %d, value %g, uncertainty %g, p %g", trial->info->name,
                     series_names[trial->kind], trial->channel_count, t, missing ? "missing" : complete ? "complete" : "in part missing",
                     score->state, score->value, (double)score->uncertainty, score->p_value);
        ready_count += score->state == TCS_SCORE_READY;
    }
    if (series_is_ordinary(trial->kind) && ready_count == 0)
        fail_msg("%s, %s, %zu channels: no row of %zu was scored", trial->info->name, series_names[trial->kind], trial->channel_count,
                 trial->frame->row_count);
    tcsi_free(scores);
}

static void test_outcomes(void **state)
{
    for_trials(*state, KINDS_ALL, check_outcomes);
}

static void check_deterministic(const contract_trial *trial)
{
    bool found_difference = false, random = trial->info->traits & TCSI_TRAIT_RANDOM;
    size_t row_count = trial->frame->row_count;
    tcs_score *first = score_new(trial, trial->frame, 1, NULL);
    tcs_score *second = score_new(trial, trial->frame, 1, NULL);
    tcs_score *other_seed = score_new(trial, trial->frame, 2, NULL);
    assert_true(!first == !second && !first == !other_seed);
    if (first) {
        assert_same_scores(trial, first, second, 0, row_count, "the same seed");
        if (!random) assert_same_scores(trial, first, other_seed, 0, row_count, "another seed, but no RANDOM trait");
        for (size_t t = 0; t < row_count; t++) found_difference |= !same_bits(&first[t], &other_seed[t]);
        if (random && series_is_ordinary(trial->kind) && !found_difference)
            fail_msg("%s, %s: two seeds gave the same scores", trial->info->name, series_names[trial->kind]);
    }
    tcsi_free(first);
    tcsi_free(second);
    tcsi_free(other_seed);
}

static void test_deterministic(void **state)
{
    for_trials(*state, KINDS_MAIN | 1 << SERIES_NOISE | 1 << SERIES_HUGE, check_deterministic);
}

/* Fitting anew forgets the old fit, and scoring twice gives the same scores twice. */
static void check_repeatable(const contract_trial *trial)
{
    tcs_error err = { 0 };
    tcs_score *expected = score_new(trial, trial->frame, 1, NULL);
    tcsi_detector *detector = prepare(trial, 1, NULL);
    if (expected && detector) {
        tcs_score *again = NULL, *once = score_with(trial, detector, trial->frame);
        if (trial->fitted) {
            tcsi_frame other = tcsi_frame_view(trial->frame, trial->frame->row_count / 4, trial->frame->row_count / 2);
            assert_true(accepted(trial, tcsi_detector_fit(detector, &other, &err), &err, "fit to other rows"));
            assert_true(accepted(trial, tcsi_detector_fit(detector, &trial->train, &err), &err, "second fit"));
        }
        again = score_with(trial, detector, trial->frame);
        assert_true(once && again);
        assert_same_scores(trial, expected, again, 0, trial->frame->row_count, "fitted and scored again");
        tcsi_free(once);
        tcsi_free(again);
    }
    tcsi_detector_destroy(detector);
    tcsi_free(expected);
}

static void test_repeatable(void **state)
{
    for_trials(*state, KINDS_MAIN, check_repeatable);
}

static void check_threads(const contract_trial *trial)
{
    tcs_score *alone = score_new(trial, trial->frame, 1, NULL);
    for (size_t thread_count = 1; thread_count <= 4; thread_count += 3) {
        tcsi_pool *pool;
        assert_ok(tcsi_pool_create(thread_count, &pool, test_err));
        tcs_score *threaded = score_new(trial, trial->frame, 1, pool);
        assert_true(!alone == !threaded);
        if (alone) assert_same_scores(trial, alone, threaded, 0, trial->frame->row_count, thread_count == 1 ? "1 thread" : "4 threads");
        tcsi_free(threaded);
        tcsi_pool_destroy(pool);
    }
    tcsi_free(alone);
}

static void test_threads(void **state)
{
    for_trials(*state, KINDS_MAIN, check_threads);
}

/* The labels of a frame that is scored change nothing; nor do those of the training rows, but for who says so. */
static void check_labels(const contract_trial *trial)
{
    contract_trial unlabelled = *trial;
    tcsi_frame bare = *trial->frame;
    bare.labels = NULL;
    unlabelled.frame = &bare;
    if (!(trial->info->traits & TCSI_TRAIT_LABELS)) unlabelled.train.labels = NULL;
    tcs_score *expected = score_new(trial, trial->frame, 1, NULL), *actual = score_new(&unlabelled, &bare, 1, NULL);
    assert_true(!expected == !actual);
    if (expected) assert_same_scores(trial, expected, actual, 0, trial->frame->row_count, "labels were taken away");
    tcsi_free(expected);
    tcsi_free(actual);
}

static void test_labels(void **state)
{
    for_trials(*state, KINDS_MAIN, check_labels);
}

static void check_batch_equals_push(const contract_trial *trial)
{
    tcsi_detector *detector = prepare(trial, 1, NULL);
    tcs_score *batch = detector && is_streaming(trial) ? score_with(trial, detector, trial->frame) : NULL;
    if (batch) {
        tcs_score *pushed = TCSI_NEW_ARRAY(tcs_score, trial->frame->row_count);
        tcsi_detector_reset(detector);
        push_rows(detector, trial->frame, 0, trial->frame->row_count, pushed);
        assert_same_scores(trial, batch, pushed, 0, trial->frame->row_count, "pushed row by row");
        tcsi_free(pushed);
    }
    tcsi_free(batch);
    tcsi_detector_destroy(detector);
}

static void test_batch_equals_push(void **state)
{
    for_trials(*state, KINDS_ALL, check_batch_equals_push);
}

static void check_causal(const contract_trial *trial)
{
    tcs_score *before = is_streaming(trial) ? score_new(trial, trial->frame, 1, NULL) : NULL;
    size_t row_count = trial->frame->row_count, change_rows[] = { row_count / 2, row_count - 1 };
    for (size_t i = 0; before && i < TCS_COUNT(change_rows); i++) {
        tcsi_frame *changed = make_series(trial->kind, trial->channel_count, row_count);
        for (size_t c = 0; c < trial->channel_count; c++)
            for (size_t t = change_rows[i]; t < row_count; t++) tcsi_frame_column(changed, c)[t] = t % 5 ? -1e4 * (double)t : NAN;
        tcs_score *after = score_new(trial, changed, 1, NULL);
        assert_non_null(after);
        assert_same_scores(trial, before, after, 0, change_rows[i], "later rows were changed");
        tcsi_free(after);
        tcsi_frame_destroy(changed);
    }
    tcsi_free(before);
}

static void test_causal(void **state)
{
    for_trials(*state, KINDS_MAIN, check_causal);
}

static tcsi_detector *save_and_load(tcsi_detector *detector)
{
    tcsi_buffer saved, again;
    tcsi_detector *loaded;
    tcsi_buffer_init(&saved, (size_t)1 << 30);
    tcsi_buffer_init(&again, (size_t)1 << 30);
    assert_ok(tcsi_detector_save(detector, &saved, test_err));
    assert_ok(tcsi_detector_load(saved.data, saved.size, NULL, &loaded, test_err));
    assert_ok(tcsi_detector_save(loaded, &again, test_err));
    assert_int_equal(saved.size, again.size);
    assert_memory_equal(saved.data, again.data, saved.size);
    tcsi_buffer_deinit(&saved);
    tcsi_buffer_deinit(&again);
    return loaded;
}

/* Streaming: saved after k rows, the copy continues as the original does.  Otherwise: saved after fit, the copy scores
 * as the original does. */
static void check_save_continues(const contract_trial *trial)
{
    size_t row_count = trial->frame->row_count;
    size_t save_rows[] = { 0, 1, 40, row_count / 3, row_count / 2, row_count - 1 };
    tcsi_detector *original = prepare(trial, 1, NULL);
    tcs_score *expected = original ? score_with(trial, original, trial->frame) : NULL;
    tcs_score *actual = TCSI_NEW_ARRAY(tcs_score, row_count);
    for (size_t i = 0; expected && i < TCS_COUNT(save_rows); i++) {
        if (is_streaming(trial)) {
            tcsi_detector_reset(original);
            push_rows(original, trial->frame, 0, save_rows[i], actual);
        } else if (i > 0) break;
        tcsi_detector *loaded = save_and_load(original);
        if (is_streaming(trial)) {
            push_rows(loaded, trial->frame, save_rows[i], row_count, actual);
            assert_same_scores(trial, expected, actual, save_rows[i], row_count, "loaded in the middle");
            tcsi_detector_reset(loaded);
        }
        tcs_score *anew = score_with(trial, loaded, trial->frame);
        assert_same_scores(trial, expected, anew, 0, row_count, "loaded, from the beginning");
        tcsi_free(anew);
        tcsi_detector_destroy(loaded);
    }
    tcsi_detector_destroy(original);
    tcsi_free(expected);
    tcsi_free(actual);
}

static void test_save_continues(void **state)
{
    for_trials(*state, KINDS_MAIN, check_save_continues);
}

/* A load that succeeds must leave a detector that can be used: looked at, pushed to and saved. */
static tcs_status try_load(const contract_trial *trial, const void *bytes, size_t size)
{
    tcs_error err = { 0 };
    tcsi_detector *loaded;
    tcs_score scores[ROWS_FAULT];
    tcsi_frame some = tcsi_frame_view(trial->frame, 0, 24);
    tcs_status status = tcsi_detector_load(bytes, size, NULL, &loaded, &err);
    if (status != TCS_OK) {
        assert_true(strlen(err.text) >= 10);
        return status;
    }
    bool usable = loaded->is_fitted || !(loaded->info->traits & TCSI_TRAIT_TRAINED);
    if (loaded->channel_count == trial->channel_count && usable) {
        if (is_streaming(trial) && (loaded->info->traits & TCSI_TRAIT_STREAMING)) push_rows(loaded, trial->frame, 0, 24, scores);
        else (void)!tcsi_detector_score(loaded, &some, scores, &err);
    }
    tcsi_detector_destroy(loaded);
    return TCS_OK;
}

/* FNV-1a as in detector.c: makes a damaged state look sound, so that the detector's own checks are reached. */
static void reseal(unsigned char *bytes, size_t size)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i + 8 < size; i++) hash = (hash ^ bytes[i]) * 0x100000001b3u;
    for (size_t i = 0; i < 8; i++) bytes[size - 8 + i] = (unsigned char)(hash >> (8 * i));
}

/* Large states, all arrays of one kind, get fewer tries each. */
enum { DAMAGE_COUNT = 400, DAMAGE_COUNT_LARGE = 80, LARGE_SIZE = 65536 };

static void check_damaged_refused(const contract_trial *trial)
{
    tcsi_rng rng = tcsi_rng_make(7, trial->channel_count);
    tcsi_buffer saved;
    tcs_score scores[ROWS_LONG];
    tcsi_detector *original = prepare(trial, 1, NULL);
    tcsi_buffer_init(&saved, (size_t)1 << 30);
    if (is_streaming(trial)) push_rows(original, trial->frame, 0, trial->frame->row_count, scores);
    assert_ok(tcsi_detector_save(original, &saved, test_err));
    assert_int_equal(TCS_OK, try_load(trial, saved.data, saved.size));
    size_t damage_count = saved.size > LARGE_SIZE ? DAMAGE_COUNT_LARGE : DAMAGE_COUNT;
    for (size_t i = 0; i < damage_count / 4; i++) {
        size_t size = i < 24 ? i : tcsi_rng_below(&rng, saved.size);
        assert_int_not_equal(TCS_OK, try_load(trial, saved.data, size));
    }
    for (size_t i = 0; i < damage_count; i++) { /* half of them near the front, where counts and options stand */
        size_t at = tcsi_rng_below(&rng, i % 2 && saved.size > 256 ? 256 : saved.size);
        char kept = saved.data[at];
        unsigned char seal[8];
        memcpy(seal, saved.data + saved.size - 8, sizeof seal);
        saved.data[at] = (char)(kept ^ (1 << tcsi_rng_below(&rng, 8)));
        assert_int_not_equal(TCS_OK, try_load(trial, saved.data, saved.size));
        reseal((unsigned char *)saved.data, saved.size);
        (void)try_load(trial, saved.data, saved.size);
        saved.data[at] = kept;
        memcpy(saved.data + saved.size - 8, seal, sizeof seal);
    }
    tcsi_buffer_deinit(&saved);
    tcsi_detector_destroy(original);
}

static void test_damaged_refused(void **state)
{
    guard_size = 0;
    tcsi_allocator_set(&guard);
    for_trials(*state, 1 << SERIES_SEASON, check_damaged_refused);
    tcsi_allocator_set(NULL);
    assert_int_equal(0, guard_size);
}

/* Loaded under the counting allocator, so that what fitting needed for a while does not count. */
static void check_memory(const contract_trial *trial)
{
    tcsi_buffer saved;
    tcs_score scores[ROWS_LONG];
    tcs_error err = { 0 };
    tcsi_detector *detector = prepare(trial, 1, NULL);
    if (!detector) return;
    tcsi_buffer_init(&saved, (size_t)1 << 30);
    assert_ok(tcsi_detector_save(detector, &saved, test_err));
    tcsi_detector_destroy(detector);

    tcsi_alloc_trace_begin();
    assert_ok(tcsi_detector_load(saved.data, saved.size, NULL, &detector, test_err));
    size_t size_max = tcsi_detector_size_max(detector, 0), held = tcsi_alloc_trace_stats().live_size;
    if (held > size_max)
        fail_msg("%s, %zu channels: holds %zu bytes, declared %zu", trial->info->name, trial->channel_count, held, size_max);
    if (is_streaming(trial)) {
        size_t count = tcsi_alloc_trace_stats().total_count;
        tcsi_detector_reset(detector);
        push_rows(detector, trial->frame, 0, trial->frame->row_count, scores);
        if (tcsi_alloc_trace_stats().total_count != count)
            fail_msg("%s, %s: pushing %zu rows made %zu allocations", trial->info->name, series_names[trial->kind], trial->frame->row_count,
                     tcsi_alloc_trace_stats().total_count - count);
    }
    (void)accepted(trial, tcsi_detector_score(detector, trial->frame, scores, &err), &err, "score");
    size_max = tcsi_detector_size_max(detector, trial->frame->row_count);
    held = tcsi_alloc_trace_stats().peak_size;
    if (held > size_max)
        fail_msg("%s, %s, %zu channels, %zu rows: held %zu bytes while scoring, declared %zu", trial->info->name, series_names[trial->kind],
                 trial->channel_count, trial->frame->row_count, held, size_max);
    tcsi_detector_destroy(detector);
    assert_int_equal(0, tcsi_alloc_trace_stats().live_count);
    tcsi_alloc_trace_end();
    tcsi_buffer_deinit(&saved);
}

static void test_memory(void **state)
{
    for_trials(*state, KINDS_MAIN | 1 << SERIES_HUGE | 1 << SERIES_ONE_ROW | 1 << SERIES_MISSING, check_memory);
}

/* create, fit, score, save, load; stops at the first failure and cleans up. */
static tcs_status whole_life(const contract_trial *trial, const tcsi_frame *frame, tcs_error *err)
{
    tcs_score scores[ROWS_FAULT];
    tcsi_buffer saved;
    tcsi_detector *detector = NULL, *loaded = NULL;
    tcsi_detector_setup setup = setup_of(trial, 1, NULL);
    tcsi_buffer_init(&saved, (size_t)1 << 30);
    tcs_status status = tcsi_detector_create(trial->info, &setup, &detector, err);
    if (status == TCS_OK && trial->fleet) status = tcsi_detector_fit_fleet(detector, trial->fleet, err);
    if (status == TCS_OK && trial->fitted) status = tcsi_detector_fit(detector, frame, err);
    if (status == TCS_OK) status = tcsi_detector_score(detector, frame, scores, err);
    if (status == TCS_OK) status = tcsi_detector_save(detector, &saved, err);
    if (status == TCS_OK) status = tcsi_detector_load(saved.data, saved.size, NULL, &loaded, err);
    if (status == TCS_OK) status = tcsi_detector_score(loaded, frame, scores, err);
    tcsi_buffer_deinit(&saved);
    tcsi_detector_destroy(detector);
    tcsi_detector_destroy(loaded);
    return status;
}

static void check_failing_memory(const contract_trial *trial)
{
    tcsi_frame frame = tcsi_frame_view(trial->frame, 0, ROWS_FAULT);
    bool done = false;
    for (size_t fail_at = 1; !done; fail_at += 1 + fail_at / 32) {
        tcs_error err = { 0 };
        tcsi_alloc_trace_begin();
        tcsi_alloc_trace_fail_at(fail_at);
        tcs_status status = whole_life(trial, &frame, &err);
        size_t live_count = tcsi_alloc_trace_stats().live_count;
        done = tcsi_alloc_trace_stats().total_count < fail_at;
        tcsi_alloc_trace_end();
        if (live_count != 0 || status != (done ? TCS_OK : TCS_E_MEMORY) || (!done && strlen(err.text) < 10))
            fail_msg("%s, %zu channels: allocation %zu failed: status %s, '%s', %zu blocks leaked", trial->info->name, trial->channel_count,
                     fail_at, tcsi_status_name(status), err.text, live_count);
    }
}

static void test_failing_memory(void **state)
{
    for_trials(*state, 1 << SERIES_SEASON, check_failing_memory);
}

/* ---- fleets ---- */

/* Once more, with the series in another order: another fleet, but one that can be learned from as well. */
static void check_fleet_order(const contract_trial *trial)
{
    const tcsi_frame *turned[FLEET_SIZE];
    tcsi_fleet other = *trial->fleet;
    contract_trial again = *trial;
    for (size_t s = 0; s < FLEET_SIZE; s++) turned[s] = trial->fleet->series[FLEET_SIZE - 1 - s];
    other.series = turned;
    again.fleet = &other;
    tcs_score *first = score_new(trial, trial->frame, 1, NULL), *second = score_new(&again, trial->frame, 1, NULL);
    bool differs = false;
    for (size_t t = 0; t < trial->frame->row_count; t++) {
        assert_true(second[t].state == first[t].state && isfinite(second[t].value));
        differs |= first[t].value != second[t].value;
    }
    assert_true(differs);
    tcsi_free(first);
    tcsi_free(second);
}

/* Saved before it was adapted, and adapted afterwards: as if it had never been saved.  The second fit forgets the first. */
static void check_fleet_file(const contract_trial *trial)
{
    const double facts[FACT_COUNT] = { 4, NAN };
    contract_trial taught = *trial;
    taught.fitted = false;
    tcsi_detector *original = prepare(&taught, 1, NULL), *loaded = save_and_load(original);
    tcs_score *expected = score_new(trial, trial->frame, 1, NULL);
    assert_ok(tcsi_detector_describe(loaded, facts, FACT_COUNT, test_err));
    assert_ok(tcsi_detector_fit(loaded, trial->frame, test_err));
    assert_ok(tcsi_detector_fit(loaded, &trial->train, test_err));
    tcs_score *actual = score_with(trial, loaded, trial->frame);
    assert_same_scores(trial, expected, actual, 0, trial->frame->row_count, "adapted after loading");
    tcsi_free(expected);
    tcsi_free(actual);
    tcsi_detector_destroy(original);
    tcsi_detector_destroy(loaded);
}

/* Of one series and not trained further, a fleet teaches what plain fitting learns, to the same bits. */
static void check_fleet_of_one(const contract_trial *trial)
{
    static const tcsi_parameter_value parameters[] = { { "epochs", 2 }, { "adaptation", 0 } };
    const tcsi_detector_setup setup = { .channel_count = trial->channel_count, .seed = 1, .parameters = parameters, .parameter_count = 2 };
    const tcsi_frame *train = &trial->train;
    const tcsi_fleet one = { .series = &train, .series_count = 1 };
    tcs_score *scores[2];
    for (size_t i = 0; i < 2; i++) {
        tcsi_detector *detector;
        assert_ok(tcsi_detector_create(trial->info, &setup, &detector, test_err));
        if (i == 1) assert_ok(tcsi_detector_fit_fleet(detector, &one, test_err));
        assert_ok(tcsi_detector_fit(detector, train, test_err));
        scores[i] = score_with(trial, detector, trial->frame);
        tcsi_detector_destroy(detector);
    }
    assert_same_scores(trial, scores[0], scores[1], 0, trial->frame->row_count, "a fleet of one");
    tcsi_free(scores[0]);
    tcsi_free(scores[1]);
}

static void check_fleet_memory(const contract_trial *trial)
{
    size_t row_count = 0;
    for (size_t s = 0; s < FLEET_SIZE; s++) row_count += trial->fleet->series[s]->row_count;
    tcsi_alloc_trace_begin();
    tcsi_detector *detector = create(trial, 1, NULL);
    assert_ok(tcsi_detector_fit_fleet(detector, trial->fleet, test_err));
    size_t held = tcsi_alloc_trace_stats().peak_size, size_max = tcsi_detector_size_max(detector, row_count);
    if (held > size_max)
        fail_msg("%s, %zu channels: held %zu bytes while it learned from a fleet, declared %zu", trial->info->name, trial->channel_count,
                 held, size_max);
    tcsi_detector_destroy(detector);
    tcsi_alloc_trace_end();
}

static void check_fleet(const contract_trial *trial)
{
    if (!trial->fleet || !trial->fitted) return;
    check_fleet_order(trial);
    check_fleet_file(trial);
    check_fleet_of_one(trial);
    check_fleet_memory(trial);
}

static void assert_fleet_refused(tcsi_detector *detector, const tcsi_fleet *fleet, const char *word)
{
    tcs_error err = { 0 };
    assert_int_equal(TCS_E_INVALID, tcsi_detector_fit_fleet(detector, fleet, &err));
    if (!strstr(err.text, word)) fail_msg("%s: '%s' does not say '%s'", detector->info->name, err.text, word);
}

static void test_fleet(void **state)
{
    const tcsi_detector_info *info = *state;
    const double facts[FACT_COUNT] = { 1, 2 };
    tcs_error err = { 0 };
    tcsi_frame *frames[FLEET_SIZE], *wide = make_series(SERIES_SEASON, 3, ROWS_FAULT), *narrow = make_series(SERIES_SEASON, 1, ROWS_FAULT);
    tcsi_fleet fleet;
    make_fleet(1, frames, &fleet);
    contract_trial trial = { .info = info, .channel_count = 1, .fleet = info->traits & TCSI_TRAIT_FLEET ? &fleet : NULL };
    tcsi_detector *detector = create(&trial, 1, NULL);
    if (!trial.fleet) {
        assert_fleet_refused(detector, &fleet, info->name);
        assert_int_equal(TCS_E_INVALID, tcsi_detector_describe(detector, facts, FACT_COUNT, &err));
    } else {
        const tcsi_frame *mixed[] = { narrow, wide }, *empty[] = { frames[0], frames[4] }; /* two rows; all missing */
        tcsi_fleet other = { .series = mixed, .series_count = 2, .facts = fleet.facts, .fact_count = FACT_COUNT };
        assert_fleet_refused(detector, &other, "series 2 of 2 has 3 channels, expected 1");
        other.series_count = 0;
        assert_fleet_refused(detector, &other, "no series");
        other = (tcsi_fleet){ .series = empty, .series_count = 2, .facts = fleet.facts, .fact_count = FACT_COUNT };
        assert_fleet_refused(detector, &other, "none of 2 series");
        other.fact_count = 1;
        assert_fleet_refused(detector, &other, "expected 2");
        assert_int_equal(TCS_E_INVALID, tcsi_detector_describe(detector, facts, 1, &err));
        assert_ok(tcsi_detector_fit(detector, narrow, test_err)); /* as if there had never been a fleet */
        for_trials(info, KINDS_MAIN, check_fleet);
    }
    tcsi_detector_destroy(detector);
    tcsi_frame_destroy(wide);
    tcsi_frame_destroy(narrow);
    end_fleet(frames);
}

/* ---- parameters ---- */

/* Training at an extreme value may take long: being stopped is one of its outcomes. */
static bool stop_early(void *context, double share)
{
    (void)context;
    return share < 0.02;
}

static tcs_status create_with(const tcsi_detector_info *info, const char *name, double value, tcsi_detector **ret_detector, tcs_error *err)
{
    static const tcsi_progress brief = { stop_early, NULL };
    tcsi_parameter_value given = { name, value };
    tcsi_detector_setup setup = { .channel_count = info->traits & TCSI_TRAIT_MULTIVARIATE ? 2 : 1, .seed = 1, .parameters = &given,
                                  .parameter_count = 1, .progress = info->traits & TCSI_TRAIT_DEEP ? &brief : NULL };
    *ret_detector = NULL;
    tcs_status status = tcsi_detector_create(info, &setup, ret_detector, err);
    if (status != TCS_OK) {
        assert_int_equal(status, err->status);
        assert_true(strlen(err->text) >= 10);
    }
    return status;
}

/* Whatever an extreme value means, it must not crash, hang or give scores that are no numbers. */
static void use_extreme(tcsi_detector *detector, const char *parameter_name)
{
    tcs_score scores[ROWS_FAULT];
    tcs_error err = { 0 };
    tcsi_frame *frame = make_series(SERIES_SEASON, detector->channel_count, ROWS_FAULT);
    tcs_status status = TCS_OK;
    if (detector->info->traits & TCSI_TRAIT_TRAINED) status = tcsi_detector_fit(detector, frame, &err);
    if (status == TCS_OK) status = tcsi_detector_score(detector, frame, scores, &err);
    for (size_t t = 0; status == TCS_OK && t < ROWS_FAULT; t++)
        if (!isfinite(scores[t].value))
            fail_msg("%s, %s at its limit: row %zu scores %g", detector->info->name, parameter_name, t, scores[t].value);
    if (status != TCS_OK) assert_true(strlen(err.text) >= 10);
    tcsi_frame_destroy(frame);
}

static void test_parameter_limits(void **state)
{
    const tcsi_detector_info *info = *state;
    guard_size = 0;
    tcsi_allocator_set(&guard);
    for (size_t i = 0; i < info->parameter_count; i++) {
        const tcsi_parameter *parameter = &info->parameters[i];
        tcs_error err = { 0 };
        tcsi_detector *detector;
        double limits[] = { parameter->value_min, parameter->value_max };
        double below = parameter->value_min - fmax(1, fabs(parameter->value_min));
        double above = parameter->value_max + fmax(1, fabs(parameter->value_max));
        double beyond[] = { below, above, NAN, INFINITY, -INFINITY };
        for (size_t j = 0; j < TCS_COUNT(limits); j++) {
            if (create_with(info, parameter->name, limits[j], &detector, &err) == TCS_OK) use_extreme(detector, parameter->name);
            tcsi_detector_destroy(detector);
        }
        for (size_t j = 0; j < TCS_COUNT(beyond); j++) {
            assert_int_equal(TCS_E_INVALID, create_with(info, parameter->name, beyond[j], &detector, &err));
            assert_non_null(strstr(err.text, parameter->name));
        }
        if (parameter->type != TCSI_PARAMETER_REAL)
            assert_int_equal(TCS_E_INVALID, create_with(info, parameter->name, parameter->value_min + 0.5, &detector, &err));
    }
    tcsi_allocator_set(NULL);
    assert_int_equal(0, guard_size);
}

static void test_unknown_parameter(void **state)
{
    const tcsi_detector_info *info = *state;
    tcs_error err = { 0 };
    tcsi_detector *detector;
    assert_int_equal(TCS_E_INVALID, create_with(info, "zzzzzzzzzzzzzzzz", 1, &detector, &err));
    assert_non_null(strstr(err.text, "zzzzzzzzzzzzzzzz"));
    for (size_t i = 0; i < info->parameter_count; i++) {
        char name[64];
        if (strlen(info->parameters[i].name) < 4) continue;
        snprintf(name, sizeof name, "%s", info->parameters[i].name);
        name[strlen(name) - 1] = 'q';
        assert_int_equal(TCS_E_INVALID, create_with(info, name, 1, &detector, &err));
        assert_non_null(strstr(err.text, "did you mean"));
    }
}

/* ---- use ---- */

static void assert_parts(const contract_trial *trial, const double *parts)
{
    for (size_t c = 0; c < trial->channel_count; c++)
        if (!(parts[c] >= 0 && isfinite(parts[c])))
            fail_msg("%s, %s: channel %zu contributes %g", trial->info->name, series_names[trial->kind], c, parts[c]);
}

/* What members say is a p-value or nothing; a row of a frame that was scored and the same row pushed say the same. */
static void check_members(const contract_trial *trial, tcsi_detector *detector, size_t row, const float *pushed, size_t pushed_count)
{
    float said[TCSI_MEMBER_COUNT_MAX];
    const size_t count = tcsi_detector_members(detector, row, said);
    for (size_t k = 0; k < count; k++)
        if (!isnan(said[k]) && !(said[k] > 0 && said[k] <= 1))
            fail_msg("%s, %s: member %zu says %g", trial->info->name, series_names[trial->kind], k, (double)said[k]);
    if (!pushed) return;
    assert_int_equal(pushed_count, count);
    for (size_t k = 0; k < count; k++) assert_true(said[k] == pushed[k] || (isnan(said[k]) && isnan(pushed[k])));
}

static void check_contributions(const contract_trial *trial)
{
    double parts[CHANNELS_MANY];
    float said[TCSI_MEMBER_COUNT_MAX] = { 0 };
    size_t said_count = 0;
    tcs_score scores[ROWS_LONG];
    tcsi_detector *detector = prepare(trial, 1, NULL);
    if (!detector) return;
    for (size_t t = 0; is_streaming(trial) && t < trial->frame->row_count; t++) {
        push_rows(detector, trial->frame, t, t + 1, scores);
        if (tcsi_detector_contribute(detector, parts)) assert_parts(trial, parts);
        said_count = tcsi_detector_members(detector, TCSI_ROW_LAST, said);
        check_members(trial, detector, TCSI_ROW_LAST, said, said_count);
    }
    size_t begin = trial->frame->row_count / 3, end = trial->frame->row_count / 2 + 1;
    if (tcsi_detector_contribute_span(detector, begin, end, parts)) assert_parts(trial, parts); /* nothing was scored yet */
    tcs_score *batch = score_with(trial, detector, trial->frame);
    if (batch && tcsi_detector_contribute_span(detector, begin, end, parts)) assert_parts(trial, parts);
    for (size_t t = begin; batch && t < end; t++) check_members(trial, detector, t, NULL, 0);
    if (batch && is_streaming(trial)) check_members(trial, detector, trial->frame->row_count - 1, said, said_count);
    tcsi_free(batch);
    tcsi_detector_destroy(detector);
}

static void test_contributions(void **state)
{
    const tcsi_detector_info *info = *state;
    bool silent = (info->traits & TCSI_TRAIT_MULTIVARIATE) && !info->ops->contribute && !info->ops->contribute_span;
    if (!silent) for_trials(info, KINDS_ALL, check_contributions); /* per_channel answers for the others */
}

static void assert_regard(const contract_trial *trial, const tcsi_regard *regard)
{
    const char *name = trial->info->name;
    for (size_t i = 0; i < regard->line_count; i++) {
        const tcsi_regard_line *line = &regard->lines[i];
        double sum = 0;
        if (line->row_begin >= line->row_end || line->row_end > trial->frame->row_count) fail_msg("%s: a line of no rows", name);
        for (size_t k = 0; k < regard->link_count; k++) {
            const tcsi_link *link = &regard->links[i * regard->link_count + k];
            if (!(link->share >= 0 && link->share <= 1.0001) || link->row_end > trial->frame->row_count || !(link->distance >= 0))
                fail_msg("%s, %s: a share of %g, rows to %zu", name, series_names[trial->kind], link->share, link->row_end);
            if (link->share > 0 && link->row_begin >= link->row_end) fail_msg("%s: a share of no rows", name);
            sum += link->share;
        }
        if (regard->kind == TCSI_REGARD_ATTENTION && !(fabs(sum - 1) < 1e-4)) fail_msg("%s: attention of %g in all", name, sum);
    }
}

/* It says something sound, the same with any threads, and scores the same afterwards. */
static void check_regard(const contract_trial *trial)
{
    const size_t rows[] = { 0, trial->frame->row_count / 2, trial->frame->row_count - 1 };
    const tcsi_regard_wish wish = { .rows = rows, .row_count = TCS_COUNT(rows) };
    tcsi_regard found[2] = { { .links = NULL } };
    tcs_status status[2] = { TCS_OK, TCS_OK };
    for (size_t i = 0; i < 2; i++) {
        tcsi_pool *pool = NULL;
        if (i == 1) assert_ok(tcsi_pool_create(4, &pool, test_err));
        tcsi_detector *detector = prepare(trial, 1, pool);
        tcs_score *before = detector ? score_with(trial, detector, trial->frame) : NULL;
        if (before) {
            status[i] = tcsi_detector_regard(detector, trial->frame, &wish, &found[i], NULL);
            if (status[i] == TCS_OK) assert_regard(trial, &found[i]);
            else assert_int_equal(status[i], TCS_E_UNSUPPORTED);
            if (detector->is_fitted) {
                tcs_score *after = score_with(trial, detector, trial->frame);
                assert_same_scores(trial, before, after, 0, trial->frame->row_count, "asked what it looked at");
                tcsi_free(after);
            }
        }
        tcsi_free(before);
        tcsi_detector_destroy(detector);
        tcsi_pool_destroy(pool);
    }
    assert_int_equal(status[0], status[1]);
    if (found[0].links && found[1].links)
        assert_memory_equal(found[0].links, found[1].links, found[0].line_count * found[0].link_count * sizeof *found[0].links);
    for (size_t i = 0; i < 2; i++) tcsi_regard_deinit(&found[i]);
}

static void test_regard(void **state)
{
    const tcsi_detector_info *info = *state;
    if (info->ops->regard) for_trials(info, KINDS_MAIN, check_regard);
}

static void test_misuse(void **state)
{
    const tcsi_detector_info *info = *state;
    tcs_error err = { 0 };
    tcs_score scores[ROWS_FAULT];
    tcsi_detector *detector = NULL;
    tcsi_detector_setup none = { .channel_count = 0 };
    assert_int_equal(TCS_E_INVALID, tcsi_detector_create(info, &none, &detector, &err));
    contract_trial trial = { .info = info, .channel_count = 1, .kind = SERIES_SEASON };
    tcsi_frame *wide = make_series(SERIES_SEASON, 3, ROWS_FAULT), *narrow = make_series(SERIES_SEASON, 1, ROWS_FAULT);
    detector = create(&trial, 1, NULL);
    assert_int_equal(TCS_E_INVALID, tcsi_detector_score(detector, wide, scores, &err));
    assert_int_equal(TCS_E_INVALID, tcsi_detector_fit(detector, wide, &err));
    if (info->traits & TCSI_TRAIT_TRAINED) assert_int_equal(TCS_E_INVALID, tcsi_detector_score(detector, narrow, scores, &err));
    /* No rows at all: nothing is written, and a refusal is in words. */
    tcsi_frame empty = tcsi_frame_view(narrow, 0, 0);
    memset(&err, 0, sizeof err);
    if (tcsi_detector_fit(detector, &empty, &err) != TCS_OK) assert_true(strlen(err.text) >= 10);
    memset(&err, 0, sizeof err);
    if (tcsi_detector_score(detector, &empty, scores, &err) != TCS_OK) assert_true(strlen(err.text) >= 10);
    tcsi_detector_destroy(detector);
    tcsi_frame_destroy(wide);
    tcsi_frame_destroy(narrow);
}

/* ---- every promise on every detector ---- */

typedef struct promise {
    const char *name;
    CMUnitTestFunction check;
} promise;

static const promise promises[] = {
    { "describes itself", test_describes_itself },
    { "every row has a stated outcome", test_outcomes },
    { "deterministic for a seed", test_deterministic },
    { "fit and score can be repeated", test_repeatable },
    { "same bits with 1 and 4 threads", test_threads },
    { "no score looks at labels", test_labels },
    { "batch equals pushing", test_batch_equals_push },
    { "no score depends on a later row", test_causal },
    { "a saved state continues exactly", test_save_continues },
    { "a damaged state is refused", test_damaged_refused },
    { "memory declared and kept, pushing allocates nothing", test_memory },
    { "survives failing allocations", test_failing_memory },
    { "learns from a fleet, or says that it cannot", test_fleet },
    { "parameters at and beyond their limits", test_parameter_limits },
    { "unknown parameters are named", test_unknown_parameter },
    { "contributions are finite and not negative", test_contributions },
    { "what it looked at is sound", test_regard },
    { "misuse is an error", test_misuse },
};

/* A case that failed under another allocator must not spoil the next one. */
static int plain_allocator(void **state)
{
    (void)state;
    tcsi_allocator_set(NULL);
    return 0;
}

enum { CASE_COUNT_MAX = 4096, CASE_NAME_SIZE = 128 };

int main(void)
{
    static struct CMUnitTest cases[CASE_COUNT_MAX];
    static char names[CASE_COUNT_MAX][CASE_NAME_SIZE];
    const char *only = getenv("TOCSIN_TEST_DETECTOR"); /* one detector by name, for whoever is writing it */
    size_t count = 0;
    for (size_t i = 0; i < tcsi_registry_count(); i++)
        for (size_t j = 0; j < TCS_COUNT(promises) && count < CASE_COUNT_MAX; j++) {
            const tcsi_detector_info *info = tcsi_registry_at(i);
            if (only && strcmp(only, info->name) != 0) continue;
            snprintf(names[count], CASE_NAME_SIZE, "%s: %s", info->name, promises[j].name);
            cases[count] = (struct CMUnitTest){ .name = names[count], .test_func = promises[j].check, .setup_func = plain_allocator,
                                                .initial_state = (void *)(uintptr_t)info };
            count++;
        }
    cmocka_set_message_output(CM_OUTPUT_TAP);
    test_choose_cases();
    return _cmocka_run_group_tests("contract", cases, count, NULL, NULL);
}
