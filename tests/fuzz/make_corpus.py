#!/usr/bin/env python3
"""Writes the small seeds of tests/fuzz/corpus/NAME/.  usage: make_corpus.py FOLDER (from the source root)

The NumPy and pandas files come from tests/golden/io, those of the safetensors package from tests/golden/nn; inputs that once made
a target fail are added by hand.
"""
import gzip
import json
import math
import pathlib
import struct
import subprocess
import sys

CSV = [b"\x00a,b\n1,2\n3,4.5\n", b"\x00time,v,label\n2024-01-01,1e5,0\n2024-01-02,,1\n", b"\x01a;b\n1,5;2\n3\n",
       b"\x02\"x\"\"y\",z\n\"1\",\"2\n3\"\n4,5\n", b"\x00\xef\xbb\xbf1 2 3\n4 5 6\n", b"\x00a\tb\nNA\t-inf\nTrue\t1e999\n",
       b"\x00# c\n\n0,1,2\n0.5,1,2\n,,\n", b"\x00\"1,234\",2\n", b"\x00x\r\n0.1234567890123456789e-300\r\n", b"\x14a|b\n1|2\n"]
NDJSON = [b'{"a":1,"b":{"c":[1,2]},"t":"2024-01-01"}\n{"a":null}\n', b"[1,2]\n[3,4]\n", b'{"a":"1.5","a":true}\n{"label":1,"a":2}']
JSON = [b'{"a":[1,-0.5e10,null,true,false],"b\\u0022":"\\ud83d\\ude00"}', b"[[[[]]]]", b'"x"', b"1e400"]
TIME = [b"2024-02-29T23:59:60.5+01:00\n2024-03-01 00:00", b"1700000000\n1700000001", b"03/02/2014 1:02 PM\n13/02/2014", b"20240229120000",
        b"Feb 3, 2014\n3 Feb 2014", b"1700000000123456789", b"-2208988800\n9e9", b"1677-09-21T00:12:44Z\n2262-04-11T23:47:16Z"]
PROMETHEUS = [b'{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"__name__":"up","job":"a"},"values":'
              b'[[1700000000,"1"],[1700000015.5,"NaN"]]},{"metric":{"__name__":"up","job":"b"},"values":[[1700000015.5,"-Inf"]]}]}}',
              b'{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[[1,"2e3"]]}]}}\0'
              b'{"data":{"result":[{"values":[[2,"+Inf"]],"metric":{}}],"resultType":"matrix"},"warnings":["w"],"status":"success"}',
              b'{"status":"error","errorType":"bad_data","error":"parse error"}', b'{"status":"success","data":{"resultType":"vector","result":[]}}',
              b'{"status":"success","isPartial":true,"data":{"resultType":"matrix","result":[{"metric":{},"histograms":[[1,{}]]}]}}']
STATE = [bytes([d, 0]) for d in range(0, 40)] + [bytes([d, 1]) for d in range(0, 40, 7)] + [bytes([d, 0, 80, 0, 255, 90, 0, 127]) for d in range(0, 40, 3)]

BUNDLE = ([bytes([p, 0]) for p in range(5)] + [bytes([p, 1]) for p in range(5)]
          + [bytes([p, 0, at & 255, at >> 8, 0, value]) for p in range(5) for at in (0, 9, 60, 700, 800, 900, 1000) for value in (0, 255)])

