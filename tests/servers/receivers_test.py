#!/usr/bin/env python3
"""Receivers that misbehave: a webhook that answers 500 for a while, hangs, resets, asks for time, refuses or redirects; Grafana's
annotations; and a mail server.  None may keep another waiting, and nothing may be lost.

usage: receivers_test.py PATH_TO_SEND_ALERTS        Prints TAP.
"""
import base64
import email
import email.policy
import hashlib
import hmac
import http.server
import json
import socketserver
import struct
import socket
import sys
import threading
import time

from alertmanager_test import Sender, alert, lacks, stamp
from support import Suite, folder


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def reply(self, code, body=b"", **headers):
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def note(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        with self.server.lock:
            self.server.got.append((time.monotonic(), self.command, self.path, dict(self.headers), body))
        return body

    def do_GET(self):
        self.note()
        tag = self.path.split("tags=")[1].replace("%3A", ":")
        found = [dict(one, id=number) for number, one in self.server.annotations.items() if tag in one["tags"]]
        self.reply(200, json.dumps(found).encode(), Content_Type="application/json")

    def do_PATCH(self):
        body = self.note()
        self.server.annotations[int(self.path.rsplit("/", 1)[1])].update(json.loads(body))
        self.reply(200, b"{}")

    def do_POST(self):
        body = self.note()
        path = self.path.strip("/")
        count = sum(one[2] == self.path for one in self.server.got)
        if path == "api/annotations":
            number = len(self.server.annotations) + 1
            self.server.annotations[number] = json.loads(body)
            self.reply(200, json.dumps({"id": number}).encode())
        elif path == "flaky" and count <= 3:
            self.reply(500, b"out of\r\norder")
        elif path == "hangs":
            time.sleep(15)
        elif path == "resets" and count <= 2:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
            self.close_connection = True
        elif path == "busy" and count == 1:
            self.reply(429, Retry_After="2")
        elif path == "gone":
            self.reply(410, b"nobody lives here")
        elif path == "moved":
            self.reply(302, Location="http://127.0.0.1:1/elsewhere")
        else:
            self.reply(204)


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.lock, self.got, self.annotations = threading.Lock(), [], {}

    def handle_error(self, *_):
        pass  # clients that give up

    def requests(self, path):
        with self.lock:
            return [one for one in self.got if one[2].split("?")[0].strip("/") == path]


class Mail(socketserver.StreamRequestHandler):
    """As much of SMTP as a client needs; without STARTTLS.  The first message is put off with 451; to nobody@x it is refused."""

    def say(self, text):
        self.wfile.write(text.encode() + b"\r\n")

    def handle(self):
        self.say("220 test")
        envelope = []
        for line in iter(self.rfile.readline, b""):
            word = line.strip().upper()
            if word.startswith((b"EHLO", b"HELO")):
                self.say("250 test")
            elif word.startswith(b"RCPT") and b"NOBODY" in word:
                self.say("550 no such person")
            elif word.startswith((b"MAIL", b"RCPT")):
                envelope.append(line.strip().decode())
                self.say("250 fine")
            elif word == b"DATA":
                self.say("354 go on")
                lines = []
                for part in iter(self.rfile.readline, b".\r\n"):
                    lines.append(part)
                self.server.count += 1
                if self.server.count == 1:
                    self.say("451 later")
                else:
                    self.server.got.append((envelope, b"".join(lines)))
                    self.say("250 taken")
            elif word == b"QUIT":
                self.say("221 bye")
                return
            else:
                self.say("502 what")


class MailServer(socketserver.ThreadingTCPServer):
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Mail)
        self.got, self.count = [], 0


def run(program, top, name, receivers, lines, seconds=15):
    (top / f"{name}.yaml").write_text("receivers:\n" + "".join(f"  - {{{one}}}\n" for one in receivers), encoding="utf-8")
    sender = Sender(program, f"{top}/{name}.yaml", f"{top}/{name}.db", seconds)
    for line in lines:
        sender.put(line)
    return sender.finish(seconds + 20)


