#!/usr/bin/env python3
"""Bad days of the live service: full and read-only disks, damaged files, a database or receivers that go away, hostile clients, too many
series, no memory.  Each case states what is answered, what /readyz says, how it recovers, and that what was acknowledged is there once.

usage: bad_days_test.py TOCSIN        Prints TAP.  TOCSIN_SLOW_TESTS=1 (make check-bad-days): in full size, minutes.
"""
import contextlib
import gzip
import http.server
import json
import os
import pathlib
import random
import resource
import shutil
import signal
import socket
import sqlite3
import struct
import subprocess
import sys
import threading
import time
import zlib

from postgresql_test import find_server
from standby_test import Database
import support
from support import Suite, folder, memory_is_measurable, wait_for

TOCSIN = os.path.abspath(sys.argv[1])
IS_SLOW = bool(os.environ.get("TOCSIN_SLOW_TESTS"))


class Service(support.Service):
    """In a folder of its own, which may be a mount; one that does not begin has no address."""

    def __init__(self, top, *more, data="data", **how):
        self.top = top
        super().__init__(top / data, "--log", "warning", *more, log=top / "log.txt", **how)

    def samples(self):
        return self.settled()["samples"]

    def ready(self):
        code, text = self.send("/readyz")
        return code == 200, text


@contextlib.contextmanager
def service(*more, **how):
    with folder() as top:
        running = Service(top, *more, **how)
        try:
            assert running.url, running.words()
            yield running
        finally:
            running.stop(signal.SIGKILL)


def batch(step, begin, count=50, size=0):
    return [(f'bad{{unit="{i}",pad="{"x" * size}"}}', begin + step, 10 * i + (step * 7919 + i * 31) % 100 / 50) for i in range(count)]


def refusal_is_recovered(run, again, fill, free, word):
    """Rows until they are refused by 503 with a reason, then room again, and rows are taken; a kill and a new start have them all, once."""
    begin, acknowledged, refused = int(time.time()) - 5000, 0, None
    for step in range(3000):
        code, text = run.rows(batch(step, begin, size=200))
        if code != 204:
            refused = (code, text)
            break
        acknowledged += 50
        if step == 20:
            fill()
    assert refused and refused[0] in (429, 503) and acknowledged >= 500, (refused, acknowledged)
    _, text = wait_for("it is not ready", run.ready, lambda answer: not answer[0])  # its clock ticks into the same journal
    assert word in text, text
    assert run.ask("/api/v1/status") and run.process.poll() is None
    free()
    wait_for("rows are taken", lambda: run.rows(batch(3000, begin, size=200)), lambda answer: answer[0] == 204)
    acknowledged += 50
    run.wait_ready()
    assert run.samples()["accepted"] == acknowledged, (run.samples(), acknowledged)
    run.stop(signal.SIGKILL)
    fresh = again()
    try:
        assert fresh.url, fresh.words()
        samples = fresh.samples()
        assert samples["accepted"] == acknowledged and samples["duplicate"] == 0, (samples, acknowledged)
    finally:
        fresh.stop()


def can_mount():
    return shutil.which("unshare") and subprocess.run(["unshare", "-rm", "sh", "-c", "mount -t tmpfs none /mnt"], capture_output=True,
                                                      check=False).returncode == 0


def disk_is_full():
    """A disk of 24 MiB that others fill."""
    with folder() as top:
        place = top / "disk"
        place.mkdir()
        (top / "kept").mkdir()
        run = Service(top, inside=f"mount -t tmpfs -o size=24m none {place}", data="disk/data")
        process = run.process
        assert run.url, run.words()

        def within(command):
            return subprocess.run(["nsenter", "-t", str(process.pid), "-U", "-m", "--preserve-credentials", "sh", "-c", command],
                                  capture_output=True, text=True, check=False)

        def again():  # the disk goes with the process: what is on it is looked at where it was copied to, before the kill
            return Service(top, data="kept/data")

        def end_with_copy(_):
            # Everything of this moment, as a kill would leave it: the process is stopped first.
            process.send_signal(signal.SIGSTOP)
            copied = within(f"cp -a {place}/data {top}/kept/")
            assert copied.returncode == 0, copied
            process.send_signal(signal.SIGKILL)
            process.wait(30)
            process.stdout.close()
        run.stop = end_with_copy
        try:
            refusal_is_recovered(run, again, lambda: within(f"head -c 30000000 /dev/zero > {place}/ballast"),
                                 lambda: within(f"rm {place}/ballast"), "No space left on device")
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
                process.wait(30)


