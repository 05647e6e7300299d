#!/usr/bin/env python3
"""Our own HTTP server under clients of every kind: all routes with all roles, malformed and hostile bytes, clients that are slow or many,
TLS, tokens, events, an end under load.  The clients are Python's standard library and plain sockets, nothing of ours.

usage: serve_test.py PATH_TO_SERVE_PROGRAM BUILD_FOLDER        Prints TAP.
"""
import contextlib
import http.client
import json
import pathlib
import re
import resource
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time
import warnings

from support import Suite, clean_environment, folder, free_port, process

PROGRAM, BUILD = sys.argv[1], pathlib.Path(sys.argv[2])
ROLES = ["none", "viewer", "analyst", "operator", "admin"]
SAFE = {"none": None}  # role: token, filled once


class Server:
    """One serve_program; options as keywords, "_" for "-"."""

    def __init__(self, **options):
        arguments = [PROGRAM] + [text for name, value in options.items() for text in ("--" + name.replace("_", "-"), str(value))]
        self.child = subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8",
                                      errors="replace", env=clean_environment(), bufsize=1)
        self.log = []
        threading.Thread(target=lambda: self.log.extend(self.child.stderr), daemon=True).start()
        self.first = self.child.stdout.readline().strip()
        self.port = int(self.first.split()[1]) if self.first.startswith("port ") else None
        self.tls = None

    def tell(self, line):
        self.child.stdin.write(line + "\n")
        self.child.stdin.flush()
        return self.child.stdout.readline().strip()

    def connect(self, timeout=60):
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=timeout)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self.tls.wrap_socket(plain, server_hostname="localhost") if self.tls else plain

    def ask(self, method, path, body=None, headers=None, token=None, timeout=60):
        """(status, headers, body)"""
        headers = dict(headers or {})
        if token:
            headers["Authorization"] = "Bearer " + token
        client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        if self.tls:
            client.sock = self.connect(timeout)
        try:
            client.request(method, path, body=body, headers=headers)
            answer = client.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            client.close()

    def metric(self, name, token=None):
        text = self.ask("GET", "/metrics", token=token)[2].decode()
        found = re.findall(rf"^{re.escape(name)} (\S+)$", text, re.M)
        return float(found[0]) if found else None

    def close(self):
        if self.child.poll() is None:
            try:
                self.child.stdin.write("quit\n")
                self.child.stdin.flush()
            except OSError:
                pass
        rest = ""
        try:
            self.child.stdin.close()
            rest = self.child.stdout.read()
            self.child.wait(20)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
            raise AssertionError("the server does not end") from None
        time.sleep(0.05)
        said = "".join(self.log)
        assert "Sanitizer" not in said and "internal error" not in said, said[-3000:]
        assert self.child.returncode == 0 or self.port is None, (self.child.returncode, said[-2000:])
        return rest


@contextlib.contextmanager
def server(**options):
    one = Server(**options)
    try:
        assert one.port, one.first
        yield one
    except BaseException:
        with contextlib.suppress(Exception):
            one.close()
        raise
    one.close()


def read_answer(stream):
    """One response of a raw socket's file: (status, headers, body), or None at the end."""
    line = stream.readline()
    if not line:
        return None
    status, headers = int(line.split()[1]), {}
    while (line := stream.readline()) not in (b"\r\n", b""):
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.strip().lower()] = value.strip()
    if headers.get("transfer-encoding") == "chunked":
        body = b""
        while (size := int(stream.readline(), 16)):
            body += stream.read(size)
            stream.readline()
        stream.readline()
    else:
        body = stream.read(int(headers.get("content-length", 0)))
    return status, headers, body


def raw(one, data, pieces=1, pause=0.0, timeout=30):
    """Everything that comes back on one connection, as a list of answers; the connection is closed by the server or after them."""
    with one.connect(timeout) as sock:
        step = max(1, len(data) // pieces)
        try:
            for at in range(0, len(data), step):
                sock.sendall(data[at:at + step])
                if pause:
                    time.sleep(pause)
        except OSError:
            pass  # it may have been refused already
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_WR)
        answers = []
        with sock.makefile("rb") as stream:
            try:
                while (answer := read_answer(stream)):
                    answers.append(answer)
                    sock.settimeout(5)  # for the next one, or the end, which some take their time for
            except (OSError, ValueError, IndexError):
                pass
        return answers


def eventually(holds, seconds=60):
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "still not so"
        time.sleep(0.05)


def problem(answer):
    assert answer[1]["content-type"] == "application/problem+json", answer
    document = json.loads(answer[2])
    assert document["status"] == answer[0] and document["type"].startswith("urn:tocsin:problem:") and len(document["detail"]) > 5, document
    return document["type"].rsplit(":", 1)[1]


# ---- routes, roles, methods ----

def operations(document):
    """(method, a path that can be asked, body or None, headers, least role, operation)"""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            target = path.replace("{id}", "some%2Fthing")
            required = [p for p in operation.get("parameters", []) if p["in"] == "query" and p["required"]]
            if required:
                target += "?" + "&".join(f"{p['name']}={p['schema']['enum'][0]}" for p in required)
            body, headers = None, {}
            if "requestBody" in operation:
                body, headers = b"{}", {"Content-Type": "application/json"}
            yield method.upper(), target, body, headers, operation["x-role"], operation


