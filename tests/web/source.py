#!/usr/bin/env python3
"""The dashboard's source: types, style, unit tests, and whether web/dist is what it gives.

usage: source.py ROOT        Prints TAP.  Needs Node and web/node_modules (tools/test_web); skipped without.
"""
import pathlib
import shutil
import subprocess
import sys
import tempfile

CHECKS = {"types": ["node_modules/.bin/tsc", "--noEmit"], "lint": ["node_modules/.bin/eslint", "."],
          "format": ["node_modules/.bin/prettier", "--check", "--log-level", "warn", "."],
          "unit tests": ["node_modules/.bin/vitest", "run", "--reporter=dot"]}
BUILT = "web/dist is what web/src gives"


def run(web, command):
    """What it said when it failed, or None."""
    outcome = subprocess.run(command, cwd=web, stdin=subprocess.DEVNULL, capture_output=True, timeout=180, check=False, encoding="utf-8")
    return None if outcome.returncode == 0 else outcome.stdout + outcome.stderr


def built(web):
    with tempfile.TemporaryDirectory() as folder:
        target = pathlib.Path(folder) / "dist"
        said = run(web, ["node_modules/.bin/vite", "build", "--logLevel", "error", "--outDir", str(target), "--emptyOutDir"])
        if said:
            return said
        fresh = {path.relative_to(target).as_posix(): path.read_bytes() for path in target.rglob("*") if path.is_file()}
        kept = {path.relative_to(web / "dist").as_posix(): path.read_bytes() for path in (web / "dist").rglob("*") if path.is_file()}
        differ = sorted(name for name in fresh.keys() | kept.keys() if fresh.get(name) != kept.get(name))
        return f"`make web` gives something else: {', '.join(differ)}" if differ else None


def main():
    web = pathlib.Path(sys.argv[1]) / "web"
    print(f"1..{len(CHECKS) + 1}")
    missing = "no Node" if not shutil.which("node") else "no web/node_modules (tools/test_web)" if not (web / "node_modules/ready").exists() else None
    failed = 0
    for number, name in enumerate([*CHECKS, BUILT], 1):
        if missing:
            print(f"ok {number} - dashboard: {name} # SKIP {missing}")
            continue
        said = run(web, CHECKS[name]) if name in CHECKS else built(web)
        failed += bool(said)
        print(f"{'not ok' if said else 'ok'} {number} - dashboard: {name}", flush=True)
        for line in (said or "").splitlines()[-40:]:
            print("#", line)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
