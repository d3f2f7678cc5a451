"""What every `ResponseStore` does."""

import faulthandler
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace

from antiphon.errors import Conflict, InvalidRequest, PreviousResponseNotFound
from antiphon.ports import NO_QUOTAS, ItemPage, Lease, Quotas, ResponseStore, Segment, StoredItem, StoredResponse, Turn
from antiphon.stores.memory import MemoryStore
from antiphon.stores.sql import SqlStore
from tests.stores.turns import TENANT, beginning, bodies, body, ending, head, item, put, turn

pytestmark = pytest.mark.anyio
MIB = 2**20


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def bounded() -> Iterator[None]:
    faulthandler.dump_traceback_later(120, exit=True)
    yield
    faulthandler.cancel_dump_traceback_later()


def make_store(kind: str, folder: Path, quotas: Quotas = NO_QUOTAS) -> ResponseStore:
    if kind == "memory":
        return MemoryStore(quotas=quotas)
    return SqlStore(folder / "data" / "antiphon.db", quotas=quotas)


@pytest.fixture(params=["memory", "sql"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def store(kind: str, tmp_path: Path) -> AsyncIterator[ResponseStore]:
    store = make_store(kind, tmp_path)
    await store.start()
    yield store
    await store.close()


@pytest.fixture
async def small_store(kind: str, tmp_path: Path) -> AsyncIterator[ResponseStore]:
    """At most 4 MiB."""
    store = make_store(kind, tmp_path, Quotas(max_bytes=4 * MIB))
    await store.start()
    yield store
    await store.close()


@asynccontextmanager
async def limited(kind: str, folder: Path, **quotas: int) -> AsyncIterator[ResponseStore]:
    store = make_store(kind, folder, Quotas(**quotas))
    await store.start()
    yield store
    await store.close()


# ------------------------------------------------------------------------------------------------- begin, finish, get


async def test_a_run_can_be_read_while_it_is_in_progress(store: ResponseStore) -> None:
    await store.begin(beginning("r1", background=True))
    assert await store.get(TENANT, "r1") == StoredResponse(
        id="r1", status="in_progress", background=True, head=head("r1", "in_progress"), output=()
    )


async def test_a_finished_run_is_read_with_its_last_head_and_its_output_in_order(store: ResponseStore) -> None:
    await put(store, "r1", output=[item("z"), item("a"), item("m")])
    assert await store.get(TENANT, "r1") == StoredResponse(
        id="r1", status="completed", background=False, head=head("r1", "completed"), output=bodies("z", "a", "m")
    )


async def test_a_run_recorded_whole_is_stored_like_one_that_began_and_ended(store: ResponseStore) -> None:
    segment = Segment(0, (b"first event", b"second event"))
    read: list[list[object]] = []
    for tenant, whole in ((TENANT, True), ("other", False)):
        for name, previous in (("r1", None), ("r2", "r1")):
            begun = beginning(name, previous=previous, tenant=tenant, input=[item(f"{name}_a"), item(f"{name}_b")])
            ended = ending(name, output=[item(f"{name}_z"), item(f"{name}_y")], segment=segment)
            ended = replace(ended, had_signals=False)
            if whole:
                await store.record(begun, ended)
            else:
                assert await store.finish(await store.begin(begun), ended)
        read.append(
            [
                await store.get(tenant, "r2"),
                await store.chain(tenant, "r2"),
                await store.input_items(tenant, "r2", after="r1_b", limit=9, descending=False),
                await store.read_log(tenant, "r2", -1),
                await store.find_items(tenant, ["r1_a", "r2_y"]),
            ]
        )
    assert read[0] == read[1]
    whole_row = await store.get(TENANT, "r2")
    assert whole_row is not None and whole_row.output == bodies("r2_z", "r2_y")


async def test_a_run_recorded_whole_counts_for_the_quotas_like_another(kind: str, tmp_path: Path) -> None:
    kept: list[set[str]] = []
    for folder, whole in ((tmp_path / "whole", True), (tmp_path / "parts", False)):
        async with limited(kind, folder, tenant_max_bytes=3000) as store:
            for number in range(5):
                begun = beginning(f"r{number}", input=[item(f"in{number}", "x" * 300)])
                ended = replace(ending(f"r{number}", output=[item(f"out{number}", "y" * 400)]), had_signals=False)
                if whole:
                    await store.record(begun, ended)
                else:
                    await store.finish(await store.begin(begun), ended)
            await store.sweep(0)
            kept.append({f"r{number}" for number in range(5) if await store.get(TENANT, f"r{number}")})
    assert kept[0] == kept[1]
    assert 0 < len(kept[0]) < 5


async def test_a_run_that_cannot_be_recorded_leaves_nothing(store: ResponseStore) -> None:
    await put(store, "r1")
    with pytest.raises(Conflict):
        await store.record(beginning("r1"), ending("r1"))
    with pytest.raises(PreviousResponseNotFound):
        await store.record(beginning("r2", previous="never"), ending("r2"))
    assert await store.chain(TENANT, "r1") == (turn("r1"),)
    assert await store.get(TENANT, "r2") is None


async def test_an_unknown_response_is_none_or_empty_everywhere(store: ResponseStore) -> None:
    assert await store.get(TENANT, "r1") is None
    assert await store.delete(TENANT, "r1") is False
    assert await store.chain(TENANT, "r1") == ()
    assert await store.input_items(TENANT, "r1", after=None, limit=10, descending=False) is None
    assert await store.read_log(TENANT, "r1", -1) is None
    assert await store.find_items(TENANT, ["x"]) == {}


async def test_empty_lists_are_stored_as_empty_lists(store: ResponseStore) -> None:
    await put(store, "r1", input=[], output=[])
    assert await store.chain(TENANT, "r1") == (Turn(response_id="r1", status="completed", input=(), output=()),)
    assert await store.input_items(TENANT, "r1", after=None, limit=10, descending=False) == ItemPage((), False)
    assert await store.find_items(TENANT, []) == {}


async def test_every_character_is_kept_byte_for_byte(store: ResponseStore) -> None:
    text = '{ "t" : "é\\u0000\\ud83d\\ude00😀\\"\\\\ \u2028]", "n": 1.50e+1 }'.encode()
    odd_id = 'ïd-😀-"quoted"\''
    await put(store, odd_id, input=[StoredItem(odd_id, text)], output=[StoredItem("o", text)])
    assert await store.chain(TENANT, odd_id) == (
        Turn(response_id=odd_id, status="completed", input=(text,), output=(text,)),
    )
    assert await store.find_items(TENANT, [odd_id]) == {odd_id: text}
    assert await store.input_items(TENANT, odd_id, after=None, limit=1, descending=True) == ItemPage((text,), False)


async def test_items_of_a_megabyte_are_kept(store: ResponseStore) -> None:
    large = item("large", "é" * (MIB // 2))
    await put(store, "r1", input=[large], output=[large])
    assert await store.chain(TENANT, "r1") == (
        Turn(response_id="r1", status="completed", input=(large.body,), output=(large.body,)),
    )


async def test_an_id_can_be_used_once_per_tenant(store: ResponseStore) -> None:
    await put(store, "r1")
    await put(store, "r1", tenant="other", output=[])
    with pytest.raises(Conflict):
        await store.begin(beginning("r1"))
    assert await store.chain(TENANT, "r1") == (turn("r1"),)


async def test_a_run_cannot_begin_behind_an_unknown_or_deleted_response(store: ResponseStore) -> None:
    await put(store, "r1")
    await put(store, "r2", previous="r1")
    await store.delete(TENANT, "r1")
    for parent in ("r1", "never"):
        with pytest.raises(PreviousResponseNotFound):
            await store.begin(beginning("r3", previous=parent))
    assert await store.get(TENANT, "r3") is None


async def test_another_tenant_sees_and_changes_nothing(store: ResponseStore) -> None:
    await put(store, "r1", segment=Segment(0, (b"event",)))
    assert await store.get("other", "r1") is None
    assert await store.delete("other", "r1") is False
    assert await store.chain("other", "r1") == ()
    assert await store.input_items("other", "r1", after=None, limit=10, descending=False) is None
    assert await store.find_items("other", ["in_r1", "out_r1"]) == {}
    assert await store.read_log("other", "r1", -1) is None
    with pytest.raises(PreviousResponseNotFound):
        await store.begin(beginning("r2", previous="r1", tenant="other"))
    assert await store.chain(TENANT, "r1") == (turn("r1"),)


# ------------------------------------------------------------------------------------------------------------- leases


async def test_a_run_ends_once(store: ResponseStore) -> None:
    lease = await put(store, "r1")
    assert await store.finish(lease, ending("r1", output=[item("second")], segment=Segment(0, (b"e",)))) is False
    assert await store.append_log(lease, Segment(0, (b"e",))) is False
    assert await store.chain(TENANT, "r1") == (turn("r1"),)
    assert await store.read_log(TENANT, "r1", -1) == ()


async def test_a_lost_lease_writes_nothing(store: ResponseStore) -> None:
    lease = await store.begin(beginning("r1"))
    stale = Lease(lease.key, lease.fence - 1)
    segment = Segment(0, (b"e",))
    assert await store.finish(stale, ending("r1", segment=segment)) is False
    assert await store.append_log(stale, segment) is False
    assert await store.append_log(stale, Segment(0, ())) is False
    assert await store.finish(Lease(lease.key + 1, lease.fence), ending("r1", segment=segment)) is False
    assert await store.get(TENANT, "r1") == StoredResponse(
        id="r1", status="in_progress", background=False, head=head("r1", "in_progress"), output=()
    )
    assert await store.read_log(TENANT, "r1", -1) == ()
    assert await store.find_items(TENANT, ["out_r1"]) == {}


async def test_the_lease_of_a_deleted_run_writes_nothing_even_into_the_next_run(store: ResponseStore) -> None:
    lease = await store.begin(beginning("r1"))
    assert await store.delete(TENANT, "r1")
    await store.begin(beginning("r2", input=[]))
    assert await store.append_log(lease, Segment(0, (b"e",))) is False
    assert await store.finish(lease, ending("r1")) is False
    assert await store.find_items(TENANT, ["in_r1", "out_r1"]) == {}
    assert await store.chain(TENANT, "r2") == (Turn(response_id="r2", status="in_progress", input=(), output=()),)


async def test_runs_of_a_living_owner_are_not_abandoned(store: ResponseStore) -> None:
    await store.begin(beginning("r1"))
    assert await store.claim_abandoned() == ()


# ------------------------------------------------------------------------------------------------------------- chains


async def test_a_chain_is_read_from_its_root_and_a_fork_sees_its_own_line(store: ResponseStore) -> None:
    await put(store, "root")
    await put(store, "left", previous="root")
    await put(store, "right", previous="root")
    await put(store, "leaf", previous="left")
    assert await store.chain(TENANT, "leaf") == (turn("root"), turn("left"), turn("leaf"))
    assert await store.chain(TENANT, "right") == (turn("root"), turn("right"))
    assert await store.chain(TENANT, "root") == (turn("root"),)


async def test_a_chain_tells_the_status_of_each_turn(store: ResponseStore) -> None:
    lease = await store.begin(beginning("r1"))
    await store.finish(lease, ending("r1", status="incomplete", output=[]))
    await store.begin(beginning("r2", previous="r1"))
    assert [turn.status for turn in await store.chain(TENANT, "r2")] == ["incomplete", "in_progress"]


async def test_a_deleted_ancestor_stays_in_the_chains_of_its_descendants_only(store: ResponseStore) -> None:
    await put(store, "r1", segment=Segment(0, (b"event",)))
    await put(store, "r2", previous="r1")
    assert await store.delete(TENANT, "r1") is True
    assert await store.chain(TENANT, "r2") == (turn("r1"), turn("r2"))
    assert await store.get(TENANT, "r1") is None
    assert await store.chain(TENANT, "r1") == ()
    assert await store.input_items(TENANT, "r1", after=None, limit=10, descending=False) is None
    assert await store.read_log(TENANT, "r1", -1) is None
    assert await store.find_items(TENANT, ["in_r1", "out_r1", "in_r2"]) == {"in_r2": body("in_r2")}
    assert await store.delete(TENANT, "r1") is False


async def test_a_deleted_leaf_has_no_chain_and_leaves_its_parent_alone(store: ResponseStore) -> None:
    await put(store, "r1")
    await put(store, "r2", previous="r1")
    assert await store.delete(TENANT, "r2") is True
    assert await store.chain(TENANT, "r2") == ()
    assert await store.chain(TENANT, "r1") == (turn("r1"),)


async def test_a_tombstone_lives_as_long_as_one_of_several_branches(store: ResponseStore) -> None:
    await put(store, "root")
    await put(store, "left", previous="root")
    await put(store, "right", previous="root")
    for response_id in ("root", "left"):
        assert await store.delete(TENANT, response_id)
    assert await store.chain(TENANT, "right") == (turn("root"), turn("right"))


async def test_the_id_of_a_deleted_response_is_free_again(store: ResponseStore) -> None:
    await put(store, "r1")
    await put(store, "r2", previous="r1")
    await store.delete(TENANT, "r1")
    await put(store, "r1", input=[item("new")], output=[])
    assert await store.chain(TENANT, "r2") == (turn("r1"), turn("r2"))
    assert await store.find_items(TENANT, ["in_r1", "new"]) == {"new": body("new")}


# -------------------------------------------------------------------------------------------------------- input items


async def paged(store: ResponseStore, response_id: str, limit: int, *, descending: bool) -> list[tuple[bytes, ...]]:
    """All pages. Ends, whatever the store answers."""
    pages: list[tuple[bytes, ...]] = []
    after: str | None = None
    for _ in range(20):
        page = await store.input_items(TENANT, response_id, after=after, limit=limit, descending=descending)
        assert page is not None
        pages.append(tuple(page.data))
        if not page.has_more:
            return pages
        after = page.data[-1].split(b'"')[3].decode()
    raise AssertionError("paging does not end")


async def test_input_items_are_the_ancestors_items_and_the_own_input_in_both_orders(store: ResponseStore) -> None:
    await put(store, "r1", input=[item("a"), item("b")], output=[item("c")])
    await put(store, "r2", previous="r1", input=[item("d")], output=[item("e"), item("f")])
    await put(store, "r3", previous="r2", input=[item("g"), item("h")], output=[item("not this")])
    ascending = [bodies("a", "b", "c"), bodies("d", "e", "f"), bodies("g", "h")]
    descending = [bodies("h", "g", "f"), bodies("e", "d", "c"), bodies("b", "a")]
    assert await paged(store, "r3", 3, descending=False) == ascending
    assert await paged(store, "r3", 3, descending=True) == descending
    assert await paged(store, "r3", 8, descending=False) == [bodies("a", "b", "c", "d", "e", "f", "g", "h")]


async def test_a_page_after_the_last_item_is_empty(store: ResponseStore) -> None:
    await put(store, "r1")
    assert await store.input_items(TENANT, "r1", after="in_r1", limit=5, descending=True) == ItemPage((), False)


@pytest.mark.parametrize("after", ["never", "out_r1", "in_r2"])
async def test_a_page_after_an_item_that_is_not_in_the_list_is_refused(store: ResponseStore, after: str) -> None:
    await put(store, "r1")
    await put(store, "r2")
    with pytest.raises(InvalidRequest) as caught:
        await store.input_items(TENANT, "r1", after=after, limit=5, descending=False)
    assert caught.value.param == "after"


async def test_paging_goes_on_behind_the_last_place_of_an_id_that_stands_in_several_turns(store: ResponseStore) -> None:
    await put(store, "r1", input=[item("same", "first"), item("a")], output=[])
    await put(store, "r2", previous="r1", input=[item("same", "second"), item("b")], output=[])
    first, second = (body("same", "first"),), (body("same", "second"),)
    assert await paged(store, "r2", 1, descending=False) == [first, bodies("b")]
    assert await paged(store, "r2", 1, descending=True) == [bodies("b"), second, ()]


# --------------------------------------------------------------------------------------------------------- find_items


async def test_an_item_is_found_by_its_id_wherever_it_stands(store: ResponseStore) -> None:
    await put(store, "r1")
    await store.begin(beginning("r2"))
    found = await store.find_items(TENANT, ["in_r1", "out_r1", "in_r2", "never", "in_r1"])
    assert found == {item_id: body(item_id) for item_id in ("in_r1", "out_r1", "in_r2")}


async def test_the_newest_item_of_an_id_is_found(store: ResponseStore) -> None:
    await put(store, "r1", input=[item("x", "oldest")], output=[item("x", "old")])
    assert await store.find_items(TENANT, ["x"]) == {"x": body("x", "old")}
    await put(store, "r2", input=[item("x", "new")])
    assert await store.find_items(TENANT, ["x"]) == {"x": body("x", "new")}
    await store.delete(TENANT, "r2")
    assert await store.find_items(TENANT, ["x"]) == {"x": body("x", "old")}


# --------------------------------------------------------------------------------------------------------------- logs


async def test_a_log_is_read_in_whole_segments_from_the_one_that_goes_beyond_a_number(store: ResponseStore) -> None:
    first, second, last = Segment(0, (b"e0", b"e1", b"e2")), Segment(3, (b"e3",)), Segment(4, (b"e4", "é5".encode()))
    lease = await store.begin(beginning("r1"))
    assert await store.append_log(lease, first)
    assert await store.append_log(lease, second)
    assert await store.read_log(TENANT, "r1", -1) == (first, second)
    assert await store.finish(lease, ending("r1", segment=last))
    expected = {-1: (first, second, last), 1: (first, second, last), 2: (second, last), 3: (last,), 4: (last,), 5: ()}
    assert {after: await store.read_log(TENANT, "r1", after) for after in expected} == expected


async def test_a_log_is_read_up_to_the_segment_that_reaches_a_number_of_bytes(store: ResponseStore) -> None:
    segments = [Segment(2 * number, (b"e0", b"e1")) for number in range(4)]
    lease = await store.begin(beginning("r1"))
    for segment in segments:
        assert await store.append_log(lease, segment)
    expected = {1: 1, 4: 1, 5: 2, 12: 3, 13: 4, 100: 4}
    for max_bytes, count in expected.items():
        assert await store.read_log(TENANT, "r1", -1, max_bytes=max_bytes) == tuple(segments[:count])
    assert await store.read_log(TENANT, "r1", 3, max_bytes=1) == (segments[2],)
    assert await store.read_log("other", "r1", -1, max_bytes=1) is None


async def test_an_empty_segment_is_not_stored(store: ResponseStore) -> None:
    lease = await store.begin(beginning("r1"))
    assert await store.append_log(lease, Segment(0, ())) is True
    assert await store.finish(lease, ending("r1", segment=Segment(0, ()))) is True
    assert await store.read_log(TENANT, "r1", -1) == ()


# -------------------------------------------------------------------------------------------------------------- sweep


async def test_a_sweep_removes_what_has_expired_and_no_unfinished_run(store: ResponseStore) -> None:
    await put(store, "old", expires_at=100.0)
    await put(store, "later", expires_at=100.5)
    await put(store, "never")
    await store.begin(beginning("running", expires_at=50.0))
    assert (await store.sweep(99.9)).removed == 0
    assert (await store.sweep(100.0)).removed == 1
    assert [bool(await store.get(TENANT, name)) for name in ("old", "later", "never", "running")] == [0, 1, 1, 1]


async def test_an_expired_parent_of_a_living_child_becomes_a_tombstone(store: ResponseStore) -> None:
    await put(store, "r1", expires_at=10.0)
    await put(store, "r2", previous="r1", expires_at=20.0)
    assert (await store.sweep(15.0)).removed == 1
    assert await store.get(TENANT, "r1") is None
    assert await store.chain(TENANT, "r2") == (turn("r1"), turn("r2"))
    assert (await store.sweep(25.0)).removed == 1
    assert await store.chain(TENANT, "r2") == ()


async def test_a_sweep_removes_the_oldest_beyond_the_limit(small_store: ResponseStore) -> None:
    for number in range(6):
        await put(small_store, f"r{number}", input=[item("x", "y" * MIB)], output=[])
    assert (await small_store.sweep(0.0)).removed == 3
    assert [bool(await small_store.get(TENANT, f"r{number}")) for number in range(6)] == [0, 0, 0, 1, 1, 1]
    assert (await small_store.sweep(0.0)).removed == 0


async def test_a_chain_beyond_the_limit_goes_with_its_leaf(small_store: ResponseStore) -> None:
    previous = None
    for number in range(6):
        await put(small_store, f"r{number}", previous=previous, input=[item("x", "y" * MIB)], output=[])
        previous = f"r{number}"
    assert (await small_store.sweep(0.0)).removed == 6
    assert await small_store.chain(TENANT, "r5") == ()


async def test_a_sweep_leaves_unfinished_runs_whatever_they_take(small_store: ResponseStore) -> None:
    for number in range(6):
        await small_store.begin(beginning(f"r{number}", input=[item("x", "y" * MIB)]))
    assert (await small_store.sweep(0.0)).removed == 0


async def test_a_sweep_keeps_the_newest_entries(kind: str, tmp_path: Path) -> None:
    async with limited(kind, tmp_path, max_entries=2) as store:
        for number in range(4):
            await put(store, f"r{number}", tenant=f"t{number % 2}")
        await store.begin(beginning("running"))
        assert (await store.sweep(0.0)).over_quota == 3
        assert [bool(await store.get(f"t{number % 2}", f"r{number}")) for number in range(4)] == [0, 0, 0, 1]


async def test_a_quota_of_a_tenant_concerns_no_other(kind: str, tmp_path: Path) -> None:
    async with limited(kind, tmp_path, tenant_max_entries=2) as store:
        for number in range(4):
            await put(store, f"r{number}", tenant="busy")
        await put(store, "r0", tenant="quiet")
        assert (await store.sweep(0.0)).over_quota == 2
        assert [bool(await store.get("busy", f"r{number}")) for number in range(4)] == [0, 0, 1, 1]
        assert await store.get("quiet", "r0") is not None


async def test_the_bytes_of_a_tenant_are_items_heads_and_logs(kind: str, tmp_path: Path) -> None:
    async with limited(kind, tmp_path, tenant_max_bytes=3 * MIB) as store:
        for number in range(5):
            await put(store, f"r{number}", tenant="busy", input=[item("x", "y" * MIB)], output=[])
        await put(store, "small", tenant="quiet")
        assert (await store.sweep(0.0)).over_quota == 3
        assert [bool(await store.get("busy", f"r{number}")) for number in range(5)] == [0, 0, 0, 1, 1]
        assert (await store.sweep(0.0)).removed == 0


async def test_a_tenant_s_chain_beyond_its_bytes_goes_with_its_leaf(kind: str, tmp_path: Path) -> None:
    async with limited(kind, tmp_path, tenant_max_bytes=3 * MIB) as store:
        previous = None
        for number in range(5):
            await put(store, f"r{number}", previous=previous, input=[item("x", "y" * MIB)], output=[])
            previous = f"r{number}"
        assert (await store.sweep(0.0)).over_quota == 5
        assert await store.chain(TENANT, "r4") == ()


async def test_a_sweep_tells_what_is_stored(store: ResponseStore) -> None:
    await put(store, "r1", input=[item("x", "y" * MIB)])
    assert ((await store.sweep(0.0)).stored_bytes or 0) >= MIB
