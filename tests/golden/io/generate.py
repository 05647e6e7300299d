#!/usr/bin/env python3
"""Makes the small files of this folder.  usage: generate.py FOLDER

Written with Python 3.11, numpy 1.26 or 2.x, pandas 2.x; no randomness but the seed below.
The compressed copies of plain.csv were made by gzip and zstd themselves.
"""
import gzip
import pathlib
import subprocess
import sys

import numpy as np
import pandas as pd

SEED = 20261123


def main():
    folder = pathlib.Path(sys.argv[1])
    random = np.random.default_rng(SEED)
    table = pd.DataFrame({
        "timestamp": pd.date_range("2024-02-28 23:00", periods=200, freq="15min"),
        "flow": random.normal(1000, 3, 200),
        "Pressure, bar": random.normal(0, 1e-9, 200),
        "state": np.where(np.arange(200) % 7 < 3, "idle", "run"),
        "valve": np.arange(200) % 5 < 2,
        "label": (np.arange(200) > 150).astype(int),
    })
    table.loc[5:9, "flow"] = np.nan
    table.loc[17, "Pressure, bar"] = np.inf
    table.to_csv(folder / "plain.csv")  # with pandas' nameless index column
    table.to_csv(folder / "semicolon.csv", sep=";", decimal=",", index=False, lineterminator="\r\n", encoding="utf-8-sig", float_format="%.9g")
    table.to_json(folder / "table.ndjson", orient="records", lines=True, date_format="iso")
    with open(folder / "plain.csv", "rb") as plain, gzip.GzipFile(folder / "plain.csv.gz", "wb", mtime=0) as packed:
        packed.write(plain.read())
    subprocess.run(["zstd", "-qf", "--check", str(folder / "plain.csv"), "-o", str(folder / "plain.csv.zst")], check=True)

    matrix = random.normal(size=(40, 3))
    matrix[3, 1] = np.nan
    np.save(folder / "f8.npy", matrix)
    np.save(folder / "f8_fortran.npy", np.asfortranarray(matrix))
    np.save(folder / "f4_big_endian.npy", matrix.astype(">f4"))
    np.save(folder / "i2.npy", np.arange(-20, 20, dtype="<i2"))
    np.save(folder / "u8_2d.npy", (np.arange(80, dtype="<u8") * 2 ** 40).reshape(40, 2))
    np.save(folder / "bool.npy", np.arange(12).reshape(4, 3) % 2 == 0)
    np.lib.format.write_array(open(folder / "version2.npy", "wb"), matrix, version=(2, 0))
    np.save(folder / "cube.npy", np.zeros((2, 2, 2)))
    np.save(folder / "complex.npy", np.zeros(3, dtype=complex))
    labels = (np.arange(40) > 33).astype(np.int64)
    np.savez(folder / "xy.npz", X=matrix, y=labels)
    np.savez_compressed(folder / "xy_deflated.npz", y=labels, X=np.asfortranarray(matrix))
    np.savetxt(folder / "expected.txt", matrix, fmt="%.17g")


if __name__ == "__main__":
    main()
