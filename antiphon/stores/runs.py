"""Writing runs: each function is a job for the writer, called inside its transaction."""

import sqlite3
from collections.abc import Sequence
from itertools import repeat
from secrets import randbits

from msgspec.structs import replace

from antiphon.errors import Conflict, PreviousResponseNotFound
from antiphon.ports import Beginning, Ending, Lease, Segment, Status, StoredItem
from antiphon.stores import conversations
from antiphon.stores.packing import pack
from antiphon.stores.sql_files import load_statements

_SQL = load_statements("runs")
_ITEM_BITS = 24  # of an item's key: its place in its turn
_NO_LEASE = 0  # the fence of a run that was over when it was written


class SegmentRow:
    """A segment on its way to the database."""

    def __init__(self, segment: Segment) -> None:
        self._segment = segment
        self._packed: bytes = b""

    def pack(self) -> None:
        """Compress it. Takes time, so it is done before the transaction."""
        self._packed = pack(self._segment.payloads)

    def write(self, connection: sqlite3.Connection, lease: Lease) -> bool:
        """Insert it. False: the lease was lost."""
        values = {"key": lease.key, "fence": lease.fence, **self._values()}
        return connection.execute(_SQL["add_segment"], values).rowcount == 1

    def write_first(self, connection: sqlite3.Connection, key: int) -> None:
        """Insert it for a row of this very transaction."""
        connection.execute(_SQL["add_first_segment"], {"key": key, **self._values()})

    @property
    def size(self) -> int:
        """Bytes once it is packed."""
        return len(self._packed)

    def _values(self) -> dict[str, object]:
        first = self._segment.first
        return {"first_seq": first, "last_seq": first + len(self._segment.payloads) - 1, "payloads": self._packed}


def segment_row(segment: Segment | None) -> SegmentRow | None:
    """None where there is nothing to write."""
    return SegmentRow(segment) if segment is not None and segment.payloads else None


def begin_run(connection: sqlite3.Connection, beginning: Beginning, owner: str) -> Lease:
    """Write a run and its input.

    Its fence begins at random, so that the lease of a deleted run never fits the next one that gets its key.

    Raises: Conflict for an id that exists, PreviousResponseNotFound for a parent that does not, ConversationNotFound,
    ConversationLocked.
    """
    fence = randbits(48)
    key = _add_run(connection, beginning, owner, fence)
    if beginning.conversation is not None:
        conversations.enter(connection, beginning.tenant, beginning.conversation, key)
    if beginning.request is not None:
        connection.execute(_SQL["add_request"], {"key": key, "body": beginning.request})
    _add_items(connection, key, beginning.tenant, beginning.input)
    return Lease(key, fence)


def record_run(
    connection: sqlite3.Connection, beginning: Beginning, ending: Ending, segment: SegmentRow | None, owner: str
) -> None:
    """Write a run whole. Raises: as `begin_run`."""
    if beginning.conversation is not None or beginning.request is not None or ending.had_signals:
        finish_run(connection, begin_run(connection, beginning, owner), ending, segment)
        return
    size = _size(ending.output) + (segment.size if segment is not None else 0)
    ended = replace(beginning, head=ending.head)
    key = _add_run(connection, ended, owner, _NO_LEASE, status=ending.status, more_bytes=size)
    _add_items(connection, key, beginning.tenant, beginning.input, ending.output)
    if segment is not None:
        segment.write_first(connection, key)


def _add_run(
    connection: sqlite3.Connection,
    beginning: Beginning,
    owner: str,
    fence: int,
    *,
    status: Status | None = None,
    more_bytes: int = 0,
) -> int:
    values = {
        "tenant": beginning.tenant,
        "id": beginning.id,
        "parent": _parent(connection, beginning),
        "status": status or beginning.status,
        "background": beginning.background,
        "dialect": beginning.dialect,
        "created_at": beginning.created_at,
        "expires_at": beginning.expires_at,
        "owner": owner,
        "fence": fence,
        "head": beginning.head,
        "size": len(beginning.head) + _size(beginning.input) + more_bytes,
    }
    cursor = connection.execute(_SQL["begin"], values)
    if cursor.rowcount != 1 or cursor.lastrowid is None:
        raise Conflict(f"A response with id '{beginning.id}' exists already.")
    return cursor.lastrowid


def finish_run(connection: sqlite3.Connection, lease: Lease, ending: Ending, segment: SegmentRow | None) -> bool:
    """False: the lease was lost."""
    if segment is not None and not segment.write(connection, lease):
        return False
    values = {
        "status": ending.status,
        "head": ending.head,
        "output_size": _size(ending.output),
        "key": lease.key,
        "fence": lease.fence,
    }
    if connection.execute(_SQL["finish"], values).rowcount != 1:
        return False
    if ending.had_signals:
        forget_signals(connection, lease.key)
    if ending.output:
        connection.executemany(_SQL["add_output"], [(item.id, item.body, lease.key) for item in ending.output])
    if ending.appended:
        conversations.append_of_run(connection, lease.key, ending.appended)
    return True


def append_segment(connection: sqlite3.Connection, lease: Lease, segment: SegmentRow | None) -> bool:
    """False: the lease was lost."""
    return may_write(connection, lease) if segment is None else segment.write(connection, lease)


def may_write(connection: sqlite3.Connection, lease: Lease) -> bool:
    """Whether the lease still holds."""
    values = {"key": lease.key, "fence": lease.fence}
    return connection.execute(_SQL["may_write"], values).fetchone() is not None


def forget_signals(connection: sqlite3.Connection, key: int) -> None:
    """Delete what only an unfinished run needs."""
    connection.execute(_SQL["forget_request"], {"key": key})
    connection.execute(_SQL["forget_calls"], {"key": key})


def _parent(connection: sqlite3.Connection, beginning: Beginning) -> int | None:
    if beginning.previous_response_id is None:
        return None
    row = connection.execute(
        _SQL["find"], {"tenant": beginning.tenant, "id": beginning.previous_response_id}
    ).fetchone()
    if row is None:
        raise PreviousResponseNotFound(beginning.previous_response_id)
    key: int = row[0]
    return key


def _size(items: Sequence[StoredItem]) -> int:
    return sum(len(item.body) for item in items)


def _add_items(
    connection: sqlite3.Connection,
    key: int,
    tenant: str,
    given: Sequence[StoredItem],
    made: Sequence[StoredItem] = (),
) -> None:
    """Write the items of the run with this key: those of its input, then those of its output."""
    kinds = (*repeat("input", len(given)), *repeat("output", len(made)))
    rows = [
        ((key << _ITEM_BITS) + place, kind, tenant, item.id, item.body)
        for place, (kind, item) in enumerate(zip(kinds, (*given, *made), strict=True))
    ]
    if rows:
        connection.executemany(_SQL["add_item"], rows)
