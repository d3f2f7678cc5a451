"""The API's own tools that a client executes: offered, called, answered, in every kind of run; and those left out."""

import json
from typing import Any

import openai
import pytest

from tests.live import CLIENT_S, Live, wait_until
from tests.openapi_schema import validate_event, validate_item, validate_response

SHELL = {"type": "shell", "environment": {"type": "local"}}
PATCH = {"type": "apply_patch"}
PIXEL = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"
RESULT = {"stdout": "a.py\n", "stderr": "", "outcome": {"type": "exit", "exit_code": 0}}
# tool, what the model writes, type of the call, output of the client, what the model reads of it
FAMILIES: list[tuple[dict[str, Any], str, str, dict[str, Any], str]] = [
    (
        PATCH,
        'apply_patch {"type":"create_file","path":"a.py","diff":"+a = 1"}',
        "apply_patch_call",
        {"type": "apply_patch_call_output", "status": "failed", "output": "It exists."},
        "Failed. It exists.",
    ),
    (
        SHELL,
        'shell {"commands":["ls"],"timeout_ms":1000,"max_output_length":null}',
        "shell_call",
        {"type": "shell_call_output", "output": [RESULT], "max_output_length": 100},
        "a.py",
    ),
    (
        {"type": "local_shell"},
        'local_shell {"command":["ls"]}',
        "local_shell_call",
        {"type": "local_shell_call_output", "output": "a.py"},
        "a.py",
    ),
    (
        {"type": "computer"},
        'computer {"actions":[{"type":"click","button":"left","x":1,"y":2}]}',
        "computer_call",
        {"type": "computer_call_output", "output": {"type": "computer_screenshot", "image_url": PIXEL}},
        "shown in the next message",
    ),
    (
        {"type": "computer_use_preview", "display_width": 800, "display_height": 600, "environment": "browser"},
        'computer {"action":{"type":"screenshot"}}',
        "computer_call",
        {"type": "computer_call_output", "output": {"type": "computer_screenshot", "image_url": PIXEL}},
        "shown in the next message",
    ),
]
NAMES = [str(tool["type"]) for tool, *_ in FAMILIES]


@pytest.mark.parametrize(("tool", "written", "kind", "output", "read"), FAMILIES, ids=NAMES)
def test_a_call_and_its_output_go_through_a_chain(
    live: Live, tool: dict[str, Any], written: str, kind: str, output: dict[str, Any], read: str
) -> None:
    first = live.create(f"[[call:{written}]]", tools=[tool])
    (call,) = first["output"]
    assert (call["type"], call["status"]) == (kind, "completed")
    validate_response(first)

    second = live.create([{**output, "call_id": call["call_id"]}], previous_response_id=first["id"], tools=[tool])

    assert read in second["output"][0]["content"][0]["text"]
    items = live.http.get(f"/v1/responses/{second['id']}/input_items?order=asc").json()["data"]
    assert [item["type"] for item in items] == ["message", kind, output["type"]]
    for item in items:
        validate_item(item)


@pytest.mark.parametrize(("tool", "written", "kind", "output", "read"), FAMILIES, ids=NAMES)
def test_a_call_is_answered_live(
    live: Live, tool: dict[str, Any], written: str, kind: str, output: dict[str, Any], read: str
) -> None:
    waiting = live.create(f"[[call:{written}]]", tools=[tool], await_tool_outputs=True)
    (call,) = waiting["output"]
    given = {**output, "call_id": call["call_id"]}

    answer = live.http.post(f"/v1/responses/{waiting['id']}/tool_outputs", json={"tool_outputs": [given]})
    assert answer.status_code == 200, answer.text
    place = f"/v1/responses/{waiting['id']}"
    assert wait_until(lambda: live.http.get(place).json()["status"] == "completed", CLIENT_S)

    response = live.http.get(place).json()
    validate_response(response)
    assert [item["type"] for item in response["output"]] == [kind, output["type"], "message"]
    assert read in response["output"][2]["content"][0]["text"]
    replayed = live.http.get(f"{place}?stream=true").text
    for line in replayed.splitlines():
        if line.startswith("data: "):
            validate_event(line.removeprefix("data: "))


@pytest.mark.parametrize(("tool", "written", "kind", "output", "read"), FAMILIES, ids=NAMES)
def test_an_output_of_a_function_is_taken_for_that_of_the_tool(
    live: Live, tool: dict[str, Any], written: str, kind: str, output: dict[str, Any], read: str
) -> None:
    ended = live.create(f"[[call:{written}]]", tools=[tool])
    said = PIXEL if kind == "computer_call" else "a.py"
    given = {"call_id": ended["output"][0]["call_id"], "output": said}

    answer = live.http.post(f"/v1/responses/{ended['id']}/tool_outputs", json={"tool_outputs": [given]})

    assert answer.status_code == 200, answer.text
    items = live.http.get(f"/v1/responses/{answer.json()['id']}/input_items?limit=1").json()["data"]
    assert items[0]["type"] == output["type"]
    validate_item(items[0])


