/* tests/fuzz/csv.c -- the CSV reader; the first byte chooses options. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static const char delimiters[] = "\0,;\t| ";
    if (size == 0) return 0;
    uint8_t choice = bytes[0];
    tcsi_read_options options = { .format = "csv", .skip_ragged = choice & 1, .as_series = choice & 2, .header = (tcsi_choice)(choice >> 2 & 3) % 3,
                                  .delimiter = choice & 16 ? delimiters[(choice >> 5) % 6] : 0 };
    fuzz_read(bytes + 1, size - 1, &options);
    return 0;
}
