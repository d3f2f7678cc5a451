"""Items that do not grow by deltas of their own, as they stand when they open: in progress, with zero values."""

from msgspec.structs import replace

from antiphon.core.action_items import ActionCall, ActionOutput
from antiphon.wire.content import ComputerScreenshot
from antiphon.wire.hosted import (
    ApplyPatchCall,
    ApplyPatchCallOutput,
    ComputerCall,
    ComputerCallOutput,
    DeleteFile,
    LocalShellCall,
    LocalShellCallOutput,
    ShellCall,
    ShellCallOutput,
)
from antiphon.wire.items import Compaction, CustomToolCallOutput, FunctionCallOutput, ToolSearchCall

CallOutput = FunctionCallOutput | CustomToolCallOutput | ActionOutput
Whole = CallOutput | ActionCall | ToolSearchCall | Compaction


def opening(item: Whole) -> Whole:
    """The item as `output_item.added` has it. What tells one kind of it from another stands there from the start."""
    match item:
        case FunctionCallOutput() | CustomToolCallOutput():
            return replace(item, output="" if isinstance(item.output, str) else (), status="in_progress")
        case Compaction():
            return replace(item, encrypted_content="")
        case ToolSearchCall():
            return replace(item, arguments=None, status="in_progress")
        case ApplyPatchCall(operation=DeleteFile()):
            return replace(item, status="in_progress")
        case ApplyPatchCall(operation=operation):
            return replace(item, operation=replace(operation, diff=""), status="in_progress")
        case ShellCall(action=action):
            return replace(item, action=replace(action, commands=()), status="in_progress")
        case LocalShellCall(action=action):
            return replace(item, action=replace(action, command=(), env={}), status="in_progress")
        case ComputerCall():
            return replace(item, action=None, actions=None if item.actions is None else (), status="in_progress")
        case ApplyPatchCallOutput():  # like a screenshot it has ended when it is made: no status says otherwise
            return replace(item, output=None)
        case ShellCallOutput():
            return replace(item, output=(), status="in_progress")
        case LocalShellCallOutput():
            return replace(item, output="", status="in_progress")
        case ComputerCallOutput():
            return replace(item, output=ComputerScreenshot())
