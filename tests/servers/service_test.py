#!/usr/bin/env python3
"""The live service as people run it: rows in by every protocol, episodes out, killed and started again, beside a real Prometheus.

usage: service_test.py TOCSIN        Prints TAP.
"""
import contextlib
import datetime
import http.server
import itertools
import json
import pathlib
import random
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

from support import Service, Suite, clean_environment, wait_for

TOCSIN = sys.argv[1]
SERIES = 24


def steps(begin, first, last, spike=None, seed=1):
    """Rows of SERIES sensors, a second apart, step by step; at `spike` the fourth jumps."""
    for t in range(first, last):
        chance = random.Random(seed * 100003 + t)
        yield [(f'sensor{{unit="{i}"}}', begin + t, 100 * i + chance.gauss(0, 1) + (40 if i == 3 and t in (spike or ()) else 0))
               for i in range(SERIES)]


def with_service(function, *more):
    def run():
        with tempfile.TemporaryDirectory() as folder:
            service = Service(pathlib.Path(folder) / "data", *more)
            try:
                function(service)
            except Exception as failure:
                warnings = [line for line in service.words().splitlines() if '"level":"info"' not in line]
                raise AssertionError(f"{failure!r}; the service's last warnings: {warnings[-6:]}") from failure
            finally:
                service.stop(signal.SIGKILL)
    return run


def feed(service, begin, first, last, spike=None):
    service.take(row for rows in steps(begin, first, last, spike) for row in rows)


def anomaly_is_told(service):
    begin = time.time() - 400
    heard = []

    def listen():
        with urllib.request.urlopen(service.url + "/api/v1/events", timeout=60) as stream:
            for line in stream:
                if line.startswith(b"data:"):
                    heard.append(json.loads(line[5:]))
                    if heard[-1]["state"] in ("resolved", "dismissed"):
                        return

    feed(service, begin, 0, 300)
    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    time.sleep(0.5)
    feed(service, begin, 300, 360, spike=range(310, 318))
    answer = service.wait("/api/v1/episodes?kind=anomaly&state=over", lambda a: a["episodes"])
    episode = next(e for e in answer["episodes"] if e["series"] == 'sensor{unit="3"}')
    assert episode["state"] == "resolved" and abs(episode["value"] - 340) < 6 and abs(episode["expected"] - 300) < 5, episode
    assert episode["summary"].startswith('sensor{unit="3"} was 3'), episode
    assert service.ask("/api/v1/episodes/" + episode["id"]) == episode
    listener.join(20)
    states = [state for state, _ in itertools.groupby(e["state"] for e in heard if e["id"] == episode["id"])]  # verdicts are told in between
    assert states == ["suspected", "confirmed", "resolved"], heard
    status = service.settled()
    assert status["series"] == SERIES and status["samples"]["accepted"] == 360 * SERIES, status
    series = service.ask("/api/v1/series?limit=10&after=1")
    assert series["count"] == SERIES and len(series["series"]) == 10 and series["series"][0]["number"] == 2, series
    one = service.ask("/api/v1/series/3")
    assert one["readiness"] == "ready" and abs(one["expected"] - 300) < 10 and abs(one["cadence_seconds"] - 1) < 0.05, one


def killed_and_started_again(service):
    """What was acknowledged is there; the episodes are those of a service that was never killed."""
    begin = time.time() - 500
    whole = Service(service.folder.parent / "whole")
    feed(whole, begin, 0, 400, spike=range(310, 318))
    whole.settled()
    expected = whole.ask("/api/v1/episodes")["episodes"]
    assert whole.stop() == 0
    lives = [0, 90, 170, 305, 312, 360, 400]
    for first, last in zip(lives, lives[1:]):
        feed(service, begin, first, last, spike=range(310, 318))
        if last == 400:
            break
        service.stop(signal.SIGKILL)
        service = Service(service.folder)
        assert service.ask("/api/v1/status")["samples"]["accepted"] == last * SERIES
    service.settled()
    found = service.ask("/api/v1/episodes")["episodes"]

    def essence(episodes):  # records of the journal differ: there are ticks between
        return sorted(json.dumps({k: v for k, v in e.items() if k != "sequence"}, sort_keys=True) for e in episodes if e["kind"] == "anomaly")
    assert len(essence(found)) >= 1
    ids = {e["id"] for e in found if e["kind"] == "anomaly"}
    assert ids >= {e["id"] for e in expected if e["kind"] == "anomaly" and e["series"] == 'sensor{unit="3"}'}, (expected, found)
    service.stop()


