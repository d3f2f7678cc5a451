"""Writing what was committed to the database file, and to the disk, while nobody waits for anything.

SQLite does so by itself once a few thousand pages have gathered, in the commit that happens to come then. A server that
rests now and then never gets there, and what was committed before a rest survives a power cut after it.
"""

import time
from collections.abc import Callable
from pathlib import Path

from antiphon.stores.changes import FileState, file_state
from antiphon.stores.sql_files import load_statements
from antiphon.stores.worker import Workers

_SQL = load_statements("retention")
QUIET_S = 1.0
"""How long nobody may have written to a store at rest."""
APART_S = 10.0
"""The least time between two checkpoints, each of which waits for the disk twice."""
OVERDUE_S = 300.0
"""After so long there is one even where nothing ever rests."""


class Checkpoints:
    """Those of one process. `workers` are the store's writer and readers."""

    def __init__(
        self,
        database: Path,
        workers: Callable[[], tuple[Workers, Workers]],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._workers = workers
        self._clock = clock
        self._last_at = clock()
        self._done: FileState | None = None

    async def look(self, *, at_rest: bool) -> bool:
        """Make a checkpoint if it is due; whether it was. Raises: StoreUnavailable."""
        state = file_state(self._database, quiet_s=QUIET_S)
        if not self._is_due(state, at_rest):
            return False
        await self._workers()[1].run(lambda connection: connection.execute(_SQL["checkpoint"]).fetchall())
        self._last_at, self._done = self._clock(), state
        return True

    def _is_due(self, state: FileState | None, at_rest: bool) -> bool:
        passed_s = self._clock() - self._last_at
        if at_rest:
            return passed_s >= APART_S and state is not None and state != self._done
        return passed_s >= OVERDUE_S and (state is None or state != self._done)
