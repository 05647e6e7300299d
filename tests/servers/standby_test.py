#!/usr/bin/env python3
"""Two services on one PostgreSQL that this test starts itself: one leads, the other takes over, and what was acknowledged is there once.

usage: standby_test.py TOCSIN        Prints TAP; skips when no server is installed.
"""
import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

from postgresql_test import find_server
import support
from support import Suite, folder, free_port, process, wait_for

TOCSIN = os.path.abspath(sys.argv[1])
LEASE = 3  # seconds, for which a loaded machine may leave a leader aside


class Database:
    """A PostgreSQL on a unix socket in its folder, durable as it is by default; can be ended and begun again."""

    def __init__(self, top):
        self.binaries, self.top = find_server(), top
        self.user = "postgres" if os.getuid() == 0 else None
        extra = {"user": self.user, "group": self.user, "extra_groups": []} if self.user else {}
        subprocess.run([self.binaries / "initdb", "-D", top / "data", "-U", "postgres", "--auth=trust", "--no-sync", "-E", "UTF8",
                        "--locale=C.UTF-8"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=top, timeout=50, **extra)
        self.url = f"postgresql://postgres@/postgres?host={top}"
        self.running = None
        self.begin()

    def begin(self):
        self.running = contextlib.ExitStack()
        self.child = self.running.enter_context(process([self.binaries / "postgres", "-D", self.top / "data", "-k", self.top, "-c",
                                                         "listen_addresses=", "-c", "shared_buffers=16MB"], self.top / "log", self.user))
        for _ in range(300):
            if subprocess.run([self.binaries / "pg_isready", "-q", "-h", str(self.top)], check=False).returncode == 0:
                return
            time.sleep(0.1)
        raise AssertionError((self.top / "log").read_text())

    def end(self):
        self.running.close()

    def ask(self, query):
        outcome = subprocess.run([self.binaries / "psql", "-h", str(self.top), "-U", "postgres", "-X", "-q", "-A", "-t", "-c", query],
                                 capture_output=True, text=True, timeout=20, check=True)
        return outcome.stdout.strip()


class Service(support.Service):
    """One that stands by, or leads, at the same address in each of its lives."""

    def __init__(self, database, name, *more, lease=LEASE):
        super().__init__(database.top / name, "--store", database.url, "--standby", "--lease", lease, "--snapshot", "3", *more,
                         listen=f"127.0.0.1:{free_port()}", log=database.top / f"{name}.txt")
        assert self.url, self.words()

    def status(self):
        return self.ask("/api/v1/status")

    def metric(self, name):
        return float(next(line.split()[-1] for line in self.send("/metrics")[1].splitlines() if line.startswith(name + " ")))


@contextlib.contextmanager
def pair(*more, lease=LEASE):
    """One that leads, one that stands by."""
    user = "postgres" if os.getuid() == 0 else None
    with folder(user) as top:
        os.chmod(top, 0o755)
        database = Database(top)
        services = []
        try:
            services.append(Service(database, "one", *more, lease=lease))
            services[0].wait_ready()
            services.append(Service(database, "two", *more, lease=lease))
            yield database, services[0], services[1]
        finally:
            for service in services:
                service.process.send_signal(signal.SIGCONT)
                service.stop(signal.SIGKILL)
            database.end()


def freeze(process):
    """Stops it; the signal reaches one of its threads, and the others only when that one has run."""
    process.send_signal(signal.SIGSTOP)
    for _ in range(1000):
        states = [(task / "stat").read_text().rsplit(")", 1)[1].split()[0] for task in pathlib.Path(f"/proc/{process.pid}/task").iterdir()]
        if set(states) == {"T"}:
            return
        time.sleep(0.01)
    raise AssertionError(states)


class Sender(threading.Thread):
    """Sends rows to whoever takes them, each step until it is acknowledged, as Prometheus does; `others`: where else it may be taken."""

    def __init__(self, urls, number, pause=0.0, spike=None):
        super().__init__(daemon=True)
        self.urls, self.number, self.pause, self.spike = urls, number, pause, spike
        self.begin_s = int(time.time()) - 5000
        self.steps = self.refusals = 0
        self.is_over = False
        self.words = set()
        self.start()

    def body(self, step):
        rows = []
        for unit in range(8):
            value = 100 * unit + ((step * 7919 + unit * 104729) % 1000) / 1000
            if unit == 3 and self.spike and step % self.spike >= self.spike - 8 and step > 400:
                value += 50 * 3 ** (step // self.spike)  # each further out than what the ones before have taught
            rows.append(json.dumps({"series": f's{{sender="{self.number}",unit="{unit}"}}', "time": self.begin_s + step / 50, "value": value}))
        return ("\n".join(rows) + "\n").encode()

    def run(self):
        while not self.is_over:
            for url in self.urls:
                request = urllib.request.Request(url + "/api/v1/rows", self.body(self.steps), {"Content-Type": "application/x-ndjson"})
                try:
                    with urllib.request.urlopen(request, timeout=30):
                        self.steps += 1
                        self.urls = [url] + [u for u in self.urls if u != url]
                        break
                except urllib.error.HTTPError as error:
                    self.refusals += 1
                    self.words.add((error.code, error.headers.get("Retry-After") is not None, error.read().decode()[:200]))
                except OSError:
                    self.refusals += 1
            else:
                time.sleep(0.02)
            time.sleep(self.pause)

    def finish(self):
        self.is_over = True
        self.join(40)
        return self.steps


def counts(service):
    return service.settled()["samples"]


def all_are_there_once(service, senders):
    """Every step acknowledged is in the live series; what was sent twice, as its answer was lost, was seen to be the same."""
    sent = 8 * sum(sender.steps for sender in senders)
    # Whoever stands by has them a moment later, and who leads may change at any time.
    samples = wait_for("all that was acknowledged", lambda: counts(service), lambda found: found["accepted"] >= sent, 20,
                       lambda: f"{sent} were sent; {service.words()[-2000:]}")
    assert samples["accepted"] <= sent + 8 * len(senders), (samples, sent)  # the last of each may have no answer
    return samples


def same_state(one, two):
    """Both say the same of every series; one that starts itself anew is not there for a moment."""
    wait_for("both say the same", lambda: [service.send("/api/v1/series?limit=1000") for service in (one, two)],
             lambda answers: answers[0] == answers[1] and answers[0][0] == 200,
             words=lambda: "\n".join(f"{service.url} (status {service.process.poll()}): {service.words()[-1500:]}" for service in (one, two)))


def stands_by():
    """A standby says so, refuses rows with the leader's address, and knows what the leader knows."""
    with pair() as (database, one, two):
        sender = Sender([one.url], 0)
        time.sleep(2)
        sender.finish()
        code, text = two.send("/readyz")
        assert code == 503 and f"standby: {one.url} leads" in text, text
        request = urllib.request.Request(two.url + "/api/v1/rows", sender.body(0), {"Content-Type": "application/x-ndjson"})
        try:
            urllib.request.urlopen(request, timeout=10)
            raise AssertionError("a standby took rows")
        except urllib.error.HTTPError as error:
            assert error.code == 503 and error.headers["Retry-After"] and one.url in error.read().decode()
        assert one.metric("tocsin_leader") == 1 and two.metric("tocsin_leader") == 0 and one.metric("tocsin_takeovers_total") == 1
        assert sender.steps > 20
        same_state(one, two)
        assert counts(two) == counts(one)
        checked = subprocess.run([TOCSIN, "serve", "--check", two.url], capture_output=True, text=True, timeout=20, check=False)
        assert checked.returncode == 1 and "standby" in checked.stdout, checked
        assert database.ask("select count(*) from tocsin.lease") == "1"


def says_where_it_is_reached():
    """The leader is named by the address it advertises, which need not be one it listens on."""
    with pair("--advertise", "https://plant.example.org:9740") as (_, one, two):
        code, text = wait_for("it names the leader", lambda: two.send("/readyz"), lambda answer: "plant" in answer[1])
        assert code == 503 and "standby: https://plant.example.org:9740 leads" in text and one.is_ready(), text


def killed_under_load():
    """kill -9 of the leader, six times, each time with the killed one coming back as the standby."""
    with pair() as (_, one, two):
        senders = [Sender([one.url, two.url], i) for i in range(4)]
        waits = []
        leader, other = one, two
        for _ in range(6):
            time.sleep(1.2)
            leader.stop(signal.SIGKILL)
            waits.append(other.wait_ready())
            leader.begin()
            leader, other = other, leader
        time.sleep(0.5)
        for sender in senders:
            sender.finish()
        all_are_there_once(leader, senders)
        same_state(leader, other)
        assert other.metric("tocsin_leader") == 0 and leader.metric("tocsin_leader") == 1
        assert {code for sender in senders for code, _, _ in sender.words} <= {503}, [s.words for s in senders]
        assert max(waits) < LEASE + 20, waits
        for service in (one, two):  # a snapshot may end in the middle of a batch: whoever starts from it goes on there
            assert "the journal goes on at record" not in service.words(), service.words()[-3000:]
        print(f"# killed: ready after {', '.join(f'{w:.1f}' for w in waits)} s; lease {LEASE} s; {sum(s.steps for s in senders)} requests", flush=True)


def ended_in_good_order():
    """SIGTERM hands over without waiting for the lease to pass."""
    with pair(lease=30) as (_, one, two):
        senders = [Sender([one.url, two.url], i) for i in range(2)]
        time.sleep(1.5)
        begun = time.monotonic()
        assert one.stop() == 0
        took = time.monotonic() - begun
        waited = two.wait_ready()
        time.sleep(0.5)
        for sender in senders:
            sender.finish()
        all_are_there_once(two, senders)
        assert waited < 20, waited
        print(f"# ended in {took:.1f} s, the other was ready {waited:.2f} s later", flush=True)


def frozen_and_awake_again():
    """A leader that is stopped for longer than its lease writes nothing when it wakes: it refuses, by name, and follows."""
    with pair() as (database, one, two):
        senders = [Sender([one.url, two.url], i) for i in range(4)]
        time.sleep(1.5)
        leader, other = one, two
        for _ in range(2):
            token = int(database.ask("select token from tocsin.lease"))
            freeze(leader.process)
            late = Sender([leader.url], 100)  # goes to the frozen one alone, whatever happens
            other.wait_ready(40)
            for sender in senders:
                assert sender.is_alive()
            time.sleep(1)
            assert int(database.ask("select token from tocsin.lease")) > token
            leader.process.send_signal(signal.SIGCONT)
            time.sleep(1.5)
            late.finish()
            # It may have been taken after waking only if it had stood in a batch before: nothing of it was.
            assert late.steps == 0 and all(code == 503 and has_retry for code, has_retry, _ in late.words), (late.steps, late.words)
            assert leader.metric("tocsin_leader") == 0, leader.words()[-2000:]
            assert other.is_ready()
            leader, other = other, leader
        for sender in senders:
            sender.finish()
        all_are_there_once(leader, senders)
        same_state(leader, other)
        tokens = [int(t) for t in database.ask("select token from tocsin.journal order by first").split()]
        assert tokens == sorted(tokens), "somebody wrote behind his successor"


def the_database_restarts():
    """PostgreSQL ended and begun again under load, for less than the lease and for more: rows wait or are refused, and none is lost."""
    with pair() as (database, one, two):
        senders = [Sender([one.url, two.url], i) for i in range(3)]
        for away in (0.2, LEASE + 1.5):
            time.sleep(1)
            database.end()
            time.sleep(away)
            if away > LEASE:
                assert not one.is_ready() and not two.is_ready()
            database.begin()
            begun = time.monotonic()
            wait_for("one leads", lambda: one.is_ready() or two.is_ready(), words=lambda: one.words()[-2000:])
            print(f"# the server was away for {away:.1f} s; a leader was ready {time.monotonic() - begun:.1f} s after it was back", flush=True)
        time.sleep(1)
        for sender in senders:
            sender.finish()
        leader, other = (one, two) if one.is_ready() else (two, one)
        all_are_there_once(leader, senders)
        same_state(leader, other)


def connections_are_cut():
    """Every connection is ended by the server again and again, commits among them; nobody loses anything, nothing is there twice."""
    with pair() as (database, one, two):
        senders = [Sender([one.url, two.url], i) for i in range(3)]
        for _ in range(25):
            time.sleep(0.12)
            database.ask("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'tocsin'")
        time.sleep(1)
        for sender in senders:
            sender.finish()
        leader, other = (one, two) if one.is_ready() else (two, one)
        leader.wait_ready()
        all_are_there_once(leader, senders)
        same_state(leader, other)
        assert int(database.ask("select count(*) from (select first, lag(last) over (order by first) as before from tocsin.journal) j "
                                "where before is not null and first <> before + 1")) == 0


def episodes_are_kept_once():
    """What happened while leaders were killed is in the store, as a single one that was never killed would have it."""
    budget = ("--alarm-budget", "1000/day")  # so many that every spike is within, before the first tick and behind each
    with pair(*budget) as (database, one, two):
        sender = Sender([one.url, two.url], 0, pause=0.008, spike=150)
        leader, other = one, two
        while sender.steps < 1500:
            time.sleep(1.5)
            leader.stop(signal.SIGKILL)
            other.wait_ready()
            leader.begin()
            leader, other = other, leader
        sender.finish()
        counts(leader)
        time.sleep(1.5)
        kept = leader.ask("/api/v1/episodes?kind=anomaly&limit=1000")["episodes"]
        assert len({e["id"] for e in kept}) == len(kept), kept
        with folder() as top:
            alone = support.Service(top / "data", *budget)
            try:
                for step in range(sender.steps):
                    assert alone.send("/api/v1/rows", sender.body(step), "application/x-ndjson")[0] == 204
                alone.settled()
                time.sleep(1.5)
                expected = alone.ask("/api/v1/episodes?kind=anomaly&limit=1000")["episodes"]
            finally:
                alone.stop(signal.SIGKILL)

        def spikes(episodes):
            return {e["begin"] for e in episodes if 'unit="3"' in e["series"] and e["value"] > 1000 and e["state"] == "resolved"}
        assert spikes(kept) == spikes(expected) and len(spikes(kept)) >= 5, (spikes(kept), spikes(expected))


def what_was_not_kept_is_kept_by_the_other():
    """Rows are in the journal, and their episode in nobody's store, when the leader is killed: the other one keeps it, since it held it."""
    with pair() as (database, one, two):
        sender = Sender([one.url], 0)
        while sender.steps < 450:
            time.sleep(0.02)
        sender.finish()
        counts(one)
        same_state(one, two)
        # Whoever changes the store takes this lock; a batch of the journal does not need it.
        with subprocess.Popen([database.binaries / "psql", "-h", str(database.top), "-U", "postgres", "-X", "-q", "-A", "-t"],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
            other.stdin.write("select pg_advisory_lock(7453010123);\n\\echo locked\n")
            other.stdin.flush()
            while other.stdout.readline().strip() != "locked":
                pass
            before = int(database.ask("select count(*) from tocsin.record where kind = 1"))
            body = "".join(json.dumps({"series": 's{sender="0",unit="3"}', "time": sender.begin_s + sender.steps + i, "value": 5000}) + "\n"
                           for i in range(6))
            assert one.send("/api/v1/rows", body, "application/x-ndjson")[0] == 204
            time.sleep(0.5)  # the other one reads it, and would have let go of it
            one.stop(signal.SIGKILL)
            assert int(database.ask("select count(*) from tocsin.record where kind = 1")) == before
            other.stdin.close()
        two.wait_ready()
        found = two.wait("/api/v1/episodes?kind=anomaly", lambda a: any(e["value"] == 5000 for e in a["episodes"]))["episodes"]
        assert sum(e["value"] == 5000 for e in found) == 1, found


def old_batches_go():
    """Batches before the oldest snapshot are removed, and a standby that was away for longer starts anew by itself."""
    with pair() as (database, one, two):
        freeze(two.process)
        seen = int(database.ask("select max(last) from tocsin.journal"))
        sender = Sender([one.url], 0)
        wait_for("batches go", lambda: int(database.ask("select coalesce(min(first), 0) from tocsin.journal")),
                 lambda first: first > seen + 1, 120, lambda: one.words()[-2000:])
        two.process.send_signal(signal.SIGCONT)
        time.sleep(3)
        sender.finish()
        assert two.process.poll() is None, two.words()[-2000:]
        same_state(one, two)
        one.stop(signal.SIGKILL)
        two.wait_ready()
        all_are_there_once(two, [sender])


def a_new_start_waits():
    """One that starts itself anew while PostgreSQL is away goes on when it is back; and can be told to end meanwhile."""
    with pair() as (database, one, two):
        sender = Sender([one.url, two.url], 0)
        wait_for("rows", lambda: sender.steps, lambda steps: steps > 50)
        sender.finish()
        database.end()
        two.process.send_signal(signal.SIGUSR1)
        wait_for("tries", two.words, lambda words: words.count("SERVE-START-FAILED") >= 2)
        database.begin()
        wait_for("a leader", lambda: one.is_ready() or two.is_ready(), bool, 60, lambda: one.words()[-2000:] + two.words()[-2000:])
        same_state(one, two)
        all_are_there_once(two, [sender])
        database.end()
        failures = two.words().count("SERVE-START-FAILED")
        two.process.send_signal(signal.SIGUSR1)
        wait_for("tries", two.words, lambda words: words.count("SERVE-START-FAILED") > failures)
        assert two.stop() == 1
        database.begin()


def what_is_refused():
    with folder() as top:
        outcome = subprocess.run([TOCSIN, "serve", "--standby", "--data", str(top / "data"), "--listen", "127.0.0.1:0"], capture_output=True,
                                 text=True, timeout=20, check=False)
        assert outcome.returncode == 2 and "expected postgresql://" in outcome.stderr, outcome
    user = "postgres" if os.getuid() == 0 else None
    with folder(user) as top:
        database = Database(top)
        try:  # alone at first, and killed: its folder has rows that the store has not
            alone = support.Service(top / "one", "--store", database.url)
            for number, how in enumerate((signal.SIGKILL, signal.SIGTERM)):
                sender = Sender([alone.url], number)
                while sender.steps < 10:
                    time.sleep(0.05)
                sender.finish()
                alone.stop(how)
                if how == signal.SIGKILL:
                    outcome = subprocess.run(alone.arguments + ["--standby"], capture_output=True, text=True, timeout=60, check=False)
                    assert outcome.returncode == 2 and "once without a standby" in outcome.stderr, outcome
                    alone.begin()
            service = Service(database, "one")
            service.wait_ready()
            assert service.status()["samples"]["accepted"] >= 160 and service.stop() == 0
        finally:
            database.end()


def what_is_watched_is_kept_by_one():
    """By who leads, each second here; the other shows the same, goes on with it, and who led before keeps nothing more."""
    with pair("--watch", "1", "--snapshot", "300") as (database, one, two):
        def looks():
            return int(database.ask("select coalesce(sum((document::json->'missing'->>'count')::int), 0) from tocsin.record where kind = 10"))

        def looks_of(seconds):
            before, begin = looks(), time.monotonic()
            time.sleep(seconds)
            after = looks()
            assert after > before and after - before <= time.monotonic() - begin + 1.5, (before, after, time.monotonic() - begin)
        sender = Sender([one.url, two.url], 0)
        wait_for("something is kept", looks)
        looks_of(4)
        assert two.ask("/api/v1/watch/history?days=1")["time"] == one.ask("/api/v1/watch/history?days=1")["time"]
        freeze(one.process)
        two.wait_ready(40)
        before = looks()
        wait_for("the other goes on with it", looks, lambda count: count > before)
        one.process.send_signal(signal.SIGCONT)
        wait_for("it leads no more", lambda: one.metric("tocsin_leader"), lambda leads: leads == 0)
        looks_of(10)
        sender.finish()


def main():
    suite = Suite()
    cases = [("one leads, the other stands by", stands_by), ("a leader is named by the address it advertises", says_where_it_is_reached),
             ("the leader is killed under load", killed_under_load),
             ("the leader is ended in good order", ended_in_good_order), ("the leader is frozen, and wakes", frozen_and_awake_again),
             ("PostgreSQL is restarted", the_database_restarts), ("connections are cut", connections_are_cut),
             ("episodes are kept once", episodes_are_kept_once), ("what the leader had not kept", what_was_not_kept_is_kept_by_the_other),
             ("old batches go, and whoever was away starts anew", old_batches_go),
             ("a new start waits for the server", a_new_start_waits),
             ("what is watched is kept by one", what_is_watched_is_kept_by_one),
             ("what is refused", what_is_refused)]
    for name, case in cases:
        if find_server():
            suite.run(name, case)
        else:
            suite.skip(name, "no PostgreSQL server is installed")
    suite.finish()


if __name__ == "__main__":
    main()