def files_are_limited():
    """No file may grow beyond 1 MiB: a request is refused where its segment ends, and the next one begins another."""
    with folder() as top:
        run = Service(top, limits=[(resource.RLIMIT_FSIZE, 1 << 20)])
        try:
            assert run.url, run.words()
            begin, acknowledged = int(time.time()) - 5000, 0
            codes = []
            for step in range(400):
                code, _ = run.rows(batch(step, begin, size=200))
                codes.append(code)
                acknowledged += 50 * (code == 204)
            assert set(codes) <= {204, 429, 503} and run.process.poll() is None, (codes, run.process.poll())
            assert 503 in codes and acknowledged > 500, (codes, acknowledged)
            assert codes.index(503) < len(codes) - 1 - codes[::-1].index(204), "a new segment would have taken rows again"
        finally:
            run.stop(signal.SIGKILL)
        run = Service(top)
        try:
            assert run.url, run.words()
            samples = run.samples()
            assert samples["accepted"] == acknowledged, (samples, acknowledged)
            assert run.rows(batch(5000, begin, size=200))[0] == 204
        finally:
            run.stop()


def disk_is_read_only():
    """A folder on a disk that cannot be written to: refused, by name."""
    with folder() as top:
        run = Service(top)
        assert run.rows(batch(0, int(time.time()) - 10))[0] == 204 and run.stop() == 0
        command = f"mount --bind {top}/data {top}/data && mount -o remount,bind,ro {top}/data && exec {TOCSIN} serve --data {top}/data --listen 127.0.0.1:0"
        outcome = subprocess.run(["unshare", "-rm", "sh", "-c", command], capture_output=True, text=True, timeout=20, check=False)
        assert outcome.returncode == 1 and ("ead-only" in outcome.stderr or "readonly" in outcome.stderr), outcome
        assert str(top) in outcome.stderr, outcome
        run = Service(top)
        assert run.samples()["accepted"] == 50 and run.stop() == 0


def with_snapshots(top, count=3):
    """A folder with so many snapshots, and rows behind the last one, left by a kill; the number of rows."""
    run = Service(top, "--snapshot", "1", "--history", "off")
    begin, step = int(time.time()) - 4000, 0
    database = top / "data/tocsin.db"
    while True:
        assert run.rows(batch(step, begin))[0] == 204
        step += 1
        with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as store:
            if store.execute("select count(*) from snapshot where is_complete = 1").fetchone()[0] >= count:
                break
        time.sleep(0.02)
    for _ in range(3):
        assert run.rows(batch(step, begin))[0] == 204
        step += 1
    run.stop(signal.SIGKILL)
    return 50 * step


