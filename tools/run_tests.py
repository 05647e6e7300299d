#!/usr/bin/env python3
"""Runs every test of a build folder and counts cases, not programs.

usage: run_tests.py BUILD_FOLDER [meson test arguments]
Prints what failed with its output, the skipped cases, each failed case with beginning and end of what it said about itself, and last
`N passed, N failed, N skipped`.
"""
import json
import os
import pathlib
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

FIRST_LINES, LAST_LINES = 8, 4  # of what a failed case says about itself


def mute(path):
    """Programs that reported no case and do not say that they are skipped: nobody would know if they failed."""
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        test = json.loads(line)
        if test["result"] == "SKIP" and "# skip" not in test.get("stdout", "").lower():
            yield test["name"]


def ends(lines):
    """The first lines, where an assertion is named, and the last ones."""
    return lines if len(lines) <= FIRST_LINES + LAST_LINES else lines[:FIRST_LINES] + ["..."] + lines[-LAST_LINES:]


def reasons(path):
    """(test, case, the ends of the comment after it) of every case that failed; the words of a program that died without one."""
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        test = json.loads(line)
        said, case, comment, has_case = test.get("stdout", "").splitlines(), None, [], False
        for text in said + ["ok"]:
            if text.startswith(("ok", "not ok", "1..")):
                if case:
                    yield test["name"], case, ends(comment)
                case, comment = (text[len("not ok "):], []) if text.startswith("not ok") else (None, comment)
                has_case = has_case or case is not None
            elif case and text.startswith("#"):
                comment.append(text)
        if test["result"] in ("FAIL", "ERROR", "TIMEOUT") and not has_case:
            yield test["name"], test["result"].lower(), (said + test.get("stderr", "").splitlines())[-FIRST_LINES - LAST_LINES:]


def main():
    build = pathlib.Path(sys.argv[1])
    # One more than there are processors: the tests of servers wait for most of their time.
    command = ["meson", "test", "-C", str(build), "--no-rebuild", "--print-errorlogs", "--num-processes", str((os.cpu_count() or 1) + 1)]
    command += sys.argv[2:]
    log = "testlog"
    wrapper = os.environ.get("TOCSIN_TEST_WRAPPER")  # one argument of several words, such as valgrind with its options
    if wrapper:
        command += ["--wrapper", wrapper]
        log += "-" + pathlib.Path(wrapper.split()[0]).name  # Meson names the log so
    outcome = subprocess.run(command, stdin=subprocess.DEVNULL, check=False)
    passed = failed = skipped = 0
    for case in ElementTree.parse(build / f"meson-logs/{log}.junit.xml").iter("testcase"):
        if case.find("failure") is not None or case.find("error") is not None:
            failed += 1
            print("failed:", case.get("classname") or "", case.get("name"))
        elif case.find("skipped") is not None:
            skipped += 1
            print("skipped:", case.get("classname") or "", case.get("name"))
        else:
            passed += 1
    for name, case, comment in reasons(build / f"meson-logs/{log}.json"):
        print("why:", name, case, *(f"\n    {text[:300]}" for text in comment), sep=" ")
    for name in mute(build / f"meson-logs/{log}.json"):
        failed += 1
        print("failed:", name, "reported no case")
    if outcome.returncode != 0 and failed == 0:
        failed = 1  # a program that died before its first case
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
