/* Knowledge at work: hard limits alarm though the detector is silent, and nothing excuses them; known events excuse episodes; impossible
 * readings and residuals reach the detector; live, replay and a bundle that goes on have the same bits. */
#include "pipeline/pipeline.h"
#include "pipeline/known.h"
#include "test.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "series/time.h"
#include "tocsin_config.h"

enum { ROWS = 3000, CHANNELS = 2, START_S = 1700006400 /* 2023-11-15T00:00:00Z, a Wednesday */ };
static const char *const NAMES[CHANNELS] = { "a", "b" };

static const tcsi_knowledge *know(const char *text)
{
    char file[2048];
    tcsi_problems problems;
    tcsi_knowledge *knowledge = NULL;
    tcs_error err = { 0 };
    if (!TCSI_HAVE_YAML) skip();
    snprintf(file, sizeof file, "version: 1\n%s", text);
    tcs_status status = tcsi_knowledge_parse(file, strlen(file), "k.yaml", NULL, 0, &problems, &knowledge, &err);
    if (status != TCS_OK) print_error("%s\n", err.text);
    assert_int_equal(status, TCS_OK);
    return knowledge;
}

/* Noise, a minute apart; b follows a.  From row 2000 on 20 rows are far off in both. */
static tcsi_frame *rows(void)
{
    tcs_error err;
    tcsi_frame *frame;
    tcsi_rng rng = tcsi_rng_make(5, 0);
    assert_ok(tcsi_frame_create(CHANNELS, ROWS, true, true, &frame, &err));
    for (size_t c = 0; c < CHANNELS; c++) assert_ok(tcsi_frame_channel_rename(frame, c, NAMES[c], &err));
    for (size_t t = 0; t < ROWS; t++) {
        const bool off = t >= 2000 && t < 2020;
        const double a = 10 + sin(0.01 * (double)t) + 0.2 * tcsi_rng_normal(&rng) + (off ? 6 : 0);
        const double row[CHANNELS] = { a, 2 * a + 0.1 * tcsi_rng_normal(&rng) };
        assert_ok(tcsi_frame_append(frame, row, (int64_t)(START_S + 60 * t) * TCSI_NS_PER_S, off, &err));
    }
    return frame;
}

static tcsi_detection *detect(const tcsi_frame *frame, tcs_mode mode, const char *detector, const tcsi_knowledge *knowledge)
{
    tcs_error err = { 0 };
    tcsi_detection *detection = NULL;
    const tcsi_detect_options options = { .mode = mode, .detector = detector, .thread_count = 1, .knowledge = knowledge,
                                          .has_times = true };
    const tcs_status status = tcsi_detect(frame, &options, &detection, &err);
    if (status != TCS_OK) print_error("%s\n", err.text);
    assert_int_equal(status, TCS_OK);
    return detection;
}

static size_t alarm_count(const tcsi_detection *detection, size_t begin, size_t end)
{
    size_t count = 0;
    for (size_t t = begin; t < end; t++) count += detection->decision.anomaly[t];
    return count;
}

/* Rows 100 to 110, in the warm-up of most detectors, pass a limit by a hair: nothing that scores would see it. */
static void test_limits_alarm_though_the_detector_is_silent(void **state)
{
    (void)state;
    const tcsi_knowledge *knowledge = know("channels: {b: {alarm: {above: 50}}}\nevents: {all: {daily: '00:00', for: 24h}}\n");
    static const char *const detectors[] = { "ewma", "auto" };
    for (int mode = TCS_MODE_ONLINE; mode <= TCS_MODE_OFFLINE; mode++)
        for (size_t d = 0; d < TCS_COUNT(detectors); d++) {
            tcsi_frame *frame = rows();
            for (size_t t = 0; t < ROWS; t++) tcsi_frame_column(frame, 1)[t] = 49.9; /* stands still: no detector alarms for 0.2 more */
            for (size_t t = 100; t < 110; t++) tcsi_frame_column(frame, 1)[t] = 50.1;
            tcsi_detection *plain = detect(frame, (tcs_mode)mode, detectors[d], NULL);
            tcsi_detection *known = detect(frame, (tcs_mode)mode, detectors[d], knowledge);
            if (mode == TCS_MODE_ONLINE) assert_int_equal(alarm_count(plain, 100, 110), 0);
            assert_int_equal(alarm_count(known, 100, 110), 10); /* and the event, which is for ever, does not excuse them */
            assert_int_equal(alarm_count(known, 110, ROWS), 0); /* but everything else */
            assert_int_equal(alarm_count(known, 0, 100), 0);
            assert_int_equal(known->decision.episode_count, 1);
            const tcsi_episode *episode = &known->decision.episodes[0];
            assert_int_equal(episode->row_begin, 100);
            assert_int_equal(episode->row_end, 110);
            assert_int_equal(episode->order.kind, TCSI_ORDER_ALARM);
            assert_near(100, episode->severity, 0);
            assert_true(episode->p_value > 0 && episode->p_value <= 1 && isfinite(episode->score_peak));
            tcsi_detection_destroy(plain);
            tcsi_detection_destroy(known);
            tcsi_frame_destroy(frame);
        }
    tcsi_knowledge_destroy(knowledge);
}

