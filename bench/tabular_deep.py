#!/usr/bin/env python3
"""Deep detectors of tables beside PyOD's, and what a few labels are worth, measured in one run.

usage: tabular_deep.py FILE.npz... [--build FOLDER] [--rows-max N] [--labelled N] [--no-peers]
       e.g.  python3 bench/tabular_deep.py ../shared/data/adbench/*.npz
Needs numpy, scikit-learn and, for the peers, pyod, torch and tqdm (the project itself needs none of them).

Every .npz with X and y (ADBench's layout) of up to 300 columns, at most --rows-max rows drawn with a fixed seed, the same for everybody.
One thread each; seconds are those of a processor, learning and scoring together.

Without labels: mean average precision of all rows, PyOD at its defaults, ours likewise.
With labels: rows in random order, the first half to learn from, where --labelled of the anomalies (or half, when there are fewer) are
labelled and the others are not; average precision of the other half.  auto_tabular sees all rows and no label.  The interval is
that of the mean difference from auto_tabular, by a paired bootstrap over files.
"""
import os

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[name] = "1"

import argparse
import csv
import pathlib
import resource
import subprocess
import sys
import tempfile
import warnings

import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score
from tabular_bench import load, ours, timed

warnings.filterwarnings("ignore")
UNLABELLED = ("auto_tabular", "autoencoder_tabular", "vae_tabular", "flow_tabular", "deep_svdd_tabular")
LABELLED = ("deep_svdd_tabular", "deep_sad_tabular", "devnet_tabular", "focal_classifier_tabular")
COLUMNS_MAX = 300


def peers(x):
    import torch
    from pyod.models.auto_encoder import AutoEncoder
    from pyod.models.deep_svdd import DeepSVDD
    from pyod.models.vae import VAE

    torch.set_num_threads(1)
    x = x.astype(np.float32)
    yield "PyOD AutoEncoder", lambda: AutoEncoder(verbose=0).fit(x).decision_scores_
    yield "PyOD VAE", lambda: VAE(verbose=0).fit(x).decision_scores_
    yield "PyOD DeepSVDD", lambda: DeepSVDD(n_features=x.shape[1], verbose=0, random_state=0).fit(x).decision_scores_


def detect(build, x, labels, train_count, detector, folder):
    """(processor seconds, scores of all rows); labels count in the first train_count rows.  None: as a table without any."""
    table, scores = folder / "table.csv", folder / "scores.csv"
    command = [str(build / "apps/tocsin"), "detect", str(table), "--detector", detector, "--scores", str(scores)]
    if train_count:
        command += ["--label", "label", "--train-rows", str(train_count)]
    else:
        command += ["--columns", ",".join(f"x{c}" for c in range(x.shape[1]))]
    head = ",".join(f"x{c}" for c in range(x.shape[1])) + ",label"
    np.savetxt(table, np.column_stack([x, labels]), fmt="%.9g", delimiter=",", header=head, comments="")
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    with scores.open() as stream:
        values = [float(row["score"] or 0) for row in csv.DictReader(stream)]
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before, np.array(values)


def measure_unlabelled(build, x, y, with_peers, table):
    runs = [(name, lambda name=name: ours(build, x, name)) for name in UNLABELLED]
    if with_peers:
        runs += [(name, lambda run=run: timed(run)) for name, run in peers(x)]
    for name, run in runs:
        seconds, scores = run()
        table.setdefault(name, []).append((average_precision_score(y, scores), roc_auc_score(y, scores), seconds))


def measure_labelled(build, x, y, labelled, table):
    rng = np.random.default_rng(1)
    order = rng.permutation(len(x))
    x, y, half = x[order], y[order], len(x) // 2
    known = np.flatnonzero(y[:half])
    if len(known) < 2 or y[half:].sum() == 0:
        return
    told = np.zeros(len(y), dtype=int)
    told[known[:min(labelled, len(known) // 2)]] = 1
    told[half:] = y[half:]  # nobody learns from these
    with tempfile.TemporaryDirectory() as folder:
        for name in ("auto_tabular",) + LABELLED:
            seconds, scores = detect(build, x, told, 0 if name == "auto_tabular" else half, name, pathlib.Path(folder))
            later, said = y[half:], scores[half:]
            table.setdefault(name, []).append((average_precision_score(later, said), roc_auc_score(later, said), seconds))


def interval(differences):
    means = np.random.default_rng(2).choice(differences, (10000, len(differences))).mean(axis=1)
    return np.quantile(means, (0.025, 0.975))


def show(title, table):
    print(f"\n| {title} | files | AUC-PR | difference from `auto_tabular` | 95 % interval | AUC-ROC | s a file |\n" + "|---" * 7 + "|")
    base = np.array(table["auto_tabular"])
    for name, values in table.items():
        values = np.array(values)
        difference = values[:, 0] - base[:, 0]
        low, high = interval(difference)
        precision, roc, seconds = values.mean(axis=0)
        print(f"| {name} | {len(values)} | {precision:.3f} | {difference.mean():+.3f} | {low:+.3f} to {high:+.3f} | {roc:.3f} | {seconds:.2f} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", type=pathlib.Path, nargs="+")
    parser.add_argument("--build", type=pathlib.Path, default=pathlib.Path("build"))
    parser.add_argument("--rows-max", type=int, default=1000)
    parser.add_argument("--labelled", type=int, default=10)
    parser.add_argument("--no-peers", action="store_true")
    options = parser.parse_args()
    without, with_labels = {}, {}
    for path in options.files:
        x, y = load(path, options.rows_max)
        if x.shape[1] > COLUMNS_MAX or y.sum() < 2:
            continue
        measure_unlabelled(options.build, x, y, not options.no_peers, without)
        measure_labelled(options.build, x, y, options.labelled, with_labels)
        print(f"{path.stem} {x.shape[0]} x {x.shape[1]}", file=sys.stderr, flush=True)
    show("without labels", without)
    show(f"{options.labelled} labelled", with_labels)


if __name__ == "__main__":
    main()
