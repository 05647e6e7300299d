/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/isa.h"

#include "base/log.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[TCSI_ISA_COUNT] = { "portable", "avx2", "avx512" };

const char *tcsi_isa_name(tcsi_isa isa)
{
    return names[isa];
}

#if defined(__x86_64__) && defined(__GNUC__)
bool tcsi_isa_supported(tcsi_isa isa)
{
    switch (isa) {
    case TCSI_ISA_PORTABLE: return true;
    case TCSI_ISA_AVX2: return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    case TCSI_ISA_AVX512:
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
               __builtin_cpu_supports("avx512bw") && tcsi_isa_supported(TCSI_ISA_AVX2);
    }
    return false;
}

bool tcsi_isa_has_bfloat16(tcsi_isa isa)
{
    return isa == TCSI_ISA_AVX512 && __builtin_cpu_supports("avx512bf16");
}
#else
bool tcsi_isa_supported(tcsi_isa isa)
{
    return isa == TCSI_ISA_PORTABLE;
}

bool tcsi_isa_has_bfloat16(tcsi_isa isa)
{
    (void)isa;
    return false;
}
#endif

static tcsi_isa choose(void)
{
    tcsi_isa best = TCSI_ISA_PORTABLE;
    for (int isa = 0; isa < TCSI_ISA_COUNT; isa++)
        if (tcsi_isa_supported((tcsi_isa)isa)) best = (tcsi_isa)isa;
    const char *wanted = getenv("TOCSIN_ISA");
    if (!wanted || !*wanted) return best;
    for (int isa = 0; isa < TCSI_ISA_COUNT; isa++)
        if (strcmp(wanted, names[isa]) == 0 && tcsi_isa_supported((tcsi_isa)isa)) return (tcsi_isa)isa;
    tcsi_log(TCSI_LOG_WARNING, "KERNELS-ISA-UNKNOWN",
             "TOCSIN_ISA=%s is not available here (expected portable, avx2 or avx512, and a processor that has it); using %s", wanted,
             names[best]);
    return best;
}

tcsi_isa tcsi_isa_current(void)
{
    /* Two threads may both choose at first; they choose the same, and only one of them logs. */
    static atomic_int chosen = -1;
    int isa = atomic_load_explicit(&chosen, memory_order_acquire);
    if (isa >= 0) return (tcsi_isa)isa;
    int expected = -1, found = (int)choose();
    if (atomic_compare_exchange_strong(&chosen, &expected, found))
        tcsi_log(TCSI_LOG_INFO, "KERNELS-ISA", "kernels use %s", names[found]);
    return (tcsi_isa)found;
}
