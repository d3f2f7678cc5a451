"""Types of tools, the items of their calls, and what requests and tools may carry besides text."""

import base64
from typing import Any

import pytest

from tests.compliance.conftest import Api
from tests.openapi_schema import validate_event, validate_item

pytestmark = pytest.mark.compliance

GIF = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"
SHORT: dict[str, Any] = {"max_output_tokens": 16, "store": False}
SHELL = {"type": "shell", "environment": {"type": "local"}}
OWN: list[tuple[dict[str, Any], str, str, dict[str, Any]]] = [
    (
        {"type": "apply_patch"},
        'apply_patch {"type":"delete_file","path":"a","diff":""}',
        "apply_patch_call",
        {"status": "completed"},
    ),
    (
        SHELL,
        'shell {"commands":["ls"],"timeout_ms":null,"max_output_length":null}',
        "shell_call",
        {"output": [{"stdout": "a", "stderr": "", "outcome": {"type": "exit", "exit_code": 0}}]},
    ),
    ({"type": "local_shell"}, 'local_shell {"command":["ls"]}', "local_shell_call", {"output": "a"}),
    (
        {"type": "computer"},
        'computer {"actions":[{"type":"screenshot"}]}',
        "computer_call",
        {"output": {"type": "computer_screenshot", "image_url": GIF}},
    ),
]
LEFT_OUT: list[dict[str, Any]] = [
    {"type": "web_search"},
    {"type": "web_search_preview"},
    {"type": "file_search", "vector_store_ids": ["vs_1"]},
    {"type": "code_interpreter", "container": {"type": "auto"}},
    {"type": "image_generation"},
    {"type": "mcp", "server_label": "m", "server_url": "https://mcp.example"},
    {"type": "programmatic_tool_calling"},
    {"type": "tool_search"},
    {"type": "shell", "environment": {"type": "container_auto"}},
]
CHOICES: list[Any] = [
    "none",
    "auto",
    {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "f"}]},
    {"type": "function", "name": "f"},
    {"type": "custom", "name": "c"},
    {"type": "mcp", "server_label": "m"},
    {"type": "web_search_preview"},
    {"type": "apply_patch"},
    {"type": "shell"},
    {"type": "programmatic_tool_calling"},
]
FUNCTION = {"type": "function", "name": "f", "parameters": {"type": "object", "properties": {}}}


@pytest.mark.spec_line("tools.types")
def test_every_tool_that_is_not_served_is_left_out(api: Api) -> None:
    response = api.create(input="Say hello.", tools=LEFT_OUT, **SHORT)
    assert [tool["type"] for tool in response["tools"]] == [tool["type"] for tool in LEFT_OUT]


@pytest.mark.spec_line("tools.choices")
@pytest.mark.parametrize("choice", CHOICES)
def test_every_choice_is_taken(scripted: Api, choice: Any) -> None:
    tools = [FUNCTION, {"type": "custom", "name": "c"}, SHELL, *LEFT_OUT]
    assert scripted.create(input="[[say:Hi]]", tools=tools, tool_choice=choice, **SHORT)["tool_choice"] == choice


@pytest.mark.spec_line("tools.own")
@pytest.mark.parametrize(("tool", "written", "kind", "output"), OWN)
def test_a_tool_of_the_api_is_called_and_answered(
    scripted: Api, tool: dict[str, Any], written: str, kind: str, output: dict[str, Any]
) -> None:
    first = scripted.create(input=f"[[call:{written}]]", tools=[tool])
    (call,) = first["output"]
    assert call["type"] == kind
    validate_item(call)

    given = {"type": f"{kind}_output", "call_id": call["call_id"], **output}
    second = scripted.create(input=[given], previous_response_id=first["id"], tools=[tool])

    assert second["status"] == "completed"
    for item in scripted.get(f"/responses/{second['id']}/input_items").json()["data"]:
        validate_item(item)


@pytest.mark.spec_line(
    "event.response.shell_call_command.added",
    "event.response.shell_call_command.delta",
    "event.response.shell_call_command.done",
)
def test_commands_of_a_shell_are_streamed(scripted: Api) -> None:
    events = scripted.stream(input='[[call:shell {"commands":["ls","pwd"]}]]', tools=[SHELL])
    commands = [event for event in events if "shell_call_command" in event["type"]]
    for event in commands:
        validate_event(event)
    assert [event["type"].rpartition(".")[2] for event in commands] == ["added", "delta", "done"] * 2
    assert [event["command"] for event in commands if event["type"].endswith("done")] == ["ls", "pwd"]


@pytest.mark.spec_line("tools.unreadable")
def test_what_says_no_action_is_passed_on_as_a_function_call(scripted: Api) -> None:
    (call,) = scripted.create(input="[[call:shell rm -rf]]", tools=[SHELL])["output"]
    assert (call["type"], call["name"], call["arguments"]) == ("function_call", "shell", "rm -rf")


