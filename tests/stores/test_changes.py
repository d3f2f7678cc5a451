"""A database that nobody wrote to is not asked again; one that anybody wrote to is."""

import asyncio
import os
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from antiphon.stores.changes import SETTLED_S, Changes, Question
from antiphon.stores.database import open_reader, open_writer, set_up
from antiphon.stores.sql import SqlStore
from tests.stores.turns import TENANT, beginning

pytestmark = pytest.mark.anyio


def age(path: Path, seconds: float) -> None:
    """Have the last write been so long ago."""
    at = time.time() - seconds
    os.utime(f"{path}-wal", (at, at))


def write(connection: sqlite3.Connection) -> None:
    connection.execute("UPDATE key_changes SET version = version + 1")


async def test_a_question_is_put_again_only_after_a_write(path: Path) -> None:
    set_up(path)
    with closing(open_reader(path)) as reader, closing(open_writer(path)) as writer:
        asked = 0

        async def ask() -> int:
            nonlocal asked
            asked += 1
            return int(reader.execute("SELECT version FROM key_changes").fetchone()[0])

        question = Question(Changes(path), ask)
        write(writer)
        age(path, 10)
        first = await question.answer()
        assert [await question.answer() for _ in range(3)] == [first] * 3
        assert asked == 1

        write(writer)
        assert await question.answer() == first + 1
        write(writer)  # perhaps at the same time as the write before, as far as the file says
        assert await question.answer() == first + 2
        assert asked == 3
        age(path, 5)
        assert [await question.answer() for _ in range(3)] == [first + 2] * 3
        assert asked == 4


@pytest.mark.parametrize("seconds", [0.0, SETTLED_S / 2])
def test_a_file_that_was_just_written_has_no_state_to_rely_on(path: Path, seconds: float) -> None:
    set_up(path)
    with closing(open_writer(path)) as writer:
        write(writer)
        age(path, seconds)
        assert Changes(path).state() is None
    assert Changes(path.with_name("absent")).state() is None


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
