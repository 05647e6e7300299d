/* tests/fuzz/block.c -- blocks of rows: bytes that say they are one, and any numbers there and back.
 *
 * The first byte's lowest bit chooses: 0, the rest is a block, which must be refused or decoded (and what was decoded, encoded and decoded
 * again, is the same); 1, the rest are columns of times, doubles and floats, which must come back bit for bit. */
#include "fuzz.h"

#include "store/block.h"

enum { ROW_MAX = 4096 };

static int64_t times[2][ROW_MAX];
static double values[2][2][ROW_MAX];
static float scores[2][2][ROW_MAX];

static void there_and_back(tcsi_block_shape shape)
{
    tcsi_buffer out;
    tcs_error err = { 0 };
    tcsi_buffer_init(&out, 1 << 26);
    const double *const in[] = { values[0][0], values[0][1] };
    const float *const in_scores[] = { scores[0][0], scores[0][1] };
    double *const back[] = { values[1][0], values[1][1] };
    float *const back_scores[] = { scores[1][0], scores[1][1] };
    FUZZ_REQUIRE(tcsi_block_encode(shape, times[0], in, in_scores, &out, &err) == TCS_OK);
    FUZZ_REQUIRE(tcsi_block_decode(out.data, out.size, times[1], back, back_scores, &err) == TCS_OK);
    FUZZ_REQUIRE(memcmp(times[0], times[1], shape.row_count * sizeof times[0][0]) == 0);
    for (size_t c = 0; c < shape.value_count; c++) FUZZ_REQUIRE(memcmp(in[c], back[c], shape.row_count * sizeof(double)) == 0);
    for (size_t c = 0; c < shape.score_count; c++) FUZZ_REQUIRE(memcmp(in_scores[c], back_scores[c], shape.row_count * sizeof(float)) == 0);
    tcsi_buffer_deinit(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    tcsi_block_shape shape;
    tcs_error err = { 0 };
    if (size < 1) return 0;
    if (bytes[0] & 1) {
        const size_t n = (size - 1) / 28 < ROW_MAX ? (size - 1) / 28 : ROW_MAX;
        if (n == 0) return 0;
        memcpy(times[0], bytes + 1, n * 8);
        memcpy(values[0][0], bytes + 1 + n * 8, n * 8);
        memcpy(values[0][1], bytes + 1 + n * 16, n * 8);
        memcpy(scores[0][0], bytes + 1 + n * 24, n * 4);
        there_and_back((tcsi_block_shape){ n, 2, 1 });
        return 0;
    }
    if (tcsi_block_shape_read(bytes + 1, size - 1, &shape, &err) != TCS_OK || shape.row_count > ROW_MAX || shape.value_count > 2 ||
        shape.score_count > 2)
        return 0;
    double *const into[] = { values[0][0], values[0][1] };
    float *const into_scores[] = { scores[0][0], scores[0][1] };
    tcs_status status = tcsi_block_decode(bytes + 1, size - 1, times[0], into, into_scores, &err);
    FUZZ_REQUIRE(status == TCS_OK || (status == TCS_E_FORMAT && strlen(err.text) > 5));
    if (status == TCS_OK) there_and_back(shape);
    return 0;
}
