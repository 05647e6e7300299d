/* tests/fuzz/selector.c -- selectors of series and the patterns in them: never a hang, never more steps than promised. */
#include "ingest.h"

#include "serve/history/selector.h"

static const char *const series[] = { "up{instance=\"10.0.0.1:9100\",job=\"node\"}", "{\"http.requests\",path=\"/a\"}", "load" };

/* Alone, as a pattern: whatever is accepted takes at most its length for each byte. */
static void fuzz_pattern(const uint8_t *bytes, size_t size)
{
    static tcsi_regex pattern;
    static char text[256];
    tcs_error err = { 0 };
    const tcs_status status = tcsi_regex_compile(&pattern, (const char *)bytes, size, &err);
    FUZZ_REQUIRE(status == TCS_OK || ((status == TCS_E_INVALID || status == TCS_E_LIMIT) && strlen(err.text) > 5));
    if (status != TCS_OK) return;
    FUZZ_REQUIRE(pattern.step_count <= TCSI_REGEX_PROGRAM_MAX && pattern.set_count <= TCSI_REGEX_SETS_MAX);
    for (size_t i = 0; i < sizeof text; i++) text[i] = (char)(size ? bytes[i % size] : 'a');
    (void)tcsi_regex_match(&pattern, text, sizeof text);
    FUZZ_REQUIRE(pattern.cost <= 2 * pattern.step_count * (sizeof text + 1));
    (void)tcsi_regex_match(&pattern, "", 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    tcsi_selector selector;
    tcsi_arena arena;
    tcsi_key key;
    tcs_error err = { 0 };
    tcsi_arena_init(&arena, 1 << 22);
    const tcs_status status = tcsi_selector_parse((const char *)bytes, size, &arena, &selector, &err);
    const bool is_refused = status == TCS_E_INVALID || status == TCS_E_LIMIT || status == TCS_E_MEMORY;
    FUZZ_REQUIRE(status == TCS_OK || (is_refused && strlen(err.text) > 5));
    for (size_t i = 0; status == TCS_OK && i < TCS_COUNT(series); i++) {
        FUZZ_REQUIRE(tcsi_key_parse(series[i], strlen(series[i]), &arena, &key, &err) == TCS_OK);
        (void)tcsi_selector_match(&selector, &key);
    }
    key = (tcsi_key){ .tag_count = 0 }; /* a series without labels is never selected */
    FUZZ_REQUIRE(status != TCS_OK || !tcsi_selector_match(&selector, &key));
    tcsi_arena_deinit(&arena);
    fuzz_pattern(bytes, size);
    return 0;
}