def second_look(service):
    """The deep layer learns by itself, says what it makes of an anomaly, and knows after a kill what it knew."""
    begin = time.time() - 700

    def deep(one=None):
        return (one or service).ask("/api/v1/status")["deep"]
    assert deep()["state"] == "training" and deep()["model"] == "" and deep()["deadline_seconds"] == 20, deep()
    feed(service, begin, 0, 70)
    time.sleep(2.1)  # a tick shares out the sample
    for first in range(70, 250, 10):  # as many questions as may wait at once, and then more
        feed(service, begin, first, first + 10)
        time.sleep(0.1)
    service.wait("/api/v1/status", lambda a: a["deep"]["state"] == "on", seconds=240)
    model = deep()["model"]
    assert len(model) == 64 and deep()["sampled"] >= 1000, deep()
    feed(service, begin, 250, 300)
    for step in range(300, 325):  # a row at a time, so that there is an answer before the next
        feed(service, begin, step, step + 1, spike=range(310, 318))
        time.sleep(0.3)
    assert deep()["answered"] > 0, deep()

    def answered_one(answer):
        return [e for e in answer["episodes"] if e["series"] == 'sensor{unit="3"}' and e["verdict"] in ("confirmed", "ordinary")]
    episode = answered_one(service.wait("/api/v1/episodes?kind=anomaly", answered_one, seconds=60))[0]
    assert 0 < episode["deep_p_value"] <= 1, episode
    ready = service.ask("/readyz")
    assert ready["ready"] is True and ready["degraded"] is False and {"name": "deep", "ok": True} in ready["checks"], ready
    text = service.send("/metrics")[1]
    for name in ('tocsin_deep_questions_total{sort="sampled"}', 'tocsin_deep_answers_total{outcome="answered"}', "tocsin_deep_queue",
                 "tocsin_deep_train_seconds_total", 'tocsin_deep_state{state="on"} 1'):
        assert name in text, text
    service.stop(signal.SIGKILL)
    service = Service(service.folder, "--deep-share", "1", "--deep-deadline", "20")
    assert deep(service)["state"] == "on" and deep(service)["sampled"] >= 1000, deep(service)
    again = [e for e in service.ask("/api/v1/episodes?kind=anomaly")["episodes"] if e["id"] == episode["id"]]
    assert again and again[0]["verdict"] == episode["verdict"], (again, episode)
    go_back(service, begin)
    assert service.stop() == 0
    service = Service(service.folder, "--deep", "off")
    assert deep(service)["state"] == "off"
    service.stop(signal.SIGKILL)


def go_back(service, begin):
    """Back to the network before while rows come: it answers within a second or so, no row stays unscored; it stays until another is promoted."""
    def live():
        return [one for one in service.ask("/api/v1/models")["models"] if one["name"] == "live"]

    def champion():
        return next(one["hash"] for one in live() if one["role"] == "champion")

    def say(path):
        return service.send(path, {"reason": "for the test"})[0]
    assert all(one["card"]["lineage"]["format"] == "tocsin live network" for one in live()), live()
    first = champion()
    for step in range(325, 725, 10):
        feed(service, begin, step, step + 10)
        time.sleep(0.1)
    service.wait("/api/v1/models", lambda a: [one for one in a["models"] if one["role"] == "champion" and one["hash"] != first], seconds=120)
    before = service.ask("/api/v1/status")
    over = threading.Event()

    def load():
        for step in range(725, 20000):
            if over.is_set():
                return
            feed(service, begin, step, step + 1)
    loader = threading.Thread(target=load)
    loader.start()
    asked = time.monotonic()
    assert say("/api/v1/models/rollback") == 204
    now = champion()
    service.wait("/api/v1/status", lambda a: a["deep"]["model"] == now, seconds=60)
    print(f"# answered with the network before after {time.monotonic() - asked:.2f} s")
    over.set()
    loader.join()
    after = service.settled()
    assert after["rows_scored"] - before["rows_scored"] == after["samples"]["accepted"] - before["samples"]["accepted"] > 0, (before, after)
    assert champion() == now
    assert say(f"/api/v1/models/{next(one['hash'] for one in live() if one['hash'] != now)}/promotion") == 204
    service.wait("/api/v1/status", lambda a: a["deep"]["model"] != now, seconds=60)


