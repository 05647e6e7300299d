"""What the tests with real servers share: TAP, the command, the library, free ports, and the examples of the how-to."""
import contextlib
import csv
import json
import math
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import traceback

HOW_TO = pathlib.Path(__file__).resolve().parents[2] / "docs/how-to/read-from-sql-and-prometheus.md"


class Suite:
    """Prints one TAP line a case; a case is a function that raises when it fails, or skips."""

    def __init__(self):
        self.number = self.failed = 0

    def run(self, name, function):
        self.number += 1
        try:
            function()
            print(f"ok {self.number} - {name}", flush=True)
        except Exception:  # a case that fails must not hide the others
            self.failed += 1
            print(f"not ok {self.number} - {name}")
            for line in traceback.format_exc().splitlines():
                print("#", line[:600])
            sys.stdout.flush()

    def skip(self, name, reason):
        self.number += 1
        print(f"ok {self.number} - {name} # SKIP {reason}", flush=True)

    def finish(self):
        print(f"1..{self.number}")
        sys.exit(1 if self.failed else 0)


def clean_environment(**more):
    """Without what libpq and libcurl would listen to."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PG") and not name.lower().endswith("_proxy")}
    return dict(kept, LC_ALL="C.UTF-8", TERM="dumb", no_proxy="*") | more


class Command:
    """The tocsin command, run as people run it."""

    def __init__(self, path):
        self.path = pathlib.Path(path).resolve()

    def environment(self):
        return clean_environment(PATH=f"{self.path.parent}:{os.environ['PATH']}")

    def run(self, *arguments, seconds=30):
        outcome = subprocess.run([str(self.path), *arguments], stdin=subprocess.DEVNULL, capture_output=True, timeout=seconds,
                                 check=False, env=self.environment(), encoding="utf-8", errors="replace")
        assert outcome.returncode >= 0, f"killed by signal {-outcome.returncode}: {outcome.stderr}"
        return outcome

    def fails(self, status, words, *arguments, seconds=30, secret="hush-hush"):
        """Must exit with status, say the words on standard error and nothing on standard output, and keep the secret."""
        outcome = self.run(*arguments, seconds=seconds)
        assert outcome.returncode == status, f"exit status {outcome.returncode}, expected {status}: {outcome.stderr}"
        assert words in outcome.stderr, f"{words!r} is missing: {outcome.stderr!r}"
        assert not outcome.stdout, outcome.stdout
        assert secret not in outcome.stderr, outcome.stderr
        assert "Sanitizer" not in outcome.stderr, outcome.stderr


class Frame:
    """names, columns (lists of floats by name), times_ns, labels and notes of an input, as the public API reads it."""

    def __init__(self, reader, url, **options):
        arguments = [f"{name}={value}" for name, value in options.items()]
        outcome = subprocess.run([reader, url, *arguments], stdin=subprocess.DEVNULL, capture_output=True, timeout=40, check=False,
                                 env=clean_environment(), encoding="utf-8")
        if outcome.returncode != 0:
            raise AssertionError(outcome.stderr)
        read = json.loads(outcome.stdout)
        self.rows, self.names, self.notes = read["rows"], read["names"], read["notes"]
        self.columns = {name: [float(value) for value in column] for name, column in zip(read["names"], read["values"])}
        self.times_ns, self.labels = read["times_ns"], read["labels"]


def scored(command, top, *arguments):
    """Detects in the whole answer and row by row.  Every row must have its line in the scores, in order, with a finite score or said
    to be missing, in both.  Returns the rows, those missing, and what was printed."""
    found = []
    for mode in ([], ["--mode", "online", "--stream", "--detector", "welford"]):
        scores = top / "scores.csv"
        outcome = command.run("detect", *arguments, *mode, "--scores", str(scores))
        assert outcome.returncode == 0, outcome.stderr
        with open(scores, encoding="utf-8") as lines:
            rows = list(csv.DictReader(lines))
        scores.unlink()
        assert [int(row["row"]) for row in rows] == list(range(len(rows))), rows[:3]
        assert all(math.isfinite(float(row["score"])) for row in rows if row["state"] == "ready"), rows[:3]
        found.append((len(rows), sum(row["state"] == "missing" for row in rows), outcome.stdout))
    assert found[0][:2] == found[1][:2], [part[:2] for part in found]
    return found[0]


def failing_allocations(reader, url, least, **options):
    """Every allocation fails once, against the real server: see read_frame.c."""
    outcome = subprocess.run([reader, url, "fail=1", *[f"{name}={value}" for name, value in options.items()]], stdin=subprocess.DEVNULL,
                             capture_output=True, timeout=40, check=False, env=clean_environment(), encoding="utf-8")
    assert outcome.returncode == 0, outcome.stderr
    assert int(outcome.stdout) >= least, outcome.stdout


def memory_is_measurable(program):
    """Not in a build with the address sanitizer, which keeps what was released."""
    return b"__asan_init" not in pathlib.Path(program).read_bytes()


def row_by_row(reader, url, query):
    """Number of rows read one by one, and the largest memory in MiB."""
    outcome = subprocess.run([reader, url, f"query={query}", "rows=1"], stdin=subprocess.DEVNULL, capture_output=True, timeout=40,
                             check=False, env=clean_environment(), encoding="utf-8")
    assert outcome.returncode == 0, outcome.stderr
    count, kibibytes = outcome.stdout.split()
    return int(count), int(kibibytes) / 1024


def same(left, right):
    """Equal number for number, NaN equal to NaN and None."""
    if len(left) != len(right):
        return False
    return all(a == b or (math.isnan(a) and (b is None or math.isnan(b))) for a, b in zip(left, right))


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def process(arguments, log, user=None):
    """A server of our own: ended by its own pid, whatever happens."""
    extra = {"user": user, "group": user, "extra_groups": []} if user else {}
    with open(log, "wb") as stream:
        child = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream, **extra)
    try:
        yield child
    finally:
        if child.poll() is None:
            child.send_signal(signal.SIGINT)
            try:
                child.wait(10)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


@contextlib.contextmanager
def folder(user=None):
    path = pathlib.Path(tempfile.mkdtemp(prefix="tocsin-server-"))
    if user:
        shutil.chown(path, user, user)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def examples(scheme):
    """The shell blocks of the how-to that use an address of this scheme."""
    return [block for block in re.findall(r"```sh\n(.*?)```", HOW_TO.read_text(encoding="utf-8"), re.S) if scheme in block]


def run_examples(command, scheme, replacements, directory):
    found = examples(scheme)
    assert found, f"no example with {scheme}"
    for block in found:
        script = block
        for old, new in replacements.items():
            script = script.replace(old, new)
        outcome = subprocess.run(["bash", "-euc", script], cwd=directory, env=command.environment(), stdin=subprocess.DEVNULL,
                                 capture_output=True, timeout=50, check=False, encoding="utf-8", errors="replace")
        assert outcome.returncode == 0, f"{script}\n{outcome.stderr}"
        assert "episode" in outcome.stdout, f"{script}\n{outcome.stdout}"
