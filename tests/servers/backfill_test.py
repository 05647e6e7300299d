#!/usr/bin/env python3
"""`tocsin backfill`: a live service that knows the past is ready at once, tells nothing of it, and is the same in a backtest.

usage: backfill_test.py TOCSIN        Prints TAP.
"""
import random
import signal
import subprocess
import sys
import time

from backtest_test import backtest
from service_test import Service, with_service
from support import Suite, clean_environment

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
    assert service.rows([('flow{pump="1"}', now, 100.5), ('pressure{pump="1"}', now, 5.01)]) in (200, 204)
    for number in (0, 1):
        series = service.ask(f"/api/v1/series/{number}")
        assert series["readiness"] == "ready" and abs(series["cadence_seconds"] - 10) < 0.5, series
    assert abs(service.ask("/api/v1/series/0")["expected"] - 100) < 2
    service.rows([('flow{pump="1"}', now + 10, 180)])
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
    service.rows([("other", now - 100 + i, i % 7 + 0.1 * i) for i in range(50)])
    other = "time,other\n" + "".join(f"{now - 5000 + 10 * i},{i % 7}\n" for i in range(600))
    (folder / "other.csv").write_text(other)
    backfill(service, str(folder / "other.csv"))
    service.wait("/api/v1/status", lambda a: a["samples"]["backfilled"] == 2 * ROWS + 490 and a["samples"]["duplicate"] >= 40)
    service.rows([("own", now - 300 + i, i % 7 + 0.1 * i) for i in range(250)])
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
    assert old.rows(rows) in (200, 204)
    old.stop()
    said = backfill(service, str(folder / "old"))
    assert "300 rows of the past" in said, said
    service.wait("/api/v1/status", lambda a: a["samples"]["backfilled"] == 300)
    assert service.ask("/api/v1/series/0")["series"] == "speed"


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
    suite.run("what is no past", with_service(what_is_refused))
    suite.finish()


if __name__ == "__main__":
    main()