/* The same episode with and without an event around it; half of it inside. */
static void test_events_excuse(void **state)
{
    (void)state;
    tcsi_frame *frame = rows(); /* row 2000 is 2023-11-16T09:20Z */
    const tcsi_knowledge *whole = know("events: {service: {from: 2023-11-16T09:00, to: 2023-11-16T11:00}}\n");
    const tcsi_knowledge *elsewhere = know("events: {service: {from: 2023-11-16T12:00, to: 2023-11-16T13:00}}\n");
    for (int mode = TCS_MODE_ONLINE; mode <= TCS_MODE_OFFLINE; mode++) {
        tcsi_detection *plain = detect(frame, (tcs_mode)mode, "ewma", NULL), *excused = detect(frame, (tcs_mode)mode, "ewma", whole);
        tcsi_detection *other = detect(frame, (tcs_mode)mode, "ewma", elsewhere);
        assert_true(alarm_count(plain, 2000, 2020) > 0);
        assert_int_equal(alarm_count(excused, 1980, 2100), 0);
        assert_int_equal(excused->decision.expected_count, 1);
        assert_int_equal(excused->decision.expected[0].order.kind, TCSI_ORDER_EXCUSE);
        assert_true(excused->decision.expected[0].row_begin >= 2000 && excused->decision.expected[0].row_end <= 2030);
        assert_true(alarm_count(other, 2000, 2020) > 0);
        assert_int_equal(other->decision.expected_count, 0);
        tcsi_detection_destroy(plain);
        tcsi_detection_destroy(excused);
        tcsi_detection_destroy(other);
    }
    tcsi_knowledge_destroy(whole);
    tcsi_knowledge_destroy(elsewhere);
    tcsi_frame_destroy(frame);
}

/* A break of b = 2a that neither channel shows alone is seen by its residual, and that channel carries the episode. */
static void test_residuals_reach_the_detector(void **state)
{
    (void)state;
    tcsi_frame *frame = rows();
    const tcsi_knowledge *knowledge = know("constraints: {twice: b - 2 * a = 0 ± 0.5}\n");
    for (size_t t = 1200; t < 1230; t++) tcsi_frame_column(frame, 1)[t] += 1.2;
    tcsi_detection *known = detect(frame, TCS_MODE_ONLINE, "ewma", knowledge), *plain = detect(frame, TCS_MODE_ONLINE, "ewma", NULL);
    assert_true(alarm_count(plain, 1200, 1230) <= 3);
    assert_true(alarm_count(known, 1200, 1230) > 5 + alarm_count(plain, 1200, 1230));
    assert_int_equal(known->frame->channel_count, 3);
    assert_string_equal(known->frame->channels[2].name, "twice");
    for (size_t i = 0; i < known->decision.episode_count; i++)
        if (known->decision.episodes[i].row_begin >= 1200 && known->decision.episodes[i].row_begin < 1230)
            assert_int_equal(known->shares[i].shares[0].channel, 2);
    tcsi_detection_destroy(known);
    tcsi_detection_destroy(plain);
    tcsi_frame_destroy(frame);
    tcsi_knowledge_destroy(knowledge);
}

