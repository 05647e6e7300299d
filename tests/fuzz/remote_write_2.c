/* tests/fuzz/remote_write_2.c -- io.prometheus.write.v2.Request, decompressed. */
#include "ingest.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    fuzz_ingest((tcsi_ingest_format){ .decoder = TCSI_INGEST_REMOTE_WRITE_2 }, bytes, size);
    return 0;
}
