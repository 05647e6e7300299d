#!/usr/bin/env python3
"""How `tocsin serve` lives on a machine: under a service manager, as another user, asked whether it is ready, told to read again and to
end while rows come; and what is packaged for that.

usage: life_test.py TOCSIN SOURCE_ROOT BUILD_ROOT        Prints TAP.
"""
import json
import os
import pathlib
import pwd
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

from support import Suite, clean_environment, folder, free_port, wait_for

TOCSIN, SOURCE, BUILD = os.path.abspath(sys.argv[1]), pathlib.Path(sys.argv[2]).resolve(), pathlib.Path(sys.argv[3]).resolve()


def start(top, *more, log="errors.txt", **environment):
    """The process and its address, once it answers."""
    with open(top / log, "ab") as errors:
        process = subprocess.Popen([TOCSIN, "serve", "--data", str(top / "data"), *more], stdout=subprocess.PIPE, stderr=errors,
                                   stdin=subprocess.DEVNULL, text=True, env=clean_environment(**environment))
    line = process.stdout.readline()
    assert line.startswith("listening on "), line + (top / log).read_text(encoding="utf-8")
    return process, line.split()[-1]


def end(process, how=signal.SIGTERM):
    if process.poll() is None:
        process.send_signal(how)
    process.wait(30)
    process.stdout.close()
    return process.returncode


def ask(url, token=None, context=None):
    request = urllib.request.Request(url, headers={"Authorization": "Bearer " + token} if token else {})
    try:
        with urllib.request.urlopen(request, timeout=10, context=context) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def under_a_manager():
    """READY=1 when it answers and not before, WATCHDOG=1 each second, STOPPING=1 when told to end; a socket that is full stops nothing."""
    with folder() as top, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(top / "notify"))
        manager.settimeout(10)
        process, url = start(top, "--listen", "127.0.0.1:0", NOTIFY_SOCKET=str(top / "notify"))
        try:
            heard = []
            while heard.count("WATCHDOG=1") < 2 or "READY=1" not in heard:
                heard.append(manager.recv(4096).decode())
            assert ask(url + "/readyz")[0] == 200
            process.send_signal(signal.SIGTERM)
            while "STOPPING=1" not in heard:
                heard.append(manager.recv(4096).decode())
            assert end(process) == 0 and heard.count("READY=1") == 1, heard
        finally:
            end(process, signal.SIGKILL)
    with folder() as top, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        name = f"\0tocsin-life-{os.getpid()}"  # a name that is no file, and nobody who reads
        manager.bind(name)
        process, url = start(top, "--listen", "127.0.0.1:0", NOTIFY_SOCKET="@" + name[1:])
        assert manager.recv(4096) in (b"READY=1", b"WATCHDOG=1")
        assert ask(url + "/readyz")[0] == 200 and end(process) == 0


def is_asked_whether_ready():
    with folder() as top:
        process, url = start(top, "--listen", "127.0.0.1:0")
        try:
            for address in (url, url + "/", url + "/readyz"):
                outcome = subprocess.run([TOCSIN, "serve", "--check", address], capture_output=True, text=True, timeout=20)
                assert outcome.returncode == 0 and json.loads(outcome.stdout)["ready"] is True, outcome
        finally:
            assert end(process) == 0
        outcome = subprocess.run([TOCSIN, "serve", "--check", url], capture_output=True, text=True, timeout=20)
        assert outcome.returncode == 1 and not outcome.stdout, outcome


def status_of(process):
    text = pathlib.Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8")
    return dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)


def becomes_another_user():
    """Root becomes the user before anything is opened, in every thread; what it makes is that user's and nobody else's."""
    account = pwd.getpwnam("nobody")
    with folder() as top:
        os.chmod(top, 0o755)
        shutil.copy(TOCSIN, top / "tocsin")  # where that user may look
        process, url = start(top, "--listen", "127.0.0.1:0", "--user", "nobody")
        try:
            for task in pathlib.Path(f"/proc/{process.pid}/task").iterdir():
                lines = (task / "status").read_text(encoding="utf-8")
                assert re.search(rf"^Uid:\t{account.pw_uid}\t{account.pw_uid}\t{account.pw_uid}\t", lines, re.M), lines
                assert re.search(rf"^Gid:\t{account.pw_gid}\t", lines, re.M) and re.search(r"^CapEff:\t0+$", lines, re.M), lines
                groups = [int(g) for g in re.search(r"^Groups:\t(.*)$", lines, re.M)[1].split()]
                assert groups == [account.pw_gid], lines
                assert re.search(r"^NoNewPrivs:\t1$", lines, re.M), lines
            assert ask(url + "/readyz")[0] == 200
            for path in [top / "data", *(top / "data").rglob("*")]:
                facts = path.stat()
                assert facts.st_uid == account.pw_uid and facts.st_mode & 0o027 == 0, (path, oct(facts.st_mode))
        finally:
            assert end(process) == 0
    for user, words in [("no-such-user", "no user 'no-such-user'")]:
        outcome = subprocess.run([TOCSIN, "serve", "--user", user, "--data", "/nowhere"], capture_output=True, text=True, timeout=20)
        assert outcome.returncode == 2 and words in outcome.stderr, outcome


