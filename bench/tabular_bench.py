#!/usr/bin/env python3
"""Speed and quality of the tabular detectors against scikit-learn and PyOD, measured in one run.

usage: tabular_bench.py [--build FOLDER] [--speed] [--quality FOLDER_OF_NPZ] [--repeats N] [--rows-max N]
       e.g.  python3 bench/tabular_bench.py --build build --speed --quality ../shared/data/adbench
Needs numpy, scikit-learn and pyod (the project itself needs none of them).

Speed: rows a second of processor time, one thread each, ours and theirs in turn, medians of the repeats.  The isolation forest
is timed scoring only, after fitting on the same rows; LOF and kNN from the matrix to every row's score.  Both sides must give
the same scores (LOF and kNN to 1e-9, the random forests' rank
correlation at most 0.1 below that of two of theirs), else the exit status is 1.

Quality: every .npz with X and y (ADBench's layout), at most --rows-max rows drawn with a fixed seed and the same for everybody;
mean area under the ROC and the precision-recall curve (average precision).  PyOD at its defaults, on the values as they are and
standardized (rows marked "z").  Ours: seed 1 and, as a check, seed 2.

Writes build/bench/tabular.json: a list of {name, unit, ours, peer, peer_name, ratio, target, ok}.
"""
import os

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[name] = "1"

import argparse
import glob
import json
import pathlib
import subprocess
import sys
import time
import warnings

import numpy as np

warnings.filterwarnings("ignore")


def ours(build, x, *arguments):
    """(processor seconds, scores) of build/bench/tabular_scores."""
    x = np.ascontiguousarray(x, dtype=np.float64)
    matrix = np.array(x.shape, dtype=np.uint64).tobytes() + x.tobytes()
    result = subprocess.run([str(build / "bench/tabular_scores"), *arguments], input=matrix, capture_output=True, check=True)
    numbers = np.frombuffer(result.stdout)
    return numbers[0], numbers[1:]


def timed(function):
    begin = time.process_time()
    result = function()
    return time.process_time() - begin, result


def speed_cases(x):
    """(name, our arguments, peer, peer's name, agree) for one matrix."""
    from scipy.stats import spearmanr
    from sklearn.ensemble import IsolationForest
    from sklearn.neighbors import LocalOutlierFactor
    from pyod.models.knn import KNN

    forest = IsolationForest(random_state=0).fit(x)
    close = lambda a, b: np.allclose(a, b, rtol=1e-9, atol=1e-9)
    other = -IsolationForest(random_state=1).fit(x).score_samples(x)
    # Two random forests rank rows alike only so far: ours must agree with theirs about as well as theirs with itself.
    alike = lambda a, b: spearmanr(a, b).statistic > spearmanr(other, b).statistic - 0.1
    yield "isolation_forest", ["isolation_forest", "fit"], lambda: -forest.score_samples(x), "scikit-learn", alike
    yield "lof", ["lof", "standardize=0"], lambda: -LocalOutlierFactor(20).fit(x).negative_outlier_factor_, "scikit-learn", close
    yield "knn", ["knn", "standardize=0"], lambda: KNN(n_neighbors=5).fit(x).decision_scores_, "PyOD", close


def measure_speed(build, repeats):
    rows = []
    rng = np.random.default_rng(1)
    for count, channels in ((20000, 3), (20000, 10), (20000, 20), (10000, 50)):
        x = rng.normal(size=(count, channels)) @ rng.normal(size=(channels, channels))
        for name, arguments, peer, peer_name, agree in speed_cases(x):
            mine, theirs = [], []
            for _ in range(repeats):
                seconds, scores = ours(build, x, *arguments)
                mine.append(seconds)
                seconds, expected = timed(peer)
                theirs.append(seconds)
            same = bool(agree(scores, expected))
            a, b = count / np.median(mine), count / np.median(theirs)
            rows.append({"name": f"{name} {count} x {channels}", "unit": "rows/s", "ours": round(a), "peer": round(b), "peer_name": peer_name,
                         "ratio": round(a / b, 2), "target": 5, "ok": bool(a / b >= 5), "same": same})
            print(f"{name:18s} {count:6d} x {channels:3d} {a:12,.0f} rows/s  {peer_name:13s}{b:12,.0f}  ratio {a / b:6.2f}"
                  f"  {'same' if same else 'DIFFERENT'}", flush=True)
    x = rng.normal(size=(100000, 10))
    for name in ("auto_tabular", "hbos", "ecod", "pca"):
        seconds, _ = ours(build, x, name)
        print(f"{name:18s} 100000 x  10 {100000 / seconds:12,.0f} rows/s  ({seconds:.2f} s)", flush=True)
        rows.append({"name": f"{name} 100000 x 10", "unit": "s", "ours": round(seconds, 3), "peer": None, "peer_name": None, "ratio": None,
                     "target": None, "ok": True, "same": True})
    return rows


