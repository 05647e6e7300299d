#!/usr/bin/env python3
"""Golden vectors for src/metrics: small series, and every measure of them by slow, direct computation.

usage: generate.py > measures.json        (numpy 2.4.6, scipy 1.17.1, scikit-learn 1.9.1; seed 20261123)

Nothing here shares code or method with the C: areas and calibration come from scikit-learn and scipy, the rest is written
from the papers' definitions with loops over rows.  VUS sweeps 250 thresholds over whole arrays for each window; affiliation
integrates its defining probabilities by the midpoint rule on cells of 1/8 row, which is exact for functions that are linear
between multiples of 1/4 row; NAB walks the rows of a file.  A score of null is missing.
"""
import json
import math

import numpy as np
import scipy
import sklearn
from scipy.stats import foldnorm, kstest
from sklearn.metrics import average_precision_score, brier_score_loss, f1_score, log_loss, precision_recall_curve, precision_score, roc_auc_score

SEED = 20261123


def runs(flags):
    found, begin = [], None
    for i, flag in enumerate(list(flags) + [0]):
        if flag and begin is None:
            begin = i
        if not flag and begin is not None:
            found.append((begin, i))
            begin = None
    return found


def ranked(scores):
    """Missing as the lowest: the same order for scikit-learn, which takes no infinities."""
    finite = scores[np.isfinite(scores)]
    low, high = (finite.min() - 1, finite.max() + 1) if len(finite) else (0, 0)
    return np.where(np.isnan(scores) | (scores == -np.inf), low, np.where(scores == np.inf, high, scores))


def vus(scores, labels, window_max):
    n, events = len(scores), [(b, e - 1) for b, e in runs(labels)]
    down = np.sort(scores)[::-1]
    thresholds = [down[i] for i in np.linspace(0, n - 1, 250).astype(int)]
    total = labels.sum()
    ap_sum = auc_sum = 0.0
    for window in range(window_max + 1):
        half = window // 2
        soft = labels.astype(float)
        for first, last in events:
            for d in range(1, half + 1):
                for i in (first - d, last + d):
                    if 0 <= i < n:
                        soft[i] += math.sqrt(1 - d / window)
        soft = np.minimum(soft, 1.0)
        groups = [[events[0][0] - half, events[0][1] + half]]
        for first, last in events[1:]:
            if groups[-1][1] < first - half:
                groups.append([first - half, last + half])
            else:
                groups[-1][1] = last + half
        points = [(0.0, 0.0, 1.0)]
        for threshold in thresholds:
            alarmed = scores >= threshold
            tp = (soft * alarmed).sum()
            extra = (soft * alarmed * (labels == 0)).sum()
            share = (total + total + extra) / 2
            found = sum(alarmed[max(a, 0):b + 1].any() for a, b in groups) / len(groups)
            points.append((min(tp / share, 1) * found, (alarmed.sum() - tp) / (n - share) if n > share else math.nan, tp / alarmed.sum()))
        ap_sum += sum((b[0] - a[0]) * b[2] for a, b in zip(points, points[1:]))
        curve = [p[:2] for p in points] + [(1.0, 1.0)]
        auc_sum += sum((b[1] - a[1]) * (a[0] + b[0]) / 2 for a, b in zip(curve, curve[1:]))
    return ap_sum / (window_max + 1), auc_sum / (window_max + 1)


def point_adjusted(labels, alarmed):
    adjusted = alarmed.copy()
    for begin, end in runs(labels):
        if alarmed[begin:end].any():
            adjusted[max(begin, 1):end] = 1  # TSB-AD never adjusts row 0
    return f1_score(labels, adjusted, zero_division=0)


def event_f1(labels, alarmed):
    events = runs(labels)
    recall = sum(alarmed[b:e].any() for b, e in events) / len(events)
    precision = precision_score(labels, alarmed, zero_division=0)
    return 2 * recall * precision / (recall + precision + 1e-15)


def range_f1(labels, alarmed):
    def side(spans, others, alpha):
        total = 0.0
        for begin, end in spans:
            rows = set(range(begin, end))
            touching = [o for o in others if rows & set(range(*o))]
            overlap = sum(len(rows & set(range(*o))) for o in touching) / len(rows)
            total += alpha * bool(touching) + (1 - alpha) * (overlap / len(touching) if touching else 0)
        return total / len(spans) if spans else 0.0
    recall, precision = side(runs(labels), runs(alarmed), 0.2), side(runs(alarmed), runs(labels), 0.0)
    return 2 * recall * precision / (recall + precision) if recall + precision else 0.0