def answered(service):
    """An answer acts on the next episode like it, also after a kill; a stronger one is heard; what was taken back acts no more."""
    begin = time.time() - 6000

    def say(path, method="POST", **body):
        status, text = service.send(path, body if method == "POST" else None, method=method)
        return status, json.loads(text) if text else None

    def bump(at, height=150, fed=[0]):
        """Eight rows off at a time, and what became of them: the series' last episode."""
        pending = []
        for rows in steps(begin, fed[0], at + 30):
            t = rows[0][1] - begin
            pending += [(s, x, v + (height if s == 'sensor{unit="3"}' and at <= t < at + 8 else 0)) for s, x, v in rows]
        fed[0] = at + 30
        service.take(pending)
        service.settled()

        def is_it(episode):
            return episode["number"] == 3 and abs(seconds(episode["peak"]) - begin - at) < 9
        over = service.wait("/api/v1/episodes?kind=anomaly&state=over", lambda a: any(map(is_it, a["episodes"])))
        return next(filter(is_it, over["episodes"]))

    def seconds(text):
        return datetime.datetime.fromisoformat(text[:19] + "+00:00").timestamp()

    first = bump(350)
    assert first["state"] == "resolved" and first["suppressed_by"] == "" and first["answers"] == [], first
    status, made = say(f"/api/v1/episodes/{first['id']}/answers", verdict="expected", reason="the weekly run", confidence=0.9)
    assert status == 201, status
    shown = service.ask("/api/v1/episodes/" + first["id"])
    assert shown["answer"] == "expected" and shown["answer_probability"] > 0.5 and shown["answers"][0]["reason"] == "the weekly run", shown
    service.stop(signal.SIGKILL)
    service = Service(service.folder)
    second = bump(1850)
    assert second["state"] == "dismissed" and second["suppressed_by"] == made["id"], second
    third = bump(3350, 500)
    assert third["state"] == "resolved" and third["suppressed_by"] == "", third
    assert say("/api/v1/answers/" + made["id"], "DELETE") == (204, None)
    fourth = bump(4850)
    assert fourth["state"] == "resolved" and fourth["suppressed_by"] == "", fourth
    listed = service.ask("/api/v1/answers")["answers"]
    assert [(a["id"], a["verdict"], a["undone"]) for a in listed] == [(made["id"], "expected", True)], listed
    assert service.ask("/api/v1/answers?episode=" + second["id"])["answers"] == []
    record = service.ask(f"/api/v1/episodes/{first['id']}/record")
    assert [entry["action"] for entry in record["audit"]] == ["answer", "undo"] and record["journal"]["can_be_judged_again"], record
    assert record["episode"]["id"] == first["id"] and record["alarms_per_day_allowed"] > 0, record
    for path, body, code in [("/api/v1/episodes/none/answers", {"verdict": "true"}, 404), (f"/api/v1/episodes/{first['id']}/answers", {}, 400),
                             (f"/api/v1/episodes/{first['id']}/answers", {"verdict": "true", "confidence": 2}, 400),
                             (f"/api/v1/episodes/{first['id']}/answers", {"verdict": "true", "until": "soon"}, 400),
                             ("/api/v1/marks", {"series": 99999, "from": first["begin"], "to": first["end"]}, 400)]:
        assert say(path, **body)[0] == code, path
    assert say("/api/v1/answers/" + made["id"], "DELETE")[0] == 409
    status, mark = say("/api/v1/marks", **{"series": 5, "from": first["begin"], "to": first["end"], "note": "the pump leaked"})
    missed = service.ask("/api/v1/episodes/missed-" + mark["id"])
    assert status == 201 and missed["kind"] == "missed" and missed["summary"] == "the pump leaked" and missed["answer"] == "true", missed
    similar = service.ask(f"/api/v1/episodes/{fourth['id']}/similar")["similar"]
    assert {first["id"], second["id"], third["id"]} <= {s["id"] for s in similar} and fourth["id"] not in {s["id"] for s in similar}, similar
    assert [s["distance"] for s in similar] == sorted(s["distance"] for s in similar) and 0 < similar[0]["share"] <= 1, similar
    review = service.ask("/api/v1/review?limit=3")
    assert 0 < len(review["review"]) <= 3 and all(r["gain"] > 0 and r["episode"]["id"] == r["id"] for r in review["review"]), review
    assert review["raters"] == [{"who": "local", "reliability": 1, "answers": 1}], review["raters"]
    say(f"/api/v1/episodes/{fourth['id']}/answers", verdict="true")
    days = service.ask("/api/v1/quality?days=3")["days"]
    total = {k: sum(d[k] for d in days) for k in ("alarms", "answered", "true", "expected", "not_mine", "missed")}
    assert len(days) == 3 and total["alarms"] >= 3 and total["answered"] == total["true"] == 1 == total["missed"], days
    assert all(0 <= d["precision_low"] <= d["precision"] <= d["precision_high"] <= 1 for d in days if d["answered"]), days
    figures = service.send("/metrics")[1]
    assert "tocsin_episodes_suppressed_total 1" in figures, figures
    service.stop()


def stopped_in_good_order(service):
    feed(service, time.time() - 100, 0, 50)
    assert service.stop() == 0
    again = Service(service.folder)
    try:
        status = again.ask("/api/v1/status")
        assert status["series"] == SERIES and status["samples"]["accepted"] == 50 * SERIES, status
        other = subprocess.run([TOCSIN, "serve", "--data", str(service.folder), "--listen", "127.0.0.1:0"], capture_output=True, text=True,
                               timeout=30, stdin=subprocess.DEVNULL)
        assert other.returncode == 1 and f"in use by process {again.process.pid}" in other.stderr, other.stderr
    finally:
        again.stop()


def every_protocol(service):
    now = time.time()
    assert service.send("/api/v2/write?precision=s&bucket=b&org=o", f"cpu,host=a load=0.5 {int(now)}\n", "text/plain")[0] == 204
    assert service.send("/write?precision=s", f"disk,host=a used=7i {int(now)}\n", "text/plain")[0] == 204
    otlp = {"resourceMetrics": [{"resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]}, "scopeMetrics": [
        {"metrics": [{"name": "queue", "gauge": {"dataPoints": [{"timeUnixNano": str(int(now * 1e9)), "asDouble": 3.5}]}}]}]}]}
    assert service.send("/v1/metrics", otlp)[0] == 200
    service.take([("plain", now, 1.5)])
    names = [s["series"] for s in service.wait("/api/v1/series", lambda a: a["count"] == 4)["series"]]
    assert all(any(part in name for name in names) for part in ("cpu", "disk", "queue", "plain")), names


def what_is_refused(service):
    for path, body, content_type, code, word in [
        ("/api/v1/write", b"x", "text/html", 415, "text/html"),
        ("/api/v1/write", b"no snappy", "application/x-protobuf", 415, "expected"),
        ("/api/v1/rows", "{broken\n", "application/x-ndjson", 400, "1"),
        ("/v1/metrics", "{", "application/json", 400, ""),
        ("/api/v1/nothing", "x", "text/plain", 404, ""),
        ("/api/v2/write?precision=h", "a b=1 1", "text/plain", 400, "precision"),
    ]:
        got, text = service.send(path, body, content_type)
        assert got == code and word in text, (path, got, text)
    future = service.rows([("late", time.time() + 3600, 1)])[0]
    assert future in (200, 204, 400), future
    assert service.wait("/api/v1/status", lambda a: a["samples"]["too_far_ahead"] == 1)
    assert service.ask("/api/v1/status")["journal_failures"] == 0