static const char *const EVERYTHING =
    "zone: America/New_York\n"
    "channels: {a: {range: [0, 15.9], alarm: {above: 15, for: 2min}}, b: {alarm: {below: 17}}}\n"
    "derived: {slow: 'mean(a, 30min)'}\n"
    "constraints: {twice: b - 2 * a = 0 ± 3%}\n"
    "events: {night: {daily: '02:00', for: 1h}, part: {cron: '0 */6 * * *', for: 10min, channels: b}, off: {days: 11-15}}\n"
    "rules: {high: {when: a > 12, says: anomaly}, calm: {when: 'abs(slow - a) < 0.3', says: normal}}\n"
    "signatures: {jump: {steps: [{channel: a, shape: rise}]}}\n";

static void assert_same_rows(const tcsi_detection *all, size_t at, const tcs_score *score, double threshold, bool anomaly)
{
    assert_int_equal(all->scores[at].state, score->state);
    assert_memory_equal(&all->scores[at].value, &score->value, sizeof score->value);
    assert_memory_equal(&all->scores[at].p_value, &score->p_value, sizeof score->p_value);
    assert_memory_equal(&all->decision.thresholds[at], &threshold, sizeof threshold);
    assert_int_equal(all->decision.anomaly[at], anomaly);
}

/* What a stream of the rows says is what a frame of them says; its episodes and what it expects too. */
static void test_live_is_replay(void **state)
{
    (void)state;
    static const char *const detectors[] = { "ewma", "auto", "copod" };
    const tcsi_knowledge *knowledge = know(EVERYTHING);
    tcsi_frame *frame = rows();
    for (size_t d = 0; d < TCS_COUNT(detectors); d++) {
        tcs_error err = { 0 };
        tcsi_detect_stream *stream = NULL;
        const tcsi_detect_options options = { .mode = TCS_MODE_ONLINE, .detector = detectors[d], .thread_count = 1, .knowledge = knowledge,
                                              .has_times = true, .channel_names = NAMES, .train_row_count = 400 };
        tcsi_detection *all = NULL;
        if (tcsi_detect(frame, &options, &all, &err) == TCS_E_INVALID) continue; /* a detector that cannot run online */
        assert_ok(tcsi_detect_stream_create(CHANNELS, &options, &stream, &err));
        size_t given = 0, opened = 0, expected = 0, ordered = 0;
        for (size_t t = 0; t < ROWS; t++) {
            double values[CHANNELS];
            bool any = true;
            tcsi_frame_row(frame, t, values);
            const tcsi_row row = { .time_ns = frame->times_ns[t], .values = values };
            assert_ok(tcsi_detect_stream_push(stream, &row, frame->labels[t], &err));
            while (any) {
                tcsi_outcome outcome;
                assert_ok(tcsi_detect_stream_next(stream, &outcome, &any, &err));
                if (!any) break;
                assert_same_rows(all, given, &outcome.score, outcome.verdict.threshold, outcome.verdict.anomaly);
                assert_int_equal(outcome.known.order.kind, all->known->applied.orders[given].kind);
                given++;
                opened += outcome.verdict.event == TCSI_EPISODE_OPENED;
                expected += outcome.verdict.expected_event == TCSI_EPISODE_OPENED;
                ordered += outcome.known.order.kind != TCSI_ORDER_NONE;
            }
        }
        assert_int_equal(given, ROWS);
        assert_int_equal(opened, all->decision.episode_count);
        assert_int_equal(expected, all->decision.expected_count);
        assert_true(ordered > 100);
        const tcsi_votes *votes = tcsi_detect_stream_votes(stream);
        assert_memory_equal(votes->counts, all->known->votes.counts, tcsi_votes_cell_count(votes) * sizeof *votes->counts);
        tcsi_detect_stream_destroy(stream);
        tcsi_detection_destroy(all);
    }
    tcsi_frame_destroy(frame);
    tcsi_knowledge_destroy(knowledge);
}

