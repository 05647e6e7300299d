#!/usr/bin/env python3
"""Accuracy of scikit-learn's isolation forest on the rows of tabular.txt, for src/detect/tabular/isolation_forest_test.c.

usage: isolation_forest.py      Prints mean and deviation of the AUC over 200 seeds (scikit-learn 1.9.1, numpy 2.4.6).
"""
import pathlib

import numpy as np
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score

words = (pathlib.Path(__file__).parent / "tabular.txt").read_text().split()
x = np.array(words[2:2 + 360], dtype=float).reshape(90, 4)
y = (np.arange(90) % 9 == 0).astype(int)
auc = [roc_auc_score(y, -IsolationForest(random_state=s).fit(x).score_samples(x)) for s in range(200)]
print(f"{np.mean(auc):.4f} {np.std(auc):.4f}")