def described(service):
    document = service.ask("/api/v1/openapi.json")
    for path in ("/api/v1/write", "/v1/metrics", "/api/v2/write", "/api/v1/rows", "/api/v1/series/{number}", "/api/v1/episodes/{id}",
                 "/api/v1/status", "/api/v1/events", "/metrics", "/readyz"):
        assert path in document["paths"], path
    assert service.ask("/readyz")["ready"] is True
    text = service.send("/metrics")[1]
    for name in ("tocsin_live_series", 'tocsin_samples_total{outcome="accepted"}', "tocsin_journal_syncs_total"):
        assert name in text, name


def this_host(service):
    answer = service.wait("/api/v1/status", lambda a: a["samples"]["accepted"] > 200)
    assert answer["series"] > 30, answer
    names = [s["series"] for s in service.ask("/api/v1/series?limit=1000")["series"]]
    assert any(n.startswith("node_cpu_seconds_total") for n in names) and "node_load1" in names, names[:20]


def real_prometheus(service):
    """Prometheus scrapes the service itself, and writes what it scraped to it."""
    folder = service.folder.parent / "prometheus"
    folder.mkdir()
    target = service.url.removeprefix("http://")
    (folder / "prometheus.yml").write_text(f"""
global: {{scrape_interval: 1s, scrape_timeout: 900ms}}
scrape_configs: [{{job_name: tocsin, static_configs: [{{targets: ['{target}']}}]}}]
remote_write: [{{url: '{service.url}/api/v1/write', queue_config: {{batch_send_deadline: 500ms}}}}]
""")
    with open(folder / "log.txt", "w", encoding="utf-8") as log:
        process = subprocess.Popen(["prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/tsdb",
                                    "--web.listen-address=127.0.0.1:0"], stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                                   env=clean_environment(GOMAXPROCS="1"))
    try:
        service.wait("/api/v1/status", lambda a: a["samples"]["accepted"] > 100, 40)
        names = [s["series"] for s in service.ask("/api/v1/series?limit=1000")["series"]]
        assert any(n.startswith("tocsin_live_series{") and 'job="tocsin"' in n for n in names), names[:20]
    finally:
        process.terminate()
        process.wait(timeout=20)


def tokens_and_roles():
    """Every route with each role and with none: refused or let in as its row of the description says."""
    roles = ["none", "viewer", "analyst", "operator", "admin"]
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        tokens = {}
        for role in roles[1:]:
            made = subprocess.run([TOCSIN, "token", "--file", str(folder / "tokens"), "--name", role, "--role", role], capture_output=True,
                                  text=True, timeout=30)
            assert made.returncode == 0 and made.stdout.startswith("tcs_"), made
            tokens[role] = made.stdout.strip()
            assert tokens[role][21:] not in (folder / "tokens").read_text()
        service = Service(folder / "data", "--tokens", str(folder / "tokens"))
        try:
            def ask(method, path, role):
                service.token = tokens.get(role)
                return service.send(path, b"{}\n" if method == "POST" else None, "application/x-ndjson", method)[0]
            service.token = tokens["admin"]
            paths = service.ask("/api/v1/openapi.json")["paths"]
            asked = 0
            for path, methods in paths.items():
                for method, operation in methods.items():
                    if operation["operationId"] == "events":
                        continue  # a stream
                    for role in roles:
                        got = ask(method.upper(), path.replace("{number}", "0").replace("{id}", "x").replace("{hash}", "x"), role)
                        allowed = roles.index(role) >= roles.index(operation["x-role"])
                        assert (got not in (401, 403)) if allowed else got == (401 if role == "none" else 403), (method, path, role, got)
                        asked += 1
            assert asked >= 5 * 14, asked
        finally:
            service.stop(signal.SIGKILL)
    bad = subprocess.run([TOCSIN, "token", "--role", "viewer"], capture_output=True, text=True, timeout=20)
    assert bad.returncode == 2 and "--file and --name" in bad.stderr, bad