/* Fitted on the first rows, kept in bytes, read back where nothing else is known: it judges the others as one detection of all would. */
static void test_bundles_obey(void **state)
{
    (void)state;
    /* Two rows after a day that is excused, within its reach, and nine before a jump that is excused by that alone. */
    enum { FIRST = 1742 };
    tcs_error err = { 0 };
    const tcsi_knowledge *knowledge = know(EVERYTHING);
    tcsi_frame *frame = rows(), head = tcsi_frame_view(frame, 0, FIRST), tail = tcsi_frame_view(frame, FIRST, ROWS - FIRST);
    const tcsi_detect_options options = { .mode = TCS_MODE_ONLINE, .detector = "auto", .thread_count = 1, .knowledge = knowledge,
                                          .has_times = true, .train_row_count = 400 };
    tcsi_pipeline *pipeline = NULL, *loaded = NULL;
    tcsi_detection *all = NULL, *later = NULL;
    tcsi_buffer bytes, again;
    tcsi_buffer_init(&bytes, 1 << 26);
    tcsi_buffer_init(&again, 1 << 26);
    for (size_t t = FIRST + 9; t < FIRST + 14; t++) tcsi_frame_column(frame, 1)[t] += 200;
    assert_ok(tcsi_detect(frame, &options, &all, &err));
    assert_int_equal(alarm_count(all, FIRST + 9, FIRST + 14), 0);
    assert_true(all->decision.expected_count > 0);
    assert_ok(tcsi_pipeline_fit(&head, &options, &pipeline, &err));
    tcsi_knowledge_destroy(knowledge); /* the pipeline is an owner of its own */
    assert_ok(tcsi_pipeline_save(pipeline, &bytes, &err));
    assert_ok(tcsi_pipeline_load(bytes.data, bytes.size, "x", &loaded, &err));
    assert_ok(tcsi_pipeline_save(loaded, &again, &err));
    assert_int_equal(bytes.size, again.size);
    assert_memory_equal(bytes.data, again.data, bytes.size);
    assert_non_null(strstr(bytes.data + 8, "\"knowledge\":\"version: 1"));
    assert_ok(tcsi_pipeline_score(loaded, &tail, &(tcsi_pipeline_run){ .thread_count = 1 }, &later, &err));
    assert_int_equal(later->frame->row_count, ROWS - FIRST);
    size_t excused = 0;
    for (size_t t = 0; t < ROWS - FIRST; t++) {
        assert_same_rows(all, FIRST + t, &later->scores[t], later->decision.thresholds[t], later->decision.anomaly[t]);
        assert_memory_equal(&all->known->applied.orders[FIRST + t], &later->known->applied.orders[t], sizeof(tcsi_order));
        for (size_t c = 0; c < later->frame->channel_count; c++)
            assert_memory_equal(&tcsi_frame_column(all->frame, c)[FIRST + t], &tcsi_frame_column(later->frame, c)[t], sizeof(double));
        excused += later->known->applied.orders[t].kind == TCSI_ORDER_EXCUSE;
    }
    assert_true(excused >= 60);
    uint64_t faults = 0;
    for (size_t t = FIRST; t < ROWS; t++) faults += tcsi_frame_column(frame, 0)[t] > 15.9;
    assert_true(faults > 0);
    assert_int_equal(later->known->bound->fault_counts[0], faults);
    tcsi_pipeline_destroy(pipeline);
    tcsi_pipeline_destroy(loaded);
    tcsi_detection_destroy(all);
    tcsi_detection_destroy(later);
    tcsi_frame_destroy(frame);
    tcsi_buffer_deinit(&bytes);
    tcsi_buffer_deinit(&again);
}

/* Damage in a bundle with knowledge is noticed, and never more than an error. */
static void test_damaged_bundles(void **state)
{
    (void)state;
    tcs_error err = { 0 };
    const tcsi_knowledge *knowledge = know(EVERYTHING);
    tcsi_frame *frame = rows();
    tcsi_pipeline *pipeline = NULL;
    tcsi_buffer bytes;
    const tcsi_detect_options options = { .mode = TCS_MODE_OFFLINE, .detector = "copod", .thread_count = 1, .knowledge = knowledge,
                                          .has_times = true };
    tcsi_buffer_init(&bytes, 1 << 26);
    assert_ok(tcsi_pipeline_fit(frame, &options, &pipeline, &err));
    assert_ok(tcsi_pipeline_save(pipeline, &bytes, &err));
    tcsi_pipeline_destroy(pipeline);
    for (size_t at = 0; at < bytes.size; at += bytes.size / 97 + 1) {
        tcsi_pipeline *loaded = NULL;
        bytes.data[at] = (char)(bytes.data[at] ^ 0x20);
        assert_int_not_equal(tcsi_pipeline_load(bytes.data, bytes.size, "x", &loaded, &err), TCS_OK);
        assert_null(loaded);
        bytes.data[at] = (char)(bytes.data[at] ^ 0x20);
        assert_int_not_equal(tcsi_pipeline_load(bytes.data, at, "x", &loaded, &err), TCS_OK);
    }
    tcsi_buffer_deinit(&bytes);
    tcsi_frame_destroy(frame);
    tcsi_knowledge_destroy(knowledge);
}

