#!/usr/bin/env python3
"""What the live service remembers, as people look at it: pictures of series, promtool and Prometheus' own documents.

usage: history_test.py TOCSIN        Prints TAP; what needs promtool is skipped without it.
"""
import json
import math
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

from service_test import TOCSIN, with_service
from support import Service, Suite, clean_environment

SPAN = 4000
UNITS = "ab"


def value(unit, t):
    return round(10 * (unit == "b") + math.sin(t / 50) + (t * 7919 % 1000) / 2000, 3)


def feed(service, begin, first=0, last=SPAN):
    for at in range(first, last, 2000):
        rows = [(f'load{{host="{unit}",site="north"}}', begin + t, value(unit, t)) for t in range(at, min(at + 2000, last)) for unit in UNITS]
        service.take(rows)
    service.settled()


def begin_of():
    return int(time.time()) - SPAN


def number_of(service, unit):
    found = service.ask(f"/api/v1/series?match=host%3D%22{unit}%22")["series"]
    assert len(found) == 1 and f'host="{unit}"' in found[0]["series"], found
    return found[0]["number"]


def history(service, unit, **parameters):
    return service.ask(f"/api/v1/series/{number_of(service, unit)}/history?" + urllib.parse.urlencode(parameters))


def assert_picture(service, begin, last=SPAN):
    """Each bucket against the rows that were sent."""
    for unit in UNITS:
        for points in (7, 100, 1000):
            picture = history(service, unit, to=begin + last - 1, points=points, **{"from": begin})
            step, times = picture["step_seconds"], picture["time"]
            assert picture["series"] == f'load{{host="{unit}",site="north"}}' and 0 < len(times) <= points, picture
            assert times == [times[0] + i * step for i in range(len(times))] and times[0] <= begin and times[-1] + step > begin + last - 1
            assert len({len(picture[name]) for name in ("time", "value", "low", "high", "expected", "lower", "upper", "score")}) == 1
            for i, at in enumerate(times):
                rows = [value(unit, t) for t in range(max(0, int(at) - begin), min(last, int(at + step) - begin))]
                assert abs(picture["value"][i] - sum(rows) / len(rows)) < 1e-9, (i, at)
                assert picture["low"][i] == min(rows) and picture["high"][i] == max(rows)
                if at - begin > 100:
                    assert picture["lower"][i] < picture["expected"][i] < picture["upper"][i] and picture["score"][i] >= 0
                    assert abs(picture["expected"][i] - picture["value"][i]) < 1


def pictures(service):
    begin = begin_of()
    feed(service, begin, 0, 3000)
    assert_picture(service, begin, 3000)
    before = history(service, "a", points=50, to=begin + 2900, **{"from": begin})
    folder = service.folder
    assert service.stop(signal.SIGKILL) == -signal.SIGKILL
    again = Service(folder)
    try:
        assert history(again, "a", points=50, to=begin + 2900, **{"from": begin}) == before, "killed, it remembers the same"
        feed(again, begin, 3000)
        assert_picture(again, begin)
        assert again.stop() == 0
        third = Service(folder)
        assert_picture(third, begin)
        third.stop(signal.SIGKILL)
    finally:
        again.stop(signal.SIGKILL)


def blocks_in_the_store(service):
    """More rows than a reel takes: most are in blocks, and all are there."""
    count = 300000
    begin = int(time.time()) - count
    for at in range(0, count, 20000):
        body = "".join(f'{{"series":"one","time":{begin + t},"value":{t % 977}}}\n' for t in range(at, at + 20000))
        assert service.send("/api/v1/rows", body, "application/x-ndjson")[0] in (200, 204)
    status = service.wait("/api/v1/status", lambda s: s["rows_waiting"] == 0 and s["history"]["blocks"] >= 64)
    assert status["history"]["rows"] == count and status["history"]["rows_dropped"] == 0, status["history"]
    for _ in range(2):
        seen = 0
        for at in range(0, count, 10000):
            answer = service.ask(f"/api/v1/query_range?query=one&start={begin + at}&end={begin + at + 9999}&step=1")
            samples = answer["data"]["result"][0]["values"]
            assert [s[0] for s in samples] == list(range(begin + at, begin + at + 10000))
            assert all(float(s[1]) == (at + i) % 977 for i, s in enumerate(samples))
            seen += len(samples)
        assert seen == count
        service.stop(signal.SIGKILL)
        service.begin()
    text = service.send("/metrics")[1]
    for name in ("tocsin_history_rows_total", "tocsin_history_rows_merged_total", "tocsin_history_rows_dropped_total",
                 "tocsin_history_blocks_total", "tocsin_history_bytes_total", "tocsin_history_step_seconds"):
        assert f"\n{name} " in text, name


