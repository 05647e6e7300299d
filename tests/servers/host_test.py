#!/usr/bin/env python3
"""A fault on this host, from the kernel to the one who is paged: Prometheus scrapes the node exporter each second and writes what it scraped to
the service, threads that do nothing but compute are started, and Alertmanager has one alert with its reason, which resolves when they end.

The machine may be busy with other things, so the fault is one that nothing else does: a thousand threads that want to run (hog.c).  They are of the
class that runs only when nobody else wants to, and take next to nothing from those who share the machine.

usage: host_test.py TOCSIN HOG        Prints TAP.
"""
import contextlib
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request

from support import Suite, clean_environment, free_port, process

TOCSIN, HOG = sys.argv[1:3]
HOGS, HOG_SECONDS, WARM_SECONDS = 1000, 25, 75
PROGRAMS = ["prometheus", "prometheus-alertmanager", "prometheus-node-exporter"]
COLLECTORS = ["stat", "cpu", "pressure", "filefd", "meminfo", "entropy", "timex", "netclass", "uname", "os"]
# Figures that always move a little, and some that never do.  What is 0 but for rare moments (steal, blocked processes) is unusual each time,
# and this is not about it.
FIGURES = "|".join(["node_procs_running", "node_(context_switches|forks|intr)_total", "node_cpu_seconds_total;(user|nice|system)",
                    "node_pressure_cpu_waiting_seconds_total", "node_filefd_.*", "node_entropy_.*", "node_network_.*", "node_timex_pps_.*",
                    "node_memory_(MemFree|MemAvailable|Cached|Active|Inactive|Active_anon|AnonPages|Mapped|Slab|SUnreclaim|KernelStack|"
                    "PageTables|Committed_AS|MemTotal|Swap.*|Huge.*|DirectMap.*|VmallocTotal|CommitLimit).*", "node_(uname|os)_.*"])


def ask(url):
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.loads(answer.read())


def wait(what, find, seconds):
    """What find returns, as soon as it is something."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(OSError):
            found = find()
            if found:
                return found
        time.sleep(0.25)
    raise AssertionError(f"not within {seconds} s: {what}")


@contextlib.contextmanager
def hogs(count):
    """Threads that want to run."""
    child = subprocess.Popen([HOG, str(count), str(2 * HOG_SECONDS)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    try:
        assert child.stdout.readline() == b"running\n"
        yield
    finally:
        child.kill()
        child.wait()
        child.stdout.close()


@contextlib.contextmanager
def everything(folder):
    """Exporter, Alertmanager, the service and Prometheus: the addresses of Alertmanager and of the service."""
    exporter, alertmanager, prometheus = free_port(), free_port(), free_port()
    (folder / "alertmanager.yml").write_text("route: {receiver: none}\nreceivers: [{name: none}]\n")
    (folder / "settings.yaml").write_text(f"receivers:\n  - name: ops\n    kind: alertmanager\n    url: http://127.0.0.1:{alertmanager}\n")
    with contextlib.ExitStack() as stack:
        collectors = [f"--collector.{name}" for name in COLLECTORS]
        stack.enter_context(process(["prometheus-node-exporter", f"--web.listen-address=127.0.0.1:{exporter}", "--web.disable-exporter-metrics",
                                     "--collector.disable-defaults", *collectors], folder / "exporter.log"))
        stack.enter_context(process(["prometheus-alertmanager", f"--config.file={folder}/alertmanager.yml", f"--storage.path={folder}/am",
                                     f"--web.listen-address=127.0.0.1:{alertmanager}", "--cluster.listen-address="], folder / "am.log"))
        service = subprocess.Popen([TOCSIN, "serve", "--data", str(folder / "data"), "--listen", "127.0.0.1:0", "--alarm-budget", "50/day",
                                    "--receivers", str(folder / "settings.yaml")], stdout=subprocess.PIPE,
                                   stderr=open(folder / "service.log", "wb"), stdin=subprocess.DEVNULL, text=True, env=clean_environment())
        stack.callback(lambda: (service.kill(), service.wait(), service.stdout.close()))
        url = service.stdout.readline().split()[-1]
        (folder / "prometheus.yml").write_text(f"""
global: {{scrape_interval: 1s, scrape_timeout: 900ms}}
scrape_configs:
  - job_name: node
    static_configs: [{{targets: ['127.0.0.1:{exporter}'], labels: {{host: here, instance: here}}}}]
    metric_relabel_configs:
      - {{source_labels: [__name__, mode], regex: '({FIGURES});?', action: keep}}
remote_write:
  - url: '{url}/api/v1/write'
    queue_config: {{batch_send_deadline: 500ms}}
    write_relabel_configs: [{{source_labels: [__name__], regex: 'scrape_.*', action: drop}}]
""")
        stack.enter_context(process(["prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/tsdb",
                                     f"--web.listen-address=127.0.0.1:{prometheus}"], folder / "prometheus.log"))
        yield f"http://127.0.0.1:{alertmanager}", url


def host_fault():
    with tempfile.TemporaryDirectory() as name, everything(pathlib.Path(name)) as (alertmanager, service):
        def alerts():
            return [a for a in ask(f"{alertmanager}/api/v2/alerts?active=true") if a["labels"].get("host") == "here"]

        def running():
            return [s for s in ask(f"{service}/api/v1/series?limit=1000")["series"] if s["series"].startswith("node_procs_running{")]

        def members(alert):
            """The series of the incident that it tells of."""
            incident = ask(f"{service}/api/v1/incidents/{alert['annotations']['incident']}")
            while "merged_into" in incident:
                incident = ask(f"{service}/api/v1/incidents/{incident['merged_into']}")
            return [ask(f"{service}/api/v1/episodes/{episode}")["series"] for episode in incident["episodes"]], incident

        wait("rows", running, 40)
        time.sleep(WARM_SECONDS)
        wait("nothing is told before anything is wrong", lambda: not alerts(), 60)
        began, told, reason = time.monotonic(), None, None
        with hogs(HOGS):
            while time.monotonic() < began + HOG_SECONDS:
                time.sleep(0.5)
                found = alerts()
                assert len(found) <= 1, found  # many series see it, and one alert tells of it
                if not found:
                    continue
                told = told or time.monotonic() - began
                series, incident = members(found[0])
                if any(s.startswith("node_procs_running{") for s in series):
                    reason = found[0], series, incident
        assert told, "no alert"
        assert reason, series
        alert, series, incident = reason
        assert len(set(series)) >= 2 and incident["shared"]["host"] == "here", incident
        assert alert["labels"]["job"] == "node" and alert["labels"]["tocsin_kind"] and "metric" in alert["labels"], alert
        wait("it resolves", lambda: not alerts(), 100)
        print(f"# told after {told:.1f} s; {incident['summary']}")
        print(f"# over {time.monotonic() - began - HOG_SECONDS:.0f} s after its cause was")


def main():
    suite = Suite()
    missing = [name for name in PROGRAMS if not shutil.which(name)]
    if missing:
        suite.skip("a fault on this host becomes one alert, and resolves", f"{missing[0]} is not installed")
    else:
        suite.run("a fault on this host becomes one alert, and resolves", host_fault)
    suite.finish()


main()
