"""Responses in the memory of this process: for tests, and for servers that may forget."""

from collections.abc import Iterator, Sequence

import msgspec
from msgspec import Struct

from antiphon.core.ledger import CallLedger, CallOutput, Delivery
from antiphon.errors import Conflict, PreviousResponseNotFound
from antiphon.ports import (
    NO_QUOTAS,
    AbandonedRun,
    Beginning,
    Ending,
    ItemPage,
    Lease,
    Quotas,
    Segment,
    Status,
    StoredItem,
    StoredResponse,
    Swept,
    Turn,
)
from antiphon.stores.excess import Excess, excess
from antiphon.stores.keys import MemoryKeys
from antiphon.stores.log_part import take_segments
from antiphon.stores.memory_conversations import MemoryConversations, Room
from antiphon.stores.memory_prompts import MemoryPrompts
from antiphon.stores.memory_rates import MemoryRates
from antiphon.stores.paging import place_behind

_UNFINISHED: tuple[Status, ...] = ("queued", "in_progress")


class _Run(Struct, kw_only=True):
    """A response, or the tombstone of one."""

    key: int
    tenant: str
    id: str
    parent: "_Run | None"
    status: Status
    background: bool
    dialect: str
    expires_at: float | None
    head: bytes
    input: tuple[StoredItem, ...]
    output: tuple[StoredItem, ...] = ()
    segments: list[Segment] = msgspec.field(default_factory=list)
    calls: CallLedger = msgspec.field(default_factory=CallLedger)
    cancelled: bool = False
    children: int = 0
    deleted: bool = False
    room: Room | None = None
    seen: int = 0  # the items of the conversation that it went on from are those below this position

    @property
    def is_unfinished(self) -> bool:
        return not self.deleted and self.status in _UNFINISHED

    def items(self) -> tuple[StoredItem, ...]:
        return self.input + self.output

    def size(self) -> int:
        bodies = sum(len(item.body) for item in self.items())
        logged = sum(len(payload) for segment in self.segments for payload in segment.payloads)
        return len(self.head) + bodies + logged


