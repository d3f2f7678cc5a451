"""A database that nobody else wrote to is not asked again; one that anybody else wrote to is."""

import asyncio
import os
import sqlite3
import time
from collections.abc import Awaitable, Callable
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from antiphon.core.grant import Grant
from antiphon.errors import StoreUnavailable
from antiphon.ports import StoredKey
from antiphon.stores.changes import PATIENCE_S, SETTLED_S, Changes, Question, file_state
from antiphon.stores.database import data_version, open_reader, open_writer, set_up
from antiphon.stores.sql import SqlStore
from tests.stores.turns import TENANT, beginning, put

pytestmark = pytest.mark.anyio


def age(path: Path, seconds: float) -> None:
    """Have the last write been so long ago."""
    at = time.time() - seconds
    os.utime(f"{path}-wal", (at, at))


def write(connection: sqlite3.Connection) -> None:
    connection.execute("UPDATE key_changes SET version = version + 1")


class Asked:
    """Counts how often it is asked for what a connection says."""

    def __init__(self, connection: sqlite3.Connection, say: Callable[[sqlite3.Connection], int]) -> None:
        self.times = 0
        self._say = partial(say, connection)

    async def __call__(self) -> int:
        self.times += 1
        return self._say()


def version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT version FROM key_changes").fetchone()[0])


async def test_only_what_others_write_makes_a_question_be_put_again(path: Path) -> None:
    set_up(path)
    with closing(open_writer(path)) as own, closing(open_writer(path)) as other, closing(open_reader(path)) as reader:
        looked, asked = Asked(own, data_version), Asked(reader, version)
        question = Question(Changes(path, looked), asked)
        write(own)
        age(path, 10)
        first = await question.answer()
        assert [await question.answer() for _ in range(3)] == [first] * 3
        assert (looked.times, asked.times) == (1, 1)

        write(own)  # which the question was not said to depend on
        assert await question.answer() == first
        assert (looked.times, asked.times) == (2, 1)

        write(other)
        write(own)
        assert await question.answer() == first + 3
        write(other)  # perhaps at the same time as the write before, as far as the file says
        assert await question.answer() == first + 4
        age(path, 5)
        assert [await question.answer() for _ in range(3)] == [first + 4] * 3
        assert (looked.times, asked.times) == (5, 3)

        question.forget()
        assert await question.answer() == first + 4
        assert (looked.times, asked.times) == (5, 4)


async def test_a_question_is_put_where_the_writer_cannot_say_who_wrote(path: Path) -> None:
    set_up(path)

    async def refused() -> int:
        raise StoreUnavailable("The store is busy with another process.")

    async def silent() -> int:
        await asyncio.sleep(100 * PATIENCE_S)
        return 0

    with closing(open_reader(path)) as reader:
        for look in (refused, silent):
            asked = Asked(reader, version)
            question = Question(Changes(path, look), asked)
            assert [await question.answer(), await question.answer()] == [0, 0]
            assert asked.times == 2


@pytest.mark.parametrize("seconds", [0.0, SETTLED_S / 2])
def test_a_file_that_was_just_written_has_no_state_to_rely_on(path: Path, seconds: float) -> None:
    set_up(path)
    with closing(open_writer(path)) as writer:
        write(writer)
        age(path, seconds)
        assert file_state(path) is None
        age(path, 10)
        assert file_state(path) is not None
        assert file_state(path, quiet_s=20) is None
    assert file_state(path.with_name("absent")) is None


async def test_a_cancel_of_another_process_is_heard_of_after_long_silence(store: SqlStore, path: Path) -> None:
    lease = await store.begin(beginning("quiet"))
    age(path, 10)
    assert await store.cancel_requests() == await store.cancel_requests() == ()

    other = SqlStore(path)
    await other.start()
    assert await other.request_cancel(TENANT, "quiet")
    async with asyncio.timeout(5):
        assert list(await store.cancel_requests()) == [lease]
    await other.close()


async def test_a_process_hears_of_what_it_writes_itself(store: SqlStore, path: Path) -> None:
    lease = await store.begin(beginning("own"))
    key = StoredKey(id="key_1", name="own", digest=b"own", grant=Grant(tenant=TENANT), created_at=0.0)

    async def changed(written: Awaitable[bool]) -> bool:
        """Whether another version of the keys is seen after this."""
        age(path, 10)
        before = await store.keys.version()
        assert await written
        return await store.keys.version() != before

    assert list(await store.cancel_requests()) == []
    assert await changed(store.keys.add(key))
    assert await changed(store.keys.revoke(key.id, 1.0))
    assert await store.request_cancel(TENANT, "own")
    assert list(await store.cancel_requests()) == [lease]
    assert await store.delete(TENANT, "own")
    assert list(await store.cancel_requests()) == []


async def test_a_cancel_that_nobody_has_obeyed_yet_comes_with_the_run_that_is_taken_over(
    store: SqlStore, path: Path
) -> None:
    dead = SqlStore(path)
    await dead.start()
    await dead.begin(beginning("left", background=True))
    assert await dead.request_cancel(TENANT, "left")
    assert await store.cancel_requests() == ()
    dead._owner.release()  # as the kernel does for a process that dies
    (taken,) = await store.claim_abandoned()
    assert list(await store.cancel_requests()) == [taken.lease]
    await dead.close()


async def test_a_process_that_is_alone_looks_for_abandoned_runs_only_after_others_have_written(
    store: SqlStore, path: Path
) -> None:
    assert await store.claim_abandoned() == ()
    done: list[str] = []
    await store._writer.run(lambda connection: connection.set_trace_callback(done.append))
    await put(store, "own")
    done.clear()
    assert await store.claim_abandoned() == ()
    assert not any("responses" in statement for statement in done)

    other = SqlStore(path)
    await other.start()
    await other.begin(beginning("left", background=True))
    assert await store.claim_abandoned() == ()
    other._owner.release()
    assert [run.id for run in await store.claim_abandoned()] == ["left"]
    await other.close()
