/* tests/fuzz/line_protocol.c -- InfluxDB's line protocol; the first byte chooses the precision. */
#include "ingest.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    if (size == 0) return 0;
    fuzz_ingest((tcsi_ingest_format){ .decoder = TCSI_INGEST_LINE_PROTOCOL, .precision = bytes[0] & 3 }, bytes + 1, size - 1);
    return 0;
}