def models():
    """Which model decides is told over HTTP, kept through a kill, in the audit log, and back again."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        rows = subprocess.run([TOCSIN, "simulate", "pump", "--rows", "3000", "--output", str(folder / "rows.csv")], capture_output=True, timeout=60)
        assert rows.returncode == 0, rows
        service = Service(folder / "data")
        try:
            hashes = []
            for detector in ("ewma", "welford"):
                bundle = str(folder / (detector + ".tocsin"))
                subprocess.run([TOCSIN, "fit", str(folder / "rows.csv"), "--detector", detector, "-o", bundle], check=True, capture_output=True)
                made = subprocess.run([TOCSIN, "model", "import", bundle, "--name", "pump", "--data", str(folder / "data")], check=True,
                                      capture_output=True, text=True)
                hashes.append(made.stdout.strip())

            def post(path, body):
                return service.send(path, body)[0]

            def champion():
                return [one["hash"] for one in service.ask("/api/v1/models")["models"] if one["role"] == "champion"]
            assert champion() == []
            for one in hashes:
                assert post("/api/v1/models/" + one[:10] + "/promotion", {"reason": "it is newer"}) == 204
                assert champion() == [one]
            assert post("/api/v1/models/" + hashes[0] + "/promotion", {}) == 400
            assert post("/api/v1/models/0123456789/promotion", {"reason": "?"}) == 404
            service.stop(signal.SIGKILL)
            service = Service(folder / "data")
            assert champion() == [hashes[1]]
            for _ in range(2):  # there is none before the first
                begin = time.monotonic()
                assert post("/api/v1/models/rollback?name=pump", {"reason": "it alarms too often"}) == 204
                assert champion() == [hashes[0]] and time.monotonic() - begin < 1
            card = service.ask("/api/v1/models/" + hashes[0])
            assert card["card"]["lineage"]["detector"] == "ewma" and card["evidence"] == [], card
        finally:
            service.stop(signal.SIGKILL)


def watches_itself():
    """Too many refused samples: the service says so itself, to its receivers too, and names the page that helps."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        heard = []

        class Receiver(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                heard.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_):
                pass
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        (folder / "receivers.yaml").write_text(f"receivers:\n  - name: hook\n    kind: webhook\n    url: http://127.0.0.1:{server.server_port}/\n")
        service = Service(folder / "data", "--watch", "1", "--latency-objective", "0.000001", "--receivers", str(folder / "receivers.yaml"))
        try:
            figures = {one["figure"]: one for one in service.ask("/api/v1/watch")["watch"]}
            assert len(figures) == 8 and all(one["state"] == "unknown" for one in figures.values()), figures
            page = (pathlib.Path(__file__).parents[2] / "docs/how-to/when-the-service-complains.md").read_text()
            for one in figures.values():
                assert one["runbook"].startswith("docs/how-to/when-the-service-complains.md#"), one
                assert f"\n## {one['runbook'].split('#')[1]}\n" in page, one
            now = time.time()
            for _ in range(3):
                service.rows([("late", now - 40 * 86400 + i, 1.0) for i in range(1000)])
                service.rows([(f"new{i}", time.time(), 1.0) for i in range(500)])
                time.sleep(1)
            service.wait("/api/v1/watch", lambda a: [o["state"] for o in a["watch"] if o["figure"] == "missing"] == ["breached"])
            service.wait("/api/v1/watch", lambda a: [o["state"] for o in a["watch"] if o["figure"] == "latency"] == ["breached"])
            text = service.send("/metrics")[1]
            assert 'tocsin_watch_breached{figure="missing"} 1' in text and 'tocsin_watch_breached{figure="latency"} 1' in text, text
            wait_for("a receiver hears of it", lambda: heard, lambda heard: any("missing" in json.dumps(one) for one in heard))
        finally:
            service.stop(signal.SIGKILL)
            server.shutdown()


def watched_over_time():
    """What it watched is there by the hour, in numbers that a chart can draw, and after a kill the same hour goes on."""
    def counted(service, condition):
        def holds(answer):
            column = {one["figure"]: one for one in answer["figures"]}["missing"]
            assert all(len(column[name]) == len(answer["time"]) for name in ("least", "mean", "greatest", "bound")), answer
            return answer["time"] and condition(column)
        return service.wait("/api/v1/watch/history?days=7", holds)

    def hours(path):
        with sqlite3.connect(path) as connection:
            return connection.execute("select begin_ns, document from record where kind = 10 order by begin_ns").fetchall()
    with tempfile.TemporaryDirectory() as name:
        data = pathlib.Path(name) / "data"
        service = Service(data, "--watch", "1")
        try:
            empty = service.ask("/api/v1/watch/history")
            assert empty["time"] == [] and len(empty["figures"]) == 8 and empty["step_seconds"] == 7200, empty
            assert service.ask("/api/v1/watch/history?days=90")["step_seconds"] == 21600
            now = time.time()
            for _ in range(3):  # half of it too old to be taken
                service.rows([("late", now - 40 * 86400 + i, 1.0) for i in range(1000)])
                service.rows([(f"new{i}", time.time(), 1.0) for i in range(1000)])
                time.sleep(1)
            answer = counted(service, lambda missing: missing["greatest"][-1] > 0.1)
            missing = {one["figure"]: one for one in answer["figures"]}["missing"]
            assert answer["step_seconds"] == 3600 and answer["time"][-1] % 3600 == 0 and 0 <= time.time() - answer["time"][-1] < 3700, answer
            assert 0 <= missing["least"][-1] <= missing["mean"][-1] <= missing["greatest"][-1] <= 1 and missing["bound"][-1] == 0.05, missing
            assert {one["figure"]: one for one in answer["figures"]}["precision"]["mean"][-1] is None, answer  # nobody has answered
            service.stop(signal.SIGKILL)
            before = hours(data / "tocsin.db")
            service = Service(data, "--watch", "1")
            assert service.ask("/api/v1/watch/history?days=7")["time"][:len(answer["time"])] == answer["time"]
            for _ in range(3):
                service.rows([(f"new{i}", time.time(), 1.0) for i in range(1000)])
                time.sleep(1)

            def gone_on():
                after = hours(data / "tocsin.db")
                return after[:len(before) - 1] == before[:-1] and sum(json.loads(d)["missing"]["count"] for _, d in after) > sum(
                    json.loads(d)["missing"]["count"] for _, d in before)
            wait_for("the hour goes on", gone_on, bool)
            counted(service, lambda missing: missing["greatest"][-1] > 0.1 or len(missing["greatest"]) > 1)
        finally:
            service.stop(signal.SIGKILL)


