#!/usr/bin/env python3
"""What people do to the live service, and the books of it: silences, acknowledgements, the audit log, backups; on SQLite and PostgreSQL.

usage: desk_test.py TOCSIN        Prints TAP.
"""
import contextlib
import datetime
import http.server
import json
import os
import pathlib
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time

import postgresql_test
import support
from support import Suite, clean_environment, wait_for

TOCSIN = sys.argv[1]
SERIES = 24


def iso(seconds_from_now):
    return (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds_from_now)).isoformat().replace("+00:00", "Z")


def run(*arguments, status=0):
    """A command's output; on standard error, where it is expected to fail."""
    done = subprocess.run([TOCSIN, *map(str, arguments)], capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL, env=clean_environment())
    assert done.returncode == status, (arguments, done)
    return done.stderr if status else done.stdout


class Service(support.Service):
    """With what people do, and rows of SERIES sensors."""

    def act(self, method, path, body=None):
        """Status and document of the answer."""
        status, text = self.send(path, body, method=method)
        return status, json.loads(text) if text else None

    def feed(self, begin, first, last, spiking=(), spike=range(0), trace=None):
        """A second apart; those that spike jump at the steps of `spike`."""
        rows = []
        for t in range(first, last):
            chance = random.Random(100003 + t)
            rows += [(f'sensor{{unit="{i}"}}', begin + t, 100 * i + chance.gauss(0, 1) + (40 if i in spiking and t in spike else 0))
                     for i in range(SERIES)]
        self.take(rows, **({"traceparent": f"00-{trace}-00f067aa0ba902b7-01"} if trace else {}))


class Hooks:
    """A server that keeps what webhooks send: (path, series' unit, state)."""

    def __init__(self):
        heard = self.heard = []
        traces = self.traces = {}

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                event = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                data = event["data"]
                heard.append((self.path, data["tags"].get("unit"), data["state"]))
                traces[heard[-1]] = (self.headers["traceparent"], data["trace"])
                self.send_response(204)
                self.end_headers()

            def log_message(self, *arguments):
                pass
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def wait(self, what):
        wait_for(f"{what} is heard", lambda: self.heard, lambda heard: what in heard)


@contextlib.contextmanager
def running(settings="", *more):
    """A folder, hooks, and a function that starts the service there (again)."""
    with tempfile.TemporaryDirectory() as name:
        hooks, services = Hooks(), []
        folder = pathlib.Path(name)
        (folder / "receivers.yaml").write_text(settings.replace("HOOKS", hooks.url))

        def start():
            services.append(Service(folder / "data", *(["--receivers", str(folder / "receivers.yaml")] if settings else []), *more))
            return services[-1]
        try:
            yield folder, hooks, start
        finally:
            for service in services:
                service.stop(signal.SIGKILL)
            hooks.server.shutdown()


OPS = "tell: episodes\ngroup_within: off\nreceivers:\n  - name: ops\n    kind: webhook\n    url: HOOKS/ops\n"
BOSS = OPS + "  - name: boss\n    kind: webhook\n    url: HOOKS/boss\n    only_escalated: yes\nescalate_after: 12s\n"


def matcher(name, op, value):
    return {"name": name, "op": op, "value": value}


def open_episodes(service, units):
    """Ids of the confirmed anomalies of those units."""
    wanted = {f'sensor{{unit="{unit}"}}': unit for unit in units}
    answer = service.wait("/api/v1/episodes?state=confirmed&kind=anomaly",
                          lambda a: {e["series"] for e in a["episodes"]} >= set(wanted))
    return {wanted[e["series"]]: e["id"] for e in answer["episodes"] if e["series"] in wanted}


