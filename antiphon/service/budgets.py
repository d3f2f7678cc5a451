"""What was used, by day, tenant, key and model; and the budgets of tokens for a day or a month that end it.

Usage is gathered here and written with every tick of the upkeep, never per request; a process that is killed loses what
it has gathered since. Budgets are looked up in memory, as they were at the last tick: they end within a tick or two of
being used up, in every process.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from functools import lru_cache

from antiphon.core.rate_rules import Owned, Scope
from antiphon.errors import TooManyRequests
from antiphon.ports import RateStore, UsageRow
from antiphon.service.caller import Caller
from antiphon.wire.response import Response

DAY_S = 24 * 60 * 60
_Place = tuple[Scope, str]


class QuotaExceeded(TooManyRequests):
    """A budget is used up: waiting a little does not help, so nobody is told to."""

    type = "insufficient_quota"
    default_code = "insufficient_quota"
    unit = "budget"

    def __init__(self, message: str, scope: str) -> None:
        super().__init__(message)
        self.scope = scope


class Budgets:
    """Gathers what is used over a store, and knows what was used before. Days and months are those of UTC."""

    def __init__(self, rates: RateStore, clock: Callable[[], float]) -> None:
        self._rates = rates
        self._clock = clock
        self._gathered: dict[tuple[str, str, str, str], UsageRow] = {}
        self._today: Counter[_Place] = Counter()
        self._this_month: Counter[_Place] = Counter()
        self._month = ""
        self._day = ""
        self.watched = False

    def add(self, caller: Caller, model: str, response: Response) -> None:
        """Count a response that has ended."""
        usage = response.usage
        row = UsageRow(
            day=self._date(),
            tenant=caller.tenant,
            key=caller.key_id or "",
            key_name=caller.key_name or "",
            model=model,
            requests=1,
            input_tokens=usage.input_tokens if usage else 0,
            cached_tokens=usage.input_tokens_details.cached_tokens if usage else 0,
            output_tokens=usage.output_tokens if usage else 0,
        )
        before = self._gathered.get(row.place)
        self._gathered[row.place] = row if before is None else before.plus(row)
        if self.watched:
            _count(row, self._today, self._this_month)

    def check(self, limits: Iterable[Owned]) -> None:
        """Raises: QuotaExceeded for a budget that is used up."""
        for owned in limits:
            daily, monthly = owned.limits.daily_tokens, owned.limits.monthly_tokens
            if daily is None and monthly is None:
                continue
            self.watched = True
            place = (owned.scope, owned.name)
            if daily is not None and self._spent(self._today, self._day, self._date(), place) >= daily:
                raise _exceeded(owned, daily, "today", "tomorrow")
            if monthly is not None and self._spent(self._this_month, self._month, self._date()[:7], place) >= monthly:
                raise _exceeded(owned, monthly, "this month", "next month")

    async def flush(self) -> None:
        """Write what was gathered, and read what all processes have used. Raises: StoreUnavailable."""
        gathered, self._gathered = self._gathered, {}
        if gathered:
            try:
                await self._rates.add_usage(list(gathered.values()))
            except BaseException:
                for row in gathered.values():
                    later = self._gathered.get(row.place)
                    self._gathered[row.place] = row if later is None else row.plus(later)
                raise
        if self.watched:
            await self.look()

    async def look(self) -> None:
        """Read what all processes have used this month. Raises: StoreUnavailable."""
        day = self._date()
        rows = [*await self._rates.usage(f"{day[:7]}-01", day), *self._gathered.values()]
        today, this_month = Counter[_Place](), Counter[_Place]()
        for row in rows:
            _count(row, this_month)
            if row.day == day:
                _count(row, today)
        self._day, self._month, self._today, self._this_month = day, day[:7], today, this_month

    def _spent(self, counted: Counter[_Place], of: str, now: str, place: _Place) -> int:
        return counted[place] if of == now else 0

    def _date(self) -> str:
        return _day(int(self._clock() // DAY_S))


@lru_cache(maxsize=2)
def _day(number: int) -> str:
    return datetime.fromtimestamp(number * DAY_S, UTC).date().isoformat()


def _count(row: UsageRow, *counters: Counter[_Place]) -> None:
    tokens = row.input_tokens + row.output_tokens
    places: Sequence[_Place] = (("key", row.key), ("tenant", row.tenant), ("model", row.model), ("global", ""))
    for counter in counters:
        for place in places:
            counter[place] += tokens


def _exceeded(owned: Owned, budget: int, when: str, again: str) -> QuotaExceeded:
    whose = "server" if owned.scope == "global" else owned.scope
    return QuotaExceeded(
        f"You exceeded your current quota: this {whose} may use {budget} tokens, and has {when}. It can be used again "
        f"{again} (UTC).",
        owned.scope,
    )
