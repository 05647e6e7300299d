/* tests/fuzz/ndjson.c -- the NDJSON reader. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    fuzz_read(bytes, size, &(tcsi_read_options){ .format = "ndjson" });
    return 0;
}
