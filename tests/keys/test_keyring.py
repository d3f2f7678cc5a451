"""Who is let in as keys come, change, expire and go."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from antiphon.core.grant import Grant
from antiphon.errors import StoreUnavailable
from antiphon.service.caller import ANYBODY
from antiphon.service.keyring import KeyRing
from antiphon.service.keys import Keys
from antiphon.service.keys_file import KeysFileError
from antiphon.stores.keys import MemoryKeys
from tests.keys.ring import entry, keys_file

pytestmark = pytest.mark.anyio
WAIT_S = 5.0


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@asynccontextmanager
async def started(**sources: Any) -> AsyncIterator[KeyRing]:
    ring = KeyRing(**sources)
    await ring.start()
    try:
        yield ring
    finally:
        await ring.close()


async def test_an_empty_ring_asks_nobody_and_one_with_any_source_asks_all(tmp_path: Path) -> None:
    assert not KeyRing().asks
    assert KeyRing(["k"]).asks
    assert KeyRing(asks_always=True).asks
    async with started(stored=MemoryKeys()) as ring:
        assert not ring.asks
    async with started(file=keys_file(tmp_path, entry("a"))) as ring:
        assert ring.asks


async def test_after_the_last_key_is_revoked_nobody_is_let_in() -> None:
    stored = MemoryKeys()
    keys = Keys(stored, clock=Clock())
    async with started(stored=stored) as ring:
        kept, key = await keys.add("ci", Grant(tenant="t"))
        await ring.refresh()
        found = ring.find(key)
        assert (found.key_id, found.tenant) == (kept.id, "t")
        assert ring.current(ANYBODY) is None
        await keys.revoke("ci")
        await ring.refresh()
        assert ring.find(key) is None
        assert ring.current(found) is None
        assert ring.asks
    async with started(stored=stored) as ring:
        assert ring.asks


async def test_a_caller_is_over_when_its_key_expires() -> None:
    stored, clock = MemoryKeys(), Clock()
    _, key = await Keys(stored, clock=clock).add("ci", Grant(), expires_at=1010.0)
    async with started(stored=stored, clock=clock) as ring:
        caller = ring.find(key)
        assert ring.current(caller) == caller
        clock.now = 1010.0
        assert await asyncio.wait_for(ring.changed(caller), WAIT_S) is None


async def test_a_key_with_other_rights_changes_its_callers_but_one_of_another_tenant_ends_them(tmp_path: Path) -> None:
    path = keys_file(tmp_path, entry("a"), entry("b"))
    async with started(file=path) as ring:
        first, second = ring.find("a-key"), ring.find("b-key")
        keys_file(tmp_path, entry("a", models=["m"]), entry("b", tenant="elsewhere"))
        assert (await asyncio.wait_for(ring.changed(first), WAIT_S)).models == ("m",)
        assert await asyncio.wait_for(ring.changed(second), WAIT_S) is None
        assert ring.find("b-key").tenant == "elsewhere"


async def test_a_broken_or_missing_file_leaves_the_keys_as_they_were(tmp_path: Path) -> None:
    path = keys_file(tmp_path, entry("a"))
    async with started(file=path) as ring:
        for broken in ("[[key", None):
            path.unlink() if broken is None else path.write_text(broken)
            await ring.refresh()  # not yet: it may be half written
            with pytest.raises(KeysFileError):
                await ring.refresh()
            assert ring.find("a-key").tenant == "a"
        keys_file(tmp_path, entry("b"))
        await ring.refresh()
        await ring.refresh()
        assert ring.find("a-key") is None
        assert ring.find("b-key").tenant == "b"


async def test_a_store_that_cannot_be_read_leaves_the_keys_as_they_were() -> None:
    class Failing(MemoryKeys):
        fails = False

        async def version(self) -> int:
            if self.fails:
                raise StoreUnavailable("The store cannot be used now.")
            return await super().version()

    stored = Failing()
    _, key = await Keys(stored, clock=Clock()).add("ci", Grant())
    async with started(stored=stored) as ring:
        stored.fails = True
        with pytest.raises(StoreUnavailable):
            await ring.refresh()
        assert ring.find(key) is not None


async def test_a_key_that_two_sources_know_is_the_one_of_the_settings(tmp_path: Path) -> None:
    async with started(keys=["a-key"], file=keys_file(tmp_path, entry("a"))) as ring:
        assert ring.find("a-key").tenant == "default"


async def test_what_is_kept_is_no_key() -> None:
    stored = MemoryKeys()
    _, key = await Keys(stored, clock=Clock()).add("ci", Grant())
    assert key.startswith("ak_") and len(key) == 46
    async with started(keys=["plain-key"], stored=stored) as ring:
        held = repr(vars(ring)) + repr(await stored.all())
    assert key not in held and "plain-key" not in held
