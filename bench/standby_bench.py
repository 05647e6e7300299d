#!/usr/bin/env python3
"""What a journal that two services share costs: rows a second, durable before they are answered, with the journal in its folder and with
the journal in PostgreSQL, beside each other.

usage: standby_bench.py TOCSIN [ROUNDS [SECONDS [CONNECTIONS]]]      defaults 5 rounds of 3 seconds over 4 connections
A PostgreSQL of its own on a unix socket, durable as it is by default, on the same disk as the folder.  Line protocol, gzip, so many samples
a request.  Ways are taken in turn; a median of the rounds is printed for each, and what counts is the ratio.
"""
import gzip
import http.client
import json
import os
import pathlib
import signal
import statistics
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests/servers"))
sys.argv[1] = os.path.abspath(sys.argv[1])
from standby_test import Database, TOCSIN  # noqa: E402  (it reads the same first argument)
from support import clean_environment, folder  # noqa: E402

CONNECTIONS = int(sys.argv[4]) if len(sys.argv) > 4 else 4


def bodies(connection, size, count, begin):
    """count requests of size samples; each series gets one sample a request that it is in."""
    blocks = max(1, 4000 // size)
    made = []
    for step in range(count):
        rows = [f"load,host=h{connection}-{step % blocks}-{i},zone=z{i % 7} value={(step * 7919 + i * 31) % 1000 / 8} {begin + step // blocks}"
                for i in range(size)]
        made.append(gzip.compress("\n".join(rows).encode(), 1))
    return made


def run(port, load, seconds):
    done, late = [0] * CONNECTIONS, []
    end = time.monotonic() + seconds

    def send(number):
        link = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        for body in load[number]:
            begun = time.monotonic()
            if begun > end:
                break
            link.request("POST", "/write?precision=s", body, {"Content-Type": "text/plain", "Content-Encoding": "gzip"})
            answer = link.getresponse()
            answer.read()
            if answer.status == 429:
                time.sleep(0.05)
                continue
            assert answer.status == 204, answer.status
            done[number] += 1
            late.append(time.monotonic() - begun)
        else:
            raise SystemExit("too few requests were made")
    threads = [threading.Thread(target=send, args=(i,)) for i in range(CONNECTIONS)]
    begun = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(done) / (time.monotonic() - begun), statistics.median(late) * 1000


def main():
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    seconds = float(sys.argv[3]) if len(sys.argv) > 3 else 3
    user = "postgres" if os.getuid() == 0 else None
    print(f"{'samples a request':>18} {'folder, samples/s':>18} {'shared, samples/s':>18} {'ratio':>6} {'folder, ms':>11} {'shared, ms':>11}")
    for size in (10, 200, 2000):
        found = {"folder": [], "shared": []}
        load = [bodies(c, size, max(20, int(seconds * min(1500, 1.2e6 / size) * 4 / CONNECTIONS)), int(time.time()) - 3600) for c in range(CONNECTIONS)]
        for _ in range(rounds):
            for way, flags in (("folder", []), ("shared", ["--standby"])):
                with folder(user) as top:
                    os.chmod(top, 0o755)
                    database = Database(top)
                    service = subprocess.Popen([TOCSIN, "serve", "--store", database.url, "--data", str(top / "journal"), "--listen",
                                                "127.0.0.1:0", "--log", "error", *flags], stdout=subprocess.PIPE, text=True,
                                               env=clean_environment())
                    port = int(service.stdout.readline().rsplit(":", 1)[1])
                    while True:
                        link = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
                        link.request("GET", "/readyz")
                        if link.getresponse().status == 200:
                            break
                        time.sleep(0.05)
                    try:
                        found[way].append(run(port, load, seconds))
                    finally:
                        service.send_signal(signal.SIGKILL)
                        service.wait()
                        service.stdout.close()
                        database.end()
        rate = {way: statistics.median(r for r, _ in found[way]) * size for way in found}
        late = {way: statistics.median(t for _, t in found[way]) for way in found}
        print(f"{size:>18} {rate['folder']:>18.0f} {rate['shared']:>18.0f} {rate['shared'] / rate['folder']:>6.2f} {late['folder']:>11.2f} "
              f"{late['shared']:>11.2f}", flush=True)
        print(json.dumps({"size": size, "rounds": found}), file=sys.stderr)


main()
