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


def residual_chart():
    """An autoregressive model of order one around a weighted mean, by the equations; in single precision where the state is."""
    rng = np.random.default_rng(12)
    x, f = series(12), np.float32
    for t in range(1, len(x)):  # rows that depend on each other
        x[t] += 0.8 * (x[t - 1] - 50) if not np.isnan(x[t - 1]) and abs(x[t - 1]) < 80 else rng.normal()
    alpha_min, clip, patience = 0.02, 3.0, 50
    out, n, run = [], 0, 0
    for v in x:
        if np.isnan(v):
            out.append(NAN)
            continue
        if n == 0:
            level, last, n, var, cov, res, before, reach, rest_reach = v, v, 1, f(0), f(0), f(0), f(0), f(0), f(0)
            out.append(NAN)
            continue
        rho = min(max(float(cov) / float(var), 0), 0.99) if var > 0 else 0
        d = v - level
        e = d - rho * (last - level)
        s, r = [max(np.sqrt(float(square)), 0.1 * float(far), 1e-150, 1e-12 * abs(level)) for square, far in ((var, reach), (res, rest_reach))]
        most = np.inf if var > 0 or reach > 0 else np.sqrt(n)
        out.append(min(max(abs(d) / s, abs(e) / r), most) if n >= 16 else NAN)
        a = max(alpha_min, 1 / (n + 1))
        far = n >= 16 and (abs(d) > clip * s or abs(e) > clip * r)
        reach, rest_reach = [far if far > 1e-36 else f(0) for far in (f(1 - 1 / 4000) * reach, f(1 - 1 / 4000) * rest_reach)]
        if far and run == 0:
            reach, rest_reach = [f(max(float(old), min(abs(step), 2 * max(float(old), np.sqrt(float(square))) or np.inf)))
                                 for old, step, square in ((reach, d, var), (rest_reach, e, res))]
        run = run + 1 if far else 0
        if far and run <= patience:
            d, e = np.clip(d, -clip * s, clip * s), np.clip(e, -clip * r, clip * r)
        level += a * d
        var = f((1 - a) * (float(var) + a * d * d))
        cov = f((1 - a) * float(cov) + a * d * float(before))
        res = f((1 - a) * float(res) + a * e * e)
        before, last, n = f(d), v, n + 1
    write("residual_chart", x=x, score=out)


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


class Gaps:
    """One feature of value_gap: intervals as a list of [low, high, epoch], gap counts as a dictionary by octave."""
    F = np.float32

    def __init__(self):
        self.intervals, self.octaves, self.zeros = [], {}, self.F(0)
        self.top, self.line, self.age = None, [], 16
        self.u = self.slope = self.lk = self.F(0)

    def gap(self, x):
        if not self.intervals or any(a <= x <= b for a, b, _ in self.intervals):
            return self.F(0)
        above, below = [a - x for a, _, _ in self.intervals if a > x], [x - b for _, b, _ in self.intervals if b < x]
        return min(above + below) * (self.F(1.4) if above and below else self.F(1))

    def count(self, place):
        """Weight in the place-th octave below the top; the last of 16 holds everything smaller."""
        if place < 15:
            return self.octaves.get(self.top - place, self.F(0)) if self.top is not None else self.F(0)
        return self.zeros + sum((c for o, c in self.octaves.items() if o <= self.top - 15), self.F(0))

    def weight(self):
        return sum(self.octaves.values(), self.F(0)) + self.zeros

    def refresh(self):
        F, w = self.F, self.weight()
        k = min(max(F(0.06) * w, F(10)), F(0.5) * w)
        above = total = F(0)
        place = 0
        center = F(1.44) * F(2.0 ** self.top) if self.top is not None else F(0)
        while place < 15 and above + self.count(place) < k:
            above += self.count(place)
            total += self.count(place) * center
            place, center = place + 1, center * F(0.5)
        self.u = center if self.count(place) > 0 and place < 15 else F(0)
        excess = (total - above * self.u) / k if above > 0 else F(0)
        self.slope = F(0.43429448) / max(excess, F(1e-6) * self.u + F(1e-30))
        self.lk = -np.log10(k / (w + F(1)))
        self.age = 0

    def judge(self, gap, scoring):
        score, recorded, w = self.F(0), gap, self.weight()
        if scoring and w >= 20:
            if self.age >= 16 or gap > self.u:
                self.refresh()
            self.age += 1
            if gap > self.u:
                score = min(self.lk + self.F(4) * np.log1p((gap - self.u) * self.slope / self.F(4)), self.F(10))
                if w >= 1000 and self.slope < 1e25:
                    recorded = min(gap, self.u + self.F(64 * 0.43429448) / self.slope)
            elif gap > 0:
                score = self.lk * np.sqrt(gap / self.u)
        if recorded > 0:
            octave = int(np.floor(np.log2(float(recorded))))
            self.top = octave if self.top is None else max(self.top, octave)
            self.octaves[octave] = self.octaves.get(octave, self.F(0)) + self.F(1)
        else:
            self.zeros += self.F(1)
        return score

    def queue(self, x, length, epoch):
        self.line.append(x)
        if len(self.line) <= length:
            return
        x = self.line.pop(0)
        for interval in self.intervals:
            if interval[0] <= x <= interval[1]:
                interval[2] = epoch
                interval[0] += self.F(1e-6) * (x - interval[0])
                interval[1] -= self.F(1e-6) * (interval[1] - x)
                return
        self.intervals = sorted(self.intervals + [[x, x, epoch]])
        if len(self.intervals) > 8:  # close the narrowest hole
            holes = [b[0] - a[1] for a, b in zip(self.intervals, self.intervals[1:])]
            i = int(np.argmin(holes))
            a, b = self.intervals[i], self.intervals[i + 1]
            self.intervals[i:i + 2] = [[a[0], b[1], max(a[2], b[2])]]


