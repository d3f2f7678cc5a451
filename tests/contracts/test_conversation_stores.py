"""What the conversations of every store do."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from antiphon.errors import Conflict, ConversationLocked, ConversationNotFound, DuplicateItem, InvalidRequest
from antiphon.ports import (
    Beginning,
    ConversationHistory,
    ConversationHold,
    ConversationPlace,
    ConversationStore,
    Ending,
    ItemPage,
    Lease,
    ResponseStore,
    StoredConversation,
    StoredItem,
    Turn,
)
from antiphon.stores.sql import SqlStore
from tests.contracts.test_stores import anyio_backend, bounded, kind, make_store  # noqa: F401  (fixtures)
from tests.stores.turns import TENANT, beginning, bodies, ending, item, put, turn

pytestmark = pytest.mark.anyio
METADATA = b'{"topic":"tea"}'
FRONT = Turn(response_id="c", status="completed", input=bodies("a", "b"), output=())


@pytest.fixture
async def store(kind: str, tmp_path: Path) -> AsyncIterator[ResponseStore]:  # noqa: F811
    store = make_store(kind, tmp_path)
    await store.start()
    yield store
    await store.close()


@pytest.fixture
async def conversations(store: ResponseStore) -> ConversationStore:
    """With one conversation, `c`, that holds `a` and `b`."""
    await make(store.conversations, "c", "a", "b")
    return store.conversations


async def make(conversations: ConversationStore, conversation_id: str, *item_ids: str, tenant: str = TENANT) -> None:
    await conversations.create(tenant, StoredConversation(conversation_id, 1_700_000_000, METADATA), items(*item_ids))


def items(*item_ids: str) -> list[StoredItem]:
    return [item(item_id) for item_id in item_ids]


def entering(response_id: str, end: int, conversation_id: str = "c", *, background: bool = False) -> Beginning:
    return replace(beginning(response_id, background=background), conversation=ConversationPlace(conversation_id, end))


def leaving(response_id: str, *item_ids: str) -> Ending:
    return replace(ending(response_id), appended=items(*item_ids))


async def listed(conversations: ConversationStore, conversation_id: str = "c") -> tuple[bytes, ...]:
    page = await conversations.items(TENANT, conversation_id, after=None, limit=100, descending=False)
    assert page is not None
    return tuple(page.data)


async def in_turn(store: ResponseStore, response_id: str, end: int, *item_ids: str) -> Lease:
    lease = await store.begin(entering(response_id, end))
    assert await store.finish(lease, leaving(response_id, *item_ids))
    return lease


# ------------------------------------------------------------------------------------------------------- conversations


async def test_a_conversation_is_read_as_it_was_made(conversations: ConversationStore) -> None:
    assert await conversations.get(TENANT, "c") == StoredConversation("c", 1_700_000_000, METADATA)
    assert await listed(conversations) == bodies("a", "b")


async def test_metadata_is_replaced(conversations: ConversationStore) -> None:
    changed = StoredConversation("c", 1_700_000_000, b"{}")
    assert await conversations.update(TENANT, "c", b"{}") == changed
    assert await conversations.get(TENANT, "c") == changed


async def test_an_id_can_be_used_once_per_tenant(conversations: ConversationStore) -> None:
    await make(conversations, "c", tenant="other")
    with pytest.raises(Conflict):
        await make(conversations, "c", "x")
    assert await listed(conversations) == bodies("a", "b")


@pytest.mark.parametrize("whose", ["nobody's", "another tenant's", "a deleted one"])
async def test_an_unknown_conversation_is_none_or_false_everywhere(
    store: ResponseStore, conversations: ConversationStore, whose: str
) -> None:
    tenant, found = ("other", "c") if whose == "another tenant's" else (TENANT, "c" if "del" in whose else "never")
    if whose == "a deleted one":
        assert await conversations.delete(TENANT, "c")
    assert await conversations.get(tenant, found) is None
    assert await conversations.update(tenant, found, b"{}") is None
    assert await conversations.delete(tenant, found) is False
    assert await conversations.add_items(tenant, found, items("x")) is False
    assert await conversations.items(tenant, found, after=None, limit=10, descending=False) is None
    assert await conversations.item(tenant, found, "a") is None
    assert await conversations.delete_item(tenant, found, "a") is False
    assert await conversations.history(tenant, found) is None
    assert bool(await store.find_items(tenant, ["a"])) is (whose == "nobody's")
    with pytest.raises(ConversationNotFound):
        await conversations.hold(tenant, ConversationPlace(found, 2))
    with pytest.raises(ConversationNotFound):
        await store.begin(replace(entering("r", 2, found), tenant=tenant))
    assert await store.get(tenant, "r") is None


async def test_the_id_of_a_deleted_conversation_begins_anew(conversations: ConversationStore) -> None:
    await conversations.delete(TENANT, "c")
    await make(conversations, "c", "z")
    assert await listed(conversations) == bodies("z")


# --------------------------------------------------------------------------------------------------------------- items


async def test_items_are_added_at_the_end_all_or_none(conversations: ConversationStore) -> None:
    assert await conversations.add_items(TENANT, "c", items("d", "c"))
    with pytest.raises(DuplicateItem, match="a"):
        await conversations.add_items(TENANT, "c", items("x", "a"))
    with pytest.raises(DuplicateItem, match="y"):
        await conversations.add_items(TENANT, "c", items("y", "y"))
    assert await listed(conversations) == bodies("a", "b", "d", "c")


async def test_two_conversations_may_have_items_of_the_same_id(conversations: ConversationStore) -> None:
    await conversations.create(TENANT, StoredConversation("e", 1, b"{}"), [item("a", "another")])
    assert await conversations.item(TENANT, "c", "a") == item("a").body
    assert await conversations.item(TENANT, "e", "a") == item("a", "another").body


async def test_an_item_is_read_and_removed_by_its_id(conversations: ConversationStore) -> None:
    assert await conversations.item(TENANT, "c", "a") == item("a").body
    assert await conversations.delete_item(TENANT, "c", "a") is True
    assert await conversations.delete_item(TENANT, "c", "a") is False
    assert await conversations.item(TENANT, "c", "a") is None
    assert await conversations.add_items(TENANT, "c", items("a"))
    assert await listed(conversations) == bodies("b", "a")


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("limit", [1, 2, 3, 10])
async def test_pages_cover_everything_once(conversations: ConversationStore, descending: bool, limit: int) -> None:
    ids = ["a", "b", "e", "d", "g"]
    await conversations.add_items(TENANT, "c", items(*ids[2:]))
    await make(conversations, "neighbour", "a", "x", "g")
    found: list[bytes] = []
    after: str | None = None
    for _ in range(len(ids)):
        page = await conversations.items(TENANT, "c", after=after, limit=limit, descending=descending)
        assert page is not None
        found += page.data
        if not page.has_more:
            break
        after = next(name for name in ids if item(name).body == page.data[-1])
    assert found == list(bodies(*(reversed(ids) if descending else ids)))


async def test_behind_the_last_item_is_an_empty_page_and_behind_an_unknown_one_none(
    conversations: ConversationStore,
) -> None:
    assert await conversations.items(TENANT, "c", after="b", limit=5, descending=False) == ItemPage((), False)
    with pytest.raises(InvalidRequest):
        await conversations.items(TENANT, "c", after="never", limit=5, descending=False)


async def test_references_find_items_of_conversations_behind_those_of_responses(
    store: ResponseStore, conversations: ConversationStore
) -> None:
    await put(store, "r", input=[item("a", "of a response")])
    found = await store.find_items(TENANT, ["a", "b", "never"])
    assert found == {"a": item("a", "of a response").body, "b": item("b").body}


# ---------------------------------------------------------------------------------------------------------------- runs


async def test_a_run_appends_at_its_end_and_not_before(store: ResponseStore, conversations: ConversationStore) -> None:
    assert await conversations.history(TENANT, "c") == ConversationHistory(bodies("a", "b"), 2)
    lease = await store.begin(entering("r", 2))
    assert await listed(conversations) == bodies("a", "b")
    assert await store.finish(lease, leaving("r", "d", "e"))
    assert await conversations.history(TENANT, "c") == ConversationHistory(bodies("a", "b", "d", "e"), 4)


async def test_a_run_has_its_conversation_to_itself(store: ResponseStore, conversations: ConversationStore) -> None:
    lease = await store.begin(entering("r", 2))
    for _ in range(2):
        with pytest.raises(ConversationLocked):
            await conversations.history(TENANT, "c")
        with pytest.raises(ConversationLocked):
            await store.begin(entering("s", 2))
        with pytest.raises(ConversationLocked):
            await conversations.hold(TENANT, ConversationPlace("c", 2))
    assert await store.get(TENANT, "s") is None
    await store.finish(lease, leaving("r"))
    assert await store.begin(entering("s", 2))


async def test_two_conversations_do_not_know_of_each_other(
    store: ResponseStore, conversations: ConversationStore
) -> None:
    await make(conversations, "d")
    await store.begin(entering("r", 2))
    await store.begin(entering("s", 0, "d"))


async def test_a_conversation_that_has_gone_on_is_not_entered(
    store: ResponseStore, conversations: ConversationStore
) -> None:
    await conversations.add_items(TENANT, "c", items("late"))
    with pytest.raises(ConversationLocked):
        await store.begin(entering("r", 2))
    await conversations.delete_item(TENANT, "c", "late")
    assert (await conversations.history(TENANT, "c")) == ConversationHistory(bodies("a", "b"), 3)
    assert await store.begin(entering("r", 3))


async def test_deleting_a_run_lets_its_conversation_go(store: ResponseStore, conversations: ConversationStore) -> None:
    lease = await store.begin(entering("r", 2))
    assert await store.delete(TENANT, "r")
    again = await store.begin(entering("s", 2))
    assert not await store.finish(lease, leaving("r", "lost"))
    assert await store.finish(again, leaving("s", "kept"))
    assert await listed(conversations) == bodies("a", "b", "kept")


async def test_what_comes_while_a_run_lasts_stays_before_what_it_appends(
    store: ResponseStore, conversations: ConversationStore
) -> None:
    lease = await store.begin(entering("r", 2))
    assert await conversations.add_items(TENANT, "c", [item("d", "first"), item("e")])
    assert await store.finish(lease, leaving("r", "d", "f"))
    assert await listed(conversations) == (*bodies("a", "b"), item("d", "first").body, *bodies("e", "f"))
    assert await store.chain(TENANT, "r") == (FRONT, turn("r"))


async def test_a_conversation_deleted_under_a_run_takes_nothing_and_the_run_ends_well(
    store: ResponseStore, conversations: ConversationStore
) -> None:
    lease = await store.begin(entering("r", 2))
    await conversations.delete(TENANT, "c")
    assert await store.finish(lease, leaving("r", "d"))
    assert await store.find_items(TENANT, ["d"]) == {}
    assert await conversations.get(TENANT, "c") is None


async def test_a_chain_begins_with_what_the_conversation_held_then(
    store: ResponseStore, conversations: ConversationStore
) -> None:
    await in_turn(store, "r", 2, "d", "e")
    await put(store, "s", previous="r")
    await conversations.add_items(TENANT, "c", items("later"))
    assert await store.chain(TENANT, "s") == (FRONT, turn("r"), turn("s"))
    for descending in (False, True):
        expected = bodies("a", "b", "in_r", "out_r", "in_s")
        if descending:
            expected = expected[::-1]
        whole = await store.input_items(TENANT, "s", after=None, limit=10, descending=descending)
        assert whole == ItemPage(expected, False)
        behind = await store.input_items(TENANT, "s", after="b", limit=1, descending=descending)
        assert behind == ItemPage(bodies("a") if descending else bodies("in_r"), not descending)


async def test_a_chain_outlives_the_conversation_it_began_in(
    store: ResponseStore, conversations: ConversationStore
) -> None:
    await in_turn(store, "r", 2, "d")
    assert await conversations.delete(TENANT, "c")
    await store.sweep(0)
    assert await store.chain(TENANT, "r") == (FRONT, turn("r"))
    assert await store.delete(TENANT, "r")
    await store.sweep(0)
    assert await store.chain(TENANT, "r") == ()


async def test_the_end_of_a_response_leaves_its_conversation(
    store: ResponseStore, conversations: ConversationStore
) -> None:
    lease = await store.begin(replace(entering("r", 2), expires_at=5.0))
    await store.finish(lease, leaving("r", "in_r", "out_r"))
    assert (await store.sweep(10)).removed == 1
    assert await listed(conversations) == bodies("a", "b", "in_r", "out_r")
    assert await store.find_items(TENANT, ["out_r"]) == {"out_r": item("out_r").body}


# ------------------------------------------------------------------------------------------- runs that are not stored


async def test_a_hold_keeps_others_out_until_it_appends(store: ResponseStore, conversations: ConversationStore) -> None:
    hold = await conversations.hold(TENANT, ConversationPlace("c", 2))
    with pytest.raises(ConversationLocked):
        await conversations.history(TENANT, "c")
    with pytest.raises(ConversationLocked):
        await store.begin(entering("r", 2))
    assert await conversations.release(hold, items("d"))
    assert await listed(conversations) == bodies("a", "b", "d")
    assert await store.begin(entering("r", 3))


async def test_a_hold_is_let_go_once(conversations: ConversationStore) -> None:
    hold = await conversations.hold(TENANT, ConversationPlace("c", 2))
    await conversations.release(hold, ())
    assert not await conversations.release(hold, items("x"))
    await conversations.hold(TENANT, ConversationPlace("c", 2))
    assert not await conversations.release(hold, items("x"))
    assert not await conversations.release(ConversationHold(hold.key, hold.fence + 1000), items("x"))
    assert await listed(conversations) == bodies("a", "b")


async def test_a_held_conversation_can_be_deleted(conversations: ConversationStore) -> None:
    hold = await conversations.hold(TENANT, ConversationPlace("c", 2))
    assert await conversations.delete(TENANT, "c")
    assert await conversations.release(hold, items("x"))
    assert await conversations.get(TENANT, "c") is None


# -------------------------------------------------------------------------------------------------- several processes


async def two_stores(folder: Path) -> tuple[SqlStore, SqlStore]:
    stores = SqlStore(folder / "antiphon.db"), SqlStore(folder / "antiphon.db")
    for each in stores:
        await each.start()
    return stores


async def test_a_conversation_is_one_for_all_processes_and_outlives_them(tmp_path: Path) -> None:
    one, two = await two_stores(tmp_path)
    await make(one.conversations, "c", "a")
    lease = await one.begin(entering("r", 1))
    with pytest.raises(ConversationLocked):
        await two.begin(entering("s", 1))
    await one.finish(lease, leaving("r", "b"))
    hold = await two.conversations.hold(TENANT, ConversationPlace("c", 2))
    with pytest.raises(ConversationLocked):
        await one.conversations.history(TENANT, "c")
    await two.conversations.release(hold, items("d"))
    await one.close()
    await two.close()
    third = SqlStore(tmp_path / "antiphon.db")
    await third.start()
    assert await listed(third.conversations) == bodies("a", "b", "d")
    await third.close()


async def test_a_process_that_leaves_lets_its_conversations_go(tmp_path: Path) -> None:
    one, two = await two_stores(tmp_path)
    await make(one.conversations, "held", "a")
    await make(one.conversations, "c", "a")
    await one.conversations.hold(TENANT, ConversationPlace("held", 1))
    await one.begin(entering("r", 1, background=True))
    await one.close()
    assert await two.conversations.history(TENANT, "held") == ConversationHistory(bodies("a"), 1)
    (abandoned,) = await two.claim_abandoned()
    with pytest.raises(ConversationLocked):  # it goes on, in another process
        await two.conversations.history(TENANT, "c")
    assert await two.chain(TENANT, "r") == (
        Turn(response_id="c", status="completed", input=bodies("a"), output=()),
        Turn(response_id="r", status="in_progress", input=bodies("in_r"), output=()),
    )
    assert await two.finish(abandoned.lease, leaving("r", "b"))
    assert await listed(two.conversations) == bodies("a", "b")
    await two.close()


async def test_what_is_deleted_is_erased_at_the_sweep_however_long_it_was(tmp_path: Path) -> None:
    store = SqlStore(tmp_path / "antiphon.db")
    await store.start()
    await make(store.conversations, "c", *(f"i{number}" for number in range(600)))
    assert await store.conversations.delete(TENANT, "c")
    await store.sweep(0)
    count = await store._readers.run(lambda sql: sql.execute("SELECT count(*) FROM conversation_items").fetchone())
    assert count == (0,)
    await store.close()
