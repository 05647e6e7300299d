#!/usr/bin/env python3
"""Makes window.csv: scores of sub-sequence detectors from stumpy, scikit-learn and plain numpy.

Everything below is written from the definitions, window by window, without the recurrences of the C code.
nan stands for a row that is not scored.
"""
import pathlib

import numpy as np
import sklearn
import stumpy
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors

SEED, ROWS, TRAIN, WINDOW = 20261123, 600, 300, 25


def windows(values, width):
    return np.lib.stride_tricks.sliding_window_view(values, width)


def average(values, factor):
    count = -(-len(values) // factor)
    padded = np.concatenate([values, np.full(count * factor - len(values), values[-1])])
    return padded.reshape(count, factor).mean(1)


def place(scores, width, factor=1):
    """Window scores to rows: at the window's centre, linear between, constant at the ends."""
    centre = (np.arange(len(scores)) + width // 2 + 0.5) * factor - 0.5
    return np.interp(np.arange(ROWS), centre, scores)


def segment_join(z, window, factor, segment_count, rank, raw):
    coarse = average(z, factor)
    width = max(4, window // factor)
    w = windows(coarse, width)
    if not raw:
        w = w - w.mean(1, keepdims=True)
    count = len(w)
    size = min(2 * width, count // 2)
    minima = []
    for begin in np.unique(np.linspace(0, count - size, segment_count).astype(int)):
        distance = ((w[:, None, :] - w[None, begin:begin + size, :]) ** 2).mean(2).min(1)
        distance[max(0, begin - width):begin + size + width] = np.inf
        minima.append(distance)
    return place(np.sqrt(np.sort(minima, axis=0)[rank - 1]), width, factor)


def left_profile(x, window):
    profile = stumpy.stump(x, window)
    w = windows(x, window)
    w = (w - w.mean(1, keepdims=True)) / w.std(1, keepdims=True)
    scores = np.full(ROWS, np.nan)
    for i, j in enumerate(profile[:, 2].astype(int)):
        if j >= 0:
            scores[i + window - 1] = np.linalg.norm(w[i] - w[j])
    return scores


def stream_join(z, window, segment_count):
    w = windows(z, window)
    w = w - w.mean(1, keepdims=True)
    size = 2 * window
    scores = np.full(ROWS, np.nan)
    for i in range(len(w)):
        for segment in range((i + 1 - window) // size if i >= window else 0):
            power = segment & -segment if segment else 1 << 30
            if (i - window) // size < segment_count * power:
                nearest = np.sqrt(((w[i] - w[segment * size:(segment + 1) * size]) ** 2).mean(1).min())
                scores[i + window - 1] = np.nanmin([scores[i + window - 1], nearest])
    return scores


def sub_pca(z, train, window, ridge, skip):
    fitted = PCA(n_components=window, svd_solver="full").fit(windows(train, window))
    count = len(train) - window + 1
    values = fitted.explained_variance_ * (count - 1) / count
    before = np.concatenate([[0], np.cumsum(values)[:-1]])
    projected = fitted.transform(windows(z, window)) ** 2 / (values + ridge * values.mean())
    return place(np.sqrt(projected[:, before >= skip * values.sum()].sum(1)), window)


def patch_knn_own(z, window, bank_size, k):
    w = windows(z, window)
    stride = -(-len(w) // bank_size)
    starts = np.arange(0, len(w), stride)
    scores = []
    for i in range(len(w)):
        allowed = starts[np.abs(starts - i) >= window]
        scores.append(NearestNeighbors(n_neighbors=k).fit(w[allowed]).kneighbors(w[i:i + 1])[0].mean())
    return place(np.array(scores), window)


def patch_knn_fitted(z, train, window, k):
    return place(NearestNeighbors(n_neighbors=k).fit(windows(train, window)).kneighbors(windows(z, window))[0].mean(1), window)


def spectral_residual(z):
    spectrum = np.fft.fft(z)
    amplitude = np.abs(spectrum) + 1e-8
    logs = np.log(amplitude)
    logs[0] = (logs[1] + logs[-1]) / 2
    residual = logs - (np.roll(logs, 1) + logs + np.roll(logs, -1)) / 3
    saliency = np.abs(np.fft.ifft(spectrum / amplitude * np.exp(residual)))
    means = np.array([saliency[max(0, t - 20):t + 1].mean() for t in range(ROWS)])
    return np.abs(saliency - means) / (means + 1e-8)


def ar_residual(z, train, period):
    lags = list(range(1, period + 1)) + ([period + 1, 2 * period] if period < len(train) // 8 else [])
    longest = max(lags)
    rows = np.array([[train[t - lag] for lag in lags] + [1] for t in range(longest, len(train))])
    target = train[longest:]
    ridge = 1e-3 * len(target) * max(target.var(), 1e-9)
    weights = np.ones(len(target))
    for _ in range(2):
        root = np.sqrt(weights)
        a = np.vstack([rows * root[:, None], np.sqrt(ridge) * np.eye(rows.shape[1])])
        coefficients = np.linalg.lstsq(a, np.concatenate([target * root, np.zeros(rows.shape[1])]), rcond=None)[0]
        residual = np.abs(target - rows @ coefficients)
        weights = np.minimum(1, 2.5 * (np.median(residual) * 1.4826 + 1e-9) / np.maximum(residual, 1e-12))
    errors = np.zeros(ROWS)
    for t in range(longest, ROWS):
        errors[t] = z[t] - np.append([z[t - lag] for lag in lags], 1) @ coefficients
    half = period // 2
    return np.array([np.sqrt((errors[max(0, t - half):max(0, t - half + period)][:ROWS] ** 2).mean()) if t >= half
                     else np.sqrt((errors[:t - half + period] ** 2).mean()) for t in range(ROWS)])


def main():
    rng = np.random.default_rng(SEED)
    t = np.arange(ROWS)
    x = 5 + 2 * np.sin(2 * np.pi * t / WINDOW) + 0.3 * rng.normal(size=ROWS)
    x[430:450] += np.linspace(0, 2, 20)
    x[500:520] = x[500]
    z = (x - x.mean()) / x.std()
    train = (x[:TRAIN] - x[:TRAIN].mean()) / x[:TRAIN].std()
    by_train = (x - x[:TRAIN].mean()) / x[:TRAIN].std()
    columns = {
        "x": x,
        "matrix_profile": place(stumpy.stump(x, WINDOW)[:, 0].astype(float), WINDOW),
        "left_matrix_profile": left_profile(x, WINDOW),
        "segment_join": segment_join(z, WINDOW, 1, 20, 2, False),
        "segment_join_raw": segment_join(z, 70, 4, 10, 1, True),
        "stream_join": stream_join(by_train, WINDOW, 3),
        "sub_pca": sub_pca(z, z, WINDOW, 0.01, 0),
        "sub_pca_fitted": sub_pca(by_train, train, WINDOW, 0.05, 0.5),
        "patch_knn": patch_knn_own(z, WINDOW, 100, 3),
        "patch_knn_fitted": patch_knn_fitted(by_train, train, WINDOW, 5),
        "spectral_residual": spectral_residual(z),
        "ar_residual": ar_residual(by_train, train, WINDOW),
    }
    lines = [",".join(columns)]
    lines += [",".join(repr(float(v)) if c == 0 else format(v, ".10g") for c, v in enumerate(row)) for row in zip(*columns.values())]
    folder = pathlib.Path(__file__).parent
    (folder / "window.csv").write_text("\n".join(lines) + "\n")
    print(f"numpy {np.__version__}, scikit-learn {sklearn.__version__}, stumpy {stumpy.__version__}, seed {SEED}")


main()
