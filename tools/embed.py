#!/usr/bin/env python3
"""Turns files into C arrays, so that the library carries them.

usage: embed.py OUTPUT.c FILE...
For FILE a/b-c.d the output defines `const unsigned char tcsi_asset_b_c_d[]` (with a final 0 byte that is not counted) and
`const size_t tcsi_asset_b_c_d_size`.  A file that could end an HTML script or style element is refused.
"""
import pathlib
import re
import sys


def main():
    output, files = pathlib.Path(sys.argv[1]), [pathlib.Path(name) for name in sys.argv[2:]]
    lines = ["/* Made by tools/embed.py: do not edit. */", "#include <stddef.h>"]
    for file in files:
        content = file.read_bytes()
        if file.suffix in (".js", ".css") and re.search(rb"</(script|style)|<!--", content, re.I):
            sys.exit(f"embed: {file} holds text that would end a script or style element")
        name = "tcsi_asset_" + re.sub(r"\W", "_", file.name).lower()
        lines += [f"extern const unsigned char {name}[];", f"extern const size_t {name}_size;", f"const unsigned char {name}[] = {{"]
        for begin in range(0, len(content), 32):
            lines.append(",".join(map(str, content[begin:begin + 32])) + ",")
        lines += ["0};", f"const size_t {name}_size = {len(content)};"]
    output.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
