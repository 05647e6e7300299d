#!/usr/bin/env python3
"""Why an episode came to be: explanations of a live service, compared with what another service does when it is sent what they say.

usage: why_test.py TOCSIN        Prints TAP.
"""
import datetime
import http.server
import json
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time

import support
from support import Suite, clean_environment

TOCSIN = sys.argv[1]
SERIES, FIRST, AT = 24, 400, 300
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def name(i):
    return f'load{{host="db{i // 4}",team="storage",unit="{i}"}}'


def rows(begin, t, off=None, instead=None):
    """One of each series at step t; off: what is added to some; instead: values by (series, step)."""
    chance = random.Random(7919 + t)
    noise = [chance.gauss(0, 1) for _ in range(SERIES)]
    return [(name(i), begin + t, (instead or {}).get((i, t), 100 * i + noise[i] + (off or {}).get((i, t), 0))) for i in range(SERIES)]


def command(*arguments, status=0):
    """What a command prints; on standard error, where it is expected to fail."""
    done = subprocess.run([TOCSIN, *arguments], capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL, env=clean_environment())
    assert done.returncode == status, (arguments, done)
    return done.stderr if status else done.stdout


class Service(support.Service):
    def feed(self, begin, first, last, off=None, instead=None, trace=None):
        for t in range(first, last):
            self.take(rows(begin, t, off, instead), **({"traceparent": f"00-{trace}-00f067aa0ba902b7-01"} if trace else {}))

    def feed_in_two(self, begin, off, instead=None):
        """The rows up to FIRST; before anything happens a tick has told each what the budget leaves to it."""
        self.feed(begin, 0, AT - 50, off, instead)
        time.sleep(2.1)
        self.feed(begin, AT - 50, FIRST, off, instead)

    def settled(self):
        super().settled()
        time.sleep(0.3)  # what it made of the last row is kept

    def episodes(self, i):
        return [e for e in self.ask("/api/v1/episodes?kind=anomaly&limit=1000")["episodes"] if e["series"] == name(i)]


class Hook:
    """A webhook that answers 200, or what it is told to."""

    def __init__(self):
        heard = self.heard = []
        self.status = 200
        hook = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                heard.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(hook.status)
                self.end_headers()

            def log_message(self, *_):
                pass
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/"


def with_folder(function):
    def run():
        with tempfile.TemporaryDirectory() as folder:
            function(pathlib.Path(folder))
    return run


def stamp(text):
    return datetime.datetime.fromisoformat(text[:26].rstrip("Z") + "+00:00").timestamp()


