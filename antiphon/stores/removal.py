"""Deleting responses: each function is a job for the writer, called inside its transaction.

A response with a child cannot go: it becomes a tombstone, without head and log, and goes with its last descendant. Jobs
end themselves after a few milliseconds and say what is left, so that runs never wait long behind a sweep.
"""

import sqlite3
import time
from collections.abc import Callable, Sequence

from antiphon.stores.excess import Excess
from antiphon.stores.runs import forget_signals
from antiphon.stores.sql_files import load_statements

_SQL = load_statements("removal")
_JOB_S = 0.02


def remove_response(connection: sqlite3.Connection, tenant: str, response_id: str) -> bool:
    """Make a response unknown. False: it was unknown."""
    row = connection.execute(_SQL["find"], {"tenant": tenant, "id": response_id}).fetchone()
    return row is not None and _remove(connection, row[0], _alarm()) is not None


def remove_some(
    connection: sqlite3.Connection, keys: Sequence[int], too_much: Callable[[sqlite3.Connection, Excess], bool]
) -> tuple[int, Excess]:
    """Remove responses until the time is over, or what has gone so far is enough.

    Returns how many of `keys` are dealt with, and what has gone.
    """
    is_late = _alarm()
    freed = Excess()
    for done, key in enumerate(keys):
        if (done and is_late()) or not too_much(connection, freed):
            return done, freed
        size = _remove(connection, key, is_late)
        if size is not None:
            freed = Excess(freed.entries + 1, freed.bytes + size)
    return len(keys), freed


def erase_tombstone(connection: sqlite3.Connection, key: int) -> None:
    """Delete a tombstone, unless it has a child, and those above it that nobody needs any more."""
    _erase(connection, key, _alarm())


def used_bytes(connection: sqlite3.Connection) -> int:
    """The size of the database without its free pages."""
    size: int = connection.execute(_SQL["used_bytes"]).fetchone()[0]
    return size


def _alarm() -> Callable[[], bool]:
    ends_at = time.monotonic() + _JOB_S
    return lambda: time.monotonic() >= ends_at


def _remove(connection: sqlite3.Connection, key: int, is_late: Callable[[], bool]) -> int | None:
    """The bytes that are free now. None: another process was faster."""
    size = _size(connection, key)
    if connection.execute(_SQL["bury"], {"key": key}).rowcount != 1:
        return None
    left = _size(connection, key)
    connection.execute(_SQL["remove_log"], {"key": key})
    forget_signals(connection, key)
    return size - left + _erase(connection, key, is_late)


def _size(connection: sqlite3.Connection, key: int) -> int:
    row = connection.execute(_SQL["size"], {"key": key}).fetchone()
    return 0 if row is None else row[0]


def _erase(connection: sqlite3.Connection, key: int, is_late: Callable[[], bool]) -> int:
    """Delete a tombstone without children, then its parent if that is another one, and so on; returns their bytes.

    A long line may be left in part: sweeping finds what is left.
    """
    next_key: int | None = key
    freed = 0
    while next_key is not None:
        row = connection.execute(_SQL["childless_tombstone"], {"key": next_key}).fetchone()
        if row is None:
            break
        freed += _size(connection, next_key)
        connection.execute(_SQL["remove_items"], {"key": next_key})
        connection.execute(_SQL["remove_response"], {"key": next_key})
        next_key = None if is_late() else row[0]
    return freed
