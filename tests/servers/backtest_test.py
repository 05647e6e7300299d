#!/usr/bin/env python3
"""`tocsin backtest` on what a live service took in, which was killed while it did: the same scores and the same episodes, bit for bit.

usage: backtest_test.py TOCSIN        Prints TAP.
"""
import json
import pathlib
import shutil
import signal
import sqlite3
import subprocess
import sys
import time

from service_test import feed, with_service
from support import Service, Suite, clean_environment

TOCSIN = sys.argv[1]
LIVES = [0, 90, 170, 305, 312, 360, 420]


def backtest(folder, *more, code=0):
    done = subprocess.run([TOCSIN, "backtest", "--data", str(folder), *more], capture_output=True, text=True, timeout=120,
                          stdin=subprocess.DEVNULL, env=clean_environment())
    assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
    return done.stdout if code == 0 else done.stdout + done.stderr


def kill_often(service, *more):
    """Lives of one service, each but the last ended by SIGKILL with no warning; the last one still runs."""
    begin = time.time() - 500
    for first, last in zip(LIVES, LIVES[1:]):
        feed(service, begin, first, last, spike=range(310, 318))
        if last == LIVES[-1]:
            break
        if last % 4 == 0:
            time.sleep(1.2)  # long enough for a snapshot, so that some lives begin with one
        service.stop(signal.SIGKILL)
        service = Service(service.folder, *more)
    service.settled()
    return service


def lines_by_record(path):
    """What every life wrote, as one: a line that was written twice must be the same both times."""
    records, torn = {}, 0
    group, number = [], None
    lives = []
    for line in pathlib.Path(path).read_text().splitlines():
        try:
            record = json.loads(line)["record"]
        except ValueError:
            torn += 1
            continue
        if record != number or line == group[0]:  # also where a life begins with the record that the one before ended with
            group, number = [], record
            lives.append((record, group))
        group.append(line)
    for record, group in lives:
        kept = records.setdefault(record, group)
        shorter = min(len(kept), len(group))
        assert kept[:shorter] == group[:shorter], (record, kept[:2], group[:2])
        if len(group) > len(kept):
            records[record] = group  # a kill cut the first one off
    assert torn <= len(LIVES), torn
    return [line for record in sorted(records) for line in records[record]]


def the_same_whatever_happened(service):
    folder = service.folder.parent
    live = folder / "live.ndjson"
    service.stop(signal.SIGKILL)
    more = ("--keep-journal", "--scores", str(live), "--snapshot", "1", "--alarm-budget", "20/day")
    service = kill_often(Service(service.folder, *more), *more)
    try:
        said = backtest(service.folder, "--verify", "--scores", str(folder / "running.ndjson"))  # beside the service
        assert "the same: all" in said and "records 1 to " in said, said
    finally:
        service.stop(signal.SIGKILL)
    files = []
    for threads in (1, 2, 8):
        files.append((folder / f"scores{threads}.ndjson", folder / f"episodes{threads}.ndjson"))
        report = json.loads(backtest(service.folder, "--verify", "--json", "--threads", str(threads), "--scores", str(files[-1][0]),
                                     "--episodes", str(files[-1][1])))
        assert report["differing"] == 0 and report["compared"] >= 1 and report["alarms"] >= 1, report
    one = [f.read_bytes() for f in files[0]]
    assert one[0].count(b"\n") >= LIVES[-1] * 24 and one[1]
    for scores, episodes in files[1:]:
        assert scores.read_bytes() == one[0] and episodes.read_bytes() == one[1]
    running = (folder / "running.ndjson").read_bytes()
    assert one[0].startswith(running) and len(running) > 0.9 * len(one[0])
    written, expected = lines_by_record(live), one[0].decode().splitlines()
    differing = [pair for pair in zip(written, expected) if pair[0] != pair[1]]
    assert written == expected, (len(written), len(expected), differing[:1])
    states = {json.loads(line)["state"] for line in one[1].decode().splitlines()}
    assert {"suspected", "confirmed", "resolved"} <= states, states
    said = backtest(service.folder, "--scores", str(folder / "again.ndjson"), "--compare", str(files[0][0]))
    assert "the same: every score" in said, said


def from_a_snapshot(service):
    """The journal is cut behind the oldest snapshot: what can still be read is verified from there."""
    service.stop(signal.SIGKILL)
    more = ("--snapshot", "1")
    service = kill_often(Service(service.folder, *more), *more)
    time.sleep(5)  # three snapshots of this life: what the lives before wrote is not needed any more
    service.stop()
    said = backtest(service.folder, "--verify")
    assert "the same: all" in said and "from a snapshot" in said, said


def differences_are_named(service):
    folder = service.folder.parent
    feed(service, time.time() - 500, 0, 400, spike=range(310, 318))
    service.wait("/api/v1/episodes?kind=anomaly&state=over", lambda a: a["episodes"])
    service.stop()
    copy = folder / "copy"
    shutil.copytree(service.folder, copy)
    with sqlite3.connect(copy / "tocsin.db") as store:
        store.execute("update record set document = replace(document, '\"state\":\"resolved\"', '\"state\":\"dismissed\"')")
    store.close()
    said = backtest(copy, "--verify", code=1)
    assert "DIFFERENT" in said and "dismissed" in said, said
    backtest(service.folder, "--scores", str(folder / "a.ndjson"))
    lines = (folder / "a.ndjson").read_text().splitlines()
    lines[99] = lines[99].replace('"state"', '"State"')
    (folder / "b.ndjson").write_text("\n".join(lines) + "\n")
    said = backtest(service.folder, "--scores", str(folder / "c.ndjson"), "--compare", str(folder / "b.ndjson"), code=1)
    assert "first in line 100" in said, said


def another_budget(service):
    begin = time.time() - 500
    for first in range(0, 420, 140):
        feed(service, begin, first, first + 140, spike=range(310, 318))
        time.sleep(1.2)  # the budget is shared out at ticks
    service.wait("/api/v1/episodes?kind=anomaly&state=over", lambda a: a["episodes"])
    own = json.loads(backtest(service.folder, "--json"))
    assert abs(own["alarms_per_day"] - 1) < 1e-9, own
    more = json.loads(backtest(service.folder, "--json", "--alarm-budget", "1000/hour"))
    assert abs(more["alarms_per_day"] - 24000) < 1e-6 and more["alarms"] > own["alarms"] >= 1, (own, more)
    assert sum(s["alarms"] for s in more["series"]) == more["alarms"] == sum(d["alarms"] for d in more["days"]), more
    assert 60 < more["promised"] < 130, more
    half = json.loads(backtest(service.folder, "--json", "--until", "5"))
    assert half["records"] == 5 and half["rows"] < own["rows"], half
    late = json.loads(backtest(service.folder, "--json", "--from", "2099-01-01"))
    assert late["alarms"] == 0 and late["rows"] == own["rows"], late
    said = backtest(service.folder, "--verify", "--alarm-budget", "1/week", code=2)
    assert "nothing to verify" in said, said
    said = backtest(service.folder.parent / "nowhere", code=1)
    assert "nowhere" in said, said


def main():
    suite = Suite()
    suite.run("a service that was killed five times: the same scores and episodes, for any number of threads, beside it and after it",
               with_service(the_same_whatever_happened))
    suite.run("a journal that was cut is verified from its oldest snapshot on", with_service(from_a_snapshot))
    suite.run("a changed episode and a changed score are named", with_service(differences_are_named))
    suite.run("another budget tells what would have been alarmed", with_service(another_budget))
    suite.finish()


if __name__ == "__main__":
    main()
