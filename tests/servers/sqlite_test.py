#!/usr/bin/env python3
"""Reads SQLite files as other programs leave them: written by Python's sqlite3, in write-ahead mode, locked, being written.

usage: sqlite_test.py PATH_TO_TOCSIN PATH_TO_READ_FRAME        Prints TAP.
"""
import math
import random
import sqlite3
import sys
import threading
import time

from support import Command, Frame, Suite, folder, memory_is_measurable, row_by_row, run_examples


def fill(path, rows=3000):
    """A plant's sensor with one event."""
    generator = random.Random(1)
    with sqlite3.connect(path) as database:
        database.execute("create table sensor(time text, flow real, pressure real)")
        database.executemany("insert into sensor values(strftime('%Y-%m-%d %H:%M:%S', ?, 'unixepoch'), ?, ?)",
                             [(1709251200 + 60 * k, 10 + math.sin(k / 30) + generator.gauss(0, .05) + (6 if 2000 <= k < 2012 else 0),
                               3 + generator.gauss(0, .02)) for k in range(rows)])
    database.close()


def main():
    command, reader, suite = Command(sys.argv[1]), sys.argv[2], Suite()
    if "this build" in command.run("detect", "sqlite:x", "--query", "x").stderr:
        suite.skip("SQLite", "built without SQLite")
        suite.finish()
    query = "select * from sensor order by time"
    with folder() as top:
        path = top / "plant.db"
        fill(path)

        def values():
            frame = Frame(reader, f"sqlite:{path}", query=query)
            assert frame.names == ["flow", "pressure"] and frame.rows == 3000
            with sqlite3.connect(path) as database:
                expected = database.execute("select flow, pressure from sensor order by time").fetchall()
            assert [list(pair) for pair in zip(*expected)] == [frame.columns["flow"], frame.columns["pressure"]]
            assert frame.times_ns[-1] == (1709251200 + 60 * 2999) * 10**9

        def write_ahead_mode():
            writer = sqlite3.connect(path)
            writer.execute("pragma journal_mode=wal")
            writer.execute("insert into sensor values('2024-03-05', 1.5, 2.5)")  # in the log, not committed
            assert Frame(reader, f"sqlite:{path}", query=query).rows == 3000
            writer.rollback()
            writer.execute("pragma journal_mode=delete")
            writer.close()

        def waits_for_a_writer():
            writer = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            writer.execute("begin exclusive")
            timer = threading.Timer(1.0, lambda: writer.execute("rollback"))
            timer.start()
            begun = time.monotonic()
            assert Frame(reader, f"sqlite:{path}", query=query).rows == 3000
            assert 0.8 < time.monotonic() - begun < 5
            timer.join()
            writer.close()

        def gives_up_on_a_writer():
            writer = sqlite3.connect(path, isolation_level=None)
            writer.execute("begin exclusive")
            command.fails(1, "database is locked", "detect", f"sqlite:{path}", "--query", query)
            writer.close()

        def file_stays_as_it_was():
            before = path.read_bytes()
            command.run("detect", f"sqlite:{path}", "--query", query)
            command.fails(2, "would change the database", "detect", f"sqlite:{path}", "--query", "drop table sensor")
            assert path.read_bytes() == before

        def memory_does_not_grow():
            query = "with recursive i(k) as (select 1 union all select k + 1 from i where k < %d) select k as time, k * 0.5 as v from i"
            few, many = (row_by_row(reader, f"sqlite:{path}", query % count) for count in (1000, 400000))
            assert few[0] == 1000 and many[0] == 400000
            assert many[1] < few[1] + 4 or not memory_is_measurable(reader), f"{few[1]:.1f} MiB for 1,000 rows, {many[1]:.1f} MiB for 400,000"

        def how_to():
            run_examples(command, "sqlite:", {}, top)

        for case in (values, write_ahead_mode, waits_for_a_writer, gives_up_on_a_writer, file_stays_as_it_was, memory_does_not_grow, how_to):
            suite.run("SQLite: " + case.__name__.replace("_", " "), case)
    suite.finish()


if __name__ == "__main__":
    main()
