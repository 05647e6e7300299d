"""What the tests with real servers share: TAP, the command, the library, free ports, and the examples of the how-to."""
import contextlib
import csv
import json
import math
import os
import pathlib
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback
import urllib.error
import urllib.request

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


def wait_for(what, ask, holds=bool, seconds=60, words=lambda: ""):
    """What ask() returns, as soon as it is as it should be; otherwise what it was last is said.  A machine may be ten times slower."""
    end, answer = time.monotonic() + seconds, None
    while True:
        is_last = time.monotonic() > end
        try:
            answer = ask()
            if holds(answer):
                return answer
        except OSError as error:  # nobody answers, or not any more
            answer = error
        assert not is_last, f"not within {seconds} s: {what}: {str(answer)[:4000]}\n{words()}"
        time.sleep(0.05)


class Service:
    """A `tocsin serve` of the command that is the test's first argument; it runs, or `url` is None."""

    def __init__(self, folder, *more, inside="", limits=(), listen="127.0.0.1:0", log=None, **environment):
        """inside: a shell command in a mount namespace of its own, before the service begins there; limits: (resource, value)."""
        self.folder, self.token = pathlib.Path(folder), None
        self.log = log or self.folder.parent / "log.txt"
        self.arguments = [os.path.abspath(sys.argv[1]), "serve", "--data", str(folder), "--listen", listen, *map(str, more)]
        if inside:
            self.arguments = ["unshare", "-rm", "sh", "-c", inside + " && exec " + " ".join(self.arguments)]
        self.limits, self.environment = limits, clean_environment(**environment)
        self.begin()

    def begin(self):
        """Again, once it was stopped."""
        def limit():
            for what, value in self.limits:
                resource.setrlimit(what, (value, value))
        with open(self.log, "ab") as errors:
            self.process = subprocess.Popen(self.arguments, stdout=subprocess.PIPE, stderr=errors, stdin=subprocess.DEVNULL, text=True,
                                            env=self.environment, preexec_fn=limit if self.limits else None)
        line = self.process.stdout.readline()
        self.url = line.split()[-1] if line.startswith("listening on ") else None
        self.port = int(self.url.rsplit(":", 1)[1]) if self.url else None

    def words(self):
        """What it said on standard error, in all its lives."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def send(self, path, body=None, content_type="application/json", method=None, seconds=60, **headers):
        """Status and text of the answer.  body: bytes, text, or a document."""
        assert self.url, f"it did not begin: {self.words()[-3000:]}"
        text = body if body is None or isinstance(body, (bytes, str)) else json.dumps(body)
        request = urllib.request.Request(self.url + path, text.encode() if isinstance(text, str) else text,
                                         dict(headers, **{"Content-Type": content_type}), method=method)
        if self.token:
            request.add_header("Authorization", "Bearer " + self.token)
        try:
            with urllib.request.urlopen(request, timeout=seconds) as answer:
                return answer.status, answer.read().decode(errors="replace")
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode(errors="replace")

    def ask(self, path, status=200):
        """The document that answers."""
        code, text = self.send(path)
        assert code == status, (path, code, text)
        return json.loads(text)

    def rows(self, rows, **headers):
        """Status and text; rows: (series, time in s, value)."""
        text = "".join(json.dumps({"series": s, "time": round(t, 3), "value": v}) + "\n" for s, t, v in rows)
        return self.send("/api/v1/rows", text, "application/x-ndjson", **headers)

    def take(self, rows, **headers):
        """Rows that must be taken, some hundreds a request."""
        rows = list(rows)
        for at in range(0, len(rows), 500):
            code, text = self.rows(rows[at:at + 500], **headers)
            assert code in (200, 204), (code, text)

    def wait(self, path, holds, seconds=60):
        """The document that answers, as soon as it is as it should be."""
        return wait_for(path, lambda: self.ask(path), holds, seconds, lambda: self.words()[-2000:])

    def settled(self):
        """The status, when every row is judged."""
        return self.wait("/api/v1/status", lambda status: status["rows_waiting"] == 0)

    def is_ready(self):
        try:
            return self.send("/readyz")[0] == 200
        except OSError:
            return False

    def wait_ready(self, seconds=60):
        """How long it took, in s."""
        begun = time.monotonic()
        wait_for("it is ready", self.is_ready, bool, seconds, lambda: self.words()[-3000:])
        return time.monotonic() - begun

    def stop(self, how=signal.SIGTERM):
        """Its exit status; one that has ended may be stopped again."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        self.process.wait(60)
        self.process.stdout.close()
        return self.process.returncode


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
