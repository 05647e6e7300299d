#!/usr/bin/env python3
"""Golden vectors for the tabular detectors: tabular.txt beside this script.

usage: tabular.py > tabular.txt
Made with numpy 2.4.6, scipy 1.17.1, scikit-learn 1.9.1, PyOD 3.6.7; seed 20261123.  Values are rounded to 6 decimals before
anything is computed, so that the text holds the data exactly.  Format: blocks "NAME COUNT" followed by COUNT numbers a line
each (17 digits).  Matrices are row by row.
"""
import os

os.environ["OMP_NUM_THREADS"] = "1"
import numpy as np
from pyod.models.copod import COPOD
from pyod.models.ecod import ECOD
from pyod.models.hbos import HBOS
from pyod.models.knn import KNN
from pyod.models.lof import LOF
from sklearn.decomposition import PCA

ROWS, COLUMNS, TRAIN = 90, 4, 60


def block(name, values):
    values = np.asarray(values, dtype=float).ravel()
    print(name, len(values))
    for value in values:
        print(repr(float(value)))


def main():
    rng = np.random.default_rng(20261123)
    x = rng.normal(size=(ROWS, COLUMNS)) @ rng.normal(size=(COLUMNS, COLUMNS))
    x[:, 1] = np.exp(x[:, 1] / 2)          # skewed to the right
    x[:, 2] = -np.exp(-x[:, 2] / 2)        # and to the left
    x[::9] += rng.normal(size=(ROWS // 9, COLUMNS)) * 6
    x = np.round(x, 6)
    z = (x - x.mean(0)) / x.std(0)
    train, rest = x[:TRAIN], x[TRAIN:]
    block("x", x)
    block("knn_largest_5", KNN(n_neighbors=5).fit(x).decision_scores_)
    block("knn_mean_7", KNN(n_neighbors=7, method="mean").fit(x).decision_scores_)
    block("knn_standardized_5", KNN(n_neighbors=5).fit(z).decision_scores_)
    block("knn_fitted_5", KNN(n_neighbors=5).fit(train).decision_function(rest))
    block("lof_20", LOF(n_neighbors=20).fit(x).decision_scores_)
    block("lof_fitted_10", LOF(n_neighbors=10, novelty=True).fit(train).decision_function(rest))
    block("hbos_10", HBOS(n_bins=10).fit(x).decision_scores_)
    block("hbos_fitted_10", HBOS(n_bins=10).fit(train).decision_function(rest))
    block("ecod", ECOD().fit(x).decision_scores_)
    ecod, copod = ECOD().fit(train), COPOD().fit(train)
    # One row at a time: PyOD's distribution of a fitted model takes in every row that it is asked about.
    block("ecod_fitted", [ecod.decision_function(rest[i:i + 1])[0] for i in range(len(rest))])
    block("copod", COPOD().fit(x).decision_scores_)
    block("copod_fitted", [copod.decision_function(rest[i:i + 1])[0] for i in range(len(rest))])
    # PyOD's PCA sums Euclidean distances between rows and unit eigenvectors, which depend on the eigenvectors' arbitrary
    # signs; Shyu's measure is the sum of squared component scores over their variances.
    pca = PCA().fit(z)
    block("pca_all", (pca.transform(z) ** 2 / pca.explained_variance_).sum(1))
    block("pca_variances", pca.explained_variance_)


if __name__ == "__main__":
    main()
