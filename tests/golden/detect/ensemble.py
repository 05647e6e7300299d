#!/usr/bin/env python3
"""Golden vectors for the online ensemble's members, from plain numpy, scipy and scikit-learn.

usage: ensemble.py [NAME ...]      writes NAME.csv beside this script; without names, all of them
Made with Python 3.11, numpy 2.4, scipy 1.17, scikit-learn 1.9; seeds are in the code.
"""
import sys

import numpy as np
from fast import NAN, write


# ---- channel_break: whole arrays instead of a stream ----

def causal_mean(x, width):
    sums = np.cumsum(np.asarray(x, float), 0)
    out = sums.copy()
    out[width:] -= sums[:-width]
    count = np.minimum(np.arange(1, len(x) + 1), width)
    return out / (count[:, None] if out.ndim > 1 else count)


def standardized(x, n):
    spread = x[:n].std(0)
    centre = np.median(x[:n], 0)
    return np.clip((x - centre) / np.where(spread > 1e-9 * (1 + np.abs(centre)), spread, 1), -50, 50)


def prediction_error(x, n, kept, lags, w=10):
    from sklearn.covariance import ledoit_wolf
    mean = causal_mean(standardized(x, n), w)
    stacked = np.hstack([np.vstack([np.repeat(mean[:1], k * w, 0), mean[:len(mean) - k * w]]) for k in range(lags + 1)])
    values, vectors = np.linalg.eigh(ledoit_wolf(stacked[w:n])[0])
    share = np.cumsum(values[::-1]) / values.sum()
    out = vectors[:, ::-1][:, min(int(np.searchsorted(share, kept) + 1), len(values) - 1):]
    return (((stacked - stacked[w:n].mean(0)) @ out) ** 2).sum(1)


def gated_level(x, n, w=10):
    from scipy.optimize import nnls
    z = standardized(x, n)
    mean = causal_mean(z, w)
    lags = np.unique(np.linspace(w, max(min(200, n // 2), w + 2), 12).astype(int))
    basis = np.c_[np.ones(len(lags)), lags]
    gram = np.array([((mean[w + h:n] - mean[w:n - h]) ** 2).mean(0) for h in lags])
    fitted = np.array([nnls(basis / g.mean(), g / g.mean())[0] for g in gram.T])
    step, noise, row_noise = fitted[:, 1] + 1e-7, fitted[:, 0] / 2 + 1e-3, np.maximum(z[:n].var(0) / 2, 1e-3)
    level, variance, out = z[:w].mean(0), row_noise / w, np.zeros(len(x))
    for t in range(w, len(x)):
        variance = variance + step
        score = (mean[t] - level) / np.sqrt(variance + noise)
        out[t] = (score ** 2).sum()
        gain = np.where((t < n) | (np.abs(score) < 3), variance / (variance + row_noise), 0)
        level, variance = level + gain * (z[t] - level), variance * (1 - gain)
    return out


def residual_energy(x, n, w=20):
    z = standardized(x, n)
    z = z - causal_mean(z, 30)
    z = standardized(z / (z[:n].std(0) + 1e-6), n)
    residual = np.empty_like(z)
    for c in range(z.shape[1]):
        rest = [k for k in range(z.shape[1]) if k != c]
        a, y = z[:n, rest] - z[:n, rest].mean(0), z[:n, c] - z[:n, c].mean()
        weights = np.linalg.solve(a.T @ a + 0.1 * n * np.eye(len(rest)), a.T @ y)
        residual[:, c] = z[:, c] - z[:n, c].mean() - (z[:, rest] - z[:n, rest].mean(0)) @ weights
    residual = np.clip(residual / (residual[:n].std(0) + 1e-3), -4, 4)
    return causal_mean(residual ** 2, w).max(1)


def calibrated(statistic, x, n, skipped):
    edges, logs = np.linspace(0, n, 6).astype(int), []
    for a, b in zip(edges, edges[1:]):
        rows = np.r_[0:a, b:n, a:b]
        held_out = statistic(x[rows], n - (b - a))[n - (b - a):]
        logs.append(np.log(held_out[min(skipped, len(held_out) // 3):].max() + 1e-9))
    return np.log(np.maximum(statistic(x, n), 1e-6)) - np.mean(logs)


def break_score(x, n):
    joint = (calibrated(lambda a, m: prediction_error(a, m, 0.8, 1), x, n, 10)
             + calibrated(lambda a, m: prediction_error(a, m, 0.9, 2), x, n, 10) + calibrated(gated_level, x, n, 10)) / 3
    energy = calibrated(residual_energy, x, n, 20)
    return np.maximum(causal_mean(joint, 15), causal_mean(energy, 15) - 0.2) - 0.1


def plant(n=600):
    """Three channels that move together, and a switch; a broken correlation, a jump and a slow drift."""
    rng = np.random.default_rng(21)
    t = np.arange(n)
    common = np.sin(t * 0.07) + 0.5 * np.sin(t * 0.31)
    x = np.stack([common, 2 - common, 0.5 * common], 1) + rng.normal(0, 0.15, (n, 3))
    x[320:350, 1] = 2 + rng.normal(0, 0.8, 30)
    x[430:460, 2] += 1.5
    x[500:, 0] += (t[500:] - 500) * 0.004
    return np.round(np.c_[x, t // 50 % 2], 4)


def channel_break():
    x = plant()
    write("channel_break", a=x[:, 0], b=x[:, 1], c=x[:, 2], d=x[:, 3], score=break_score(x[:, :3], 240))


if __name__ == "__main__":
    for make in [globals()[name] for name in sys.argv[1:]] or [channel_break]:
        make()