def value_gap():
    """For short series in small units: without moving origin, forgetting or halving."""
    rng = np.random.default_rng(11)
    n = 1500
    x = np.round(10 * np.sin(np.arange(n) * 0.13) + rng.normal(0, 1, n) + 100, 3)
    x[[400, 401, 900]] = [125, 126, 70]
    x[700:720] += rng.normal(0, 8, 20)
    x[1200:1230] += 14
    x[[333, 800]] = NAN
    F = np.float32
    V, S, M = Gaps(), Gaps(), Gaps()
    origin = scale = None
    y, raw, out = [], [], []
    for v in x:
        if np.isnan(v):
            out.append(NAN)
            continue
        if origin is None:
            origin = v
        if scale is None and v != origin:
            scale = 2.0 ** -(np.floor(np.log2(abs(v - origin))) + 1)
        y.append((v - origin) * (scale or 0.0))
        t, now = len(y) - 1, F(y[-1])
        scoring, epoch = t >= 50, 0

        def window(half):
            done = t // half * half  # begin of the block being filled
            return np.array(y[max(0, done - half):])
        value = V.judge(V.gap(now) if t >= 60 else F(0), scoring)
        V.queue(now, 3, epoch)
        high = max([now] + [b for _, b, _ in V.intervals])
        low = min([now] + [a for a, _, _ in V.intervals])
        logdev = F(np.log(F(np.std(window(24))) + F(1e-3) * (high - low) + F(1e-35)))
        mean = F(np.mean(window(8)))
        deviation = S.judge(S.gap(logdev) if t >= 8 * 24 + 50 else F(0), scoring)
        if t % 24 == 0:
            S.queue(logdev, 8, epoch)
        level = M.judge(M.gap(mean) if t >= 8 * 8 + 50 else F(0), scoring)
        if t % 8 == 0:
            M.queue(mean, 8, epoch)
        raw.append(float(value + F(0.3) * deviation + F(0.35) * level))
        out.append(raw[-1] if scoring else NAN)
    write("value_gap", x=x, score=out)


def half_space_trees():
    """Three correlated channels with events; River's scores (mean over five seeds) say how well it ranks them."""
    from river.anomaly import HalfSpaceTrees
    rng = np.random.default_rng(12)
    n = 1500
    t = np.arange(n)
    x = np.stack([np.sin(t * 0.05), np.cos(t * 0.05), 0.5 * np.sin(t * 0.05)]) + rng.normal(0, 0.1, (3, n))
    label = np.zeros(n)
    for begin, end, by in [(600, 612, [1.5, 0, 0]), (800, 803, [0, -4, 0]), (1000, 1020, [0.9, 0.9, -0.9]), (1300, 1305, [3, 3, 3])]:
        x[:, begin:end] += np.array(by)[:, None]
        label[begin:end] = 1
    low, high = x[:, :250].min(1), x[:, :250].max(1)
    river = np.zeros(n)
    for seed in range(5):
        trees = HalfSpaceTrees(n_trees=10, height=8, window_size=250, seed=seed, limits={c: (low[c], high[c]) for c in range(3)})
        for i in range(n):
            row = {c: x[c, i] for c in range(3)}
            river[i] += trees.score_one(row) / 5
            trees.learn_one(row)
    write("half_space_trees", a=x[0], b=x[1], c=x[2], label=label, river=river)


