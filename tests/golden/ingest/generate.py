#!/usr/bin/env python3
"""Writes bodies of requests made by independent encoders, and what each says.

usage: generate.py [FOLDER]     needs protobuf 7.36.2, grpcio-tools 1.85.1, opentelemetry-proto 1.45.2, influxdb-client 1.50.0,
                                cramjam 2.14.0 (Snappy)

NAME.body is a request's body as it travels.  NAME.expected has a line for each sample in order, made from the same Python objects and
not from the bytes: text form of the key, kind, time in ns, bits of the value in hexadecimal, separated by tabs; then a line
`# OUTCOME COUNT` for each outcome that occurs.  Deterministic: no seed, no clock.
"""
import gzip
import json
import pathlib
import struct
import subprocess
import sys
import tempfile

import cramjam
from google.protobuf import json_format
from influxdb_client import Point, WritePrecision
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

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


NS = MS * 1000000


def attributes(target, values):
    for name, value in values.items():
        pair = target.add(key=name)
        kind = {str: "string_value", bool: "bool_value", int: "int_value", float: "double_value", bytes: "bytes_value"}[type(value)]
        setattr(pair.value, kind, value)


def otlp_request():
    """Every type of metric and value, and what each becomes."""
    request, expected = ExportMetricsServiceRequest(), []
    group = request.resource_metrics.add()
    attributes(group.resource.attributes, {"service.name": "shop", "service.namespace": "web", "service.instance.id": "i-1", "host.name": "h1",
                                           "process.pid": 77, "telemetry.sdk.name": "x", "k8s.ready": True, "9lives": 9, "load": 0.5, "raw": b"x"})
    tags = {"job": "web/shop", "instance": "i-1", "host_name": "h1", "k8s_ready": "true", "key_9lives": "9", "load": "0.5"}
    scope = group.scope_metrics.add()
    scope.scope.name = "library"

    def metric(name, unit):
        return scope.metrics.add(name=name, unit=unit, description="d")

    def expect(name, kind, value, time_ns=NS, **more):
        expected.append(line({**tags, METRIC: name, **more}, kind, time_ns, value))

    gauge = metric("system.memory.usage", "By").gauge
    attributes(gauge.data_points.add(time_unix_nano=NS, as_int=-5).attributes, {"state": "used", "host.name": "other"})
    expect("system_memory_usage_bytes", "gauge", -5.0, state="used", host_name="other")
    gauge.data_points.add(time_unix_nano=NS + 1, as_double=0.25)
    expect("system_memory_usage_bytes", "gauge", 0.25, NS + 1)
    gauge.data_points.add(time_unix_nano=NS, flags=1)
    expect("system_memory_usage_bytes", "gauge", STALE)
    gauge.data_points.add(time_unix_nano=NS)  # no value and no flag
    gauge.data_points.add(time_unix_nano=NS, as_double=float("nan"))
    gauge.data_points.add(time_unix_nano=NS, as_double=float("-inf"))
    gauge.data_points.add(as_double=1.0)  # no time
    counter = metric("http.server.requests", "{request}").sum
    counter.is_monotonic, counter.aggregation_temporality = True, 2
    counter.data_points.add(start_time_unix_nano=NS - 10**9, time_unix_nano=NS, as_int=2**53).exemplars.add(time_unix_nano=NS, as_int=1)
    expect("http_server_requests_total", "counter", float(2**53))
    total = metric("bytes_total", "By/s").sum
    total.is_monotonic, total.aggregation_temporality = True, 2
    total.data_points.add(time_unix_nano=NS, as_int=3)
    expect("bytes_bytes_per_second_total", "counter", 3.0)
    level = metric("queue length", "1").sum
    level.aggregation_temporality = 2
    level.data_points.add(time_unix_nano=NS, as_int=4)
    expect("queue_length", "gauge", 4.0)
    delta = metric("sent", "").sum
    delta.is_monotonic, delta.aggregation_temporality = True, 1
    delta.data_points.add(start_time_unix_nano=NS - 10 * 10**9, time_unix_nano=NS, as_int=50)
    expect("sent_total", "rate", 5.0)
    delta.data_points.add(time_unix_nano=NS, as_int=50)  # no beginning
    delta.data_points.add(start_time_unix_nano=NS, time_unix_nano=NS, as_int=50)  # no interval
    metric("unsaid", "").sum.data_points.add(time_unix_nano=NS, as_int=1)
    histogram = metric("latency", "ms").histogram
    histogram.aggregation_temporality = 2
    point = histogram.data_points.add(time_unix_nano=NS, count=7, sum=12.5, bucket_counts=[3, 4], explicit_bounds=[10.0])
    attributes(point.attributes, {"path": "/a"})
    expect("latency_milliseconds_count", "counter", 7.0, path="/a")
    expect("latency_milliseconds_sum", "counter", 12.5, path="/a")
    exponential = metric("size", "By").exponential_histogram
    exponential.aggregation_temporality = 1
    point = exponential.data_points.add(start_time_unix_nano=NS - 2 * 10**9, time_unix_nano=NS, count=6, sum=3.0, scale=2, zero_count=1)
    point.positive.bucket_counts.extend([1, 4])
    attributes(point.attributes, {"path": "/b"})
    expect("size_bytes_count", "rate", 3.0, path="/b")
    expect("size_bytes_sum", "rate", 1.5, path="/b")
    exponential.data_points.add(start_time_unix_nano=NS - 2 * 10**9, time_unix_nano=NS + 1, count=1)  # no sum
    expected.append(line({**tags, METRIC: "size_bytes_count"}, "rate", NS + 1, 1 / ((2 * 10**9 + 1) / 1e9)))
    summary = metric("pause", "s").summary
    point = summary.data_points.add(time_unix_nano=NS, count=2, sum=0.5)
    point.quantile_values.add(quantile=0.5, value=0.1)
    attributes(point.attributes, {"path": "/c"})
    expect("pause_seconds_count", "counter", 2.0, path="/c")
    expect("pause_seconds_sum", "counter", 0.5, path="/c")
    other = request.resource_metrics.add()
    attributes(other.resource.attributes, {"service.name": "bare"})
    other.scope_metrics.add().metrics.add(name="share", unit="1").gauge.data_points.add(time_unix_nano=NS, as_double=0.5)
    expected.append(line({"job": "bare", METRIC: "share_ratio"}, "gauge", NS, 0.5))
    accepted = sum(not text.endswith("7ff0000000000002") for text in expected)
    counts = [f"# accepted {accepted}", "# stale 1", "# not_finite 2", "# no_value 1", "# exemplar 1", "# buckets 3", "# no_interval 2", "# temporality 1",
              "# time_invalid 1"]
    return request, expected + counts


