#!/usr/bin/env python3
"""Holds the table of rooms and floors and fails when a file includes a room that its own may not use.

usage: check_layers.py SOURCE_ROOT
A room may use the rooms in its row and whatever those may use.  Equal floors never include each other.
Vendor headers have one door each, some one a room: the file listed in DOORS.  Prints TAP.
"""
import pathlib
import re
import sys

# room: (floor, rooms it may use)
ROOMS = {
    "base": (0, []),
    "series": (1, ["base"]),
    "kernels": (1, ["base"]),
    "io": (2, ["series"]),
    "nn": (2, ["kernels"]),
    "metrics": (2, ["series"]),
    "simulate": (2, ["series"]),
    "knowledge": (2, ["series"]),
    "store": (2, ["base"]),
    "detect": (3, ["series", "kernels", "nn", "simulate"]),
    "decide": (3, ["series", "metrics", "knowledge"]),
    "explain": (4, ["detect", "decide"]),
    "adapt": (4, ["detect", "decide"]),
    "pipeline": (5, ["explain", "adapt", "knowledge"]),
    "study": (6, ["pipeline", "metrics", "simulate", "io", "store"]),
    "serve": (6, ["pipeline", "io", "store"]),
    "api": (7, ["study", "serve"]),
}
APPS_MAY_USE = {"study", "serve", "store", "tocsin", "base"}  # base: docs/decisions/0002

# vendor header: the one file that may include it, or one a room
DOORS = {
    "snappy-c.h": "src/base/snappy.c",
    "sodium.h": "src/base/secret.c",
    "microhttpd.h": "src/serve/http/server.c",
    "gnutls/gnutls.h": "src/serve/http/tls.c",
    "gnutls/abstract.h": "src/serve/http/tls.c",
    "gnutls/x509.h": "src/serve/http/tls.c",
    "zlib.h": "src/io/stream_gzip.c",
    "zstd.h": "src/io/stream_zstd.c",
    "sqlite3.h": ["src/io/sqlite.c", "src/store/sqlite.c"],
    "libpq-fe.h": ["src/io/postgresql.c", "src/store/postgresql.c"],
    "curl/curl.h": "src/io/http.c",
    "cairo.h": "src/io/plot.c",
    "yaml.h": "src/knowledge/yaml.c",
}

INCLUDE = re.compile(r'^\s*#\s*include\s*["<]([^">]+)[">]', re.M)


def reach(room):
    """Every room that room may use, directly or through others, and itself."""
    seen, todo = {room}, list(ROOMS[room][1])
    while todo:
        other = todo.pop()
        if other not in seen:
            seen.add(other)
            todo += ROOMS[other][1]
    return seen


def violations(root):
    for path in sorted(root.glob("src/*/**/*.[ch]")) + sorted(root.glob("apps/**/*.[ch]")):
        name = path.relative_to(root).as_posix()
        is_test = name.endswith("_test.c")
        room = name.split("/")[1] if name.startswith("src/") else None
        if room and room not in ROOMS:
            yield f"{name}: '{room}' is not a room; rooms are listed in tools/check_layers.py"
            continue
        for header in INCLUDE.findall(path.read_text(errors="replace")):
            doors = DOORS.get(header, [])
            doors = [doors] if isinstance(doors, str) else doors
            if doors and name not in doors:
                yield f"{name}: <{header}> has one door{' a room' if len(doors) > 1 else ''}, {' and '.join(doors)}"
            target = header.split("/")[0]
            if target == "tocsin" and room and room != "api" and header != "tocsin/types.h":
                yield f"{name}: includes {header}; rooms below api use tocsin/types.h only"
            if room and target in ROOMS and target not in reach(room) and not is_test:
                yield f"{name}: includes {header}, but {room} may use {sorted(reach(room))} only"
            if room is None and "/" in header and target in ROOMS and target not in APPS_MAY_USE:
                yield f"{name}: includes {header}; the command uses the public API, study, serve, store and base"


def main():
    for room, (floor, uses) in ROOMS.items():
        for other in uses:
            assert ROOMS[other][0] < floor, f"{room} (floor {floor}) may not use {other}"
    found = list(violations(pathlib.Path(sys.argv[1])))
    print("1..1")
    print("ok 1 - rooms and floors" if not found else "not ok 1 - rooms and floors")
    for line in found:
        print("#", line)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