class MemoryStore:
    """A `ResponseStore` in plain dicts. Heads, items and logs count for the `quotas`."""

    def __init__(self, *, quotas: Quotas = NO_QUOTAS) -> None:
        self._quotas = quotas
        self._last_key = 0
        self._runs: dict[int, _Run] = {}  # tombstones included, oldest first
        self._keys: dict[tuple[str, str], int] = {}  # by tenant and public id, tombstones left out
        self._items: dict[tuple[str, str], dict[int, bytes]] = {}  # by tenant and item id, then by run
        self.conversations = MemoryConversations()
        self.prompts = MemoryPrompts()
        self.rates = MemoryRates()
        self.keys = MemoryKeys()

    async def start(self) -> None:
        """Nothing to open."""

    async def close(self) -> None:
        """Nothing to close: what is stored stays readable."""

    def announce(self, beginning: Beginning) -> None:
        """Nothing to keep: what dies with this process takes the store along."""

    async def begin(self, beginning: Beginning) -> Lease:
        parent = self._parent(beginning)
        name = (beginning.tenant, beginning.id)
        if name in self._keys:
            raise Conflict(f"A response with id '{beginning.id}' exists already.")
        place = beginning.conversation
        room = self.conversations.free(beginning.tenant, place) if place is not None else None
        self._last_key += 1
        run = _Run(
            key=self._last_key,
            tenant=beginning.tenant,
            id=beginning.id,
            parent=parent,
            status=beginning.status,
            background=beginning.background,
            dialect=beginning.dialect,
            expires_at=beginning.expires_at,
            head=beginning.head,
            input=tuple(beginning.input),
            room=room,
            seen=place.end if place is not None else 0,
        )
        if room is not None:
            room.is_busy = lambda: run.is_unfinished
        if parent is not None:
            parent.children += 1
        self._runs[run.key] = run
        self._keys[name] = run.key
        self._index(run, run.input)
        return Lease(run.key, 1)

    async def record(self, beginning: Beginning, ending: Ending) -> None:
        await self.finish(await self.begin(beginning), ending)

    async def finish(self, lease: Lease, ending: Ending) -> bool:
        run = self._leased(lease)
        if run is None:
            return False
        run.status = ending.status
        run.head = ending.head
        run.output = tuple(ending.output)
        self._index(run, run.output)
        self._log(run, ending.segment)
        if run.room is not None:
            self.conversations.append(run.room, ending.appended)
        return True

    async def get(self, tenant: str, response_id: str) -> StoredResponse | None:
        run = self._find(tenant, response_id)
        if run is None:
            return None
        return StoredResponse(
            id=run.id,
            status=run.status,
            background=run.background,
            dialect=run.dialect,
            head=run.head,
            output=_bodies(run.output),
        )

    async def delete(self, tenant: str, response_id: str) -> bool:
        run = self._find(tenant, response_id)
        if run is None:
            return False
        self._remove(run)
        return True

    async def chain(self, tenant: str, response_id: str) -> Sequence[Turn]:
        line = self._line(tenant, response_id)
        turns = [
            Turn(response_id=run.id, status=run.status, input=_bodies(run.input), output=_bodies(run.output))
            for run in line
        ]
        room = line[0].room if line else None
        if room is not None and (front := room.before(line[0].seen)):
            turns.insert(0, Turn(response_id=room.id, status="completed", input=_bodies(front), output=()))
        return tuple(turns)

    async def input_items(
        self, tenant: str, response_id: str, *, after: str | None, limit: int, descending: bool
    ) -> ItemPage | None:
        line = self._line(tenant, response_id)
        if not line:
            return None
        *ancestors, last = line
        room = line[0].room
        items = list(room.before(line[0].seen)) if room is not None else []
        items += [item for run in ancestors for item in run.items()] + list(last.input)
        if descending:
            items.reverse()
        start = 0 if after is None else place_behind(items, after)
        return ItemPage(_bodies(items[start : start + limit]), len(items) > start + limit)

    async def find_items(self, tenant: str, item_ids: Sequence[str]) -> dict[str, bytes]:
        found = {item_id: self._find_item(tenant, item_id) for item_id in item_ids}
        return {item_id: body for item_id, body in found.items() if body is not None}

    async def append_log(self, lease: Lease, segment: Segment) -> bool:
        run = self._leased(lease)
        if run is None:
            return False
        self._log(run, segment)
        return True

    async def read_log(
        self, tenant: str, response_id: str, after: int, *, max_bytes: int | None = None
    ) -> Sequence[Segment] | None:
        run = self._find(tenant, response_id)
        if run is None:
            return None
        behind = (segment for segment in run.segments if segment.first + len(segment.payloads) - 1 > after)
        return take_segments(behind, max_bytes)

    async def expect_outputs(self, lease: Lease, call_ids: Sequence[str]) -> bool:
        run = self._leased(lease)
        if run is None:
            return False
        run.calls.expect(call_ids)
        return True

    async def deliver_outputs(self, tenant: str, response_id: str, outputs: Sequence[CallOutput]) -> Delivery | None:
        run = self._find(tenant, response_id)
        if run is None or run.status not in _UNFINISHED or not run.calls:
            return None
        return run.calls.deliver(outputs)

    async def collect_outputs(self, lease: Lease) -> Sequence[CallOutput]:
        run = self._leased(lease)
        return () if run is None else run.calls.answered

    async def request_cancel(self, tenant: str, response_id: str) -> bool:
        run = self._find(tenant, response_id)
        if run is None or run.status not in _UNFINISHED:
            return False
        run.cancelled = True
        return True

    async def cancel_requests(self) -> Sequence[Lease]:
        return tuple(
            Lease(run.key, 1) for run in self._runs.values() if run.cancelled and self._leased(Lease(run.key, 1))
        )

    async def claim_abandoned(self) -> Sequence[AbandonedRun]:
        """None, ever: what dies with this process takes the store along."""
        return ()

    async def sweep(self, now: float) -> Swept:
        expired = [run for run in self._ended() if run.expires_at is not None and run.expires_at <= now]
        for run in expired:
            self._remove(run)
        quotas = self._quotas
        over = 0
        for tenant in {run.tenant for run in self._runs.values()}:
            over += self._shed(quotas.tenant_max_entries, quotas.tenant_max_bytes, tenant)
        over += self._shed(quotas.max_entries, quotas.max_bytes)
        return Swept(len(expired), over, sum(run.size() for run in self._runs.values()))

    async def settle(self, *, at_rest: bool) -> None:
        """Nothing is written to any disk."""

    def _shed(self, max_entries: int | None, max_bytes: int | None, tenant: str | None = None) -> int:
        """Remove the oldest responses, all or a tenant's, until they keep within the quota; returns how many."""
        removed = 0
        for run in [run for run in self._ended() if tenant in (None, run.tenant)]:
            if not self._excess(max_entries, max_bytes, tenant):
                break
            self._remove(run)
            removed += 1
        return removed

    def _excess(self, max_entries: int | None, max_bytes: int | None, tenant: str | None) -> Excess:
        if max_entries is None and max_bytes is None:
            return Excess()
        kept = [run for run in self._runs.values() if tenant in (None, run.tenant)]
        entries, size = sum(not run.deleted for run in kept), sum(run.size() for run in kept)
        return excess(entries, size, max_entries, max_bytes)

    def _ended(self) -> Iterator[_Run]:
        return (run for run in self._runs.values() if not run.deleted and run.status not in _UNFINISHED)

    def _parent(self, beginning: Beginning) -> _Run | None:
        if beginning.previous_response_id is None:
            return None
        parent = self._find(beginning.tenant, beginning.previous_response_id)
        if parent is None:
            raise PreviousResponseNotFound(beginning.previous_response_id)
        return parent

    def _find(self, tenant: str, response_id: str) -> _Run | None:
        key = self._keys.get((tenant, response_id))
        return None if key is None else self._runs[key]

    def _find_item(self, tenant: str, item_id: str) -> bytes | None:
        bodies = self._items.get((tenant, item_id))
        return bodies[max(bodies)] if bodies else self.conversations.find(tenant, item_id)

    def _leased(self, lease: Lease) -> _Run | None:
        """The run of a lease that still holds. Nobody takes over here, so the only fence is the first."""
        run = self._runs.get(lease.key)
        holds = run is not None and lease.fence == 1 and run.is_unfinished
        return run if holds else None

    def _line(self, tenant: str, response_id: str) -> list[_Run]:
        """From the root to a response; empty when that is unknown."""
        line: list[_Run] = []
        run = self._find(tenant, response_id)
        while run is not None:
            line.append(run)
            run = run.parent
        line.reverse()
        return line

    def _log(self, run: _Run, segment: Segment | None) -> None:
        if segment is not None and segment.payloads:
            run.segments.append(Segment(segment.first, tuple(segment.payloads)))

    def _index(self, run: _Run, items: Sequence[StoredItem]) -> None:
        for item in items:
            self._items.setdefault((run.tenant, item.id), {})[run.key] = item.body

    def _remove(self, run: _Run) -> None:
        """Bury a response; erase it, and the tombstones above it, unless a descendant lives."""
        del self._keys[run.tenant, run.id]
        for item in run.items():
            self._forget_item((run.tenant, item.id), run.key)
        run.deleted = True
        run.head = b""
        run.segments.clear()
        buried: _Run | None = run
        while buried is not None and buried.deleted and not buried.children:
            del self._runs[buried.key]
            buried = buried.parent
            if buried is not None:
                buried.children -= 1

    def _forget_item(self, name: tuple[str, str], key: int) -> None:
        bodies = self._items.get(name)
        if bodies is None:
            return
        bodies.pop(key, None)
        if not bodies:
            del self._items[name]


def _bodies(items: Sequence[StoredItem]) -> tuple[bytes, ...]:
    return tuple(item.body for item in items)