@pytest.mark.parametrize(("tool", "written", "kind", "output", "read"), FAMILIES, ids=NAMES)
def test_the_official_client_follows_the_stream(
    live: Live, tool: Any, written: str, kind: str, output: dict[str, Any], read: str
) -> None:
    with (
        openai.OpenAI(base_url=live.base_url, api_key="none", max_retries=0, timeout=CLIENT_S) as client,
        client.responses.stream(model="scripted", input=f"[[call:{written}]]", tools=[tool]) as stream,
    ):
        types = [event.type for event in stream]
        response = stream.get_final_response()

    assert response.output[0].type == kind
    commands = [each.removeprefix("response.") for each in types if "command" in each]
    expected = [f"shell_call_command.{part}" for part in ("added", "delta", "done")]
    assert commands == (expected if kind == "shell_call" else [])


def test_a_background_call_is_stored_as_it_was_said(live: Live) -> None:
    started = live.create('[[call:shell {"commands":["ls"]}]]', tools=[SHELL], background=True)
    replayed = live.http.get(f"/v1/responses/{started['id']}?stream=true").text

    assert '"type":"shell_call"' in replayed
    (call,) = live.http.get(f"/v1/responses/{started['id']}").json()["output"]
    assert call["action"]["commands"] == ["ls"]


def test_a_local_shell_output_may_name_its_call_by_id_alone(live: Live) -> None:
    first = live.create('[[call:local_shell {"command":["ls"]}]]', tools=[{"type": "local_shell"}])
    (call,) = first["output"]
    output = {"type": "local_shell_call_output", "id": call["call_id"], "output": "a.py"}

    second = live.create([output], previous_response_id=first["id"])

    assert "a.py" in second["output"][0]["content"][0]["text"]


def test_a_call_without_an_output_cannot_be_passed_over(live: Live) -> None:
    first = live.create('[[call:shell {"commands":["ls"]}]]', tools=[SHELL])
    answer = live.http.post("/v1/responses", json={"input": "Go on.", "previous_response_id": first["id"]})

    assert answer.status_code == 400
    assert "No tool output found" in answer.json()["error"]["message"]


def test_an_asynchronous_call_is_answered_turns_later(live: Live) -> None:
    later = {"type": "function", "name": "later", "parameters": {}, "async": True}
    first = live.create("[[call:later {}]]", tools=[later])
    (call,) = first["output"]
    assert call["async"] is True
    second = live.create("Meanwhile?", previous_response_id=first["id"])
    output = {"type": "function_call_output", "call_id": call["call_id"], "output": "done by now"}

    third = live.create([output], previous_response_id=second["id"])

    assert "done by now" in third["output"][0]["content"][0]["text"]


EVERY_TOOL: list[dict[str, Any]] = [
    {"type": "function", "name": "f", "parameters": {"type": "object", "properties": {}}, "output_schema": {}},
    {"type": "custom", "name": "c", "defer_loading": True, "allowed_callers": ["direct"]},
    {"type": "namespace", "name": "n", "description": "", "tools": [{"type": "function", "name": "f"}]},
    {"type": "tool_search", "execution": "server"},
    {"type": "programmatic_tool_calling"},
    {"type": "mcp", "server_label": "m", "server_url": "https://mcp.example", "defer_loading": True},
    {"type": "web_search"},
    {"type": "web_search_2025_08_26"},
    {"type": "web_search_preview"},
    {"type": "file_search", "vector_store_ids": ["vs_1"]},
    {"type": "code_interpreter", "container": {"type": "auto"}},
    {"type": "computer"},
    {"type": "computer_use_preview", "display_width": 8, "display_height": 6, "environment": "mac"},
    {"type": "image_generation"},
    {"type": "local_shell"},
    SHELL,
    {"type": "shell", "environment": {"type": "container_auto"}},
    PATCH,
]
EVERY_CHOICE: list[Any] = [
    "none",
    "auto",
    "required",
    {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "f"}, {"type": "web_search"}]},
    {"type": "function", "name": "f"},
    {"type": "custom", "name": "c"},
    {"type": "mcp", "server_label": "m", "name": "x"},
    {"type": "file_search"},
    {"type": "web_search_preview"},
    {"type": "web_search"},
    {"type": "computer"},
    {"type": "computer_use"},
    {"type": "computer_use_preview"},
    {"type": "image_generation"},
    {"type": "code_interpreter"},
    {"type": "apply_patch"},
    {"type": "shell"},
    {"type": "programmatic_tool_calling"},
]


def shown(value: Any) -> str:
    return value if isinstance(value, str) else str(value["type"])


@pytest.mark.parametrize("tool", EVERY_TOOL, ids=shown)
def test_every_tool_is_taken_and_echoed(live: Live, tool: dict[str, Any]) -> None:
    response = live.create("[[say:Hi]]", tools=[tool], store=False)

    validate_response(response)
    (echoed,) = response["tools"]
    assert tool.items() <= echoed.items() or tool["type"] == "namespace"


@pytest.mark.parametrize("choice", EVERY_CHOICE, ids=shown)
def test_every_choice_is_taken_and_echoed(live: Live, choice: Any) -> None:
    response = live.create("[[say:Hi]]", tools=EVERY_TOOL, tool_choice=choice, store=False)

    assert json.dumps(response["tool_choice"], sort_keys=True) == json.dumps(choice, sort_keys=True)