def affiliation_f1(labels, alarmed):
    n, events, alarms, cell = len(labels), runs(labels), runs(alarmed), 1 / 8
    precisions, recalls = [], []
    for k, (j0, j1) in enumerate(events):
        e0 = (events[k - 1][1] + j0) / 2 if k else 0
        e1 = (j1 + events[k + 1][0]) / 2 if k + 1 < len(events) else n
        pieces = [(max(a, e0), min(b, e1)) for a, b in alarms if max(a, e0) < min(b, e1)]
        if not pieces:
            recalls.append(0.0)
            continue
        values = []
        for a, b in pieces:
            for x in np.arange(a + cell / 2, b, cell):
                d = max(j0 - x, x - j1, 0)
                nearer = 0 if d == 0 else (j1 - j0) + min(d, j0 - e0) + min(d, e1 - j1)
                values.append(1 - nearer / (e1 - e0))
        precisions.append(np.mean(values))
        values = []
        for y in np.arange(j0 + cell / 2, j1, cell):
            d = min(max(a - y, y - b, 0) for a, b in pieces)
            values.append(1 - (min(y + d, e1) - max(y - d, e0)) / (e1 - e0))
        recalls.append(np.mean(values))
    if not precisions:
        return 0.0
    p, r = np.mean(precisions), np.mean(recalls)
    return 2 * p * r / (p + r + 1e-15)


def best_of_grid(measure, scores, labels):
    finite = scores[np.isfinite(scores)]
    grid = np.linspace(finite.min(), finite.max(), 100) if len(finite) else [0.0]
    return max(measure(labels, (np.nan_to_num(scores, nan=-np.inf, posinf=np.inf, neginf=-np.inf) > t).astype(int)) for t in grid)


def nab(scores, labels, fp_weight, fn_weight, thresholds):
    def s(y):
        return -1.0 if y > 3 else 2 / (1 + math.exp(5 * y)) - 1
    n, windows = len(scores), runs(labels)
    probation = min(math.floor(0.15 * n), 750)
    windows_seen = [w for w in windows if w[1] > probation]
    if not windows_seen:
        return math.nan
    best = -math.inf
    for threshold in thresholds:
        total, gains = 0.0, {w: -fn_weight for w in windows_seen}
        for i in range(probation, n):
            if not scores[i] >= threshold:
                continue
            inside = [w for w in windows if w[0] <= i < w[1]]
            before = [w for w in windows if w[1] <= i]
            if inside:
                begin, end = inside[0]
                gains[inside[0]] = max(gains[inside[0]], s(-(end - i) / (end - begin)) / s(-1))
            elif before:
                begin, end = before[-1]
                total += fp_weight * s((i - end + 1) / max(end - begin - 1, 1))
            else:
                total -= fp_weight
        best = max(best, total + sum(gains.values()))
    worst = -fn_weight * len(windows_seen)
    return 100 * (best - worst) / (len(windows_seen) - worst)


def precision_at(scores, labels, k):
    if k == 0:
        return math.nan
    kth = np.sort(scores)[::-1][k - 1]
    above, tied = scores > kth, scores == kth
    return (labels[above].sum() + labels[tied].mean() * (k - above.sum())) / k


def calibration(case, labels):
    keys = ["brier", "ece", "ece_debiased", "log_loss", "brier_reliability", "brier_resolution", "brier_uncertainty", "coverage",
            "band_width", "p_value_error"]
    out = dict.fromkeys(keys, math.nan)
    if "probabilities" in case:
        p = np.array([math.nan if v is None else v for v in case["probabilities"]])
        kept = ~np.isnan(p)
        p, y = p[kept], labels[kept]
        bins = np.minimum((p * 15).astype(int), 14)
        out["brier"] = brier_score_loss(y, p)
        out["ece"] = sum(abs(p[bins == b].mean() - y[bins == b].mean()) * (bins == b).sum() for b in set(bins)) / len(p)
        out["log_loss"] = log_loss(y, np.clip(p, 1e-15, 1 - 1e-15))
        out.update(brier_reliability=0, brier_resolution=0, brier_uncertainty=y.mean() * (1 - y.mean()), ece_debiased=0)
        for b in set(bins):
            n, mean, share = (bins == b).sum(), p[bins == b].mean(), y[bins == b].mean()
            spread = math.sqrt(share * (1 - share) / n)
            folded = foldnorm(abs(mean - share) / spread, scale=spread).mean() if spread else abs(mean - share)
            out["brier_reliability"] += n / len(p) * (mean - share) ** 2
            out["brier_resolution"] += n / len(p) * (share - y.mean()) ** 2
            out["ece_debiased"] += n / len(p) * (2 * abs(mean - share) - folded)
        out["ece_debiased"] = max(out["ece_debiased"], 0)
    if "lows" in case:
        value, low, high = (np.array([math.nan if v is None else v for v in case[k]]) for k in ("values", "lows", "highs"))
        kept = ~np.isnan(value + low + high) & (labels == 0)
        out["coverage"] = ((value >= low) & (value <= high))[kept].mean()
        out["band_width"] = (high - low)[kept].mean()
    if "p_values" in case:
        p = np.array([math.nan if v is None else v for v in case["p_values"]])
        out["p_value_error"] = kstest(p[(labels == 0) & ~np.isnan(p)], "uniform").statistic
    return out


