/* tests/fuzz/series_key.c -- the text and the bytes of a series' key. */
#include "ingest.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    tcsi_key key;
    tcsi_arena arena;
    tcs_error err = { 0 };
    tcsi_arena_init(&arena, 1 << 20);
    tcs_status status = tcsi_key_parse((const char *)bytes, size, &arena, &key, &err);
    if (status == TCS_OK) fuzz_key(&key);
    else FUZZ_REQUIRE(status == TCS_E_FORMAT && strlen(err.text) > 5);
    status = tcsi_key_decode(bytes, size, &key, &err);
    if (status == TCS_OK) {
        unsigned char again[TCSI_KEY_SIZE_MAX];
        FUZZ_REQUIRE(tcsi_key_encode(&key, again) == size && memcmp(again, bytes, size) == 0);
        fuzz_key(&key);
    }
    tcsi_arena_deinit(&arena);
    return 0;
}
