/* tests/fuzz/time.c -- time stamps, one a line: guessing, reading, and writing back what was read. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    enum { STAMP_COUNT_MAX = 64 };
    const char *texts[STAMP_COUNT_MAX];
    size_t lengths[STAMP_COUNT_MAX], count = 0, begin = 0;
    for (size_t i = 0; i <= size && count < STAMP_COUNT_MAX; i++) {
        if (i < size && bytes[i] != '\n') continue;
        texts[count] = (const char *)bytes + begin;
        lengths[count++] = i - begin;
        begin = i + 1;
    }
    tcsi_time_format format;
    if (!tcsi_time_guess(texts, lengths, count, &format)) return 0;
    FUZZ_REQUIRE(strcmp(tcsi_time_format_name(&format), "unknown") != 0);
    for (size_t i = 0; i < count; i++) {
        int64_t time_ns, again_ns;
        char text[TCSI_TIME_TEXT_SIZE];
        tcsi_time_format iso;
        if (!tcsi_time_parse(&format, texts[i], lengths[i], &time_ns)) continue;
        size_t length = tcsi_time_format_iso(time_ns, text, sizeof text);
        FUZZ_REQUIRE(length > 0 && length < sizeof text && tcsi_time_format_by_name("iso", &iso));
        FUZZ_REQUIRE(tcsi_time_parse(&iso, text, length, &again_ns) && again_ns == time_ns);
    }
    return 0;
}
