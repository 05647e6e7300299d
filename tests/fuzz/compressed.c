/* tests/fuzz/compressed.c -- bodies in Snappy, gzip and zstd; the first byte chooses the format, the compression, or what headers say. */
#include "ingest.h"

/* Headers: the type, a 0 byte, the encoding, a 0 byte, the precision. */
static void choose(uint8_t route, const uint8_t *bytes, size_t size)
{
    char text[300] = { 0 };
    memcpy(text, bytes, size < 296 ? size : 296);
    const char *encoding = text + strlen(text) + 1;
    const char *precision = encoding < text + 296 ? encoding + strlen(encoding) + 1 : "";
    tcsi_ingest_facts facts = { (tcsi_ingest_route)(route & 3), text, encoding < text + 296 ? encoding : NULL, precision < text + 296 ? precision : NULL };
    tcsi_ingest_format format = { 0 };
    tcs_error err = { 0 };
    tcs_status status = tcsi_ingest_choose(&facts, &format, &err);
    FUZZ_REQUIRE(status == TCS_OK ? format.decoder >= TCSI_INGEST_REMOTE_WRITE_1 && format.decoder <= TCSI_INGEST_NDJSON : strlen(err.text) > 5);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    if (size == 0) return 0;
    if (bytes[0] & 0x80) choose(bytes[0], bytes + 1, size - 1);
    else fuzz_ingest((tcsi_ingest_format){ .decoder = (uint8_t)(1 + (bytes[0] >> 2) % 6), .compression = bytes[0] & 3 }, bytes + 1, size - 1);
    return 0;
}