def pca_stream():
    rng = np.random.default_rng(13)
    n = 400
    t = np.arange(n)
    base = np.sin(t * 0.1)
    x = np.stack([base, 100 - 20 * base, 1e6 + 3e3 * np.cos(t * 0.1), 0.1 * base]) \
        + rng.normal(0, 0.1, (4, n)) * np.array([1, 20, 3e3, 0.1])[:, None]
    x[1, 250:260] = 100
    x[:, 300] += np.array([9, 0, 0, 0])
    x[2, 33] = x[0, 210] = NAN
    alpha, clip, first = 0.002, 3.0, 100
    head = x[:, :first]
    ref = [center_spread(row[~np.isnan(row)]) for row in head]
    center, spread = np.array([r[0] for r in ref]), np.array([r[1] for r in ref])
    z = (x - center[:, None]) / spread[:, None]
    head = np.clip(np.where(np.isnan(z[:, :first]), 0, z[:, :first]), -3, 3)
    cov = head @ head.T / first * first / (first + 4) + 0.01 * 4 / (first + 4) * np.eye(4)
    mean, out, age = np.zeros(4), [NAN] * first, 0
    for i in range(first, n):
        if age % 64 == 0:
            lam, axes = np.linalg.eigh(cov)
            lam, axes = lam[::-1], axes[:, ::-1]
            k = int(np.searchsorted(np.cumsum(lam), 0.9 * lam.sum()) + 1)
        age += 1
        d = np.where(np.isnan(z[:, i]), 0, z[:, i] - mean)
        p = axes.T @ d
        score = np.sqrt(0.5 * ((p[:k] ** 2 / lam[:k]).sum() / k + (p[k:] ** 2).sum() / lam[k:].sum()))
        out.append(score)
        d = d * min(1, clip / score)
        cov = (1 - alpha) * (cov + alpha * np.outer(d, d))
        mean = mean + alpha * d
    write("pca_stream", a=x[0], b=x[1], c=x[2], d=x[3], score=out)


def gpd_fit(y):
    """Maximum likelihood by dense search over x = shape/scale, polished; 0 stands for the exponential."""
    from scipy.optimize import minimize_scalar
    mean = y.mean()
    y = y / mean

    def loss(x):
        shape = np.mean(np.log1p(x * y))
        return np.log(shape / x) + shape
    best = (0.0, 0.0)
    near_end = 1 - np.geomspace(1e-6, 0.5, 400)[::-1]
    grid = np.concatenate([-np.geomspace(1e-4, 0.49, 400), -near_end, np.geomspace(1e-4, y.max() * 2 / y.min() ** 2, 400)]) / y.max()
    values = np.array([loss(x) for x in grid])
    for i in range(1, len(grid) - 1):
        if values[i] < values[i - 1] and values[i] < values[i + 1] and grid[i - 1] * grid[i + 1] > 0:
            found = minimize_scalar(loss, bounds=sorted([grid[i - 1], grid[i + 1]]), method="bounded", options={"xatol": 1e-13})
            best = min(best, (found.fun, found.x))
    x = best[1]
    if x == 0:
        return 0.0, mean
    shape = np.mean(np.log1p(x * y))
    return shape, shape / x * mean


def pot():
    """Samples of five tails and their fits by scipy's optimizers: rows 0, 1, 2 of fitN are shape, scale, log likelihood."""
    from scipy.stats import genpareto
    rng = np.random.default_rng(14)
    columns = {}
    for k, (shape, scale) in enumerate([(-0.3, 2.0), (0.0, 1e-6), (0.2, 1e6), (0.5, 3.0), (0.9, 0.01)]):
        y = genpareto.rvs(shape, scale=scale, size=120, random_state=rng)
        fits = [gpd_fit(y)]
        c, _, s = genpareto.fit(y / y.mean(), floc=0)
        fits.append((c, s * y.mean()))
        logliks = [genpareto.logpdf(y, c, scale=s).sum() for c, s in fits]
        best = int(np.argmax(logliks))
        columns[f"y{k}"] = y
        columns[f"fit{k}"] = np.array([*fits[best], logliks[best]] + [0.0] * (len(y) - 3))
    write("pot", **columns)