def damage_parts(top, number):
    """The middle of a part of the snapshots, newest first, that number names."""
    with contextlib.closing(sqlite3.connect(top / "data/tocsin.db")) as store:
        found = [row[0] for row in store.execute("select number from snapshot where is_complete = 1 order by number desc")]
        for n in found[number]:
            part, data = store.execute("select part, bytes from snapshot_part where number = ? order by size desc limit 1", (n,)).fetchone()
            data = bytearray(data)
            data[len(data) // 2] ^= 16
            store.execute("update snapshot_part set bytes = ? where number = ? and part = ?", (bytes(data), n, part))
        store.commit()
        return [found[number][0], len(found)]


def snapshot_is_damaged():
    """One bit of the newest: named, and the one before it serves.  Of all: named, and it does not begin with half of what it knew."""
    with folder() as top:
        rows = with_snapshots(top)
        number, _ = damage_parts(top, slice(0, 1))
        run = Service(top)
        try:
            assert run.url, run.words()
            assert "STORE-SNAPSHOT-DAMAGED" in run.words() and f"snapshot {number} of 'live' is damaged" in run.words(), run.words()
            samples = run.samples()
            assert samples["accepted"] == rows and samples["duplicate"] == 0, (samples, rows)
        finally:
            run.stop(signal.SIGKILL)
        damage_parts(top, slice(None))
        run = Service(top)
        try:
            first = min(int(p.name[:20]) for p in (top / "data/journal").glob("*.journal"))
            if first > 1:
                assert not run.url and "are missing" in run.words() and str(top) in run.words(), run.words()
            else:  # nothing of the journal had been removed yet: it alone is enough
                assert run.samples()["accepted"] == rows, (run.samples(), rows)
        finally:
            run.stop(signal.SIGKILL)


def database_page_is_damaged():
    """Pages of the database that make no sense: the service says so or goes on with what is whole, and the journal has every row."""
    with folder() as top:
        begin = int(time.time()) - 4000
        run = Service(top)
        for step in range(40):
            assert run.rows(batch(step, begin))[0] == 204
        run.samples()
        run.stop(signal.SIGKILL)
        shutil.copytree(top / "data", top / "whole")
        with contextlib.closing(sqlite3.connect(top / "data/tocsin.db")) as store:
            store.execute("pragma wal_checkpoint(truncate)")
            size = store.execute("pragma page_size").fetchone()[0]
            pages = store.execute("pragma page_count").fetchone()[0]
        chance = random.Random(7)
        named = 0
        for page in [0, 1, *chance.sample(range(2, pages), min(10, pages - 2))]:
            shutil.rmtree(top / "data")
            shutil.copytree(top / "whole", top / "data")
            with contextlib.closing(sqlite3.connect(top / "data/tocsin.db")) as store:
                store.execute("pragma wal_checkpoint(truncate)")
            with open(top / "data/tocsin.db", "r+b") as file:
                file.seek(page * size)
                file.write(chance.randbytes(size))
            run = Service(top)
            if run.url:
                assert run.samples()["accepted"] == 2000, (page, run.samples())
            else:
                assert "tocsin.db" in run.words() and run.process.wait(10) == 1, (page, run.words())
                named += 1
            run.stop(signal.SIGKILL)
            os.truncate(run.log, 0)
        assert named >= 1
        (top / "data/tocsin.db").unlink()  # what is left for whoever has no backup: the journal, from its first record
        for more in (top / "data").glob("tocsin.db-*"):
            more.unlink()
        run = Service(top)
        assert run.url and run.samples()["accepted"] == 2000, run.words()
        run.stop()


def the_database_goes_away():
    """PostgreSQL as the store of one: ended while rows flow, they are taken on; episodes wait, /readyz says so, and come when it is back."""
    user = "postgres" if os.getuid() == 0 else None
    with folder(user) as top:
        os.chmod(top, 0o755)
        database = Database(top)
        run = Service(top, "--store", database.url, "--history", "off", data="serve")
        try:
            begin, acknowledged = int(time.time()) - 2000, 0

            def send(first, last, jump=()):
                count = 0
                for step in range(first, last):
                    rows = [(s, t, v + (500 if step in jump and 'unit="3"' in s else 0)) for s, t, v in batch(step, begin)]
                    code, text = run.rows(rows)
                    assert code in (204, 429), (code, text)
                    count += 50 * (code == 204)
                return count
            acknowledged += send(0, 400)
            run.wait_ready()
            database.end()
            acknowledged += send(400, 420, range(405, 411))
            _, text = wait_for("it is not ready", run.ready, lambda answer: not answer[0])
            assert '"store","ok":false' in text.replace(" ", ""), text
            assert run.process.poll() is None
            database.begin()
            run.wait_ready()
            acknowledged += send(420, 440)
            assert run.samples()["accepted"] == acknowledged
            run.wait("/api/v1/episodes?kind=anomaly", lambda a: any('unit="3"' in e["series"] for e in a["episodes"]))
        finally:
            run.stop(signal.SIGKILL)
            database.end()


class Receiver(http.server.ThreadingHTTPServer):
    """Hangs, resets, answers 500 or takes what it is sent."""
    daemon_threads = True

    def __init__(self):
        self.mode, self.attempts, self.taken = "hang", [], []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                server = self.server
                server.attempts.append((server.mode, time.monotonic()))
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if server.mode == "hang":
                    time.sleep(60)
                elif server.mode == "reset":
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    self.connection.close()
                else:
                    if server.mode == "fine":
                        server.taken.append((self.headers.get("Idempotency-Key"), json.loads(body)))
                    self.send_response(200 if server.mode == "fine" else 500)
                    self.send_header("Content-Length", "0")
                    self.end_headers()

            def log_message(self, *_):
                pass
        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, *_):
        pass


