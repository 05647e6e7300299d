#!/usr/bin/env python3
"""What a user would otherwise do in Python for the rows of live_bench, one run per line of standard input.

usage: live_peer.py ROWS       (driven by live_bench; ROWS has a value and a label a line, 100 series in turn)
"trees": River's half-space trees, one a series, rows one by one, scaled as its documentation advises.  "forest": scikit-learn's isolation
forest, fitted on the first half of the rows of all series, then given the rows of a moment at once.  Answers with the seconds of processor
time that the second half of the rows took, and the area under the ROC curve of its labels; fitting and the first half are not timed.
"""
import sys
import time

import numpy
import river
import sklearn
from river import anomaly, compose, preprocessing
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score

SERIES, BEGIN = 100, 100


def trees(values):
    models = [compose.Pipeline(preprocessing.MinMaxScaler(), anomaly.HalfSpaceTrees(seed=s, window_size=50)) for s in range(SERIES)]
    scores = numpy.zeros(values.shape)
    for t, row in enumerate(values):
        if t == BEGIN:
            begin = time.process_time()
        for s, model in enumerate(models):
            x = {"value": float(row[s])}
            scores[t, s] = model.score_one(x)
            model.learn_one(x)
    return time.process_time() - begin, scores[BEGIN:]


def forest(values):
    centre, spread = values[:BEGIN].mean(axis=0), values[:BEGIN].std(axis=0)
    model = IsolationForest(random_state=0, n_jobs=1).fit(((values[:BEGIN] - centre) / spread).reshape(-1, 1))
    begin = time.process_time()
    scores = numpy.array([-model.score_samples(((row - centre) / spread).reshape(-1, 1)) for row in values[BEGIN:]])
    return time.process_time() - begin, scores


def main():
    rows = numpy.loadtxt(sys.argv[1])
    values, labels = rows[:, 0].reshape(-1, SERIES), rows[:, 1].reshape(-1, SERIES).astype(int)
    print("River", river.__version__, "scikit-learn", sklearn.__version__, flush=True)
    for line in sys.stdin:
        seconds, scores = {"trees": trees, "forest": forest}[line.strip()](values)
        print(seconds, roc_auc_score(labels[BEGIN:].ravel(), scores.ravel()), flush=True)


main()
