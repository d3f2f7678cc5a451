"""This server, started as users start it: key, limits, and a store on disk."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from antiphon import __version__
from bench.contenders.contender import Command, Variant
from bench.contenders.venv import run
from bench.load.run import API_KEY

ROOT = Path(__file__).parents[2]


class Ours:
    name = "antiphon"
    ready_path = "/ready"
    variants: Sequence[Variant] = (Variant(name="antiphon", note="everything on, stored in SQLite"),)

    def __init__(self, python: str = sys.executable) -> None:
        self._python = python

    def install(self, cache: Path) -> str:
        """The version, and the commit where there is one."""
        asked = ["git", "-C", str(ROOT), "describe", "--always", "--dirty"]
        try:
            commit = subprocess.run(asked, capture_output=True, text=True, timeout=10).stdout.strip()
        except FileNotFoundError:
            commit = ""
        if self._python != sys.executable:
            self._python = _installed(cache / "antiphon", self._python)
        return f"{__version__} ({commit})" if commit else __version__

    def command(self, port: int, upstream: str, folder: Path) -> Command:
        flags = ["--engine", upstream, "--data-dir", str(folder), "--port", str(port), "--drain-delay-s", "0"]
        environment = {"ANTIPHON_API_KEY": API_KEY, "PYTHONPATH": str(ROOT)}
        return Command([self._python, "-m", "antiphon", "serve", *flags], environment)


def _installed(folder: Path, python: str) -> str:
    """The interpreter of a new environment that has this project's requirements, made with `python`. Raises: Absent."""
    run([python, "-m", "venv", "--clear", str(folder)])
    made = str(folder / "bin/python")
    run([made, "-m", "pip", "install", "--quiet", str(ROOT)])
    return made
