"""What the prompts of every store do."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from antiphon.errors import Conflict
from antiphon.ports import PromptStore, StoredPrompt
from tests.contracts.test_stores import anyio_backend, bounded, kind, make_store  # noqa: F401  (fixtures)

pytestmark = pytest.mark.anyio
FIRST = StoredPrompt("b", 1, 10, b'{"instructions":"one"}')
SECOND = StoredPrompt("b", 2, 20, b'{"instructions":"two"}')


@pytest.fixture
async def prompts(kind: str, tmp_path: Path) -> AsyncIterator[PromptStore]:  # noqa: F811
    """With two versions of `b`, and `a` and `c` of one."""
    store = make_store(kind, tmp_path)
    await store.start()
    for name in "bca":
        await store.prompts.create("t", name, 10, FIRST.body)
    await store.prompts.add_version("t", "b", 20, SECOND.body)
    yield store.prompts
    await store.close()


async def test_the_last_version_is_the_current_one_and_earlier_ones_stay(prompts: PromptStore) -> None:
    assert await prompts.get("t", "b") == await prompts.get("t", "b", 2) == SECOND
    assert await prompts.get("t", "b", 1) == FIRST
    for version in (0, 3):
        assert await prompts.get("t", "b", version) is None


async def test_ids_are_the_tenant_s_own(prompts: PromptStore) -> None:
    with pytest.raises(Conflict):
        await prompts.create("t", "b", 10, b"{}")
    assert await prompts.get("other", "b") is None
    assert await prompts.add_version("other", "b", 10, b"{}") is None
    assert not await prompts.delete("other", "b")
    assert (await prompts.create("other", "b", 10, b"{}")).version == 1


async def test_pages_hold_current_versions_in_the_order_of_ids(prompts: PromptStore) -> None:
    page = await prompts.page("t", after=None, limit=2, descending=False)
    assert ([(each.id, each.version) for each in page.data], page.has_more) == ([("a", 1), ("b", 2)], True)
    page = await prompts.page("t", after="c", limit=2, descending=True)
    assert ([(each.id, each.body) for each in page.data], page.has_more) == (
        [("b", SECOND.body), ("a", FIRST.body)],
        False,
    )


async def test_versions_come_in_pages(prompts: PromptStore) -> None:
    page = await prompts.versions("t", "b", after=None, limit=1, descending=True)
    assert (page.data, page.has_more) == ((SECOND,), True)
    page = await prompts.versions("t", "b", after=2, limit=1, descending=True)
    assert (page.data, page.has_more) == ((FIRST,), False)
    assert (await prompts.versions("t", "x", after=None, limit=1, descending=False)).data == ()


async def test_a_deleted_prompt_is_unknown_with_all_its_versions(prompts: PromptStore) -> None:
    assert await prompts.delete("t", "b")
    assert not await prompts.delete("t", "b")
    assert await prompts.get("t", "b", 1) is None
    assert await prompts.add_version("t", "b", 30, b"{}") is None
    assert [each.id for each in (await prompts.page("t", after=None, limit=9, descending=False)).data] == ["a", "c"]
