"""What must stay cheap: long chains, and many runs at once."""

import asyncio
import sqlite3
import threading
import time
from pathlib import Path

import pytest

from antiphon.errors import Conflict
from antiphon.stores.database import open_reader
from antiphon.stores.reading import read_chain, read_input_items
from antiphon.stores.sql import SqlStore
from tests.stores.turns import TENANT, beginning, body, put, turn

pytestmark = pytest.mark.anyio


async def write_chain(store: SqlStore, length: int) -> None:
    for number in range(length):
        await put(store, f"r{number}", previous=f"r{number - 1}" if number else None)


def cpu_s(act: object, *arguments: object, **options: object) -> float:
    """The fastest of five calls."""
    assert callable(act)
    taken = []
    for _ in range(5):
        start = time.thread_time()
        act(*arguments, **options)
        taken.append(time.thread_time() - start)
    return min(taken)


async def test_a_chain_of_a_thousand_turns_is_read_in_milliseconds(store: SqlStore, path: Path) -> None:
    await write_chain(store, 1000)
    chain = await store.chain(TENANT, "r999")
    assert chain == tuple(turn(f"r{number}") for number in range(1000))
    page = await store.input_items(TENANT, "r999", after="in_r500", limit=2, descending=False)
    assert page is not None and tuple(page.data) == (body("out_r500"), body("in_r501"))
    connection = open_reader(path)
    assert cpu_s(read_chain, connection, TENANT, "r999") < 0.05
    options = {"after": "in_r500", "limit": 100, "descending": True}
    assert cpu_s(read_input_items, connection, TENANT, "r999", **options) < 0.05
    connection.close()


async def test_runs_that_begin_while_the_writer_is_busy_share_one_transaction(store: SqlStore) -> None:
    starts: list[str] = []
    gate = threading.Event()

    def trace_and_wait(connection: sqlite3.Connection) -> bool:
        connection.set_trace_callback(lambda sql: starts.append(sql) if sql.startswith("BEGIN") else None)
        return gate.wait(30)

    busy = asyncio.ensure_future(store._writer.run(trace_and_wait))
    await asyncio.sleep(0)  # the writer has its job, and then those of all runs
    begins = [asyncio.ensure_future(store.begin(beginning(f"r{number}"))) for number in range(64)]
    await asyncio.sleep(0)
    gate.set()
    leases = await asyncio.gather(*begins)
    assert await busy
    assert len({lease.key for lease in leases}) == 64
    assert len(starts) <= 2


async def test_a_run_that_fails_takes_no_other_of_its_transaction_down(store: SqlStore) -> None:
    await put(store, "r5")
    begins = [store.begin(beginning(f"r{number}")) for number in range(10)]
    outcomes = await asyncio.gather(*begins, return_exceptions=True)
    assert [isinstance(outcome, Conflict) for outcome in outcomes] == [number == 5 for number in range(10)]
    for number in range(10):
        assert await store.get(TENANT, f"r{number}") is not None


async def test_a_write_is_done_when_nobody_waits_for_it_any_more(store: SqlStore) -> None:
    task = asyncio.ensure_future(store.begin(beginning("r1")))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await put(store, "r2")
    assert await store.get(TENANT, "r1") is not None
