"""`/ready`: whether new requests should come here; `/live`: whether the process lives."""

import asyncio
from pathlib import Path
from typing import NoReturn

from antiphon.engines.chat_http import ChatHttpEngine
from antiphon.errors import StoreUnavailable
from antiphon.stores.memory import MemoryStore
from antiphon.stores.sql import SqlStore
from tests.live import serve


class BrokenStore(MemoryStore):
    """Writes nothing any more."""

    async def request_cancel(self, tenant: str, response_id: str) -> NoReturn:
        raise StoreUnavailable("The store's disk is gone.")


class StuckStore(MemoryStore):
    """Never answers."""

    async def request_cancel(self, tenant: str, response_id: str) -> NoReturn:
        await asyncio.Event().wait()
        raise AssertionError("nobody sets the event")


def test_a_server_with_a_good_store_is_ready(tmp_path: Path) -> None:
    with serve(store=SqlStore(tmp_path / "antiphon.sqlite3")) as live:
        answer = live.http.get("/ready")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_a_store_that_is_no_use_makes_it_not_ready_but_not_dead() -> None:
    with serve(store=BrokenStore()) as live:
        answers = {path: live.http.get(path) for path in ("/ready", "/live", "/health")}
    assert [answer.status_code for answer in answers.values()] == [503, 200, 200]
    assert answers["/ready"].json()["error"]["message"] == "The store's disk is gone."


def test_a_store_that_hangs_is_given_up() -> None:
    with serve(store=StuckStore()) as live:
        assert live.http.get("/ready").status_code == 503


def test_an_engine_that_is_down_does_not_matter() -> None:
    with serve(ChatHttpEngine(["http://127.0.0.1:1"])) as live:
        assert live.http.post("/v1/responses", json={"input": "a", "model": "m"}).status_code in (404, 503)
        assert live.http.get("/ready").status_code == 200
