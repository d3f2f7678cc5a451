"""Outputs of calls in the kind that the call asks for.

A client may deliver any output as that of a function: text, JSON, or content parts.
"""

from collections.abc import Sequence

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from antiphon.core.grammar import Call, Output
from antiphon.wire.content import ComputerScreenshot, InputImage, InputText, OutputPart
from antiphon.wire.hosted import (
    ApplyPatchCall,
    ApplyPatchCallOutput,
    ComputerCall,
    ComputerCallOutput,
    ExitOutcome,
    LocalShellCall,
    LocalShellCallOutput,
    ShellCall,
    ShellCallOutput,
    ShellOutput,
)
from antiphon.wire.items import CustomToolCall, CustomToolCallOutput, FunctionCallOutput


def output_of(call: Call, output: Output) -> Output:
    """A delivered output in the kind that its call asks for; as it came where it cannot be put into that form."""
    if not isinstance(output, FunctionCallOutput):
        return output
    match call:
        case CustomToolCall():
            return CustomToolCallOutput(id=output.id, call_id=call.call_id, output=output.output, status=output.status)
        case ApplyPatchCall():
            return ApplyPatchCallOutput(id=output.id, call_id=call.call_id, output=_text(output.output))
        case ShellCall():
            results = _results(_text(output.output))
            most = call.action.max_output_length
            return ShellCallOutput(id=output.id, call_id=call.call_id, output=results, max_output_length=most)
        case LocalShellCall():
            return LocalShellCallOutput(id=output.id, call_id=call.call_id, output=_text(output.output))
        case ComputerCall():
            shot = _screenshot(output.output)
            return output if shot is None else ComputerCallOutput(id=output.id, call_id=call.call_id, output=shot)
    return output


def delivered(output: Output) -> Output:
    """An output as it stands in the response: completed, unless it says that the call failed."""
    if isinstance(output, ApplyPatchCallOutput) and output.status == "failed":
        return output
    return replace(output, status="completed")


class _Results(Struct):
    output: tuple[ShellOutput, ...]


def _results(text: str) -> tuple[ShellOutput, ...]:
    """What the commands wrote, from JSON of the item's own form, or from plain text."""
    try:
        found = msgspec.json.decode(text, type=_Results | tuple[ShellOutput, ...])
    except (msgspec.DecodeError, RecursionError):
        return (ShellOutput(stdout=text, stderr="", outcome=ExitOutcome(0)),)
    return found.output if isinstance(found, _Results) else found


def _screenshot(output: str | Sequence[OutputPart]) -> ComputerScreenshot | None:
    """The last image."""
    if isinstance(output, str):
        is_address = output.startswith(("data:image/", "https://", "http://"))
        return ComputerScreenshot(image_url=output) if is_address else None
    images = [part for part in output if isinstance(part, InputImage)]
    return ComputerScreenshot(image_url=images[-1].image_url, detail=images[-1].detail) if images else None


def _text(output: str | Sequence[OutputPart]) -> str:
    if isinstance(output, str):
        return output
    return "\n".join(part.text for part in output if isinstance(part, InputText))