def real_alertmanager():
    """An anomaly becomes one alert in a real Alertmanager, with its reason, and resolves; a kill in between changes nothing."""
    with tempfile.TemporaryDirectory() as name, socket.socket() as probe:
        folder = pathlib.Path(name)
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        (folder / "alertmanager.yml").write_text("route: {receiver: none}\nreceivers: [{name: none}]\n")
        (folder / "receivers.yaml").write_text(f"receivers:\n  - name: ops\n    kind: alertmanager\n    url: http://127.0.0.1:{port}\n")
        with open(folder / "log.txt", "w", encoding="utf-8") as log:
            process = subprocess.Popen(["prometheus-alertmanager", f"--config.file={folder}/alertmanager.yml", f"--storage.path={folder}/am",
                                        f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address="], stdout=log, stderr=log,
                                       stdin=subprocess.DEVNULL, env=clean_environment(GOMAXPROCS="1"))

        def alerts():
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v2/alerts?active=true", timeout=5) as answer:
                    return json.loads(answer.read())
            except OSError:
                return None

        def wait(holds):
            return wait_for("alerts", alerts, lambda found: found is not None and holds(found))
        service = Service(folder / "data", "--receivers", str(folder / "receivers.yaml"))
        try:
            wait(lambda a: a == [])
            begin = time.time() - 330
            feed(service, begin, 0, 318, spike=range(310, 330))
            alert = next(a for a in wait(lambda a: any(x["labels"].get("unit") == "3" for x in a)) if a["labels"].get("unit") == "3")
            assert alert["labels"]["tocsin_kind"] == "anomaly" and "was 3" in alert["annotations"]["summary"], alert
            service.stop(signal.SIGKILL)
            service = Service(folder / "data", "--receivers", str(folder / "receivers.yaml"))
            feed(service, begin, 318, 380, spike=range(310, 330))
            wait(lambda a: not any(x["labels"].get("unit") == "3" and x["labels"]["tocsin_kind"] == "anomaly" for x in a))
        finally:
            service.stop(signal.SIGKILL)
            process.terminate()
            process.wait(timeout=20)


@contextlib.contextmanager
def webhook():
    """A receiver: its address, and the events it was sent."""
    heard = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            heard.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *arguments):
            pass
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/", heard
    finally:
        server.shutdown()
        server.server_close()


def fleet_rows(begin, first, last, spike):
    """300 series of 30 hosts, a second apart; all of them move at once."""
    for t in range(first, last):
        chance = random.Random(t)
        yield [(f'load{{host="h{i // 10}",job="node",n="{i}"}}', begin + t, i + chance.gauss(0, 1) + (30 if t in spike else 0))
               for i in range(300)]


def a_fleet_is_told_once():
    """A common event of 300 series, with and without incidents; a kill in the middle of it changes neither count nor members."""
    told = {}
    for how in ("episodes", "incidents"):
        with tempfile.TemporaryDirectory() as name, webhook() as (url, heard):
            folder, spike = pathlib.Path(name), range(150, 160)
            (folder / "settings.yaml").write_text(f"receivers: [{{name: hook, kind: webhook, url: '{url}'}}]\ntell: {how}\n")
            service = Service(folder / "data", "--receivers", str(folder / "settings.yaml"), "--snapshot", "1")
            try:
                begin = time.time() - 220
                for rows in fleet_rows(begin, 0, 155, spike):
                    service.take(rows)
                service.settled()
                service.wait("/api/v1/incidents?state=open", lambda a: a["incidents"])
                service.stop(signal.SIGKILL)
                service = Service(folder / "data", "--receivers", str(folder / "settings.yaml"), "--snapshot", "1")
                for rows in fleet_rows(begin, 155, 175, spike):
                    service.take(rows)
                service.wait("/api/v1/episodes?kind=anomaly&state=open", lambda a: not a["episodes"])
                episodes = service.ask("/api/v1/episodes?kind=anomaly&limit=1000")["episodes"]
                moved = [e for e in episodes if e["state"] == "resolved"]
                incidents = {e["incident"] for e in moved}
                assert len(moved) > 250 and len(incidents) == 1, (len(moved), incidents)
                incident = service.ask("/api/v1/incidents/" + incidents.pop())
                assert incident["state"] == "resolved" and incident["series_count"] >= len(moved), incident
                assert incident["shared"] == {"job": "node"} and len(incident["episodes"]) == 200, incident
                assert f'{incident["series_count"]} series of job="node" at once; most of all: load' in incident["summary"], incident
                related = service.ask(f"/api/v1/episodes/{moved[0]['id']}/related")["related"]
                assert len(related) >= 199 and all(set(r) == {"id", "series", "begin", "kind", "state", "number"} for r in related), related[:3]
                ended = wait_for("the end is told", lambda: [e for e in heard if e["type"].endswith("resolved")],
                                 lambda ended: len(ended) >= (1 if how == "incidents" else len(moved)))
                alerts = {e["data"]["episode"] for e in heard if e["type"].endswith("confirmed")}
                assert {e["data"]["episode"] for e in ended} == alerts, (len(ended), len(alerts))
                told[how] = len(alerts)
            finally:
                service.stop(signal.SIGKILL)
    print(f"# alerts of one event of 300 series: {told['episodes']} episodes, {told['incidents']} incidents")
    assert told["episodes"] > 250 and told["incidents"] == 1, told


def policies_hold():
    """A series that may be silent is, one beside it is missed; and so after a start without the settings."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "settings.yaml").write_text("""
policies:
  - match: ['unit=~"[0-9]"']
    absence: off
  - match: ['unit="10"']
    absence: 2s
    budget_weight: 4