def measures(case):
    n = case["n"]
    scores = np.array([math.nan if v is None else v for v in case["scores"]], dtype=float)
    labels = np.zeros(n, dtype=int)
    for begin, end in case["events"]:
        labels[begin:end] = 1
    rank = ranked(scores)
    both = 0 < labels.sum() < n
    has_events = labels.sum() > 0
    m = {}
    m["vus_pr"], m["vus_roc"] = vus(rank, labels, case["window"]) if has_events else (math.nan, math.nan)
    m["auc_pr"] = average_precision_score(labels, rank) if has_events else math.nan
    m["auc_roc"] = roc_auc_score(labels, rank) if both else math.nan
    m["precision_at_k"] = precision_at(rank, labels, int(labels.sum()))
    peak = int(np.argmax(rank))
    m["located"] = float(any(b - case["tolerance"] <= peak < e + case["tolerance"] for b, e in case["events"])) if has_events else math.nan
    if not np.isfinite(scores).any() and has_events:
        m["located"] = 0.0
    decided = "decisions" in case or "threshold" in case
    if "decisions" in case:
        alarmed = np.array(case["decisions"])
    elif "threshold" in case:
        alarmed = (np.nan_to_num(scores, nan=-np.inf) >= case["threshold"]).astype(int)
        m["threshold"] = case["threshold"]
    elif has_events:
        precision, recall, thresholds = precision_recall_curve(labels, rank)
        f1 = 2 * precision * recall / (precision + recall + 1e-5)
        best = int(np.argmax(f1))
        m["f1"] = f1[best]
        alarmed = (rank >= thresholds[best]).astype(int)
    if decided and has_events:
        m["f1"] = f1_score(labels, alarmed, zero_division=0)
        m["f1_point_adjusted"], m["f1_event"] = point_adjusted(labels, alarmed), event_f1(labels, alarmed)
        m["f1_range"], m["f1_affiliation"] = range_f1(labels, alarmed), affiliation_f1(labels, alarmed)
    elif has_events:
        m["f1_point_adjusted"], m["f1_event"] = best_of_grid(point_adjusted, scores, labels), best_of_grid(event_f1, scores, labels)
        m["f1_range"], m["f1_affiliation"] = best_of_grid(range_f1, scores, labels), best_of_grid(affiliation_f1, scores, labels)
    if decided or has_events:
        alarms = runs(alarmed)
        hits = [[i for i in range(b, e) if alarmed[i]] for b, e in case["events"]]
        delays = [h[0] - b for h, (b, e) in zip(hits, case["events"]) if h]
        false = sum(1 for b, e in alarms if not labels[b:e].any())
        m["precision"] = (labels[alarmed == 1].mean() if alarmed.any() else 0.0) if has_events else math.nan
        m["recall"] = alarmed[labels == 1].mean() if has_events else math.nan
        m["event_recall"] = sum(map(bool, hits)) / len(hits) if has_events else math.nan
        m["far"] = alarmed[labels == 0].mean() if labels.sum() < n else math.nan
        m["mar"] = 1 - m["recall"]
        m["alarms"], m["false_alarms"] = float(len(alarms)), float(false)
        m["false_alarms_per_day"] = false / (n * case["row_seconds"] / 86400) if "row_seconds" in case else math.nan
        m["detect_delay_rows"] = np.mean(delays) if delays else math.nan
        m["detect_delay_rows_median"] = np.median(delays) if delays else math.nan
        m["detect_delay_seconds"] = np.mean(delays) * case["row_seconds"] if delays and "row_seconds" in case else math.nan
        m["cost"] = 10.0 * sum(not h for h in hits) + 1.0 * false
    for key, fp, fn in (("nab_standard", 0.11, 1.0), ("nab_low_fp", 0.22, 1.0), ("nab_low_fn", 0.11, 2.0)):
        m[key] = math.nan
        if has_events and decided:
            m[key] = nab(alarmed, labels, fp, fn, [1])
        elif has_events:
            m[key] = nab(scores, labels, fp, fn, [np.inf if not (scores == np.inf).any() else np.nan] + sorted(set(scores[np.isfinite(scores) | (scores == np.inf)])))
    m.update(calibration(case, labels))
    return {key: None if math.isnan(value) else float(value) for key, value in m.items()}


