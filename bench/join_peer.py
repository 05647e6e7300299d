#!/usr/bin/env python3
"""The peer of join_bench: stumpy's matrix profile, one run per line of standard input.

usage: join_peer.py SERIES WINDOW PROFILE       (driven by join_bench; SERIES and PROFILE are files of float64)
Answers each line with the seconds of processor time of one run; the first run, which compiles, is not timed.
"""
import sys
import time

import numpy as np
import stumpy


def main():
    series, window = np.fromfile(sys.argv[1]), int(sys.argv[2])
    stumpy.stump(series, window)[:, 0].astype(float).tofile(sys.argv[3])
    print("stumpy", stumpy.__version__, flush=True)
    for _ in sys.stdin:
        begin = time.process_time()
        stumpy.stump(series, window)
        print(time.process_time() - begin, flush=True)


main()
