"""Threads over a queue of jobs: which of them are done together."""

import sqlite3
from collections.abc import Sequence
from functools import partial
from typing import Any

import pytest

from antiphon.stores.worker import Job, Workers, answer

pytestmark = pytest.mark.anyio


def read(_: sqlite3.Connection, *, value: int) -> int:
    return value


@pytest.mark.parametrize(("coming", "together"), [(2, [2]), (1, [1, 1])])
async def test_a_job_waits_for_another_only_where_one_is_about_to_come(coming: int, together: list[int]) -> None:
    groups: list[int] = []

    def note(connection: sqlite3.Connection, group: Sequence[Job[Any]]) -> None:
        groups.append(len(group))
        answer(connection, group)

    workers: Workers
    second: list[Any] = []

    def about_to_come() -> int:
        """Asked between the first job and its group: what comes from here on comes meanwhile."""
        if coming > 1 and not second:
            second.append(workers.run(partial(read, value=2)))
        return coming

    workers = Workers("test", partial(sqlite3.connect, ":memory:"), note, threads=1, group_size=8, coming=about_to_come)
    assert await workers.run(partial(read, value=1)) == 1
    if not second:
        second.append(workers.run(partial(read, value=2)))
    assert await second[0] == 2
    await workers.close()
    assert groups == together
