/* detect/tabular/clones.h -- hot loops compiled several times, the best one picked when the program is loaded.
 * TCSI_CLONES in front of a function asks gcc for AVX-512, AVX2 and baseline copies.  Allowed only where lanes are
 * independent (no sum is reordered), so that every copy gives the same bits.  Elsewhere, and under the sanitizers, whose
 * start-up comes after the choice, there is one plain copy.  SPDX-License-Identifier: Apache-2.0 */
#ifndef TCS_DETECT_TABULAR_CLONES_H
#define TCS_DETECT_TABULAR_CLONES_H

#if defined(__x86_64__) && defined(__linux__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__) && \
    !defined(__SANITIZE_THREAD__)
#define TCSI_CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define TCSI_CLONES
#endif

#endif
