"""The audit log: who did what to keys and stored data, a line of JSON each, only ever added to and without secrets."""

import getpass
import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from antiphon.errors import SetupError


def record(path: Path, action: str, outcome: str, **what: str | None) -> None:
    """Add a line and see to it that it is on the disk. Only its owner may read a file that is made for it.

    Raises: SetupError when that cannot be done.
    """
    line = {
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "action": action,
        "outcome": outcome,
        **{name: value for name, value in what.items() if value is not None},
        "user": _user(),
        "pid": os.getpid(),
        "host": socket.gethostname(),
    }
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(file, msgspec.json.encode(line) + b"\n")  # at once: others may write too
            os.fsync(file)
        finally:
            os.close(file)
    except OSError as error:
        raise SetupError(f"the audit log {path} cannot be written: {error.strerror}") from None


@contextmanager
def recorded(path: Path, action: str, **what: str | None) -> Iterator[dict[str, str | None]]:
    """Record that the block begins, without which it does not, and how it ended; the block may add to what is told."""
    record(path, action, "begun", **what)
    try:
        yield what
    except BaseException:
        record(path, action, "failed", **what)
        raise
    record(path, action, "done", **what)


def _user() -> str:
    """Whom the process runs as; what the environment says of it counts only where the system says nothing."""
    if sys.platform != "win32":
        import pwd

        try:
            return pwd.getpwuid(os.geteuid()).pw_name
        except KeyError:
            return str(os.geteuid())
    return getpass.getuser()
