#!/usr/bin/env python3
"""Documents must stay true: examples are run, generated pages compared, names looked up.

usage: run.py PATH_TO_TOCSIN SOURCE_ROOT        Prints TAP.
  - every fenced block that opens with ```sh test is run by bash -e in a fresh folder, blocks of one file in order
  - every fenced block that opens with ```c test is compiled against the public header, ```c internal test against src/ too
  - every fenced block that opens with ```c from PATH stands in that file, word for word but for indentation
  - docs/reference/{commands,detectors,measures,http-api,roles,receivers}.md equal what `tocsin generate` prints
  - every function that docs/one-row.md names exists in src/
  - links between documents lead somewhere
"""
import contextlib
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile

BLOCK = re.compile(r"^```(sh|c|c internal) test\n(.*?)^```", re.M | re.S)
QUOTE = re.compile(r"^ *```c from (\S+)\n(.*?)^ *```", re.M | re.S)
SECONDS_MAX = 600  # of a block that hangs; those that train take 20 s on a machine of their own


def end_left_over(folder):
    """What an example started and noted in pid.txt does not outlive it."""
    try:
        os.kill(int((pathlib.Path(folder) / "pid.txt").read_text()), signal.SIGKILL)
    except (OSError, ValueError):
        pass


def examples(path, command, root):
    """Problems with the examples of one document."""
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        stack.callback(end_left_over, folder)
        for kind, body in BLOCK.findall(path.read_text(encoding="utf-8")):
            if kind != "sh":
                (pathlib.Path(folder) / "example.c").write_text(body)
                run = ["cc", "-std=c11", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", f"-I{root}/include", "example.c"]
                run += [f"-I{root}/src"] if kind == "c internal" else []
            else:
                run = ["bash", "-euo", "pipefail", "-c", body]
            environment = dict(os.environ, PATH=f"{command.parent}:{os.environ['PATH']}", TERM="dumb")
            try:
                outcome = subprocess.run(run, cwd=folder, env=environment, capture_output=True, stdin=subprocess.DEVNULL, timeout=SECONDS_MAX,
                                         check=False)
            except subprocess.TimeoutExpired:
                yield f"{body.splitlines()[0]!r}: did not end within {SECONDS_MAX} s"
                continue
            if outcome.returncode != 0:
                yield f"{body.splitlines()[0]!r}: status {outcome.returncode}: {outcome.stderr.decode(errors='replace')[-300:]!r}"


def lacks_yaml(command):
    """Builds without libyaml cannot run examples of knowledge files."""
    outcome = subprocess.run([command, "knowledge", "check", os.devnull], capture_output=True, check=False)
    return b"-Dyaml=enabled" in outcome.stderr


def quotes(path, root):
    for source, body in QUOTE.findall(path.read_text(encoding="utf-8")):
        lines = " ".join(body.split())
        if lines not in " ".join((root / source).read_text(encoding="utf-8").split()):
            yield f"{source} has no longer {body.splitlines()[0].strip()!r} as quoted"


def generated(kind, path, command):
    printed = subprocess.run([command, "generate", kind], capture_output=True, check=True).stdout.decode()
    if not path.exists() or path.read_text(encoding="utf-8") != printed:
        yield f"{path.name} is out of date: tocsin generate {kind} > docs/reference/{path.name}"


def named_functions(path, root):
    code = "\n".join(p.read_text(errors="replace") for p in root.glob("src/**/*.[ch]"))
    code += "\n".join(p.read_text(errors="replace") for p in root.glob("apps/*.[ch]"))
    for name in re.findall(r"`(tcsi?_\w+)`", path.read_text(encoding="utf-8")):
        if not re.search(rf"\b{name}\b", code):
            yield f"{name} does not exist"


def links(path):
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", path.read_text(encoding="utf-8")):
        if not (path.parent / target).exists():
            yield f"link to {target}"


def main():
    command, root = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()
    documents = [root / "README.md"] + sorted((root / "docs").rglob("*.md"))
    tested = {p: BLOCK.findall(p.read_text(encoding="utf-8")) for p in documents}
    skipped = {p for p in tested if any("tocsin knowledge" in body for _, body in tested[p])} if lacks_yaml(command) else set()
    cases = [(f"examples of {p.relative_to(root)}" + (" # SKIP the build has no libyaml" if p in skipped else ""),
              [] if p in skipped else examples(p, command, root)) for p in documents if tested[p]]
    cases += [(f"quotes in {p.relative_to(root)}", quotes(p, root)) for p in documents if QUOTE.search(p.read_text(encoding="utf-8"))]
    cases += [(f"reference of {kind}", generated(kind, root / f"docs/reference/{kind}.md", command))
              for kind in ("commands", "detectors", "measures", "http-api", "roles", "receivers")]
    cases += [(f"links of {p.relative_to(root)}", links(p)) for p in documents]
    cases.append(("functions named in docs/one-row.md", named_functions(root / "docs/one-row.md", root)))
    print(f"1..{len(cases)}")
    failed = 0
    for number, (name, problems) in enumerate(cases, 1):
        problems = list(problems)
        failed += bool(problems)
        print(f"{'not ok' if problems else 'ok'} {number} - {name}")
        for problem in problems:
            print("#", problem)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
