/* tests/fuzz/otlp_protobuf.c -- OpenTelemetry's metrics in Protocol Buffers. */
#include "ingest.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    fuzz_ingest((tcsi_ingest_format){ .decoder = TCSI_INGEST_OTLP_PROTOBUF }, bytes, size);
    return 0;
}
