"""Codex CLI gets through what happens to a busy server, and to its connections."""

import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from antiphon.core.grant import Limits
from antiphon.core.rate_rules import ScopedLimits
from tests.clients.codex import Codex
from tests.clients.cutting_proxy import Cuts, cutting
from tests.clients.installation import EXAMPLES
from tests.clients.serving import KEY, PLAIN, Meeting, meeting, spoken

pytestmark = pytest.mark.needs("npm")

BEARER = {"Authorization": f"Bearer {KEY}"}
POSTS = 'antiphon_http_requests_total{method="POST"'


def user(home: Path, server: Meeting, *, websocket: bool = False, base_url: str | None = None) -> Codex:
    shutil.copy(EXAMPLES / "codex" / "config.toml", home)
    (home / "work").mkdir()
    return Codex(home=home, server=server, model=PLAIN, websocket=websocket, base_url=base_url)


@contextmanager
def holding(server: Meeting, seconds: int) -> Iterator[None]:
    """A run that has the engine for so long."""

    def hold() -> None:
        asked = {"model": PLAIN, "input": f"[[stall:{seconds}]]", "stream": True}
        with server.live.http.stream("POST", "/v1/responses", json=asked, headers=BEARER) as answer:
            for line in answer.iter_lines():
                if line == "event: response.created":
                    begun.set()

    begun = threading.Event()
    thread = threading.Thread(target=hold, daemon=True)
    thread.start()
    assert begun.wait(10)
    yield
    thread.join(30)


def answered(codex: Codex) -> str:
    *_, answer = codex.run("[[say:All done.]]")
    text: str = answer["text"]
    return text


def test_without_websockets_it_falls_back_at_once(tmp_path: Path) -> None:
    with meeting(tmp_path, websocket=False) as server:
        began = time.monotonic()
        assert answered(user(tmp_path, server, websocket=True)) == "All done."
        assert time.monotonic() - began < 20
        assert server.counted(POSTS) >= 1


def test_it_waits_for_a_rate_limit_as_long_as_it_is_told(tmp_path: Path) -> None:
    limits = (ScopedLimits(scope="global", limits=Limits(requests_per_minute=20)),)
    with meeting(tmp_path, limits=limits) as server:
        asked: dict[str, Any] = {"model": PLAIN, "input": "[[say:a]]"}
        while server.live.http.post("/v1/responses", json=asked, headers=BEARER).status_code == 200:
            pass
        assert answered(user(tmp_path, server)) == "All done."
        assert server.counted("antiphon_rate_limited_requests_total") >= 2


def test_it_comes_back_to_a_server_that_was_too_busy(tmp_path: Path) -> None:
    with meeting(tmp_path, engine_running=1, engine_queue=0) as server, holding(server, 3):
        assert answered(user(tmp_path, server)) == "All done."
        assert server.counted('antiphon_http_requests_total{method="POST",route="/v1/responses",status="503"') >= 1


def test_an_answer_whose_end_was_lost_is_asked_for_again(tmp_path: Path) -> None:
    cuts = Cuts(left=1)
    with meeting(tmp_path) as server, cutting(server.live.port, cuts) as port:
        codex = user(tmp_path, server, base_url=f"http://127.0.0.1:{port}/v1")
        assert answered(codex) == "All done."
        assert cuts.made == 1
        assert server.counted("antiphon_runs_started_total") == 2
        last = spoken(server.engine.chats[-1].messages)
    assert [content for role, content in last if role == "assistant"] in ([], ["All done."])