def routes_and_roles(one):
    document = json.loads(one.ask("GET", "/api/v1/openapi.json", token=SAFE["admin"])[2])
    count = 0
    for method, target, body, headers, least, operation in operations(document):
        if operation["operationId"] == "events":
            continue  # a stream: has a case of its own
        for role in ROLES:
            status, found, answer = one.ask(method, target, body, headers, SAFE[role])
            if status == 429:  # another case has just used up what this caller may
                time.sleep(int(found["Retry-After"]))
                status, found, answer = one.ask(method, target, body, headers, SAFE[role])
            expected = ROLES.index(role) >= ROLES.index(least)
            if expected:
                assert status < 400 or target.startswith("/api/v1/test/fail"), (method, target, role, status, answer)
            else:
                assert status == (401 if role == "none" else 403), (method, target, role, status, answer)
                assert problem((status, {"content-type": found["Content-Type"]}, answer)) in ("token-missing", "role")
                assert (status == 401) == ("WWW-Authenticate" in found)
            assert str(status) in operation["responses"], (target, status)
            count += 1
        status, _, answer = one.ask(method, target, body, headers, SAFE["viewer"][:-1] + ("0" if SAFE["viewer"][-1] != "0" else "1"))
        assert status in ((401, 429) if least != "none" else (200, 400)), (target, status, answer)
        count += 1
    print(f"# {count} combinations of route and role")
    assert count > 80, count


def wrong_methods(one):
    document = json.loads(one.ask("GET", "/api/v1/openapi.json", token=SAFE["admin"])[2])
    for path, methods in document["paths"].items():
        allowed = {m.upper() for m in methods} | {"OPTIONS"} | ({"HEAD"} if "get" in methods else set())
        target = path.replace("{id}", "x")
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND"):
            # the path of a literal may also be one of a parameter, whose methods it then has
            if method in allowed or (method in ("PATCH", "DELETE") and path.endswith("/first")):
                continue
            status, headers, _ = one.ask(method, target, token=SAFE["admin"])
            assert status == 405 and set(headers["Allow"].split(", ")) >= allowed, (method, target, status, headers["Allow"])
        status, headers, body = one.ask("OPTIONS", target)
        assert status == 204 and set(headers["Allow"].split(", ")) >= allowed and not body, (target, status)
    status, headers, body = one.ask("HEAD", "/healthz")
    assert status == 200 and headers["Content-Length"] == "14" and body == b""
    assert one.ask("GET", "/nothing/here")[0] == 404


def paths(one):
    def echo(path):
        status, _, body = one.ask("GET", path, token=SAFE["viewer"])
        return json.loads(body)["id"] if status == 200 else status

    items = "/api/v1/test/items/"
    assert echo(items + "a%2Fb") == "a/b" and echo(items + "%E2%82%AC") == "€" and echo(items + "a+b") == "a+b"
    assert echo("/api/./v1/x/../test//items/q/") == "q" and echo("/api/v1/test/%2e%2E/test/items/q") == "q"
    assert echo(items + "first") is None, "a literal goes before a parameter"
    for bad in ("%", "%2", "%zz", "%00", "%0a", "%ff", "%c0%af", "%ed%a0%80", "%7f"):
        assert echo(items + bad) == 400, bad
    assert echo("/../../etc/passwd") == 400 and echo("/api/../../x") == 400
    assert echo(items + "x" * 9000) == 414 and echo("/a" * 40) == 414
    assert echo(items + "q?" + "&".join(f"match[]={k}" for k in range(60))) == "q"
    assert echo(items + "q?" + "&".join(f"match[]={k}" for k in range(70))) == 414
    for query in ("limit=0", "limit=1001", "limit=1e3", "limit=", "limit=0x10", "limit=99999999999999999999", "limit=5&limit=6",
                  "kind=opened", "limt=5", "=5", "kind=open%7Cclosed", "limit=5%00"):
        assert echo(items + "q?" + query) == 400, query
    assert echo(items + "q?limit=5&kind=open&match[]=a&match[]=b&&") == "q"


# ---- bytes ----

LINE = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"

