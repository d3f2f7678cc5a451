"""What a server does now and then, beside answering: taking over runs, obeying cancels, evicting, sweeping."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Protocol

from antiphon.errors import AntiphonError

logger = logging.getLogger(__name__)

TICK_S = 0.5
RECOVER_EVERY = 4
SWEEP_EVERY = 120
"""In ticks."""


class Chores(Protocol):
    """What has to be done."""

    async def obey_cancels(self) -> None: ...

    async def recover(self) -> None: ...

    async def account(self) -> None: ...

    async def sweep(self) -> None: ...

    async def settle(self) -> None: ...

    def expire_sessions(self) -> None: ...


class Upkeep:
    """Does the chores for as long as it runs; one that fails is logged and done again at its next turn."""

    def __init__(self, chores: Chores) -> None:
        self._chores = chores
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    async def _run(self) -> None:
        tick = 0
        while True:
            await asyncio.sleep(TICK_S)
            tick += 1
            self._chores.expire_sessions()
            # At once, for the store writes together what comes together.
            await asyncio.gather(self.attempt(self._chores.obey_cancels), self.attempt(self._chores.account))
            if tick % RECOVER_EVERY == 0:
                await self.attempt(self._chores.recover)
            if tick % SWEEP_EVERY == 0:
                await self.attempt(self._chores.sweep)
            await self.attempt(self._chores.settle)

    async def attempt(self, chore: Callable[[], Awaitable[object]]) -> None:
        """Do a chore; one that fails is logged."""
        try:
            await chore()
        except AntiphonError as error:
            logger.warning("%s failed: %s", getattr(chore, "__name__", "a chore"), error.message)
        except Exception:  # the top of the chores: one that breaks must not end the others until the next restart
            logger.exception("%s failed", getattr(chore, "__name__", "a chore"))