def promtool(*arguments):
    return subprocess.run(["promtool", "query", *arguments], capture_output=True, text=True, timeout=60, env=clean_environment())


def with_promtool(service):
    begin = begin_of()
    feed(service, begin)
    url, end = service.url + "/api/v1/prometheus", begin + SPAN - 1
    got = promtool("range", f"--start={end - 600}", f"--end={end}", "--step=60s", url, 'load{host=~"a|x", site!="south"}')
    assert got.returncode == 0, got.stderr
    lines = got.stdout.strip().splitlines()
    assert lines[0] == 'load{host="a", site="north"} =>' and len(lines) == 12, got.stdout
    for i, line in enumerate(lines[1:]):
        sample, at = line.split(" @[")
        assert int(at[:-1]) == end - 600 + 60 * i and float(sample) == value("a", SPAN - 1 - 600 + 60 * i), line
    got = promtool("instant", f"--time={end}", url, '{__name__=~"anomaly_score|yhat.*",host="b"}')
    values = {line.split("{")[0]: float(line.split("=> ")[1].split(" @")[0]) for line in got.stdout.strip().splitlines()}
    assert set(values) == {"anomaly_score", "yhat", "yhat_lower", "yhat_upper"} and got.stdout.count('metric="load"') == 4, got.stdout
    assert values["yhat_lower"] < values["yhat"] < values["yhat_upper"] and values["anomaly_score"] >= 0
    assert abs((values["yhat_upper"] - values["yhat"]) - (values["yhat"] - values["yhat_lower"])) < 1e-9
    assert promtool("instant", url, "1+1").stdout.startswith("scalar: 2 @")
    assert promtool("labels", url, "host").stdout.split() == ["a", "b"]
    assert promtool("labels", url, "__name__").stdout.split() == ["anomaly_score", "load", "yhat", "yhat_lower", "yhat_upper"]
    got = promtool("series", "--match", 'load{host="a"}', "--match", 'yhat{host="b"}', url)
    assert sorted(got.stdout.strip().splitlines()) == ['{__name__="load", host="a", site="north"}',
                                                       '{__name__="yhat", host="b", metric="load", site="north"}'], got.stdout
    got = promtool("range", f"--start={end - 60}", f"--end={end}", "--step=15s", url, "rate(load[5m])")
    assert got.returncode != 0 and "bad_data" in got.stderr and "one selector" in got.stderr, got.stderr


def of_page(heading, language):
    """The block of that language in that section of the how-to."""
    text = (pathlib.Path(__file__).parents[2] / "docs/how-to/look-back.md").read_text()
    return text.split(f"\n## {heading}\n")[1].split("\n## ")[0].split(f"```{language}\n")[1].split("```")[0]


