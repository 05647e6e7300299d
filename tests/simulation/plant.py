#!/usr/bin/env python3
"""Does the simulation find bugs?  Plants one after the other in a copy of the source, and counts the histories until it is found.

usage: plant.py SOURCE_ROOT BUILD_FOLDER [NAME...]        Prints a row of a table for each; exit status 1 when one was not found.
BUILD_FOLDER is a folder of its own, made where there is none; the count starts at seed 1 and ends at the number that CI runs.
"""
import pathlib
import re
import shutil
import subprocess
import sys
import time

COUNT = 1000

# name: (what it does, file, text, text instead)
BUGS = {
    "no-sync": ("the journal is not synced before it answers", "src/store/journal.c",
                "const int cause = disk->sync(disk->self, file) == 0 ? 0 : errno;", "const int cause = 0;\n    (void)disk, (void)file;"),
    "no-folder-sync": ("a new segment's name is not synced", "src/store/journal.c",
                       "if (!cause && disk->sync_folder(disk->self, journal->folder) != 0) cause = errno;\n    journal->segment_size",
                       "journal->segment_size"),
    "apply-first": ("rows are applied before they are written", "src/store/journal.c",
                    "write_batch(journal, is_torn, first, &failure);\n    if (status == TCS_OK) time_ns = deliver_batch(journal, time_ns);",
                    "(time_ns = deliver_batch(journal, time_ns), write_batch(journal, is_torn, first, &failure));"),
    "tell-first": ("who listens is told of what is not durable", "src/serve/shard/teller.c",
                   "    if (live->durable < done) {", "    if (live->durable == 0) {"),
    "not-torn": ("after a failed sync the next one is believed", "src/store/journal.c", "        journal->is_torn = true;\n", ""),
    "torn-lost": ("what a failed sync left in doubt is not written once more", "src/store/journal.c",
                  "status = write_bytes(journal, &journal->unsynced, err);",
                  "journal->unsynced.size = 0;"),
    "same-segment": ("after a failed write the journal goes on in the same segment", "src/store/journal.c",
                     "    if (!journal->options.log) finish_segment(journal);\n", ""),
    "no-renew": ("what a failed sync left in memory is taken for durable", "src/store/journal.c",
                 "status = renew(journal, last, first->sequence == last ? 0 : first->offset, err);", "(void)first;"),
    "renew-late": ("of what may be in memory only the last record is written once more", "src/store/journal.c",
                   "= &t.places[t.begin];", "= &t.places[t.end - 1];"),
    "forget-early": ("the journal is cut at the newest snapshot's next segment but one", "src/serve/keeper.c",
                     "tcsi_journal_forget(keeper->journal, oldest + 1, err)", "tcsi_journal_forget(keeper->journal, oldest + 25, err)"),
    "outbox-lost": ("messages are forgotten when the store fails once", "src/serve/keep_batch.c",
                    "    tcsi_store_rollback(store);\n",
                    "    tcsi_store_rollback(store);\n    for (size_t i = 0; i < batch->count; i++)\n        if (batch->items[i].kind == MESSAGE)"
                    " batch->items[i] = (kept){ .kind = INCIDENT, .incident.document = NOT_YET };\n"),
    "outbox-forgotten": ("a message is done before it was tried", "src/serve/deliver/deliver.c",
                         "        make_attempt(p, &alert, m, now_ns, &attempt);",
                         "        (void)set_done(p, m, now_ns);\n        make_attempt(p, &alert, m, now_ns, &attempt);"),
    "by-wall-clock": ("messages are due by the wall clock", "src/serve/keep_batch.c",
                      "&item->message.alert, (int64_t)item->message.sequence,", "&item->message.alert, tcsi_clock_wall_ns(),"),
    "few-waiting": ("a new life looks at the first 8 messages that wait, for which episodes are held", "src/serve/deliver/deliver.c",
                    "INT64_MAX - 1, SIZE_MAX, note_waiting", "INT64_MAX - 1, 8, note_waiting"),
    "ticks-together": ("ticks that are done at once are told as one", "src/serve/shard/teller.c",
                       "        tell_until(live, *told, tick.sequence, tick.time_ns, true);\n        *told = tick.sequence;",
                       "        if (tick.sequence < sequence) continue;\n        tell_until(live, *told, tick.sequence, tick.time_ns, true);\n"
                       "        *told = tick.sequence;"),
    "snapshot-late": ("a snapshot is kept after what came behind it was told", "src/serve/shard/teller.c",
                      "if (is_reached && told < save_sequence) tell_ticks(live, &told, save_sequence, time_ns);",
                      "if (is_reached && told < done) tell_ticks(live, &told, done, time_ns);"),
    "state-forgotten": ("a series' last stamps but one are not in the snapshot", "src/serve/shard/cell.c",
                        "for (size_t i = 0; i < TCSI_ARRIVAL_DEPTH; i++) tcsi_codec_i64(codec, &series->arrival.newest_ns[i]);",
                        "for (size_t i = 0; i < 1; i++) tcsi_codec_i64(codec, &series->arrival.newest_ns[i]);\n"
                        "    for (size_t i = 1; tcsi_codec_loading(codec) && i < TCSI_ARRIVAL_DEPTH; i++) series->arrival.newest_ns[i] = INT64_MIN;"),
    "keeper-forgotten": ("who was told what is not in the snapshot", "src/serve/keeper.c",
                         "if (keeper->notify && codec.in_size > 0) tcsi_notify_persist(keeper->notify, &codec);", ""),
    "twice": ("a duplicate is known by the newest stamp only", "src/serve/ingest/arrival.c",
              "for (size_t i = 0; i < TCSI_ARRIVAL_DEPTH; i++)\n        if (time_ns == arrival->newest_ns[i]) return TCSI_OUTCOME_DUPLICATE;",
              "if (time_ns == arrival->newest_ns[0]) return TCSI_OUTCOME_DUPLICATE;"),
    "budget-unsaved": ("the budget is what it was at the start, after a snapshot", "src/serve/shard/live_saved.c",
                       "if (!live->options.is_budget_fixed) live->alarms_per_s = head.alarms_per_s;", ""),
    "action-first": ("an action is answered before it is synced", "src/serve/intake.c",
                     "TCSI_RECORD_ACTION, action->time_ns, text.data, text.size, NULL, &ticket, err);\n"
                     "    if (status == TCS_OK) status = tcsi_journal_sync(intake->journal, ticket, err);",
                     "TCSI_RECORD_ACTION, action->time_ns, text.data, text.size, NULL, &ticket, err);"),
    "by-the-clock": ("rows are judged by the clock and not by the journal's time", "src/serve/intake.c",
                     "tcsi_live_apply(intake->options.live, record->sequence, record->time_ns, &r->batch, &failure);",
                     "tcsi_live_apply(intake->options.live, record->sequence, record->time_ns + 1, &r->batch, &failure);"),
    "mark-too-far": ("of what the store has, 2 records more are taken for kept", "src/serve/keeper.c",
                     "keeper->skipped = mark.sequence;", "keeper->skipped = mark.sequence + 2;"),
    "overtaken": ("what was given up at an end of the service is overtaken by what comes behind it", "src/serve/keeper.c",
                  "        keeper->has_given_up = true;\n        return;", "        tcsi_keep_batch_clear(&keeper->batch);\n        return;"),
    "unsuperseded": ("of an episode that changed twice at once the first document is kept", "src/serve/keep_batch.c",
                     "if (*latest) batch->items[*latest - 1].episode.is_superseded = true;",
                     "if (*latest) batch->items[batch->count].episode.is_superseded = true;"),
    "dead-store": ("a store that fails is given up", "src/serve/keeper.c",
                   "const bool goes_on = !keeper->is_stopping;", "keeper->is_stopping = true;\n    const bool goes_on = false;"),
}


