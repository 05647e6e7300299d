#!/usr/bin/env python3
"""`tocsin backfill`: a live service that knows the past is ready at once, tells nothing of it, and is the same in a backtest.

usage: backfill_test.py TOCSIN        Prints TAP.
"""
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time

from backtest_test import backtest
from postgresql_test import find_server
from service_test import with_service
from support import Service, Suite, clean_environment

TOCSIN = sys.argv[1]
ROWS = 1500


def backfill(service, *more, code=0):
    done = subprocess.run([TOCSIN, "backfill", "--to", service.url, *more], capture_output=True, text=True, timeout=120,
                          stdin=subprocess.DEVNULL, env=clean_environment())
    assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
    return done.stdout + done.stderr


def past(begin, rows, seed=1):
    """Two sensors, a row each ten seconds, with a jump that nobody is to be told of."""
    chance = random.Random(seed)
    lines = ["time,flow,pressure"]
    for i in range(rows):
        jump = 50 if 700 <= i < 706 else 0
        lines.append(f"{begin + 10 * i:.3f},{100 + chance.gauss(0, 1) + jump:.4f},{5 + chance.gauss(0, 0.1):.4f}")
    return "\n".join(lines) + "\n"


def ready_at_once(service):
    folder = service.folder.parent
    now = time.time()
    (folder / "past.csv").write_text(past(now - 10 * ROWS - 5, ROWS))
    said = backfill(service, str(folder / "past.csv"), "--names", 'flow{pump="1"};pressure{pump="1"}')
    assert f"{2 * ROWS} rows of the past were taken" in said, said
    status = service.wait("/api/v1/status", lambda a: a["rows_waiting"] == 0 and a["samples"]["backfilled"] == 2 * ROWS)
    assert status["samples"]["accepted"] == 0 and status["series"] == 2, status
    time.sleep(1.2)
    assert service.ask("/api/v1/episodes")["episodes"] == []
    service.take([('flow{pump="1"}', now, 100.5), ('pressure{pump="1"}', now, 5.01)])
    for number in (0, 1):
        series = service.ask(f"/api/v1/series/{number}")
        assert series["readiness"] == "ready" and abs(series["cadence_seconds"] - 10) < 0.5, series
    assert abs(service.ask("/api/v1/series/0")["expected"] - 100) < 2
    service.take([('flow{pump="1"}', now + 10, 180)])
    answer = service.wait("/api/v1/episodes?kind=anomaly", lambda a: a["episodes"])
    assert len(answer["episodes"]) == 1 and answer["episodes"][0]["series"] == 'flow{pump="1"}', answer
    service.stop(signal.SIGKILL)
    assert "the same: all 1 episodes" in backtest(service.folder, "--verify")


def again_and_too_late(service):
    folder = service.folder.parent
    now = time.time()
    (folder / "past.csv").write_text(past(now - 10 * ROWS - 5, ROWS))
    backfill(service, str(folder / "past.csv"))
    backfill(service, str(folder / "past.csv"))
    status = service.wait("/api/v1/status", lambda a: a["rows_waiting"] == 0 and a["samples"]["too_old"] >= 2 * ROWS - 2)
    assert status["samples"]["backfilled"] == 2 * ROWS, status
    # A series that lives takes its past until it has 200 rows of its own, up to its first one.
    service.take([("other", now - 100 + i, i % 7 + 0.1 * i) for i in range(50)])
    other = "time,other\n" + "".join(f"{now - 5000 + 10 * i},{i % 7}\n" for i in range(600))
    (folder / "other.csv").write_text(other)
    backfill(service, str(folder / "other.csv"))
    service.wait("/api/v1/status", lambda a: a["samples"]["backfilled"] == 2 * ROWS + 490 and a["samples"]["duplicate"] >= 40)
    service.take([("own", now - 300 + i, i % 7 + 0.1 * i) for i in range(250)])
    (folder / "own.csv").write_text(other.replace("other", "own"))
    backfill(service, str(folder / "own.csv"))
    status = service.wait("/api/v1/status", lambda a: a["rows_waiting"] == 0 and a["samples"]["too_old"] >= 2 * ROWS + 400)
    assert status["samples"]["backfilled"] == 2 * ROWS + 490, status


