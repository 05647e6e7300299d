#!/usr/bin/env python3
"""Golden vectors for the fast detectors: plain, slow implementations, or the River library's where it has the detector.

usage: fast.py [NAME ...]      writes NAME.csv beside this script; without names, all of them
Made with Python 3.11, numpy 1.26 to 2.x (legacy-free default_rng), scipy, river 0.26.1; seeds are in the code.
"""
import pathlib
import sys

import numpy as np

HERE = pathlib.Path(__file__).parent
NAN = float("nan")


def write(name, **columns):
    keys = list(columns)
    with open(HERE / f"{name}.csv", "w") as file:
        file.write(",".join(keys) + "\n")
        for row in zip(*columns.values()):
            file.write(",".join("nan" if np.isnan(v) else repr(float(v)) for v in row) + "\n")


def series(seed, n=300):
    """Noise with a level shift, spikes and gaps."""
    rng = np.random.default_rng(seed)
    x = rng.normal(50, 2, n)
    x[140:150] += 30
    x[200:] += 8
    x[[60, 61, 90, 170]] = [90, 10, 400, -300]
    x[[33, 100, 101]] = NAN
    return x


def center_spread(first):
    center = np.median(first)
    spread = 1.4826 * np.median(np.abs(first - center))
    return center, spread if spread > 0 else 1.2533 * np.mean(np.abs(first - center))


def ewma():
    x, alpha, clip, patience = series(1), 0.02, 3.0, 50
    out, first, run, mean, var = [], [], 0, None, None
    for v in x:
        if np.isnan(v):
            out.append(NAN)
            continue
        if mean is None:
            out.append(NAN)
            first.append(v)
            if len(first) == 30:
                mean, spread = center_spread(first)
                var = spread**2
            continue
        d, s = v - mean, np.sqrt(var)
        out.append(abs(d) / s)
        run = run + 1 if abs(d) > clip * s else 0
        if run and run <= patience:
            d = np.sign(d) * clip * s
        var = (1 - alpha) * (var + alpha * d * d)
        mean += alpha * d
    write("ewma", x=x, score=out)


def cusum():
    x, slack, ceiling, clip, alpha, patience = series(2), 0.5, 50.0, 6.0, 0.001, 40
    out, first, ref, run = [], [], None, 0
    for v in x:
        if np.isnan(v):
            out.append(NAN)
            continue
        if ref is None:
            out.append(NAN)
            first.append(v)
            if len(first) == 50:
                ref, up, down, first, run = list(center_spread(first)), 0.0, 0.0, [], 0
            continue
        z = np.clip((v - ref[0]) / ref[1], -clip, clip)
        up, down = min(ceiling, max(0, up + z - slack)), min(ceiling, max(0, down - z - slack))
        ref[0] += alpha * ref[1] * np.clip(z, -1, 1)
        out.append(max(up, down))
        run = run + 1 if out[-1] >= ceiling else 0
        if run >= patience:
            ref = None
    write("cusum", x=x, score=out)


def page_hinkley():
    from river.drift import PageHinkley
    x = series(3, 600)
    test, out, n = PageHinkley(min_instances=30, delta=0.1, threshold=60.0, alpha=0.999), [], 0
    restarted = False
    for v in x:
        if np.isnan(v):
            out.append(NAN)
            continue
        n = 1 if test.drift_detected else n + 1
        restarted |= n == 1 and len(out) > 0
        test.update(v)
        statistic = max(test._sum_increase - test._min_increase, test._max_decrease - test._sum_decrease)
        out.append(statistic if n >= (30 if restarted else 31) else NAN)
    write("page_hinkley", x=x, score=out)


if __name__ == "__main__":
    for make in [globals()[name] for name in sys.argv[1:]] or [ewma, cusum, page_hinkley]:
        make()
