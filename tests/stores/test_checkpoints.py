"""What was committed is written to the database file while the server rests, or at last when it never does."""

import os
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from antiphon.stores.checkpoints import APART_S, OVERDUE_S, QUIET_S, Checkpoints
from antiphon.stores.sql import SqlStore
from tests.stores.turns import put

pytestmark = pytest.mark.anyio


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def checkpoints(store: SqlStore, path: Path, clock: Clock) -> AsyncIterator[Checkpoints]:
    yield Checkpoints(path, store._open, clock=clock)


def age(path: Path, seconds: float) -> None:
    """Have the last write been so long ago."""
    at = time.time() - seconds
    os.utime(f"{path}-wal", (at, at))


def responses_in_file(path: Path) -> int:
    """How many there are in the database file by itself."""
    with closing(sqlite3.connect(f"{path.as_uri()}?immutable=1", uri=True)) as connection:
        return int(connection.execute("SELECT count(*) FROM responses").fetchone()[0])


async def test_a_store_at_rest_is_written_to_its_file(
    store: SqlStore, path: Path, clock: Clock, checkpoints: Checkpoints
) -> None:
    await put(store, "r1")
    clock.now += APART_S
    assert not await checkpoints.look(at_rest=True)  # somebody wrote just now
    age(path, 2 * QUIET_S)
    assert not await checkpoints.look(at_rest=False)
    assert responses_in_file(path) == 0
    assert await checkpoints.look(at_rest=True)
    assert responses_in_file(path) == 1


async def test_checkpoints_are_some_time_apart_and_only_where_there_is_something_to_write(
    store: SqlStore, path: Path, clock: Clock, checkpoints: Checkpoints
) -> None:
    await put(store, "r1")
    age(path, 2 * QUIET_S)
    clock.now += APART_S
    assert await checkpoints.look(at_rest=True)
    clock.now += OVERDUE_S
    assert not await checkpoints.look(at_rest=True)
    assert not await checkpoints.look(at_rest=False)

    await put(store, "r2")
    age(path, 3 * QUIET_S)
    assert await checkpoints.look(at_rest=True)
    await put(store, "r3")
    age(path, 4 * QUIET_S)
    clock.now += APART_S / 2
    assert not await checkpoints.look(at_rest=True)
    clock.now += APART_S / 2
    assert await checkpoints.look(at_rest=True)
    assert responses_in_file(path) == 3


async def test_a_store_that_never_rests_is_written_to_its_file_in_the_end(
    store: SqlStore, path: Path, clock: Clock, checkpoints: Checkpoints
) -> None:
    await put(store, "r1")
    clock.now += OVERDUE_S - 1
    assert not await checkpoints.look(at_rest=False)
    clock.now += 1
    assert await checkpoints.look(at_rest=False)
    assert responses_in_file(path) == 1