KNOWLEDGE = [b"version: 1\n", b"version: 1\nchannels:\n  a: {unit: bar, range: [0, ~], alarm: [{above: 10, for: 5min}, {below: 0.5}]}\n  'f*': {range: [0, 120]}\n",
             b"version: 1\nderived: {x: 'mean(a, 3) - lag(b, 90s)', y: d(x)/dt * 1h, z: 'max(abs(-y), `c d`, 1e3)'}\n"
             b"constraints: {c: a - b - x = 0 \xc2\xb1 3%, e: 'flow <= 2 * a +- 0.5', f: y >= -3 +/- 1}\n",
             b"version: 1\nzone: Europe/Berlin\nevents:\n  e: {weekly: [sun 02:30, mon 23:59], for: 2h}\n  f: {cron: '*/5 8-17 1,15 jan-mar *', for: 90s, channels: [a, 'f*']}\n"
             b"  g: {from: 2026-03-29T02:30, to: 2026-03-30}\n  h: {days: [2026-12-25, 01-01], zone: '-03:30'}\n  i: {daily: '02:00', for: 1h, zone: UTC}\n",
             b"version: 1\nrules:\n  r: {when: not (a < 3 and b >= 2) or flow != 1, says: anomaly}\n  s: {when: 'lag(a, 1) = a', says: normal}\n"
             b"signatures:\n  t: {order: any, steps: [{channel: a, shape: rise}, {channel: 'f*', shape: drop-out}]}\n"
             b"  u: {steps: [{channel: a, shape: stuck}, {channel: b, shape: noise, within: 60s}]}\n",
             b"version: 1\nconstraints: {a1: a = 3 +- 1, a2: a = 9 +- 1, x: y = 1 +- 1, y: x = 2 +- 1}\n", b"version: 1\nderived: {x: y + 1, y: x * 2}\n",
             b"version: 1\na: &x [1]\nb: *x\n", b"a: [1\n", b"--- \n...\n---\n", b"version: 1\nderived:\n  x: ((((((((((a))))))))))\n",
             b"version: 1\nchannels:\n  a: {range: [5, 2]}\n  b: {alarm: {}}\n"]

ALERT = [b'\x00{"episode":"e","incident":"","state":"confirmed","revision":2,"tags":{"__name__":"load","a-b":"x","a_b":"\\"\\n"},'
         b'"starts":"2023-11-14T22:13:20.5Z","ends":"2023-11-14T22:14:20Z","updated":"2023-11-14T22:13:50Z","severity":72.5,"value":17,'
         b'"expected_lower":1,"expected_upper":3,"summary":"x\\r\\nBcc: y \xc3\xa4","description":"d","url":"http://t","trace":""}',
         b'\x00{"episode":"e","state":"dismissed","revision":0,"tags":{}}', b'\x01host=~"db[0-9]|x"', b'\x01a!="b\\"c"', b"\x01host!~db.*",
         b"\x02programs: [/bin/x]\nescalate_after: 5min\nreceivers:\n- {name: a, kind: alertmanager, url: 'http://h', labels: {s: p}, match: [a=b]}\n"
         b"- {name: b, kind: mail, url: 'smtp://h', from: a@b, to: [c@d]}\n- {name: c, kind: command, program: [/bin/x, y], live: yes}\n"
         b"silences:\n- {match: [a=b], from: 2026-01-01, until: 2026-01-02T00:00:00+01:00, author: x}\n"]

# The files of /proc in the order of collect.c.
COLLECT = ["stat", "loadavg", "meminfo", "vmstat", "diskstats", "net/dev", "pressure/cpu", "pressure/io", "pressure/memory", "sys/fs/file-nr",
           "self/mountinfo"]


def weights(kind, size, notes=None, **changes):
    """A file for the net of safetensors.c; changes replace a tensor's shape and places."""
    header, at = {"__metadata__": notes} if notes else {}, 0
    for name, shape in (("weight", [3, 2, 4]), ("bias", [4]), ("mean", [4])):
        count = 24 if name == "weight" else 4
        header[f"encoder.{name}"] = {"dtype": kind, "shape": shape, "data_offsets": [at, at + count * size]} | changes.get(name, {})
        at += count * size
    text = json.dumps(header, separators=(",", ":")).encode()
    return len(text).to_bytes(8, "little") + text + bytes(at)



def block_columns(rows):
    """rows: (time, double, double, float): what block.c encodes."""
    return b"\x01" + b"".join(struct.pack(f"<{len(rows)}{kind}", *(row[c] for row in rows)) for c, kind in enumerate("qddf"))


