/* tests/fuzz/state.c -- saved detectors that were damaged on purpose and sealed again.
 *
 * The input: one byte chooses the detector, the next how much is cut off, then triples of (offset, two bytes; value) are
 * written over its saved state.  A damaged state must be refused, or make a detector that can score, save and be destroyed.
 * The states are made here, so that the corpus stays right when a detector changes what it saves. */
#include "fuzz.h"

#include "base/rng.h"
#include "detect/detector.h"
#include "detect/registry.h"

enum { SEAL_SIZE = 8, ROW_COUNT = 160, DETECTOR_COUNT_MAX = 256 };

static tcsi_buffer saved[DETECTOR_COUNT_MAX];
static tcsi_frame *frame;

/* As in detect/detector.c: FNV-1a of everything before it, little-endian.  Without it nothing damaged would get in. */
static void seal(uint8_t *bytes, size_t size)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i + SEAL_SIZE < size; i++) hash = (hash ^ bytes[i]) * 0x100000001b3u;
    for (size_t i = 0; i < SEAL_SIZE; i++) bytes[size - SEAL_SIZE + i] = (uint8_t)(hash >> 8 * i);
}

static void make_frame(void)
{
    tcsi_rng rng = tcsi_rng_make(1, 0);
    FUZZ_REQUIRE(tcsi_frame_create(1, ROW_COUNT, true, false, &frame, NULL) == TCS_OK);
    for (int r = 0; r < ROW_COUNT; r++) {
        double value = sin(r * 0.3) + 0.1 * tcsi_rng_normal(&rng);
        FUZZ_REQUIRE(tcsi_frame_append(frame, &value, r * TCSI_NS_PER_S, 0, NULL) == TCS_OK);
    }
}

static const tcsi_buffer *saved_state(size_t index)
{
    tcsi_detector *detector;
    tcs_error err;
    tcs_score scores[ROW_COUNT];
    tcsi_buffer *out = &saved[index];
    if (out->size > 0) return out;
    if (!frame) make_frame();
    tcsi_buffer_init(out, 1 << 26);
    const tcsi_detector_info *info = tcsi_registry_at(index);
    FUZZ_REQUIRE(tcsi_detector_create(info, &(tcsi_detector_setup){ .channel_count = 1, .seed = 1 }, &detector, &err) == TCS_OK);
    tcs_status status = tcsi_detector_fit(detector, frame, &err);
    if (status == TCS_OK) status = tcsi_detector_score(detector, frame, scores, &err);
    FUZZ_REQUIRE(status == TCS_OK || strlen(err.text) > 5); /* some want more rows; their state is saved all the same */
    FUZZ_REQUIRE(tcsi_detector_save(detector, out, &err) == TCS_OK);
    tcsi_detector_destroy(detector);
    tcsi_detector *back; /* the seal above is the seal there */
    seal((uint8_t *)out->data, out->size);
    FUZZ_REQUIRE(tcsi_detector_load(out->data, out->size, NULL, &back, &err) == TCS_OK);
    tcsi_detector_destroy(back);
    return out;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    if (size < 2 || size > 64) return 0;
    const tcsi_buffer *original = saved_state(bytes[0] % tcsi_registry_count());
    size_t state_size = original->size - (bytes[1] & 1 ? bytes[1] % original->size : 0);
    if (state_size < SEAL_SIZE) state_size = SEAL_SIZE;
    uint8_t *state = malloc(state_size);
    FUZZ_REQUIRE(state);
    memcpy(state, original->data, state_size);
    for (size_t i = 2; i + 2 < size; i += 3) state[(bytes[i] | (size_t)bytes[i + 1] << 8) % state_size] = bytes[i + 2];
    seal(state, state_size);
    tcsi_detector *detector = NULL;
    tcs_error err = { 0 };
    tcs_status status = tcsi_detector_load(state, state_size, NULL, &detector, &err);
    FUZZ_REQUIRE(status == TCS_OK || (!detector && strlen(err.text) > 5));
    if (status == TCS_OK) {
        tcs_score scores[ROW_COUNT];
        tcsi_buffer out;
        tcsi_buffer_init(&out, 1 << 26);
        if (detector->channel_count == 1) status = tcsi_detector_score(detector, frame, scores, &err);
        FUZZ_REQUIRE(status == TCS_OK || strlen(err.text) > 5);
        FUZZ_REQUIRE(tcsi_detector_save(detector, &out, &err) == TCS_OK);
        tcsi_buffer_deinit(&out);
        tcsi_detector_destroy(detector);
    }
    free(state);
    return 0;
}
