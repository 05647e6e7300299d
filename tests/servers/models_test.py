#!/usr/bin/env python3
"""The loop from answers to a model that decides: people answer, a challenger learns, is scored beside the champion, answers for half of the
series, decides, and goes again; killed in between, and the same bytes in a backtest.

usage: models_test.py TOCSIN        Prints TAP.
"""
import json
import random
import signal
import subprocess
import time
import urllib.request

from service_test import TOCSIN, with_service
from support import Service, Suite, clean_environment

UNITS = 200


class Plant:
    """A second a step: every unit's noise, and spikes, of which only people know that those upwards matter."""

    def __init__(self, service, past=340):
        self.service, self.begin, self.step = service, time.time() - past, 0  # 340: what comes after the challenger is stamped about now

    def run(self, steps, spikes=False, pause=0.05, chunk=10):
        for _ in range(steps // chunk):
            rows = []
            for _ in range(chunk):
                chance = random.Random(self.step)
                for unit in range(UNITS):
                    value = 100 * unit + chance.gauss(0, 1)
                    if spikes and (self.step + 13 * unit) % 150 == 0:
                        value += chance.uniform(9, 13) * (1 if unit % 2 else -1)
                    rows.append((f'sensor{{unit="{unit}"}}', self.begin + self.step, value))
                self.step += 1
            self.service.take(rows)
            time.sleep(pause)


def say(service, path, **body):
    return service.send(path, body)


def models(service):
    return service.ask("/api/v1/models")


def role(service, name):
    return next((one for one in models(service)["models"] if one["role"] == name and one["name"] == "live"), None)


def figures(service):
    with urllib.request.urlopen(service.url + "/metrics", timeout=20) as answer:
        return answer.read().decode()


def gates(folder, model):
    """What `tocsin model promote` would say: without a reason, and so that nothing changes where one is shut."""
    done = subprocess.run([TOCSIN, "model", "show", model, "--data", str(folder)], capture_output=True, text=True, timeout=20)
    return " / ".join(line for line in done.stdout.splitlines() if line.startswith(("| answered", "| shadow")))


def answer_all(service, answered):
    """True of what rose, expected of what fell."""
    for episode in service.ask("/api/v1/episodes?kind=anomaly&limit=1000")["episodes"]:
        if episode["id"] in answered:
            continue
        is_rise = episode["value"] > episode["expected"]
        status, text = say(service, f"/api/v1/episodes/{episode['id']}/answers", verdict="true" if is_rise else "expected")
        assert status == 201, text
        answered[episode["id"]] = json.loads(text)["id"]


def loop(service):
    plant, answered = Plant(service), {}
    folder = service.folder
    more = ("--deep-share", "1", "--deep-deadline", "20", "--alarm-budget", "100000", "--keep-journal")
    plant.run(70)
    time.sleep(2.1)  # a tick shares out the sample
    plant.run(100, pause=0.1)
    service.wait("/api/v1/status", lambda a: a["deep"]["state"] == "on", seconds=120)
    plant.run(160, spikes=True, pause=0.2)
    service.wait("/api/v1/status", lambda a: a["deep"]["escalated"] >= 110 and a["rows_waiting"] == 0)
    answer_all(service, answered)
    assert len(answered) >= 40, len(answered)

    # A challenger appears, with where it comes from and what it was measured to do.
    service.wait("/api/v1/models", lambda a: a["challenger"]["model"])
    challenger, champion = role(service, "challenger"), role(service, "champion")
    lineage = challenger["card"]["lineage"]
    assert int(lineage["labels_true"]) >= 10 and int(lineage["labels_other"]) >= 10 and len(lineage["labels_sha256"]) == 64, lineage
    assert len(lineage["data_sha256"]) == 64 and lineage["engine"] and int(lineage["seed"]) > 0 and challenger["card"]["parent"], lineage
    measured = service.ask("/api/v1/models/" + challenger["hash"])["evidence"]
    on_answers = next(one for one in measured if one["data"] == "answered episodes, held out")
    print(f"# area under the curve {on_answers['auc_roc']:.3f} of {on_answers['labels_true']:.0f} and {on_answers['labels_other']:.0f}")
    assert on_answers["auc_roc"] > 0.8 and on_answers["auc_gain_low"] > 0, on_answers
    shown = subprocess.run([TOCSIN, "model", "show", challenger["hash"][:12], "--data", str(folder)], capture_output=True, text=True, timeout=20)
    assert "answered episodes, held out" in shown.stdout and "AUC by answers" in shown.stdout, shown

    # Half of the series, by a word of an admin that says why; and the champion's own are as before.
    assert say(service, f"/api/v1/models/{challenger['hash']}/canary", share=0.5)[0] == 400
    assert say(service, f"/api/v1/models/{challenger['hash']}/canary", share=1.5, reason="?")[0] == 400
    assert say(service, f"/api/v1/models/{champion['hash']}/canary", share=0.5, reason="?")[0] == 400
    assert say(service, "/api/v1/models/0123456789/canary", share=0.5, reason="?")[0] == 404
    assert say(service, f"/api/v1/models/{challenger['hash'][:10]}/canary", share=0.5, reason="let us see")[0] == 204
    service.wait("/api/v1/models", lambda a: a["canary"]["is_on"])
    time.sleep(1)
    plant.run(80, spikes=True, pause=0.2)
    found = service.wait("/api/v1/models", lambda a: a["challenger"]["answered"] > 0 and a["challenger"]["compared"] > 0)
    groups = found["canary"]
    assert groups["model"] == challenger["hash"] and groups["share"] == 0.5, groups
    assert groups["canary"]["series"] + groups["others"]["series"] == UNITS and groups["canary"]["series"] > UNITS / 4, groups
    assert groups["canary"]["opened"] > 0 and groups["others"]["opened"] > 0, groups
    assert "tocsin_deep_canary_share 0.5" in figures(service)

    # Killed, it goes on where it was; stopped by the command, all is the champion's within a second or so.
    service.stop(signal.SIGKILL)
    service = Service(folder, *more)
    plant.service = service
    service.wait("/api/v1/models", lambda a: a["canary"]["is_on"] and a["challenger"]["model"] == challenger["hash"])
    assert "tocsin_deep_canary_share 0.5" in figures(service)
    stopped = subprocess.run([TOCSIN, "model", "canary", "stop", "--reason", "seen enough", "--data", str(folder)], capture_output=True, text=True,
                             timeout=20)
    assert stopped.returncode == 0 and "no canary" in stopped.stdout, stopped
    asked = time.monotonic()
    while "tocsin_deep_canary_share 0\n" not in figures(service):
        assert time.monotonic() - asked < 10, figures(service)
        time.sleep(0.05)
    print(f"# the champion answers for all again after {time.monotonic() - asked:.2f} s")
    assert role(service, "champion")["hash"] == champion["hash"] or role(service, "champion")["card"]["parent"]

    # Shadow scores; then it decides, by itself when every gate is passed, or by a person's word.
    for _ in range(4):
        plant.run(40, spikes=True, pause=0.4)
        shadow = models(service)["challenger"]
        if shadow["compared"] >= 100:
            break
    assert shadow["compared"] > 0 or role(service, "challenger") is None, shadow
    print(f"# {shadow['compared']} compared: both {shadow['confirmed_both']}, challenger {shadow['confirmed_challenger']}, "
          f"champion {shadow['confirmed_champion']}, {shadow['skipped']} skipped")
    time.sleep(3)
    newest = role(service, "challenger") or challenger
    before = role(service, "champion")["hash"]
    entries = [e for e in service.ask("/api/v1/audit?limit=1000")["entries"] if e["action"] == "model" and "every gate passed, on answers" in json.dumps(e)]
    print(f"# promoted by itself: {len(entries)} times; gates: {gates(folder, newest['hash'])}")
    if newest["hash"] != before:
        assert say(service, f"/api/v1/models/{newest['hash']}/promotion", reason="it knows what we said")[0] == 204
        service.wait("/api/v1/status", lambda a: a["deep"]["model"] == newest["hash"])
    decides = role(service, "champion")["hash"]
    asked = time.monotonic()
    assert say(service, "/api/v1/models/rollback", reason="for the test")[0] == 204
    back = service.wait("/api/v1/status", lambda a: a["deep"]["model"] != decides)
    print(f"# rolled back after {time.monotonic() - asked:.2f} s")
    plant.run(40, spikes=True, pause=0.2)
    service.settled()

    # An answer that is taken back is learned from no more.
    labels = models(service)["challenger"]["labels_true"]
    gone = next(iter(e["id"] for e in service.ask("/api/v1/episodes?kind=anomaly&limit=1000")["episodes"]
                     if e["id"] in answered and e["value"] > e["expected"]))
    with_delete(service, "/api/v1/answers/" + answered[gone])
    service.wait("/api/v1/models", lambda a: a["challenger"]["labels_true"] == labels - 1)

    # What was answered by whom is in the journal: a backtest has the same episodes, bit for bit.
    assert service.stop() == 0
    done = subprocess.run([TOCSIN, "backtest", "--data", str(folder), "--verify"], capture_output=True, text=True, timeout=120, env=clean_environment())
    assert done.returncode == 0, done
    verified = subprocess.run([TOCSIN, "model", "verify", "--data", str(folder)], capture_output=True, text=True, timeout=60)
    assert verified.returncode == 0, verified


def promoted_alone(service):
    """Who was promoted because it passed every gate, the latest: its hash, or ""."""
    entries = [e for e in service.ask("/api/v1/audit?limit=1000")["entries"] if e["action"] == "model"]
    return next((e["object"] for e in reversed(entries) if "every gate passed" in e["detail"]), "")


def stems_from(service, model, ancestor):
    """Is it that one, or made from it?"""
    parents = {one["hash"]: one["card"]["parent"] for one in models(service)["models"]}
    while model and model != ancestor:
        model = parents.get(model)
    return model == ancestor


def alone(service):
    """Answers make a challenger, and it comes to decide without anybody's word, while the service goes on training networks, which wait.

    What people say follows one rule that the network cannot know, so every gate is passed by far but one: chance has a part in the share of
    chances below 0.01, at most 6 of 300 rows where 3 are expected, which fails one trial in 30, and more while there are few windows to tell
    chances by.  Who fails makes room for the next; a trial takes some 240 steps, and 1,750 are room for seven.  Something is made anew with
    half as many rows out of the ordinary again: of some 500 when people answer, that is before 300 more are there."""
    plant, answered, aside = Plant(service, past=3600), {}, {}
    plant.run(70)
    time.sleep(2.1)  # a tick shares out the sample
    plant.run(100, spikes=True, pause=0.1)
    service.wait("/api/v1/status", lambda a: a["deep"]["state"] == "on", seconds=120)
    plant.run(60, spikes=True, pause=0.1)
    service.wait("/api/v1/status", lambda a: a["deep"]["escalated"] >= 300 and a["rows_waiting"] == 0)
    answer_all(service, answered)
    held = service.wait("/api/v1/models", lambda a: a["challenger"]["is_held"])["challenger"]
    assert held["wanted"] == 300 and held["held_until"], held

    promoted, begin = "", time.monotonic()
    while not promoted and plant.step < 2000:
        plant.run(20, spikes=True, pause=0.1, chunk=2)  # few at a time: a challenger scores while little waits
        found, promoted = models(service), promoted_alone(service)
        aside |= {m["hash"]: m["card"]["note"] for m in found["models"] if "the trial of challenger" in m["card"].get("note", "")}
    print(f"# promoted by itself: {promoted[:12]}, {time.monotonic() - begin:.1f} s after the first one; {len(aside)} waited; {found['challenger']}")
    assert promoted, gates(service.folder, found["challenger"]["model"])
    assert aside, "no network was made during a trial: nothing had to wait"
    assert all(note.startswith(("waits for ", "kept aside during ")) for note in aside.values()), aside

    # What comes now is decided by it, or by what the service made from it since.
    service.wait("/api/v1/status", lambda a: stems_from(service, a["deep"]["model"], promoted))
    service.settled()
    before = {e["id"] for e in service.ask("/api/v1/episodes?kind=anomaly&limit=1000")["episodes"]}
    plant.run(60, spikes=True, pause=0.1, chunk=2)
    service.settled()
    after = [e["id"] for e in service.ask("/api/v1/episodes?kind=anomaly&limit=1000")["episodes"] if e["id"] not in before]
    looks = [service.ask(f"/api/v1/episodes/{one}/explanation").get("second_look") for one in after[:20]]
    assert len(after) >= 10 and sum(look is not None for look in looks) >= 5, (len(after), looks)
    strangers = {look["model"] for look in looks if look and not stems_from(service, look["model"], promoted)}
    assert not strangers, strangers


def with_delete(service, path):
    with urllib.request.urlopen(urllib.request.Request(service.url + path, method="DELETE"), timeout=20) as answer:
        assert answer.status == 204


def main():
    suite = Suite()
    suite.run("answers, a challenger, its shadow, a canary, a promotion and back",
              with_service(loop, "--deep-share", "1", "--deep-deadline", "20", "--alarm-budget", "100000", "--keep-journal"))
    suite.run("a challenger that is promoted by itself, and networks that wait for its trial",
              with_service(alone, "--deep-share", "1", "--deep-deadline", "20", "--alarm-budget", "100000"))
    suite.finish()


if __name__ == "__main__":
    main()
