#!/usr/bin/env python3
"""Golden vectors for src/series: the period by TSB-AD's rule, the centred moving average, quantiles and ranks.

usage: generate.py > series.txt          numpy 2.4.6, scipy 1.17.1, seed 20261123
Format: a line "name count", then one line with that many numbers.
"""
import numpy as np
from scipy.signal import argrelextrema
from scipy.stats import rankdata


def emit(name, values):
    values = np.atleast_1d(values)
    print(name, len(values))
    print(" ".join(repr(float(v)) for v in values))


def period_reference(x):
    """find_length_rank(x, 1): 400 lags of the biased autocorrelation of 20,000 rows, from lag 3 on, highest local maximum."""
    x = np.asarray(x, float)[:20000]
    n = len(x)
    centred = x - x.mean()
    if not np.any(centred):
        return 125
    covariances = np.array([np.dot(centred[: n - k], centred[k:]) for k in range(min(400, n - 1) + 1)])
    tail = (covariances / covariances[0])[3:]
    places = argrelextrema(tail, np.greater)[0]
    if len(places) == 0:
        return 125
    place = places[np.argmax(tail[places])]
    return 125 if place < 3 or place > 300 else int(place + 3)


def moving_average(x, w):
    """Mean over [i - w // 2, i - w // 2 + w), cut off at the ends."""
    return [np.mean(x[max(0, i - w // 2): min(len(x), i - w // 2 + w)]) for i in range(len(x))]


def main():
    rng = np.random.default_rng(20261123)
    t = np.arange(600)
    series = {
        "sine": np.sin(2 * np.pi * t / 37) + 0.3 * rng.normal(size=600),
        "bumps": np.exp(-0.5 * (((t % 71) - 30) / 4.0) ** 2) + 0.05 * rng.normal(size=600),
        "noise": rng.normal(size=600),
        "walk": np.cumsum(rng.normal(size=600)),
        "square": ((t // 24) % 2) * 2.0 + 0.1 * rng.normal(size=600),
        "slow": np.sin(2 * np.pi * t / 420),
        "short": np.array([1.0, 4.0, 2.0, 5.0, 1.0]),
        "constant": np.full(50, 0.1),
    }
    for name, x in series.items():
        x = np.round(x, 4)
        emit("series." + name, x)
        emit("period." + name, period_reference(x))
    x = np.round(rng.normal(size=60), 3)
    emit("moving.input", x)
    for w in (1, 2, 5, 8, 61, 200):
        emit(f"moving.mean.{w}", moving_average(x, w))
    for level in (0.0, 0.01, 0.25, 0.5, 0.9, 1.0):
        emit(f"quantile.{level}", np.quantile(x, level))
    ties = np.round(x, 0)
    emit("ranks.input", ties)
    emit("ranks", rankdata(ties))
    emit("spectrum.input", x[:15])
    spectrum = np.fft.rfft(x[:15])
    emit("spectrum.re", spectrum.real)
    emit("spectrum.im", spectrum.imag)


main()
