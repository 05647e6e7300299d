/* kernels/unroll.h -- asks gcc to write the loop that follows out, so that what it sums stays in registers.  clang does by itself, and
 * debug builds of gcc would warn that they do not. */
#ifndef TCS_KERNELS_UNROLL_H
#define TCS_KERNELS_UNROLL_H

#if defined(__clang__) || !defined(__OPTIMIZE__)
#define TCSI_UNROLL(count)
#else
#define TCSI_PRAGMA(text) _Pragma(#text)
#define TCSI_UNROLL(count) TCSI_PRAGMA(GCC unroll count)
#endif

#endif
