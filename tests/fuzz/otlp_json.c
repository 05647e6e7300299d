/* tests/fuzz/otlp_json.c -- OpenTelemetry's metrics in JSON. */
#include "ingest.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    fuzz_ingest((tcsi_ingest_format){ .decoder = TCSI_INGEST_OTLP_JSON }, bytes, size);
    return 0;
}
