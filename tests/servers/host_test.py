#!/usr/bin/env python3
"""A fault on this host, from the kernel to the one who is paged: Prometheus scrapes the node exporter each second and writes what it scraped to
the service, threads that do nothing but compute are started, and Alertmanager has one alert with its reason, which resolves when they end.

The machine may be busy with other things, so the fault is one that nothing else does: thousands of threads that want to run (hog.c).  They take
next to nothing from those who share the machine.  What is watched is what they move and what nothing moves; what moves with everything that is
done here (free memory, files, the time of processors) would make alerts of its own.  Where the machine did the same meanwhile, or did not let
Prometheus scrape, by what Prometheus itself knows of it, the trial says so and is made again.

usage: host_test.py TOCSIN HOG        Prints TAP.
"""
import contextlib
import datetime
import json
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request

from support import Service, Suite, free_port, process, wait_for

HOG = sys.argv[2]
HOGS, WARM_ROWS, TRIALS = 3000, 75, 3
TOLD_SECONDS = 40     # from the fault to its alert: before fifty rows of it are the new usual
WATCHED_SECONDS = 8   # after that, for an alert too many
OVER_SECONDS = 120
BUSY = HOGS / 20      # so many that want to run are no noise any more: another one of this test, or a machine that is not for tests
PROGRAMS = ["prometheus", "prometheus-alertmanager", "prometheus-node-exporter"]
COLLECTORS = ["stat", "meminfo", "entropy", "timex", "netclass", "uname", "os"]
MOVED = ["node_procs_running", "node_forks_total", "node_memory_(KernelStack|VmallocUsed|SUnreclaim)_bytes"]
STILL = ["node_entropy_.*", "node_network_.*", "node_timex_pps_.*", "node_(uname|os)_.*",
         "node_memory_(MemTotal|SwapTotal|Huge.*|DirectMap.*|VmallocTotal|CommitLimit).*"]


class Disturbed(Exception):
    """By the machine; says how."""


