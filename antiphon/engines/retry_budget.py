"""How many requests may be asked again of another server, so that retries cannot drown servers in trouble."""

SHARE = 0.1
RESERVE = 10.0
MOST_SAVED = 100.0
REFILL_PER_S = 0.5


class RetryBudget:
    """Every request earns `share` of a retry, which can be saved up to MOST_SAVED. The reserve fills slowly by itself,
    for when there is little traffic.

    In any time there are at most `reserve` + `share` x requests + `refill_per_s` x seconds retries.
    """

    def __init__(
        self, *, share: float = SHARE, reserve: float = RESERVE, refill_per_s: float = REFILL_PER_S, now: float = 0.0
    ) -> None:
        self._share = share
        self._reserve = reserve
        self._refill_per_s = refill_per_s
        self._balance = reserve
        self._at = now

    def earn(self, now: float) -> None:
        """A request came."""
        self._refill(now)
        self._balance = min(MOST_SAVED, self._balance + self._share)

    def spend(self, now: float) -> bool:
        """Whether a retry may be made; it then counts."""
        self._refill(now)
        if self._balance < 1:
            return False
        self._balance -= 1
        return True

    def _refill(self, now: float) -> None:
        if self._balance < self._reserve:
            self._balance = min(self._reserve, self._balance + self._refill_per_s * max(0.0, now - self._at))
        self._at = max(self._at, now)