def spot_scores(x, depth):
    first, rows, out, ring, tails = 150, [], [], [], None
    for v in x:
        if np.isnan(v) or len(ring) < depth:
            out.append(NAN)
            if not np.isnan(v):
                ring.append(v)
            continue
        d = v - (np.mean(ring[-depth:]) if depth else 0.0)
        if tails is None:
            out.append(NAN)
            rows.append(d)
            ring.append(v)
            if len(rows) == first:
                tails = []
                for sign in (1, -1):
                    z = sign * np.array(rows)
                    u = np.quantile(z, 0.9)
                    y = list(z[z > u] - u)
                    tails.append(dict(sign=sign, center=np.median(z), u=u, y=y, n=first, fit=gpd_fit(np.array(y)), new=0))
            continue
        scores = []
        for tail in tails:
            z = tail["sign"] * d
            mass = -np.log10(len(tail["y"]) / tail["n"])
            if z > tail["u"]:
                shape, scale = tail["fit"]
                r = (z - tail["u"]) / scale
                inside = 1 + shape * r
                more = r / np.log(10) if shape == 0 else (np.log10(inside) / shape if inside > 0 else np.inf)
                scores.append(min(mass + more, 300.0))
            else:
                scores.append(mass * max(0.0, (z - tail["center"]) / (tail["u"] - tail["center"])))
        out.append(max(scores))
        if out[-1] <= 3:  # risk 1e-3
            ring.append(v)
        for tail in tails:
            shape, scale = tail["fit"]
            ratio = len(tail["y"]) / tail["n"] / 1e-5
            limit = scale * np.log(ratio) if shape == 0 else scale / shape * (ratio ** shape - 1)
            z = min(tail["sign"] * d, tail["u"] + limit)
            tail["n"] += 1
            if z > tail["u"]:
                tail["y"].append(z - tail["u"])
                tail["new"] += 1
                if 4 * tail["new"] >= len(tail["y"]):
                    tail["fit"], tail["new"] = gpd_fit(np.array(tail["y"])), 0
    return out


def spot():
    rng = np.random.default_rng(15)
    x = rng.standard_t(5, 700) * 3 + 1000
    x[[200, 450, 451]] = [1060, 900, 1025]
    x[[50, 300]] = NAN
    drift = x + np.cumsum(rng.normal(0, 1, 700))
    write("spot", x=x, score=spot_scores(x, 0), drift=drift, dspot=spot_scores(drift, 12))


def codisp_from_scratch(points, target, rng):
    """CoDisp of points[target] in one random cut tree, built top down along the path to it only."""
    alive, best, ratios = np.arange(len(points)), 0.0, []
    same = (points == points[target]).all(1)
    while not same[alive].all():
        p = points[alive]
        low, span = p.min(0), p.max(0) - p.min(0)
        d = rng.choice(len(span), p=span / span.sum())
        left = p[:, d] <= low[d] + rng.random() * span[d]
        if left.all() or not left.any():
            continue
        mine = left if points[target, d] in p[left][:, d] else ~left
        ratios.append((np.count_nonzero(~mine), np.count_nonzero(mine)))
        alive = alive[mine]
    for others, own in ratios:
        best = max(best, others / own)
    return best