def cases(rng):
    def noise(n, digits=3):
        return [round(float(v), digits) for v in rng.normal(size=n)]

    def lifted(n, events, by, digits=3):
        scores = rng.normal(size=n)
        for begin, end in events:
            scores[begin:end] += by
        return [round(float(v), digits) for v in scores]

    three = [[20, 30], [60, 61], [90, 110]]
    close = [[30, 33], [35, 36], [40, 47], [52, 53]]
    yield "noise", 120, three, 12, noise(120), {}
    yield "signal", 120, three, 20, lifted(120, three, 2.0), {"row_seconds": 3600.0}
    yield "ties", 120, three, 15, lifted(120, three, 1.5, 0), {}
    yield "close_events", 80, close, 14, lifted(80, close, 1.0), {}
    yield "edges", 70, [[0, 5], [64, 70]], 9, lifted(70, [[0, 5], [64, 70]], 1.0), {}
    yield "event_at_row_0_found_late", 40, [[0, 6]], 6, [0.0] * 3 + [2.0] * 2 + noise(35), {}
    yield "window_longer_than_series", 25, [[10, 13]], 80, lifted(25, [[10, 13]], 1.0), {}
    yield "window_0", 50, [[10, 13], [30, 40]], 0, noise(50), {}
    yield "alternating", 30, [[i, i + 1] for i in range(0, 30, 2)], 8, noise(30), {}
    yield "constant", 40, [[10, 15]], 6, [1.0] * 40, {}
    yield "all_missing", 40, [[10, 15]], 6, [None] * 40, {}
    some = lifted(90, [[40, 55]], 2.0)
    for i in (3, 44, 45, 80):
        some[i] = None
    yield "some_missing", 90, [[40, 55]], 10, some, {}
    yield "no_event", 40, [], 10, noise(40), {}
    yield "one_normal_row", 30, [[0, 29]], 7, noise(30), {}
    yield "one_row", 1, [[0, 1]], 3, [0.5], {}
    wide = [round(float(v), 6) for v in 10.0 ** rng.uniform(-6, 6, size=100)]
    yield "six_decades", 100, [[50, 60]], 10, wide, {}
    flags = [int(v) for v in rng.random(120) < 0.12]
    flags[22:28] = [1] * 6
    yield "decisions", 120, three, 12, noise(120), {"decisions": flags, "row_seconds": 60.0}
    yield "no_decision", 120, three, 12, noise(120), {"decisions": [0] * 120, "row_seconds": 60.0}
    yield "threshold", 120, three, 12, lifted(120, three, 2.0), {"threshold": 1.25}
    yield "threshold_no_event", 60, [], 12, noise(60), {"threshold": 0.5, "row_seconds": 86400.0}
    labels = np.zeros(120)
    for begin, end in three:
        labels[begin:end] = 1
    stated = [round(float(v), 4) for v in np.clip(0.2 + 0.5 * labels + 0.2 * rng.normal(size=120), 0, 1)]
    stated[7] = None
    p_values = [round(float(v), 4) for v in rng.random(120) ** (1 + 3 * labels)]
    p_values[9] = None
    own = noise(120)
    bands = {"values": noise(120), "lows": [-1.5 + v / 10 for v in noise(120)], "highs": [1.5 + v / 10 for v in noise(120)]}
    bands["values"][11] = bands["lows"][3] = bands["highs"][60] = None
    yield "stated", 120, three, 12, own, {"probabilities": stated, "p_values": p_values, **bands}


def main():
    rng = np.random.default_rng(SEED)
    lines = []
    for name, n, events, window, scores, more in cases(rng):
        case = {"name": name, "n": n, "events": events, "window": window, "tolerance": 5, "scores": scores, **more}
        lines.append(json.dumps({**case, "measures": measures(case)}, allow_nan=False))
    source = f"generate.py: numpy {np.__version__}, scipy {scipy.__version__}, scikit-learn {sklearn.__version__}, seed {SEED}"
    print('{"source": ' + json.dumps(source) + ',\n"cases": [\n' + ",\n".join(lines) + "\n]}")


if __name__ == "__main__":
    main()