# name: (bytes, statuses that may come back; 0: the connection may just end)
HOSTILE = {
    "nothing": (b"", {0}),
    "blank lines first": (b"\r\n\r\n" + LINE + b"\r\n", {200}),
    "bare line feeds": (b"GET /healthz HTTP/1.1\nHost: localhost\n\n", {200, 400}),
    "no version": (b"GET /healthz\r\n\r\n", {0, 400, 200}),
    "version 0.9": (b"GET /healthz HTTP/0.9\r\n\r\n", {0, 400, 505, 200}),
    "version 2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", {0, 400, 505, 405}),
    "version 9.9": (b"GET /healthz HTTP/9.9\r\nHost: localhost\r\n\r\n", {0, 400, 505, 200}),
    "no host": (b"GET /healthz HTTP/1.1\r\n\r\n", {400}),
    "two hosts": (LINE + b"Host: evil\r\n\r\n", {400}),
    "garbage": (bytes(range(256)) * 8 + b"\r\n\r\n", {0, 400, 405, 414}),
    "tls hello": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\xaa" * 300, {0, 400}),
    "nul in the path": (b"GET /health\x00z HTTP/1.1\r\nHost: localhost\r\n\r\n", {0, 400, 404}),
    "nul in a field": (LINE + b"X: a\x00b\r\n\r\n", {0, 400, 200}),
    "nul in a name": (LINE + b"X\x00Y: a\r\n\r\n", {0, 400, 200}),
    "raw utf-8": ("GET /häßlich HTTP/1.1\r\nHost: localhost\r\n\r\n".encode(), {400}),
    "blank in the path": (b"GET /health z HTTP/1.1\r\nHost: localhost\r\n\r\n", {0, 400, 404, 505}),
    "fragment": (b"GET /healthz#x HTTP/1.1\r\nHost: localhost\r\n\r\n", {400}),
    "absolute": (b"GET http://localhost/healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", {200}),
    "absolute elsewhere": (b"GET ftp://localhost/healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", {400}),
    "authority": (b"CONNECT localhost:80 HTTP/1.1\r\nHost: localhost\r\n\r\n", {400, 405}),
    "asterisk": (b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n", {204}),
    "asterisk with get": (b"GET * HTTP/1.1\r\nHost: localhost\r\n\r\n", {400}),
    "field without colon": (LINE + b"nonsense\r\n\r\n", {0, 400, 200}),
    "folded field": (LINE + b"X: a\r\n b\r\n\r\n", {0, 200, 400}),
    "blank before colon": (LINE + b"Content-Length : 5\r\n\r\n", {0, 200, 400}),
    "huge field": (LINE + b"X: " + b"a" * 100000 + b"\r\n\r\n", {0, 431, 413, 400}),
    "many fields": (LINE + b"".join(b"X%d: y\r\n" % k for k in range(20000)) + b"\r\n", {0, 431, 413, 400}),
    "huge line": (b"GET /" + b"a" * 100000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", {0, 414, 431, 400}),
    "endless method": (b"A" * 100000, {0, 400, 405, 413, 414, 431}),
    "negative length": (b"POST /api/v1/test/rows HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n", {400, 401, 413}),
    "length of letters": (b"POST /api/v1/test/rows HTTP/1.1\r\nHost: localhost\r\nContent-Length: abc\r\n\r\n", {400, 401, 413}),
    "length beyond 64 bits": (b"POST /api/v1/test/rows HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + b"9" * 30 + b"\r\n\r\n", {400, 401, 413}),
    "two lengths": (b"POST /api/v1/test/rows HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", {400}),
    "length and chunks": (b"POST /api/v1/test/rows HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"
                          b"0\r\n\r\nGET /api/v1/test/none HTTP/1.1\r\nHost: localhost\r\n\r\n", {400}),
    "unknown coding": (b"POST /api/v1/test/rows HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: lolz\r\n\r\nabc", {0, 400, 401, 501}),
    "broken authorization": (b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer a b c\r\n\r\n", {401}),
    "empty authorization": (b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nAuthorization: \r\n\r\n", {401}),
    "basic authorization": (b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic dTpw\r\n\r\n", {401}),
    "two authorizations": (b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer a\r\nAuthorization: Bearer b\r\n\r\n", {400}),
}


def hostile(one, name):
    data, expected = HOSTILE[name]
    for pieces in (1, 7):
        answers = raw(one, data, pieces)
        statuses = [answer[0] for answer in answers]
        assert len(statuses) <= 1 and set(statuses or [0]) <= expected, (name, statuses, answers[:2])
    assert one.ask("GET", "/healthz")[0] == 200


def byte_by_byte(one):
    request = (b"POST /api/v1/test/rows?x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nAuthorization: Bearer " + SAFE["admin"].encode() +
               b"\r\n\r\nhello").replace(b"?x", b"")
    answers = raw(one, request, len(request), 0.001)
    assert [(a[0], a[2]) for a in answers] == [(200, b"hello")], answers


def pipelining(one):
    token = SAFE["admin"].encode()
    ask = b"GET /api/v1/test/items/%d HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + token + b"\r\n\r\n"
    post = b"POST /api/v1/test/rows HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nAuthorization: Bearer " + token + b"\r\n\r\nabc"
    data = b"".join(ask % k + post for k in range(30))
    answers = raw(one, data)
    assert len(answers) == 60 and all(a[0] == 200 for a in answers), [a[0] for a in answers]
    assert [json.loads(a[2])["id"] for a in answers[::2]] == [str(k) for k in range(30)] and {a[2] for a in answers[1::2]} == {b"abc"}


def bodies(one):
    admin = SAFE["admin"]
    rows = "/api/v1/test/rows"
    data = bytes(range(256)) * 8192  # 2 MiB
    assert one.ask("POST", rows, data, token=admin)[2] == data
    assert one.ask("POST", rows, iter([data[:70000], data[70000:]]), token=admin)[2] == data
    status, headers, body = one.ask("POST", rows, iter([data, data, data]), token=admin)
    assert status == 413 and problem((status, {"content-type": headers["Content-Type"]}, body)) == "body-size"
    head = f"POST {rows} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {admin}\r\n".encode()
    begun = time.monotonic()
    answers = raw(one, head + b"Content-Length: 5000000000\r\n\r\nabc")
    assert [a[0] for a in answers] == [413] and time.monotonic() - begun < 20
    with one.connect() as sock:  # who may not is told before he sends
        sock.sendall(f"POST {rows} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\nExpect: 100-continue\r\n\r\n".encode())
        with sock.makefile("rb") as stream:
            assert read_answer(stream)[0] == 401
    with one.connect() as sock:
        sock.sendall(head + b"Content-Length: 3\r\nExpect: 100-continue\r\n\r\n")
        with sock.makefile("rb") as stream:
            assert stream.readline().split()[1] == b"100" and stream.readline() == b"\r\n"
            sock.sendall(b"abc")
            assert read_answer(stream)[2] == b"abc"
    assert one.ask("POST", "/api/v1/test/must", token=admin)[0] == 400
    assert one.ask("PATCH", "/api/v1/test/items/x", b"{}", {"Content-Type": "text/csv"}, admin)[0] == 415
    assert one.ask("PATCH", "/api/v1/test/items/x", b"{}", {"Content-Type": "Application/JSON; charset=utf-8"}, admin)[0] == 200
    assert one.ask("GET", "/healthz", b"surprise")[0] == 413
    for chunk in (b"zz\r\nabc\r\n", b"-1\r\nabc\r\n", b"ffffffffffffffffff\r\nabc\r\n", b"3\r\nabcd\r\n", b"3;x=" + b"y" * 40000 + b"\r\nabc\r\n"):
        answers = raw(one, head + b"Transfer-Encoding: chunked\r\n\r\n" + chunk + b"0\r\n\r\n")
        # 500: the library's own word for a chunk header that does not fit its buffer
        assert all(a[0] in (400, 413, 431, 500) for a in answers) and len(answers) <= 1, (chunk[:30], [a[0] for a in answers])
    answers = raw(one, head + b"Content-Length: 100\r\n\r\nonly this")  # cut off: nobody acts on half a body
    assert not answers or answers[0][0] >= 400, answers
    for cut in (b"5\r\nhello\r\n", b"9\r\nhello", b"5\r\nhello\r\n0\r\n"):
        answers = raw(one, head + b"Transfer-Encoding: chunked\r\n\r\n" + cut)
        assert not answers or answers[0][0] >= 400, (cut, answers)
    # the library may miss an end that comes together with the last bytes: then it is the body's time limit that ends it
    eventually(lambda: one.metric("tocsin_http_body_memory_bytes", admin) == 0, 15)


def answers_are_words(one):
    for kind, status, code in (("invalid", 400, "invalid"), ("limit", 429, "limit"), ("io", 503, "io"), ("unsupported", 501, "unsupported")):
        found, headers, body = one.ask("GET", f"/api/v1/test/fail?kind={kind}")
        assert found == status and problem((found, {"content-type": headers["Content-Type"]}, body)) == code
        assert ("Retry-After" in headers) == (status in (429, 503)) and b"half" not in body
    size = 20_000_000
    assert len(one.ask("GET", f"/api/v1/test/big?size={size}")[2]) == size
    statuses = [one.ask("PUT", "/api/v1/test/rare", token=SAFE["analyst"])[0] for _ in range(6)]
    assert statuses.count(200) in (3, 4) and statuses.count(429) >= 2, statuses


def traces(one):
    parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    answer = json.loads(one.ask("GET", "/api/v1/test/none", headers={"traceparent": parent})[2])
    assert answer["trace_id"] == "4bf92f3577b34da6a3ce929d0e0e4736" and answer["parent_id"] == "00f067aa0ba902b7"
    for bad in ("00-" + "0" * 32 + "-00f067aa0ba902b7-01", "ff" + parent[2:], parent[:-1], parent.upper()):
        answer = json.loads(one.ask("GET", "/api/v1/test/none", headers={"traceparent": bad})[2])
        assert answer["trace_id"] != parent[3:35] and answer["parent_id"] == "" and len(answer["trace_id"]) == 32
    one.ask("GET", "/api/v1/test/none", headers={"traceparent": parent})
    time.sleep(0.2)
    lines = [json.loads(line) for line in one.log]
    assert any(line.get("trace_id") == parent[3:35] and line["id"] == "HTTP-REQUEST" for line in lines)


def nothing_secret(one):
    for role in ROLES[1:]:
        assert SAFE[role][21:] not in "".join(one.log), "a token is in the log"
    assert "Bearer" not in "".join(one.log)


# ---- metrics and the document ----

def metrics(one):
    admin = SAFE["admin"]
    _, headers, text = one.ask("GET", "/metrics", token=admin)
    assert headers["Content-Type"].startswith("text/plain; version=0.0.4")
    _, headers, open_text = one.ask("GET", "/metrics", token=admin, headers={
        "Accept": "application/openmetrics-text;version=1.0.0;q=0.8,text/plain;version=0.0.4;q=0.3,*/*;q=0.1"})
    assert headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0") and open_text.endswith(b"# EOF\n")
    assert one.ask("GET", "/metrics", token=admin, headers={"Accept": "image/png"})[0] == 406
    assert b'tocsin_http_requests_total{route="test_get",code="200"}' in text
    if shutil.which("promtool"):
        outcome = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, timeout=20, check=False)
        assert outcome.returncode == 0, outcome.stderr
    else:
        print("# promtool is not there: its check was left out")


def openapi(one, suite):
    document = json.loads(one.ask("GET", "/api/v1/openapi.json", token=SAFE["viewer"])[2])

    def own_check():
        ids = [operation["operationId"] for *_, operation in operations(document)]
        assert document["openapi"].startswith("3.1") and len(ids) == len(set(ids)) >= 17
        for path, methods in document["paths"].items():
            for operation in methods.values():
                names = re.findall(r"{(\w+)}", path)
                assert names == [p["name"] for p in operation.get("parameters", []) if p["in"] == "path"], path
                assert operation["responses"] and all(re.fullmatch(r"[1-5]\d\d", code) for code in operation["responses"])
        references = set(re.findall(r'"\$ref": "#/components/schemas/(\w+)"', json.dumps(document)))
        assert references <= set(document["components"]["schemas"])
    suite.run("serve: the OpenAPI document describes itself consistently", own_check)
    python = BUILD / "python/bin/python"
    script = "import json,sys,openapi_spec_validator as v; v.validate(json.load(sys.stdin))"
    probe = subprocess.run([str(python), "-c", "import openapi_spec_validator"], capture_output=True, check=False) if python.exists() else None
    if probe is None or probe.returncode != 0:
        suite.skip("serve: the OpenAPI document is valid", "openapi-spec-validator is not there, see tools/test_python")
        return

    def validator():
        outcome = subprocess.run([str(python), "-c", script], input=json.dumps(document).encode(), capture_output=True, timeout=60, check=False)
        assert outcome.returncode == 0, outcome.stderr.decode()[-2000:]
    suite.run("serve: the OpenAPI document is valid", validator)


# ---- slow and many ----

def slow_clients():
    with server(header_ms=700, body_ms=700, idle_ms=900, response_ms=900, log=1) as one:
        def drip(head, rest):
            with one.connect() as sock:
                begun = time.monotonic()
                sock.sendall(head)
                try:
                    for _ in range(1200):
                        time.sleep(0.05)
                        sock.sendall(rest)
                except OSError:
                    pass
                return time.monotonic() - begun

        def silent(first):
            with one.connect() as sock:
                sock.sendall(first)
                begun = time.monotonic()
                sock.settimeout(60)
                with contextlib.suppress(OSError):
                    while sock.recv(65536):
                        pass
                return time.monotonic() - begun

        took, threads = {}, []
        cases = {
            "header": lambda: drip(b"GET /healthz HTTP/1.1\r\n", b"X: y\r\n"),
            "line": lambda: drip(b"GET /", b"a"),
            "body": lambda: drip(b"POST /api/v1/test/rows HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n", b"a"),
            "chunks": lambda: drip(b"POST /api/v1/test/rows HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n"),
            "nothing": lambda: silent(b""),
            "idle": lambda: silent(LINE + b"\r\n"),
        }
        for name, case in cases.items():
            for _ in range(20):
                threads.append(threading.Thread(target=lambda name=name, case=case: took.setdefault(name, []).append(case())))
        for thread in threads:
            thread.start()
        worst = 0.0
        for _ in range(20):  # meanwhile others are answered
            begun = time.monotonic()
            assert one.ask("GET", "/healthz")[0] == 200
            worst = max(worst, time.monotonic() - begun)
            time.sleep(0.02)
        for thread in threads:
            thread.join()
        assert all(0.4 < seconds < 30 for each in took.values() for seconds in each), {name: (min(each), max(each)) for name, each in took.items()}
        assert worst < 10, worst
        reader = one.connect()  # asks for much and reads nothing
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        reader.sendall(b"GET /api/v1/test/big?size=50000000 HTTP/1.1\r\nHost: localhost\r\n\r\n")
        eventually(lambda: one.metric('tocsin_http_cut_off_total{while="response"}') == 1)
        cut = {phase: one.metric(f'tocsin_http_cut_off_total{{while="{phase}"}}') for phase in ("header", "body", "idle", "response")}
        assert cut["header"] >= 60 and cut["body"] >= 40 and cut["idle"] >= 20 and cut["response"] == 1, cut
        reader.close()


def many_connections():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2600
    with contextlib.suppress(ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    available = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    print(f"# files that this process may open: {soft}, then {available}")
    assert available > wanted + 200, "raise ulimit -n"
    with server(connections=4000, header_ms=60000, log=1) as one:  # room for all
        held = [one.connect() for _ in range(wanted)]
        begun = time.monotonic()
        assert one.ask("GET", "/healthz")[0] == 200 and time.monotonic() - begun < 30
        assert one.metric("tocsin_http_connections") >= wanted
        for number in range(0, wanted, 13):  # each of them works
            held[number].sendall(LINE + b"\r\n")
        for number in range(0, wanted, 13):
            with held[number].makefile("rb") as stream:
                assert read_answer(stream)[0] == 200
        for sock in held:
            sock.close()
        eventually(lambda: one.metric("tocsin_http_connections") <= 5)
    with server(connections=2000, header_ms=1500, log=1) as one:  # more than there is room for
        held, many = [], 10000 if available > 10200 else wanted
        for _ in range(many):
            sock = socket.socket()
            sock.setblocking(False)
            sock.connect_ex(("127.0.0.1", one.port))
            held.append(sock)
        begun = time.monotonic()
        assert one.ask("GET", "/healthz")[0] == 200  # waits its turn in the kernel's queue
        waited = time.monotonic() - begun
        print(f"# behind {many} silent connections, 2000 of which are held at once: answered after {waited:.1f} s")
        assert waited < 50
        for sock in held:
            sock.close()


def bounded_bodies():
    with server(body_memory=3 << 20, log=1) as one:
        body, done = b"x" * (3 << 20), []
        post = b"POST /api/v1/test/rows HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(body)
        first = one.connect()
        first.sendall(post + body[:-1])
        time.sleep(0.3)
        done.append(one.ask("POST", "/api/v1/test/rows", body))
        assert done[0][0] == 503 and "Retry-After" in done[0][1] and b"body-memory" in done[0][2], done[0]
        first.sendall(body[-1:])
        with first.makefile("rb") as stream:
            assert read_answer(stream)[2] == body
        first.close()
        eventually(lambda: one.metric("tocsin_http_body_memory_bytes") == 0)
        assert one.ask("POST", "/api/v1/test/rows", body)[2] == body


# ---- tokens, TLS, addresses ----

def browsers():
    with server(log=1) as one:
        assert one.ask("GET", "/healthz", headers={"Host": "evil.example"})[0] == 421
        for host in ("localhost", "localhost:1", "127.0.0.1:80", "[::1]:80"):
            assert one.ask("GET", "/healthz", headers={"Host": host})[0] == 200
        for host in ("localhost.evil.example", "127.0.0.1.evil.example", "127.evil.0.1", "[::1].evil.example", ""):
            assert one.ask("GET", "/healthz", headers={"Host": host})[0] in (400, 421), host
        rows, own = "/api/v1/test/rows", {"Host": f"localhost:{one.port}"}
        found = one.ask("POST", rows, b"x", own | {"Origin": "http://evil.example"})
        assert found[0] == 403, found
        assert one.ask("POST", rows, b"x", own | {"Origin": "null"})[0] == 403
        assert one.ask("POST", rows, b"x", own | {"Origin": f"http://localhost:{one.port}"})[0] == 200


def attempts(top):
    tokens = top / "few"
    lines = (top / "tokens").read_text().splitlines(True)
    tokens.write_text("".join(lines))
    tokens.chmod(0o600)
    with server(tokens=tokens, log=2) as one:
        begun = time.monotonic()
        assert one.ask("GET", "/metrics", token=SAFE["viewer"])[0] == 200
        first = time.monotonic() - begun
        again = []
        for _ in range(20):
            begun = time.monotonic()
            assert one.ask("GET", "/api/v1/version", token=SAFE["viewer"])[0] == 200
            again.append(time.monotonic() - begun)
        assert min(again) < first / 5, (first, min(again))
        wrong = [SAFE["viewer"][:21] + "0" * 64] * 2 + ["tcs_" + "0" * 16 + "_" + "0" * 64] * 12  # a name that exists, and one that does not
        statuses = [one.ask("GET", "/metrics", token=token)[0] for token in wrong]
        assert statuses[:9] == [401] * 9 and statuses[-1] == 429, statuses
        status, headers, _ = one.ask("GET", "/metrics", token="nonsense")
        assert status == 429 and 1 <= int(headers["Retry-After"]) <= 60
        assert one.ask("GET", "/metrics", token=SAFE["viewer"])[0] == 200, "a token that is known is not stopped by guesses of others"
        assert one.ask("GET", "/metrics", token=SAFE["admin"])[0] == 429, "one that is not known yet has to wait"
        tokens.write_text("".join(line for line in lines if '"viewer"' not in line))
        assert one.tell("reload") == "ok"
        assert one.ask("GET", "/metrics", token=SAFE["viewer"])[0] == 429, "removed: refused though it was known"
        tokens.write_text("nonsense\n")
        assert "line 1" in one.tell("reload")
        tokens.write_text("".join(lines))
        assert one.tell("reload") == "ok" and one.ask("GET", "/metrics", token=SAFE["viewer"])[0] == 200
        tokens.chmod(0o644)
        assert "expected 600" in one.tell("reload")
        nothing_secret(one)


def certificate(top, name):
    paths_of = top / f"{name}.crt", top / f"{name}.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
                    "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-out", paths_of[0], "-keyout", paths_of[1]],
                   check=True, capture_output=True, timeout=20)
    return paths_of


def tls(top):
    one_pair, other_pair = certificate(top, "one"), certificate(top, "other")
    current = top / "current.crt", top / "current.key"

    def use(crt, key):
        shutil.copy(crt, current[0])
        shutil.copy(key, current[1])

    use(*one_pair)
    with server(certificate=current[0], key=current[1], tokens=top / "tokens", address="0.0.0.0", log=2) as one:
        trusting = ssl.create_default_context()
        for pair in (one_pair, other_pair):
            trusting.load_verify_locations(pair[0])
        one.tls = trusting
        assert one.ask("GET", "/metrics", token=SAFE["viewer"])[0] == 200 and one.ask("GET", "/metrics")[0] == 401
        client = http.client.HTTPConnection("127.0.0.1", one.port, timeout=10)
        client.sock = one.connect()

        def serial():
            with one.connect() as sock:
                return sock.getpeercert()["serialNumber"], sock.version()

        before = serial()
        assert before[1] in ("TLSv1.3", "TLSv1.2")
        use(*other_pair)
        assert one.tell("reload") == "ok"
        assert serial()[0] != before[0], "new handshakes get the new certificate"
        client.request("GET", "/healthz")
        assert client.getresponse().read() == b'{"alive":true}', "a connection made before goes on"
        client.close()
        use(one_pair[0], other_pair[1])
        assert "is not the key" in one.tell("reload") and one.ask("GET", "/healthz")[0] == 200, "what was stays"
        (top / "current.crt").write_text("nonsense")
        assert "expected a certificate" in one.tell("reload") and one.ask("GET", "/healthz")[0] == 200
        data = bytes(range(256)) * 8192
        assert one.ask("POST", "/api/v1/test/rows", data, token=SAFE["operator"])[2] == data
        old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
        one.tls = old
        try:
            serial()
            raise AssertionError("TLS 1.1 was accepted")
        except (ssl.SSLError, OSError):
            pass
        one.tls = None
        assert not raw(one, LINE + b"\r\n"), "plain text on a TLS port"
        one.tls = trusting
        wait = [one.connect() for _ in range(100)]
        assert one.ask("GET", "/healthz")[0] == 200
        for sock in wait:
            sock.close()
        expiry = one.metric("tocsin_http_certificate_expiry_timestamp_seconds", SAFE["viewer"])
        assert abs(expiry - time.time() - 2 * 86400) < 600, expiry


def beyond_loopback(top):
    crt, key = certificate(top, "beyond")
    nobody = top / "nobody"
    nobody.write_text("")
    nobody.chmod(0o600)
    secure = {"certificate": crt, "key": key}
    for options, words in (({}, "a certificate and its key are expected first"), (secure, "at least one token is expected first"),
                           ({"tokens": top / "tokens"}, "a certificate and its key are expected first"),
                           (secure | {"tokens": nobody}, "at least one token is expected first"),
                           ({"certificate": crt, "tokens": top / "tokens"}, "go together")):
        for address in ("0.0.0.0", "::", "192.0.2.1"):
            one = Server(address=address, **options)
            assert one.port is None and words in one.first, (address, options, one.first)
            one.close()
    for address in ("localhost", "1.2.3", "", "127.0.0.1:80"):
        one = Server(address=address)
        assert one.port is None and "no address to listen on" in one.first, one.first
        one.close()
    with server(address="127.0.0.2", log=1):
        pass
    with server(log=1) as first:  # a port that is taken: serve_program has no option for it, so a second bind to it by hand
        with socket.socket() as taken:
            try:
                taken.bind(("127.0.0.1", first.port))
                raise AssertionError("the port is not taken")
            except OSError:
                pass


# ---- events ----

def open_events(one, last=None, names=None, token=None):
    sock = one.connect()
    head = f"GET /api/v1/events{'?names=' + names if names else ''} HTTP/1.1\r\nHost: localhost\r\n"
    if last:
        head += f"Last-Event-ID: {last}\r\n"
    if token:
        head += f"Authorization: Bearer {token}\r\n"
    sock.sendall(head.encode() + b"\r\n")
    stream = sock.makefile("rb")
    while stream.readline() not in (b"\r\n", b""):
        pass
    return sock, stream


def next_event(stream):
    """{"id", "event", "data"}, {"comment"}; None at the end."""
    found = {}
    while True:
        line = next_line(stream)
        if line is None:
            return None
        if line == b"":
            if found:
                return found
            continue
        name, _, value = line.decode().partition(": ")
        found[name or "comment"] = value


BUFFERS = {}


def next_line(stream):
    """A line of the body, whatever chunks it came in."""
    while b"\n" not in BUFFERS.setdefault(stream, b""):
        size = stream.readline().strip()
        if not size or int(size, 16) == 0:
            return None
        BUFFERS[stream] += stream.read(int(size, 16))
        stream.readline()
    line, _, BUFFERS[stream] = BUFFERS[stream].partition(b"\n")
    return line


def events():
    with server(heartbeat_ms=400, events=64, log=1) as one:
        sock, stream = open_events(one)
        assert next_event(stream) == {"retry": "2000"}
        _, only = open_events(one, names="alert|x")
        assert next_event(only) == {"retry": "2000"}
        for number in range(5):
            assert one.tell(f'publish episode {{"n":{number}}}') == "ok"
        assert one.tell("publish alert {}") == "ok"
        got = [next_event(stream) for _ in range(6)]
        assert [e["event"] for e in got] == ["episode"] * 5 + ["alert"] and got[3]["data"] == '{"n":3}', got
        assert next_event(only)["event"] == "alert"
        assert next_event(stream) == {"comment": "still here"}
        sock.close()
        for number in range(5, 9):
            one.tell(f'publish episode {{"n":{number}}}')
        _, again = open_events(one, got[3]["id"])
        assert next_event(again) == {"retry": "2000"}
        resumed = [next_event(again) for _ in range(6)]
        assert [json.loads(e["data"]).get("n") for e in resumed] == [4, None, 5, 6, 7, 8], resumed
        assert [int(e["id"].split("-")[1]) for e in resumed] == list(range(5, 11))
        for stale in ("123-4", "nonsense", got[0]["id"] + "000", "-", got[0]["id"].replace("-", "")):
            _, fresh = open_events(one, stale)
            assert next_event(fresh)["event"] == "reset", stale
            assert next_event(fresh) == {"retry": "2000"}
        one.tell("burst 100 10")  # the first events leave the ring of 64
        _, fresh = open_events(one, got[3]["id"])
        first = next_event(fresh)
        assert first["event"] == "reset" and first["id"].endswith("-110"), first
        assert one.metric("tocsin_events_resets_total") == 6


def slow_listener():
    with server(heartbeat_ms=300, events=64, log=1) as one:
        quick, quick_stream = open_events(one)
        counted = []
        reader = threading.Thread(target=lambda: counted.extend(iter(lambda: next_event(quick_stream), None)), daemon=True)
        reader.start()
        lazy = socket.socket()
        lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        lazy.connect(("127.0.0.1", one.port))
        lazy.sendall(b"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        time.sleep(0.3)
        assert one.metric("tocsin_events_listeners") == 2
        for _ in range(400):  # 8 MB: more than sockets hold
            assert one.tell("burst 2 10000") == "ok"
            time.sleep(0.002)
        deadline = time.monotonic() + 5
        while one.metric("tocsin_events_listeners") != 1 and time.monotonic() < deadline:
            time.sleep(0.1)
        assert one.metric("tocsin_events_listeners_dropped_total") == 1 and one.metric("tocsin_events_listeners") == 1
        time.sleep(0.3)
        assert sum(e.get("event") == "burst" for e in counted) == 800, len(counted)
        lazy.close()
        gone, gone_stream = open_events(one)  # one that vanishes is found out by a heartbeat
        next_event(gone_stream)
        gone_stream.close()
        gone.close()
        deadline = time.monotonic() + 5
        while one.metric("tocsin_events_listeners") != 1 and time.monotonic() < deadline:
            time.sleep(0.1)
        assert one.metric("tocsin_events_listeners") == 1
        quick.shutdown(socket.SHUT_RDWR)


def many_listeners():
    with server(log=1) as one:
        streams = [open_events(one) for _ in range(500)]
        for number in range(20):
            one.tell(f"publish episode {number}")
        for _, stream in streams:
            assert [next_event(stream).get("data") for _ in range(21)] == [None] + [str(k) for k in range(20)]


# ---- the end ----

def drain_under_load():
    with server(log=1) as one:
        outcomes, stop = [], threading.Event()
        listener, stream = open_events(one)

        def load():
            client = None
            while not stop.is_set():
                try:
                    client = client or http.client.HTTPConnection("127.0.0.1", one.port, timeout=10)
                    client.request("GET", "/api/v1/test/slow?ms=30")
                    answer = client.getresponse()
                    body = answer.read()
                    outcomes.append(answer.status if answer.status != 200 or body == b'{"done":true}' else "half")
                    if answer.status == 503:
                        return
                except http.client.IncompleteRead:
                    outcomes.append("half")
                    return
                except (http.client.RemoteDisconnected, OSError):
                    outcomes.append("closed")
                    return

        threads = [threading.Thread(target=load) for _ in range(24)]
        for thread in threads:
            thread.start()
        time.sleep(0.7)
        begun = time.monotonic()
        assert one.tell("drain 5") == "drained"
        took = time.monotonic() - begun
        stop.set()
        assert one.child.poll() is None
        answer = one.ask("GET", "/healthz")  # who comes now is told so, and when to come again
        assert answer[0] == 503 and problem(answer) == "draining" and answer[1]["Retry-After"] == "5", answer
        assert answer[1]["Connection"] == "close", answer
        one.close()
        with contextlib.suppress(ConnectionError):
            socket.create_connection(("127.0.0.1", one.port), timeout=2).close()
            raise AssertionError("it still accepts")
        for thread in threads:
            thread.join()
        assert "half" not in outcomes and outcomes.count(200) > 50 and set(outcomes) <= {200, 503, "closed"}, outcomes
        assert took < 5, took  # as long as it may take
        assert next_event(stream) in ({"retry": "2000"}, None)
        listener.close()
    with server(log=1) as one:  # what does not finish is cut off, and said to be
        slow = threading.Thread(target=ask_slowly, args=[one], daemon=True)
        slow.start()
        time.sleep(0.3)
        begun = time.monotonic()
        assert one.tell("drain 0.5") == "cut off" and time.monotonic() - begun < 2


def ask_slowly(one):
    with contextlib.suppress(Exception):
        one.ask("GET", "/api/v1/test/slow?ms=2000")


def ends_at_its_limit():
    """Its threads take the listening socket up and lay it down all the time when connections are at their limit, and then it ends."""
    for _ in range(12):
        with server(connections=64, threads=64, log=1) as one:
            stop = threading.Event()

            def load(one=one, stop=stop):
                while not stop.is_set():
                    with contextlib.suppress(OSError):
                        with one.connect(1) as sock:
                            sock.sendall(LINE + b"Connection: close\r\n\r\n")
                            sock.recv(1000)

            threads = [threading.Thread(target=load) for _ in range(24)]
            for thread in threads:
                thread.start()
            time.sleep(0.15)
            try:
                one.close()  # and is asked how it ended
            finally:
                stop.set()
                for thread in threads:
                    thread.join()


def deferred_responses():
    """Many requests wait for somebody else while a few threads serve others."""
    with server(threads=4, log=1) as one:
        begun = time.monotonic()
        waiting = [one.connect() for _ in range(200)]
        for sock in waiting:
            sock.sendall(b"GET /api/v1/test/later?ms=400 HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert one.ask("GET", "/healthz")[0] == 200
        for sock in waiting[:20]:
            sock.close()  # gone before the answer
        for sock in waiting[20:]:
            with sock.makefile("rb") as stream:
                assert read_answer(stream)[2] == b'{"later":true}'
            sock.close()
        took = time.monotonic() - begun
        assert took < 10, f"{took:.1f} s, one after the other on four threads they would take 20"
        client = one.connect()
        client.sendall(b"GET /api/v1/test/later?ms=0 HTTP/1.1\r\nHost: localhost\r\n\r\n" * 300 +
                       b"GET /api/v1/test/later?ms=1 HTTP/1.1\r\nHost: localhost\r\n\r\n" * 100)
        stream = client.makefile("rb")
        assert all(read_answer(stream)[2] == b'{"later":true}' for _ in range(400))
        client.sendall(b"GET /api/v1/test/later?ms=700 HTTP/1.1\r\nHost: localhost\r\n\r\n")
        time.sleep(0.2)
        assert one.tell("drain 5") == "drained"
        assert read_answer(stream)[2] == b'{"later":true}', "an end waits for what was begun"
        client.close()
    with server(log=1) as one:  # and so does a sudden one
        client = one.connect()
        client.sendall(b"GET /api/v1/test/later?ms=600 HTTP/1.1\r\nHost: localhost\r\n\r\n")
        time.sleep(0.2)


def readiness():
    with server(log=1) as one:
        assert one.ask("GET", "/readyz")[0] == 200
        one.tell("ready 0")
        status, _, body = one.ask("GET", "/readyz")
        assert status == 503 and json.loads(body) == {"checks": [{"name": "test", "ok": False, "reason": "told so"}], "ready": False,
                                                       "degraded": True}
        assert one.ask("GET", "/healthz")[0] == 200


def prometheus(top):
    """The distribution's Prometheus reads our figures with a token, in OpenMetrics as it prefers."""
    port = free_port()
    with server(tokens=top / "tokens", log=1) as one:
        (top / "prometheus.yml").write_text(json.dumps({"global": {"scrape_interval": "200ms", "scrape_timeout": "200ms"}, "scrape_configs": [
            {"job_name": "tocsin", "authorization": {"credentials": SAFE["viewer"]}, "static_configs": [{"targets": [f"127.0.0.1:{one.port}"]}]}]}))
        assert one.ask("GET", "/metrics", token=SAFE["viewer"])[0] == 200
        with process(["prometheus", f"--config.file={top}/prometheus.yml", f"--storage.tsdb.path={top}/prometheus",
                      f"--web.listen-address=127.0.0.1:{port}"], top / "prometheus.log"):
            deadline, found = time.monotonic() + 20, []
            while time.monotonic() < deadline and not found:
                time.sleep(0.3)
                with contextlib.suppress(OSError, ValueError, http.client.HTTPException):  # it may not be ready yet
                    client = http.client.HTTPConnection("127.0.0.1", port, timeout=3)
                    client.request("GET", "/api/v1/query?query=tocsin_http_requests_total%7Broute=%22metrics%22%7D%3E2")
                    found = json.loads(client.getresponse().read())["data"]["result"]
            assert found and found[0]["metric"]["code"] == "200", (found, (top / "prometheus.log").read_text()[-1500:])


def main():
    suite = Suite()
    with folder() as top:
        made = subprocess.run([PROGRAM, "--create-tokens", str(top / "tokens")], capture_output=True, encoding="utf-8", timeout=60, check=False)
        if made.stdout.startswith("skip"):
            suite.skip("serve", made.stdout.strip())
            suite.finish()
        lines = made.stdout.split()
        if len(lines) != 4:
            suite.skip("serve", "tokens cannot be made: " + made.stdout.strip())
            suite.finish()
        SAFE.update(zip(ROLES[1:], lines))
        with server(tokens=top / "tokens", body_ms=4000, log=3) as one:
            for role in ROLES[1:]:
                assert one.ask("GET", "/api/v1/version", token=SAFE[role])[0] == 200
            for case in (wrong_methods, paths, byte_by_byte, pipelining, bodies, answers_are_words, traces, metrics, routes_and_roles):
                suite.run("serve: " + case.__name__.replace("_", " "), lambda case=case: case(one))
            openapi(one, suite)
            for name in HOSTILE:
                suite.run(f"serve: hostile bytes: {name}", lambda name=name: hostile(one, name))
            suite.run("serve: nothing secret in the log", lambda: nothing_secret(one))
        for case in (slow_clients, many_connections, bounded_bodies, browsers, events, slow_listener, many_listeners,
                     drain_under_load, ends_at_its_limit, deferred_responses, readiness):
            suite.run("serve: " + case.__name__.replace("_", " "), case)
        for case in (attempts, tls, beyond_loopback):
            if case is not attempts and not shutil.which("openssl"):
                suite.skip("serve: " + case.__name__.replace("_", " "), "openssl is not there")
            else:
                suite.run("serve: " + case.__name__.replace("_", " "), lambda case=case: case(top))
        if shutil.which("prometheus"):
            suite.run("serve: a real Prometheus reads our figures", lambda: prometheus(top))
        else:
            suite.skip("serve: a real Prometheus reads our figures", "prometheus is not there")
    suite.finish()


if __name__ == "__main__":
    main()
