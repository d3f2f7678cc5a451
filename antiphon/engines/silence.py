"""Notices silence with one timer, however many tokens come."""

import asyncio
from collections.abc import Callable


class Silence:
    """Calls `broken` when the moment last given to `allow` has passed. `allow` is cheap: it mostly moves a number."""

    def __init__(self, broken: Callable[[], None]) -> None:
        self.until = 0.0  # may be moved later at will; `allow` brings it forward too
        self._loop = asyncio.get_running_loop()
        self._broken = broken
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0

    def allow(self, until: float) -> None:
        """Silence is fine until this moment of the loop's clock."""
        self.until = until
        if self._timer is None or self._timer_at > until:
            self.stop()
            self._set(until)

    def stop(self) -> None:
        """Watch no longer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        self._timer = None
        if self._loop.time() < self.until:
            self._set(self.until)
        else:
            self._broken()

    def _set(self, at: float) -> None:
        self._timer_at = at
        self._timer = self._loop.call_at(at, self._look)
