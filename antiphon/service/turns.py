"""Whose turn it is at the engine, where not all may generate at once.

A run takes a turn for each generation, after its first events are out, so that its client never waits in silence. Tiers
have shares, and tenants within a tier take turns; nobody starves. Without a limit nothing is queued.
"""

import asyncio
from types import TracebackType

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

    def turn(self, *, tier: str, tenant: str) -> "Turn":
        """What holds a turn, once it is there."""
        return Turn(self, tier, tenant)

    async def take(self, tier: str, tenant: str) -> None:
        """Return when a turn is there, which is to be given back."""
        if not self._most_running:
            return
        if self.running < self._most_running:
            self.running += 1
            return
        mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.push(mine, kind=tier, share=share_of(tier), lane=tenant)
        try:
            await mine
        except asyncio.CancelledError:
            if mine.done() and not mine.cancelled():  # it was handed over at the same moment
                self.give_back()
            else:
                self._queue.discard(mine)
            raise

    def give_back(self) -> None:
        """A turn is over: the next one has it."""
        if not self._most_running:
            return
        while len(self._queue):
            following = self._queue.pop()
            if not following.done():
                following.set_result(None)
                return
        self.running -= 1


class Turn:
    """An asynchronous context that holds a turn. A class, for an asynchronous generator has to be registered to run."""

    __slots__ = ("_tenant", "_tier", "_turns")

    def __init__(self, turns: Turns, tier: str, tenant: str) -> None:
        self._turns = turns
        self._tier = tier
        self._tenant = tenant

    async def __aenter__(self) -> None:
        await self._turns.take(self._tier, self._tenant)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._turns.give_back()