def receivers_fail():
    """A receiver that hangs, resets and answers 500 holds up nobody; what was to be said arrives when it works again, also after a kill."""
    receiver = Receiver()
    with folder() as top:
        (top / "receivers.yaml").write_text(f"receivers:\n  - name: bad\n    kind: webhook\n    url: http://127.0.0.1:{receiver.server_address[1]}/\n")
        flags = ["--receivers", str(top / "receivers.yaml"), "--history", "off"]
        run = Service(top, *flags)
        try:
            begin = int(time.time()) - 3000
            acknowledged = 0
            for step in range(430):
                rows = [(s, t, v + (500 if 405 <= step < 411 and 'unit="3"' in s else 0)) for s, t, v in batch(step, begin)]
                begun = time.monotonic()
                code, text = run.rows(rows)
                assert code == 204 and time.monotonic() - begun < 5, (code, text)
                acknowledged += 50
            for mode, least in (("hang", 1), ("reset", 1), ("error", 1)):
                receiver.mode = mode
                def tried():
                    assert run.rows(batch(430, begin))[0] == 204
                    return receiver.attempts
                wait_for(f"one that is to {mode}", tried, lambda attempts: sum(m == mode for m, _ in attempts) >= least)
            assert not receiver.taken and run.ready()[0], run.ready()
            run.stop(signal.SIGKILL)
            run = Service(top, *flags)
            receiver.mode = "fine"
            wait_for("it is told", lambda: receiver.taken, lambda taken: any('"3"' in json.dumps(body) for _, body in taken), 120)
            assert run.samples()["accepted"] == acknowledged + 50, run.samples()
            gaps = [b - a for (_, a), (_, b) in zip(receiver.attempts, receiver.attempts[1:])]
            assert len(receiver.attempts) < 100, gaps  # pauses grow: nobody is stormed
        finally:
            run.stop(signal.SIGKILL)
            receiver.shutdown()