""")
        service = Service(folder / "data", "--receivers", str(folder / "settings.yaml"), "--alarm-budget", "10", "--deep", "off")
        try:
            feed(service, time.time() - 60, 0, 60)
            found = service.wait("/api/v1/episodes?kind=absence", lambda a: a["episodes"])["episodes"]
            assert [e["series"] for e in found] == ['sensor{unit="10"}'], found
            time.sleep(8.5)  # parts of the budget are reckoned every eighth tick
            all_series = [service.ask(f"/api/v1/series/{n}") for n in range(service.ask("/api/v1/status")["series"])]
            allowed = {s["series"]: s["allowed_alarms_per_day"] for s in all_series}
            heavy, even = allowed['sensor{unit="10"}'], allowed['sensor{unit="0"}']
            assert 3 < heavy / even < 5 and abs(sum(allowed.values()) - 10) < 1, allowed
            assert service.stop() == 0
            bad = folder / "bad.yaml"
            bad.write_text("policies:\n  - match: ['unit=\"1\"']\n    absense: off\n  - absence: off\n  - match: [x]\n    stuck: maybe\n")
            refused = subprocess.run([TOCSIN, "serve", "--data", str(folder / "data"), "--listen", "127.0.0.1:0", "--receivers", str(bad)],
                                     capture_output=True, text=True, timeout=30, stdin=subprocess.DEVNULL)
            assert refused.returncode == 1 and "no setting 'absense' of a policy; did you mean 'absence'?" in refused.stderr, refused.stderr
            for weight in ("0", "101", "off", "nan", "4x"):
                bad.write_text(f"policies:\n  - match: ['unit=\"1\"']\n    budget_weight: {weight}\n")
                refused = subprocess.run([TOCSIN, "serve", "--data", str(folder / "data"), "--listen", "127.0.0.1:0", "--receivers", str(bad)],
                                         capture_output=True, text=True, timeout=30, stdin=subprocess.DEVNULL)
                assert refused.returncode == 1 and f"budget_weight: '{weight}'; expected a number from 0.01 to 100" in refused.stderr, refused
        finally:
            service.stop(signal.SIGKILL)


def limits_hold():
    """A value beyond a limit is told with its row, in a series of which nothing is known, and in spite of an answer; stops change nothing."""
    quiet = "absence: off, late: off, cadence: off, stuck: off"
    with tempfile.TemporaryDirectory() as name, webhook() as (url, heard):
        folder = pathlib.Path(name)

        def begin_service(*limits):
            policies = [f"  - {{match: ['unit=\"{unit}\"'], {keys}, {quiet}}}\n" for unit, keys in limits]
            (folder / "settings.yaml").write_text(f"receivers: [{{name: hook, kind: webhook, url: '{url}'}}]\npolicies:\n{''.join(policies)}"
                                                  f"  - {{match: ['unit=~\".+\"'], {quiet}}}\n")
            return Service(folder / "data", "--receivers", str(folder / "settings.yaml"), "--alarm-budget", "200", "--deep", "off")

        def told(unit, state):
            """Who was told so of this sensor: the kinds of episodes."""
            return [e["data"]["episode"].split("-")[0] for e in heard
                    if e["type"].endswith(state) and f'unit="{unit}"' in e["data"]["summary"]]
        service = begin_service((5, "low: 490, anomaly: off"))
        try:
            begin = time.time() - 2100
            service.take([('sensor{unit="5"}', begin - 9, 480.5)])
            wait_for("the limit is told", lambda: told(5, "confirmed"))
            alert = next(e["data"] for e in heard)
            assert alert["severity"] == 100 and alert["value"] == 480.5 and alert["expected_lower"] == 490, alert
            assert alert["summary"].startswith('sensor{unit="5"}: 480.5 is below the limit of 490 set for it, since 20'), alert
            one = service.ask("/api/v1/series/0")
            assert one["is_beyond_limit"] and one["low"] == 490 and "high" not in one and one["readiness"] == "new", one
            service.stop(signal.SIGKILL)
            service = begin_service((5, "low: 490, anomaly: off"))
            feed(service, begin, 0, 350, spike=range(310, 318))
            wait_for("its end is told", lambda: told(5, "resolved"))
            found = service.ask("/api/v1/episodes?kind=limit")["episodes"]
            assert [(e["state"], e["value"], e["limit"], e["end"] > e["begin"]) for e in found] == [("resolved", 480.5, 490, True)], found
            ordinary = service.wait("/api/v1/episodes?kind=anomaly&state=over",
                                    lambda a: [e for e in a["episodes"] if e["series"] == 'sensor{unit="3"}'])["episodes"]
            ordinary = next(e for e in ordinary if e["series"] == 'sensor{unit="3"}')
            assert service.send(f"/api/v1/episodes/{ordinary['id']}/answers", {"verdict": "expected", "scope": "series"})[0] == 201
            assert service.stop() == 0
            heard.clear()
            service = begin_service((3, "high: 330"))
            feed(service, begin, 350, 1815, spike=range(1810, 1820))
            wait_for("the limit is told", lambda: told(3, "confirmed"))
            assert service.stop() == 0  # with a snapshot
            service = begin_service((3, "high: 330"))
            feed(service, begin, 1815, 1850, spike=range(1810, 1820))
            wait_for("its end is told", lambda: told(3, "resolved"))
            assert set(told(3, "confirmed")) == set(told(3, "resolved")) == {"limit"}, heard
            assert "tocsin_episodes_suppressed_total 1\n" in service.send("/metrics")[1]  # the anomaly beside it
            found = service.ask("/api/v1/episodes?limit=1000")["episodes"]
            both = {e["kind"]: e for e in found if e["series"] == 'sensor{unit="3"}' and e["begin"] > ordinary["end"]}
            limit, anomaly = both["limit"], both["anomaly"]
            assert limit["state"] == "resolved" and 335 < limit["value"] < 345 and "no longer above" in limit["summary"], limit
            assert limit["incident"] == anomaly["incident"] and not limit["suppressed_by"], both
            assert anomaly["state"] == "dismissed" and anomaly["suppressed_by"] and service.stop() == 0, both
            again = subprocess.run([TOCSIN, "backtest", "--data", str(folder / "data"), "--verify", "--json"], capture_output=True, text=True,
                                   timeout=120, stdin=subprocess.DEVNULL)
            assert again.returncode == 0 and json.loads(again.stdout)["limit"] >= 1, again
            for keys, words in [("low: off", "low: 'off'; expected a number"), ("high: nan", "high: 'nan'; expected a number"),
                                ("high: .inf", "high: '.inf'; expected a number"), ("low: inf", "low: 'inf'; expected a number"),
                                ("low: 12, high: 10", "low: '12'; expected less than high, which is 10"),
                                ("low: 1, high: 1", "low: '1'; expected less than high, which is 1")]:
                (folder / "settings.yaml").write_text(f"policies:\n  - {{match: ['unit=\"1\"'], {keys}}}\n")
                refused = subprocess.run([TOCSIN, "serve", "--data", str(folder / "data"), "--listen", "127.0.0.1:0", "--receivers",
                                          str(folder / "settings.yaml")], capture_output=True, text=True, timeout=30, stdin=subprocess.DEVNULL)
                assert refused.returncode == 1 and f"settings.yaml:2: {words}" in refused.stderr, refused
        finally:
            service.stop(signal.SIGKILL)


def ended_by_the_sender():
    """Series that their sender marks as over: suspected, confirmed where a policy says so, or nobody's business."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "settings.yaml").write_text("policies:\n  - match: ['kind=\"pump\"']\n    stale: confirm\n  - match: ['kind=\"job\"']\n    stale: off\n")
        service = Service(folder / "data", "--receivers", str(folder / "settings.yaml"))
        try:
            now = time.time()
            for kind in ("pump", "job", "other"):
                points = [{"asDouble": (t * 7919 % 100) / 10, "timeUnixNano": str(int((now - 230 + t) * 1e9)),
                           "attributes": [{"key": "kind", "value": {"stringValue": kind}}]} for t in range(230)]
                points.append(dict(points[0], timeUnixNano=str(int(now * 1e9)), flags=1))
                body = {"resourceMetrics": [{"scopeMetrics": [{"metrics": [{"name": "load", "gauge": {"dataPoints": points}}]}]}]}
                assert service.send("/v1/metrics", body)[0] == 200
            found = service.wait("/api/v1/episodes", lambda a: len(a["episodes"]) >= 2)["episodes"]
            time.sleep(8.5)  # each series is looked at once in eight ticks
            found = service.ask("/api/v1/episodes")["episodes"]
            told = {(e["series"], e["kind"], e["state"]) for e in found}
            assert told == {('load{kind="pump"}', "stale", "confirmed"), ('load{kind="other"}', "stale", "suspected")}, told
        finally:
            service.stop(signal.SIGKILL)


