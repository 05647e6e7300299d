#!/usr/bin/env python3
"""Writes the small seeds of tests/fuzz/corpus/NAME/.  usage: make_corpus.py FOLDER (from the source root)

The NumPy and pandas files come from tests/golden/io, those of the safetensors package from tests/golden/nn; inputs that once made
a target fail are added by hand.
"""
import gzip
import json
import pathlib
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


def weights(kind, size, notes=None, **changes):
    """A file for the net of safetensors.c; changes replace a tensor's shape and places."""
    header, at = {"__metadata__": notes} if notes else {}, 0
    for name, shape in (("weight", [3, 2, 4]), ("bias", [4]), ("mean", [4])):
        count = 24 if name == "weight" else 4
        header[f"encoder.{name}"] = {"dtype": kind, "shape": shape, "data_offsets": [at, at + count * size]} | changes.get(name, {})
        at += count * size
    text = json.dumps(header, separators=(",", ":")).encode()
    return len(text).to_bytes(8, "little") + text + bytes(at)


SAFETENSORS = [weights("F32", 4), weights("F64", 8, {"made by": "\u00e9\n\"x\""}), weights("I64", 8), weights("F16", 2, bias={"shape": [2, 2]}),
               weights("F32", 4, mean={"data_offsets": [96, 112]}), weights("BF16", 2, weight={"shape": [2**62, 4, 24]}), b"\x02" + bytes(7) + b"{}",
               b"\xff" * 8 + b"{}"]


def main():
    folder = pathlib.Path(sys.argv[1])
    golden = pathlib.Path("tests/golden/io")
    text = b"t,v\n" + b"".join(b"%d,%d\n" % (i, i * i % 7) for i in range(40))
    seeds = {"csv": CSV, "ndjson": NDJSON, "json": JSON, "time": TIME, "state": STATE, "bundle": BUNDLE,
             "prometheus": PROMETHEUS, "safetensors": SAFETENSORS}
    seeds["safetensors"] += [p.read_bytes() for p in sorted(pathlib.Path("tests/golden/nn").glob("*.safetensors"))]
    seeds["npy"] = [p.read_bytes()[:700] for p in sorted(golden.glob("*.npy"))]
    seeds["npz"] = [p.read_bytes() for p in sorted(golden.glob("*.npz"))]
    seeds["gzip"] = [gzip.compress(text, mtime=0), gzip.compress(b"", mtime=0) + gzip.compress(text, mtime=0) + b"\0\0"]
    seeds["zstd"] = [subprocess.run(["zstd", "-q", "--check", "-c"], input=text, stdout=subprocess.PIPE, check=True).stdout]
    for name, items in seeds.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number, item in enumerate(items):
            (folder / name / f"seed-{number:02}").write_bytes(item)


if __name__ == "__main__":
    main()
