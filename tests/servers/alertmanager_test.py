#!/usr/bin/env python3
"""A real Alertmanager on a loopback port: an alert appears once, stays while it is told again, and is over when we say so.

usage: alertmanager_test.py PATH_TO_SEND_ALERTS        Prints TAP.
"""
import datetime
import json
import shutil
import subprocess
import sys
import time
import urllib.request

from support import Suite, clean_environment, folder, free_port, process

CONFIGURATION = "global: {resolve_timeout: 4s}\nroute: {receiver: nobody}\nreceivers: [{name: nobody}]\n"


def stamp(seconds_ago=0):
    moment = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(seconds=seconds_ago)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def alert(host, state, revision, starts, **more):
    return json.dumps({"episode": f"e-{host}", "incident": "", "state": state, "revision": revision,
                       "tags": {"__name__": "node_load1", "host": host, "dash-ed": "x"}, "starts": starts, "updated": stamp(),
                       "severity": 50 + revision, "value": 17, "expected_lower": 1, "expected_upper": 3, "summary": f"load of {host} rose",
                       "description": "", "url": "http://127.0.0.1/e", "trace": ""} | more)


def get(port, path):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
        return json.load(answer)


def until(function, seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            found = function()
            if found:
                return found
        except OSError:
            pass
        time.sleep(0.1)
    raise AssertionError(f"not within {seconds} s")


class Sender:
    """send_alerts with its standard input open."""

    def __init__(self, program, settings, store, seconds=200):
        self.child = subprocess.Popen([program, settings, store, str(seconds)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                      stderr=subprocess.PIPE, env=clean_environment(), encoding="utf-8")

    def put(self, line):
        self.child.stdin.write(line + "\n")
        self.child.stdin.flush()

    def finish(self, seconds=240):
        out, err = self.child.communicate(timeout=seconds)
        assert self.child.returncode == 0, err
        return out.splitlines()


def lacks(program, top):
    """Why this build cannot send; None when it can."""
    (top / "probe.yaml").write_text("receivers: [{name: a, kind: webhook, url: 'http://127.0.0.1:1'}]\n", encoding="utf-8")
    outcome = subprocess.run([program, f"{top}/probe.yaml", f"{top}/probe.db", "0.5"], input=alert("x", "confirmed", 1, stamp()),
                             capture_output=True, timeout=30, check=False, env=clean_environment(), encoding="utf-8")
    said = outcome.stdout + outcome.stderr
    return said.strip() if "this build" in said or "built without" in said else None


def main():
    program, suite = sys.argv[1], Suite()
    server = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
    if not server:
        suite.skip("Alertmanager", "it is not installed")
        suite.finish()
    with folder() as top:
        if lacks(program, top):
            suite.skip("Alertmanager", lacks(program, top))
            suite.finish()
        port = free_port()
        (top / "am.yaml").write_text(CONFIGURATION, encoding="utf-8")
        (top / "r.yaml").write_text(f"receivers:\n  - {{name: ops, kind: alertmanager, url: 'http://127.0.0.1:{port}', resend: 1s, "
                                    "retry_at_most: 1s, labels: {team: db}}\n", encoding="utf-8")
        arguments = [server, f"--config.file={top}/am.yaml", f"--storage.path={top}/am", f"--web.listen-address=127.0.0.1:{port}",
                     "--cluster.listen-address="]
        starts = stamp(5)

        def active():
            return get(port, "/api/v2/alerts?active=true")

        def before_the_server():
            """Nobody listens yet: the alert waits in the store, over a restart of ours."""
            sender = Sender(program, f"{top}/r.yaml", f"{top}/o.db", seconds=3)
            sender.put(alert("db1", "confirmed", 1, starts))
            lines = sender.finish()
            assert lines[-1] == "waiting" and "ops confirmed 1 retry" in lines[0], lines

        suite.run("Alertmanager: an alert waits for a server that is down", before_the_server)
        with process(arguments, f"{top}/log"):
            until(lambda: get(port, "/api/v2/status"))
            sender = Sender(program, f"{top}/r.yaml", f"{top}/o.db")

            def appears_and_stays():
                found = until(active)
                assert len(found) == 1, found
                assert found[0]["labels"] == {"alertname": "TocsinAnomaly", "metric": "node_load1", "host": "db1", "dash_ed": "x",
                                              "team": "db"}, found[0]["labels"]
                assert found[0]["annotations"]["summary"] == "load of db1 rose" and found[0]["annotations"]["severity"] == "51"
                assert found[0]["generatorURL"] == "http://127.0.0.1/e" and found[0]["startsAt"][:19] == starts[:19], found[0]
                first, mark = found[0]["updatedAt"], found[0]["fingerprint"]
                time.sleep(7)  # longer than resolve_timeout
                found = active()
                assert len(found) == 1 and found[0]["updatedAt"] > first and found[0]["fingerprint"] == mark, found

            def gets_worse():
                sender.put(alert("db1", "confirmed", 2, starts, severity=90, summary="worse"))
                found = until(lambda: [one for one in active() if one["annotations"]["summary"] == "worse"])
                assert len(active()) == 1 and found[0]["annotations"]["severity"] == "90", found

            def is_over():
                sender.put(alert("db1", "resolved", 3, starts, ends=stamp()))
                until(lambda: active() == [])
                lines = sender.finish()
                assert lines[-1] == "idle" and lines[-2].startswith("ops resolved 3 sent"), lines[-3:]
                time.sleep(2)  # and is not told again
                assert active() == []

            def is_refused():
                """It ends before it begins: Alertmanager says 400, and the message is kept with that, not sent for ever."""
                refused = Sender(program, f"{top}/r.yaml", f"{top}/o2.db", seconds=5)
                refused.put(alert("db2", "resolved", 1, stamp(5), ends=stamp(500)))
                lines = refused.finish()
                assert len(lines) == 2 and "ops resolved 1 refused HTTP 400" in lines[0] and lines[1] == "idle", lines

            suite.run("Alertmanager: an alert appears once and stays while it is told again", appears_and_stays)
            suite.run("Alertmanager: one that gets worse is the same alert", gets_worse)
            suite.run("Alertmanager: one that is over is over", is_over)
            suite.run("Alertmanager: a refusal is kept with its reason", is_refused)
            if sender.child.poll() is None:
                sender.child.kill()
                sender.child.wait()
    suite.finish()


if __name__ == "__main__":
    main()