def silences_hold_over_a_kill():
    with running(OPS) as (_, hooks, start):
        service = start()
        begin = time.time() - 400
        status, answer = service.act("POST", "/api/v1/silences", {"matchers": [matcher("unit", "=~", "3|4")], "to": iso(3600), "comment": "disks"})
        assert status == 201, answer
        silence = answer["id"]
        status, answer = service.act("POST", "/api/v1/maintenance", {"matchers": [matcher("unit", "=", "4")], "from": iso(-500), "to": iso(1800)})
        assert status == 201, answer
        maintenance = answer["id"]
        service.stop(signal.SIGKILL)
        service = start()
        service.feed(begin, 0, 318, spiking=(3, 4, 5), spike=range(310, 400))
        ids = open_episodes(service, (3, 4, 5))
        hooks.wait(("/ops", "5", "confirmed"))
        for unit, weight in ((4, 0), (5, 1)):  # what happened in maintenance teaches nothing
            status, answer = service.act("POST", f"/api/v1/episodes/{ids[unit]}/answers", {"verdict": "true", "scope": "episode"})
            assert status == 201, answer
            entry = service.ask("/api/v1/audit?limit=1000")["entries"][-1]
            assert entry["action"] == "answer" and (json.loads(entry["detail"])["document"]["weight"] > 0) == (weight > 0), entry
        service.stop(signal.SIGKILL)
        service = start()
        found = service.ask("/api/v1/silences")
        assert [(s["id"], s["who"], s["comment"], s["state"]) for s in found] == [(silence, "local", "disks", "active")], found
        assert found[0]["matchers"] == [matcher("unit", "=~", "3|4")]
        time.sleep(2)
        assert not any(unit in "34" for _, unit, _ in hooks.heard), hooks.heard
        assert service.act("DELETE", "/api/v1/silences/" + silence)[0] == 204  # what lasts is told
        hooks.wait(("/ops", "3", "confirmed"))
        time.sleep(1.5)
        assert ("/ops", "4", "confirmed") not in hooks.heard, hooks.heard       # the other one holds still
        assert service.act("DELETE", "/api/v1/silences/" + silence)[0] == 409
        assert service.act("DELETE", "/api/v1/silences/none")[0] == 404
        assert service.ask("/api/v1/silences") == [] and service.ask("/api/v1/silences?over=true")[0]["state"] == "over"
        assert service.act("DELETE", "/api/v1/maintenance/" + maintenance)[0] == 204
        hooks.wait(("/ops", "4", "confirmed"))


def silences_end_by_themselves():
    with running(OPS) as (_, hooks, start):
        service = start()
        service.feed(time.time() - 400, 0, 300)
        over = time.time() + 15
        status, answer = service.act("POST", "/api/v1/silences", {"matchers": [matcher("unit", "=", "3")], "to": iso(15)})
        assert status == 201, answer
        service.feed(time.time() - 400 + 0.5, 300, 318, spiking=(3,), spike=range(310, 400))
        open_episodes(service, (3,))
        assert time.time() < over, "this machine takes too long to show anything"
        service.stop(signal.SIGKILL)
        service = start()
        hooks.wait(("/ops", "3", "confirmed"))
        assert time.time() >= over, "it is told before the silence is over"
        assert service.ask("/api/v1/silences") == []


def what_is_no_silence():
    good = {"matchers": [matcher("a", "=", "b")], "to": iso(60)}
    with running() as (_, _, start):
        service = start()
        for change, words in [({"matchers": []}, "a list of 1 to 16"), ({"matchers": [matcher("a", "~", "b")]}, "matchers[0]: op"),
                              ({"matchers": [matcher("a", "=~", "(")]}, "no regular expression"), ({"to": iso(-5)}, "has passed"),
                              ({"matchers": [matcher("a", "=~", ".*")]}, "silence everything"), ({"from": iso(90)}, "after `from`"),
                              ({"to": "soon"}, "to: expected a time"), ({"to": None}, "a silence has an end"), ({"till": 1}, "'till' is not known"),
                              ({"comment": "x" * 256}, "comment: expected a text of at most 255")]:
            status, answer = service.act("POST", "/api/v1/silences", dict(good, **change))
            assert status == 400 and words in answer["detail"], (change, status, answer)
        assert service.act("POST", "/api/v1/silences", b"{")[0] == 400
        assert service.act("POST", "/api/v1/silences", b"")[0] == 400
        assert service.ask("/api/v1/silences") == []
        status, answer = service.act("POST", "/api/v1/episodes/none/acknowledgement", {})
        assert status == 404 and "no episode 'none'" in answer["detail"], answer
        entries = service.ask("/api/v1/audit?limit=1000")["entries"]  # what was refused changed nothing
        assert [e["action"] for e in entries if e["actor"] != "service"] == [], entries


