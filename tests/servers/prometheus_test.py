#!/usr/bin/env python3
"""Reads from a real Prometheus that this test starts itself on a loopback port, with data whose values are known and with
what it scrapes from itself; ended by its own pid.

usage: prometheus_test.py PATH_TO_TOCSIN PATH_TO_READ_FRAME        Prints TAP; skips when no server is installed.
"""
import contextlib
import math
import shutil
import subprocess
import sys
import time
import urllib.request

from support import Command, Frame, Suite, failing_allocations, folder, free_port, process, run_examples, same

START = 1709251200  # 2024-03-01T00:00:00Z
STEP = 15
COUNT = 6 * 3600 // STEP
LOOKBACK = 300
EXAMPLE = "sum(rate(prometheus_http_requests_total[1m]))"


def flow(pump, k):
    """The value of sample k, or None: pump b reports nothing for 20 minutes."""
    if pump == "b" and 400 <= k < 480:
        return None
    return (10.25 if pump == "a" else 20.5) + (k * 7919 % 1000) / 1000 + (50 if 1000 <= k < 1010 and pump == "a" else 0)


def at(pump, second, closed):
    """What a range query gives at that second: the newest sample of the last five minutes, or None.  A sample exactly that
    old counts until Prometheus 2 (closed)."""
    for k in range(min((second - START) // STEP, COUNT - 1), -1, -1):
        age = second - START - k * STEP
        if age > LOOKBACK or (age == LOOKBACK and not closed):
            return None
        if flow(pump, k) is not None:
            return flow(pump, k)
    return None


def agrees(column, pump, seconds):
    return any(same(column, [at(pump, second, closed) for second in seconds]) for closed in (True, False))


def openmetrics():
    lines = ["# TYPE plant_flow gauge"]
    for pump in "ab":
        lines += [f'plant_flow{{pump="{pump}",site="north"}} {flow(pump, k)!r} {START + k * STEP}' for k in range(COUNT)
                  if flow(pump, k) is not None]
    lines += ["# TYPE plant_level gauge"]
    lines += [f"plant_level {'NaN' if k == 5 else '+Inf' if k == 6 else '-1.7976931348623157e+308' if k == 7 else k / 3} {START + k * STEP}"
              for k in range(100)]
    lines += ["# TYPE plant_ticks gauge"]
    lines += [f"plant_ticks {k} {START + k * STEP}" for k in range(100)]
    return "\n".join(lines + ["# EOF", ""])


@contextlib.contextmanager
def server():
    """The address."""
    port = free_port()
    with folder() as top:
        (top / "data.om").write_text(openmetrics())
        (top / "config.yml").write_text("global: {scrape_interval: 1s}\nscrape_configs:\n- job_name: self\n  static_configs:\n"
                                        f"  - targets: ['127.0.0.1:{port}']\n")
        subprocess.run(["promtool", "tsdb", "create-blocks-from", "openmetrics", top / "data.om", top / "data"], check=True,
                       capture_output=True, timeout=50)
        with process(["prometheus", f"--config.file={top}/config.yml", f"--storage.tsdb.path={top}/data",
                      "--storage.tsdb.retention.time=50y", f"--web.listen-address=127.0.0.1:{port}", "--log.level=error"], top / "log") as child:
            address = f"http://127.0.0.1:{port}"
            opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
            for _ in range(300):
                with contextlib.suppress(OSError):
                    if opener.open(address + "/-/ready", timeout=2).status == 200:
                        break
                assert child.poll() is None, (top / "log").read_text()
                time.sleep(0.1)
            yield address, top


def main():
    command, reader, suite = Command(sys.argv[1]), sys.argv[2], Suite()
    if not shutil.which("prometheus") or not shutil.which("promtool"):
        suite.skip("Prometheus", "no Prometheus server is installed")
        suite.finish()
    if "this build" in command.run("detect", "http://127.0.0.1:1", "--query", "x").stderr:
        suite.skip("Prometheus", "built without libcurl")
        suite.finish()
    with server() as (address, top):
        day = {"start": str(START), "end": str(START + COUNT * STEP - STEP), "step": f"{STEP}s"}

        def values():
            frame = Frame(reader, address, query="plant_flow", **day)
            assert frame.names == ['plant_flow{pump="a"}', 'plant_flow{pump="b"}'], frame.names
            assert frame.times_ns == [(START + k * STEP) * 10**9 for k in range(COUNT)]
            for pump in "ab":
                assert agrees(frame.columns[f'plant_flow{{pump="{pump}"}}'], pump, range(START, START + COUNT * STEP, STEP)), pump
            assert sum(map(math.isnan, frame.columns['plant_flow{pump="b"}'])) in (60, 61), "of 80 silent steps 20 are looked back over"
            assert f"{address}: Prometheus; {COUNT} rows, 2 value columns" in frame.notes[0]

        def several_requests_are_joined():
            seconds = 4 * 3600
            frame = Frame(reader, address, query="plant_flow", start=str(START), end=str(START + seconds), step="1s")
            assert frame.times_ns == [(START + k) * 10**9 for k in range(seconds + 1)]  # 14,401 points: two requests
            for pump in "ab":
                assert agrees(frame.columns[f'plant_flow{{pump="{pump}"}}'], pump, range(START, START + seconds + 1)), pump

        def raw_samples():
            frame = Frame(reader, f"{address}/api/v1/query?query=plant_flow%5B1h%5D&time={START + 2 * 3600}")
            ks = range(3600 // STEP, 2 * 3600 // STEP + 1)
            expected = [flow("b", k) for k in ks]
            assert same(frame.columns['plant_flow{pump="b"}'], expected)
            assert frame.times_ns == [(START + k * STEP) * 10**9 for k in ks]

        def values_beyond_the_usual():
            frame = Frame(reader, address, query="plant_level", start="2024-03-01T00:00:00Z", end=str(START + 99 * STEP), step="15")
            expected = [None if k in (5, 6) else -1.7976931348623157e308 if k == 7 else k / 3 for k in range(100)]
            assert frame.names == ["plant_level"] and same(frame.columns["plant_level"], expected)
            frame = Frame(reader, address, query="plant_ticks", start=str(START), end=str(START + 99 * STEP), step="15s")
            assert frame.columns["plant_ticks"] == [float(k) for k in range(100)]

        def names_of_queries():
            frame = Frame(reader, address, query="sum(plant_flow)", **day)
            assert frame.names == ["sum(plant_flow)"]
            frame = Frame(reader, address, query="sum by (pump) (plant_flow)", **day)
            assert frame.names == ['{pump="a"}', '{pump="b"}']
            frame = Frame(reader, address, query='{__name__=~"plant_.+"}', columns="plant_ticks", **day)
            assert frame.names == ["plant_ticks"]

        def everything_in_the_url():
            url = f"{address}/api/v1/query_range?query=plant_flow%7Bpump%3D%22a%22%7D&start={START}&end={START + 150}&step=15&dedup=true"
            frame = Frame(reader, url)
            assert frame.names == ["plant_flow"] and frame.rows == 11
            assert frame.columns["plant_flow"] == [flow("a", k) for k in range(11)]
            assert Frame(reader, url, start=str(START + 75)).rows == 6, "options go before the URL"

        def the_last_24_hours():
            for _ in range(40):
                outcome = command.run("detect", address, "--query", "up", "--start", "now-1m", "--step", "1s", "--json")
                if outcome.returncode == 0 and outcome.stdout.count("up"):
                    break
                time.sleep(0.25)
            frame = Frame(reader, address, query="up", start="now-1m", step="1s")
            assert frame.names == ["up"] and 1.0 in frame.columns["up"]
            newest = frame.times_ns[-1] / 1e9
            assert abs(newest - time.time()) < 5, newest
            command.fails(1, "the query gives no series from", "detect", address, "--query", "plant_flow")
            command.fails(2, "needs a PromQL query", "detect", address)

        def errors():
            command.fails(2, "the server refuses the query, bad_data:", "detect", address, "--query", "plant_flow{")
            command.fails(2, "unexpected end of input", "detect", address, "--query", "plant_flow{")
            command.fails(2, "execution: ", "detect", address, "--query", "plant_flow + on(site) group_left plant_flow", "--start",
                          str(START), "--end", str(START + 60))
            command.fails(2, 'the result is a "vector"', "detect", f"{address}/api/v1/query?query=up")
            command.fails(2, 'the result is a "scalar"', "detect", f"{address}/api/v1/query?query=1")
            command.fails(2, 'the result is a "string"', "detect", f"{address}/api/v1/query?query=%22x%22")
            command.fails(1, "the query gives no series", "detect", f"{address}/api/v1/query?query=nothing%5B5m%5D")
            command.fails(1, "HTTP 404: no Prometheus API there", "detect", f"{address}/prefix", "--query", "up")
            command.fails(1, "u:***@127.0.0.1", "detect", f"http://u:hush-hush@{address[7:]}/prefix", "--query", "up")
            command.fails(1, "Could", "detect", "http://u:hush-hush@no-such-host.invalid:9090", "--query", "up")

        def memory_runs_out():
            failing_allocations(reader, address, 30, query="plant_flow", start=str(START), end=str(START + 600), step="15s")

        def how_to():
            for _ in range(60):  # until enough was scraped
                time.sleep(0.5)
                if command.run("detect", address, "--query", EXAMPLE, "--start", "now-10m", "--step", "1s").returncode == 0:
                    break
            run_examples(command, "http:", {"http://localhost:9090": address}, top)

        for case in (values, several_requests_are_joined, raw_samples, values_beyond_the_usual, names_of_queries, everything_in_the_url,
                     the_last_24_hours, errors, memory_runs_out, how_to):
            suite.run("Prometheus: " + case.__name__.replace("_", " "), case)
    suite.finish()


if __name__ == "__main__":
    main()
