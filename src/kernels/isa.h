/* kernels/isa.h -- which instruction set the kernels use, chosen once at run time.
 * Three tiers: portable C (the specification, runs anywhere), AVX2 with FMA, and AVX-512 (F, DQ, VL, BW).  The best one the
 * processor has is taken unless the environment variable TOCSIN_ISA names another (portable, avx2, avx512); a name that is
 * unknown or that the processor lacks is reported through the log hook and ignored.  The choice is logged once
 * ("KERNELS-ISA").  Results of different tiers agree within the tolerance each kernel states; one tier always gives the
 * same bits.  Threads: safe from any thread. */
#ifndef TCS_KERNELS_ISA_H
#define TCS_KERNELS_ISA_H

#include "base/status.h"

typedef enum tcsi_isa { TCSI_ISA_PORTABLE, TCSI_ISA_AVX2, TCSI_ISA_AVX512 } tcsi_isa;
enum { TCSI_ISA_COUNT = 3 };

tcsi_isa tcsi_isa_current(void);
bool tcsi_isa_supported(tcsi_isa isa); /* by this build and this processor */
/* Has the processor AVX512_BF16, within the tier avx512?  No tier of its own, because only products in bfloat16 use it
 * (kernels/precision.h); TOCSIN_ISA=avx2 turns it off. */
bool tcsi_isa_has_bfloat16(tcsi_isa isa);
const char *tcsi_isa_name(tcsi_isa isa); /* "portable", "avx2", "avx512" */

#endif
