"""The command `antiphon` as a process of its own."""

import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct

ROOT = Path(__file__).parents[1]
START_S = 30.0
END_S = 15.0
LAST_LINE = "All settings: antiphon serve --help"


class Started(Struct, frozen=True):
    """A server that accepts connections, and what it said on its standard output."""

    process: subprocess.Popen[str]
    banner: str

    @property
    def origin(self) -> str:
        return next(word for word in self.banner.split() if word.startswith(("http://", "https://"))).removesuffix(
            "/v1"
        )


def environment(**more: str) -> dict[str, str]:
    """This process's environment without settings or proxies, so that only `more` counts."""
    foreign = ("antiphon_", "http_proxy", "https_proxy", "all_proxy", "no_proxy")
    kept = {name: value for name, value in os.environ.items() if not name.lower().startswith(foreign)}
    return {**kept, "PYTHONPATH": str(ROOT), **more}


def run(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "antiphon", *arguments],
        env=environment(**more),
        capture_output=True,
        text=True,
        timeout=START_S,
    )


@contextmanager
def started(*flags: str, **more: str) -> Iterator[Started]:
    """`antiphon serve` on a free port, for as long as the block lasts, then told to stop."""
    with tempfile.TemporaryDirectory(prefix="antiphon-") as data_dir:
        process = subprocess.Popen(
            [sys.executable, "-m", "antiphon", "serve", "--port", "0", "--data-dir", data_dir, *flags],
            env=environment(**more),
            stdout=subprocess.PIPE,
            text=True,
        )
        killer = threading.Timer(START_S, process.kill)
        killer.start()
        try:
            banner = _read_banner(process)
            killer.cancel()
            yield Started(process, banner)
            process.terminate()
            process.wait(END_S)
        finally:
            killer.cancel()
            process.kill()
            process.wait(END_S)
            process.stdout.close()


def _read_banner(process: subprocess.Popen[str]) -> str:
    lines = []
    for line in process.stdout:
        lines.append(line)
        if LAST_LINE in line:
            return "".join(lines)
    raise AssertionError(f"the server ended before it was ready: {''.join(lines)}")
