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


# ---- auto_online: every distance from its definition ----

def period(x):
    """Highest local maximum of the autocorrelation at lags 4..399; 125 when it lies outside 6..303."""
    x = x - x.mean()
    acf = np.array([x[:len(x) - k] @ x[k:] for k in range(min(401, len(x)))]) / (x @ x)
    peaks = [k for k in range(4, len(acf) - 1) if acf[k] > max(acf[k - 1], acf[k + 1])]
    best = max(peaks, key=lambda k: acf[k], default=0)
    return best if 6 <= best <= 303 else 125


def alive(number, window, count, starts, limit):
    """First and last start (exclusive) of windows that are compared with segment number."""
    stride = number & -number if number else 0
    return (number + 1) * starts - 1 + window, limit * stride * starts + window if stride else count


def leaky_join(z, tau, limit, starts=64):
    f = max(1, int(3 * tau / 36 + 0.5))
    coarse = z[:len(z) // f * f].reshape(-1, f).mean(1)
    w = max(4, int(3 * tau / f + 0.5))
    weights = np.exp(-f / tau) ** np.arange(w - 1, -1, -1)
    weights /= weights.sum()
    windows = np.lib.stride_tricks.sliding_window_view(coarse, w)
    mean = windows @ weights
    variance = np.maximum((windows - mean[:, None]) ** 2 @ weights, 1e-12)
    out = np.full((2, len(windows)), np.inf)
    for g in range(len(windows) // starts):
        begin, end = alive(g, w, len(windows), starts, limit)
        past = slice(g * starts, (g + 1) * starts)
        for i in range(begin, min(end, len(windows))):
            covariance = ((windows[i] - mean[i]) * weights) @ (windows[past] - mean[past, None]).T
            c = variance[i] + variance[past] - 2 * covariance
            out[:, i] = np.minimum(out[:, i], [c.min(), (c + (mean[i] - mean[past]) ** 2).min()])
    rows = (np.arange(len(z)) + 1) // f - w
    known = np.where(np.isfinite(out), np.sqrt(np.maximum(np.where(np.isfinite(out), out, 0), 0)), 0)
    return [np.where(rows >= 0, k[np.maximum(rows, 0)], 0) for k in known]


def residuals(z, length, n_train):
    lags = sorted(set(range(1, min(max(8, length), 16) + 1)) | {k for k in (length - 1, length, length + 1) if 16 < k < n_train // 2})
    weights, spread, out, var = np.zeros(len(lags) + 1), np.eye(len(lags) + 1) * 10, np.zeros(len(z)), 1.0
    for t in range(max(lags), len(z)):
        row = np.r_[z[t - np.array(lags)], 1]
        out[t] = z[t] - row @ weights
        clipped = np.clip(out[t], -4 * np.sqrt(var), 4 * np.sqrt(var))
        var += 0.002 * (clipped ** 2 - var) + 1e-12
        gain = spread @ row / (1 + row @ spread @ row)
        weights, spread = weights + gain * clipped, spread - np.outer(gain, row @ spread)
    return out


def judged(v, least):
    """Z by the moments of all values before, from the first nonzero one; then T."""
    out, first = np.zeros(len(v)), int(np.argmax(v != 0)) if (v != 0).any() else len(v)
    for t in range(first + least, len(v)):
        past = v[first:t]
        out[t] = (v[t] - past.mean()) / (past.std() + 0.05 * abs(past.mean()) + 1e-12)
    return np.where(out > 0, np.abs(out) ** 1.25, 0.1 * out)


def members(x, n, limit):
    z, length = (x - x[:n].mean()) / x[:n].std(), min(period(x[:n]), max(4, n // 3))
    joins = [leaky_join(z, max(1.5, length * share), limit) for share in (1, 0.5, 0.25, 0.125)]
    squares = residuals(z, length, n) ** 2
    levels = [np.sqrt([squares[max(0, t + 1 - max(1, int(a * length))):t + 1].mean() for t in range(len(x))]) for a in (0.02, 0.1, 0.35)]
    return [j[0] for j in joins] + [j[1] for j in joins[:3]], levels, length, max(30, min(length, n // 4))


def channel_score(x, n, limit):
    near, far, _, least = members(x, n, limit)
    near, far = [judged(v, least) for v in near], [judged(v, least) for v in far]
    t = np.arange(len(x))
    return (sum(near) + sum(far) + 2 * np.max(near, 0) + np.max(far, 0)) * t / (t + n), least


def rhythm(n=1800):
    """Noise on a rhythm, a stretched cycle, a step, a burst."""
    rng = np.random.default_rng(22)
    phase = np.cumsum(np.r_[np.full(900, 1.0), np.full(40, 0.6), np.full(860, 1.0)]) * 2 * np.pi / 24
    x = np.sin(phase) + 0.4 * np.sin(2 * phase + 1) + rng.normal(0, 0.1, n)
    x[1200:1216] += 0.9
    x[1500:1530] += rng.normal(0, 0.6, 30)
    x = np.round(x * 7 + 40, 3)
    x[1000] = NAN
    return x


def auto_online():
    """One channel whose past outgrows the memory (four segments)."""
    x, n_train = rhythm(), 300
    seen = ~np.isnan(x)
    out = np.full(len(x), NAN)
    score, least = channel_score(x[seen], n_train, 4)
    out[seen] = np.where(np.arange(len(score)) < least, NAN, score)
    write("auto_online", x=x, score=out)


def judged_late(v, least, n):
    """As judged, but rows after training weigh a tenth, the size includes the mean, and Z itself counts above 0."""
    weights, out, first = np.ones(len(v)), np.zeros(len(v)), int(np.argmax(v != 0)) if (v != 0).any() else len(v)
    for t in range(first, len(v)):
        past, w = v[first:t], weights[first:t]
        if w.sum() >= least:
            mean = np.average(past, weights=w)
            size = np.sqrt(np.average((past - mean) ** 2, weights=w) + mean ** 2)
            out[t] = (v[t] - mean) / (size + 0.05 * abs(mean) + 1e-12)
        weights[t] = 1 if t < n or w.sum() < least - 1e-9 else 0.1
    return np.where(out > 0, out, 0.1 * out)


def moved(v, shift):
    return np.r_[v[shift:], np.full(min(shift, len(v)), v[-1])]


def centred_mean(v, width):
    return np.array([v[max(0, t - width // 2):t + width - width // 2].mean() for t in range(len(v))])


def auto_delayed():
    """The series of auto_online, judged up to one period later."""
    x, n = rhythm(), 300
    seen = ~np.isnan(x)
    near, far, length, least = members(x[seen], n, 4)
    t = np.arange(seen.sum())
    trust = t / (t + 1.5 * n)
    joins = sum(moved(judged_late(v, least, n) * trust, int(back * length + 0.5))
                for v, back in zip(near, (0.5, 0.4, 0.25, 0.12, 0.5, 0.4, 0.25)))
    late = sum(moved(judged_late(v, least, n) * trust, int(a / 2 * length + 0.5)) for v, a in zip(far, (0.02, 0.1, 0.35)))
    out = np.full(len(x), NAN)
    out[seen] = centred_mean(late, max(1, int(0.02 * length))) + centred_mean(late, max(1, int(0.5 * length))) + 2 * centred_mean(joins, length)
    write("auto_delayed", score=out)


def auto_online_joint():
    """The plant of channel_break: highest and mean of the channels' scores, times what the joint member says."""
    x, n_train = plant(), 240
    scores = np.array([channel_score(x[:, c], n_train, 80)[0] for c in range(3)])
    m, u = (scores.max(0) + scores.mean(0)) / 2, break_score(x[:, :3], n_train)
    gain = np.exp(2 * np.clip(u, -1, 3))
    write("auto_online_joint", score=np.where(m > 0, m * gain, m / gain), evidence=u)


if __name__ == "__main__":
    for make in [globals()[name] for name in sys.argv[1:]] or [channel_break, auto_online, auto_online_joint, auto_delayed]:
        make()
