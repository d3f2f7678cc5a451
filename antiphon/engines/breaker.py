"""Whether a server that has failed is asked again, without a clock: every method is told the time.

Rules
- Closed: everything goes through. THRESHOLD failures in a row open it.
- Open: nothing goes through until its time is over, which doubles with every opening up to MOST_S, less a random part.
- Half open: one request goes through as a probe. Its success closes, its failure opens again; without either the next
  request is the probe.
"""

from typing import Literal

THRESHOLD = 5
BASE_S = 1.0
MOST_S = 30.0

BreakerState = Literal["closed", "open", "half_open"]


class Breaker:
    """The breaker of one server. Times are seconds of one clock; `jitter` is a random number from 0 to 1."""

    def __init__(self, *, threshold: int = THRESHOLD, base_s: float = BASE_S, most_s: float = MOST_S) -> None:
        self._threshold = threshold
        self._base_s = base_s
        self._most_s = most_s
        self._failures = 0
        self._openings = 0
        self._open_until: float | None = None
        self._probing = False

    def state(self, now: float) -> BreakerState:
        """What it lets through at this time."""
        if self._open_until is None:
            return "closed"
        return "half_open" if now >= self._open_until else "open"

    def ready(self, now: float) -> bool:
        """Whether a request may go through."""
        return self._open_until is None or (now >= self._open_until and not self._probing)

    def ready_in_s(self, now: float) -> float:
        """How long until a probe may go through, as far as that is known."""
        return max(0.0, (self._open_until or now) - now)

    def begin(self) -> None:
        """A request goes through, which must `succeed`, `fail` or be `abandoned`."""
        self._probing = self._open_until is not None

    def succeed(self) -> None:
        """The server answers."""
        self._failures = self._openings = 0
        self._open_until, self._probing = None, False

    def fail(self, now: float, jitter: float, *, is_certain: bool = False) -> None:
        """The server failed. What fails while it is open was begun before, and tells nothing new.

        `is_certain`: it is known to be down, so that one failure is as good as many.
        """
        self._failures += self._threshold if is_certain else 1
        if self.state(now) == "open" or (self._open_until is None and self._failures < self._threshold):
            return
        self._openings += 1
        wait_s = min(self._most_s, self._base_s * 2.0 ** min(self._openings - 1, 30))
        self._open_until, self._probing = now + wait_s * (1 - jitter / 2), False

    def abandon(self) -> None:
        """A request ended without telling anything about the server."""
        self._probing = False
