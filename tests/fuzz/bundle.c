/* tests/fuzz/bundle.c -- bundles that were damaged on purpose and sealed again.
 *
 * The input: one byte chooses the pipeline, the next how much is cut off, then (offset, three bytes; value) are written over its bundle.
 * What is damaged must be refused, or make a pipeline that can score, be saved and destroyed.  The detector in it has a seal of its own,
 * which stays: damage in there is what state.c is for. */
#include "fuzz.h"

#include "base/rng.h"
#include "pipeline/pipeline.h"

enum { SEAL_SIZE = 8, ROW_COUNT = 160, EDIT_SIZE = 4, FRESH = 2 };

static const tcsi_detect_options fits[] = {
    { .mode = TCS_MODE_ONLINE, .detector = "welford", .thread_count = 1 },
    { .mode = TCS_MODE_ONLINE, .detector = "pca_stream", .thread_count = 1, .budget = { .count = 2, .per_ns = 3600000000000 } },
    { .mode = TCS_MODE_ONLINE, .detector = "value_gap", .thread_count = 1 },
    { .mode = TCS_MODE_OFFLINE, .detector = "sub_pca", .thread_count = 1 },
    { .mode = TCS_MODE_OFFLINE, .detector = "auto_classic", .thread_count = 1 },
};

static tcsi_buffer saved[TCS_COUNT(fits)];
static tcsi_frame *frame;

static void make_frame(void)
{
    tcsi_rng rng = tcsi_rng_make(1, 0);
    FUZZ_REQUIRE(tcsi_frame_create(2, ROW_COUNT, true, false, &frame, NULL) == TCS_OK);
    for (int r = 0; r < ROW_COUNT; r++) {
        double row[] = { sin(r * 0.3) + 0.1 * tcsi_rng_normal(&rng), cos(r * 0.3) + (r == 150 ? 9 : 0) };
        FUZZ_REQUIRE(tcsi_frame_append(frame, row, r * TCSI_NS_PER_S, 0, NULL) == TCS_OK);
    }
}

static const tcsi_buffer *bundle(size_t index)
{
    tcsi_pipeline *pipeline;
    tcs_error err;
    if (saved[index].size > 0) return &saved[index];
    if (!frame) make_frame();
    tcsi_buffer_init(&saved[index], 1 << 26);
    FUZZ_REQUIRE(tcsi_pipeline_fit(frame, &fits[index], &pipeline, &err) == TCS_OK);
    FUZZ_REQUIRE(tcsi_pipeline_save(pipeline, &saved[index], &err) == TCS_OK);
    tcsi_pipeline_destroy(pipeline);
    return &saved[index];
}

/* The seal is of everything between header and itself. */
static void seal(uint8_t *bytes, size_t size)
{
    uint64_t header_size = 0;
    for (size_t i = 0; i < 8 && i < size; i++) header_size |= (uint64_t)bytes[i] << 8 * i;
    if (header_size > size || size - header_size < 8 + SEAL_SIZE) return;
    const size_t begin = 8 + (size_t)header_size;
    const uint64_t hash = tcsi_seal(TCSI_SEAL_BEGIN, bytes + begin, size - SEAL_SIZE - begin);
    for (size_t i = 0; i < SEAL_SIZE; i++) bytes[size - SEAL_SIZE + i] = (uint8_t)(hash >> 8 * i);
}

static void use(tcsi_pipeline *pipeline)
{
    tcsi_detection *detection = NULL;
    tcsi_buffer out;
    tcs_error err = { 0 };
    const tcsi_pipeline_run run = { .thread_count = 1, .advance = pipeline->mode == TCS_MODE_ONLINE };
    tcs_status status = tcsi_pipeline_score(pipeline, frame, &run, &detection, &err);
    FUZZ_REQUIRE(status == TCS_OK || (!detection && strlen(err.text) > 5));
    tcsi_detection_destroy(detection);
    tcsi_buffer_init(&out, 1 << 26);
    FUZZ_REQUIRE(tcsi_pipeline_save(pipeline, &out, &err) == TCS_OK);
    tcsi_buffer_deinit(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    if (size < FRESH || size > 64) return 0;
    const tcsi_buffer *original = bundle(bytes[0] % TCS_COUNT(fits));
    const size_t left = original->size - (bytes[1] & 1 ? bytes[1] % original->size : 0);
    uint8_t *damaged = malloc(left);
    FUZZ_REQUIRE(damaged);
    memcpy(damaged, original->data, left);
    for (size_t i = FRESH; i + EDIT_SIZE <= size; i += EDIT_SIZE)
        damaged[(bytes[i] | (size_t)bytes[i + 1] << 8 | (size_t)bytes[i + 2] << 16) % left] = bytes[i + 3];
    seal(damaged, left);
    tcsi_pipeline *pipeline = NULL;
    tcs_error err = { 0 };
    const tcs_status status = tcsi_pipeline_load(damaged, left, "fuzz", &pipeline, &err);
    FUZZ_REQUIRE(status == TCS_OK || (!pipeline && strlen(err.text) > 5));
    if (status == TCS_OK) use(pipeline);
    tcsi_pipeline_destroy(pipeline);
    free(damaged);
    return 0;
}