def rrcf():
    """Expected CoDisp of the newest point in trees built from scratch: of the last 24 points (1,500 trees a row), and of the newest
    and the last 12 that a thinned tree took before it (4,000 a row, each of its own sample): point j with probability
    1 / min(4, 1 + j // 12)."""
    rng = np.random.default_rng(16)
    n, window, kept = 90, 24, 12
    x = rng.normal(0, 1, (n, 2))
    x[40], x[60:63], x[75:] = [6, 0], [0, 7], np.round(x[75:])
    mean, error = np.full(n, NAN), np.full(n, NAN)
    for i in range(30, n):
        points = x[i + 1 - window:i + 1]
        values = np.array([codisp_from_scratch(points, window - 1, rng) for _ in range(1500)])
        mean[i], error[i] = values.mean(), values.std() / np.sqrt(len(values))
    thinned, thinned_error = np.full(n, NAN), np.full(n, NAN)
    chance = 1 / np.minimum(4, 1 + np.arange(n) // kept)
    for i in range(50, n):
        values = []
        for _ in range(4000):
            taken = np.flatnonzero(rng.random(i) < chance[:i])[-kept:]
            values.append(codisp_from_scratch(x[np.append(taken, i)], len(taken), rng))
        thinned[i], thinned_error[i] = np.mean(values), np.std(values) / np.sqrt(len(values))
    write("rrcf", a=x[:, 0], b=x[:, 1], mean=mean, error=error, thinned=thinned, thinned_error=thinned_error)


def absence():
    rng = np.random.default_rng(17)
    n = 300
    time = 1700000000 + np.cumsum(np.where(rng.random(n) < 0.05, 30, 10) + rng.integers(0, 3, n))
    time[200:] += 900
    a, b = np.round(rng.normal(0, 2, n)), rng.normal(0, 1, n)
    b[100:130], a[220:250] = b[100], a[220]
    b[150:170] = NAN
    a[[20, 60, 61]] = NAN
    b[60] = NAN
    state = [dict(last=None, mean=None, dev=0.0, count=0, repeats=0.0, changes=0.0, run=0) for _ in range(2)]
    out, seen = [], 0
    for i in range(n):
        if np.isnan(a[i]) and np.isnan(b[i]):
            out.append(NAN)
            continue
        seen, score = seen + 1, 0.0
        for s, v in zip(state, (a[i], b[i])):
            wait = 0 if s["last"] is None else float(time[i] - s["last"][0]) * 1e9
            if s["mean"] is not None:
                spread = max(s["dev"], 0.25 * s["mean"])
                score = max(score, np.log10(np.e) * (wait - s["mean"]) / spread)
            if np.isnan(v):
                continue
            if s["last"] is not None:
                if s["mean"] is None:
                    s["mean"], s["count"] = wait, 1
                else:
                    s["count"] += 1
                    w, d = max(0.01, 1 / s["count"]), min(wait - s["mean"], 5 * spread)
                    s["mean"], s["dev"] = s["mean"] + w * d, s["dev"] + w * (abs(d) - s["dev"])
                if v == s["last"][1]:
                    s["run"] += 1
                else:
                    s["repeats"], s["changes"], s["run"] = s["repeats"] + s["run"], s["changes"] + 1, 0
                r = s["repeats"] + s["run"] + 0.5
                score = max(score, s["run"] * np.log10((r + s["changes"] + 0.5) / r))
            s["last"] = (time[i], v)
        out.append(score if seen > 30 else NAN)
    write("absence", time_s=time.astype(float), a=a, b=b, score=out)


def holt_winters():
    rng = np.random.default_rng(18)
    n, p, hold = 360, 12, 50
    t = np.arange(n)
    x = 200 + 0.3 * t + 10 * np.sin(2 * np.pi * t / p) + 4 * np.cos(4 * np.pi * t / p) + rng.normal(0, 1, n)
    x[20], x[150], x[250:] = 400, 100, x[250:] + 40
    x[[100, 101, 102, 30]] = NAN
    a, b, g, d, k = 0.1, 0.01, 0.1, 0.02, 2.0
    y, m = x[:hold], hold // 2 // p * p
    slopes = y[m:] / m - y[:-m] / m
    slopes = np.sort(slopes[~np.isnan(slopes)])
    trend = slopes[len(slopes) // 2]
    level = np.nanmedian(y) + trend * 0.5 * (hold - 1)
    line = level - trend * (hold - 1 - np.arange(hold))
    season = np.array([np.nanmedian((y - line)[j::p]) for j in range(p)])
    level += season.mean()
    season -= season.mean()
    rest = y - (level - trend * (hold - 1 - np.arange(hold))) - season[np.arange(hold) % p]
    center, spread = center_spread(rest[~np.isnan(rest)])
    level += center
    out, run = [NAN] * hold, 0
    for i in range(hold, n):
        j = i % p
        if np.isnan(x[i]):
            out.append(NAN)
            level += trend
            continue
        forecast = level + trend + season[j]
        r = x[i] - forecast
        z = r / spread
        out.append(abs(z))
        run = run + 1 if abs(z) > k else 0
        rho = 2.52 * (1 - (1 - min(1, (z / k) ** 2)) ** 3)
        spread = spread * np.sqrt(1 - d + d * rho)
        if run > 50:
            level = x[i] - season[j]
            continue
        if abs(z) > k:
            r = np.sign(r) * k * spread
        before = level
        level = a * (forecast + r - season[j]) + (1 - a) * (level + trend)
        trend = b * (level - before) + (1 - b) * trend
        season[j] = g * (forecast + r - level) + (1 - g) * season[j]
    write("holt_winters", x=x, score=out)


if __name__ == "__main__":
    for make in [globals()[name] for name in sys.argv[1:]] or [ewma, residual_chart, cusum, page_hinkley, value_gap, half_space_trees, pca_stream, pot, spot, rrcf, absence, holt_winters]:
        make()