def load(path, rows_max):
    with np.load(path, allow_pickle=True) as data:
        x, y = data["X"].astype(float), data["y"].astype(int).ravel()
    if len(x) > rows_max:
        chosen = np.sort(np.random.default_rng(0).permutation(len(x))[:rows_max])
        x, y = x[chosen], y[chosen]
    return x, y


def peers(x):
    from pyod.models.copod import COPOD
    from pyod.models.ecod import ECOD
    from pyod.models.hbos import HBOS
    from pyod.models.iforest import IForest
    from pyod.models.knn import KNN
    from pyod.models.lof import LOF

    z = (x - x.mean(0)) / np.where(x.std(0) > 0, x.std(0), 1)
    yield "PyOD IForest", IForest(random_state=0).fit(x).decision_scores_
    yield "PyOD ECOD", ECOD().fit(x).decision_scores_
    yield "PyOD COPOD", COPOD().fit(x).decision_scores_
    yield "PyOD HBOS", HBOS().fit(x).decision_scores_
    for model, name in ((KNN, "KNN"), (LOF, "LOF")):
        yield f"PyOD {name}", model().fit(x).decision_scores_
        yield f"PyOD {name} z", model().fit(z).decision_scores_


def measure_quality(build, folder, rows_max):
    from sklearn.metrics import average_precision_score, roc_auc_score

    table = {}
    for path in sorted(glob.glob(str(pathlib.Path(folder) / "*.npz"))):
        x, y = load(path, rows_max)
        scored = [("auto_tabular", ours(build, x, "auto_tabular")[1]), ("auto_tabular seed 2", ours(build, x, "auto_tabular", "seed=2")[1])]
        for name in ("isolation_forest", "knn", "lof", "hbos", "ecod", "copod"):
            scored.append((name, ours(build, x, name)[1]))
        for name, scores in scored + list(peers(x)):
            table.setdefault(name, []).append((roc_auc_score(y, scores), average_precision_score(y, scores)))
        print(f"{pathlib.Path(path).stem:24s} {x.shape[0]:6d} x {x.shape[1]:4d}  auto_tabular {table['auto_tabular'][-1][0]:.3f} "
              f"{table['auto_tabular'][-1][1]:.3f}  PyOD IForest {table['PyOD IForest'][-1][0]:.3f} {table['PyOD IForest'][-1][1]:.3f}", flush=True)
    means = {name: np.mean(values, axis=0) for name, values in table.items()}
    print(f"\nmean over {len(table['auto_tabular'])} files      AUC-ROC   AUC-PR")
    for name, (roc, pr) in sorted(means.items(), key=lambda item: -item[1][0]):
        print(f"{name:26s} {roc:9.4f} {pr:8.4f}")
    rows = []
    for index, unit in ((0, "AUC-ROC"), (1, "AUC-PR")):
        best = max((name for name in means if name.startswith("PyOD")), key=lambda name: means[name][index])
        a, b = means["auto_tabular"][index], means[best][index]
        rows.append({"name": f"auto_tabular mean {unit}", "unit": unit, "ours": round(a, 4), "peer": round(b, 4), "peer_name": best,
                     "ratio": round(a / b, 3), "target": 1, "ok": bool(a > b), "same": True})
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, default=pathlib.Path("build"))
    parser.add_argument("--speed", action="store_true")
    parser.add_argument("--quality")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--rows-max", type=int, default=20000)
    given = parser.parse_args()
    rows = []
    if given.speed or not given.quality:
        rows += measure_speed(given.build, given.repeats)
    if given.quality:
        rows += measure_quality(given.build, given.quality, given.rows_max)
    same = all(row.pop("same") for row in rows)
    target = given.build / "bench/tabular.json"
    target.write_text(json.dumps(rows, indent=1) + "\n")
    print(f"{target} written")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
