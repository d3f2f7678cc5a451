"""Reading the log of a run that is not live in this process: finished, or being written by another one."""

import asyncio
from collections.abc import Sequence
from itertools import chain

from antiphon.errors import NotFound
from antiphon.ports import ResponseStore, Segment
from antiphon.service.log import Silence

UNFINISHED = ("queued", "in_progress")
READ_BYTES = 256 * 1024
"""How much is read back from the store at a time, whole segments apart."""

POLL_S = 0.2
"""How often the log of a run in another process is looked at."""


def payloads_from(segments: Sequence[Segment], number: int) -> list[bytes]:
    """The payloads of consecutive segments from the event with `number` on."""
    if not segments:
        return []
    return list(chain.from_iterable(segment.payloads for segment in segments))[max(0, number - segments[0].first) :]


class StoredLogReader:
    """A reader of what the store has, which waits for more while the run is unfinished."""

    def __init__(
        self, store: ResponseStore, tenant: str, response_id: str, after: int, *, heartbeat_s: float | None
    ) -> None:
        self._store = store
        self._tenant = tenant
        self._response_id = response_id
        self._position = after + 1
        self._left = asyncio.Event()
        self._ended = False
        self._silence = Silence(heartbeat_s, lambda: None)

    @property
    def position(self) -> int:
        """The number of the next event this reader will get."""
        return self._position

    async def read(self) -> Sequence[bytes] | None:
        """What is stored and not read yet, waiting for more. Empty: a heartbeat is due. None: the log is over."""
        while not self._left.is_set():
            self._ended = self._ended or await self._has_ended()  # asked first: what is stored after it is the end
            payloads = await self._unread()
            if payloads:
                self._position += len(payloads)
                self._silence.broken()
                return payloads
            if self._ended:
                break
            if self._silence.is_due():
                return ()
            await self._pause()
        return None

    def leave(self) -> None:
        """Stop reading; a pending `read` returns None."""
        self._left.set()

    async def _has_ended(self) -> bool:
        stored = await self._store.get(self._tenant, self._response_id)
        return stored is None or stored.status not in UNFINISHED

    async def _unread(self) -> list[bytes]:
        segments = await self._store.read_log(self._tenant, self._response_id, self._position - 1, max_bytes=READ_BYTES)
        if segments is None:
            raise NotFound(f"Response with id '{self._response_id}' not found.", param="response_id")
        return payloads_from(segments, self._position)

    async def _pause(self) -> None:
        try:
            await asyncio.wait_for(self._left.wait(), POLL_S)
        except TimeoutError:
            return
