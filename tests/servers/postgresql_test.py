#!/usr/bin/env python3
"""Reads from a real PostgreSQL that this test starts itself: a cluster in a temporary folder, on a unix socket in that
folder only, run by an unprivileged user, ended by its own pid.

usage: postgresql_test.py PATH_TO_TOCSIN PATH_TO_READ_FRAME        Prints TAP; skips when no server is installed.
"""
import contextlib
import json
import math
import os
import pathlib
import pwd
import shutil
import subprocess
import sys
import threading
import time

from support import Command, Frame, Suite, failing_allocations, folder, memory_is_measurable, process, row_by_row, run_examples, same, scored

SCHEMA = '''
create role reader login; create role guarded login password 'hush-hush';
create table readings(time timestamptz primary key, flow float8, level numeric(12,5), running boolean, note text, day date, n bigint,
                      seen timestamp);
insert into readings
  select timestamptz '2024-03-01 00:00:00+00' + k * interval '1 minute',
         case k when 7 then null when 8 then 'NaN'::float8 when 9 then 'Infinity'::float8 else k * 0.1::float8 + 1e-17 end,
         (k % 1000) / 8.0, k % 2 = 0, case when k % 3 = 0 then 'a' else 'b' end, date '2024-03-01', k * k::bigint, timestamp '2020-01-01'
  from generate_series(0, 4999) k;
create table epochs(at bigint, v float4); insert into epochs values (1709251200123, 0.5), (1709251200124, 1.5), (1709251200125, 2.25);
create table labelled(ts timestamp, "Weird ""name""" float8, label smallint);
insert into labelled values ('2024-03-01 00:00', 1.5, 0), ('2024-03-01 00:01', 2.5, 1), ('2024-03-01 00:02', null, 0);
create table sensor(time timestamptz, flow float8, pressure float8);
insert into sensor select now() - (3000 - k) * interval '1 minute', 10 + sin(k / 30.0) + case when k between 2000 and 2010 then 8 else 0 end,
  3 + cos(k / 30.0) * 0.1 from generate_series(1, 3000) k;
grant select on all tables in schema public to reader, guarded;
alter role reader set datestyle = 'German, DMY'; alter role reader set timezone = 'Asia/Tokyo'; alter role reader set extra_float_digits = -10;
'''


def find_server():
    bins = [pathlib.Path(p).parent for p in (shutil.which("postgres"),) if p] + sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"))
    return next((b for b in reversed(bins) if (b / "initdb").exists() and (b / "postgres").exists()), None)


@contextlib.contextmanager
def server():
    """The folder of the socket."""
    binaries = find_server()
    user = "postgres" if os.getuid() == 0 else None
    extra = {"user": user, "group": user, "extra_groups": []} if user else {}
    with folder(user) as top:
        data = top / "data"
        subprocess.run([binaries / "initdb", "-D", data, "-U", "postgres", "--auth=trust", "--no-sync", "-E", "UTF8", "--locale=C.UTF-8"],
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=top, timeout=50, **extra)
        rules = data / "pg_hba.conf"
        rules.write_text("local all guarded scram-sha-256\nlocal all all trust\n")
        with process([binaries / "postgres", "-D", data, "-k", top, "-c", "listen_addresses=", "-c", "fsync=off",
                      "-c", "shared_buffers=16MB"], top / "log", user) as child:
            psql = [binaries / "psql", "-h", str(top), "-U", "postgres", "-X", "-q", "-v", "ON_ERROR_STOP=1"]
            for _ in range(300):
                if subprocess.run(psql + ["-c", "select"], capture_output=True, check=False).returncode == 0:
                    break
                assert child.poll() is None, (top / "log").read_text()
                time.sleep(0.1)
            subprocess.run(psql + ["-c", "create database plant"], check=True, capture_output=True)
            subprocess.run(psql + ["-d", "plant"], input=SCHEMA.encode(), check=True, capture_output=True)
            yield top, psql + ["-d", "plant"]


