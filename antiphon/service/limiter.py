"""Rate limits around a request: take what it is thought to need, settle what it did need.

A request without limits costs nothing here. Limits are counted in the store, so they hold across its processes.
"""

import logging
from collections.abc import Callable, Sequence

from antiphon.core.rate_rules import Asker, ScopedLimits, charges, guess_tokens, limits_of
from antiphon.core.rates import Charge, Denial, Level
from antiphon.errors import StoreUnavailable, TooManyRequests
from antiphon.ports import RateStore
from antiphon.service.budgets import Budgets
from antiphon.service.caller import Caller
from antiphon.wire.response import Response

logger = logging.getLogger(__name__)

RUNS_WAIT_S = 1.0
_WINDOWS = {60: "min", 3600: "hour"}
_SHORT = {("requests", 60): "RPM", ("tokens", 60): "TPM", ("requests", 3600): "RPH", ("tokens", 3600): "TPH"}


class RateLimited(TooManyRequests):
    """A limit was reached; `levels` is how every limit of the request stands."""

    def __init__(self, denial: Denial, model: str, levels: Sequence[Level]) -> None:
        wait_s = denial.wait_s if denial.rule.window_s else RUNS_WAIT_S
        super().__init__(_message(denial, model, wait_s), retry_after_s=wait_s)
        self.levels = levels
        self.scope, self.unit = denial.rule.owner.partition(":")[0], denial.rule.unit
        self.type = "requests" if denial.rule.unit == "runs" else denial.rule.unit  # type: ignore[misc]


class Admission:
    """What one request has taken; settled once, at its end. `levels` is how its limits stood after it was taken."""

    def __init__(self, taken: Sequence[Charge], levels: Sequence[Level], tokens: int, limiter: "Limiter") -> None:
        self.levels = levels
        self._taken = taken
        self._tokens = tokens
        self._limiter = limiter

    async def settle(self, tokens: int | None) -> Sequence[Level]:
        """Charge the `tokens` it needed instead of those it was thought to need, and give its places back.

        None: nobody knows, the guess stands.
        """
        taken, self._taken = self._taken, ()
        beyond = 0 if tokens is None else tokens - self._tokens
        rest = [
            Charge(charge.rule, beyond if charge.rule.unit == "tokens" else 0 if charge.rule.window_s else -1)
            for charge in taken
        ]
        if rest:
            self.levels = await self._limiter.settle(rest)
        return self.levels


class Limiter:
    """The limits of all requests. `scoped` are those that are set beside the keys' own."""

    def __init__(
        self, rates: RateStore, budgets: Budgets, *, scoped: Sequence[ScopedLimits], clock: Callable[[], float]
    ) -> None:
        self._rates = rates
        self._budgets = budgets
        self.scoped = scoped
        self._clock = clock

    async def admit(
        self, caller: Caller, model: str, *, body_bytes: int, max_output_tokens: int | None, background: bool
    ) -> Admission | None:
        """Let a request in; None where it meets no limit. Raises: RateLimited, QuotaExceeded, StoreUnavailable."""
        asker = Asker(tenant=caller.tenant, key=caller.key_id, model=model)
        found = tuple(limits_of(asker, caller.limits, self.scoped))
        if not found:
            return None
        self._budgets.check(found)
        tokens = guess_tokens(body_bytes, max_output_tokens)
        wanted = charges(found, tokens, background=background)
        if not wanted:
            return None
        verdict = await self._rates.take(wanted, self._clock())
        if verdict.denial is not None:
            raise RateLimited(verdict.denial, model, verdict.levels)
        return Admission(wanted, verdict.levels, tokens, self)

    async def settle(self, rest: Sequence[Charge]) -> Sequence[Level]:
        """Charge without asking. A store that is down leaves the guess standing."""
        try:
            return (await self._rates.settle(rest, self._clock())).levels
        except StoreUnavailable as error:
            logger.warning("a rate limit could not be settled: %s", error.message)
            return ()


def tokens_of(response: Response) -> int | None:
    """What a response has used; None where nobody knows."""
    return None if response.usage is None else response.usage.total_tokens


def _message(denial: Denial, model: str, wait_s: float) -> str:
    rule = denial.rule
    whose = rule.owner.partition(":")[0]
    if rule.unit == "runs":
        return (
            f"Rate limit reached for {model}: {rule.limit} responses at a time (limit of this {_whose(whose)}). "
            f"Please try again in {wait_s:g}s."
        )
    per = f"{rule.unit} per {_WINDOWS[rule.window_s]} ({_SHORT[rule.unit, rule.window_s]})"
    return (
        f"Rate limit reached for {model} on {per} (limit of this {_whose(whose)}): Limit {rule.limit}, Used "
        f"{denial.used}, Requested {denial.requested}. Please try again in {_seconds(wait_s)}s."
    )


def _whose(scope: str) -> str:
    return "server" if scope == "global" else scope


def _seconds(wait_s: float) -> str:
    return f"{wait_s:.3f}".rstrip("0").rstrip(".")
