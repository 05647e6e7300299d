#!/usr/bin/env python3
"""Writes calibrate.csv beside it: probabilities by scikit-learn 1.9.1 (numpy 2.4.6, scipy 1.17.1), for src/decide/calibrate_test.c.

120 rows of p-values with ties, labels and weights from numpy's generator with seed 5.  isotonic: IsotonicRegression on x = -ln p.  platt,
beta: unpenalised LogisticRegression on x, or on ln(1 - p) and -ln p, with Platt's targets as two weighted copies of each row.  sigmoid:
sklearn's own Platt, whose optimiser stops earlier (good to three digits).  With _w: rows count as much as their weight.
"""
import pathlib

import numpy as np
from sklearn.calibration import _sigmoid_calibration
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression


def logistic(features, labels, weights):
    positive, negative = weights[labels == 1].sum(), weights[labels == 0].sum()
    target = np.where(labels == 1, (positive + 1) / (positive + 2), 1 / (negative + 2))
    model = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-12, max_iter=1000)
    twice = np.concatenate([features, features])
    model.fit(twice, np.r_[np.ones(len(labels)), np.zeros(len(labels))], sample_weight=np.r_[weights * target, weights * (1 - target)])
    assert (model.coef_ >= 0).all(), model.coef_
    return model.predict_proba(features)[:, 1]


def main():
    rng = np.random.default_rng(5)
    label = (rng.uniform(size=120) < 0.3).astype(int)
    p = np.where(label == 1, rng.beta(0.3, 2.0, size=120), rng.beta(1.1, 1.0, size=120))
    p = np.clip(np.round(p, 2), 0.01, 0.99)
    weight = rng.integers(0, 4, size=120).astype(float)
    x = -np.log(p)
    columns = {"p": p, "label": label, "weight": weight}
    for name, w in (("", np.ones(120)), ("_w", weight)):
        used = w > 0
        iso = IsotonicRegression(out_of_bounds="clip").fit(x[used], label[used], sample_weight=w[used])
        columns["isotonic" + name] = iso.predict(x)
        columns["platt" + name] = logistic(x[:, None], label, w)
        columns["beta" + name] = logistic(np.c_[np.log1p(-p), -np.log(p)], label, w)
        a, b = _sigmoid_calibration(x, label, sample_weight=w)
        columns["sigmoid" + name] = 1 / (1 + np.exp(a * x + b))
    path = pathlib.Path(__file__).with_suffix(".csv")
    path.write_text(",".join(columns) + "\n" + "\n".join(",".join(f"{v:.15g}" for v in row) for row in zip(*columns.values())) + "\n")


main()