def ten_thousand_and_no_more():
    with running() as (folder, _, start):
        service = start()
        asked = {"matchers": [matcher("a", "=", "b")], "to": iso(3600)}
        assert service.act("POST", "/api/v1/silences", asked)[0] == 201
        connection = sqlite3.connect(folder / "data" / "tocsin.db")
        document = connection.execute("select document from record where kind = 3").fetchone()[0]
        connection.executemany("insert into record select kind, ?, series_id, state, begin_ns, end_ns, updated_ns, ? from record where kind = 3 limit 1",
                               [(f"copy-{i}", document) for i in range(9998)])
        connection.commit()
        connection.close()
        assert service.act("POST", "/api/v1/silences", dict(asked, comment="the last"))[0] == 201
        status, answer = service.act("POST", "/api/v1/silences", asked)
        assert status == 409 and "10000" in answer["detail"], answer
        found = service.ask("/api/v1/silences?limit=10000")
        assert len(found) == 10000 and found[0]["comment"] == "the last", len(found)
        assert service.act("DELETE", "/api/v1/silences/" + found[0]["id"])[0] == 204
        assert service.act("POST", "/api/v1/silences", asked)[0] == 201
        assert service.act("POST", "/api/v1/maintenance", asked)[0] == 201  # which are counted apart


def acknowledged_is_not_escalated():
    with running(BOSS) as (_, hooks, start):
        service = start()
        service.feed(time.time() - 400, 0, 318, spiking=(3, 5), spike=range(310, 400))
        ids = open_episodes(service, (3, 5))
        status, answer = service.act("POST", f"/api/v1/episodes/{ids[3]}/acknowledgement", {"note": 'I look, "at once"'})
        assert status == 204, answer
        service.stop(signal.SIGKILL)
        service = start()
        seen = service.ask("/api/v1/episodes/" + ids[3])["acknowledged"]
        assert seen["who"] == "local" and seen["note"] == 'I look, "at once"' and seen["time"].endswith("Z"), seen
        assert service.ask("/api/v1/episodes/" + ids[5])["acknowledged"] is None
        hooks.wait(("/boss", "5", "confirmed"))
        time.sleep(2)
        assert ("/boss", "3", "confirmed") not in hooks.heard, hooks.heard
        listed = {e["id"]: e["acknowledged"] for e in service.ask("/api/v1/episodes?kind=anomaly")["episodes"]}
        assert listed[ids[3]]["note"] == 'I look, "at once"' and listed[ids[5]] is None
        assert service.act("POST", f"/api/v1/episodes/{ids[3]}/acknowledgement", {"note": "done"})[0] == 204  # the last word counts
        assert service.ask("/api/v1/episodes/" + ids[3])["acknowledged"]["note"] == "done"
        service.feed(time.time() - 80, 318, 340)  # and stays with what becomes of the episode
        over = service.wait("/api/v1/episodes/" + ids[3], lambda e: e["state"] == "resolved")
        assert over["acknowledged"]["note"] == "done", over


def traced_from_rows_to_receivers():
    """The trace of the request whose rows opened an episode goes with what is told of it; rows of others tell none."""
    with running(OPS + "    suspected: yes\n") as (folder, hooks, start):
        service = start()
        begin, traces = time.time() - 400, ["4bf92f3577b34da6a3ce929d0e0e4736", "0af7651916cd43dd8448eb211c80319c"]
        service.feed(begin, 0, 300)
        time.sleep(2.1)  # a tick tells each series its share of the budget: a jump is suspected now, and confirmed by the deep layer's word
        service.feed(begin, 300, 310, trace=traces[1])
        service.feed(begin, 310, 318, spiking=(3,), spike=range(310, 400), trace=traces[0])
        hooks.wait(("/ops", "3", "confirmed"))
        for state in ("suspected", "confirmed"):
            header, inside = hooks.traces[("/ops", "3", state)]
            assert header == inside and header.split("-")[1] == traces[0], hooks.traces
        connection = sqlite3.connect(folder / "data" / "tocsin.db")
        kept = connection.execute("select distinct trace from outbox where payload = x'' or payload like ?", ("%" + traces[0] + "%",)).fetchall()
        connection.close()
        assert len(kept) == 1 and traces[0] in kept[0][0], kept
        service.stop(signal.SIGKILL)
        service = start()  # from a journal in which some records have a trace, and some none
        assert service.ask("/api/v1/status")["samples"]["accepted"] == 318 * SERIES
        service.feed(begin, 318, 340)
        hooks.wait(("/ops", "3", "resolved"))
        assert not hooks.traces[("/ops", "3", "resolved")][1], hooks.traces


