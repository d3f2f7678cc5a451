"""From what the model wrote as arguments of one of the API's own tools to the item that the client gets, and back.

Reading is lenient in form (one command instead of a list, a wrapping left out) and strict in meaning: what is not
clearly an action is none, so that nothing is executed that the model did not say.
"""

import shlex
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from msgspec import Raw

from antiphon.core.action_tools import ActionKind
from antiphon.core.chat import encode_json
from antiphon.wire.computer import ComputerAction
from antiphon.wire.hosted import (
    ApplyPatchCall,
    ApplyPatchCallOutput,
    ComputerCall,
    ComputerCallOutput,
    CreateFile,
    DeleteFile,
    LocalShellAction,
    LocalShellCall,
    LocalShellCallOutput,
    ShellAction,
    ShellCall,
    ShellCallOutput,
    TimeoutOutcome,
    UpdateFile,
)
from antiphon.wire.unknown import encode

ActionCall = ApplyPatchCall | ShellCall | LocalShellCall | ComputerCall
ActionOutput = ApplyPatchCallOutput | ShellCallOutput | LocalShellCallOutput | ComputerCallOutput
Json = Mapping[str, Any]

CALL_PREFIX: Mapping[ActionKind, str] = {
    "apply_patch": "apc",
    "shell": "sh",
    "local_shell": "lsh",
    "computer": "cu",
    "computer_use_preview": "cu",
}
LOCAL = Raw(b'{"type":"local"}')
OPERATIONS: Mapping[str, type[CreateFile] | type[UpdateFile]] = {"create_file": CreateFile, "update_file": UpdateFile}

_read_object = msgspec.json.Decoder(dict[str, Any])
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError, KeyError, TypeError)


def read_action(kind: ActionKind, arguments: str, *, call_id: str, new_id: Callable[[str], str]) -> ActionCall | None:
    """The completed call that `arguments` amount to; None when they say no action."""
    try:
        fields = _READERS[kind](_read_object.decode(arguments))
    except _UNREADABLE:
        return None
    return _ITEMS[kind](id=new_id(CALL_PREFIX[kind]), call_id=call_id, status="completed", **fields)


def _patch(written: Json) -> Json:
    if isinstance(written.get("operation"), dict):
        written = written["operation"]
    path = _text(written["path"])
    if written["type"] == "delete_file":
        return {"operation": DeleteFile(path)}
    return {"operation": OPERATIONS[written["type"]](path, _text(written["diff"]))}


def _shell(written: Json) -> Json:
    if isinstance(written.get("action"), dict):
        written = written["action"]
    commands = written["commands"] if "commands" in written else written["command"]
    if isinstance(commands, list) and "commands" not in written:
        commands = shlex.join(map(_text, commands))
    if isinstance(commands, str):
        commands = [commands]
    action = ShellAction(
        tuple(map(_text, _some(commands))),
        timeout_ms=_number(written.get("timeout_ms")),
        max_output_length=_number(written.get("max_output_length")),
    )
    return {"action": action, "environment": LOCAL}


def _local_shell(written: Json) -> Json:
    if isinstance(written.get("action"), dict):
        written = written["action"]
    command = written["command"]
    if isinstance(command, str):
        command = ["bash", "-lc", command]
    env = _fields(written.get("env") or {})
    action = LocalShellAction(
        command=tuple(map(_text, _some(command))),
        env={name: _text(value) for name, value in env.items()},
        timeout_ms=_number(written.get("timeout_ms")),
        user=_optional_text(written.get("user")),
        working_directory=_optional_text(written.get("working_directory")),
    )
    return {"action": action}


def _computer(written: Json) -> Json:
    actions = written["actions"] if "actions" in written else [written.get("action", written)]
    return {"actions": tuple(map(_computer_action, _some(actions)))}


def _computer_preview(written: Json) -> Json:
    (action,) = written["actions"] if "actions" in written else (written.get("action", written),)
    return {"action": _computer_action(action)}


def _computer_action(written: Any) -> Raw:
    given = {name: value for name, value in _fields(written).items() if value is not None}
    return Raw(encode(msgspec.convert(given, ComputerAction, strict=False)))


def _fields(value: Any) -> Json:
    if not isinstance(value, dict):
        raise ValueError
    return value


def _some(values: Any) -> list[Any]:
    if not isinstance(values, list) or not values:
        raise ValueError
    return values


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError
    return value


def _optional_text(value: Any) -> str | None:
    return None if value is None else _text(value)


def _number(value: Any) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or value != int(value):
        raise ValueError
    return int(value)


_READERS: Mapping[ActionKind, Callable[[Json], Json]] = {
    "apply_patch": _patch,
    "shell": _shell,
    "local_shell": _local_shell,
    "computer": _computer,
    "computer_use_preview": _computer_preview,
}
_ITEMS: Mapping[ActionKind, Callable[..., ActionCall]] = {
    "apply_patch": ApplyPatchCall,
    "shell": ShellCall,
    "local_shell": LocalShellCall,
    "computer": ComputerCall,
    "computer_use_preview": ComputerCall,
}

# -------------------------------------------------------------------------------------------------- back to the model


def action_arguments(call: ActionCall) -> str:
    """The arguments that the model wrote for this call, or would have written."""
    match call:
        case ApplyPatchCall(operation=operation):
            return encode_json(operation)
        case ShellCall(action=action) | LocalShellCall(action=action):
            fields = msgspec.to_builtins(action)
            return encode_json({name: value for name, value in fields.items() if value and name != "type"})
        case ComputerCall(actions=tuple(actions)):
            return encode_json({"actions": actions})
        case ComputerCall(action=action):
            return encode_json({"action": action})


def output_text(output: ActionOutput) -> str:
    """What the model reads as a call's output; a screenshot is shown beside it."""
    match output:
        case ApplyPatchCallOutput(status="failed"):
            return f"Failed. {output.output or ''}".rstrip()
        case ApplyPatchCallOutput():
            return output.output or "Done."
        case ShellCallOutput(output=results):
            return encode_json([_result(result) for result in results])
        case LocalShellCallOutput(output=text):
            return text
        case ComputerCallOutput():
            return "Done."


def _result(result: Any) -> dict[str, object]:
    ended: object = "timeout" if isinstance(result.outcome, TimeoutOutcome) else result.outcome.exit_code
    return {"stdout": result.stdout, "stderr": result.stderr, "exit_code": ended}
