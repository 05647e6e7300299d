#!/usr/bin/env python3
"""Writes bodies of requests made by independent encoders, and what each says.

usage: generate.py [FOLDER]     needs protobuf 7.36.2, grpcio-tools 1.85.1, opentelemetry-proto 1.45.2, cramjam 2.14.0 (Snappy)

NAME.body is a request's body as it travels.  NAME.expected has a line for each sample in order, made from the same Python objects and
not from the bytes: text form of the key, kind, time in ns, bits of the value in hexadecimal, separated by tabs; then a line
`# OUTCOME COUNT` for each outcome that occurs.  Deterministic: no seed, no clock.
"""
import pathlib
import struct
import subprocess
import sys
import tempfile

import cramjam

REMOTE_WRITE_1 = """
syntax = "proto3"; package prometheus;
message WriteRequest { repeated TimeSeries timeseries = 1; repeated MetricMetadata metadata = 3; }
message MetricMetadata { uint32 type = 1; string metric_family_name = 2; string help = 4; string unit = 5; }
message Sample { double value = 1; int64 timestamp = 2; }
message Exemplar { repeated Label labels = 1; double value = 2; int64 timestamp = 3; }
message Histogram { uint64 count_int = 1; double sum = 3; sint32 schema = 4; int64 timestamp = 15; }
message TimeSeries { repeated Label labels = 1; repeated Sample samples = 2; repeated Exemplar exemplars = 3; repeated Histogram histograms = 4; }
message Label { string name = 1; string value = 2; }
"""
REMOTE_WRITE_2 = """
syntax = "proto3"; package io.prometheus.write.v2;
message Request { repeated string symbols = 4; repeated TimeSeries timeseries = 5; }
message TimeSeries { repeated uint32 labels_refs = 1; repeated Sample samples = 2; repeated Histogram histograms = 3; repeated Exemplar exemplars = 4;
                     Metadata metadata = 5; int64 created_timestamp = 6; }
message Exemplar { repeated uint32 labels_refs = 1; double value = 2; int64 timestamp = 3; }
message Sample { double value = 1; int64 timestamp = 2; }
message Metadata { uint32 type = 1; uint32 help_ref = 3; uint32 unit_ref = 4; }
message Histogram { uint64 count_int = 1; double sum = 3; sint32 schema = 4; int64 timestamp = 15; }
"""
STALE = struct.unpack("<d", struct.pack("<Q", 0x7FF0000000000002))[0]
MS = 1764158400000  # 2025-11-26T12:00:00Z
METRIC = "__name__"


def compile_proto(text, module):
    with tempfile.TemporaryDirectory() as folder:
        (pathlib.Path(folder) / f"{module}.proto").write_text(text)
        subprocess.run([sys.executable, "-m", "grpc_tools.protoc", f"-I{folder}", f"--python_out={folder}", f"{module}.proto"], check=True)
        sys.path.insert(0, folder)
        try:
            return __import__(f"{module}_pb2")
        finally:
            sys.path.pop(0)


def key_text(tags):
    tags = {name: value for name, value in tags.items() if value}
    escape = lambda text: '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
    plain = lambda text, more="": all(c.isascii() and (c.isalnum() or c in "_" + more) for c in text) and not text[0].isdigit()
    metric = tags.pop(METRIC, None)
    parts = [escape(metric)] if metric and not plain(metric, ":") else []
    parts += [f"{name if plain(name) else escape(name)}={escape(value)}" for name, value in sorted(tags.items(), key=lambda tag: tag[0].encode())]
    return (metric if metric and plain(metric, ":") else "") + ("{" + ",".join(parts) + "}" if parts else "")


def bits(value):
    return struct.pack(">d", value).hex() if value == value else "7ff0000000000002"


def line(tags, kind, time_ns, value):
    return f"{key_text(tags)}\t{kind}\t{time_ns}\t{bits(value)}"


