"""A server whose disk is full: nothing new is stored, all the rest goes on."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from antiphon.stores.sql import SqlStore
from tests.live import Live, serve


class FullStore:
    """SQLite's own limit on pages stands for the disk's. No subclass, for the compiled store can have none."""

    def __init__(self, path: Path) -> None:
        self._store = SqlStore(path)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def start(self) -> None:
        await self._store.start()
        self._loop = asyncio.get_running_loop()

    def fill(self) -> None:
        asyncio.run_coroutine_threadsafe(self._limit(), self._loop).result(10)

    async def _limit(self) -> None:
        await self._store._writer.run(lambda connection: connection.execute("PRAGMA max_page_count = 1").fetchall())


@pytest.fixture
def full(tmp_path: Path) -> Iterator[tuple[Live, str]]:
    """A server that is full, and a response it had stored before."""
    store = FullStore(tmp_path / "data" / "antiphon.sqlite3")
    with serve(store=store) as live:
        made = live.create("[[say:Kept]]")["id"]
        store.fill()
        yield live, made


LARGE = "word " * 40_000


def test_what_is_to_be_stored_is_refused_before_the_first_byte(full: tuple[Live, str]) -> None:
    live, _ = full
    for stream in (False, True):
        answer = live.http.post("/v1/responses", json={"input": LARGE, "stream": stream})
        assert answer.status_code == 503
        assert answer.json()["error"]["message"] == "The store's disk is full."


def test_what_is_not_to_be_stored_reads_and_deletes_go_on(full: tuple[Live, str]) -> None:
    live, made = full
    assert live.create(f"{LARGE}[[say:Hello]]", store=False)["status"] == "completed"
    assert live.http.get(f"/v1/responses/{made}").json()["status"] == "completed"
    assert live.http.delete(f"/v1/responses/{made}").status_code == 200
    assert live.http.get(f"/v1/responses/{made}").status_code == 404


def test_a_response_whose_end_does_not_fit_is_not_completed(tmp_path: Path) -> None:
    store = FullStore(tmp_path / "data" / "antiphon.sqlite3")
    asked = {"input": f"[[stall:1]][[say:{LARGE}]]", "stream": True}
    with serve(store=store) as live, live.http.stream("POST", "/v1/responses", json=asked) as answer:
        lines = answer.iter_lines()
        assert next(lines) == "event: response.created"
        store.fill()
        ends = [line for line in lines if line.startswith("event: ")][-2:]
    assert ends == ["event: error", "event: response.failed"]
