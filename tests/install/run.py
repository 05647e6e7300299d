#!/usr/bin/env python3
"""Installs into a temporary folder and uses what is there as a stranger would: pkg-config, a C program, a C++ program, nm, man.

usage: run.py BUILD_FOLDER SANITIZER        Prints TAP.
"""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
STRICT = ["-Wall", "-Wextra", "-Werror", "-pedantic"]


def run(command, **more):
    outcome = subprocess.run([str(word) for word in command], capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=120,
                             check=False, **more)
    if outcome.returncode != 0:
        raise AssertionError(f"{' '.join(str(word) for word in command)}: status {outcome.returncode}: {outcome.stderr[-800:]}")
    return outcome.stdout


def one(root, pattern):
    found = sorted(root.rglob(pattern))
    assert found, f"nothing called {pattern} was installed"
    return found[0]


class Installed:
    """The tree below a DESTDIR."""

    def __init__(self, build, root):
        self.root = root
        run(["meson", "install", "-C", build, "--destdir", root, "--no-rebuild", "--quiet"])
        self.environment = dict(os.environ, PKG_CONFIG_SYSROOT_DIR=str(root), PKG_CONFIG_LIBDIR=f"{one(root, 'tocsin.pc').parent}:" + run(
            ["pkg-config", "--variable", "pc_path", "pkg-config"]).strip())
        self.shared = one(root, "libtocsin.so")
        self.archive = one(root, "libtocsin.a")

    def flags(self, *words):
        return run(["pkg-config", *words, "tocsin"], env=self.environment).split()

    def test_files_land(self):
        for name in ["tocsin.h", "types.h", "libtocsin.a", "libtocsin.so", "libtocsin.so.0", "tocsin.pc", "bin/tocsin", "tocsin.1",
                     "_tocsin", "tocsin.fish"]:
            one(self.root, name)
        assert one(self.root, "tocsin.h").parent.name == "tocsin"
        assert one(self.root, "tocsin.1").read_text().startswith(".TH TOCSIN 1")
        assert [path for path in self.root.rglob("bash-completion/completions/*")], "no bash completion"

    def test_c_program_with_the_shared_library(self):
        program = self.root / "use"
        run(["cc", "-std=c11", *STRICT, HERE / "use.c", "-o", program, *self.flags("--cflags", "--libs"), "-lm"])
        printed = run([program], env=dict(os.environ, LD_LIBRARY_PATH=str(self.shared.parent)))
        version = self.flags("--modversion")[0]
        assert printed == f"{version} 1\n", f"it printed {printed!r}, expected version {version} and 1 for the episode found"

    def test_c_program_with_the_static_library(self):
        program = self.root / "use-static"  # tocsin inside; what it needs in turn stays shared, as distributions ship it
        needed = [line.split()[0] for line in run(["pkg-config", "--print-requires-private", "tocsin"], env=self.environment).splitlines()]
        others = run(["pkg-config", "--libs", *needed]).split() if needed else []
        run(["cc", "-std=c11", *STRICT, HERE / "use.c", "-o", program, f"-I{one(self.root, 'tocsin.h').parent.parent}", self.archive,
             *others, "-lm", "-pthread"])
        assert run([program]).endswith(" 1\n")

    def test_cpp_program(self):
        if not shutil.which("g++"):
            return "no g++"
        program = self.root / "use-cpp"
        run(["g++", "-std=c++11", *STRICT, HERE / "use.cpp", "-o", program, *self.flags("--cflags", "--libs")])
        run([program], env=dict(os.environ, LD_LIBRARY_PATH=str(self.shared.parent)))
        return None

    def test_command_runs_from_where_it_was_installed(self):
        printed = run([one(self.root, "bin/tocsin"), "version"], env=dict(os.environ, LD_LIBRARY_PATH=str(self.shared.parent)))
        assert self.flags("--modversion")[0] in printed

    def test_shared_library_exports_only_the_public_interface(self):
        names = [line.split()[-1].split("@")[0] for line in run(["nm", "-D", "--defined-only", self.shared]).splitlines()]
        functions = [name for name in names if not name.startswith("TOCSIN_")]  # the version's own symbol
        header = one(self.root, "tocsin.h").read_text()
        assert len(functions) > 20
        assert not [name for name in functions if not name.startswith("tcs_")], [name for name in functions if name[:4] != "tcs_"]
        undeclared = [name for name in functions if f"{name}(" not in header]
        assert not undeclared, f"exported but not in tocsin.h: {undeclared}"

    def test_every_public_function_is_exported(self):
        exported = run(["nm", "-D", "--defined-only", self.shared])
        declared = [line.split("(")[0].split()[-1].lstrip("*") for line in one(self.root, "tocsin.h").read_text().splitlines()
                    if line.startswith("TCS_API")]
        missing = [name for name in declared if f" {name}@" not in exported]
        assert len(declared) > 20 and not missing, f"declared but not exported: {missing}"

    def test_archive_leaks_no_names(self):
        names = {line.split()[-1] for line in run(["nm", "-g", "--defined-only", self.archive]).splitlines() if len(line.split()) == 3}
        foreign = sorted(name for name in names if not name.startswith(("tcs_", "tcsi_")))
        assert len(names) > 100 and not foreign, f"global names without tcs_ or tcsi_: {foreign[:20]}"


def main():
    build, sanitizer = pathlib.Path(sys.argv[1]), sys.argv[2]
    tests = [name for name in dir(Installed) if name.startswith("test_")]
    if sanitizer != "none":
        print(f"1..0 # SKIP a library with -fsanitize={sanitizer} does not link into a plain program")
        return 0
    print(f"1..{len(tests)}")
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        installed = Installed(build, pathlib.Path(folder))
        for number, name in enumerate(tests, 1):
            skip, problem = None, None
            try:
                skip = getattr(installed, name)()
            except (AssertionError, subprocess.TimeoutExpired, OSError) as error:
                problem, failed = error, failed + 1
            print(f"{'not ok' if problem else 'ok'} {number} - {name[5:].replace('_', ' ')}{f' # SKIP {skip}' if skip else ''}")
            if problem:
                print("#", str(problem).replace("\n", "\n# "))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