def root_is_not_reached():
    """As root nothing but this host is listened to, unless it was said so."""
    reached = ["--tokens", "/none", "--certificate", "/none", "--key", "/none"]
    outcome = subprocess.run([TOCSIN, "serve", "--listen", "0.0.0.0:0", "--data", "/nowhere", *reached], capture_output=True, text=True,
                             timeout=20)
    assert outcome.returncode == 2 and "--user NAME" in outcome.stderr, outcome
    with folder() as top:
        outcome = subprocess.run([TOCSIN, "serve", "--listen", "0.0.0.0:0", "--user", "root", "--data", str(top / "data")], text=True,
                                 capture_output=True, timeout=20)
        assert outcome.returncode != 0 and "certificate" in outcome.stderr, outcome  # the next thing that it asks for


def certificate(top, name):
    outcome = subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                              "-subj", f"/CN={name}", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", str(top / "key.pem"),
                              "-out", str(top / "certificate.pem")], capture_output=True, timeout=30, check=False)
    assert outcome.returncode == 0, outcome.stderr


def make_token(top, name, role):
    made = subprocess.run([TOCSIN, "token", "--file", str(top / "tokens"), "--name", name, "--role", role], capture_output=True, text=True,
                          timeout=30, check=True)
    return made.stdout.strip()


