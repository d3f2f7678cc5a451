"""Python packages in environments of their own, kept in a cache between runs."""

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.contenders.contender import Absent

INSTALL_S = 240.0


class Venv:
    """An environment named after its first package, made with the first of `pythons` that is here."""

    def __init__(self, name: str, packages: Sequence[str], pythons: Sequence[str] = (sys.executable,)) -> None:
        self.name = name
        self._packages = packages
        self._pythons = pythons

    def install(self, cache: Path) -> str:
        """Make the environment if there is none of this interpreter; the version of the package. Raises: Absent."""
        folder, python = cache / self.name, self._python()
        stamp = folder / "installed"
        if not stamp.exists() or stamp.read_text() != python:
            run([python, "-m", "venv", "--clear", str(folder)])
            run([str(folder / "bin/python"), "-m", "pip", "install", "--quiet", *self._packages])
            stamp.write_text(python)
        return self._version(folder)

    def program(self, cache: Path, name: str) -> str:
        """The path of a command of the environment."""
        return str(cache / self.name / "bin" / name)

    def _python(self) -> str:
        for name in self._pythons:
            found = shutil.which(name)
            if found and subprocess.run([found, "--version"], capture_output=True).returncode == 0:
                return found
        raise Absent(f"needs one of {', '.join(self._pythons)}")

    def _version(self, folder: Path) -> str:
        wanted = self.name.replace("-", "_")
        for found in folder.glob(f"lib/python*/site-packages/{wanted}-*.dist-info"):
            return found.name.removesuffix(".dist-info").removeprefix(f"{wanted}-")
        return "?"


def run(argv: Sequence[str], timeout_s: float = INSTALL_S) -> None:
    """Run a command of an installation. Raises: Absent."""
    try:
        ended = subprocess.run(argv, capture_output=True, text=True, timeout=timeout_s)
    except subprocess.TimeoutExpired:
        raise Absent(f"was not installed within {timeout_s:g} s") from None
    if ended.returncode:
        last = ended.stderr.strip().splitlines()[-1:] or ["no message"]
        raise Absent(f"does not install: {last[0][:200]}")
