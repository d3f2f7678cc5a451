"""When the row of a run is written."""

import asyncio

import pytest

from antiphon.errors import StoreUnavailable
from antiphon.ports import Beginning, Ending, Lease, Segment, StoredItem
from antiphon.service.run_row import HELD_BACK_BYTES, Rows
from antiphon.stores.memory import MemoryStore
from tests.service.conftest import soon, until_quiet
from tests.stores.turns import TENANT, beginning, ending

pytestmark = pytest.mark.anyio


class Counted(MemoryStore):
    """Tells what it was asked to write, and refuses while it is `broken`."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[str] = []
        self.broken = False
        self.has_begun = asyncio.Event()
        self.has_refused = asyncio.Event()

    async def begin(self, beginning: Beginning) -> Lease:
        self._note("begin")
        lease = await super().begin(beginning)
        self.has_begun.set()
        return lease

    async def finish(self, lease: Lease, ending: Ending) -> bool:
        self._note("finish")
        return await super().finish(lease, ending)

    async def record(self, beginning: Beginning, ending: Ending) -> None:
        self._note("record")
        await super().finish(await super().begin(beginning), ending)

    def _note(self, call: str) -> None:
        self.calls.append(call)
        if self.broken:
            self.has_refused.set()
            raise StoreUnavailable("The disk is full.")


async def test_a_short_run_is_written_once() -> None:
    store = Counted()
    rows = Rows(store)
    row, later = rows.hold_back(beginning("r1")), rows.hold_back(beginning("r2"))
    assert row is not None and later is not None
    assert await row.finish(ending("r1"))
    await soon(store.has_begun.wait())  # the moment is over for both
    assert store.calls == ["record", "begin"]
    assert await store.get(TENANT, "r2") is not None


async def test_the_row_of_a_longer_run_is_there_soon() -> None:
    store = Counted()
    row = Rows(store).hold_back(beginning("r1"))
    assert row is not None
    await soon(store.has_begun.wait())
    assert (await store.get(TENANT, "r1")) is not None
    assert await row.finish(ending("r1"))
    assert store.calls == ["begin", "finish"]


async def test_a_log_that_has_to_be_stored_brings_its_row_along() -> None:
    store = Counted()
    row = Rows(store).hold_back(beginning("r1"))
    assert row is not None
    assert await row.append(Segment(0, (b"event",)))
    assert await row.finish(ending("r1"))
    assert store.calls == ["begin", "finish"]
    assert await store.read_log(TENANT, "r1", -1) == (Segment(0, (b"event",)),)


async def test_a_store_that_refused_is_asked_first_until_it_takes_a_row() -> None:
    store = Counted()
    rows = Rows(store)
    row = rows.hold_back(beginning("r1"))
    assert row is not None
    store.broken = True
    with pytest.raises(StoreUnavailable):
        await row.finish(ending("r1"))
    assert rows.hold_back(beginning("r2")) is None
    with pytest.raises(StoreUnavailable):
        await rows.begin(beginning("r2"))
    store.broken = False
    assert await (await rows.begin(beginning("r2"))).finish(ending("r2"))
    assert rows.hold_back(beginning("r3")) is not None


async def test_a_row_that_could_not_be_written_in_time_is_written_with_the_end() -> None:
    store = Counted()
    store.broken = True
    row = Rows(store).hold_back(beginning("r1"))
    assert row is not None
    await soon(store.has_refused.wait())
    store.broken = False
    assert await row.finish(ending("r1"))
    assert store.calls == ["begin", "record"]


async def test_a_large_input_is_not_held_back() -> None:
    large = StoredItem("i", b"x" * (HELD_BACK_BYTES + 1))
    assert Rows(MemoryStore()).hold_back(beginning("r1", input=[large])) is None


async def test_rows_that_wait_together_are_written_together() -> None:
    store = Counted()
    rows = Rows(store)
    kept = [rows.hold_back(beginning(f"r{number}")) for number in range(3)]
    assert None not in kept
    await soon(store.has_begun.wait())
    await until_quiet()
    assert store.calls == ["begin"] * 3

    late = rows.hold_back(beginning("late"))  # the clock runs again for those that come later
    assert late is not None
    store.has_begun.clear()
    await soon(store.has_begun.wait())
    assert store.calls == ["begin"] * 4