def main():
    program, suite = sys.argv[1], Suite()
    with folder() as top, Server() as server, MailServer() as mail:
        if lacks(program, top):
            suite.skip("receivers", lacks(program, top))
            suite.finish()
        threading.Thread(target=server.serve_forever, daemon=True).start()
        threading.Thread(target=mail.serve_forever, daemon=True).start()
        url, post = f"http://127.0.0.1:{server.server_address[1]}", f"smtp://127.0.0.1:{mail.server_address[1]}"
        (top / "key").write_text("whisper\n", encoding="utf-8")
        starts = stamp(5)

        def hook(name, **more):
            return ", ".join([f"name: {name}", "kind: webhook", f"url: '{url}/{name}'", "timeout: 1s", "retry_at_most: 1s"] +
                             [f"{key}: {value}" for key, value in more.items()])

        def nobody_waits_for_another():
            names = ["steady", "flaky", "hangs", "resets", "busy", "gone", "moved"]
            lines = run(program, top, "all", [hook(name) for name in names],
                        [alert("db1", "confirmed", 1, starts), alert("db1", "resolved", 2, starts, ends=stamp())], seconds=12)
            assert lines[-1] == "waiting", lines  # what hangs
            assert len(server.requests("steady")) == 2 and len(server.requests("hangs")) >= 2
            assert server.requests("steady")[1][0] < server.requests("hangs")[1][0]  # before the first attempt at what hangs was over
            for name, attempts in (("steady", 2), ("flaky", 5), ("resets", 4), ("busy", 3), ("gone", 2), ("moved", 2)):
                states = [json.loads(one[4])["data"]["state"] for one in server.requests(name)]
                assert len(states) == attempts and states == sorted(states), (name, states)
            busy = server.requests("busy")
            assert busy[1][0] - busy[0][0] >= 2, "Retry-After"
            text = "\n".join(lines)
            for words in ("flaky confirmed 1 retry HTTP 500: out of  order", "hangs confirmed 1 retry took too long",
                          "gone confirmed 1 refused HTTP 410: nobody lives here", "gone resolved 2 refused", "moved confirmed 1 refused HTTP 302",
                          "resets confirmed 1 retry the connection broke off", "busy resolved 2 sent"):
                assert words in text, (words, text)

        def events_are_signed():
            lines = run(program, top, "signed", [hook("signed", secret_file=f"{top}/key", source="/plant")],
                        [alert("db1", "confirmed", 1, starts, trace="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")])
            assert lines[-1] == "idle", lines
            _, _, _, headers, body = server.requests("signed")[0]
            assert headers["Content-Type"] == "application/cloudevents+json; charset=utf-8"
            assert headers["traceparent"].startswith("00-0af7651916cd43dd")
            seconds = headers["Tocsin-Timestamp"]
            assert abs(int(seconds) - time.time()) < 30
            expected = "v1=" + hmac.new(b"whisper", seconds.encode() + b"." + body, hashlib.sha256).hexdigest()
            assert hmac.compare_digest(headers["Tocsin-Signature"], expected)
            event = json.loads(body)
            assert event["specversion"] == "1.0" and event["source"] == "/plant" and event["type"] == "dev.tocsin.alert.confirmed"
            assert event["data"]["tags"]["host"] == "db1" and "whisper" not in "".join(lines)

        def without_its_secret():
            lines = run(program, top, "nokey", [hook("nokey", secret_file=f"{top}/absent")], [alert("db1", "confirmed", 1, starts)], seconds=2)
            assert lines[-1] == "waiting" and not server.requests("nokey"), lines

        def grafana_has_one_annotation():
            receiver = f"name: notes, kind: grafana, url: '{url}', secret_file: '{top}/key', dashboard: abc, panel: 4, retry_at_most: 1s"
            run(program, top, "notes", [receiver], [alert("db1", "confirmed", 1, starts), '{"wait":0.3}', alert("db2", "confirmed", 1, starts),
                                                    alert("db1", "resolved", 2, starts, ends=stamp())])
            run(program, top, "again", [receiver], [alert("db1", "resolved", 2, starts, ends=stamp())])  # told twice
            assert len(server.annotations) == 2, server.annotations
            one = server.annotations[1]
            assert one["timeEnd"] > one["time"] and "tocsin:e-db1" in one["tags"] and "resolved" in one["tags"], one
            assert one["dashboardUID"] == "abc" and one["panelId"] == 4 and "timeEnd" not in server.annotations[2]
            assert all(request[3].get("Authorization") == "Bearer whisper" for request in server.requests("api/annotations"))

        def mail_arrives():
            summary = "Pegel über 3 m\r\nBcc: everybody@x"
            lines = run(program, top, "mail", [f"name: post, kind: mail, url: '{post}', plain: yes, from: t@x.org, to: [a@x.org, b@x.org], "
                                               "retry_at_most: 1s"], [alert("db1", "confirmed", 1, starts, summary=summary)])
            assert lines[-1] == "idle" and "post confirmed 1 retry" in lines[0], lines
            envelope, raw = mail.got[0]
            message = email.message_from_bytes(raw, policy=email.policy.default)
            assert envelope == ["MAIL FROM:<t@x.org>", "RCPT TO:<a@x.org>", "RCPT TO:<b@x.org>"] or envelope[0].startswith("MAIL FROM:<t@x.org>")
            assert message["Bcc"] is None and message["To"] == "a@x.org, b@x.org", message.items()
            assert message["Subject"].startswith("[confirmed] Pegel über 3 m"), message["Subject"]
            assert message["Auto-Submitted"] == "auto-generated" and message["Message-ID"].endswith("@tocsin>")
            text = base64.b64decode(message.get_payload()).decode()
            assert 'node_load1{host="db1",dash-ed="x"}' in text and "Expected 1 to 3, was 17." in text, text

        def mail_is_refused():
            before = len(mail.got)
            lines = run(program, top, "nobody", [f"name: post, kind: mail, url: '{post}', plain: yes, from: t@x.org, to: nobody@x.org"],
                        [alert("db1", "confirmed", 1, starts)])
            assert "post confirmed 1 refused" in lines[0] and lines[-1] == "idle", lines
            lines = run(program, top, "tls", [f"name: post, kind: mail, url: '{post}', from: t@x.org, to: a@x.org"],
                        [alert("db1", "confirmed", 1, starts)], seconds=1)
            assert "post confirmed 1 retry" in lines[0] and len(mail.got) == before, lines  # no STARTTLS: nothing is sent

        for case in (nobody_waits_for_another, events_are_signed, without_its_secret, grafana_has_one_annotation, mail_arrives,
                     mail_is_refused):
            suite.run("receivers: " + case.__name__.replace("_", " "), case)
    suite.finish()


if __name__ == "__main__":
    main()
