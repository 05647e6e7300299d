#!/usr/bin/env python3
"""A hostile HTTP server on a loopback port: malformed, cut off, oversized, slow and redirecting answers.  Each must end in
a clear sentence within seconds, with the address and without its password.

usage: http_test.py PATH_TO_TOCSIN PATH_TO_READ_FRAME        Prints TAP.
"""
import base64
import gzip
import resource
import socketserver
import sys
import threading
import time

from support import Command, Frame, Suite, folder, memory_is_measurable, scored

GOOD = b'{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"__name__":"up"},"values":[%s]}]}}' % b",".join(
    b'[%d,"%d.5"]' % (1709251200 + 15 * k, k % 7) for k in range(200))


def reply(body, code=b"200 OK", kind=b"application/json", extra=b"", length=None):
    size = len(body) if length is None else length
    return (b"HTTP/1.1 " + code + b"\r\nContent-Type: " + kind + b"\r\nContent-Length: " + str(size).encode() + b"\r\n" + extra +
            b"Connection: close\r\n\r\n" + body)


def chunked(pieces):
    yield b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    for piece in pieces:
        yield b"%x\r\n" % len(piece) + piece + b"\r\n"


def endless():
    yield from chunked([b'{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[[0,"1"]'])
    block = b"".join(b',[%d,"1"]' % k for k in range(100000))
    while True:
        yield b"%x\r\n" % len(block) + block + b"\r\n"


def bomb():
    """300 MiB of blanks in 300 KiB."""
    body = gzip.compress(b'{"status":' + b" " * (300 << 20), 6)
    yield reply(body, extra=b"Content-Encoding: gzip\r\n")


def drip():
    yield b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n"
    while True:
        time.sleep(0.2)
        yield b" "


def silence():
    time.sleep(20)
    yield b""


def matrix(points):
    """The answer of one series; points: (seconds, text)."""
    values = b",".join(b'[%.3f,"%s"]' % (second, text) for second, text in points)
    return [reply(b'{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"__name__":"up"},"values":[%s]}]}}' % values)]


def each(function, count=60):
    return [(1709251200 + 15 * k, function(k)) for k in range(count)]


# path: (pieces to send, rows, rows missing, words that are printed)
NASTY = {
    "one": (matrix(each(lambda k: b"1.5", 1)), 1, 0, ""),
    "equal": (matrix(each(lambda k: b"5")), 60, 0, "never changes"),
    "infinite": (matrix(each(lambda k: (b"+Inf", b"-Inf", b"1", b"2", b"NaN")[k % 5])), 60, 36, "24 values are infinite"),
    "denormal": (matrix(each(lambda k: b"%de-320" % (k % 9 + 1))), 60, 0, ""),
    "greatest": (matrix(each(lambda k: (b"1e308", b"-1e308")[k % 2])), 60, 60, "60 values are beyond 1e+150"),
    "beyond": (matrix(each(lambda k: b"1e309" if k == 30 else b"%d" % (k % 7))), 60, 1, "1 value is infinite"),
    "long-number": (matrix(each(lambda k: b"0." + b"3" * 100000 if k == 30 else b"%d" % (k % 7))), 60, 0, ""),
}