@contextlib.contextmanager
def hogs(count):
    """Threads that want to run."""
    child = subprocess.Popen([HOG, str(count), str(3 * TOLD_SECONDS)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    try:
        assert child.stdout.readline() == b"running\n"
        yield
    finally:
        child.kill()
        child.wait()
        child.stdout.close()


def ask(url):
    with urllib.request.urlopen(url, timeout=30) as answer:
        return json.loads(answer.read())


def seconds_of(text):
    return datetime.datetime.fromisoformat(text[:19] + "+00:00").timestamp()


class Host:
    """Exporter, Alertmanager, the service and Prometheus, and what was seen of them.  Use as a context manager."""

    def __init__(self, folder):
        self.folder, self.seen, self.began, self.ended = folder, {}, None, None

    def __enter__(self):
        exporter, alertmanager, prometheus = free_port(), free_port(), free_port()
        self.alertmanager, self.prometheus = f"http://127.0.0.1:{alertmanager}", f"http://127.0.0.1:{prometheus}"
        (self.folder / "alertmanager.yml").write_text("route: {receiver: none}\nreceivers: [{name: none}]\n")
        (self.folder / "settings.yaml").write_text(f"receivers:\n  - name: ops\n    kind: alertmanager\n    url: {self.alertmanager}\n"
                                                   "policies:\n  - match: ['host=\"here\"']\n    stuck: off  # figures of a host at rest\n")
        with contextlib.ExitStack() as stack:
            def start(name, *arguments):
                stack.enter_context(process([name, *arguments], self.folder / f"{name}.txt"))
            start("prometheus-node-exporter", f"--web.listen-address=127.0.0.1:{exporter}", "--web.disable-exporter-metrics",
                  "--collector.disable-defaults", *[f"--collector.{name}" for name in COLLECTORS])
            start("prometheus-alertmanager", f"--config.file={self.folder}/alertmanager.yml", f"--storage.path={self.folder}/am",
                  f"--web.listen-address=127.0.0.1:{alertmanager}", "--cluster.listen-address=")
            self.service = Service(self.folder / "data", "--alarm-budget", "50/day", "--receivers", str(self.folder / "settings.yaml"))
            stack.callback(self.service.stop)
            (self.folder / "prometheus.yml").write_text(f"""
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
scrape_configs:
  - job_name: node
    static_configs: [{{targets: ['127.0.0.1:{exporter}'], labels: {{host: here, instance: here}}}}]
    metric_relabel_configs:
      - {{source_labels: [__name__], regex: '{"|".join(MOVED + STILL)}', action: keep}}
remote_write:
  - url: '{self.service.url}/api/v1/write'
    queue_config: {{batch_send_deadline: 500ms}}
    write_relabel_configs: [{{source_labels: [__name__], regex: 'up|scrape_.*', action: drop}}]
""")
            start("prometheus", f"--config.file={self.folder}/prometheus.yml", f"--storage.tsdb.path={self.folder}/tsdb",
                  f"--web.listen-address=127.0.0.1:{prometheus}")
            self.stack = stack.pop_all()
        return self

    def __exit__(self, *failure):
        self.stack.close()

    def alerts(self):
        """Those of this host that are active; each is kept, with when it was seen first and last."""
        active = [a for a in ask(f"{self.alertmanager}/api/v2/alerts?active=true") if a["labels"].get("host") == "here"]
        for alert in active:
            first = self.seen[alert["fingerprint"]][1] if alert["fingerprint"] in self.seen else time.time()
            self.seen[alert["fingerprint"]] = alert, first, time.time()
        return active

    def incident(self, alert):
        """The incident that it tells of, and its episodes."""
        incident = self.service.ask(f"/api/v1/incidents/{alert['annotations']['incident']}")
        while "merged_into" in incident:
            incident = self.service.ask(f"/api/v1/incidents/{incident['merged_into']}")
        return incident, [self.service.ask(f"/api/v1/episodes/{episode}") for episode in incident["episodes"]]

    def is_of_fault(self, episode):
        return self.began - 2 <= seconds_of(episode["begin"]) <= (self.ended or time.time()) + 5

    def told(self):
        """Alerts so far that tell of something that began with the fault."""
        return [alert for alert, *_ in self.seen.values() if any(map(self.is_of_fault, self.incident(alert)[1]))]

    def told_why(self):
        """The alert whose incident holds the threads that want to run; None while there is none."""
        self.alerts()
        for alert in self.told():
            if any(e["series"].startswith("node_procs_running{") and self.is_of_fault(e) for e in self.incident(alert)[1]):
                return alert
        return None

    def samples(self, query, begin, end):
        """(time, value) of each scrape."""
        query = urllib.parse.urlencode({"query": f"{query}[{max(1, round(end - begin))}s]", "time": end})
        return [(float(t), float(v)) for r in ask(f"{self.prometheus}/api/v1/query?{query}")["data"]["result"] for t, v in r["values"]]

    def disturbances(self):
        """What the machine did beside the fault, by what Prometheus scraped."""
        now, reasons = time.time(), []
        began, ended = self.began or now, self.ended or now
        running = self.samples("node_procs_running", now - 900, now)
        beside = [(t, v) for t, v in running if not began - 2 <= t <= ended + 3]
        busiest = max(beside, key=lambda sample: sample[1], default=(now, 0))
        if busiest[1] > BUSY:
            reasons.append(f"{busiest[1]:.0f} others wanted to run, {busiest[0] - began:.0f} s from the fault")
        failed = [t for t, v in self.samples("up", now - 900, now) if v == 0]
        if failed:
            reasons.append(f"{len(failed)} scrapes failed, the first {failed[0] - began:.0f} s from the fault")
        times = [t for t, _ in running]
        gap = max(((b - a, a) for a, b in zip(times, times[1:])), default=(0, now))
        if gap[0] > 4:
            reasons.append(f"Prometheus did not scrape for {gap[0]:.0f} s, {gap[1] - began:.0f} s from the fault")
        return reasons

    def report(self):
        """All that says why it went as it did."""
        origin, lines = self.began or time.time(), []
        for alert, first, last in self.seen.values():
            lines.append(f"alert seen {first - origin:+.1f} to {last - origin:+.1f} s: {alert['labels']} {alert['annotations']}")
        for e in self.service.ask("/api/v1/episodes?limit=1000")["episodes"]:
            span = f"{seconds_of(e['begin']) - origin:+.0f} to " + (f"{seconds_of(e['end']) - origin:+.0f}" if "end" in e else "now")
            lines.append(f"episode {span} s: {e['state']} {e['summary']} (severity {e['severity']:.0f}, incident {e.get('incident')})")
        for i in self.service.ask("/api/v1/incidents?limit=100")["incidents"]:
            lines.append(f"incident {i['id']} {i['state']}, merged into {i.get('merged_into')}: {i['summary']}")
        for name in ("node_procs_running", "node_memory_KernelStack_bytes", "up"):
            for what, begin, end in (("before", origin - WARM_ROWS, origin), ("at", origin, self.ended or time.time()),
                                     ("after", self.ended or time.time(), time.time())):
                values = [v for _, v in self.samples(name, begin, end)] if end > begin + 1 else []
                if values:
                    lines.append(f"{name} {what} the fault: {len(values)} rows, {min(values):g} to {max(values):g}, deviation "
                                 f"{statistics.pstdev(values):.3g}")
        for log in sorted(self.folder.glob("*.txt")):
            said = [line for line in log.read_text(errors="replace").splitlines() if '"level":"info","id":"HTTP-REQUEST"' not in line]
            lines += [f"{log.name}: {line}" for line in said[-12:]]
        return "\n".join(lines)


def trial(host):
    """One fault: one alert, which says why, and ends."""
    wait_for("rows", lambda: host.samples("node_procs_running", time.time() - 900, time.time()), lambda rows: len(rows) >= WARM_ROWS, 300)
    with contextlib.suppress(AssertionError):
        wait_for("nothing is told before anything is wrong", host.alerts, lambda alerts: not alerts, 60)
    if host.disturbances():
        return
    assert not host.alerts(), "something is told before anything is wrong"
    host.began = time.time()
    with hogs(HOGS):
        alert = wait_for("the fault is told, with its reason", host.told_why, bool, TOLD_SECONDS)
        told_after, watched = time.time() - host.began, time.monotonic() + WATCHED_SECONDS
        while time.monotonic() < watched:
            host.alerts()
            time.sleep(0.5)
    host.ended = time.time()
    wait_for("it resolves", host.alerts, lambda alerts: not alerts, OVER_SECONDS)
    over_after, told = time.time() - host.ended, host.told()
    incident, episodes = host.incident(alert)
    assert len(told) == 1, f"{len(told)} alerts tell of one fault"  # many series see it, and one alert tells of it
    assert len({e["series"] for e in episodes}) >= 2 and incident["shared"]["host"] == "here", incident
    assert incident["state"] == "resolved", incident
    assert alert["labels"]["job"] == "node" and alert["labels"]["tocsin_kind"] and "metric" in alert["labels"], alert
    print(f"# told after {told_after:.1f} s; {incident['summary']}")
    print(f"# over {over_after:.0f} s after its cause was", flush=True)


def host_fault():
    for number in range(1, TRIALS + 1):
        with tempfile.TemporaryDirectory() as name, Host(pathlib.Path(name)) as host:
            failure = None
            try:
                trial(host)
            except AssertionError as error:
                failure = f"{error}\n{host.report()}"
            reasons = host.disturbances()
            if host.ended and not failure:
                return
            if not reasons:
                raise AssertionError(failure)
        print(f"# trial {number} of {TRIALS} was disturbed: {'; '.join(reasons)}", flush=True)
    raise Disturbed(f"{TRIALS} trials: this machine is too busy with other things; of the last one:\n{failure or reasons}")


def main():
    suite = Suite()
    missing = [name for name in PROGRAMS if not shutil.which(name)]
    if missing:
        suite.skip("a fault on this host becomes one alert, and resolves", f"{missing[0]} is not installed")
    else:
        suite.run("a fault on this host becomes one alert, and resolves", host_fault)
    suite.finish()


main()
