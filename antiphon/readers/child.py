"""A child process that does one bounded piece of work after another, and is killed when one takes too long.

What a hostile document or pattern can do to a parser ends with its process. The child is started when it is first
needed, and anew after a kill. It speaks in frames on its pipes: four bytes of length (big-endian), then the bytes.
"""

import asyncio
import os
import struct
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO

_LENGTH = struct.Struct(">I")
MAX_ANSWER_BYTES = 64 * 2**20


class ChildFailed(Exception):
    """The work took too long, or its process died of it."""


class Child:
    """Runs a script of this package. One piece of work at a time; others wait for their turn."""

    def __init__(self, script: Path, *, timeout_s: float) -> None:
        self._script = script
        self._timeout_s = timeout_s
        self._turn = asyncio.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    async def ask(self, request: bytes) -> bytes:
        """The answer to one request. Raises: ChildFailed."""
        async with self._turn:
            asking = asyncio.ensure_future(asyncio.to_thread(self._exchange, request))
            try:
                return await asyncio.shield(asking)
            except asyncio.CancelledError:
                self._kill()  # whoever asked does not wait any more, and the next one must not get this answer
                await asyncio.wait([asking])
                asking.exception()
                raise

    async def close(self) -> None:
        """End the process."""
        self._kill()

    def _exchange(self, request: bytes) -> bytes:
        process = self._process
        if process is None or process.poll() is not None:
            process = self._process = self._start()
        assert process.stdin is not None and process.stdout is not None
        alarm = threading.Timer(self._timeout_s, process.kill)
        alarm.daemon = True
        alarm.start()
        try:
            process.stdin.write(_LENGTH.pack(len(request)) + request)
            process.stdin.flush()
            (length,) = _LENGTH.unpack(_read(process.stdout, _LENGTH.size))
            if length > MAX_ANSWER_BYTES:
                raise ChildFailed("The answer is too large.")
            return _read(process.stdout, length)
        except (OSError, ValueError, ChildFailed) as error:
            self._kill()
            raise ChildFailed("The work took too long or too much.") from error
        finally:
            alarm.cancel()

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-P", str(self._script)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=_environment(),
        )

    def _kill(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                _close(pipe)


def _environment() -> dict[str, str]:
    """No more of this process's than a Python needs, and where this package is."""
    kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT", "HOME") if name in os.environ}
    paths = [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]
    return {**kept, "PYTHONPATH": os.pathsep.join(path for path in paths if path)}


def _close(pipe: IO[bytes]) -> None:
    try:
        pipe.close()
    except OSError:  # what was not written yet has nobody to read it
        return


def _read(pipe: IO[bytes], size: int) -> bytes:
    found = pipe.read(size)
    if len(found) < size:
        raise ChildFailed("The process ended.")
    return found
