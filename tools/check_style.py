#!/usr/bin/env python3
"""House style that a machine can see: banned functions, line length, tabs, first-line essays, function size.

usage: check_style.py SOURCE_ROOT        Prints TAP; each rule is a case.
"""
import pathlib
import re
import sys

BANNED = ["strcpy", "strcat", "sprintf", "vsprintf", "gets", "strtok", "atoi", "atol", "atof", "localtime", "gmtime",
          "setlocale", "rand", "srand", "alloca"]
MEMORY = ["malloc", "calloc", "realloc", "free"]
MEMORY_DOOR = "src/base/alloc.c"
LINE_LENGTH_MAX = 140
FUNCTION_LENGTH_MAX = 110


def code_only(text):
    """text with comments and string contents blanked, line breaks kept."""
    def blank(match):
        piece = match.group(0)
        return '""' if piece.startswith('"') else re.sub(r"[^\n]", " ", piece)
    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', blank, text, flags=re.S)


def function_lengths(code):
    """(first line, length) of every function body, found as a brace in the first column."""
    begin = None
    for number, line in enumerate(code.split("\n"), 1):
        if line.startswith("{"):
            begin = number
        elif line.startswith("}") and begin is not None:
            yield begin, number - begin
            begin = None


def main():
    root = pathlib.Path(sys.argv[1])
    problems = {"banned functions": [], "memory goes through base/alloc.h": [], "line length and tabs": [],
                "files open with an essay or a licence": [], "function length": []}
    for path in sorted(root.glob("src/**/*.[ch]")) + sorted(root.glob("apps/**/*.[ch]")) + sorted(root.glob("include/**/*.h")):
        name = path.relative_to(root).as_posix()
        text = path.read_text(errors="replace")
        code = code_only(text)
        for number, line in enumerate(text.split("\n"), 1):
            if len(line) > LINE_LENGTH_MAX or "\t" in line:
                problems["line length and tabs"].append(f"{name}:{number}: longer than {LINE_LENGTH_MAX} or a tab")
        for word in BANNED:
            for match in re.finditer(rf"(?<![\w.>]){word}\s*\(", code):
                problems["banned functions"].append(f"{name}:{code.count(chr(10), 0, match.start()) + 1}: {word}")
        if name != MEMORY_DOOR and name.startswith("src/") and not name.endswith("_test.c"):
            for word in MEMORY:
                for match in re.finditer(rf"(?<![\w.>]){word}\s*\(", code):
                    problems["memory goes through base/alloc.h"].append(f"{name}:{code.count(chr(10), 0, match.start()) + 1}: {word}")
        if not text.startswith("/*"):
            problems["files open with an essay or a licence"].append(name)
        for begin, length in function_lengths(code):
            if length > FUNCTION_LENGTH_MAX:
                problems["function length"].append(f"{name}:{begin}: {length} lines, at most {FUNCTION_LENGTH_MAX}")
    print(f"1..{len(problems)}")
    for number, (rule, found) in enumerate(problems.items(), 1):
        print(f"{'not ok' if found else 'ok'} {number} - {rule}")
        for line in found:
            print("#", line)
    return 1 if any(problems.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