static void test_offline_pipelines_obey(void **state)
{
    (void)state;
    tcs_error err = { 0 };
    const tcsi_knowledge *knowledge = know("channels: {b: {alarm: {above: 30}}}\n"
                                           "events: {e: {from: 2023-11-16T09:00, to: 2023-11-16T09:30}}\n"
                                           "constraints: {twice: b - 2 * a = 0 ± 0.5}\n");
    tcsi_frame *frame = rows();
    tcsi_pipeline *pipeline = NULL;
    tcsi_detection *detection = NULL;
    const tcsi_detect_options options = { .mode = TCS_MODE_OFFLINE, .detector = "copod", .thread_count = 1, .knowledge = knowledge,
                                          .has_times = true };
    assert_ok(tcsi_pipeline_fit(frame, &options, &pipeline, &err));
    assert_ok(tcsi_pipeline_score(pipeline, frame, &(tcsi_pipeline_run){ .thread_count = 1 }, &detection, &err));
    assert_int_equal(detection->frame->channel_count, 3);
    assert_int_equal(alarm_count(detection, 2000, 2010), 10); /* beyond the limit, event or not */
    assert_int_equal(alarm_count(detection, 1980, 2000), 0);
    tcsi_detection_destroy(detection);
    tcsi_frame without = *frame;
    without.times_ns = NULL;
    assert_int_equal(tcsi_pipeline_score(pipeline, &without, &(tcsi_pipeline_run){ .thread_count = 1 }, &detection, &err), TCS_E_INVALID);
    assert_non_null(strstr(err.text, "rows without times"));
    tcsi_pipeline_destroy(pipeline);
    tcsi_frame_destroy(frame);
    tcsi_knowledge_destroy(knowledge);
}

static tcsi_detect_options punish(tcs_mode mode, const char *detector, const tcsi_knowledge *knowledge,
                                  const tcsi_parameter_value *parameters)
{
    return (tcsi_detect_options){ .mode = mode, .detector = detector, .thread_count = 1, .knowledge = knowledge, .has_times = true,
                                  .train_row_count = 600, .parameters = parameters, .parameter_count = 3 };
}

static size_t count_others(const tcsi_detection *one, const tcsi_detection *other)
{
    size_t count = 0;
    for (size_t t = 0; t < ROWS; t++) count += one->scores[t].value != other->scores[t].value;
    return count;
}

/* A penalty is of constraints alone: a file without any trains as ever, one with some does not. */
static void test_constraints_are_punished(void **state)
{
    (void)state;
    static const char *const detectors[] = { "autoencoder", "tcn_forecaster" };
    tcsi_frame *frame = rows();
    for (size_t d = 0; d < 2; d++)
        for (size_t k = 0; k < 2; k++) {
            const tcsi_knowledge *knowledge = know(k == 0 ? "derived: {x: b - 2 * a}\n" : "constraints: {x: b - 2 * a = 0.3 ± 0.1%}\n");
            tcsi_detection *detections[2] = { NULL };
            for (size_t w = 0; w < 2; w++) {
                const tcsi_parameter_value parameters[] = { { "epochs", 3 }, { "steps", 32 }, { "penalty", w == 0 ? 0 : 5 } };
                const tcsi_detect_options options = punish(TCS_MODE_OFFLINE, detectors[d], knowledge, parameters);
                assert_ok(tcsi_detect(frame, &options, &detections[w], test_err));
            }
            const size_t others = count_others(detections[0], detections[1]);
            if (k == 0) assert_int_equal(others, 0);
            else assert_true(others > ROWS / 2);
            for (size_t w = 0; w < 2; w++) tcsi_detection_destroy(detections[w]);
            tcsi_knowledge_destroy(knowledge);
        }
    tcsi_frame_destroy(frame);
}

