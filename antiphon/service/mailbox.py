"""How tool outputs reach a run that waits for them, from any connection and any process.

A stored run's mailbox is in the store, so that every process can deliver; one that is not stored has it in memory. What
a delivery means is the ledger's decision in both.
"""

import asyncio
from collections.abc import Sequence
from functools import cached_property
from typing import Protocol, cast

from antiphon.core.ledger import CallLedger, CallOutput, Delivery
from antiphon.ports import Lease, ResponseStore
from antiphon.wire.items import CustomToolCallOutput, FunctionCallOutput, decode_item

POLL_S = 0.2
"""How often a waiting run looks for outputs that another process has taken."""

OutputItem = FunctionCallOutput | CustomToolCallOutput


class Mailbox(Protocol):
    """The outputs of one run's calls."""

    async def expect(self, call_ids: Sequence[str]) -> None:
        """From now on take outputs of these calls."""
        ...

    async def collect(self) -> Sequence[OutputItem]:
        """Wait for outputs that were not collected before; at least one."""
        ...

    async def deliver(self, outputs: Sequence[CallOutput]) -> Delivery | None:
        """Take a batch whole or not at all. None: the run takes none (any more)."""
        ...


class MemoryMailbox:
    """The mailbox of a run that is not stored."""

    def __init__(self) -> None:
        self._ledger = CallLedger()
        self._news = _News()

    async def expect(self, call_ids: Sequence[str]) -> None:
        """From now on take outputs of these calls."""
        self._ledger.expect(call_ids)

    async def collect(self) -> Sequence[OutputItem]:
        """Wait for outputs that were not collected before; at least one."""
        while not (fresh := self._news.fresh(self._ledger.answered)):
            await self._news.wait(None)
        return fresh

    async def deliver(self, outputs: Sequence[CallOutput]) -> Delivery | None:
        """Take a batch whole or not at all. None: the run has not made a call yet."""
        if not self._ledger:
            return None
        delivery = self._ledger.deliver(outputs)
        self._news.announce()
        return delivery


class StoredMailbox:
    """The mailbox of a stored run. Only its owner, who has the lease, expects and collects."""

    def __init__(self, store: ResponseStore, tenant: str, response_id: str, lease: Lease | None = None) -> None:
        self._store = store
        self._tenant = tenant
        self._response_id = response_id
        self._lease = lease
        self._news = _News()

    async def expect(self, call_ids: Sequence[str]) -> None:
        """From now on take outputs of these calls."""
        await self._store.expect_outputs(self._own(), call_ids)

    async def collect(self) -> Sequence[OutputItem]:
        """Wait for outputs that were not collected before; at least one."""
        while not (fresh := self._news.fresh(await self._store.collect_outputs(self._own()))):
            await self._news.wait(POLL_S)
        return fresh

    async def deliver(self, outputs: Sequence[CallOutput]) -> Delivery | None:
        """Take a batch whole or not at all. None: the run takes none (any more)."""
        delivery = await self._store.deliver_outputs(self._tenant, self._response_id, outputs)
        self._news.announce()
        return delivery

    def _own(self) -> Lease:
        if self._lease is None:
            raise LookupError("only the owner of a run can read its mailbox")
        return self._lease


class _News:
    """Tells a waiting run that something was delivered in this process, and what it has not seen yet."""

    def __init__(self) -> None:
        self._seen: set[str] = set()

    @cached_property
    def _event(self) -> asyncio.Event:
        """Made when it is needed: most runs call no tool."""
        return asyncio.Event()

    def announce(self) -> None:
        self._event.set()

    async def wait(self, at_most_s: float | None) -> None:
        try:
            await asyncio.wait_for(self._event.wait(), at_most_s)
        except TimeoutError:
            return
        self._event.clear()

    def fresh(self, outputs: Sequence[CallOutput]) -> Sequence[OutputItem]:
        new = [output for output in outputs if output.call_id not in self._seen]
        self._seen |= {output.call_id for output in new}
        return [cast(OutputItem, decode_item(output.body)) for output in new]
