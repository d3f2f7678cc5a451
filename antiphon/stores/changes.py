"""Whether anybody else has written to the database, as cheaply as that can be told.

The file that every commit writes to says whether there was any: no query, no thread. If there was, the connection that
writes for this process knows whether it was another one's. So what a process writes itself makes it ask nothing again.

The file is only looked at, never opened: to close it again would drop the locks that SQLite holds in this process.
"""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Generic, TypeVar

from antiphon.errors import StoreUnavailable

T = TypeVar("T")
W = TypeVar("W")
SETTLED_S = 0.1
"""A file that was written to this recently may be written to again without another time of its last change."""
PATIENCE_S = 1.0
"""How long the writer is waited for; it may have to wait for another process itself."""

FileState = tuple[int, int]


def file_state(database: Path, *, quiet_s: float = SETTLED_S) -> FileState | None:
    """The state of a database in WAL mode, as something to compare: another one once any process has committed.

    None: it was written to within `quiet_s`, or cannot be told.
    """
    if os.name == "nt":  # the time of the last change comes late for a file that is held open
        return None
    try:
        found = os.stat(f"{database}-wal")
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_size) if abs(time.time() - found.st_mtime) > quiet_s else None


class Changes:
    """What others have committed. `ask` gets the writer's `data_version`."""

    def __init__(self, database: Path, ask: Callable[[], Awaitable[int]]) -> None:
        self._database = database
        self._ask = ask
        self._seen: tuple[FileState, int] | None = None

    async def number(self) -> int | None:
        """Another one once anybody but the writer of this process has committed; None: it cannot be told now."""
        state = file_state(self._database)  # before it is asked: what is written meanwhile counts as a change
        if self._seen is not None and self._seen[0] == state:
            return self._seen[1]
        try:
            async with asyncio.timeout(PATIENCE_S):
                number = await self._ask()
        except (TimeoutError, StoreUnavailable):
            return None
        self._seen = (state, number) if state is not None else None
        return number


class Question(Generic[T]):
    """A question to the database, put to it again only if others may have changed the answer, or this process has."""

    def __init__(self, changes: Changes, ask: Callable[[], Awaitable[T]]) -> None:
        self._changes = changes
        self._ask = ask
        self._own = 0
        self._known: tuple[tuple[int, int], T] | None = None

    async def answer(self) -> T:
        """What the database says. Raises: StoreUnavailable."""
        own, number = self._own, await self._changes.number()  # before it is asked, as above
        asked_at = (own, number) if number is not None else None
        if self._known is not None and self._known[0] == asked_at:
            return self._known[1]
        answer = await self._ask()
        self._known = (asked_at, answer) if asked_at is not None else None
        return answer

    def forget(self) -> None:
        """Ask again next time."""
        self._own += 1

    def changed_by(self, written: "asyncio.Future[W]") -> "asyncio.Future[W]":
        """Forget once something of this process is written that may change the answer, waited for or not."""
        written.add_done_callback(lambda _: self.forget())
        return asyncio.shield(written)
