"""How a run's events reach its readers and the store.

Foreground: readers get them at once, the store in segments when enough has gathered. Background: the store first, in
groups of whatever has gathered meanwhile, then the readers, so that nothing is ever seen that a crash could take back.
Without a row nothing is stored.
"""

import asyncio
from collections.abc import Callable, Sequence

from antiphon.core.payloads import Payloads, Texts
from antiphon.errors import StoreUnavailable
from antiphon.ports import Segment
from antiphon.service.log import RunLog
from antiphon.service.run_row import RunRow

FLUSH_BYTES = 64 * 1024
"""How much of a foreground run's log may be in memory only."""


class LogWriter:
    """The only one who appends to a run's log."""

    def __init__(
        self,
        log: RunLog,
        row: RunRow | None,
        *,
        commit_first: bool,
        on_lost_lease: Callable[[], None],
    ) -> None:
        self._log = log
        self._row = row
        self._unwritten_bytes = 0
        self._commit_first = commit_first and row is not None
        self._ending = False
        self._flushing = False
        self._stalled = False
        self._on_lost_lease = on_lost_lease
        self._written = log.next_number
        self._held_back: list[bytes] = []  # what is to be stored before it is in the log
        self._task: asyncio.Task[None] | None = None

    def append(self, payloads: list[bytes], size: int, among: Texts | None = None, *, last: bool = False) -> None:
        """Add events, of `size` bytes in all, to the log, now or once they are stored.

        What is said from the `last` ones on is stored together with the end of the run: by itself it would let another
        process go on from a run whose outcome is known.
        """
        self._ending |= last
        if self._commit_first:
            self._held_back += payloads
        else:
            self._log.append(payloads, among)
        if self._row is None or not payloads:
            return
        self._unwritten_bytes += size
        if self._commit_first or self._flushing or self._unwritten_bytes >= FLUSH_BYTES:
            self._begin_to_write(self._row)

    def flush(self) -> None:
        """Store what is in memory only, although it is little."""
        self._flushing = True
        if self._row is not None:
            self._begin_to_write(self._row)

    def _begin_to_write(self, row: RunRow) -> None:
        if self._is_due() and not self._stalled and (self._task is None or self._task.done()):
            self._task = asyncio.get_running_loop().create_task(self._write(row))

    async def settle(self) -> None:
        """Wait for what is being written. What could not be written is part of the run's last segment."""
        if self._task is not None:
            await self._task

    def last_segment(self, payloads: Sequence[bytes]) -> Segment | None:
        """What the store lacks once `payloads` end the log."""
        rest = self._unwritten()
        rest.add(payloads)
        return Segment(self._written, rest) if rest else None

    def release(self, payloads: Sequence[bytes]) -> None:
        """End the log with `payloads`; readers get all that was held back."""
        self._log.end([*self._held_back, *payloads])

    def _is_due(self) -> bool:
        if self._ending:
            return False
        return self._commit_first or self._flushing or self._unwritten_bytes >= FLUSH_BYTES

    def _unwritten(self) -> Payloads:
        """What the store lacks of what was said so far."""
        if not self._commit_first:
            return self._log.payloads.part(self._written)
        unwritten = Payloads(self._written)
        unwritten.add(self._held_back)
        return unwritten

    async def _write(self, row: RunRow) -> None:
        while self._unwritten_bytes and self._is_due():
            batch, size = self._unwritten(), self._unwritten_bytes
            if not await self._is_stored(row, batch):
                self._stalled = True
                return
            self._unwritten_bytes -= size
            self._written += len(batch)
            if self._commit_first:
                del self._held_back[: len(batch)]  # not before: what was not written must still reach the readers
                self._log.append(list(batch))
            self._log.trim(self._written)
        self._flushing = False

    async def _is_stored(self, row: RunRow, batch: Payloads) -> bool:
        """Whether the store has taken a segment. If not, the run's end tries once more, with all that is missing."""
        try:
            stored = await row.append(Segment(self._written, batch))
        except StoreUnavailable:
            return False
        if not stored:
            self._on_lost_lease()
        return stored
