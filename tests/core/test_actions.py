"""What the model writes to call one of the API's own tools, and the item that the client gets."""

import json
from typing import Any

import jsonschema
import pytest
from msgspec import Raw

from antiphon.core.action_items import action_arguments, read_action
from antiphon.core.action_tools import PARAMETERS, ActionKind
from antiphon.core.chat import ToolChoice
from antiphon.core.toolbox import open_toolbox
from antiphon.wire import tools as wire
from antiphon.wire.items import encode_item
from antiphon.wire.unknown import UnknownTool
from tests.openapi_schema import validate_item

TOOLS: dict[ActionKind, wire.Tool] = {
    "apply_patch": wire.ApplyPatchTool(),
    "shell": wire.ShellTool(environment=Raw(b'{"type":"local"}')),
    "local_shell": wire.LocalShellTool(),
    "computer": wire.ComputerTool(),
    "computer_use_preview": wire.ComputerUsePreviewTool(display_height=768, display_width=1024, environment="browser"),
}
POINT = {"x": 3, "y": 4}
ACTIONS = [
    {"type": "click", "button": "right", **POINT},
    {"type": "double_click", **POINT},
    {"type": "drag", "path": [POINT, POINT]},
    {"type": "keypress", "keys": ["CTRL", "C"]},
    {"type": "move", **POINT},
    {"type": "screenshot"},
    {"type": "scroll", **POINT, "scroll_x": 0, "scroll_y": -100},
    {"type": "type", "text": "Hi"},
    {"type": "wait"},
]
WRITTEN: list[tuple[ActionKind, Any, Any]] = [
    (
        "apply_patch",
        {"type": "create_file", "path": "a", "diff": "+x"},
        {"type": "create_file", "path": "a", "diff": "+x"},
    ),
    ("apply_patch", {"type": "delete_file", "path": "a", "diff": ""}, {"type": "delete_file", "path": "a"}),
    (
        "shell",
        {"commands": ["ls", "pwd"], "timeout_ms": 5, "max_output_length": None},
        {"commands": ["ls", "pwd"], "timeout_ms": 5, "max_output_length": None},
    ),
    (
        "local_shell",
        {"command": ["ls", "-l"], "timeout_ms": None, "working_directory": "/src"},
        {"type": "exec", "command": ["ls", "-l"], "env": {}, "working_directory": "/src"},
    ),
    ("computer", {"actions": ACTIONS}, [*ACTIONS[:1], {**ACTIONS[1], "keys": None}, *ACTIONS[2:]]),
    ("computer_use_preview", {"action": ACTIONS[7]}, ACTIONS[7]),
]
SAID = {
    "apply_patch": "operation",
    "shell": "action",
    "local_shell": "action",
    "computer": "actions",
    "computer_use_preview": "action",
}
LENIENT: list[tuple[ActionKind, str, dict[str, Any]]] = [
    ("apply_patch", '{"operation":{"type":"create_file","path":"a","diff":"+x"}}', {"path": "a"}),
    ("shell", '{"commands":"ls"}', {"commands": ["ls"]}),
    ("shell", '{"command":["echo","a b"]}', {"commands": ["echo 'a b'"]}),
    ("shell", '{"action":{"commands":["ls"]}}', {"commands": ["ls"]}),
    ("local_shell", '{"command":"ls | wc"}', {"command": ["bash", "-lc", "ls | wc"]}),
    ("computer_use_preview", '{"type":"click","x":1.0,"y":2}', {"button": "left", "x": 1}),
]
NO_ACTION: list[tuple[ActionKind, str]] = [
    ("apply_patch", '{"type":"rename_file","path":"a","diff":""}'),
    ("apply_patch", '{"type":"create_file","path":"a"}'),
    ("apply_patch", '{"type":"delete_file","path":7}'),
    ("apply_patch", '{"type":["create_file"],"path":"a","diff":"x"}'),
    ("shell", "rm -rf /"),
    ("shell", '{"commands":[]}'),
    ("shell", '{"commands":[7]}'),
    ("shell", '{"commands":["ls"],"timeout_ms":"soon"}'),
    ("shell", '{"commands":["ls"],"timeout_ms":1e400}'),
    ("shell", "[" * 5000),
    ("local_shell", '{"command":["ls"],"env":[1]}'),
    ("local_shell", '["ls"]'),
    ("computer", '{"actions":[]}'),
    ("computer", '{"actions":["click"]}'),
    ("computer", '{"actions":[{"type":"fly"}]}'),
    ("computer_use_preview", '{"actions":[{"type":"wait"},{"type":"wait"}]}'),
]


def read(kind: ActionKind, arguments: str) -> Any:
    call = read_action(kind, arguments, call_id="call_1", new_id=lambda prefix: f"{prefix}_1")
    return None if call is None else json.loads(encode_item(call))


