/* tests/fuzz/zstd.c -- zstd archives: the bytes are the same however they are read. */
#include "fuzz.h"

#include "io/stream.h"

/* Hash and length of up to 4 MiB of what comes out. */
static tcs_status drain(const uint8_t *bytes, size_t size, size_t step, uint64_t *ret_hash)
{
    static char out[4096];
    uint64_t hash = 1469598103934665603u;
    tcsi_stream *stream = NULL;
    tcs_error err = { 0 };
    tcs_status status = tcsi_stream_open_memory(bytes, size, "fuzz", &stream, &err);
    size_t count = 1;
    for (size_t total = 0; status == TCS_OK && count > 0 && total < 4 << 20; total += count) {
        count = 0;
        status = tcsi_stream_read_all(stream, out, step, &count, &err);
        for (size_t i = 0; i < count; i++) hash = (hash ^ (uint8_t)out[i]) * 1099511628211u;
    }
    FUZZ_REQUIRE(status == TCS_OK || (err.status == status && strlen(err.text) > 5));
    tcsi_stream_close(stream);
    *ret_hash = hash;
    return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static const uint8_t magic[] = { 0x28, 0xB5, 0x2F, 0xFD };
    uint64_t first, second;
    if (size < sizeof magic || memcmp(bytes, magic, sizeof magic) != 0) return 0;
    tcs_status status = drain(bytes, size, 4096, &first);
    FUZZ_REQUIRE(drain(bytes, size, 64, &second) == status);
    FUZZ_REQUIRE(status != TCS_OK || first == second);
    return 0;
}