# By hand: 3 rows at 1, 2, 3 s, one column of doubles 0.5, 0.5, 0.5 (the integers 5 / 10), then one with a window of 64 bits.
BLOCK = [block_columns([(i * 10**9, i / 10, math.sin(i), 1 / (i + 1)) for i in range(40)]),
         block_columns([(0, math.nan, -0.0, math.inf), (-2**63, 1e308, 5e-324, -1.0), (2**63 - 1, 2.0**53, 0.1, 0.0)]),
         b"\0b\x01\x01\0" + struct.pack("<I", 3) + b"\0\x09\x01" + bytes(2) + struct.pack("<Q", 1) + bytes([2 | 2 << 7 & 255, 2 >> 1 | 2 << 1])
         + b"\0\x01\x01" + bytes(2) + struct.pack("<Q", 5) + b"\0",
         b"\0b\x01\x01\0" + struct.pack("<I", 2) + b"\0\x09\x01" + bytes(2) + struct.pack("<Q", 1) + b"\x02\x01"
         + b"\x01" + struct.pack("<d", 1.5) + b"\x03\x3f" + bytes(8)]

SAFETENSORS = [weights("F32", 4), weights("F64", 8, {"made by": "\u00e9\n\"x\""}), weights("I64", 8), weights("F16", 2, bias={"shape": [2, 2]}),
               weights("F32", 4, mean={"data_offsets": [96, 112]}), weights("BF16", 2, weight={"shape": [2**62, 4, 24]}), b"\x02" + bytes(7) + b"{}",
               b"\xff" * 8 + b"{}"]


LINES = [b"\0cpu,host=a usage=1,idle=2i 5\ncpu value=t\n", b"\1a\\ b,c\\,d=e\\=f g=\"h \\\" i\",j=1u -7", b"\3# c\r\n\r\na v=1e5 1700000000", b"\2a,b=c",
         b"\0a s=\"x\ny\",v=0.5 9223372036854775807\nb v=NaN\nc v=1"]
ROWS = [b'{"series":{"name":"a","b":1},"time":"2026-01-05T00:00:00Z","value":1}\n{"series":"a{b=\\"c\\"}","ts":1767571200,"value":"2"}',
        b'{"time":1767571200000,"h":"x","v":1,"m":{"n":[true,null]}}\n[1]\n{"v":']
KEYS = [b'up{job="a",b="c\\n"}', b'{"a b","c d"="e",}', b"\1\0a\1\0x\1\0b\1\0y", b'a:b { x = "" }']
COMPRESSED = [b"\x80application/x-protobuf;proto=io.prometheus.write.v2.Request\0snappy", b"\x81application/json; charset=x\0gzip", b"\x82\0\0us",
              b"\x83application/x-ndjson\0zstd", b"\x01\xff\xff\xff\xff\x0f"]


def unsnap(block):
    """What a Snappy block holds (google/snappy, format_description.txt)."""
    at, out = 0, bytearray()
    while block[at] & 0x80:
        at += 1
    at += 1
    while at < len(block):
        tag, at = block[at], at + 1
        if tag & 3 == 0:
            size, more = (tag >> 2) + 1, max(0, (tag >> 2) - 59)
            if more:
                size, at = int.from_bytes(block[at:at + more], "little") + 1, at + more
            out, at = out + block[at:at + size], at + size
            continue
        width = (1, 2, 4)[(tag & 3) - 1]
        size, offset = ((tag >> 2 & 7) + 4, (tag >> 5 << 8) + block[at]) if width == 1 else ((tag >> 2) + 1, int.from_bytes(block[at:at + width], "little"))
        at += width
        for _ in range(size):
            out.append(out[-offset])
    return bytes(out)


def ingest_seeds(seeds):
    """Bodies of tests/golden/ingest, those of remote-write decompressed."""
    golden = pathlib.Path("tests/golden/ingest")
    body = lambda name: (golden / f"{name}.body").read_bytes()
    seeds["line_protocol"] = LINES + [b"\0" + body("line_protocol")]
    seeds["ingest_ndjson"] = ROWS + [body("ndjson")]
    seeds["series_key"] = KEYS
    seeds["otlp_protobuf"], seeds["otlp_json"] = [body("otlp_protobuf")], [body("otlp_json")]
    for version in (1, 2):
        names = [f"remote_write_{version}", f"remote_write_{version}_rest"]
        seeds[names[0]] = [unsnap(body(name)) for name in names]
    seeds["compressed"] = COMPRESSED + [b"\x01" + body("remote_write_1"), b"\x05" + body("remote_write_2"), b"\x0a" + body("otlp_protobuf_gzip")]

