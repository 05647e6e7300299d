#!/usr/bin/env python3
"""Captures what a real Prometheus remote-writes, and what it says: prometheus_values and prometheus_stale.

usage: capture.py [FOLDER]     needs what generate.py needs and `prometheus` on the path; captured with Debian 12's 2.42.0

Prometheus scrapes a small exporter of ours each second: a gauge, a counter, a histogram, a summary, NaN and infinities, names and values
beyond ASCII.  After four scrapes the exporter answers 503, and Prometheus marks its series as stale.  Of the bodies it sends the one with
the most values and the one with the most marks are kept; what each holds is decoded by Python's protobuf.
"""
import http.server
import pathlib
import subprocess
import sys
import tempfile
import threading
import time

import cramjam

import generate

EXPOSITION = """# TYPE room_temperature gauge
room_temperature{room="k\u00fcche \\"eins\\"\\\\"} 21.5
room_temperature{room="none"} NaN
room_temperature{room="sun"} +Inf
# TYPE requests counter
requests_total{code="200",path="/a,b"} 1027
# TYPE latency histogram
latency_bucket{le="0.1"} 3
latency_bucket{le="+Inf"} 5
latency_sum 0.75
latency_count 5
# TYPE pause summary
pause{quantile="0.5"} 0.01
pause_sum 1.5
pause_count 40
"""
SCRAPES_UNTIL_GONE, WAIT_S = 4, 15
scrapes, bodies = [], []


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        scrapes.append(time.time())
        gone = len(scrapes) > SCRAPES_UNTIL_GONE
        self.send_response(503 if gone else 200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.end_headers()
        self.wfile.write(b"" if gone else EXPOSITION.encode())

    def do_POST(self):
        bodies.append((dict(self.headers), self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


def run(port, folder):
    config = folder / "prometheus.yml"
    config.write_text(f"""
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
scrape_configs: [{{job_name: test, static_configs: [{{targets: ['127.0.0.1:{port}']}}]}}]
remote_write: [{{url: 'http://127.0.0.1:{port}/api/v1/write', queue_config: {{batch_send_deadline: 1s}}}}]
""")
    server = subprocess.Popen(["prometheus", f"--config.file={config}", f"--storage.tsdb.path={folder}/data", "--web.listen-address=127.0.0.1:0",
                               "--log.level=error"])
    try:
        time.sleep(WAIT_S)
    finally:
        server.terminate()
        server.wait()


def main():
    target = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory() as folder:
        run(server.server_port, pathlib.Path(folder))
    pb = generate.compile_proto(generate.REMOTE_WRITE_1, "write1")
    read = []
    for headers, body in bodies:
        assert headers["Content-Type"] == "application/x-protobuf" and headers["Content-Encoding"] == "snappy", headers
        request = pb.WriteRequest.FromString(bytes(cramjam.snappy.decompress_raw(body)))
        values = [(series, sample) for series in request.timeseries for sample in series.samples]
        stale = sum(generate.struct.pack(">d", sample.value).hex() == "7ff0000000000002" for _, sample in values)
        read.append((len(values) - stale, stale, values, body))
    for name, (_, stale, values, body) in (("prometheus_values", max(read, key=lambda r: r[0])), ("prometheus_stale", max(read, key=lambda r: r[1]))):
        is_finite = lambda value: value - value == 0
        kept = [(series, sample) for series, sample in values
                if is_finite(sample.value) or generate.struct.pack(">d", sample.value).hex() == "7ff0000000000002"]
        lines = [generate.line({pair.name: pair.value for pair in series.labels}, "unstated", sample.timestamp * 1000000, sample.value)
                 for series, sample in kept]
        counts = {"accepted": len(kept) - stale, "stale": stale, "not_finite": len(values) - len(kept)}
        generate.write(target, name, body, lines + [f"# {outcome} {count}" for outcome, count in counts.items() if count])


if __name__ == "__main__":
    main()