@pytest.mark.parametrize(("kind", "written", "said"), WRITTEN)
def test_what_keeps_the_schema_becomes_an_item(kind: ActionKind, written: Any, said: Any) -> None:
    jsonschema.validate(written, json.loads(bytes(PARAMETERS[kind])))
    item = read(kind, json.dumps(written))

    validate_item(item)
    assert item[SAID[kind]] == said


@pytest.mark.parametrize(("kind", "arguments", "some"), LENIENT)
def test_other_forms_of_the_same_are_understood(kind: ActionKind, arguments: str, some: dict[str, Any]) -> None:
    item = read(kind, arguments)

    validate_item(item)
    assert some.items() <= item[SAID[kind]].items()


@pytest.mark.parametrize(("kind", "arguments"), NO_ACTION)
def test_what_says_no_action_is_none(kind: ActionKind, arguments: str) -> None:
    assert read(kind, arguments) is None


@pytest.mark.parametrize(("kind", "written", "said"), WRITTEN)
def test_the_model_sees_its_call_again_as_it_would_write_it(kind: ActionKind, written: Any, said: Any) -> None:
    call = read_action(kind, json.dumps(written), call_id="call_1", new_id=str)
    assert call is not None

    again = read_action(kind, action_arguments(call), call_id="call_1", new_id=str)
    assert again == call


@pytest.mark.parametrize("kind", TOOLS)
def test_each_is_a_strict_function(kind: ActionKind) -> None:
    toolbox = open_toolbox((TOOLS[kind],), None)
    (function,) = toolbox.functions

    assert function.strict
    assert function.parameters == PARAMETERS[kind]
    assert toolbox.targets[function.name].kind == kind


@pytest.mark.parametrize(
    ("choice", "kind"),
    [
        ("apply_patch", "apply_patch"),
        ("shell", "shell"),
        ("local_shell", "local_shell"),
        ("computer", "computer"),
        ("computer_use", "computer"),
        ("computer_use_preview", "computer_use_preview"),
    ],
)
def test_a_choice_of_its_type_demands_a_call(choice: str, kind: ActionKind) -> None:
    toolbox = open_toolbox((TOOLS[kind],), wire.ToolChoiceHosted(choice))
    assert toolbox.choice == ToolChoice("required", toolbox.functions[0].name)


def test_a_choice_of_a_tool_that_is_not_there_demands_nothing() -> None:
    assert open_toolbox((TOOLS["shell"],), wire.ToolChoiceHosted("apply_patch")).choice == ToolChoice("auto")


def test_only_allowed_ones_are_offered() -> None:
    tools = (TOOLS["shell"], TOOLS["apply_patch"])
    choice = wire.ToolChoiceAllowed(mode="auto", tools=(wire.AllowedTool(type="shell"),))

    toolbox = open_toolbox(tools, choice)

    assert [function.name for function in toolbox.functions] == ["shell"]
    assert toolbox.withheld == frozenset({"apply_patch"})


def test_a_function_of_the_same_name_goes_first() -> None:
    toolbox = open_toolbox((TOOLS["shell"], wire.FunctionTool(name="shell")), None)

    assert [target.kind for target in toolbox.targets.values()] == ["function"]
    assert len(toolbox.functions) == 1


def test_skills_of_a_local_shell_are_described() -> None:
    skill = b'{"type":"local","skills":[{"name":"pdf","description":"Reads PDF.","path":"/skills/pdf"}]}'
    (function,) = open_toolbox((wire.ShellTool(environment=Raw(skill)),), None).functions

    assert "pdf: Reads PDF." in (function.description or "")
    assert "/skills/pdf" in (function.description or "")


SEARCH = wire.ToolSearchTool(execution="client", description="Finds tools.")
DEFERRED = wire.FunctionTool(name="rare", defer_loading=True)


@pytest.mark.parametrize(
    ("tools", "found", "shown"),
    [
        ((DEFERRED,), (), ["rare"]),
        ((DEFERRED, SEARCH), (), ["tool_search"]),
        ((DEFERRED, SEARCH), (DEFERRED,), ["tool_search", "rare"]),
        ((DEFERRED, wire.ToolSearchTool(execution="server")), (), ["rare"]),
        ((wire.FunctionTool(name="inner", allowed_callers=("programmatic",)), SEARCH), (), ["tool_search"]),
        ((wire.FunctionTool(name="both", allowed_callers=("direct", "programmatic")),), (), ["both"]),
        ((UnknownTool("new", Raw(b'{"type":"new"}')),), (), []),
    ],
)
def test_deferred_tools_wait_to_be_found(
    tools: tuple[wire.Tool, ...], found: tuple[wire.Tool, ...], shown: list[str]
) -> None:
    assert [function.name for function in open_toolbox(tools, None, found=found).functions] == shown