SELECTORS = [b'up{job="node",instance=~"10\\.0\\.0\\.[12]:.*",a!="",b!~`x|y`}', b'{"http.requests",path="/a \\"b\\x22\\u00e9"}', b" up { } ",
             b"{__name__=~'a|b',}", b"rate(up[5m])", b"(?i)a{2,3}(b|c*)+?[^d-f\\d]$", b"^(a?){60}.{3}\\W\\x41", b"((a*)*)*|(b|(c|d)){2,}"]
TOKEN = b'{"id":"0123456789abcdef","name":"a","role":"viewer","created":1767225600,"expires":null,"hash":"$argon2id$v=19$m=65536,t=2,p=1$x$y"}'
HTTP = [b"\0/api/v1/series/a%2Fb?x=1&y=a+b&match[]=z", b"\0http://localhost/a/../b/./c//d?flag", b"\0/%E2%82%AC/%2e%2e/x", b"\0*",
        b"\1Bearer tcs_0123456789abcdef_00", b"\1text/plain;q=0.5,application/openmetrics-text;version=1.0.0, */*;q=0.1",
        b'\1application/json; charset="utf-8"', b"\1127.0.0.1:9090", b"\00100-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        b"\2# tokens\n" + TOKEN + b"\n", b"\3POST /a/some%2Fthing/b?limit=5&k=x&k=y HTTP/1.1\nContent-Type: application/json\n\n{}",
        b"\3POST /a/x/b?limit=5&k=x\nContent-Type: application/json\nHost: localhost\nOrigin: http://localhost\n\n{}",
        b"\3GET /metrics\nAccept: application/openmetrics-text\ntraceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        b"\3GET /api/v1/openapi.json\nHost: evil", b"\3OPTIONS *", b"\3GET /readyz\nContent-Length: 1\nTransfer-Encoding: chunked"]


def main():
    folder = pathlib.Path(sys.argv[1])
    golden = pathlib.Path("tests/golden/io")
    text = b"t,v\n" + b"".join(b"%d,%d\n" % (i, i * i % 7) for i in range(40))
    seeds = {"csv": CSV, "ndjson": NDJSON, "json": JSON, "time": TIME, "state": STATE, "bundle": BUNDLE,
             "prometheus": PROMETHEUS, "safetensors": SAFETENSORS, "knowledge": KNOWLEDGE, "alert": ALERT, "block": BLOCK, "http": HTTP,
             "selector": SELECTORS}
    seeds["safetensors"] += [p.read_bytes() for p in sorted(pathlib.Path("tests/golden/nn").glob("*.safetensors"))]
    zones = pathlib.Path("/usr/share/zoneinfo")
    seeds["knowledge"] += [b"\0" + (zones / name).read_bytes() for name in ("Europe/Berlin", "Asia/Kolkata")]
    seeds["npy"] = [p.read_bytes()[:700] for p in sorted(golden.glob("*.npy"))]
    seeds["npz"] = [p.read_bytes() for p in sorted(golden.glob("*.npz"))]
    seeds["gzip"] = [gzip.compress(text, mtime=0), gzip.compress(b"", mtime=0) + gzip.compress(text, mtime=0) + b"\0\0"]
    seeds["zstd"] = [subprocess.run(["zstd", "-q", "--check", "-c"], input=text, stdout=subprocess.PIPE, check=True).stdout]
    kernel = pathlib.Path("tests/golden/collect/linux-6.18")
    seeds["collect"] = [bytes([which]) + (kernel / name).read_bytes()[:1500] for which, name in enumerate(COLLECT)]
    seeds["collect"] += [b"\x80cpu0 1 2 3\ncpu1 4 5 6 7 8 9 10 11 12\nctxt 5\n", b"\x04 8 0 sda 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15\n",
                         b"\x05  eth0:1:1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n",
                         b"\x0b36 35 98:0 /r /m\\040\\134 ro master:1 - ext3 /dev/r ro,x\n37 1 98:0 / / rw - ext3 /dev/r rw\n"]
    ingest_seeds(seeds)
    for name, items in seeds.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number, item in enumerate(items):
            (folder / name / f"seed-{number:02}").write_bytes(item)


if __name__ == "__main__":
    main()
