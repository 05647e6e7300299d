/* tests/fuzz/ingest_ndjson.c -- rows of JSON as the service reads them. */
#include "ingest.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    fuzz_ingest((tcsi_ingest_format){ .decoder = TCSI_INGEST_NDJSON }, bytes, size);
    return 0;
}