def of_another_service(service):
    folder = service.folder.parent
    now = time.time()
    (folder / "past.csv").write_text(past(now - 10 * ROWS - 5, ROWS))
    old = Service(folder / "old", "--keep-journal")
    rows = [("speed", now - 3000 + 10 * i, 50 + random.Random(i).gauss(0, 2)) for i in range(300)]
    old.take(rows)
    old.stop()
    said = backfill(service, str(folder / "old"))
    assert "300 rows of the past" in said, said
    service.wait("/api/v1/status", lambda a: a["samples"]["backfilled"] == 300)
    assert service.ask("/api/v1/series/0")["series"] == "speed"


HISTORY, KEPT = 270000, 262144  # rows of a series that are sent, and those that a full reel takes to the store


def remember(service):
    """A gauge and a counter, so many rows that most of them go from the reel into the store."""
    begin = int(time.time()) - HISTORY
    for at in range(0, HISTORY, 20000):
        body = "".join(f'{{"series":"speed{{unit=\\"1\\"}}","time":{begin + t},"value":{50 + t % 97}}}\n'
                       f'{{"series":"hits_total","time":{begin + t},"value":{10000000 + 3 * t + t % 2}}}\n' for t in range(at, min(at + 20000, HISTORY)))
        assert service.send("/api/v1/rows", body, "application/x-ndjson")[0] in (200, 204)
    service.wait("/api/v1/status", lambda s: s["rows_waiting"] == 0 and s["history"]["blocks"] >= 128, 60)


def know_it(service, low):
    """Both series are known as they were, on their own scale; the counter by its rate."""
    status = service.wait("/api/v1/status", lambda a: a["rows_waiting"] == 0 and a["samples"]["backfilled"] >= low, 60)
    assert status["series"] == 2 and status["samples"]["backfilled"] <= 2 * HISTORY, status["samples"]
    seen = {s["series"]: s for s in (service.ask(f"/api/v1/series/{n}") for n in (0, 1))}
    assert seen["hits_total"]["is_rate"] and abs(seen["hits_total"]["expected"] - 3) < 2, seen
    assert abs(seen['speed{unit="1"}']["expected"] - 98) < 60 and all(abs(s["cadence_seconds"] - 1) < 0.1 for s in seen.values()), seen
    assert all(s["readiness"] == "ready" for s in seen.values()), seen


def of_what_another_service_remembers(service):
    """Of a folder without a journal what the store remembers; of one that has both, each row once."""
    folder = service.folder.parent
    old = Service(folder / "old", "--deep", "off")
    remember(old)
    assert old.stop() == 0
    shutil.copytree(folder / "old", folder / "cut")
    for segment in (folder / "cut" / "journal").iterdir():
        segment.unlink()
    backfill(service, str(folder / "cut"))
    know_it(service, 2 * KEPT - 2)
    assert service.ask("/api/v1/status")["samples"]["backfilled"] < 2 * HISTORY
    other = Service(folder / "other", "--deep", "off")
    try:
        backfill(other, str(folder / "old"))
        know_it(other, KEPT + HISTORY - 2)  # the counter's last rows are in the journal, and not gone on with
    finally:
        other.stop(signal.SIGKILL)


def of_a_store_in_postgresql(service):
    from standby_test import Database
    from support import folder as temporary
    with temporary("postgres" if os.getuid() == 0 else None) as top:
        database = Database(top)
        old = Service(service.folder.parent / "old", "--deep", "off", "--store", database.url)
        try:
            remember(old)
            assert old.stop() == 0
            backfill(service, database.url)
        finally:
            if old.process.poll() is None:
                old.stop(signal.SIGKILL)
            database.end()
    know_it(service, 2 * KEPT - 2)
    assert "connect" in backfill(service, "postgresql://nobody@/nothing?host=/nowhere", code=1)


