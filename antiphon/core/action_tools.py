"""The API's own tools that a client executes, as the functions that the model sees.

Their parameters are written here, flat and strict, so that an engine can constrain what the model writes;
`core.action_items` reads it back.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Literal

import msgspec
from msgspec import Raw, Struct

from antiphon.core.chat import Function
from antiphon.wire import tools as wire
from antiphon.wire.unknown import encode

ActionKind = Literal["apply_patch", "shell", "local_shell", "computer", "computer_use_preview"]
Json = dict[str, Any]

ACTION_NAMES: dict[ActionKind, str] = {
    "apply_patch": "apply_patch",
    "shell": "shell",
    "local_shell": "local_shell",
    "computer": "computer",
    "computer_use_preview": "computer",
}
"""The name under which the model knows each of these tools."""

CHOICE_KINDS: dict[str, tuple[ActionKind, ...]] = {
    "apply_patch": ("apply_patch",),
    "shell": ("shell",),
    "local_shell": ("local_shell",),
    "computer": ("computer", "computer_use_preview"),
    "computer_use": ("computer", "computer_use_preview"),
    "computer_use_preview": ("computer_use_preview", "computer"),
}
"""Which tools a choice of a type means."""

_PATCHING = (
    "Creates, updates or deletes one file. For create_file, `diff` holds the file's lines, each with a + in front. "
    "For update_file, `diff` holds hunks: a line @@ (and behind it, where that helps to find the place, a line of the "
    "code around), then lines that stay (a space in front), go (-) or come (+). For delete_file, `diff` is empty."
)
_SHELL = "Runs shell commands on the user's machine, in order, and returns what each of them wrote and its exit code."
_LOCAL_SHELL = "Runs one program on the user's machine, given as its arguments, and returns what it wrote."
_COMPUTER = (
    "Uses a computer with screen, mouse and keyboard; the answer is a screenshot. Coordinates are pixels from the "
    "upper left corner."
)


def _object(properties: Json, *optional: str) -> Json:
    return {
        "type": "object",
        "properties": {
            name: {**rule, "type": [rule["type"], "null"]} if name in optional else rule
            for name, rule in properties.items()
        },
        "required": list(properties),
        "additionalProperties": False,
    }


_STRING: Json = {"type": "string"}
_INTEGER: Json = {"type": "integer"}
_STRINGS: Json = {"type": "array", "items": _STRING}
_POINT: Json = {"x": _INTEGER, "y": _INTEGER}
_BUTTON: Json = {"type": "string", "enum": ["left", "right", "wheel", "back", "forward"]}


def _action(kind: str, **properties: Json) -> Json:
    return _object({"type": {"type": "string", "enum": [kind]}, **properties})


_COMPUTER_ACTION: Json = {
    "anyOf": [
        _action("click", button=_BUTTON, **_POINT),
        _action("double_click", **_POINT),
        _action("drag", path={"type": "array", "items": _object(_POINT)}),
        _action("keypress", keys=_STRINGS),
        _action("move", **_POINT),
        _action("screenshot"),
        _action("scroll", **_POINT, scroll_x=_INTEGER, scroll_y=_INTEGER),
        _action("type", text=_STRING),
        _action("wait"),
    ]
}

_SCHEMAS: dict[ActionKind, Json] = {
    "apply_patch": _object(
        {
            "type": {"type": "string", "enum": ["create_file", "update_file", "delete_file"]},
            "path": _STRING,
            "diff": _STRING,
        }
    ),
    "shell": _object(
        {"commands": _STRINGS, "timeout_ms": _INTEGER, "max_output_length": _INTEGER},
        "timeout_ms",
        "max_output_length",
    ),
    "local_shell": _object(
        {"command": _STRINGS, "timeout_ms": _INTEGER, "working_directory": _STRING},
        "timeout_ms",
        "working_directory",
    ),
    "computer": _object({"actions": {"type": "array", "items": _COMPUTER_ACTION}}),
    "computer_use_preview": _object({"action": _COMPUTER_ACTION}),
}
PARAMETERS = {kind: Raw(encode(schema)) for kind, schema in _SCHEMAS.items()}
"""The JSON schema of each tool's arguments."""


class _Skill(Struct):
    name: str
    description: str = ""
    path: str = ""


class _Environment(Struct):
    type: str = "local"
    skills: list[_Skill] | None = None


def action_function(tool: wire.Tool) -> tuple[ActionKind, Function] | None:
    """The function that stands for a tool; None for a tool of another kind, or one whose shell is not the client's."""
    match tool:
        case wire.ApplyPatchTool():
            return "apply_patch", _function("apply_patch", _PATCHING)
        case wire.LocalShellTool():
            return "local_shell", _function("local_shell", _LOCAL_SHELL)
        case wire.ComputerTool():
            return "computer", _function("computer", _COMPUTER)
        case wire.ComputerUsePreviewTool():
            screen = f" The screen has {tool.display_width} x {tool.display_height} pixels ({tool.environment})."
            return "computer_use_preview", _function("computer_use_preview", _COMPUTER + screen)
        case wire.ShellTool():
            environment = _environment(tool.environment)
            if environment.type == "local":
                return "shell", _function("shell", "\n".join((_SHELL, *_skills(environment.skills or ()))))
    return None


def _function(kind: ActionKind, description: str) -> Function:
    return Function(name=ACTION_NAMES[kind], description=description, parameters=PARAMETERS[kind], strict=True)


def _environment(raw: Raw | None) -> _Environment:
    if raw is None:
        return _Environment()
    try:
        return msgspec.json.decode(raw, type=_Environment | None) or _Environment()
    except msgspec.DecodeError:
        return _Environment("unknown")


def _skills(skills: Iterable[_Skill]) -> Iterator[str]:
    for skill in skills:
        yield f"Skill {skill.name}: {skill.description} (read {skill.path}/SKILL.md before you use it)"