def spike_and_shift(folder):
    """One row far off, and another series that shifts for good: what is said would have been quiet is quiet, when it is sent."""
    begin = time.time() - FIRST - 60
    off = {(3, AT): 40} | {(9, t): 30 for t in range(AT, FIRST + 30)}
    one = Service(folder / "one", "--deep", "off")
    one.feed_in_two(begin, off)
    one.settled()
    one.wait("/api/v1/episodes?kind=anomaly", lambda a: {name(3), name(9)} <= {e["series"] for e in a["episodes"]})
    for i, is_single in ((3, True), (9, False)):
        episode = one.episodes(i)[0]
        assert "grounds" not in episode, episode  # lists stay short
        why = one.ask(f"/api/v1/episodes/{episode['id']}/explanation")
        look, change = why["first_look"], why["counterfactual"]
        assert why["schema"] == "tocsin/live-explanation/1" and why["episode"] == episode["id"] and why["unknown"] == [], why
        assert abs(abs(look["value"] - look["expected"]) / look["deviation"] - look["from_expected"]) < 1e-9 * look["score"], look
        assert look["score"] == max(look["from_expected"], look["from_level"]), look
        assert look["because"] == ("shift" if look["from_level"] > look["from_expected"] else "jump"), look
        assert abs(look["score"] / look["usual"] / look["bar"] - look["height"]) < 1e-9 or look["height"] * look["bar"] == 64, look
        assert look["height"] > look["threshold"] and look["low"] < look["expected"] < look["high"] < look["value"], look
        assert change["found"] and change["whole"] and change["score_after"] <= change["threshold"] < change["score_before"], change
        assert change["rows_changed"] == len(change["rows"]) >= 1 and (not is_single or change["rows_changed"] == 1), change
        assert why["advice"].startswith("it would not have opened with "), why["advice"]
        assert change["rows"][0]["instead"] == look["high"] or abs(change["rows"][0]["instead"] - look["high"]) < 1e-9 * abs(look["high"]), change
        brief = why["brief"]
        assert brief["schema"] == "tocsin/explanation/1" and brief["channels"][0]["kind"] in ("spike", "level shift", "unclear"), brief
        assert is_single is False or brief["channels"][0]["kind"] == "spike", brief["channels"][0]
        instead = {(i, min(range(FIRST), key=lambda t, at=stamp(row["time"]): abs(begin + t - at))):
                   row["instead"] - (0.5 if is_single else 0) * (row["instead"] - look["expected"]) for row in change["rows"]}
        # Ticks come as they do, and thresholds with them: a spike is moved half way back, and a shift, whose later rows depend on those that
        # are moved, is judged by a tenth of the budget.  why_test.c has the same, with neither.
        two = Service(folder / f"two{i}", "--deep", "off", "--alarm-budget", "1/day" if is_single else "0.1/day")
        two.feed_in_two(begin, off, instead)
        two.settled()
        two.wait("/api/v1/episodes?kind=anomaly", lambda a: [e for e in a["episodes"] if e["series"] == name(12 - i)])  # is as it was
        assert two.episodes(i) == [], (why["advice"], two.episodes(i))
        assert two.stop() == 0
    kept = why
    one.stop(signal.SIGKILL)
    one = Service(folder / "one", "--deep", "off")
    one.feed(begin, FIRST, FIRST + 30, off)  # figures move on; those of the decision do not
    one.settled()
    again = one.ask(f"/api/v1/episodes/{kept['episode']}/explanation")
    assert again["first_look"] == kept["first_look"] and again["peak_look"] == kept["peak_look"], (again, kept)
    said = command("explain", "--service", one.url, kept["episode"])
    assert all(text in said for text in (kept["episode"], kept["advice"], kept["brief"]["sentence"], "would have been quiet", "cohort")), said
    assert json.loads(command("explain", "--service", one.url + "/", kept["episode"], "--json"))["first_look"] == kept["first_look"]
    assert "there is no episode 'anomaly-0-0'" in command("explain", "--service", one.url, "anomaly-0-0", status=2)
    assert "no id of an episode" in command("explain", "--service", one.url, "../status", status=2)
    assert one.ask("/api/v1/episodes/anomaly-0-0/explanation", 404)["type"].endswith("episode-unknown")
    assert one.stop() == 0


