#!/usr/bin/env python3
"""Fits the polynomials of src/kernels/math_lanes.h and random_lanes.h and prints their coefficients.  Needs numpy and mpmath; prints the same every time.

Each fit makes the largest relative error small: least squares on Chebyshev nodes whose weights grow where the error is large (C. L. Lawson,
1961), which ends near the minimax polynomial.  Coefficients are rounded to float one by one from the lowest, the others being fitted again
to what is left; of the lowest two, their neighbours are tried as well.
"""
import itertools

import mpmath
import numpy

mpmath.mp.dps = 40
NODE_COUNT, ROUND_COUNT = 600, 60


def minimax(values, powers, x, weights):
    """Coefficients of sum c x^p that make max |(sum - values) weights| nearly least."""
    columns = numpy.stack([x**p for p in powers], 1) * weights[:, None]
    scale = numpy.abs(columns).max(0)
    share, best = numpy.full(len(x), 1 / len(x)), None
    for _ in range(ROUND_COUNT):
        root = numpy.sqrt(share)
        found = numpy.linalg.lstsq(columns / scale * root[:, None], values * weights * root, rcond=None)[0] / scale
        error = numpy.abs(columns @ found - values * weights)
        if best is None or error.max() < best[1]:
            best = found, error.max()
        share = share * (error + 1e-30)
        share /= share.sum()
    return best[0]


def rounded(values, powers, x, weights, fixed):
    """All coefficients as floats, the first of them given, and the largest error."""
    found = list(fixed)
    rest = values - sum(c * x**p for c, p in zip(found, powers))
    for index in range(len(found), len(powers)):
        found.append(float(numpy.float32(minimax(rest, powers[index:], x, weights)[0])))
        rest = rest - found[-1] * x**powers[index]
    return found, numpy.abs(rest * weights).max()


def neighbour(value, steps):
    value = numpy.float32(value)
    for _ in range(abs(steps)):
        value = numpy.nextafter(value, numpy.float32(numpy.inf * steps))
    return float(value)


def fit(name, function, powers, begin, end, weight):
    angles = numpy.pi * (numpy.arange(NODE_COUNT) + 0.5) / NODE_COUNT
    x = begin + (end - begin) * (1 - numpy.cos(angles)) / 2
    values = numpy.array([float(function(mpmath.mpf(float(v)))) for v in x])
    weights = numpy.array([float(weight(mpmath.mpf(float(v)))) for v in x])
    free = minimax(values, powers, x, weights)
    choices = [rounded(values, powers, x, weights, [neighbour(free[k], s) for k, s in enumerate(steps)])
               for steps in itertools.product((0, -1, 1), repeat=2)]
    found, error = min(choices, key=lambda choice: choice[1])
    print(f"{name}: to {error:.1e}, lowest first")
    for coefficient in found:
        mantissa, power = coefficient.hex().split("p")
        print(f"    {mantissa.rstrip('0').rstrip('.')}p{power}f  {coefficient:.9g}")


def main():
    half = float(mpmath.log(2) / 2) * 1.001
    fit("exp(r) - 1 - r over r^2", lambda r: (mpmath.expm1(r) - r) / r, range(1, 6), -half, half, lambda r: r / mpmath.expm1(r))
    fit("log(1 + f) - f + f^2 / 2 over f^3", lambda f: (mpmath.log1p(f) - f + f * f / 2) / f, range(2, 10), float(mpmath.sqrt(0.5)) - 1.0001,
        float(mpmath.sqrt(2)) - 0.9999, lambda f: f / mpmath.log1p(f))
    fit("2 artanh(s) / s in s^2", lambda z: 2 * mpmath.atanh(mpmath.sqrt(z)) / mpmath.sqrt(z), range(5), 1e-9, 0.11112, lambda z: 0.5)

    def normal_ratio(u):
        """Phi(-a) exp(a^2 / 2) / t, with t = 1 / (1 + 5/8 a) and u = 2 t - 1."""
        t = (1 + u) / 2
        a = (1 / t - 1) * 8 / 5
        return mpmath.erfc(a / mpmath.sqrt(2)) * mpmath.exp(a * a / 2) / 2 / t

    fit("Phi(-a) exp(a^2 / 2) (1 + 5/8 a) in 2 / (1 + 5/8 a) - 1", normal_ratio, range(12), 2 / (1 + 0.625 * 14.6) - 1, 1.0,
        lambda u: 1 / normal_ratio(u))

    turn = 2 * mpmath.pi
    fit("2 artanh(s) / s in s^2, s <= 3 - 2 sqrt(2)", lambda z: 2 * mpmath.atanh(mpmath.sqrt(z)) / mpmath.sqrt(z), range(4), 1e-9, 0.02945,
        lambda z: 0.5)
    fit("sin(2 pi w) / w in w^2", lambda z: mpmath.sin(turn * mpmath.sqrt(z)) / mpmath.sqrt(z), range(4), 1e-9, 0.01563, lambda z: 1 / turn)
    fit("cos(2 pi w) - 1 over w^2, in w^2", lambda z: mpmath.cos(turn * mpmath.sqrt(z)) - 1, range(1, 5), 1e-9, 0.01563, lambda z: 1)


if __name__ == "__main__":
    main()