def as_grafana_is_told():
    """The data source and the panel of the how-to, word for word, on a service that asks for tokens."""
    source, panel = of_page("Grafana", "yaml"), json.loads(of_page("Grafana", "json"))
    settings = dict(re.findall(r"^ +(\w+): (.+)$", source, re.M))
    assert settings["type"] == "prometheus" and panel["datasource"] == {"type": settings["type"], "uid": settings["uid"]}, settings
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        tokens = {role: subprocess.run([TOCSIN, "token", "--file", str(folder / "tokens"), "--name", role, "--role", role], check=True,
                                       capture_output=True, text=True, timeout=30).stdout.strip() for role in ("viewer", "admin")}
        service = Service(folder / "data", "--tokens", str(folder / "tokens"))
        try:
            begin = begin_of()
            service.token = tokens["admin"]
            service.take(('load{host="a"}', begin + t, value("a", t)) for t in range(SPAN))
            service.settled()
            url = settings["url"].replace("http://127.0.0.1:9740", service.url)
            header = f"{settings['httpHeaderName1']}={settings['httpHeaderValue1'].replace('$TOCSIN_TOKEN', tokens['viewer'])}"
            end, seen = begin + SPAN - 1, {}
            span = (f"--start={end - 600}", f"--end={end}", "--step=60s", url)
            for target in panel["targets"]:
                got = promtool("range", "--header", header, *span, target["expr"])
                lines = got.stdout.strip().splitlines()
                assert got.returncode == 0 and len(lines) == 12, (target, got)
                seen[target["legendFormat"]] = [float(line.split(" @[")[0]) for line in lines[1:]]
            assert seen["value"] == [value("a", SPAN - 601 + 60 * i) for i in range(11)], seen
            assert all(low < middle < high for low, middle, high in zip(seen["lower"], seen["expected"], seen["upper"])), seen
            names = {f["matcher"]["options"] for f in panel["fieldConfig"]["overrides"]}
            assert names == {"upper", "lower"} and panel["fieldConfig"]["overrides"][0]["properties"][0]["value"] == "lower"
            refused = promtool("range", "--header", "Authorization=Bearer nobody", *span, panel["targets"][0]["expr"])
            assert refused.returncode != 0 and refused.stdout == "", refused
        finally:
            service.stop(signal.SIGKILL)


def ask_raw(service, path, form=None):
    """Status and document, whatever the status."""
    body = urllib.parse.urlencode(form).encode() if form is not None else None
    try:
        with urllib.request.urlopen(urllib.request.Request(service.url + path, body), timeout=20) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def documents(service):
    """Shapes as https://prometheus.io/docs/prometheus/latest/querying/api/ has them."""
    begin = begin_of()
    feed(service, begin)
    end, base = begin + SPAN - 1, "/api/v1/prometheus/api/v1"
    form = {"query": 'load{host="a"}', "start": end - 10, "end": end, "step": "5s"}
    expected = {"status": "success", "data": {"resultType": "matrix", "result": [
        {"metric": {"__name__": "load", "host": "a", "site": "north"},
         "values": [[t, repr(value("a", t - begin)).removesuffix(".0")] for t in range(end - 10, end + 1, 5)]}]}}
    for path in (base + "/query_range", "/api/v1/query_range"):
        assert ask_raw(service, path, form) == (200, expected), ask_raw(service, path, form)
        assert ask_raw(service, path + "?" + urllib.parse.urlencode(form)) == (200, expected)
    iso = dict(form, start=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(end - 10)), step="5")
    assert ask_raw(service, base + "/query_range", iso) == (200, expected)
    assert ask_raw(service, base + "/query_range", dict(form, query="none")) == (200, {"status": "success", "data": {"resultType": "matrix", "result": []}})
    # Five minutes after the last row it is looked back to, and no longer.
    assert len(ask_raw(service, f"{base}/query?query=load&time={end + 299}")[1]["data"]["result"]) == 2
    assert ask_raw(service, f"{base}/query?query=load&time={end + 300}")[1]["data"]["result"] == []
    assert ask_raw(service, base + "/labels") == (200, {"status": "success", "data": ["__name__", "host", "metric", "site"]})
    assert ask_raw(service, base + "/labels", {"match[]": "load"})[1]["data"] == ["__name__", "host", "site"]
    assert ask_raw(service, base + "/label/host/values?match[]=load%7Bhost!%3D%22a%22%7D")[1]["data"] == ["b"]
    status, cut = ask_raw(service, base + "/label/host/values?limit=1")
    assert status == 200 and len(cut["data"]) == 1 and cut["warnings"], cut
    assert ask_raw(service, base + "/metadata")[1]["data"]["yhat"][0]["type"] == "gauge"
    assert ask_raw(service, base + "/status/buildinfo")[1]["data"]["application"] == "tocsin"


