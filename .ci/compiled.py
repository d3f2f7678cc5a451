"""Builds the wheel whose hot modules are compiled, or runs the tests on it. `make wheel` and `make test-compiled`.

Always in a copy of the tree: extension modules in the tree itself would hide the sources that one edits.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
BUILD_S = 900.0
SWITCH = {"HATCH_BUILD_HOOK_ENABLE_MYPYC": "1"}
# Nobody replaces a function of the extension from outside, so its functions may call each other directly, and those of
# the interpreter without a stub in between.
FLAGS = "-fno-semantic-interposition -fvisibility=hidden -fno-plt"
SOURCES = ("antiphon", "pyproject.toml", "README.md", "LICENSE")
NOT_COPIED = (
    ".git",
    ".venv*",
    "build",
    "dist",
    "node_modules",
    "__pycache__",
    ".*_cache",
    ".hypothesis",
    "*.so",
    "*.pyd",
)
# Left out for their time: programs that are slow to install, and rooms that run little of what is compiled.
LEFT_OUT = ("bench", "clients", "deploy", "doctor", "readers", "vllm", "test_guides.py", "test_readme.py")
_ASKED = """
import os, shutil, sysconfig
compiler = (os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc").split()[0]
header = os.path.join(sysconfig.get_path("include"), "Python.h")
if os.name != "nt" and not shutil.which(compiler):
    print(f"there is no C compiler ({compiler}; on Debian or Ubuntu: apt install gcc)")
elif not os.path.exists(header):
    print(f"there is no {header} (on Debian or Ubuntu: apt install python3-dev)")
"""


class CannotBuild(Exception):
    """Why nothing can be compiled here, or what the build said at its end."""


def check(python: str) -> None:
    """Whether there is what it takes to compile for the interpreter `python`. Raises: CannotBuild."""
    if lack := subprocess.run([python, "-c", _ASKED], capture_output=True, text=True, check=True).stdout.strip():
        raise CannotBuild(lack)


def wheel(python: str, into: Path) -> Path:
    """Compile for the interpreter `python`, and put the wheel into a directory. Raises: CannotBuild."""
    check(python)
    into.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="antiphon-wheel-") as name:
        folder = Path(name, "tree")
        folder.mkdir()
        for source in SOURCES:
            _copy(ROOT / source, folder / source)
        asked = [sys.executable, "-m", "pip", "--python", python, "wheel", "--no-deps", "--wheel-dir", f"{name}/made"]
        flags = {} if os.name == "nt" else {"CFLAGS": f"{os.environ.get('CFLAGS', '')} {FLAGS}".strip()}
        environment = {**os.environ, **SWITCH, **flags}
        ended = subprocess.run([*asked, str(folder)], env=environment, capture_output=True, text=True, timeout=BUILD_S)
        if ended.returncode:
            raise CannotBuild(f"the build failed:\n{ended.stdout[-4000:]}{ended.stderr[-4000:]}")
        (made,) = Path(name, "made").glob("antiphon-*.whl")
        return Path(shutil.copy2(made, into))


def test(arguments: list[str]) -> int:
    """Run the tests in a copy of the tree that has the wheel's contents; pytest's exit code. Raises: CannotBuild."""
    with tempfile.TemporaryDirectory(prefix="antiphon-compiled-") as name:
        made = wheel(sys.executable, Path(name))
        tree = Path(name, "tree")
        _copy(ROOT, tree)
        with zipfile.ZipFile(made) as archive:
            archive.extractall(tree, [one for one in archive.namelist() if ".dist-info/" not in one])
        left_out = [f"--ignore=tests/{room}" for room in LEFT_OUT]
        asked = [sys.executable, "-m", "pytest", "-m", "not slow", *left_out, *arguments]
        environment = {**os.environ, "PYTHONPATH": str(tree), "ANTIPHON_TEST_COMPILED": "1"}
        return subprocess.run(asked, cwd=tree, env=environment).returncode


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns(*NOT_COPIED), symlinks=True)
    else:
        shutil.copy2(source, target)


def main() -> int:
    """Do what the command line says; 1 if that failed, or could not be done where everything is demanded."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    verbs = parser.add_subparsers(dest="verb", required=True)
    building = verbs.add_parser("wheel", help="build the wheel and print its path")
    building.add_argument("--python", default=sys.executable, help="the interpreter it is for; default: this one")
    building.add_argument("--into", type=Path, default=ROOT / "dist", help="the directory; default: dist")
    asking = verbs.add_parser("check", help="say what is missing to compile; nonzero if something is")
    asking.add_argument("--python", default=sys.executable, help="the interpreter it is for; default: this one")
    verbs.add_parser("test", help="run the tests on it; further arguments are pytest's")
    given, further = parser.parse_known_args()
    try:
        if given.verb == "test":
            return test(further)
        if given.verb == "check":
            check(given.python)
        else:
            print(wheel(given.python, given.into))
        return 0
    except CannotBuild as error:
        if given.verb != "test" or "the build failed" in str(error):
            print(f"antiphon is not compiled: {error}", file=sys.stderr)
            return 1
        print(f"\n*** NOT TESTED: the compiled modules. {error}\n", file=sys.stderr)
        return int(os.environ.get("ANTIPHON_REQUIRE_ALL") == "1")


if __name__ == "__main__":
    sys.exit(main())
