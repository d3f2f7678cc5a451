"""Whether anybody has written to the database, seen by the file that every commit writes to: no query, no thread.

The file is only looked at, never opened: to close it again would drop the locks that SQLite holds in this process.
"""

import os
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Generic, TypeVar

T = TypeVar("T")
SETTLED_S = 0.1
"""A file that was written to this recently may be written to again without another time of its last change."""


class Changes:
    """The state of a database in WAL mode, as something to compare."""

    def __init__(self, database: Path) -> None:
        self._wal = f"{database}-wal"

    def state(self) -> tuple[int, int] | None:
        """Another one once any process has committed; None: it was written to just now, or cannot be told."""
        if os.name == "nt":  # the time of the last change comes late for a file that is held open
            return None
        try:
            found = os.stat(self._wal)
        except OSError:
            return None
        is_settled = abs(time.time() - found.st_mtime) > SETTLED_S
        return (found.st_mtime_ns, found.st_size) if is_settled else None


class Question(Generic[T]):
    """A question to the database, put to it again only if it may have changed since."""

    def __init__(self, changes: Changes, ask: Callable[[], Awaitable[T]]) -> None:
        self._changes = changes
        self._ask = ask
        self._known: tuple[tuple[int, int], T] | None = None

    async def answer(self) -> T:
        """What the database says. Raises: StoreUnavailable."""
        state = self._changes.state()  # before it is asked: what is written meanwhile counts as a change
        if self._known is not None and self._known[0] == state:
            return self._known[1]
        answer = await self._ask()
        self._known = (state, answer) if state is not None else None
        return answer