def errors(service):
    """Whatever is asked, the answer is a document, soon; and the service is there afterwards."""
    feed(service, begin_of())
    base = "/api/v1/prometheus/api/v1"
    bad = [({"query": "load", "start": 0, "end": 1e9, "step": 1}, 400, "exceeded maximum resolution of 11,000 points"),
           ({"query": "load", "start": 10, "end": 1, "step": 1}, 400, "end timestamp must not be before start time"),
           ({"query": "load", "start": 1, "end": 10, "step": 0}, 400, "step"), ({"query": "load", "start": 1, "end": 10, "step": -1}, 400, "step"),
           ({"query": "load", "start": 1, "end": 10, "step": "5x"}, 400, "step"), ({"query": "load", "start": 1, "end": 10}, 400, "step"),
           ({"query": "load", "start": "yesterday", "end": 10, "step": 1}, 400, '"start"'), ({"query": "load", "end": 10, "step": 1}, 400, '"start"'),
           ({"query": "load", "start": "1e300", "end": 10, "step": 1}, 400, '"start"'), ({"query": "load", "start": "nan", "end": 10, "step": 1}, 400, '"start"'),
           ({"start": 1, "end": 10, "step": 1}, 400, "no expression found"), ({"query": "sum(load)", "start": 1, "end": 10, "step": 1}, 400, "one selector"),
           ({"query": '{a=~".*"}', "start": 1, "end": 10, "step": 1}, 400, "non-empty matcher"),
           ({"query": 'load{host=~"a{1000}{1000}"}', "start": 1, "end": 10, "step": 1}, 400, "pattern"),
           ({"query": 'load{host=~"' + "(" * 500 + '"}', "start": 1, "end": 10, "step": 1}, 400, "pattern"),
           ({"query": "load" + " " * 5000, "start": 1, "end": 10, "step": 1}, 400, "at most 4096")]
    for form, status, words in bad:
        begin = time.monotonic()
        got, document = ask_raw(service, base + "/query_range", form)
        assert got == status and document["status"] == "error" and document["errorType"] == "bad_data" and words in document["error"], (form, document)
        assert time.monotonic() - begin < 5, form
    slow = ask_raw(service, base + "/query?query=" + urllib.parse.quote('load{host=~"' + "(a*)*" * 100 + 'b"}'))
    assert slow[0] == 200, slow
    assert ask_raw(service, base + "/series")[1]["error"] == "no match[] parameter provided"
    assert ask_raw(service, base + "/query", {"query": "%"})[0] == 400
    for path in ("?from=x", "?from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z", "?points=0", "?points=10001", "?points=1e99", "?step=5"):
        assert ask_raw(service, "/api/v1/series/0/history" + path)[0] == 400, path
    for path in ("?from=1677-09-22T00:00:00Z&to=2262-04-11T00:00:00Z", "?from=1700000000&to=1700000000&points=1", "?points=1"):
        assert ask_raw(service, "/api/v1/series/0/history" + path)[0] == 200, path
    assert ask_raw(service, "/api/v1/series/99/history")[0] == 404 and ask_raw(service, "/api/v1/series/x/history")[0] == 400
    assert service.ask("/api/v1/status")["series"] == 2


def off(service):
    feed(service, begin_of())
    assert ask_raw(service, "/api/v1/series/0/history")[0] == 404
    assert ask_raw(service, "/api/v1/query?query=load")[1]["errorType"] == "bad_data"
    status = service.ask("/api/v1/status")["history"]
    assert not status["is_kept"] and status["rows"] == 0, status
    for flags, words in ((["--history", "x"], "--history 'x'"), (["--history", "-5"], "--history"), (["--retention", "soon"], "retention 'soon'")):
        bad = subprocess.run([TOCSIN, "serve", "--data", str(service.folder.parent / "other"), "--listen", "127.0.0.1:0", *flags],
                             capture_output=True, text=True, timeout=20, env=clean_environment())
        assert bad.returncode != 0 and words in bad.stderr, bad


def main():
    suite = Suite()
    suite.run("pictures of series, killed in between", with_service(pictures))
    suite.run("blocks in the store give back every row", with_service(blocks_in_the_store))
    if shutil.which("promtool"):
        suite.run("promtool reads values, scores and bands", with_service(with_promtool))
        suite.run("the data source and the panel for Grafana, as the how-to has them", as_grafana_is_told)
    else:
        suite.skip("promtool reads values, scores and bands", "promtool is not installed")
        suite.skip("the data source and the panel for Grafana, as the how-to has them", "promtool is not installed")
    suite.run("documents are those of Prometheus", with_service(documents))
    suite.run("errors are, too, and soon", with_service(errors))
    suite.run("off: nothing is kept", with_service(off, "--history", "off"))
    suite.finish()


if __name__ == "__main__":
    main()
