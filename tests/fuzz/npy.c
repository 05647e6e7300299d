/* tests/fuzz/npy.c -- the NPY reader. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    fuzz_read(bytes, size, &(tcsi_read_options){ .format = "npy" });
    return 0;
}
