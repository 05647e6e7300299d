#!/usr/bin/env python3
"""What would a deep detector add to the online ensemble?

usage: online_fusion.py TOCSIN DATA [DETECTOR] [EVERY]

DATA/tsb-ad-u, every EVERY-th file (default 3) of at most 2 MB: auto_online's score, and the same with w times DETECTOR's (default
gru_forecaster), its logarithm standardized by what came before, as the ensemble does with its own members.  Mean VUS-PR, and the difference
from auto_online with a 95 % bootstrap interval over files.  Needs numpy.
"""
import csv
import json
import pathlib
import re
import subprocess
import sys
import tempfile

import numpy

WEIGHTS = (0.5, 1, 2, 4)


def scores_of(tocsin, file, detector, train_rows, folder):
    out = folder / "scores.csv"
    command = [tocsin, "detect", file, "--mode", "online", "--series", "--detector", detector, "--train-rows", str(train_rows), "--scores", out]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    with out.open() as stream:
        return numpy.array([float(row["score"] or 0) for row in csv.DictReader(stream)])


def standardized(values):
    """By the moments of earlier values, from the first that is not 0 on; 0 until there are thirty."""
    out, count, mean, squares = numpy.zeros(len(values)), 0, 0.0, 0.0
    for i, value in enumerate(values):
        if count >= 30:
            out[i] = (value - mean) / (numpy.sqrt(squares / count) + 0.05 * abs(mean) + 1e-9)
        if count > 0 or value != 0:
            count += 1
            step = value - mean
            mean += step / count
            squares += step * (value - mean)
    return out


def vus_pr(tocsin, scores, labels, folder):
    file = folder / "fused.csv"
    file.write_text("score,label\n" + "".join(f"{score:.9g},{label}\n" for score, label in zip(scores, labels)))
    done = subprocess.run([tocsin, "evaluate", file, "--json"], check=True, capture_output=True, text=True)
    return json.loads(done.stdout)["vus_pr"]


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    tocsin, data = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]) / "tsb-ad-u"
    detector = sys.argv[3] if len(sys.argv) > 3 else "gru_forecaster"
    every = int(sys.argv[4]) if len(sys.argv) > 4 else 3
    found = {}
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for file in [one for one in sorted(data.glob("*.csv"))[::every] if one.stat().st_size <= 2e6]:
            train_rows = int(re.search(r"_tr_(\d+)_", file.name).group(1))
            labels = [int(float(line.rsplit(",", 1)[1])) for line in file.read_text().split("\n")[1:] if line]
            base = scores_of(tocsin, file, "auto_online", train_rows, folder)
            added = standardized(numpy.log1p(numpy.maximum(scores_of(tocsin, file, detector, train_rows, folder), 0)))
            for weight in (0, *WEIGHTS):
                found.setdefault(weight, []).append(vus_pr(tocsin, base + weight * added, labels, folder))
    random, alone = numpy.random.default_rng(0), numpy.array(found[0])
    print(f"| auto_online + w {detector} | files | VUS-PR | difference | 95 % |\n|---|---|---|---|---|")
    for weight, values in found.items():
        gain = numpy.array(values) - alone
        means = [gain[random.integers(0, len(gain), len(gain))].mean() for _ in range(4000)]
        low, high = numpy.percentile(means, [2.5, 97.5])
        print(f"| {weight} | {len(values)} | {numpy.mean(values):.4f} | {gain.mean():+.4f} | {low:+.4f} to {high:+.4f} |")


if __name__ == "__main__":
    main()