def hostile_bodies():
    """Bodies that are wrong in every way, on every route: refused as the sender's fault, nothing kept of them, and the service goes on."""
    chance = random.Random(1)

    def varint(value):
        out = b""
        while value > 127:
            out += bytes([value & 127 | 128])
            value >>= 7
        return out + bytes([value])
    bomb = zlib.compress(b"a" * 60_000_000, 9)
    bodies = [b"", b"\0" * 1000, chance.randbytes(5000), b"[" * 100_000, b'{"series":' * 20_000, b'"' + b"\\u0000" * 5000 + b'"',
              b"\xff\xfe\xfd" * 1000, b"\n" * 50_000, b'{"series":"a","time":1e400,"value":1}\n', b'{"series":"a","value":1e999}\n',
              b'{"series":"a{' + b'x="y",' * 5000 + b'z="1"}","value":1}\n', b'{"series":"' + b"a" * 1_000_000 + b'","value":1}\n',
              varint(1 << 40) + b"abc", varint(0xffffffff) + chance.randbytes(100), b"\x0a" + varint(1 << 62), b"\x0a\x05" * 10_000,
              b"a" * 70_000 + b" b=1", b"m,t=" + b"v" * 70_000 + b" f=1 1", b"m f=" + b"9" * 10_000, b"m f=\"" + b"x" * 100_000,
              b"m,,,,,,= f==== 1", b"m f=1 99999999999999999999999999", b'{"resourceMetrics":[' + b'{"scopeMetrics":[' * 3000]
    heads = {"/api/v1/write": ["application/x-protobuf", "application/x-protobuf;proto=io.prometheus.write.v2.Request"],
             "/v1/metrics": ["application/x-protobuf", "application/json"], "/api/v2/write": ["text/plain"], "/write": ["text/plain"],
             "/api/v1/rows": ["application/x-ndjson", "application/json"]}
    with service() as run:
        asked = 0
        for path, kinds in heads.items():
            for kind in kinds:
                for encoding in (None, "gzip", "snappy", "deflate", "nonsense"):
                    tried = bodies if encoding in (None, "gzip") or IS_SLOW else bodies[:6]
                    for body in [*tried, bomb] if encoding in ("gzip", "deflate") else tried:
                        sent = gzip.compress(body, 1) if encoding == "gzip" and body is not bomb else body
                        code, text = run.send(path, sent, kind, **({"Content-Encoding": encoding} if encoding else {}))
                        # Nothing at all and empty lines are rows, none of them.
                        assert 200 <= code < 300 and len(text) < 1000 or 400 <= code < 500, (path, kind, encoding, body[:30], code, text[:300])
                        asked += 1
        for raw in (b"POST /api/v1/rows HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
                    b"POST /api/v1/rows HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999999999999\r\n\r\n",
                    b"POST /api/v1/rows HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
                    b"POST /api/v1/rows HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\nabc",
                    b"POST /api/v1/rows HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nabc",
                    b"\0" * 5000, b"GET " + b"/" * 60_000 + b" HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 20_000):
            with socket.create_connection(("127.0.0.1", run.port), timeout=20) as link:
                with contextlib.suppress(OSError):
                    link.sendall(raw)
                    link.shutdown(socket.SHUT_WR)
                    assert not link.recv(4096).startswith(b"HTTP/1.1 2"), raw[:60]
        code, _ = run.send("/api/v1/rows", b"x" * ((16 << 20) + 1), "application/x-ndjson") if IS_SLOW else (413, "")
        assert code == 413, code
        assert run.process.poll() is None and run.ready()[0]
        before = run.samples()["accepted"]
        assert run.rows([("good", time.time(), 1)])[0] == 204 and run.samples()["accepted"] == before + 1
        print(f"# {asked} bodies", flush=True)


def slow_clients(count, others):
    """Connections that say little or nothing: whoever speaks is answered meanwhile, and they are cut off in time."""
    def run_case():
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        wanted = min(count, hard - 200)
        held = []
        with service() as run:
            late = []
            begin = int(time.time()) - 100
            try:
                for i in range(wanted):
                    link = socket.socket()
                    link.settimeout(0.5)
                    try:
                        link.connect(("127.0.0.1", run.port))
                        link.send(b"POST /api/v1/rows HTTP/1.1\r\nHost: localhost\r\nX-A: " if i % 2 else b"P")
                        held.append(link)
                    except OSError:
                        link.close()
                    if i % (wanted // others) == 0:
                        begun = time.monotonic()
                        code, text = run.rows([("s", begin + len(late), 1)])
                        late.append(time.monotonic() - begun)
                        assert code == 204, (code, text)
                begun = time.monotonic()
                for link in held[:200:20]:  # one more byte each time counts for nothing
                    with contextlib.suppress(OSError):
                        link.send(b"x")
                assert run.ready()[0]
                last = time.monotonic() - begun
                cut = 0
                for _ in range(300):
                    cut = 0
                    for link in held[:50]:
                        link.setblocking(False)
                        try:
                            cut += not link.recv(1024)
                        except BlockingIOError:
                            pass
                        except OSError:
                            cut += 1
                    if cut == len(held[:50]):
                        break
                    time.sleep(0.1)
                assert cut == len(held[:50]), cut
                assert run.samples()["accepted"] == len(late)
                print(f"# {len(held)} connections of {wanted}; others answered within {max(late):.2f} s, the last after {last:.2f} s", flush=True)
                assert max(late) < 25 and last < 25, (late, last)
            finally:
                for link in held:
                    link.close()
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return run_case


def resident_mib(process):
    text = pathlib.Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8")
    return int(next(line for line in text.splitlines() if line.startswith("VmHWM")).split()[1]) / 1024


def series_explode(count):
    """Far more series than there may be: so many are live as may be, the others are refused by name, and the first go on."""
    def run_case():
        with service("--series-max", "10000", "--history", "off") as run:
            begin = int(time.time()) - 100
            assert run.rows([("first", begin, 1)])[0] == 204
            codes = set()
            for first in range(0, count, 20000):
                body = "\n".join(f"many,id=i{i} v=1 {begin}" for i in range(first, first + 20000))
                while True:
                    code, text = run.send("/write?precision=s", body, "text/plain")
                    if code != 429:
                        break
                    time.sleep(0.05)
                codes.add(code)
            samples = run.samples()
            status = run.ask("/api/v1/status")
            assert codes <= {204, 400, 413} and run.process.poll() is None, codes
            assert status["series"] == 10000, status["series"]
            assert samples["accepted"] == 10000 and sum(samples.values()) == count + 1, samples
            refused = {name: n for name, n in samples.items() if n and name != "accepted"}
            assert list(refused) == [next(iter(refused))] and "series" in next(iter(refused)), refused
            assert run.rows([("first", begin + 1, 2)])[0] == 204 and run.samples()["accepted"] == 10001
            code, text = run.rows([("one-too-many", begin + 1, 2)])
            assert code == 400 and "series" in text, (code, text)
            assert run.ready()[0]
            used = resident_mib(run.process)
            print(f"# {count} series offered, 10000 live: {used:.0f} MiB at most; refused: {refused}", flush=True)
            if memory_is_measurable(TOCSIN):
                assert used < 300, used
    return run_case


def memory_runs_out():
    """No more than so much address space: rows are refused from then on, with a reason; what was acknowledged is there after a new start."""
    with folder() as top:
        manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        manager.bind(str(top / "notify"))
        manager.settimeout(3)
        run = Service(top, "--threads", "1", "--history", "off", limits=[(resource.RLIMIT_AS, 1000 << 20)], NOTIFY_SOCKET=str(top / "notify"))
        assert run.url, run.words()
        begin, acknowledged, last = int(time.time()) - 100, 0, (0, "")
        try:
            for first in range(0, 3_000_000, 20000):
                body = "\n".join(f"many,id=i{i},pad={'p' * 150} v=1 {begin}" for i in range(first, first + 20000))
                try:
                    last = run.send("/write?precision=s", body, "text/plain")
                except OSError:
                    break
                if last[0] == 429:
                    time.sleep(0.05)
                    continue
                if last[0] != 204:
                    break
                acknowledged += 20000
            assert run.process.poll() is None, (run.process.poll(), run.words()[-500:])
            is_ready, text = run.ready()
            assert not is_ready and "out of memory" in text, text
            with contextlib.suppress(BlockingIOError):  # what was said before
                manager.setblocking(False)
                while manager.recv(4096):
                    pass
            manager.settimeout(3)
            with contextlib.suppress(TimeoutError):
                raise AssertionError(f"it has stopped, and says {manager.recv(4096)}")
            assert last[0] == 503 and "memory" in last[1], (last, acknowledged)
            print(f"# refused after {acknowledged} series: {last[1].strip()[:100]}", flush=True)
        finally:
            run.stop(signal.SIGKILL)
            manager.close()
        run = Service(top, "--history", "off")
        try:
            assert run.url, run.words()
            samples = run.samples()
            assert samples["accepted"] == acknowledged, (samples, acknowledged)
            run.wait_ready()
        finally:
            run.stop(signal.SIGKILL)


def main():
    suite = Suite()
    mounts = "needs a mount namespace of its own"
    for name, case, is_possible, reason in (
            ("the disk is full", disk_is_full, can_mount() and shutil.which("nsenter"), mounts),
            ("files may not grow", files_are_limited, True, ""),
            ("the disk is read-only", disk_is_read_only, can_mount(), mounts),
            ("a snapshot is damaged", snapshot_is_damaged, True, ""),
            ("a page of the database is damaged", database_page_is_damaged, True, ""),
            ("PostgreSQL goes away", the_database_goes_away, find_server(), "no PostgreSQL server is installed"),
            ("a receiver hangs, resets and answers 500", receivers_fail, True, ""),
            ("hostile bodies", hostile_bodies, True, ""),
            ("300 slow clients", slow_clients(300, 30), True, ""),
            ("10,000 connections", slow_clients(10000, 40), IS_SLOW, "minutes: make check-bad-days"),
            ("200,000 series where 10,000 may be", series_explode(200_000), True, ""),
            ("2,000,000 series where 10,000 may be", series_explode(2_000_000), IS_SLOW, "minutes: make check-bad-days"),
            ("memory runs out", memory_runs_out, memory_is_measurable(TOCSIN), "not in a build with the address sanitizer")):
        if is_possible and (len(sys.argv) < 3 or sys.argv[2] in name):
            suite.run(name, case)
        else:
            suite.skip(name, reason)
    suite.finish()


main()
