"""Rate limits and usage in the SQLite file, so that they hold across the processes of a host."""

from collections.abc import Callable, Sequence
from functools import partial

from antiphon.core.rates import Charge, Verdict
from antiphon.ports import UsageRow
from antiphon.stores import rates
from antiphon.stores.worker import Workers


class SqlRates:
    """A `RateStore` over the writer and the readers that `open_workers` gives."""

    def __init__(self, open_workers: Callable[[], tuple[Workers, Workers]], owner: str) -> None:
        self._open = open_workers
        self._owner = owner

    async def take(self, charges: Sequence[Charge], now: float) -> Verdict:
        return await self._open()[0].run(partial(rates.take, charges=charges, now=now, owner=self._owner))

    async def settle(self, charges: Sequence[Charge], now: float) -> Verdict:
        return await self._open()[0].run(partial(rates.settle, charges=charges, now=now, owner=self._owner))

    async def forget_idle(self, now: float) -> None:
        await self._open()[0].run(partial(rates.forget_idle, now=now))

    async def add_usage(self, rows: Sequence[UsageRow]) -> None:
        await self._open()[0].run(partial(rates.add_usage, rows=rows))

    async def usage(self, first: str, last: str) -> Sequence[UsageRow]:
        return await self._open()[1].run(partial(rates.read_usage, first=first, last=last))
