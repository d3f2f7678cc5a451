"""Whose turn it is at the engine, where not all may generate at once.

A run takes a turn for each generation, after its first events are out, so that its client never waits in silence. Tiers
have shares, and tenants within a tier take turns; nobody starves. Without a limit nothing is queued.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from antiphon.core.fair_queue import FairQueue
from antiphon.core.tiers import share_of
from antiphon.errors import EngineUnavailable

RETRY_AFTER_S = 2.0


class Turns:
    """At most `running` generations at a time (0: no limit), and `waiting` runs that queue for theirs."""

    def __init__(self, running: int = 0, waiting: int = 0) -> None:
        self._most_running = running
        self._most_waiting = waiting
        self._queue: FairQueue[asyncio.Future[None]] = FairQueue()
        self.running = 0

    @property
    def waiting(self) -> int:
        """How many wait for their turn."""
        return len(self._queue)

    def check(self) -> None:
        """Raises: EngineUnavailable when nobody more may wait."""
        if self._most_running and self.running >= self._most_running and self.waiting >= self._most_waiting:
            raise EngineUnavailable(
                f"The server is overloaded: {self.waiting} requests are waiting (setting 'engine_queue'). "
                f"Please try again in {RETRY_AFTER_S:g}s.",
                retry_after_s=RETRY_AFTER_S,
            )

    @asynccontextmanager
    async def turn(self, *, tier: str, tenant: str) -> AsyncIterator[None]:
        """Hold a turn, once it is there."""
        if not self._most_running:
            yield
            return
        await self._take(tier, tenant)
        try:
            yield
        finally:
            self._pass_on()

    async def _take(self, tier: str, tenant: str) -> None:
        if self.running < self._most_running:
            self.running += 1
            return
        mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.push(mine, kind=tier, share=share_of(tier), lane=tenant)
        try:
            await mine
        except asyncio.CancelledError:
            if mine.done() and not mine.cancelled():  # it was handed over at the same moment
                self._pass_on()
            else:
                self._queue.discard(mine)
            raise

    def _pass_on(self) -> None:
        while len(self._queue):
            following = self._queue.pop()
            if not following.done():
                following.set_result(None)
                return
        self.running -= 1