def told_and_moved(folder):
    """Four series of one host, one after the other, and a receiver: what moved together, who was told, and the way of the row."""
    begin, hook = time.time() - FIRST - 10, Hook()
    settings = folder / "receivers.yaml"
    settings.write_text(f"receivers:\n  - name: pager\n    kind: webhook\n    url: {hook.url}\n    suspected: yes\n")
    service = Service(folder / "data", "--receivers", str(settings), "--deep", "off")
    service.feed(begin, 0, AT)
    service.feed(begin, AT, AT + 30, {(4 + n, t): 40 + n for n in range(4) for t in range(AT + n, AT + 8)}, trace=TRACE)
    service.settled()
    first = service.episodes(4)[0]
    service.wait(f"/api/v1/episodes/{first['id']}/explanation", lambda a: [t for t in a["told"] if t["outcome"] == "sent"])
    why = service.ask(f"/api/v1/episodes/{first['id']}/explanation")
    moved = why["moved_together"]
    assert moved["series_count"] == 4 and moved["shared"] == {"host": "db1"}, moved
    assert [e["series"] for e in moved["episodes"]] == [name(5), name(6), name(7)], moved
    assert [round(e["lag_seconds"]) for e in moved["episodes"]] == [1, 2, 3] and all(e["deviations"] > 10 for e in moved["episodes"]), moved
    assert moved["episodes"][0]["shared"] == {"__name__": "load", "host": "db1", "team": "storage"}, moved
    other = service.ask(f"/api/v1/episodes/{moved['episodes'][2]['id']}/explanation")
    assert [round(e["lag_seconds"]) for e in other["moved_together"]["episodes"]] == [-3, -2, -1], other["moved_together"]
    steps = [step["step"] for step in why["path"]]
    assert steps == ["received", "journal", "outcome", "first look", "cohort", "opened", "confirmed", "incident", "state"], steps
    by_step = {step["step"]: step for step in why["path"]}
    assert TRACE in by_step["received"]["trace"] and by_step["journal"]["kept"] is True, why["path"]
    assert by_step["cohort"]["height"] == why["first_look"]["height"] and by_step["confirmed"]["by"] == why["confirmed_by"], why["path"]
    assert all(step["says"] for step in why["path"]) and by_step["confirmed"]["by"] in ("height", "length"), why["path"]
    told = why["told"]
    assert told and {t["receiver"] for t in told} == {"pager"} and all(t["time"] and t["attempts"] == 1 and not t["error"] for t in told), told
    assert len(told) == len(hook.heard) and TRACE in told[0]["trace"], (told, hook.heard)
    assert told == other["told"] or sorted(map(str, told)) == sorted(map(str, other["told"])), (told, other["told"])  # it stands for all
    record = service.ask(f"/api/v1/episodes/{first['id']}/record")
    assert record["told"] == told and record["grounds"]["onset"]["value"] == why["first_look"]["value"], record
    descriptions = [e["data"]["description"] for e in hook.heard]
    assert any("would not have been told." in text for text in descriptions) or all("of load" in text for text in descriptions), descriptions
    hook.status = 400  # a receiver that wants nothing of it
    service.feed(begin, AT + 30, AT + 45, {(20, AT + 35): 60})
    service.settled()
    refused = service.episodes(20)[0]
    answer = service.wait(f"/api/v1/episodes/{refused['id']}/explanation", lambda a: [t for t in a["told"] if t["outcome"] == "given up"])
    assert all(t["error"] for t in answer["told"] if t["outcome"] == "given up"), answer["told"]
    assert service.stop() == 0


def not_known(folder):
    """Without a history only the row that opened it is known, and that is said; other kinds have no grounds."""
    begin = time.time() - FIRST
    service = Service(folder / "data", "--history", "off", "--deep", "off")
    service.feed(begin, 0, FIRST, {(3, t): 40 for t in range(AT, AT + 6)}, {(5, t): 500.25 for t in range(AT, FIRST)})
    service.settled()
    why = service.ask(f"/api/v1/episodes/{service.episodes(3)[0]['id']}/explanation")
    assert why["unknown"] == ["rows: no history is kept (--history off)"] and why["brief"] is None, why["unknown"]
    assert why["counterfactual"]["found"] and why["counterfactual"]["whole"] is False and why["counterfactual"]["rows_judged"] == 1, why
    assert "is not known" in why["advice"], why["advice"]
    stuck = service.wait("/api/v1/episodes?kind=stuck", lambda a: a["episodes"])["episodes"][0]
    why = service.ask(f"/api/v1/episodes/{stuck['id']}/explanation")
    assert why["first_look"] is None and why["counterfactual"] is None and why["advice"] is None, why
    assert any(text.startswith("grounds:") for text in why["unknown"]) and why["path"][-1]["step"] == "state", why
    assert service.stop() == 0


