#!/usr/bin/env python3
"""Turns the built dashboard into C arrays, each file plain and as gzip (src/serve/web/web.h).

usage: embed_web.py OUTPUT.c FOLDER
FOLDER has index.html and, below assets/, what it needs.  An asset NAME.EXT is served as NAME-HASH.EXT: wherever another file says
`assets/NAME.EXT`, the name with the hash is put; so what a browser keeps is never mistaken for what the service has now, while the files
in the source tree keep their names.  The same files give the same bytes.
"""
import gzip
import hashlib
import pathlib
import sys

TYPES = {".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8",
         ".svg": "image/svg+xml", ".json": "application/manifest+json", ".png": "image/png", ".woff2": "font/woff2"}


def digest(content):
    return hashlib.sha256(content).hexdigest()[:16]


def array(name, content):
    yield f"static const unsigned char {name}[] = {{"
    for begin in range(0, len(content), 32):
        yield ",".join(map(str, content[begin:begin + 32])) + ","
    yield "0};"


def main():
    output, folder = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    page = (folder / "index.html").read_bytes()
    assets = {path.name: path.read_bytes() for path in sorted((folder / "assets").glob("*"))}
    names = {name: f"{pathlib.Path(name).stem}-{digest(content)}{pathlib.Path(name).suffix}" for name, content in assets.items()}
    for name, content in assets.items():
        if any(b"assets/" + other.encode() in content for other in assets):
            sys.exit(f"embed_web: {name} names another asset; only the page may, since names have hashes")
    for name, hashed in names.items():
        page = page.replace(b"assets/" + name.encode(), b"assets/" + hashed.encode())
    files = [("", ".html", page)] + [(names[name], pathlib.Path(name).suffix, content) for name, content in assets.items()]
    lines, rows = ["/* Made by tools/embed_web.py: do not edit. */", '#include "serve/web/web.h"'], []
    for number, (name, suffix, content) in enumerate(files):
        packed = gzip.compress(content, 9, mtime=0)
        lines += array(f"plain{number}", content)
        lines += array(f"packed{number}", packed)
        rows.append(f'    {{ "{name}", "{TYPES[suffix]}", "{digest(content)}", plain{number}, packed{number}, {len(content)}, {len(packed)} }},')
    lines += ["const tcsi_web_file tcsi_web_files[] = {", *rows, "};", f"const size_t tcsi_web_file_count = {len(files)};"]
    output.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
