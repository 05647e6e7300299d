#!/usr/bin/env python3
"""Makes linalg.txt: covariance, Ledoit-Wolf shrinkage, eigenvalues and ridge regression from numpy and scikit-learn."""
import pathlib

import numpy
import sklearn
from sklearn.covariance import LedoitWolf
from sklearn.linear_model import Ridge

SEED = 20261123


def main():
    rng = numpy.random.default_rng(SEED)
    out = [f"# numpy {numpy.__version__}, scikit-learn {sklearn.__version__}, seed {SEED}"]

    def block(name, values):
        values = numpy.ravel(values)
        out.append(f"{name} {values.size}\n" + " ".join(repr(float(v)) for v in values))

    x = rng.normal(size=(40, 7)) @ rng.normal(size=(7, 7)) + 100
    block("x", x)
    lw = LedoitWolf().fit(x)
    block("covariance", numpy.cov(x.T, bias=True))
    block("shrunk", lw.covariance_)
    block("shrinkage", [lw.shrinkage_])
    values, vectors = numpy.linalg.eigh(numpy.cov(x.T, bias=True))
    vectors = vectors.T[::-1]
    vectors *= numpy.sign(vectors[numpy.arange(7), numpy.abs(vectors).argmax(1)])[:, None]
    block("eigenvalues", values[::-1])
    block("eigenvectors", vectors)
    y = x @ rng.normal(size=7) + rng.normal(size=40)
    weights = rng.uniform(0, 2, size=40)
    block("y", y)
    block("weights", weights)
    block("ridge", Ridge(alpha=2.5, fit_intercept=False, solver="cholesky").fit(x, y, sample_weight=weights).coef_)
    pathlib.Path(__file__).with_suffix(".txt").write_text("\n".join(out) + "\n")


main()
