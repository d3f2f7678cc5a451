"""Rate limits and usage in the memory of this process."""

from collections.abc import Sequence

from antiphon.core import rates
from antiphon.core.rates import Bucket, Charge, Verdict
from antiphon.ports import UsageRow


class MemoryRates:
    """A `RateStore` in plain dicts."""

    def __init__(self) -> None:
        self._buckets: dict[str, Bucket] = {}
        self._usage: dict[tuple[str, str, str, str], UsageRow] = {}

    async def take(self, charges: Sequence[Charge], now: float) -> Verdict:
        verdict, after = rates.decide(charges, self._buckets, now)
        self._buckets.update(after)
        return verdict

    async def settle(self, charges: Sequence[Charge], now: float) -> Verdict:
        verdict, after = rates.settle(charges, self._buckets, now)
        self._buckets.update(after)
        return verdict

    async def forget_idle(self, now: float) -> None:
        """Nothing: the limits of one process are few."""

    async def add_usage(self, rows: Sequence[UsageRow]) -> None:
        for row in rows:
            before = self._usage.get(row.place)
            self._usage[row.place] = row if before is None else before.plus(row)

    async def usage(self, first: str, last: str) -> Sequence[UsageRow]:
        return [row for place, row in sorted(self._usage.items()) if first <= place[0] <= last]