def otlp(folder):
    request, expected = otlp_request()
    text = json_format.MessageToJson(request, use_integers_for_enums=True, indent=None).encode()
    write(folder, "otlp_protobuf", request.SerializeToString(), expected)
    write(folder, "otlp_protobuf_gzip", gzip.compress(request.SerializeToString(), mtime=0), expected)
    write(folder, "otlp_json", text, expected)


def line_protocol(folder):
    points, expected = [], []

    def add(measurement, tags, fields, time_ns):
        point = Point(measurement).time(time_ns, WritePrecision.NS)
        for name, value in tags.items():
            point.tag(name, value)
        for name, value in fields.items():
            point.field(name, value)
        points.append(point.to_line_protocol())
        for name, value in sorted(fields.items()):
            if not isinstance(value, str):
                metric = measurement if name == "value" else f"{measurement}_{name}"
                expected.append(line({**tags, METRIC: metric}, "unstated", time_ns, float(value)))

    add("cpu", {"host": "a", "region": "eu west"}, {"usage_idle": 92.5, "usage_user": 3, "up": True, "state": 'a "b" \\ c, d=e'}, NS)
    add("disk, used=x", {"pa=th": "/a b,c", "z\u00fc": "\u00e9"}, {"fr ee": 1e300, "value": -0.5, "eq=ual": False}, NS + 123456789)
    add("temperature", {}, {"value": 21}, 0)
    write(folder, "line_protocol", ("\n".join(points) + "\n").encode(), expected + [f"# accepted {len(expected)}", "# text 1"])


def ndjson(folder):
    rows = [{"series": {"name": "cpu", "host": "a", "core": 3, "idle": True, "none": None}, "time": "2025-11-26T12:00:00Z", "value": 0.5},
            {"series": 'cpu{host="a"}', "time": MS, "value": "1e-3"},
            {"time": MS // 1000, "host": "b", "cpu": 0.5, "memory": {"used": 3, "swap": {"on": False}}, "list": [1, 2], "kind": "x"},
            {"timestamp": NS + 1, "load": None, "zone": {"name": "z"}, "v": 2.5}]
    ms_ns = MS * 1000000
    row = {"host": "b", "kind": "x"}
    expected = [line({METRIC: "cpu", "host": "a", "core": "3", "idle": "true"}, "unstated", ms_ns, 0.5),
                line({METRIC: "cpu", "host": "a"}, "unstated", ms_ns, 0.001)]
    expected += [line({METRIC: name, **row}, "unstated", ms_ns, value)
                 for name, value in (("cpu", 0.5), ("memory.used", 3.0), ("memory.swap.on", 0.0), ("list.0", 1.0), ("list.1", 2.0))]
    expected += [line({METRIC: "v", "zone.name": "z"}, "unstated", NS + 1, 2.5)]
    text = "\n".join(json.dumps(row) for row in rows).encode()
    write(folder, "ndjson", text, expected + [f"# accepted {len(expected)}", "# no_value 1"])


def main():
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent)
    remote_write(folder)
    otlp(folder)
    line_protocol(folder)
    ndjson(folder)


if __name__ == "__main__":
    main()