def said_before_it_starts():
    folder = tempfile.mkdtemp()
    plan = subprocess.run([TOCSIN, "serve", "--plan", "1000000"], capture_output=True, text=True, timeout=20)
    together = float(next(line for line in plan.stdout.splitlines() if "together" in line).split()[0])
    assert plan.returncode == 0 and 300 < together < 2048, plan.stdout
    for arguments, words in [(["--alarm-budget", "many"], "expected a number above 0"), (["--listen", "nowhere"], "expected ADDRESS:PORT"),
                             (["--data", "/proc/no/such"], "/proc/no/such"),
                             (["--listen", "0.0.0.0:0", "--user", "root", "--data", folder], "certificate")]:
        outcome = subprocess.run([TOCSIN, "serve", *arguments], capture_output=True, text=True, timeout=20, stdin=subprocess.DEVNULL)
        assert outcome.returncode in (1, 2) and words.lower() in outcome.stderr.lower(), (arguments, outcome)
    shutil.rmtree(folder)


def main():
    suite = Suite()
    suite.run("an anomaly is suspected, confirmed, resolved, and told", with_service(anomaly_is_told))
    suite.run("killed again and again, nothing acknowledged is lost", with_service(killed_and_started_again, "--snapshot", "2"))
    suite.run("a second look, learned by itself", with_service(second_look, "--deep-share", "1", "--deep-deadline", "20", "--alarm-budget", "50"))
    suite.run("an answer acts on the next like it, after a kill, until it is taken back", with_service(answered, "--alarm-budget", "200"))
    suite.run("stopped in good order, and one at a time", with_service(stopped_in_good_order))
    suite.run("rows by every protocol", with_service(every_protocol))
    suite.run("what is refused, and in which words", with_service(what_is_refused))
    suite.run("it describes itself", with_service(described))
    suite.run("this host's own figures", with_service(this_host, "--collect", "host"))
    suite.run("every route with each role", tokens_and_roles)
    suite.run("which model decides", models)
    suite.run("a fleet that moves in step is told once", a_fleet_is_told_once)
    suite.run("policies of series", policies_hold)
    suite.run("limits that are set", limits_hold)
    suite.run("series that their sender ends, as policies have it", ended_by_the_sender)
    suite.run("it watches itself", watches_itself)
    suite.run("what it watched is kept by the hour", watched_over_time)
    suite.run("memory is said before it starts; wrong flags are", said_before_it_starts)
    if shutil.which("prometheus"):
        suite.run("a real Prometheus writes to it", with_service(real_prometheus))
    else:
        suite.skip("a real Prometheus writes to it", "prometheus is not installed")
    if shutil.which("prometheus-alertmanager"):
        suite.run("an alert in a real Alertmanager, and its end", real_alertmanager)
    else:
        suite.skip("an alert in a real Alertmanager, and its end", "prometheus-alertmanager is not installed")
    suite.finish()


if __name__ == "__main__":
    main()
