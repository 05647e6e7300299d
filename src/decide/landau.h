/* decide/landau.h -- upper tail of the stable distribution with exponent 1 and skewness 1, of which Landau's is a shift and a scale.
 *
 * Means of numbers as heavy-tailed as 1 / p, p uniform, tend to it: the harmonic mean of p-values needs it (decide/fusion.h).  From
 * V. Zolotarev's integral without oscillation (J. Nolan, "Numerical calculation of stable densities and distribution functions",
 * Stochastic Models 13(4), 1997, theorem 1, alpha = 1):
 *     P(Z > z) = 1/pi integral over d from 0 to pi of 1 - e^(-e^y),   y = ln V(d) - pi z / 2
 * where V(d) = 2/pi (pi - d) / sin d exp((pi - d) cot d) falls.  In s = 1 / d the step from 1 to 0 is about 40 / pi wide wherever it lies.
 * Relative error below 1e-7 for z up to 1e300.  About 15 us. */
#ifndef TCS_DECIDE_LANDAU_H
#define TCS_DECIDE_LANDAU_H

double tcsi_landau_tail(double z); /* in (0, 1]; not NaN */

#endif