def over_tls():
    """Beyond this host only with certificate and tokens; both are read again while rows come, and nobody is cut off."""
    with folder() as top:
        certificate(top, "one")
        token = make_token(top, "sender", "operator")
        tls = ["--certificate", str(top / "certificate.pem"), "--key", str(top / "key.pem")]
        for lacking in ([], tls, ["--tokens", str(top / "tokens")]):
            outcome = subprocess.run([TOCSIN, "serve", "--listen", "0.0.0.0:0", "--user", "root", "--data", str(top / "data"), *lacking],
                                     capture_output=True, text=True, timeout=20)
            assert outcome.returncode != 0 and ("certificate" in outcome.stderr or "token" in outcome.stderr), outcome
        process, url = start(top, "--listen", "0.0.0.0:0", "--user", "root", "--tokens", str(top / "tokens"), *tls)
        url = url.replace("0.0.0.0", "127.0.0.1")
        try:
            assert url.startswith("https://"), url
            trust = ssl.create_default_context(cafile=str(top / "certificate.pem"))
            assert ask(url + "/readyz", None, trust)[0] == 200
            assert ask(url + "/api/v1/status", None, trust)[0] == 401 and ask(url + "/api/v1/status", token, trust)[0] == 200
            assert ask(url + "/api/v1/status", token[:-1] + ("a" if token[-1] != "a" else "b"), trust)[0] == 401
            try:
                ask(url + "/readyz", None, ssl.create_default_context())
                raise AssertionError("a certificate that nobody vouches for was taken")
            except urllib.error.URLError as error:
                assert "CERTIFICATE_VERIFY_FAILED" in str(error), error
            with socket.create_connection(("127.0.0.1", int(url.rsplit(":", 1)[1])), timeout=10) as plain:
                plain.sendall(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n")
                assert not plain.recv(4096).startswith(b"HTTP/1.1 2")
            for version, is_spoken in (("-tls1_1", False), ("-tls1_2", True), ("-tls1_3", True)):
                tried = subprocess.run(["openssl", "s_client", "-connect", url.removeprefix("https://"), version, "-cipher",
                                        "ALL:@SECLEVEL=0"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20, check=False)
                assert ("Cipher is (NONE)" not in tried.stdout) == is_spoken, (version, tried)
            assert status_of(process)["NoNewPrivs"] == "1"
            limits = pathlib.Path(f"/proc/{process.pid}/limits").read_text(encoding="utf-8")
            assert re.search(r"^Max core file size +0 +0 ", limits, re.M), limits  # it holds secrets
            certificate(top, "two")
            second = make_token(top, "second", "viewer")
            process.send_signal(signal.SIGHUP)
            newer = ssl.create_default_context(cafile=str(top / "certificate.pem"))
            wait_for("both are read again", lambda: ask(url + "/api/v1/status", second, newer)[0], lambda status: status == 200)
            assert ask(url + "/api/v1/status", token, newer)[0] == 200
            (top / "key.pem").write_text("no key")
            process.send_signal(signal.SIGHUP)
            wait_for("it says so", lambda: (top / "errors.txt").read_text(encoding="utf-8"), lambda text: "SERVE-RELOAD-FAILED" in text)
            assert ask(url + "/api/v1/status", token, newer)[0] == 200, "what was there is gone"
        finally:
            assert end(process) == 0


class Senders:
    """Threads that send rows until they are told to stop, and remember what was acknowledged."""

    def __init__(self, url, count=4):
        self.url, self.acknowledged, self.failures, self.is_over = url, [0] * count, [], False
        self.threads = [threading.Thread(target=self.send, args=(i,)) for i in range(count)]
        self.begin = int(time.time()) - 3600
        for thread in self.threads:
            thread.start()

    def send(self, number):
        for step in range(100000):
            if self.is_over:
                return
            body = "".join(json.dumps({"series": f's{{sender="{number}",unit="{i}"}}', "time": self.begin + step * 0.1, "value": i}) + "\n"
                           for i in range(20))
            request = urllib.request.Request(self.url + "/api/v1/rows", body.encode(), {"Content-Type": "application/x-ndjson"})
            try:
                with urllib.request.urlopen(request, timeout=20) as answer:
                    assert answer.status in (200, 204)
                    self.acknowledged[number] += 20
            except (OSError, urllib.error.HTTPError) as error:
                self.failures.append(getattr(error, "code", str(error)))
                time.sleep(0.01)

    def stop(self):
        self.is_over = True
        for thread in self.threads:
            thread.join(30)
        return sum(self.acknowledged)


def told_under_load():
    """SIGHUP again and again cuts nobody off; SIGTERM finishes what has begun: what was acknowledged is there, once, and nothing else."""
    with folder() as top:
        port = free_port()
        process, url = start(top, "--listen", f"127.0.0.1:{port}")
        senders = Senders(url)
        try:
            for _ in range(20):
                time.sleep(0.05)
                process.send_signal(signal.SIGHUP)
            wait_for("rows are acknowledged", lambda: sum(senders.acknowledged), lambda count: count > 1000)
            assert not senders.failures, senders.failures[:5]
            process.send_signal(signal.SIGTERM)
            assert end(process) == 0
        finally:
            acknowledged = senders.stop()
            end(process, signal.SIGKILL)
        assert set(f for f in senders.failures if isinstance(f, int)) <= {503}, senders.failures[:5]
        process, url = start(top, "--listen", f"127.0.0.1:{port}")
        try:
            status = json.loads(ask(url + "/api/v1/status")[1])
            # Four may have been acknowledged by words that never came: the connection ended with the process.
            assert acknowledged <= status["samples"]["accepted"] <= acknowledged + 4 * 20, (acknowledged, status["samples"])
            assert status["samples"]["duplicate"] == 0, status["samples"]
        finally:
            assert end(process) == 0


def the_unit():
    """The unit file is sound, as far as systemd can say without running it, and shuts out what the service does not need."""
    with folder() as top:
        for name in ("tocsin.service", "network.conf"):
            text = (BUILD / "packaging" / name).read_text(encoding="utf-8")
            assert "@" not in re.sub(r"@(system-service|privileged|resources)\b", "", text), text
            command = re.search(r"^ExecStart=(\S+)", text, re.M)[1]
            (top / name).write_text(text.replace(command, TOCSIN).replace("man:tocsin(1)", "https://example.org/tocsin"))
        alone = subprocess.run(["systemd-analyze", "verify", "--man=no", str(top / "tocsin.service")], capture_output=True, text=True,
                               timeout=30, check=False)
        assert alone.returncode == 0 and "tocsin.service" not in alone.stderr, alone
        # With the drop-in, as it is for those who are reached from elsewhere.
        (top / "tocsin.service.d").mkdir()
        (top / "network.conf").rename(top / "tocsin.service.d/network.conf")
        reached = subprocess.run(["systemd-analyze", "verify", "--man=no", str(top / "tocsin.service")], capture_output=True, text=True,
                                 timeout=30, check=False)
        assert reached.returncode == 0 and "tocsin.service" not in reached.stderr, reached
        measured = subprocess.run(["systemd-analyze", "security", "--offline=true", "--threshold=15", str(top / "tocsin.service")],
                                  capture_output=True, text=True, timeout=30, check=False)
        assert measured.returncode == 0, measured.stdout[-400:]  # 1.5 of 10 at most


def the_options_of_the_unit():
    """Every flag that is packaged is one that there is."""
    known = subprocess.run([TOCSIN, "serve", "--help"], capture_output=True, text=True, timeout=20, check=True).stdout
    for path in [SOURCE / "packaging/systemd/tocsin.service", SOURCE / "packaging/systemd/network.conf",
                 SOURCE / "packaging/container/Containerfile"]:
        text = path.read_text(encoding="utf-8")
        commands = re.findall(r'(?:ExecStart=\S+|tocsin"?,) *"?serve(.*(?:\\\n.*)*)', text)
        flags = [flag for command in commands for flag in re.findall(r"--[a-z-]+", command)]
        assert flags and all(re.search(rf"{flag}\b", known) for flag in flags), (path, flags)


def instructions(text):
    joined = re.sub(r"\\\n\s*", "", re.sub(r"^\s*#.*\n", "", text, flags=re.M))
    return [line.split(None, 1) for line in joined.splitlines() if line.strip()]


def the_container_file():
    """There may be no container runtime: the file is read as one would, and its build steps are run in a folder."""
    found = instructions((SOURCE / "packaging/container/Containerfile").read_text(encoding="utf-8"))
    words = [word for word, _ in found]
    assert words[0] == "FROM" and words.count("FROM") == 2 and words.index("USER") > len(words) - words[::-1].index("FROM"), words
    by_word = dict(found)
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", by_word["USER"]), by_word["USER"]
    for word in ("ENTRYPOINT",):
        assert isinstance(json.loads(by_word[word]), list)
    assert json.loads(re.search(r"CMD (\[.*\])", by_word["HEALTHCHECK"])[1])[:3] == ["/usr/bin/tocsin", "serve", "--check"]
    with open(SOURCE / "packages.txt", encoding="utf-8") as lines:
        known = {line.strip() for line in lines} | {"ca-certificates"}
    install = next(body for word, body in found if word == "RUN" and "apt-get install" in body)
    packages = re.search(r"--no-install-recommends (.*?) +&&", install)[1].split()
    assert set(packages) <= known, set(packages) - known
    tests_and_benchmarks = {"libcmocka-dev", "libclang-rt-14-dev", "libopenblas-dev", "libdnnl-dev"}
    assert {p for p in known if p.endswith("-dev")} - tests_and_benchmarks <= set(packages), packages


def the_steps_of_the_container():
    """What RUN does after the packages, with other folders; the result runs as a user of its own on a root that it cannot write to."""
    found = instructions((SOURCE / "packaging/container/Containerfile").read_text(encoding="utf-8"))
    step = next(body for word, body in found if word == "RUN" and "meson setup" in body)
    with folder() as top:
        os.chmod(top, 0o755)
        for old, new in ((" /build", f" {top}/build"), (" /source", f" {SOURCE}"), (" /out", f" {top}/out")):
            step = step.replace(old, new)
        outcome = subprocess.run(["sh", "-euc", step], capture_output=True, text=True, timeout=900, check=False)
        assert outcome.returncode == 0, (outcome.stdout + outcome.stderr)[-2000:]
        binary, data = top / "out/usr/bin/tocsin", top / "out/var/lib/tocsin"
        assert data.stat().st_uid == 65532 and data.stat().st_mode & 0o777 == 0o750
        port = free_port()
        with subprocess.Popen([binary, "serve", "--data", data, "--listen", f"127.0.0.1:{port}"], user=65532, group=65532, extra_groups=[],
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=clean_environment(), cwd="/") as process:
            try:
                assert process.stdout.readline().startswith("listening on ")
                checked = subprocess.run([binary, "serve", "--check", f"http://127.0.0.1:{port}"], capture_output=True, timeout=20)
                assert checked.returncode == 0, checked
            finally:
                process.terminate()
                assert process.wait(30) == 0


def main():
    suite = Suite()
    is_root = os.getuid() == 0
    suite.run("under a service manager: ready, alive, ending", under_a_manager)
    suite.run("asked whether it is ready", is_asked_whether_ready)
    suite.run("signals under load: nothing acknowledged is lost, nothing is there twice", told_under_load)
    for name, case, is_possible, reason in (
            ("root becomes another user", becomes_another_user, is_root, "needs root"),
            ("root is not reached from elsewhere", root_is_not_reached, is_root, "needs root"),
            ("TLS, tokens, and both read again", over_tls, is_root and shutil.which("openssl"), "needs root and openssl"),
            ("the systemd unit", the_unit, shutil.which("systemd-analyze"), "systemd-analyze is not installed")):
        if is_possible:
            suite.run(name, case)
        else:
            suite.skip(name, reason)
    suite.run("the flags that are packaged", the_options_of_the_unit)
    suite.run("the container file, read", the_container_file)
    if os.environ.get("TOCSIN_SLOW_TESTS"):
        suite.run("the container file, its build steps", the_steps_of_the_container)
    else:
        suite.skip("the container file, its build steps", "minutes: make check-bad-days")
    suite.finish()


main()
