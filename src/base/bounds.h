/* base/bounds.h -- the larger and the smaller of two numbers, as one instruction.
 *
 * fmax and fmin are calls: of a number and a NaN they are to give the number, whichever stands first, and the processor's instructions give
 * the second one.  So here the bound comes second and is a number, and then a NaN x gives the bound, as with fmax and fmin.  Of 0 and -0
 * either may come out.  Threads: reentrant. */
#ifndef TCS_BASE_BOUNDS_H
#define TCS_BASE_BOUNDS_H

static inline double tcsi_at_least(double x, double bound) { return x > bound ? x : bound; }
static inline double tcsi_at_most(double x, double bound) { return x < bound ? x : bound; }

#endif
