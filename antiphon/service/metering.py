"""What runs are counted for: their callers' usage, and the limits that they take from."""

from collections import Counter
from collections.abc import Callable, Sequence

from antiphon.core.rate_rules import ScopedLimits
from antiphon.core.rates import Level
from antiphon.ports import RateStore
from antiphon.service.budgets import Budgets, QuotaExceeded
from antiphon.service.caller import Caller
from antiphon.service.limiter import Admission, Limiter, RateLimited, tokens_of
from antiphon.service.work import Work
from antiphon.wire.extended_events import RateLimit, RateLimitsUpdated
from antiphon.wire.response import Response


class Meter:
    """Settled once, when the run's usage is known and before its last event is said."""

    def __init__(self, caller: Caller, budgets: Budgets, admission: Admission | None) -> None:
        self._caller = caller
        self._budgets = budgets
        self._admission = admission

    @property
    def levels(self) -> Sequence[Level]:
        """How the limits stood when the run was let in, and after its end how they stand then."""
        return self._admission.levels if self._admission else ()

    async def settle(self, response: Response) -> Sequence[Level]:
        """Count what the response used; how its limits stand then."""
        self._budgets.add(self._caller, response.model, response)
        return await self._admission.settle(tokens_of(response)) if self._admission else ()

    async def cancel(self) -> None:
        """Give back what a run took that did not come to be; it stays counted as a request."""
        if self._admission:
            await self._admission.settle(0)


class Metering:
    """The limits, budgets and usage of a server."""

    def __init__(self, rates: RateStore, scoped: Sequence[ScopedLimits], clock: Callable[[], float]) -> None:
        self.refused: Counter[tuple[str, str]] = Counter()
        """Requests that met a limit, by whose it was and what of."""
        self._rates = rates
        self._clock = clock
        self._budgets = Budgets(rates, clock)
        self._limiter = Limiter(rates, self._budgets, scoped=scoped, clock=clock)

    def use_limits(self, scoped: Sequence[ScopedLimits]) -> None:
        """Hold new requests to these limits; what was counted stays counted."""
        self._limiter.scoped = scoped

    async def begin(self, caller: Caller, work: Work, body: bytes | None) -> Meter:
        """Let a run in. Raises: RateLimited, QuotaExceeded, StoreUnavailable."""
        request = work.request
        try:
            admission = await self._limiter.admit(
                caller,
                work.model.id,
                body_bytes=len(body or b""),
                max_output_tokens=request.max_output_tokens,
                background=bool(request.background),
            )
        except (RateLimited, QuotaExceeded) as error:
            self.refused[error.scope, error.unit] += 1
            raise
        return Meter(caller, self._budgets, admission)

    async def flush(self) -> None:
        """Write what was used since the last time. Raises: StoreUnavailable."""
        await self._budgets.flush()

    async def tidy(self) -> None:
        """Drop what says nothing any more. Raises: StoreUnavailable."""
        await self._rates.forget_idle(self._clock())


def rate_limits(levels: Sequence[Level]) -> RateLimitsUpdated | None:
    """The event that tells how limits stand; None where there are none."""
    told = tuple(
        RateLimit(
            name=_name(level), limit=level.rule.limit, remaining=level.remaining, reset_seconds=round(level.reset_s, 3)
        )
        for level in levels
        if level.rule.window_s
    )
    return RateLimitsUpdated(rate_limits=told) if told else None


def _name(level: Level) -> str:
    """`tokens` for the key's limit of a minute; others say what they are."""
    scope = level.rule.owner.partition(":")[0]
    name = level.rule.unit if level.rule.window_s == 60 else f"{level.rule.unit}_per_hour"
    return name if scope == "key" else f"{scope}_{name}"
