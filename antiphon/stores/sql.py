"""Responses in one SQLite file, shared by all processes of a host."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from antiphon.core.ledger import CallOutput, Delivery
from antiphon.errors import StoreUnavailable
from antiphon.ports import (
    NO_QUOTAS,
    AbandonedRun,
    Beginning,
    Ending,
    ItemPage,
    Lease,
    Quotas,
    Segment,
    StoredResponse,
    Swept,
    Turn,
)
from antiphon.stores import reading, runs, signals
from antiphon.stores.changes import Changes, Question
from antiphon.stores.checkpoints import Checkpoints
from antiphon.stores.database import data_version, open_reader, open_writer, set_up
from antiphon.stores.keys import SqlKeys
from antiphon.stores.owners import Owner
from antiphon.stores.removal import remove_response
from antiphon.stores.retention import Sweeper
from antiphon.stores.sql_conversations import SqlConversations
from antiphon.stores.sql_prompts import SqlPrompts
from antiphon.stores.sql_rates import SqlRates
from antiphon.stores.worker import Workers, answer, commit

_READERS = 3
_GROUP_SIZE = 64


class SqlStore:
    """A `ResponseStore` on SQLite: one writing thread, a few reading ones, all behind the event loop that started it.

    A sweep deletes the oldest responses beyond the `quotas`, whose `max_bytes` is that of the database file.
    """

    def __init__(self, path: Path, *, quotas: Quotas = NO_QUOTAS) -> None:
        self._path = path
        self._quotas = quotas
        self._owner = Owner(path)
        self._started: tuple[Workers, Workers] | None = None
        self._changes = Changes(path, self._data_version)
        self._cancels = Question(self._changes, self._cancel_requests)
        self._nothing_abandoned_at: int | None = None  # of the changes
        self._checkpoints = Checkpoints(path, self._open)
        self.conversations = SqlConversations(self._open, self._owner.id)
        self.prompts = SqlPrompts(self._open)
        self.rates = SqlRates(self._open, self._owner.id)
        self.keys = SqlKeys(self._open, self._changes)

    async def start(self) -> None:
        """Make or open the file and be seen by other processes. Raises: SetupError."""
        await asyncio.to_thread(set_up, self._path)
        writer = Workers(
            "store-writer",
            partial(open_writer, self._path),
            commit,
            threads=1,
            group_size=_GROUP_SIZE,
            coming=lambda: len(self._owner.journal),
        )
        readers = Workers("store-reader", partial(open_reader, self._path), answer, threads=_READERS, group_size=1)
        self._started = writer, readers
        try:
            await writer.run(self._owner.register)
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Finish what is being written and leave the other processes; unfinished runs are theirs to claim."""
        if self._started is None:
            return
        writer, readers = self._started
        self._started = None
        self._owner.journal.close()
        with suppress(StoreUnavailable):  # a row that stays names a lock that nobody holds: that of a dead owner
            await writer.run(self._owner.leave)
        await writer.close()
        await readers.close()
        await asyncio.to_thread(self._owner.release)

    def announce(self, beginning: Beginning) -> None:
        self._owner.journal.add(beginning)

    def begin(self, beginning: Beginning) -> "asyncio.Future[Lease]":
        begun = self._writer.run(partial(runs.begin_run, beginning=beginning, owner=self._owner.id))
        begun.add_done_callback(partial(self._settle, beginning))
        return begun

    def _settle(self, beginning: Beginning, written: "asyncio.Future[Lease]") -> None:
        if not written.cancelled() and written.exception() is None:
            self._owner.journal.settle(beginning.tenant, beginning.id)

    async def record(self, beginning: Beginning, ending: Ending) -> None:
        row = runs.segment_row(ending.segment)
        await self._writer.run(
            partial(runs.record_run, beginning=beginning, ending=ending, segment=row, owner=self._owner.id),
            row.pack if row else None,
        )
        self._owner.journal.settle(beginning.tenant, beginning.id)

    async def finish(self, lease: Lease, ending: Ending) -> bool:
        row = runs.segment_row(ending.segment)
        return await self._writer.run(
            partial(runs.finish_run, lease=lease, ending=ending, segment=row), row.pack if row else None
        )

    async def get(self, tenant: str, response_id: str) -> StoredResponse | None:
        return await self._readers.run(partial(reading.read_response, tenant=tenant, response_id=response_id))

    async def delete(self, tenant: str, response_id: str) -> bool:
        return await self._writer.run(partial(remove_response, tenant=tenant, response_id=response_id))

    async def chain(self, tenant: str, response_id: str) -> Sequence[Turn]:
        return await self._readers.run(partial(reading.read_chain, tenant=tenant, response_id=response_id))

    async def input_items(
        self, tenant: str, response_id: str, *, after: str | None, limit: int, descending: bool
    ) -> ItemPage | None:
        return await self._readers.run(
            partial(
                reading.read_input_items,
                tenant=tenant,
                response_id=response_id,
                after=after,
                limit=limit,
                descending=descending,
            )
        )

    async def find_items(self, tenant: str, item_ids: Sequence[str]) -> dict[str, bytes]:
        if not item_ids:
            return {}
        return await self._readers.run(partial(reading.read_items, tenant=tenant, item_ids=item_ids))

    async def append_log(self, lease: Lease, segment: Segment) -> bool:
        row = runs.segment_row(segment)
        return await self._writer.run(partial(runs.append_segment, lease=lease, segment=row), row.pack if row else None)

    async def read_log(
        self, tenant: str, response_id: str, after: int, *, max_bytes: int | None = None
    ) -> Sequence[Segment] | None:
        return await self._readers.run(
            partial(reading.read_segments, tenant=tenant, response_id=response_id, after=after, max_bytes=max_bytes)
        )

    async def expect_outputs(self, lease: Lease, call_ids: Sequence[str]) -> bool:
        return await self._writer.run(partial(signals.expect_outputs, lease=lease, call_ids=call_ids))

    async def deliver_outputs(self, tenant: str, response_id: str, outputs: Sequence[CallOutput]) -> Delivery | None:
        return await self._writer.run(
            partial(signals.deliver_outputs, tenant=tenant, response_id=response_id, outputs=outputs)
        )

    async def collect_outputs(self, lease: Lease) -> Sequence[CallOutput]:
        return await self._readers.run(partial(signals.collect_outputs, lease=lease))

    async def request_cancel(self, tenant: str, response_id: str) -> bool:
        requested = self._writer.run(partial(signals.request_cancel, tenant=tenant, response_id=response_id))
        return await self._cancels.changed_by(requested)

    async def cancel_requests(self) -> Sequence[Lease]:
        return await self._cancels.answer()

    async def _cancel_requests(self) -> Sequence[Lease]:
        wanted = await self._readers.run(partial(signals.cancel_requests, owner=self._owner.id))
        if wanted:
            self._cancels.forget()  # an end takes them off the list, and that would not be a change
        return wanted

    async def claim_abandoned(self) -> Sequence[AbandonedRun]:
        number = await self._changes.number()
        if number is not None and number == self._nothing_abandoned_at:
            return ()
        abandoned = await self._cancels.changed_by(self._writer.run(self._owner.claim_abandoned))
        self._owner.forget_journals()
        # Others die without a word; where there are none, only a change can bring any.
        self._nothing_abandoned_at = number if self._owner.is_alone else None
        return abandoned

    async def sweep(self, now: float) -> Swept:
        return await Sweeper(self._path, self._quotas, self._writer, self._readers).sweep(now)

    async def settle(self, *, at_rest: bool) -> None:
        await self._checkpoints.look(at_rest=at_rest)

    async def _data_version(self) -> int:
        return await self._writer.run(data_version)

    @property
    def _writer(self) -> Workers:
        return self._open()[0]

    @property
    def _readers(self) -> Workers:
        return self._open()[1]

    def _open(self) -> tuple[Workers, Workers]:
        if self._started is None:
            raise StoreUnavailable("The store is not open.")
        return self._started