def deep_layer(folder):
    """What the deep layer said, row by row: parts that sum to its score, and the change that it would have called ordinary."""
    begin = time.time() - 700
    service = Service(folder / "data", "--deep-share", "1", "--deep-deadline", "20")
    service.feed(begin, 0, 70)
    time.sleep(2.1)  # a tick shares out the sample
    for first in range(70, 250, 10):
        service.feed(begin, first, first + 10)
        time.sleep(0.1)
    service.wait("/api/v1/status", lambda a: a["deep"]["state"] == "on", seconds=240)
    service.feed(begin, 250, 300)
    for t in range(300, 325):
        service.feed(begin, t, t + 1, {(3, t): 40 for t in range(310, 318)})
        time.sleep(0.3)

    def answered(answer):
        return [e for e in answer["episodes"] if e["series"] == name(3) and e["verdict"] in ("confirmed", "ordinary")]
    episode = answered(service.wait("/api/v1/episodes?kind=anomaly", answered, seconds=60))[0]
    why = service.ask(f"/api/v1/episodes/{episode['id']}/explanation")
    look = why["second_look"]
    assert why["attribution"] == "shapley" and look["verdict"] == episode["verdict"] and len(look["rows"]) == 64, why["unknown"]
    assert abs(sum(row["part"] for row in look["rows"]) - (look["score"] - look["score_expected"])) < 1e-9 * (1 + look["score"]), look
    assert abs(sum(row["share"] for row in look["rows"]) - 1) < 1e-9, look
    assert abs(look["p_value"] - episode["deep_p_value"]) < 1e-6 + 1e-5 * look["p_value"], (look["p_value"], episode)  # it says the same again
    assert all("time" in row for row in look["rows"]) and look["rows"][-1]["time"] == look["time"], look["rows"][-1]
    event = [row for row in look["rows"] if row["deviations"] > 5]
    carried = sum(row["share"] for row in event)
    assert event and carried > len(event) / len(look["rows"]), (carried, event)  # rows of the event more than others, whatever was learned
    change = look["counterfactual"]
    if look["p_value"] <= look["limit"]:
        assert change["found"] and change["p_value_after"] > look["limit"] and 0 < change["rows_changed"] == len(change["rows"]), change
        assert "the deep layer would have called it ordinary" in why["advice_second_look"], why["advice_second_look"]
    assert [s for s in why["path"] if s["step"] == "second look" and s["model"] == look["model"]], why["path"]
    assert service.stop() == 0


