#!/usr/bin/env python3
"""The peer of ingest_bench: protobuf making objects of a remote-write 1.0 body, one run per line of standard input.

usage: ingest_peer.py BODY       (driven by ingest_bench; BODY is a file)
Answers each line with the seconds of processor time of one run, and the sum of all values, which is not timed.
"""
import pathlib
import sys
import time

import google.protobuf
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.internal import api_implementation

STRING, DOUBLE, INT64, MESSAGE, OPTIONAL, REPEATED = 9, 1, 3, 11, 1, 3
MESSAGES = {"Label": [("name", 1, STRING, OPTIONAL, None), ("value", 2, STRING, OPTIONAL, None)],
            "Sample": [("value", 1, DOUBLE, OPTIONAL, None), ("timestamp", 2, INT64, OPTIONAL, None)],
            "TimeSeries": [("labels", 1, MESSAGE, REPEATED, ".p.Label"), ("samples", 2, MESSAGE, REPEATED, ".p.Sample")],
            "WriteRequest": [("timeseries", 1, MESSAGE, REPEATED, ".p.TimeSeries")]}


def write_request():
    file = descriptor_pb2.FileDescriptorProto(name="p.proto", package="p", syntax="proto3")
    for name, fields in MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, number, kind, label, type_name in fields:
            message.field.add(name=field, number=number, type=kind, label=label, type_name=type_name)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("p.WriteRequest"))


def main():
    kind, body = write_request(), pathlib.Path(sys.argv[1]).read_bytes()
    print("protobuf", google.protobuf.__version__, api_implementation.Type(), flush=True)
    for _ in sys.stdin:
        begin = time.process_time()
        request = kind.FromString(body)
        seconds = time.process_time() - begin
        print(seconds, sum(sample.value for series in request.timeseries for sample in series.samples), flush=True)


main()