def run(command, **more):
    return subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, **more)


def prepare(root, folder):
    """A copy of the source that shares nothing with it, and a build of it."""
    source = folder / "source"
    build = source / "build"  # as people have it, so that a compiler cache knows what is unchanged
    if not source.exists():
        shutil.copytree(root, source, ignore=shutil.ignore_patterns("build*", ".git", "corpus"))
        made = run(["meson", "setup", str(build), str(source)])
        assert made.returncode == 0, made.stdout[-2000:]
    return source, build


def find(source, build, bug):
    _, name, text, instead = bug
    path = source / name
    whole = path.read_text(encoding="utf-8")
    assert whole.count(text) == 1, f"{name}: {whole.count(text)} times {text!r}"
    path.write_text(whole.replace(text, instead), encoding="utf-8")
    try:
        made = run(["ninja", "-C", str(build), "-j2", "tests/simulation/simulation"])
        assert made.returncode == 0, made.stdout[-3000:]
        begin = time.monotonic()
        done = run([str(build / "tests/simulation/simulation"), "--count", str(COUNT), "--first"], timeout=400)
        seconds = time.monotonic() - begin
    finally:
        path.write_text(whole, encoding="utf-8")
    seed = re.search(r"seed (\d+): (.*)", done.stdout) or re.search(r"again: simulation --seed (\d+)()", done.stdout)
    return (int(seed[1]), seed[2][:90] or "stopped by itself", seconds) if seed and done.returncode else (None, "not found", seconds)


def main():
    root, folder = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()
    folder.mkdir(exist_ok=True)
    source, build = prepare(root, folder)
    missed = 0
    for name in sys.argv[3:] or BUGS:
        try:
            number, words, seconds = find(source, build, BUGS[name])
        except (AssertionError, subprocess.TimeoutExpired) as error:
            number, words, seconds = None, f"not tried: {str(error)[:200]}", 0
        missed += number is None
        print(f"| {BUGS[name][0]} | {number or '-'} | {words} | {seconds:.1f} s |", flush=True)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