def flip_a_byte(database, table, column, where):
    """Turns one bit in the middle of one value, as somebody with an editor would."""
    connection = sqlite3.connect(database)
    value = connection.execute(f"select {column} from {table} where {where}").fetchone()[0]
    raw = bytearray(value.encode() if isinstance(value, str) else value)
    raw[len(raw) // 2] ^= 1
    connection.execute(f"update {table} set {column} = ? where {where}", (raw.decode() if isinstance(value, str) else bytes(raw),))
    connection.commit()
    connection.close()
    return value


def the_books():
    """Every change has its entry, refusals are counted, and what is changed afterwards is named."""
    with running() as (folder, _, _):
        tokens = {role: run("token", "--file", folder / "tokens", "--name", role + "-token", "--role", role).strip()
                  for role in ("viewer", "operator", "admin")}
        service = Service(folder / "data", "--tokens", str(folder / "tokens"), "--snapshot", "1")
        try:
            service.token = tokens["viewer"]
            assert {k: service.ask("/api/v1/status")[k] for k in ("who", "role")} == {"who": "viewer-token", "role": "viewer"}
            for _ in range(30):
                assert service.act("POST", "/api/v1/silences", {})[0] == 403
            assert service.act("GET", "/api/v1/audit")[0] == 403
            service.token = tokens["operator"]
            status, answer = service.act("POST", "/api/v1/silences", {"matchers": [matcher("host", "=", "db1")], "to": iso(60), "comment": "disks"})
            assert status == 201, answer
            service.token = None
            assert service.act("DELETE", "/api/v1/silences/x")[0] == 401
            service.process.send_signal(signal.SIGHUP)
            service.token = tokens["admin"]
            log = service.wait("/api/v1/audit", lambda a: {"reload", "start", "silence"} <= {e["action"] for e in a["entries"]} and
                               sum(e["action"] == "refused" for e in a["entries"]) >= 3)
            assert log["verified"] == len(log["entries"]) and [e["sequence"] for e in log["entries"]] == list(range(1, log["verified"] + 1))
            entry = next(e for e in log["entries"] if e["action"] == "silence")
            detail = json.loads(entry["detail"])
            assert (entry["actor"], detail["role"], detail["peer"]) == ("operator-token", "operator", "127.0.0.1"), entry
            assert detail["document"]["comment"] == "disks" and detail["document"]["matchers"] == [matcher("host", "=", "db1")], entry
            refused = [(e["actor"], e["object"], json.loads(e["detail"])["status"]) for e in log["entries"] if e["action"] == "refused"]
            assert sorted(set(refused)) == [("", "DELETE /api/v1/silences/{id}", 401), ("viewer-token", "GET /api/v1/audit", 403),
                                            ("viewer-token", "POST /api/v1/silences", 403)], refused
            for token in tokens.values():
                assert token[21:] not in json.dumps(log) and token[21:] not in service.words()
            service.wait("/api/v1/audit", lambda a: sum(e["action"] == "refused" for e in a["entries"]) < 10)  # not one for each
            service.wait("/readyz", lambda a: a["ready"])
            time.sleep(2.5)  # a snapshot
            assert service.ask("/api/v1/audit?after=1&limit=1")["entries"][0]["sequence"] == 2
        finally:
            assert service.stop() == 0
        data = folder / "data"
        counted = [e for e in map(json.loads, run("audit", "export", "--data", data).splitlines()) if e["object"] == "POST /api/v1/silences"]
        assert sum(json.loads(e["detail"])["count"] for e in counted) == 30, counted  # closing writes what waited
        assert run("store", "check", "--data", data).startswith("sound")
        check_the_books(folder, data, data / "tocsin.db")


def check_the_books(folder, data, database):
    head = json.loads(run("audit", "verify", "--data", data, "--json"))
    assert head["entries"] > 5 and run("audit", "list", "--data", data, "--limit", "2").count("\n") == 2
    run("audit", "export", folder / "audit.ndjson", "--data", data)
    lines = (folder / "audit.ndjson").read_text().splitlines()
    assert json.loads(run("audit", "verify", folder / "audit.ndjson", "--json")) == head
    for number, (change, words) in enumerate([
            (lambda l: l[:2] + [l[2].replace('"actor":"', '"actor":"x')] + l[3:], "line 3: the audit log is broken: entry 3, or what stood before it"),
            (lambda l: l[:2] + l[3:], "line 3: the audit log is broken: expected entry 3, found entry 4"),
            (lambda l: l[:3] + [l[2]] + l[3:], "line 4: the audit log is broken: expected entry 4, found entry 3"),
            (lambda l: l[:1] + ["{}"] + l[1:], "line 2: no entry")]):
        (folder / f"changed{number}").write_text("\n".join(change(lines)) + "\n")
        assert words in run("audit", "verify", folder / f"changed{number}", status=1), words
    (folder / "cut").write_text("\n".join(lines[:-2]) + "\n")  # a cut-off end shows by what was noted
    assert json.loads(run("audit", "verify", folder / "cut", "--json"))["entries"] == head["entries"] - 2
    assert "none has the hash" in run("audit", "verify", folder / "cut", "--head", head["head"], status=1)
    older = json.loads(lines[-3])["hash"]
    assert json.loads(run("audit", "verify", "--data", data, "--head", older, "--json"))["noted"] == head["entries"] - 2
    run("audit", "verify", "--data", data, "--head", "abc", status=2)

    def damaged(table, column, where, words):
        flip_a_byte(database, table, column, where)
        said = json.loads(subprocess.run([TOCSIN, "store", "check", "--data", str(data), "--json"], capture_output=True, text=True, timeout=60,
                                         stdin=subprocess.DEVNULL).stdout)["damaged"]
        flip_a_byte(database, table, column, where)
        assert len(said) == 1 and words in said[0], (table, said)
    damaged("audit", "detail", "sequence = 4", "the audit log is broken: entry 4, or what stood before it, was changed")
    damaged("audit", "hash", "sequence = 2", "the audit log is broken: entry 2")
    damaged("snapshot_part", "bytes", "part = 3 and number = (select max(number) from snapshot)", "of 'live' is damaged")
    connection = sqlite3.connect(database)
    connection.execute("insert into block values (1, 1, 5, 6, 1, 7, x'00')")
    connection.commit()
    assert "the seal of a block is wrong (series 1, kind 1, from 5)" in subprocess.run(
        [TOCSIN, "store", "check", "--data", str(data)], capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL).stdout
    connection.execute("delete from block where first_ns = 5")
    connection.commit()
    connection.close()
    segment = sorted((data / "journal").glob("*.journal"))[-1]
    whole = segment.read_bytes()
    segment.write_bytes(whole[:200] + bytes([whole[200] ^ 1]) + whole[201:])
    assert f"{segment.name}, byte " in run_and_read("store", "check", "--data", data)
    segment.write_bytes(whole)
    assert run("store", "check", "--data", data).startswith("sound")


def changed_while_it_runs():
    """What the service has followed once, it notices to be another the next time that somebody acts."""
    with running() as (folder, _, start):
        service = start()
        for host in ("db1", "db2"):
            assert service.act("POST", "/api/v1/maintenance", {"matchers": [matcher("host", "=", host)], "to": iso(60)})[0] == 201
        log = service.wait("/api/v1/audit", lambda a: any(e["action"] == "start" for e in a["entries"]))
        assert log["verified"] == len(log["entries"]) and "problem" not in log, log
        flip_a_byte(folder / "data" / "tocsin.db", "audit", "hash", f"sequence = {log['verified']}")
        assert service.act("POST", "/api/v1/maintenance", {"matchers": [matcher("host", "=", "db3")], "to": iso(60)})[0] == 201
        broken = service.ask("/api/v1/audit")
        assert broken["verified"] == log["verified"], broken
        assert f"entry {log['verified'] + 1}, or what stood before it, was changed" in broken["problem"], broken


def run_and_read(*arguments):
    done = subprocess.run([TOCSIN, *map(str, arguments)], capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
    assert done.returncode == 1, done
    return done.stdout


def essence(service):
    return ({e["id"]: (e["state"], e["acknowledged"]) for e in service.ask("/api/v1/episodes?limit=1000")["episodes"] if e["kind"] == "anomaly"},
            service.ask("/api/v1/silences"), service.ask("/api/v1/status")["samples"]["accepted"])


def backed_up_while_it_runs(store=(), restored=()):
    with running("", "--snapshot", "1", *store) as (folder, _, start):
        service = start()
        begin = time.time() - 400
        service.feed(begin, 0, 305, spiking=(3,), spike=range(300, 400))
        time.sleep(2.5)  # a snapshot or two
        service.feed(begin, 305, 312, spiking=(3,), spike=range(300, 400))
        ids = open_episodes(service, (3,))
        service.act("POST", "/api/v1/silences", {"matchers": [matcher("unit", "=", "3")], "to": iso(3600)})
        service.act("POST", f"/api/v1/episodes/{ids[3]}/acknowledgement", {"note": "mine"})
        feeder = threading.Thread(target=lambda: service.feed(begin, 312, 330), daemon=True)
        service.settled()
        expected = essence(service)
        feeder.start()  # the backup is taken beside rows that come
        run("store", "backup", folder / "b.db", "--data", folder / "data", *store)
        feeder.join()
        assert "is there already" in run("store", "backup", folder / "b.db", "--data", folder / "data", *store, status=1)
        assert "in use by process" in run("store", "restore", folder / "b.db", "--data", folder / "data", status=1) or store
        service.stop(signal.SIGKILL)
        where = ["--data", folder / "again", *restored]
        said = run("store", "restore", folder / "b.db", *where)
        assert "restored" in said and "journal" in said, said
        assert "replaces nothing" in run("store", "restore", folder / "b.db", *where, status=1)
        assert run("store", "check", *where).startswith("sound")
        again = Service(folder / "again", *restored)
        try:
            got = essence(again)
            assert got[1] == expected[1] and got[2] >= expected[2] and ids[3] in got[0] and got[0][ids[3]][1]["note"] == "mine", (expected, got)
            again.feed(begin, 330, 350)
        finally:
            again.stop()
        # a damaged backup is not restored, nor one without its journal made out to be whole
        flip_a_byte(folder / "b.db", "audit", "detail", "sequence = 1")
        assert "entry 1, or what stood before it" in run("store", "restore", folder / "b.db", "--data", folder / "third", status=1)
        assert not (folder / "third").exists()


def books_on_postgresql(url, psql):
    """What the test before left there, checked and tampered with."""
    def change(statement):
        subprocess.run(psql + ["-c", "set search_path = tocsin; " + statement], check=True, capture_output=True)
    head = json.loads(run("audit", "verify", "--store", url, "--json"))
    assert head["entries"] > 2 and run("store", "check", "--store", url).startswith("sound")
    change("update audit set detail = overlay(detail placing 'x' from 3 for 1) where sequence = 2")
    assert "entry 2, or what stood before it, was changed" in run("audit", "verify", "--store", url, status=1)
    assert "entry 2, or what stood before it, was changed" in run_and_read("store", "check", "--store", url)
    change("delete from audit where sequence >= 2")
    assert json.loads(run("audit", "verify", "--store", url, "--json"))["entries"] == 1
    assert "none has the hash" in run("audit", "verify", "--store", url, "--head", head["head"], status=1)
    change("update snapshot_part set bytes = bytes || '\\x00' where number = (select max(number) from snapshot)")
    assert "of 'live' is damaged" in run_and_read("store", "check", "--store", url)


def pair_backed_up(url, other):
    """Of processes that stand by for each other the journal is in the store, and so in the backup."""
    with running("", "--store", url, "--standby") as (folder, _, start):
        service = start()
        service.wait_ready()
        begin = time.time() - 400
        service.feed(begin, 0, 318, spiking=(3,), spike=range(310, 400))
        ids = open_episodes(service, (3,))
        assert service.act("POST", f"/api/v1/episodes/{ids[3]}/acknowledgement", {"note": "mine"})[0] == 204
        said = run("store", "backup", folder / "pair.db", "--data", folder / "data", "--store", url)
        assert "stand by for each other" in said and not (folder / "pair.db.journal").exists(), said
        service.stop(signal.SIGKILL)
        assert "expected --store postgresql://" in run("store", "restore", folder / "pair.db", "--data", folder / "again", status=1)
        run("store", "restore", folder / "pair.db", "--data", folder / "again", "--store", other)
        assert run("store", "check", "--store", other).startswith("sound")
        again = Service(folder / "again", "--store", other, "--standby")
        try:
            again.wait("/api/v1/status", lambda a: a["samples"]["accepted"] == 318 * SERIES)
            assert again.ask("/api/v1/episodes/" + ids[3])["acknowledged"]["note"] == "mine"
        finally:
            again.stop(signal.SIGKILL)


def erased():
    with running("", "--snapshot", "1") as (folder, _, start):
        service = start()
        service.feed(time.time() - 400, 0, 318, spiking=(3, 5), spike=range(310, 400))
        ids = open_episodes(service, (3, 5))
        assert service.act("POST", f"/api/v1/episodes/{ids[3]}/acknowledgement", {"note": "calls unit three"})[0] == 204
        incident = service.ask("/api/v1/episodes/" + ids[5])["incident"]
        before = service.ask("/api/v1/incidents/" + incident)
        assert set(before["episodes"]) >= {ids[3], ids[5]}, before
        assert "in use by process" in run("store", "erase", "--match", 'unit="3"', "--data", folder / "data", status=1)
        service.stop()
        run("store", "erase", "--data", folder / "data", status=2)
        run("store", "erase", "--match", 'unit', "--data", folder / "data", status=1)
        said = json.loads(run("store", "erase", "--match", 'unit="3"', "--data", folder / "data", "--also-state", "--json"))
        assert said["series"] == 1 and said["records"] == 3 and said["incidents"] == 1, said
        database = (folder / "data" / "tocsin.db").read_bytes() + b"".join(p.read_bytes() for p in (folder / "data").glob("tocsin.db-*"))
        assert b'sensor{unit="3"}' not in database and b'sensor{unit="5"}' in database
        assert b'unit=\\"3\\"' not in database and b'unit=\\"5\\"' in database  # as documents say it
        assert run("store", "check", "--data", folder / "data").startswith("sound")
        entry = json.loads(run("audit", "export", "--data", folder / "data").splitlines()[-1])
        assert entry["action"] == "erase" and "unit" not in entry["detail"] and json.loads(entry["detail"])["series"] == 1, entry
        service = start()
        assert service.act("GET", "/api/v1/episodes/" + ids[3])[0] == 404 and service.act("GET", "/api/v1/episodes/" + ids[5])[0] == 200
        after = service.ask("/api/v1/incidents/" + incident)
        assert ids[3] not in after["episodes"] and ids[5] in after["episodes"] and after["shared"] == {}, after
        assert {**after, "episodes": 0, "summary": 0, "shared": 0} == {**before, "episodes": 0, "summary": 0, "shared": 0}, (before, after)
        assert service.ask("/api/v1/status")["series"] == 0  # it learns anew


def main():
    suite = Suite()
    suite.run("silences and maintenance hold, over kills, until they end", silences_hold_over_a_kill)
    suite.run("a silence that ends by itself lets be told what lasts", silences_end_by_themselves)
    suite.run("what is no silence, and why", what_is_no_silence)
    suite.run("ten thousand silences, and no more", ten_thousand_and_no_more)
    suite.run("what is acknowledged is not escalated, and shown", acknowledged_is_not_escalated)
    suite.run("a trace goes from rows to receivers", traced_from_rows_to_receivers)
    suite.run("the books: who did what, who was refused, and what was changed since", the_books)
    suite.run("the books, changed while it runs", changed_while_it_runs)
    suite.run("backed up while it runs, restored elsewhere", backed_up_while_it_runs)
    suite.run("a series is erased", erased)
    if postgresql_test.find_server() and os.getuid() == 0:
        with postgresql_test.server() as (top, psql):
            url = f"postgresql://postgres@/plant?host={top}"
            suite.run("from PostgreSQL to a file", lambda: backed_up_while_it_runs(("--store", url)))
            suite.run("the books on PostgreSQL", lambda: books_on_postgresql(url, psql))
            for name in ("pair", "other"):
                subprocess.run(psql + ["-c", f"create database {name}"], check=True, capture_output=True)
            suite.run("the store of a pair", lambda: pair_backed_up(url.replace("/plant", "/pair"), url.replace("/plant", "/other")))
            suite.run("from a file to PostgreSQL", lambda: backed_up_while_it_runs((), ("--store", url.replace("/plant", "/postgres"))))
    else:
        suite.skip("from PostgreSQL to a file and back", "no PostgreSQL server is installed that could be run")
    suite.finish()


if __name__ == "__main__":
    main()