@pytest.mark.spec_line("tools.deferred")
def test_a_deferred_function_waits_for_a_search(scripted: Api) -> None:
    tools = [{"type": "tool_search", "execution": "client"}, {**FUNCTION, "name": "get_weather", "defer_loading": True}]
    first = scripted.create(input="What is the weather?", tools=tools)
    assert [item["type"] for item in first["output"]] == ["message"]

    second = scripted.create(input='[[call:tool_search {"query":"weather"}]]', tools=tools)
    found = {"type": "tool_search_output", "call_id": second["output"][0]["call_id"], "tools": tools[1:]}
    then = {"role": "user", "content": "What is the weather?"}
    third = scripted.create(input=[found, then], previous_response_id=second["id"], tools=tools)
    assert third["output"][0]["name"] == "get_weather"


@pytest.mark.spec_line("tools.async")
def test_an_asynchronous_call_is_answered_later(scripted: Api) -> None:
    first = scripted.create(input="[[call:f {}]]", tools=[{**FUNCTION, "async": True}])
    second = scripted.create(input="[[say:Meanwhile.]]", previous_response_id=first["id"])
    given = {"type": "function_call_output", "call_id": first["output"][0]["call_id"], "output": "late"}
    third = scripted.create(input=[given], previous_response_id=second["id"])
    assert third["status"] == "completed"


@pytest.mark.spec_line("tools.outputs")
def test_an_output_may_be_a_list(scripted: Api) -> None:
    first = scripted.create(input="[[call:f {}]]", tools=[FUNCTION])
    parts = [{"type": "input_text", "text": "seen"}, {"type": "input_image", "image_url": GIF}]
    given = {"type": "function_call_output", "call_id": first["output"][0]["call_id"], "output": parts}
    second = scripted.create(input=[given], previous_response_id=first["id"])
    assert "seen" in second["output"][0]["content"][0]["text"]


@pytest.mark.spec_line("M4.hosted")
def test_what_hosted_tools_found_is_shown_on_request(scripted: Api) -> None:
    source = {"type": "url", "url": "https://x.example"}
    ran = {"type": "code_interpreter_call", "id": "ci_1", "container_id": "c", "code": "1", "status": "completed"}
    items: list[dict[str, Any]] = [
        {"type": "message", "role": "user", "content": "[[say:Hi]]"},
        {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search", "query": "q"}},
        {"type": "file_search_call", "id": "fs_1", "status": "completed", "queries": ["q"], "results": [{"text": "t"}]},
        {**ran, "outputs": [{"type": "logs", "logs": "1"}]},
        {"type": "computer_call", "id": "cu_1", "call_id": "c1", "status": "completed", "pending_safety_checks": []},
        {
            "type": "computer_call_output",
            "call_id": "c1",
            "output": {"type": "computer_screenshot", "image_url": GIF},
        },
    ]
    items[1]["action"]["sources"] = [source]
    items[1]["results"] = [{"url": "https://x.example"}]
    items[4]["action"] = {"type": "screenshot"}
    place = f"/responses/{scripted.create(input=items)['id']}/input_items"
    paths = {
        "web_search_call.action.sources": lambda found: found["web_search_call"]["action"].get("sources"),
        "web_search_call.results": lambda found: found["web_search_call"].get("results"),
        "file_search_call.results": lambda found: found["file_search_call"].get("results"),
        "code_interpreter_call.outputs": lambda found: found["code_interpreter_call"].get("outputs"),
        "computer_call_output.output.image_url": lambda found: found["computer_call_output"]["output"].get("image_url"),
    }

    def shown(*include: str) -> list[str]:
        data = scripted.get(place, **{"include[]": list(include)}).json()["data"]
        found = {item["type"]: item for item in data}
        return [name for name, look in paths.items() if look(found)]

    assert shown() == []
    for name in paths:
        assert shown(name) == [name]


@pytest.mark.spec_line("items.phase")
@pytest.mark.parametrize("phase", ["commentary", "final_answer"])
def test_phase_is_given_back(api: Api, phase: str) -> None:
    said = {"type": "message", "role": "assistant", "content": "Let me see.", "phase": phase}
    response = api.create(input=[{"role": "user", "content": "Hi"}, said, {"role": "user", "content": "So?"}])
    items = api.get(f"/responses/{response['id']}/input_items").json()["data"]
    assert [item.get("phase") for item in items] == [None, phase, None]


@pytest.mark.spec_line("items.files")
def test_a_text_file_is_read(scripted: Api) -> None:
    data = base64.b64encode(b"the figures").decode()
    part = {"type": "input_file", "filename": "a.txt", "file_data": f"data:text/plain;base64,{data}"}
    response = scripted.create(input=[{"role": "user", "content": [part]}])
    assert "the figures" in response["output"][0]["content"][0]["text"]
    (item,) = scripted.get(f"/responses/{response['id']}/input_items").json()["data"]
    assert item["content"] == [part]


@pytest.mark.spec_line("items.images")
def test_a_broken_image_is_refused_by_its_place(scripted: Api) -> None:
    part = {"type": "input_image", "image_url": "data:image/png;base64,???"}
    answer = scripted.post(input=[{"role": "user", "content": [part]}])
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "input[0].content[0].image_url")
