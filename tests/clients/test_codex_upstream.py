"""Codex CLI works where the model is behind a server that speaks as vLLM does."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from antiphon.engines.chat_http import ChatHttpEngine
from tests.clients.codex import Codex
from tests.clients.installation import EXAMPLES
from tests.clients.serving import KEY, KNOWN, LITE, PLAIN, ListeningEngine, Meeting
from tests.contracts.chat_server import serve_chat
from tests.live import serve

pytestmark = pytest.mark.needs("npm")

SHELL = '[[call:exec_command {"cmd": "echo from the shell"}]]'
WEATHER = '[[call:mcp__weather__get_weather {"city": "Oslo"}]]'
PATCH = '[[call:apply_patch {"input": "*** Begin Patch\\n*** Add File: note.txt\\n+hello\\n*** End Patch\\n"}]]'


@pytest.fixture(scope="module")
def server() -> Iterator[Meeting]:
    """A server in front of another one, and the engine behind both."""
    listening = ListeningEngine()
    with serve_chat(listening) as url:
        behind: Any = ChatHttpEngine([f"{url}/v1"])
        with serve(behind, api_keys=(KEY,)) as live:
            yield Meeting(live, listening)


@pytest.fixture(params=[False, True], ids=["sse", "websocket"])
def home(request: pytest.FixtureRequest, server: Meeting, tmp_path: Path) -> Codex:
    shutil.copy(EXAMPLES / "codex" / "config.toml", tmp_path)
    (tmp_path / "work").mkdir()
    return Codex(home=tmp_path, server=server, model=PLAIN, websocket=request.param)


def as_model(user: Codex, model: str) -> Codex:
    return Codex(home=user.home, server=user.server, model=model, websocket=user.websocket)


def test_shell_and_tools_of_a_server_are_called_and_the_session_goes_on(home: Codex) -> None:
    shell, weather, answer = home.run(f"{SHELL}[[then]]{WEATHER}[[then]][[say:All done.]]")
    assert "from the shell" in shell["aggregated_output"]
    assert weather["status"] == "completed"
    assert answer["text"] == "All done."
    (again,) = home.run("[[say:And again.]]", "resume", "--last")
    assert again["text"] == "And again."


def test_a_patch_is_written(home: Codex) -> None:
    patch, answer = as_model(home, KNOWN).run(f"{PATCH}[[then]][[say:Written.]]")
    assert (patch["status"], answer["text"]) == ("completed", "Written.")
    assert (home.work / "note.txt").read_text() == "hello\n"


def test_tools_that_come_as_an_item_are_called(home: Codex) -> None:
    script = '[[call:exec {"input": "const ran = await tools.exec_command({cmd: \\"echo hi\\"}); text(ran.output);"}]]'
    shell, answer = as_model(home, LITE).run(f"{script}[[then]][[say:All done.]]")
    assert "hi" in shell["aggregated_output"]
    assert answer["text"] == "All done."
