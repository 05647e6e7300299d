#!/usr/bin/env python3
"""Runs the command as people run it: one file per case under cases/, each printed as one TAP line.

usage: run.py PATH_TO_TOCSIN [CASE...]

A case is sections that begin with a line `--- NAME`:
  --- about            what the case shows
  --- file NAME        a file made beforehand (text; \\xNN escapes are bytes when the section is `--- bytes NAME`)
  --- run              a shell command; `tocsin` is on the PATH; a fresh folder is the current one
  --- memory KIB       no process may take more address space; sanitizers, which map terabytes, are let off
  --- status           expected exit status (default 0)
  --- stdout           lines that standard output must contain, in order;  --- stdout exact: the whole of it
  --- stderr           lines that standard error must contain;  --- stderr none: it must be empty
  --- absent NAME      a file that must not exist afterwards
  --- needs WHAT       a shell command that fails in builds that cannot do WHAT: then the case is skipped
Every case is also required to end within 5 minutes, which is for machines that do much else, and not to be killed by a signal.
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile


def parse(path):
    sections, name = [], None
    for line in path.read_text(encoding="utf-8").splitlines(keepends=True):
        if line.startswith("--- "):
            name = line[4:].strip()
            sections.append([name, ""])
        elif name is not None:
            sections[-1][1] += line
    return sections


def missing_lines(expected, text):
    """Expected lines that do not appear, in order, inside the lines of text."""
    at = 0
    for line in [line for line in expected.splitlines() if line.strip()]:
        found = text.find(line, at)
        if found < 0:
            yield line
        else:
            at = found + len(line)


def check(sections, command, folder):
    """Problems of one case, as sentences."""
    wanted = {name: body for name, body in sections}
    for name, body in sections:
        kind, _, rest = name.partition(" ")
        if kind == "file":
            (folder / rest).write_text(body, encoding="utf-8")
        elif kind == "bytes":
            raw = re.sub(rb"\\x([0-9a-fA-F]{2})", lambda m: bytes([int(m.group(1), 16)]), body.rstrip("\n").encode())
            (folder / rest).write_bytes(raw)
    environment = dict(os.environ, PATH=f"{command.parent}:{os.environ['PATH']}", LC_ALL="C.UTF-8", TERM="dumb")
    script = wanted["run"]
    for name in wanted:
        if name.startswith("memory ") and b"__asan_init" not in command.read_bytes() and b"__tsan_init" not in command.read_bytes():
            script = f"ulimit -v {int(name[7:])}\n{script}"
    outcome = subprocess.run(["bash", "-c", script], cwd=folder, env=environment, stdin=subprocess.DEVNULL,
                             capture_output=True, timeout=300, check=False)
    stdout, stderr = outcome.stdout.decode("utf-8", "replace"), outcome.stderr.decode("utf-8", "replace")
    status = int(wanted.get("status", "0"))
    if outcome.returncode != status:
        yield f"exit status {outcome.returncode}, expected {status}; standard error: {stderr[-500:]!r}"
    for line in missing_lines(wanted.get("stdout", ""), stdout):
        yield f"standard output lacks {line!r}: {stdout[-800:]!r}"
    if "stdout exact" in wanted and stdout != wanted["stdout exact"]:
        yield f"standard output is {stdout!r}, expected {wanted['stdout exact']!r}"
    for line in missing_lines(wanted.get("stderr", ""), stderr):
        yield f"standard error lacks {line!r}: {stderr[-500:]!r}"
    if "stderr none" in wanted and stderr:
        yield f"standard error is {stderr[-500:]!r}, expected nothing"
    for name in wanted:
        if name.startswith("absent ") and (folder / name[7:]).exists():
            yield f"{name[7:]} was left behind"
    for left in folder.rglob("*.partial"):
        yield f"{left.name} was left behind"


def lacks(sections, command):
    """What the build cannot do that the case needs."""
    environment = dict(os.environ, PATH=f"{command.parent}:{os.environ['PATH']}")
    for name, body in sections:
        if not name.startswith("needs "):
            continue
        with tempfile.TemporaryDirectory() as folder:
            if subprocess.run(["bash", "-c", body], cwd=folder, env=environment, capture_output=True, check=False).returncode:
                return name[6:]
    return None


def main():
    command = pathlib.Path(sys.argv[1]).resolve()
    cases = sorted(pathlib.Path(__file__).parent.glob("cases/*.case"))
    if len(sys.argv) > 2:
        cases = [case for case in cases if any(word in case.name for word in sys.argv[2:])]
    print(f"1..{len(cases)}")
    failed = 0
    for number, case in enumerate(cases, 1):
        lacking = lacks(parse(case), command)
        if lacking:
            print(f"ok {number} - {case.stem} # SKIP the build has no {lacking}")
            continue
        with tempfile.TemporaryDirectory() as folder:
            try:
                problems = list(check(parse(case), command, pathlib.Path(folder)))
            except subprocess.TimeoutExpired:
                problems = ["did not end within 5 minutes"]
        failed += bool(problems)
        print(f"{'not ok' if problems else 'ok'} {number} - {case.stem}")
        for problem in problems:
            print("#", problem)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
