/* kernels/precision.h -- how the operands of a product are rounded before they are multiplied.
 *
 * Single: not at all.  Bfloat16: each operand to the nearest number with 8 significant bits (ties to even), on the way into the
 * product; products of two such numbers are exact in single precision, and sums, bias, residual, activation and everything in memory
 * stay single.  A relative error of at most 2^-9 an operand buys twice the multiply-adds an instruction where the processor has
 * AVX512_BF16.  Elsewhere the same rounding is done on copies and the ordinary product follows: as accurate, and slower than single.
 *
 * Rounding: NaN stays NaN, infinities stay; 0x1.ffp127 and above becomes infinite; below the least normal number, 2^-126, operands
 * become zero of their sign.  AVX512_BF16 flushes sums below it too, whatever the floating-point environment says; without it they
 * stay. */
#ifndef TCS_KERNELS_PRECISION_H
#define TCS_KERNELS_PRECISION_H

typedef enum tcsi_precision { TCSI_PRECISION_SINGLE, TCSI_PRECISION_BFLOAT16 } tcsi_precision;

#endif
