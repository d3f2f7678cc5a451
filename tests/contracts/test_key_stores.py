"""What every `KeyStore` does."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from antiphon.core.grant import Grant, Limits
from antiphon.ports import ResponseStore, StoredKey
from antiphon.stores.keys import has_keys
from antiphon.stores.memory import MemoryStore
from antiphon.stores.sql import SqlStore

pytestmark = pytest.mark.anyio
KEY = StoredKey(
    id="key_1",
    name="ci",
    digest=b"\x01" * 32,
    grant=Grant(tenant="team", models=("a", "b"), store="forbid", limits=Limits(requests_per_minute=5, concurrent=0)),
    created_at=1000.5,
    expires_at=2000.25,
)
OTHER = StoredKey(id="key_2", name="other", digest=b"\x02" * 32, grant=Grant(), created_at=1001.0)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(params=["memory", "sql"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[ResponseStore]:
    store = MemoryStore() if request.param == "memory" else SqlStore(tmp_path / "antiphon.db")
    await store.start()
    yield store
    await store.close()


async def test_keys_are_listed_whole_in_the_order_in_which_they_were_made(store: ResponseStore) -> None:
    assert await store.keys.all() == ()
    assert await store.keys.add(KEY)
    assert await store.keys.add(OTHER)
    assert await store.keys.all() == (KEY, OTHER)


async def test_a_name_is_free_again_once_its_key_is_revoked(store: ResponseStore) -> None:
    again = replace(OTHER, name="ci")
    await store.keys.add(KEY)
    assert not await store.keys.add(again)
    assert await store.keys.revoke("key_1", 1500.0)
    assert await store.keys.add(again)
    assert await store.keys.all() == (replace(KEY, revoked_at=1500.0), again)


async def test_a_key_is_revoked_once(store: ResponseStore) -> None:
    await store.keys.add(KEY)
    assert await store.keys.revoke("key_1", 1500.0)
    assert not await store.keys.revoke("key_1", 1600.0)
    assert not await store.keys.revoke("key_9", 1600.0)
    assert [key.revoked_at for key in await store.keys.all()] == [1500.0]


async def test_the_version_tells_of_every_change_and_of_nothing_else(store: ResponseStore) -> None:
    versions = [await store.keys.version()]
    for change in (store.keys.add(KEY), store.keys.add(OTHER), store.keys.revoke("key_1", 1.0)):
        await change
        versions.append(await store.keys.version())
    assert len(set(versions)) == 4
    await store.keys.revoke("key_1", 2.0)
    assert await store.keys.version() == versions[-1]


async def test_another_process_sees_the_change_and_whether_there_are_keys(tmp_path: Path) -> None:
    path = tmp_path / "antiphon.db"
    assert not has_keys(path)
    first, second = SqlStore(path), SqlStore(path)
    await first.start()
    await second.start()
    try:
        before = await second.keys.version()
        assert not has_keys(path)
        await first.keys.add(KEY)
        assert await second.keys.version() != before
        assert await second.keys.all() == (KEY,)
        assert has_keys(path)
    finally:
        await second.close()
        await first.close()
