#!/usr/bin/env python3
"""The dashboard of a real service in a real browser: see dashboard/*.mjs.  This file only says why that cannot be run here, if so.

usage: dashboard.py ROOT TOCSIN FOLDER [CASE...]        FOLDER receives the screenshots; public data sets are beside the root or in DATA.  Prints TAP.
"""
import os
import pathlib
import shutil
import subprocess
import sys

import browser


def missing(root):
    if not shutil.which("node"):
        return "no Node"
    if not (root / "web/node_modules/ready").exists():
        return "no web/node_modules (tools/test_web)"
    return None if browser.find() else "no Chromium"


def main():
    root, tocsin, folder = (pathlib.Path(word).resolve() for word in sys.argv[1:4])
    reason = missing(root)
    if reason:
        print(f"1..1\nok 1 - dashboard in a browser # SKIP {reason}")
        return 0
    data = os.environ.get("DATA", root.parent / "shared/data")
    program = root / "tests/web/dashboard/run.mjs"
    return subprocess.run(["node", program, tocsin, folder, browser.find(), data, *sys.argv[4:]], stdin=subprocess.DEVNULL, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
