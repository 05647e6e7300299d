#!/usr/bin/env python3
"""Chromium by its DevTools protocol over a pipe: just what the tests of pages need, with nothing but Python.

usage: browser.py ADDRESS FILE.png WIDTH HEIGHT [dark]      photographs a page (docs/images/report.png was made so)

The browser reads commands from descriptor 3 and writes answers to descriptor 4, JSON documents that end in a 0 byte:
https://chromedevtools.github.io/devtools-protocol/ .  Each browser has an empty profile of its own.
"""
import base64
import json
import os
import pathlib
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time

SWITCHES = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
            "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--hide-scrollbars", "--remote-debugging-pipe"]


def find():
    """Path of a Chromium, or None."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if shutil.which(name):
            return shutil.which(name)
    return None


class Browser:
    """One Chromium with one page; a context manager."""

    def __init__(self, path):
        self.profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        command_read, self.command = os.pipe()
        self.answer, answer_write = os.pipe()
        words = " ".join(f"'{word}'" for word in [path, *SWITCHES, f"--user-data-dir={self.profile.name}", "about:blank"])
        self.process = subprocess.Popen(["bash", "-c", f"exec {words} 3<&{command_read} 4>&{answer_write}"], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, pass_fds=(command_read, answer_write),
                                        start_new_session=True)
        os.close(command_read)
        os.close(answer_write)
        self.buffer, self.number, self.session, self.events = b"", 0, None, []
        page = next(t for t in self.call("Target.getTargets")["targetInfos"] if t["type"] == "page")
        self.session = self.call("Target.attachToTarget", targetId=page["targetId"], flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        try:
            os.killpg(self.process.pid, signal.SIGKILL)  # the group that this object started
        except ProcessLookupError:
            pass
        self.process.wait()
        os.close(self.command)
        os.close(self.answer)
        self.profile.cleanup()

    def receive(self, deadline):
        while b"\0" not in self.buffer:
            if not select.select([self.answer], [], [], max(0, deadline - time.monotonic()))[0]:
                raise TimeoutError("Chromium does not answer")
            piece = os.read(self.answer, 1 << 20)
            if not piece:
                raise ConnectionError("Chromium ended")
            self.buffer += piece
        document, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(document)

    def call(self, method, seconds=60, **parameters):
        """The result of one command; events that arrive meanwhile are kept."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        text = json.dumps(message).encode() + b"\0"
        while text:
            text = text[os.write(self.command, text):]
        deadline = time.monotonic() + seconds
        while True:
            answer = self.receive(deadline)
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]
            self.events.append(answer)

    def open(self, address, width, height, dark=False):
        """Loads a page and waits until it is complete."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])
        for url in ("about:blank", address):  # the first, so that a mere change of fragment loads as well
            self.events.clear()
            self.call("Page.navigate", url=url)
            deadline = time.monotonic() + 60
            while not any(event.get("method") == "Page.loadEventFired" for event in self.events):
                self.events.append(self.receive(deadline))

    def run(self, script):
        """The value of an expression, awaited."""
        outcome = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in outcome:
            raise RuntimeError(str(outcome["exceptionDetails"].get("exception", {}).get("description", outcome["exceptionDetails"])))
        return outcome["result"].get("value")

    def complaints(self):
        """What the page wrote to its console, threw, or was refused, since it was opened."""
        for event in self.events:
            method, about = event.get("method"), event.get("params", {})
            if method == "Runtime.exceptionThrown":
                yield "threw " + about["exceptionDetails"].get("exception", {}).get("description", "something")
            elif method == "Runtime.consoleAPICalled" and about["type"] in ("error", "warning", "assert"):
                yield about["type"] + " " + " ".join(str(word.get("value", "")) for word in about["args"])
            elif method == "Log.entryAdded" and about["entry"]["level"] in ("error", "warning"):
                yield about["entry"]["level"] + " " + about["entry"]["text"]

    def screenshot(self, path):
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))

    def key(self, name):
        self.call("Input.dispatchKeyEvent", type="keyDown", key=name, text=name if len(name) == 1 else "")
        self.call("Input.dispatchKeyEvent", type="keyUp", key=name)

    def drag(self, x0, x1, y):
        """A press at (x0, y), a move and a release at (x1, y); a click when both are the same."""
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x0, y=y)
        self.call("Input.dispatchMouseEvent", type="mousePressed", x=x0, y=y, button="left", buttons=1, clickCount=1)
        if x1 != x0:
            self.call("Input.dispatchMouseEvent", type="mouseMoved", x=(x0 + x1) / 2, y=y, buttons=1)
            self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x1, y=y, buttons=1)
        self.call("Input.dispatchMouseEvent", type="mouseReleased", x=x1, y=y, button="left", clickCount=1)


def main():
    address, file, width, height = sys.argv[1:5]
    with Browser(find()) as page:
        page.open(address, int(width), int(height), "dark" in sys.argv[5:])
        time.sleep(1)
        page.screenshot(pathlib.Path(file))


if __name__ == "__main__":
    main()