# path: (pieces to send, exit status, words, parameters)
ANSWERS = {
    "cut-length": ([reply(GOOD, length=len(GOOD) + 100)], 1, "broke off before the answer was complete"),
    "cut-chunked": (lambda: list(chunked([GOOD[:1000]])), 1, "broke off before the answer was complete"),
    "cut-json": ([reply(GOOD[:-30])], 1, "malformed or cut off at byte"),
    "cut-no-length": ([b"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n" + GOOD[:500]], 1, "malformed or cut off"),
    "nothing": ([], 1, "broke off before the answer was complete"),
    "half-header": ([b"HTTP/1.1 200 OK\r\nContent-Ty"], 1, "answers with no content type"),
    "garbage": ([b"\x00\xff\x16\x03\x01 what is this\r\n\r\n"], 1, "cannot be understood"),
    "huge-header": ([b"HTTP/1.1 200 OK\r\nX: " + b"a" * 1000000 + b"\r\n\r\n"], 1, "header is absurdly long"),
    "html": ([reply(b"<html>hi</html>", kind=b"text/html; charset=utf-8")], 1, "answers with text/html, expected JSON"),
    "no-type": ([b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"], 1, "answers with no content type"),
    "csv": ([reply(b"a,b\n1,2\n", kind=b"text/csv")], 1, "a file is read by curl -s URL | tocsin detect -"),
    "other-json": ([reply(b'{"hello":[1,2,3]}')], 1, "not that of a Prometheus query"),
    "empty": ([reply(b"")], 1, "empty answer"),
    "nul": ([reply(b'{"status":"suc\x00cess"}')], 1, "not that of a Prometheus query"),
    "all-missing": (matrix(each(lambda k: b"NaN")), 1, "no column holds numbers"),
    "same-time": (matrix([(1709251200, b"1"), (1709251200, b"2")]), 1, "the times of series up do not ascend"),
    "time-goes-back": (matrix([(1709251215, b"1"), (1709251200, b"2")]), 1, "the times of series up do not ascend"),
    "word": (matrix(each(lambda k: b"high" if k == 7 else b"1")), 1, "byte 245 of the answer: '[1709251305.000,\"high\"]' is no point"),
    "long-word": (matrix(each(lambda k: b"x" * 1000000 if k == 7 else b"1")), 1, 'expected [seconds,"number"]'),
    "nul-value": (matrix(each(lambda k: b"1\x00" if k == 7 else b"1")), 1, "is no point"),
    "three-in-a-pair": ([reply(GOOD.replace(b'"3.5"]', b'"3.5",1]', 1))], 1, "malformed or cut off at byte 155"),
    "deep": ([reply(b'{"status":"success","data":' + b"[" * 1000000)], 1, "malformed or cut off"),
    "deep-metric": ([reply(b'{"status":"success","data":{"resultType":"matrix","result":[{"metric":' + b"[" * 100000 + b"]" * 100000 +
                           b',"values":[]}]}}')], 1, "malformed"),
    "bad-gateway": ([reply(b"<h1>oops</h1>", b"502 Bad Gateway", b"text/html")], 1, "HTTP 502, expected 200"),
    "server-error": ([reply(b'{"status":"error","errorType":"internal","error":"disk on fire"}', b"500 Internal Server Error")], 1,
                     "the server refuses the query, internal: disk on fire"),
    "refused": ([reply(b'{"status":"error","errorType":"bad_data","error":"no such function"}', b"400 Bad Request")], 2,
                "bad_data: no such function"),
    "good-body-bad-code": ([reply(GOOD, b"503 Service Unavailable")], 1, "HTTP 503, expected 200"),
    "terminal": ([reply(b'{"status":"error","errorType":"bad_data","error":"\\u001b[31mred\\u0007"}', b"400 Bad Request")], 2, "bad_data:  [31mred "),
    "login": ([reply(b"", b"401 Unauthorized", extra=b'WWW-Authenticate: Basic realm="x"\r\n')], 1, "HTTP 401: access is refused"),
    "moved": ([reply(b"", b"302 Found", extra=b"Location: http://u:hush-hush@127.0.0.1:1/x?token=hush-hush\r\n")], 1,
              "HTTP 302: redirects to http://u:***@127.0.0.1:1/x, which is not followed"),
    "moved-nowhere": ([reply(b"", b"301 Moved Permanently")], 1, "redirects to nowhere"),
    "moved-to-file": ([reply(b"", b"302 Found", extra=b"Location: file:///etc/passwd\r\n")], 1, "which is not followed"),
    "said-huge": ([reply(b"{", length=1 << 40)], 1, "the answer is larger than 256 MiB; ask for a larger step or fewer series"),
    "endless": (endless, 1, "the answer is larger than 256 MiB"),
    "bomb": (bomb, 1, "the answer is larger than 256 MiB"),
    "drip": (drip, 1, "took too long", "?timeout=2s"),
    "silence": (silence, 1, "took too long", "?timeout=1s"),
}


class Handler(socketserver.BaseRequestHandler):
    def handle(self):
        request = b""
        while b"\r\n\r\n" not in request:
            piece = self.request.recv(65536)
            if not piece:
                return
            request += piece
        path = request.split(b" ")[1].decode().split("/")[1]
        self.server.requests.append(request)
        if path == "secure":
            expected = b"Authorization: Basic " + base64.b64encode(b"u:hush-hush")
            pieces = [reply(GOOD) if expected in request else reply(b"", b"401 Unauthorized")]
        elif path == "warned":
            pieces = [reply(GOOD[:-3] + b',{"metric":{"a":"b"},"histograms":[[1,{}]]}]},"warnings":["one\\nstore is down","x"]}')]
        elif path == "packed":
            pieces = [reply(gzip.compress(GOOD), extra=b"Content-Encoding: gzip\r\n")]
        else:
            pieces = (ANSWERS[path] if path in ANSWERS else NASTY[path])[0]
            pieces = pieces() if callable(pieces) else pieces
        try:
            for piece in pieces:
                self.request.sendall(piece)
        except OSError:
            pass  # the client hung up, as it should


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 50

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests = []


def main():
    command, reader, suite = Command(sys.argv[1]), sys.argv[2], Suite()
    if "this build" in command.run("detect", "http://127.0.0.1:1", "--query", "x").stderr:
        suite.skip("HTTP", "built without libcurl")
        suite.finish()
    with Server() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        host = f"127.0.0.1:{server.server_address[1]}"
        span = ["--query", "up", "--start", "1709251200", "--end", "1709254185", "--step", "15s"]

        def refused(path):
            status, words, *more = ANSWERS[path][1:]
            begun = time.monotonic()
            url = f"http://u:hush-hush@{host}/{path}" + "".join(more)
            command.fails(status, words, "detect", url, *span, seconds=30)
            outcome = command.run("detect", url, *span) if path in ("moved", "html") else None
            assert outcome is None or f"http://u:***@{host}/{path}: " in outcome.stderr, outcome.stderr
            if more:
                assert time.monotonic() - begun < 8

        for path in ANSWERS:
            suite.run(f"HTTP: {path.replace('-', ' ')}", lambda path=path: refused(path))

        def good_answers():
            for path in ("secure", "packed"):
                frame = Frame(reader, f"http://u:hush-hush@{host}/{path}/", query="up", start="1709251200", end="1709254185", step="15s")
                assert frame.columns["up"] == [k % 7 + 0.5 for k in range(200)], path
                assert "hush" not in "".join(frame.notes)
            frame = Frame(reader, f"http://{host}/warned", query="up", start="1709251200", end="1709254185", step="15s")
            assert "warning: one store is down; 1 native histograms are left out, as they have no single value" in frame.notes, frame.notes
            command.fails(1, "HTTP 401", "detect", f"http://u:wrong@{host}/secure", *span)
            request = server.requests[-1].decode()
            assert "GET /secure/api/v1/query_range?query=up&start=1709251200.000&end=1709254185.000&step=15.000 HTTP/1.1" in request, request

        def nasty_values():
            with folder() as top:
                for path, (_, rows, missing, note) in NASTY.items():
                    found = scored(command, top, f"http://{host}/{path}", *span)
                    assert found[:2] == (rows, missing) and note in found[2], (path, found)

        def nobody_listens():
            command.fails(1, "Failed to connect", "detect", "http://u:hush-hush@127.0.0.1:1", *span)

        def memory_was_bounded():
            peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
            assert peak < 900 or not memory_is_measurable(command.path), f"{peak:.0f} MiB"

        for case in (good_answers, nasty_values, nobody_listens, memory_was_bounded):
            suite.run("HTTP: " + case.__name__.replace("_", " "), case)
    suite.finish()


if __name__ == "__main__":
    main()