def main():
    command, reader, suite = Command(sys.argv[1]), sys.argv[2], Suite()
    if not find_server():
        suite.skip("PostgreSQL", "no PostgreSQL server is installed")
        suite.finish()
    if os.getuid() == 0 and not any(entry.pw_name == "postgres" for entry in pwd.getpwall()):
        suite.skip("PostgreSQL", "running as root and there is no user postgres to run a server as")
        suite.finish()
    if "this build" in command.run("detect", "postgresql://h/d", "--query", "x").stderr:
        suite.skip("PostgreSQL", "built without libpq")
        suite.finish()
    with server() as (top, psql):
        url = f"postgresql://reader@/plant?host={top}"

        def types():
            frame = Frame(reader, url, query="select * from readings order by time")
            assert frame.names == ["flow", "level", "running", "n"], frame.names
            expected = [None if k in (7, 8, 9) else k * 0.1 + 1e-17 for k in range(5000)]
            assert same(frame.columns["flow"], expected), "float8 lost digits or gaps"
            assert frame.columns["level"] == [k % 1000 / 8 for k in range(5000)]
            assert frame.columns["running"] == [float(k % 2 == 0) for k in range(5000)]
            assert frame.columns["n"] == [float(k * k) for k in range(5000)]
            assert frame.times_ns == [(1709251200 + 60 * k) * 10**9 for k in range(5000)], "times depend on the role's settings"
            notes = "\n".join(frame.notes)
            for words in ("PostgreSQL; 5000 rows, 4 value columns", "time: time (ISO 8601), 2024-03-01T00:00:00Z", "not used: note: text",
                          "not used: day: another time column", "2 values are missing", "1 value is infinite"):
                assert words in notes, f"{words!r} is missing: {notes}"

        def epochs():
            frame = Frame(reader, url, query="select * from epochs", time="at")
            assert frame.times_ns == [1709251200123000000 + 1000000 * k for k in range(3)] and frame.columns["v"] == [0.5, 1.5, 2.25]

        def labels_and_names():
            frame = Frame(reader, url.replace("postgresql:", "postgres:"), query="select * from labelled")
            assert frame.names == ['Weird "name"'] and frame.labels == [0, 1, 0] and math.isnan(frame.columns['Weird "name"'][2])

        def many_rows():
            frame = Frame(reader, url, query="select k * 0.5 as v from generate_series(1, 300000) k", as_series=1)
            assert frame.rows == 300000 and frame.columns["v"][-1] == 150000

        def memory_does_not_grow():
            query = "select timestamp '2024-03-01' + k * interval '1 s' as time, k * 0.5 as v from generate_series(1, %d) k"
            few, many = (row_by_row(reader, url, query % count) for count in (1000, 400000))
            assert few[0] == 1000 and many[0] == 400000
            assert many[1] < few[1] + 4 or not memory_is_measurable(reader), f"{few[1]:.1f} MiB for 1,000 rows, {many[1]:.1f} MiB for 400,000"

        def refuses_to_write():
            for statement in ("delete from readings", "create table x(a int)", "update readings set flow = 0", "drop table readings"):
                command.fails(2, "in a read-only transaction", "detect", url.replace("reader@", "postgres@"), "--query", statement)
            command.fails(2, "cannot insert multiple commands", "detect", url, "--query", "commit; delete from readings")
            command.fails(2, "gives no rows but 'COMMIT'", "detect", url, "--query", "commit")
            command.fails(2, "read-write mode", "detect", url, "--query",
                          "select set_config('transaction_read_only', 'off', false), 1 as a from readings limit 1")
            assert Frame(reader, url, query="select * from readings").rows == 5000

        def query_errors():
            for query, words in {"select * from nowhere": 'relation "nowhere" does not exist', "selec 1": "syntax error at or near",
                                 "select flo from readings": 'Perhaps you meant to reference the column "readings.flow"',
                                 "select 1.0 / (4000 - k) as v from generate_series(1, 5000) k": "division by zero", "": "needs a query",
                                 "-- nothing": "the query is empty", "select": "the query gives no columns",
                                 "copy readings to stdout": "expected a select", "select flow from readings where n > $1": "has parameters"}.items():
                command.fails(2, words, "detect", url, "--query", query)
            for query, words in {"select flow from readings where false": "the query gives no rows",
                                 "select note from readings": "no column holds numbers"}.items():
                command.fails(1, words, "detect", url, "--query", query)

        def nasty_rows():
            times = "timestamptz '2024-01-01 00:00:00+00' + %s * interval '1 minute' as time, %s as value from generate_series(0, %d) k"
            zones = ("select case when k % 2 = 0 then to_char(timestamp '2024-01-01' + k * interval '1 minute', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') "
                     "else to_char(timestamp '2024-01-01 02:00' + k * interval '1 minute', 'YYYY-MM-DD\"T\"HH24:MI:SS\"+02:00\"') end as time, "
                     "(k % 7)::float8 as value from generate_series(0, 59) k order by k")
            for query, rows, missing, note in (
                    ("select " + times % ("k", "1.5", 0), 1, 0, ""),
                    ("select " + times % ("k", "5.0", 59), 60, 0, "never changes"),
                    ("select " + times % ("k", "(array['inf', '-inf', '1', '2', 'nan'])[k % 5 + 1]::float8", 59), 60, 36, "24 values are infinite"),
                    ("select " + times % ("k", "(k % 9 + 1) * '1e-320'::float8", 59), 60, 0, ""),
                    ("select " + times % ("k", "(array['1e308', '-1e308'])[k % 2 + 1]::float8", 59), 60, 60, "60 values are beyond 1e+150"),
                    ("select " + times % ("k", "case when k = 30 then 1e309::numeric else k % 7 end", 59), 60, 1, "1 value is infinite"),
                    ("select " + times % ("(k / 2)", "(k % 7)::float8", 59), 60, 0, "30 rows repeat the time before"),
                    ("select " + times % ("(60 - k)", "(k % 7)::float8", 59) + " order by k", 60, 0, "59 rows stood after a later one"),
                    (zones, 60, 0, "every 60 s"),
                    ("select " + times % ("k", "case when k = 40 then repeat('x', 1000000) else (k % 7)::text end", 59), 60, 1,
                     "1 cell is no number, first in line 41: 'xxx")):
                found = scored(command, top, url, "--query", query)
                assert found[:2] == (rows, missing) and note in found[2], (query, found)
            command.fails(1, "no column holds numbers; 'value' holds no values", "detect", url, "--query",
                          "select " + times % ("k", "null::float8", 59))

        def connection_errors():
            query = ["--query", "select * from readings"]
            command.fails(1, 'database "nowhere" does not exist', "detect", f"postgresql://reader@/nowhere?host={top}", *query)
            command.fails(1, 'role "nobody" does not exist', "detect", f"postgresql://nobody@/plant?host={top}", *query)
            command.fails(1, "No such file or directory", "detect", f"postgresql://reader:hush-hush@/plant?host={top}/none", *query)
            command.fails(1, "guarded:***@/plant", "detect", f"postgresql://guarded:not-hush-hush@/plant?host={top}", *query)
            command.fails(1, "password authentication failed", "detect", f"postgresql://guarded:not-hush-hush@/plant?host={top}", *query)
            command.fails(1, "password=***", "detect", f"postgresql://guarded@/plant?host={top}&password=not-hush-hush", *query)
            command.fails(2, "invalid URI", "detect", "postgresql://u:hush-hush@h/d?sslmood=off", *query)
            command.fails(1, "", "detect", "postgresql://u:hush-hush/or@127.0.0.1:1/d", *query)
            command.fails(2, "start, end and step are for Prometheus", "detect", url, "--start", "now-1h", *query)

        def password_is_shown_nowhere():
            secret = f"postgresql://guarded:hush-hush@/plant?host={top}"
            report = str(top / "report.html")
            for more in ([], ["--json"], ["--json", "--report", report]):
                outcome = command.run("detect", secret, "--query", "select time, flow, level from readings order by time", *more)
                assert outcome.returncode == 0 or "--report" in more, outcome.stderr
                assert "hush" not in outcome.stdout + outcome.stderr, outcome.stdout[:500]
                if more == ["--json"]:
                    assert json.loads(outcome.stdout)["input"] == f"postgresql://guarded:***@/plant?host={top}"
            if os.path.exists(report):
                assert "hush" not in pathlib.Path(report).read_text(encoding="utf-8")

        def waits_are_bounded():
            begun = time.monotonic()
            limited = url + "&options=-cstatement_timeout%3D500"
            command.fails(1, "canceling statement due to statement timeout", "detect", limited, "--query", "select pg_sleep(30), 1.5 as v")
            assert time.monotonic() - begun < 10

        def server_goes_away():
            def end_it():
                for _ in range(100):
                    time.sleep(0.1)
                    ended = subprocess.run(psql + ["-A", "-t", "-c", "select pg_terminate_backend(pid) from pg_stat_activity "
                                                   "where application_name = 'tocsin' and state = 'active'"], capture_output=True, check=False)
                    if b"t" in ended.stdout:
                        return
            killer = threading.Thread(target=end_it)
            killer.start()
            command.fails(1, "terminating connection due to administrator command", "detect", url, "--query",
                          "select k * 0.5 as v, pg_sleep(0.01) from generate_series(1, 3000) k", seconds=40)
            killer.join()

        def memory_runs_out():
            failing_allocations(reader, url, 20, query="select * from readings order by time limit 50")

        def how_to():
            run_examples(command, "postgresql:", {"postgresql://reader@db.example.com/plant": url}, top)

        for case in (types, epochs, labels_and_names, many_rows, memory_does_not_grow, refuses_to_write, query_errors, nasty_rows, connection_errors,
                     password_is_shown_nowhere, waits_are_bounded, server_goes_away, memory_runs_out, how_to):
            suite.run("PostgreSQL: " + case.__name__.replace("_", " "), case)
    suite.finish()


if __name__ == "__main__":
    main()
