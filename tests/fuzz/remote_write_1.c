/* tests/fuzz/remote_write_1.c -- prometheus.WriteRequest, decompressed. */
#include "ingest.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    fuzz_ingest((tcsi_ingest_format){ .decoder = TCSI_INGEST_REMOTE_WRITE_1 }, bytes, size);
    return 0;
}