def quality(folder):
    """Counted by hand: two true alarms, a false one, one that nobody answered, a missed event; by team; with prices and without."""
    begin = time.time() - FIRST - 60

    def say(path, **body):
        status, text = service.send(path, body)
        assert status in (200, 201), (path, status, text)
    service = Service(folder / "data", "--deep", "off", "--cost-false-alarm", "10", "--gain-true-alarm", "500")
    for t in range(FIRST):  # teams of two; the last four series have none
        team = lambda i: "" if i >= 20 else f',team="{"ab"[i % 2]}"'
        off = {(i, u): 40 for i, s in ((2, 310), (5, 330), (8, 350), (21, 370)) for u in range(s, s + 6)}
        service.take((f'load{{unit="{i}"{team(i)}}}', at, v) for i, (_, at, v) in enumerate(rows(begin, t, off)))
    answer = service.wait("/api/v1/episodes?kind=anomaly&state=over",
                          lambda a: {2, 5, 8, 21} <= {e["number"] for e in a["episodes"] if e["state"] == "resolved"})
    found = {e["number"]: e for e in answer["episodes"] if e["state"] == "resolved"}
    others = [e for e in answer["episodes"] if e["state"] == "resolved" and e["number"] not in (2, 5, 8, 21)]  # chance may raise one
    say(f"/api/v1/episodes/{found[2]['id']}/answers", verdict="true", scope="episode")
    say(f"/api/v1/episodes/{found[5]['id']}/answers", verdict="true", scope="episode")
    say(f"/api/v1/episodes/{found[8]['id']}/answers", verdict="expected", scope="episode")
    say("/api/v1/marks", series=4, **{"from": found[2]["begin"], "to": found[2]["end"], "note": "a leak"})
    document, near = service.ask("/api/v1/quality?days=2"), lambda a, b: abs(a - b) < 1e-6 * (1 + abs(b))
    total, teams = document["total"], {t["team"]: t for t in document["teams"]}
    assert (total["alarms"], total["answered"], total["true"], total["expected"], total["missed"]) == (4 + len(others), 3, 2, 1, 1), total
    # One person's word is believed with some doubt: how real each is, is what all answers come to.
    sure = {i: service.ask(f"/api/v1/episodes/{found[i]['id']}")["answer_probability"] for i in (2, 5, 8)}
    real = {2: sure[2], 5: sure[5], 8: 1 - sure[8]}
    right = sum(real.values())
    assert 1.8 < right < 2.2, real
    assert near(total["precision"], right / 3) and near(total["recall"], right / (right + 1)), (total, right)
    for share, n in (("precision", 3), ("recall", right + 1)):  # Wilson's interval, written another way
        low, high, z = total[share + "_low"], total[share + "_high"], 1.959964
        for edge in (low, high):
            assert near((edge - total[share]) ** 2, z * z * edge * (1 - edge) / n), (share, edge)
        assert low < total[share] < high, total
    confirmed = [service.ask(f"/api/v1/episodes/{found[i]['id']}/record")["grounds"] for i in (2, 5)]
    delays = sorted(stamp(g["confirmed"]) - stamp(g["onset"]["time"]) for g in confirmed)
    assert total["detect_count"] == 2 and near(total["detect_seconds"], sum(delays) / 2), (total, delays)
    assert total["cost_missed"] is None, total
    assert near(total["cost_false"], 10 * (3 - right)) and near(total["saved"], 500 * right) and near(total["net"], 500 * right - 10 * (3 - right)), total
    assert document["by"] == "team" and teams["a"]["alarms"] >= 2 and teams["a"]["true"] == 1 and teams["a"]["expected"] == 1, teams
    assert teams["a"]["missed"] == 1 and near(teams["a"]["recall"], (real[2] + real[8]) / (real[2] + real[8] + 1)), teams
    assert teams["b"]["recall"] == 1 and near(teams["b"]["saved"], 500 * real[5]), teams
    assert teams[""]["alarms"] >= 1 and teams[""]["precision"] is None and teams[""]["detect_seconds"] is None and teams[""]["net"] == 0, teams
    assert sum(d["alarms"] for d in document["days"]) == total["alarms"] and len(document["days"]) == 2, document["days"]
    units = {t["team"] for t in service.ask("/api/v1/quality?by=unit")["teams"]}
    assert {"2", "5", "8", "21", "4"} <= units, units
    assert document["prices"] == {"false_alarm": 10, "missed": None, "true_alarm": 500}, document["prices"]
    assert service.stop() == 0
    service = Service(folder / "data", "--deep", "off")
    assert service.ask("/api/v1/quality")["total"]["net"] is None
    assert service.stop() == 0
    assert "--cost-missed" in command("serve", "--data", str(folder / "no"), "--cost-missed", "-1", status=2)


def main():
    suite = Suite()
    suite.run("what is said would have been quiet is quiet when it is sent", with_folder(spike_and_shift))
    suite.run("what moved together, who was told, and the way of the row", with_folder(told_and_moved))
    suite.run("what is not known is said", with_folder(not_known))
    suite.run("what the deep layer said, row by row", with_folder(deep_layer))
    suite.run("quality, counted by hand", with_folder(quality))
    suite.finish()


if __name__ == "__main__":
    main()