def of_a_query(service):
    folder, now = service.folder.parent, int(time.time())
    with sqlite3.connect(folder / "plant.db") as database:
        database.execute("create table readings(at integer, flow real, pressure real)")
        database.executemany("insert into readings values(?, ?, ?)", [(now - 10 * (ROWS - i), 100 + i % 7, 5 + i % 3) for i in range(ROWS)])
    database.close()
    said = backfill(service, f"sqlite:{folder / 'plant.db'}", "--query", "select at as time, flow, pressure from readings order by at",
                    "--names", 'flow{pump="1"};pressure{pump="1"}')
    assert f"{2 * ROWS} rows of the past were taken" in said, said
    service.wait("/api/v1/status", lambda a: a["rows_waiting"] == 0 and a["samples"]["backfilled"] == 2 * ROWS)
    assert {service.ask(f"/api/v1/series/{n}")["series"] for n in (0, 1)} == {'flow{pump="1"}', 'pressure{pump="1"}'}


def of_prometheus(service):
    import prometheus_test as real
    with real.server() as (address, _):
        hours = ("--start", "2024-03-01T00:00:00Z", "--end", "2024-03-01T01:30:00Z", "--step", "15s")
        backfill(service, address, "--query", "plant_flow", *hours)
    status = service.wait("/api/v1/status", lambda a: a["rows_waiting"] == 0 and a["samples"]["backfilled"] >= 2 * 361)
    assert status["samples"]["backfilled"] == 2 * 361 and status["series"] == 2, status
    seen = {s["series"]: s for s in (service.ask(f"/api/v1/series/{n}") for n in (0, 1))}
    assert set(seen) == {'plant_flow{pump="a",site="north"}', 'plant_flow{pump="b",site="north"}'}, seen
    assert all(s["readiness"] == "ready" and abs(s["cadence_seconds"] - 15) < 1 for s in seen.values()), seen
    assert abs(seen['plant_flow{pump="b",site="north"}']["expected"] - 21) < 1, seen


def what_is_refused(service):
    folder = service.folder.parent
    (folder / "none.csv").write_text("a,b\n1,2\n3,4\n5,6\n")
    assert "has no times" in backfill(service, str(folder / "none.csv"), code=2)
    (folder / "past.csv").write_text(past(time.time() - 1000, 20))
    assert "expected 2" in backfill(service, str(folder / "past.csv"), "--names", "a", code=2)
    assert "nowhere" in backfill(service, str(folder / "nowhere.csv"), code=1)
    status = service.ask("/api/v1/status")
    assert status["samples"]["backfilled"] == 0, status


def main():
    suite = Suite()
    suite.run("a series that was given its past is ready with its first row", with_service(ready_at_once))
    suite.run("the past once, and not over the present", with_service(again_and_too_late))
    suite.run("the past of another service", with_service(of_another_service))
    suite.run("what another service remembers", with_service(of_what_another_service_remembers, "--deep", "off"))
    suite.run("a query of SQLite", with_service(of_a_query))
    if find_server():
        suite.run("the store of a service in PostgreSQL", with_service(of_a_store_in_postgresql, "--deep", "off"))
    else:
        suite.skip("the store of a service in PostgreSQL", "no PostgreSQL server is installed")
    if shutil.which("prometheus") and shutil.which("promtool"):
        suite.run("a query of a real Prometheus", with_service(of_prometheus))
    else:
        suite.skip("a query of a real Prometheus", "no Prometheus server is installed")
    suite.run("what is no past", with_service(what_is_refused))
    suite.finish()


if __name__ == "__main__":
    main()