/* Learned row by row with a penalty, kept, and asked about later rows: as a detection of all rows. */
static void test_what_was_punished_is_kept(void **state)
{
    (void)state;
    enum { FIRST = 1742 };
    tcsi_frame *frame = rows(), head = tcsi_frame_view(frame, 0, FIRST), tail = tcsi_frame_view(frame, FIRST, ROWS - FIRST);
    const tcsi_knowledge *knowledge = know(EVERYTHING);
    const tcsi_parameter_value parameters[] = { { "epochs", 3 }, { "steps", 32 }, { "penalty", 5 } };
    const tcsi_detect_options options = punish(TCS_MODE_ONLINE, "tcn_forecaster", knowledge, parameters);
    tcsi_pipeline *pipeline = NULL, *loaded = NULL;
    tcsi_detection *all = NULL, *later = NULL;
    tcsi_buffer bytes;
    tcsi_buffer_init(&bytes, 1 << 26);
    assert_ok(tcsi_detect(frame, &options, &all, test_err));
    assert_ok(tcsi_pipeline_fit(&head, &options, &pipeline, test_err));
    assert_ok(tcsi_pipeline_save(pipeline, &bytes, test_err));
    assert_ok(tcsi_pipeline_load(bytes.data, bytes.size, "x", &loaded, test_err));
    assert_near(5, loaded->parameter_values[loaded->info->parameter_count - 1], 0);
    assert_string_equal(loaded->info->parameters[loaded->info->parameter_count - 1].name, "penalty");
    assert_ok(tcsi_pipeline_score(loaded, &tail, &(tcsi_pipeline_run){ .thread_count = 1 }, &later, test_err));
    for (size_t t = 0; t < ROWS - FIRST; t++)
        assert_same_rows(all, FIRST + t, &later->scores[t], later->decision.thresholds[t], later->decision.anomaly[t]);
    tcsi_pipeline_destroy(pipeline);
    tcsi_pipeline_destroy(loaded);
    tcsi_detection_destroy(all);
    tcsi_detection_destroy(later);
    tcsi_knowledge_destroy(knowledge);
    tcsi_buffer_deinit(&bytes);
    tcsi_frame_destroy(frame);
}

static void test_memory_runs_out(void **state)
{
    (void)state;
    const tcsi_knowledge *knowledge = know(EVERYTHING);
    tcsi_frame *frame = rows();
    for (size_t at = 1; at < 3000; at += at < 100 ? 1 : 37) {
        tcs_error err;
        tcsi_detection *detection = NULL;
        const tcsi_detect_options options = { .mode = TCS_MODE_OFFLINE, .detector = "copod", .thread_count = 1, .knowledge = knowledge,
                                              .has_times = true };
        tcsi_alloc_trace_begin();
        tcsi_alloc_trace_fail_at(at);
        tcs_status status = tcsi_detect(frame, &options, &detection, &err);
        tcsi_detection_destroy(detection);
        assert_int_equal(tcsi_alloc_trace_stats().live_count, 0);
        tcsi_alloc_trace_end();
        if (status == TCS_OK) break;
        assert_int_equal(status, TCS_E_MEMORY);
    }
    tcsi_frame_destroy(frame);
    tcsi_knowledge_destroy(knowledge);
}

TCS_TEST_MAIN(cmocka_unit_test(test_limits_alarm_though_the_detector_is_silent), cmocka_unit_test(test_events_excuse),
              cmocka_unit_test(test_residuals_reach_the_detector), cmocka_unit_test(test_live_is_replay),
                  cmocka_unit_test(test_bundles_obey),
              cmocka_unit_test(test_damaged_bundles), cmocka_unit_test(test_offline_pipelines_obey),
              cmocka_unit_test(test_constraints_are_punished), cmocka_unit_test(test_what_was_punished_is_kept),
              cmocka_unit_test(test_memory_runs_out))
