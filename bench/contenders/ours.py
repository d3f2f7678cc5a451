"""This server, started as users start it: key, limits, a store on disk; as the compiled wheel, or plain Python."""

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from antiphon import __version__
from bench.contenders.contender import Absent, Command, Variant
from bench.contenders.venv import run
from bench.figures import OURS
from bench.load.run import API_KEY

ROOT = Path(__file__).parents[2]
COMPILE = ROOT / ".ci/compiled.py"
COMPILE_S = 900.0
_STORED = "everything on, stored in SQLite"
_COMPARED = ("short", "c1", "32x10", "256x10")


def ours(python: str) -> "Sequence[Ours]":
    """The compiled wheel, which the goals are for, and the uncompiled tree; only the tree where nothing can compile."""
    lacks = subprocess.run([sys.executable, str(COMPILE), "check", "--python", python]).returncode
    return (Ours(python),) if lacks else (Compiled(python), Uncompiled(python))


class Ours:
    """The tree itself, as plain Python."""

    name = OURS
    ready_path = "/ready"
    variants: Sequence[Variant] = (Variant(name=OURS, note=f"not compiled; {_STORED}"),)

    def __init__(self, python: str = sys.executable) -> None:
        self._python = python

    def install(self, cache: Path) -> str:
        """The version, and the commit where there is one."""
        if self._python != sys.executable:
            self._python = _installed(cache / "antiphon", self._python, ROOT)
        return _version()

    def command(self, port: int, upstream: str, folder: Path) -> Command:
        return Command(serve(self._python, port, upstream, folder), environment(str(ROOT)))


class Uncompiled(Ours):
    """The same beside the compiled one."""

    name = "antiphon-uncompiled"
    variants = (Variant(name=f"{OURS}, not compiled", note=_STORED, modes=_COMPARED),)


class Compiled(Ours):
    """The compiled wheel in an environment of its own, which sees nothing of the tree."""

    variants = (Variant(name=OURS, note=f"compiled; {_STORED}"),)

    def install(self, cache: Path) -> str:
        """Build the wheel and install it. Raises: Absent."""
        wheels = cache / "antiphon-wheels"
        wheel = compiled_wheel(self._python, wheels)
        self._python = _installed(cache / "antiphon-compiled", self._python, wheel)
        asked = [self._python, "-m", "antiphon", "--version"]
        told = subprocess.run(asked, cwd=wheels, env=environment(""), capture_output=True, text=True, timeout=30).stdout
        if "(compiled)" not in told:
            raise Absent(f"the wheel does not run compiled: {told.strip()}")
        return _version()

    def command(self, port: int, upstream: str, folder: Path) -> Command:
        return Command(serve(self._python, port, upstream, folder), environment(""))


def compiled_wheel(python: str, into: Path) -> Path:
    """Build the compiled wheel for an interpreter, alone in a directory. Raises: Absent."""
    shutil.rmtree(into, ignore_errors=True)
    run([sys.executable, str(COMPILE), "wheel", "--python", python, "--into", str(into)], COMPILE_S)
    (wheel,) = into.glob("*.whl")
    return wheel


def serve(python: str, port: int, upstream: str, folder: Path) -> Sequence[str]:
    """How an interpreter starts this server in front of the URL `upstream`."""
    flags = ["--engine", upstream, "--data-dir", str(folder), "--port", str(port), "--drain-delay-s", "0"]
    return [python, "-m", "antiphon", "serve", *flags]


def environment(python_path: str) -> dict[str, str]:
    """What a server of ours is told; `python_path` is where else to look for its modules, if not empty."""
    return {"ANTIPHON_API_KEY": API_KEY, "PYTHONPATH": python_path}


def _version() -> str:
    asked = ["git", "-C", str(ROOT), "describe", "--always", "--dirty"]
    try:
        commit = subprocess.run(asked, capture_output=True, text=True, timeout=10).stdout.strip()
    except FileNotFoundError:
        commit = ""
    return f"{__version__} ({commit})" if commit else __version__


def _installed(folder: Path, python: str, what: Path) -> str:
    """The interpreter of a new environment, made with `python`, that has a wheel or a tree. Raises: Absent."""
    run([python, "-m", "venv", "--clear", str(folder)])
    made = str(folder / "bin/python")
    run([made, "-m", "pip", "install", "--quiet", str(what)])
    return made
