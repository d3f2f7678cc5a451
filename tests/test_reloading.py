"""SIGHUP: the configuration is read again, and no stream hears of it."""

import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from antiphon.engines.scripted import ScriptedEngine
from tests.command import Started, started
from tests.contracts.chat_server import serve_chat
from tests.live import parse_events, wait_until

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGHUP")

WAIT_S = 10.0


class Running:
    """A server over two model servers, and the file that says which of them it uses."""

    def __init__(self, file: Path, server: Started, client: httpx.Client, urls: dict[str, str]) -> None:
        self.client = client
        self._file = file
        self._server = server
        self._urls = urls
        self._reloads = {"applied": 0, "refused": 0}

    def reload(self, text: str, result: str = "applied") -> None:
        """Change the file and have it read; return when that is done."""
        self._file.write_text(text)
        self._reloads[result] += 1
        self._server.process.send_signal(signal.SIGHUP)
        line = f'antiphon_reloads_total{{result="{result}"}} {self._reloads[result]}.0'
        assert wait_until(lambda: line in self.client.get("/metrics").text, WAIT_S)

    def tables(self, *names: str, more: str = "") -> str:
        return tables(self._urls, *names, more=more)

    def models(self) -> list[str]:
        return [card["id"] for card in self.client.get("/v1/models").json()["data"]]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    file = tmp_path_factory.mktemp("config") / "antiphon.toml"
    with ExitStack() as stack:
        urls = {name: stack.enter_context(serve_chat(ScriptedEngine(model_ids=(name,)))) for name in ("a", "b")}
        file.write_text(tables(urls, "a"))
        server = stack.enter_context(started("--config", str(file), "--drain-delay-s", "0"))
        client = stack.enter_context(httpx.Client(base_url=server.origin, trust_env=False, timeout=WAIT_S))
        yield Running(file, server, client, urls)


def tables(urls: dict[str, str], *names: str, more: str = "") -> str:
    """A file that serves these models, each of an upstream of its own."""
    parts = [
        f'[[upstream]]\nname = "{name}"\nurls = ["{urls[name]}/v1"]\n[[model]]\nname = "{name}"\nupstream = "{name}"\n'
        for name in names
    ]
    return more + "".join(parts)


def ask(running: Running, model: str) -> httpx.Response:
    return running.client.post("/v1/responses", json={"model": model, "input": "[[say:ok]]"})


def test_a_stream_goes_on_whose_model_server_is_left_out(running: Running) -> None:
    running.reload(running.tables("a"))
    body = {"model": "a", "input": "[[say:one]][[stall:1.5]][[say: two]]", "stream": True}
    with running.client.stream("POST", "/v1/responses", json=body) as answer:
        arriving = answer.iter_text()
        text = next(arriving)
        running.reload(running.tables("b"))
        assert running.models() == ["b"]
        assert (ask(running, "a").status_code, ask(running, "b").json()["status"]) == (404, "completed")
        text += "".join(arriving)
    last = parse_events(text)[-1][1]["response"]
    assert (last["status"], last["output"][0]["content"][0]["text"]) == ("completed", "one two")


def test_a_model_that_is_added_is_served_beside_the_one_that_was_there(running: Running) -> None:
    running.reload(running.tables("a"))
    assert ask(running, "b").status_code == 404
    running.reload(running.tables("a", "b", more='default_model = "b"\n'))
    assert running.models() == ["a", "b"]
    answer = running.client.post("/v1/responses", json={"input": "[[say:ok]]"}).json()
    assert (answer["model"], ask(running, "a").json()["status"]) == ("b", "completed")
    figures = running.client.get("/metrics").text
    assert 'antiphon_upstream_requests_total{server="0",upstream="a"} ' in figures


@pytest.mark.parametrize(
    "broken",
    [
        "[[upstream",
        "max_body_bytes = 'large'",
        '[[upstream]]\nname = "a"\nurls = ["http://127.0.0.1:1"]\n[[model]]\nname = "a"\nupstream = "other"\n',
        '[[model]]\nname = "a"\n',
        '[[upstream]]\nname = "a"\nurls = ["http://127.0.0.1:1"]\nquirks = { unheard_of = true }\n',
    ],
    ids=["syntax", "setting", "table", "engine", "quirk"],
)
def test_a_file_that_cannot_be_used_changes_nothing(running: Running, broken: str) -> None:
    running.reload(running.tables("a"))
    running.reload(broken, "refused")
    assert running.models() == ["a"]
    assert ask(running, "a").json()["status"] == "completed"


def test_limits_hold_from_the_reload_on(running: Running) -> None:
    running.reload(running.tables("b"))
    assert ask(running, "b").status_code == 200
    running.reload(running.tables("b") + '[[limit]]\nscope = "model"\nrequests_per_minute = 1\n')
    assert [ask(running, "b").status_code for _ in range(2)] == [200, 429]
    running.reload(running.tables("b"))
    assert ask(running, "b").status_code == 200