# tags, kind as version 2.0 tells it, samples of (ms, value)
SERIES = [
    ({METRIC: "up", "instance": "a:9100", "job": "node"}, "gauge", [(MS, 1.0)]),
    ({METRIC: "node_cpu_seconds_total", "cpu": "0", "instance": "a:9100", "job": "node", "mode": "idle"}, "counter",
     [(MS, 12345.67), (MS + 15000, 12360.5)]),
    ({METRIC: "zero", "empty": "", "odd": 'q"\\\n\u00e9'}, "gauge", [(MS, 0.0), (MS + 1, -0.0), (0, 5e-324), (-1, 1.7976931348623157e308)]),
    ({METRIC: "http.server.duration", "http.route": "/x", "long": "v" * 300}, "unstated", [(MS, -1.5)]),
    ({METRIC: "gone", "job": "node"}, "gauge", [(MS, 3.0), (MS + 15000, STALE)]),
]


def samples_of(series, kinds):
    return [line(tags, kind if kinds else "unstated", ms * 1000000, value) for tags, kind, samples in series for ms, value in samples]


def remote_write_1(pb, series):
    request = pb.WriteRequest()
    for tags, _, samples in series:
        entry = request.timeseries.add()
        for name, value in tags.items():
            entry.labels.add(name=name, value=value)
        for ms, value in samples:
            entry.samples.add(value=value, timestamp=ms)
    return request


def remote_write_2(pb, series):
    request, places = pb.Request(symbols=[""]), {"": 0}
    types = {"unstated": 5, "counter": 1, "gauge": 2}

    def place(text):
        if text not in places:
            places[text] = len(request.symbols)
            request.symbols.append(text)
        return places[text]

    for tags, kind, samples in series:
        entry = request.timeseries.add()
        for name, value in tags.items():
            entry.labels_refs.extend([place(name), place(value)])
        for ms, value in samples:
            entry.samples.add(value=value, timestamp=ms)
        entry.metadata.type = types[kind]
        entry.metadata.help_ref = place("what it is")
    return request


def write(folder, name, body, expected):
    (folder / f"{name}.body").write_bytes(body)
    (folder / f"{name}.expected").write_text("\n".join(expected) + "\n")


def snappy(message):
    return bytes(cramjam.snappy.compress_raw(message.SerializeToString()))


def remote_write(folder):
    one, two = compile_proto(REMOTE_WRITE_1, "write1"), compile_proto(REMOTE_WRITE_2, "write2")
    count = ["# accepted 9", "# stale 1"]
    write(folder, "remote_write_1", snappy(remote_write_1(one, SERIES)), samples_of(SERIES, False) + count)
    write(folder, "remote_write_2", snappy(remote_write_2(two, SERIES)), samples_of(SERIES, True) + count)

    request = remote_write_1(one, SERIES[:1])  # what is not taken, around what is
    entry = request.timeseries[0]
    entry.exemplars.add(value=1.0, timestamp=MS).labels.add(name="trace_id", value="x")
    entry.histograms.add(count_int=5, sum=2.5, schema=3, timestamp=MS)
    entry.samples.add(value=float("nan"), timestamp=MS)
    entry.samples.add(value=float("inf"), timestamp=MS)
    entry.samples.add(value=1.0, timestamp=2**62)
    request.metadata.add(type=1, metric_family_name="up", help="is it up")
    write(folder, "remote_write_1_rest", snappy(request),
          samples_of(SERIES[:1], False) + ["# accepted 1", "# not_finite 2", "# exemplar 1", "# histogram 1", "# time_invalid 1"])
    request = remote_write_2(two, SERIES[:1])
    entry = request.timeseries[0]
    entry.exemplars.add(value=1.0, timestamp=MS, labels_refs=[1, 2])
    entry.histograms.add(count_int=5, sum=2.5, schema=3, timestamp=MS)
    entry.created_timestamp = MS - 1000
    write(folder, "remote_write_2_rest", snappy(request), samples_of(SERIES[:1], True) + ["# accepted 1", "# exemplar 1", "# histogram 1"])


def main():
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent)
    remote_write(folder)


if __name__ == "__main__":
    main()
