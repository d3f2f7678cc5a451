"""The rows of runs in the store, and when they are written.

A row is written before its run begins wherever another process may have to know of the run: in the background, in a
conversation, or when it waits for tool outputs. Any other small row is held back for a moment, because a short run then
takes one transaction in place of two, and a long one is not kept waiting for the first; should this process die in that
moment, the store knows of it all the same. Once the store has refused something, every row is written first again, so
that a request is refused before its answer begins. Rows that wait together are written together, in one transaction.
"""

import asyncio
import logging
from contextlib import suppress

from antiphon.errors import AntiphonError, StoreUnavailable
from antiphon.ports import Beginning, Ending, Lease, ResponseStore, Segment

logger = logging.getLogger(__name__)

HELD_BACK_S = 0.05
"""How long a run may be known to its own process only."""
HELD_BACK_BYTES = 16 * 1024
"""The input of a row that is held back is no longer than this: what takes room is better refused at once."""


class Rows:
    """Makes the rows of one store's runs."""

    def __init__(self, store: ResponseStore) -> None:
        self.store = store
        self.is_well = True
        self._waiting: dict[RunRow, float] = {}  # until when; in the order of that
        self._timer: asyncio.TimerHandle | None = None

    def begun(self, lease: Lease) -> "RunRow":
        """The row of a run that is in the store already."""
        return RunRow(self, None, lease)

    async def begin(self, beginning: Beginning) -> "RunRow":
        """Write a row now. Raises: as `ResponseStore.begin`."""
        row = RunRow(self, beginning, None)
        await row.begin()
        return row

    def hold_back(self, beginning: Beginning) -> "RunRow | None":
        """A row that is written within HELD_BACK_S, or with its run's end. None: the store has to take it first.

        Raises: StoreUnavailable.
        """
        if not self.is_well or sum(len(item.body) for item in beginning.input) > HELD_BACK_BYTES:
            return None
        self.store.announce(beginning)
        row = RunRow(self, beginning, None)
        loop = asyncio.get_running_loop()
        until = loop.time() + HELD_BACK_S
        self._waiting[row] = until
        if self._timer is None:
            self._timer = loop.call_at(until, self._write_due)
        return row

    def let_go(self, row: "RunRow") -> None:
        """A row waits no longer, or never did."""
        self._waiting.pop(row, None)

    def _write_due(self) -> None:
        """Write the rows whose time has come, and those whose time is near."""
        loop = asyncio.get_running_loop()
        soon = loop.time() + HELD_BACK_S / 2
        due = [row for row, until in self._waiting.items() if until <= soon]
        for row in due:
            self.let_go(row)
        first = next(iter(self._waiting.values()), None)
        self._timer = loop.call_at(first, self._write_due) if first is not None else None
        for row in due:  # last: a store that is closed refuses, and the others must not be forgotten for that
            row.write()


class RunRow:
    """The row of one run. `lease` None: it is not written yet."""

    def __init__(self, rows: Rows, beginning: Beginning | None, lease: Lease | None) -> None:
        self.lease = lease
        self._rows = rows
        self._store = rows.store
        self._beginning = beginning
        self._begun: asyncio.Future[Lease] | None = None

    async def begin(self) -> Lease:
        """The lease of the row, which is written now if it has not been. Raises: as `ResponseStore.begin`."""
        if self.lease is not None:
            return self.lease
        return await asyncio.shield(self._begun or self.write())

    async def append(self, segment: Segment) -> bool:
        """Store a part of the log. False: the lease was lost. Raises: StoreUnavailable."""
        return await self._store.append_log(await self.begin(), segment)

    async def finish(self, ending: Ending) -> bool:
        """Store the end and all that is not stored yet. False: the lease was lost. Raises: StoreUnavailable."""
        self._rows.let_go(self)
        try:
            lease = await self._written()
            if lease is not None:
                return await self._store.finish(lease, ending)
            assert self._beginning is not None  # without one there is a lease
            await self._store.record(self._beginning, ending)
            return True
        except StoreUnavailable:
            self._rows.is_well = False
            raise

    async def _written(self) -> Lease | None:
        """The lease of what is in the store, once that is known; None where nothing is."""
        if self.lease is not None or self._begun is None:
            return self.lease
        with suppress(StoreUnavailable):  # it may be taken together with the end
            return await asyncio.shield(self._begun)
        return None

    def write(self) -> asyncio.Future[Lease]:
        """Write the row; what becomes of it is noted."""
        assert self._beginning is not None
        self._rows.let_go(self)
        self._begun = asyncio.ensure_future(self._store.begin(self._beginning))
        self._begun.add_done_callback(self._note)
        return self._begun

    def _note(self, begun: asyncio.Future[Lease]) -> None:
        if begun.cancelled():
            self._begun = None
            return
        error = begun.exception()
        if error is None:
            self.lease = begun.result()
            self._beginning = self._begun = None  # a run goes on for long, and its input may be large
            self._rows.is_well = True
            return
        self._begun = None  # whoever needs the row tries again
        self._rows.is_well &= not isinstance(error, StoreUnavailable)
        if not isinstance(error, AntiphonError):
            logger.error("the row of a run could not be written: %s", error)
