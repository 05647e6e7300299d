#!/usr/bin/env python3
"""An alarm budget beside fixed thresholds, on ten labelled series: alarms raised, events caught, time to detect.

usage: ten_files.py BUILD NAB_FOLDER [BUDGET]
       e.g.  python3 bench/ten_files.py build ../shared/data/nab 1/week
Needs numpy and pyod (the project itself needs neither).

The files are the first two with labelled windows, by name, of each of NAB's five folders of real data.  Compared are
  tocsin online   every row judged by its past alone, under BUDGET (default 1/week, by the files' own time stamps)
  tocsin offline  the same budget, looking back over everything
  3 sigma, past   |value - mean| > 3 deviations of the rows so far, after the first 15 % (at most 750 rows)
  3 sigma, whole  the same with mean and deviation of the whole file
  PyOD            IForest and ECOD at their defaults (contamination 0.1) on the values of the whole file
An alarm is a run of flagged rows; runs closer than ten rows are one, for everybody.  Alarms in the first 15 % (at most 750 rows) do not count,
as in NAB.  An event is caught by an alarm that touches its window; the time to detect is from the window's begin (NAB's windows begin
before what they hold) to the first flagged row.  "False" alarms touch no window; allowed are BUDGET's by the time of the rows that count.
Writes BUILD/bench/ten_files.json.
"""
import csv
import datetime
import glob
import json
import os
import pathlib
import subprocess
import sys
import warnings

import numpy as np

warnings.filterwarnings("ignore")
FOLDERS = ["realAWSCloudwatch", "realAdExchange", "realKnownCause", "realTraffic", "realTweets"]
UNITS = {"hour": 3600.0, "day": 86400.0, "week": 604800.0}


def read(folder, name, windows):
    rows = sorted((datetime.datetime.fromisoformat(r["timestamp"]), float(r["value"])) for r in csv.DictReader(open(folder / "data" / name)))
    times, values = [r[0] for r in rows], np.array([r[1] for r in rows])
    events = [tuple(datetime.datetime.fromisoformat(t) for t in w) for w in windows[name]]
    spans = [(sum(t < a for t in times), sum(t <= b for t in times)) for a, b in events]
    return times, values, spans


def alarms_of(flags, first):
    """Runs of flagged rows [begin, end), joined when closer than ten rows."""
    runs = []
    for t in np.flatnonzero(flags):
        if t < first:
            continue
        if runs and t - runs[-1][1] < 10:
            runs[-1][1] = t + 1
        else:
            runs.append([t, t + 1])
    return runs


def tocsin(build, path, mode, budget, count):
    command = [str(build / "apps/tocsin"), "detect", str(path), "--mode", mode, "--alarm-budget", budget, "--scores", "-"]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    flags = np.array([row["anomaly"] == "1" for row in csv.DictReader(out.splitlines())])
    assert len(flags) == count, path
    return flags


def three_sigma_past(values, first):
    count = np.arange(1, len(values) + 1)
    mean = np.cumsum(values) / count
    deviation = np.sqrt(np.maximum(np.cumsum(values ** 2) / count - mean ** 2, 0))
    flags = np.zeros(len(values), bool)
    flags[1:] = np.abs(values[1:] - mean[:-1]) > 3 * deviation[:-1]
    return flags


def methods(build, path, values, first, budget):
    from pyod.models.ecod import ECOD
    from pyod.models.iforest import IForest

    x = values.reshape(-1, 1)
    yield "tocsin online", tocsin(build, path, "online", budget, len(values))
    yield "tocsin offline", tocsin(build, path, "offline", budget, len(values))
    yield "3 sigma, past", three_sigma_past(values, first)
    yield "3 sigma, whole", np.abs(values - values.mean()) > 3 * values.std()
    yield "PyOD IForest", IForest(random_state=0).fit(x).labels_ == 1
    yield "PyOD ECOD", ECOD().fit(x).labels_ == 1


def main():
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    build, folder = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    budget = sys.argv[3] if len(sys.argv) == 4 else "1/week"
    windows = json.load(open(folder / "labels/combined_windows.json"))
    names = [n for f in FOLDERS for n in [n for n in sorted(windows) if n.startswith(f + "/") and windows[n]][:2]]
    total, allowed, event_count = {}, 0.0, 0
    for name in names:
        times, values, spans = read(folder, name, windows)
        first = min(len(values) * 15 // 100, 750)
        spans = [s for s in spans if s[1] > first]
        event_count += len(spans)
        count, unit = budget.split("/")
        allowed += float(count) * (times[-1] - times[first]).total_seconds() / UNITS[unit]
        for method, flags in methods(build, folder / "data" / name, values, first, budget):
            runs = alarms_of(flags, first)
            t = total.setdefault(method, {"alarms": 0, "right": 0, "caught": 0, "hours": []})
            t["alarms"] += len(runs)
            t["right"] += sum(any(a < e and b > s for s, e in spans) for a, b in runs)
            for s, e in spans:
                rows = [r for r in range(max(s, first), e) if flags[r]]
                if rows:
                    t["caught"] += 1
                    t["hours"].append((times[rows[0]] - times[s]).total_seconds() / 3600)
    print(f"{len(names)} files, {event_count} events, {allowed:.1f} false alarms allowed under {budget}\n")
    print("| method | alarms | of them false | events caught | median hours from the window's begin |\n|---|---|---|---|---|")
    figures = []
    for method, t in total.items():
        median = float(np.median(t["hours"])) if t["hours"] else float("nan")
        false = t["alarms"] - t["right"]
        print(f"| {method} | {t['alarms']} | {false} | {t['caught']} of {event_count} | {median:.1f} |")
        figures.append({"name": f"{method}: false alarms under {budget}", "unit": "alarms", "ours": false, "peer": None, "peer_name": None,
                        "ratio": None, "target": allowed if method.startswith("tocsin") else None,
                        "ok": not method.startswith("tocsin") or false <= 1.2 * allowed})
    os.makedirs(build / "bench", exist_ok=True)
    json.dump(figures, open(build / "bench/ten_files.json", "w"), indent=1)


main()
