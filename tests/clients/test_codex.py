"""Codex CLI works, over SSE and over a WebSocket, in each of the ways in which it asks.

Each test prescribes the model's steps in the prompt: the calls are made by Codex as it would make them for any model.
"""

import base64
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from antiphon.core.chat import ImagePart
from antiphon.core.compaction import PREFACE, PROMPT
from tests.clients.codex import Codex
from tests.clients.installation import EXAMPLES
from tests.clients.serving import KNOWN, LITE, PLAIN, Meeting, spoken

pytestmark = pytest.mark.needs("npm")

SHELL = '[[call:exec_command {"cmd": "echo from the shell"}]]'
WEATHER = '[[call:mcp__weather__get_weather {"city": "Oslo"}]]'
PATCH = '[[call:apply_patch {"input": "*** Begin Patch\\n*** Add File: note.txt\\n+hello\\n*** End Patch\\n"}]]'
SCRIPT = (
    '[[call:exec {"input": "const ran = await tools.exec_command({cmd: \\"echo from the shell\\"}); text(ran.output);'
    'text(await tools.mcp__weather__get_weather({city: \\"Oslo\\"}));"}]]'
)
POSTS = 'antiphon_http_requests_total{method="POST"'
RUNS = "antiphon_runs_started_total"
# One pixel.
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


@pytest.fixture(params=[False, True], ids=["sse", "websocket"])
def codex(request: pytest.FixtureRequest, server: Meeting, tmp_path: Path) -> Callable[[str], Codex]:
    """Makes a user of Codex, given the model's name."""
    shutil.copy(EXAMPLES / "codex" / "config.toml", tmp_path)
    (tmp_path / "work").mkdir()
    server.engine.chats.clear()
    return lambda model: Codex(home=tmp_path, server=server, model=model, websocket=request.param)


def test_the_shell_and_an_mcp_server_s_tool_are_called(codex: Callable[[str], Codex]) -> None:
    shell, weather, answer = codex(PLAIN).run(f"{SHELL}[[then]]{WEATHER}[[then]][[say:All done.]]")

    assert (shell["type"], shell["exit_code"]) == ("command_execution", 0)
    assert "from the shell" in shell["aggregated_output"]
    assert (weather["type"], weather["status"]) == ("mcp_tool_call", "completed")
    assert weather["result"]["content"] == [{"type": "text", "text": "4 degrees in Oslo"}]
    assert (answer["type"], answer["text"]) == ("agent_message", "All done.")


def test_a_session_is_resumed(codex: Callable[[str], Codex], server: Meeting) -> None:
    user = codex(PLAIN)
    user.run('[[call:exec_command {"cmd": "true"}]][[then]][[say:Hello Ada.]]')
    (answer,) = user.run("[[say:No.]] Say it backwards.", "resume", "--last")

    assert answer["text"] == "No."
    history = server.engine.chats[-1].messages
    assert [content for role, content in spoken(history) if role == "assistant"] == [None, "Hello Ada."]
    assert sum(message.role == "tool" for message in history) == 1


def test_a_known_name_has_patches_and_looks_for_tools(codex: Callable[[str], Codex], server: Meeting) -> None:
    user = codex(KNOWN)
    patch, weather, answer = user.run(
        f'{PATCH}[[then]][[call:tool_search {{"query": "weather"}}]][[then]]{WEATHER}[[then]][[say:All done.]]'
    )

    assert (patch["type"], patch["status"]) == ("file_change", "completed")
    assert (user.work / "note.txt").read_text() == "hello\n"
    assert (weather["type"], weather["status"]) == ("mcp_tool_call", "completed")
    assert answer["text"] == "All done."
    offered = [[tool.name for tool in chat.tools] for chat in server.engine.chats]
    assert ["mcp__weather__get_weather" in names for names in offered] == [False, False, True, True]
    (grammar,) = {tool.grammar.syntax for tool in server.engine.chats[0].tools if tool.grammar}
    assert grammar == "lark"


def test_tools_that_come_as_an_item_are_called(codex: Callable[[str], Codex], server: Meeting) -> None:
    shell, weather, answer = codex(LITE).run(f"{SCRIPT}[[then]][[say:All done.]]")

    assert "from the shell" in shell["aggregated_output"]
    assert (weather["type"], weather["status"]) == ("mcp_tool_call", "completed")
    assert answer["text"] == "All done."
    assert "4 degrees in Oslo" in str(server.engine.chats[-1].messages[-1].content)


def test_reasoning_comes_back_sealed(codex: Callable[[str], Codex], server: Meeting) -> None:
    codex(KNOWN).run(f"[[think:I shall look.]]{SHELL}[[then]][[say:All done.]]")

    assert "I shall look." in [message.reasoning for message in server.engine.chats[-1].messages]


def test_an_image_in_a_tool_s_output_is_seen(codex: Callable[[str], Codex], server: Meeting) -> None:
    user = codex(KNOWN)
    (user.work / "pixel.png").write_bytes(PNG)
    user.run(f'[[call:view_image {{"path": "{user.work}/pixel.png"}}]][[then]][[say:Seen.]]')

    output, shown = server.engine.chats[-1].messages[-2:]
    assert (output.role, shown.role) == ("tool", "user")
    images = [part for part in shown.content or () if isinstance(part, ImagePart)]
    assert [image.url.split(",")[0] for image in images] == ["data:image/png;base64"]


def test_a_websocket_is_used_where_it_is_allowed(codex: Callable[[str], Codex], server: Meeting) -> None:
    posted, ran = (server.counted(name) for name in (POSTS, RUNS))
    user = codex(PLAIN)
    user.run(f"{SHELL}[[then]][[say:All done.]]")

    assert server.counted(RUNS) - ran >= 2
    assert (server.counted(POSTS) == posted) == user.websocket


def test_a_long_session_is_compacted(codex: Callable[[str], Codex], server: Meeting) -> None:
    user = codex(PLAIN)
    user.run("[[say:Hello Ada.]]", "-c", "model_auto_compact_token_limit=50")
    *_, answer = user.run("[[say:No.]]", "-c", "model_auto_compact_token_limit=50", "resume", "--last")

    assert answer["text"] == "No."
    assert any("CONTEXT CHECKPOINT COMPACTION" in str(chat.messages[-1].content) for chat in server.engine.chats)


def test_a_session_with_openai_is_compacted_by_the_server(codex: Callable[[str], Codex], server: Meeting) -> None:
    as_openai = ("-c", 'model_providers.antiphon.name="OpenAI"', "-c", "model_auto_compact_token_limit=50")
    user = codex(PLAIN)
    user.run("[[say:Hello Ada.]]", *as_openai)
    *_, answer = user.run("[[say:No.]]", *as_openai, "resume", "--last")

    assert answer["text"] == "No."
    asked = [chat.messages[-1].content for chat in server.engine.chats]
    assert PROMPT in asked
    assert not any("CONTEXT CHECKPOINT COMPACTION" in str(each) for each in asked)
    assert any(str(message.content).startswith(PREFACE) for message in server.engine.chats[-1].messages)
