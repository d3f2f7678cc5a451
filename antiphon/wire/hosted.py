"""Items of tools that run elsewhere: search, interpreter, shells, patches, computers, MCP, programs, agents.

Fields of these are carried rather than interpreted, so most enumerations are plain strings.
"""

from typing import Literal

from msgspec import Raw, field

from antiphon.wire.content import ComputerScreenshot, OutputText, Wire, empty, none


class AnyItem(Wire, frozen=True, tag_field="type"):
    """An item of a conversation. `id` is None only until the server has given one."""


class DirectCaller(Wire, frozen=True, tag_field="type", tag="direct"):
    """The model called."""


class ProgramCaller(Wire, frozen=True, tag_field="type", tag="program"):
    """A program that the model wrote called."""

    caller_id: str


Caller = DirectCaller | ProgramCaller

# --------------------------------------------------------------------------------------------------------------- search


class FileSearchResult(Wire, frozen=True, kw_only=True):
    file_id: str | None = None
    filename: str | None = None
    score: float | None = None
    text: str | None = None
    attributes: Raw | None = None


class FileSearchCall(AnyItem, frozen=True, tag="file_search_call", kw_only=True):
    id: str | None = None
    status: str = field(default_factory=lambda: "completed")
    queries: tuple[str, ...] = field(default_factory=empty)
    results: tuple[FileSearchResult, ...] | None = None


class WebSearchSource(Wire, frozen=True, tag_field="type", tag="url"):
    url: str


class WebSearch(Wire, frozen=True, tag_field="type", tag="search"):
    query: str | None = None
    queries: tuple[str, ...] | None = None
    sources: tuple[WebSearchSource, ...] | None = None


class OpenPage(Wire, frozen=True, tag_field="type", tag="open_page"):
    url: str | None = None


class FindInPage(Wire, frozen=True, tag_field="type", tag="find_in_page"):
    url: str | None = None
    pattern: str | None = None


class WebSearchCall(AnyItem, frozen=True, tag="web_search_call", kw_only=True):
    id: str | None = None
    status: str = field(default_factory=lambda: "completed")
    action: WebSearch | OpenPage | FindInPage = field(default_factory=WebSearch)
    results: tuple[Raw, ...] | None = None


# ---------------------------------------------------------------------------------------------- interpreter and images


class InterpreterLogs(Wire, frozen=True, tag_field="type", tag="logs"):
    logs: str


class InterpreterImage(Wire, frozen=True, tag_field="type", tag="image"):
    url: str


class CodeInterpreterCall(AnyItem, frozen=True, tag="code_interpreter_call", kw_only=True):
    id: str | None = None
    status: str = field(default_factory=lambda: "completed")
    container_id: str
    code: str | None = field(default_factory=none)
    outputs: tuple[InterpreterLogs | InterpreterImage, ...] | None = field(default_factory=none)


class ImageGenerationCall(AnyItem, frozen=True, tag="image_generation_call", kw_only=True):
    """`result` is the image in base64."""

    id: str | None = None
    status: str = field(default_factory=lambda: "completed")
    result: str | None = field(default_factory=none)
    action: str | None = None
    background: str | None = None
    error: Raw | None = None
    output_format: str | None = None
    quality: str | None = None
    revised_prompt: str | None = None
    size: str | None = None
    svg_usage: Raw | None = None


# ------------------------------------------------------------------------------------------------------------- computer


class SafetyCheck(Wire, frozen=True):
    id: str
    code: str | None = None
    message: str | None = None


class ComputerCall(AnyItem, frozen=True, tag="computer_call", kw_only=True):
    """`action` (one) or `actions` (many) say what to do, each an object with a `type`."""

    id: str | None = None
    call_id: str
    status: str = field(default_factory=lambda: "completed")
    pending_safety_checks: tuple[SafetyCheck, ...] = field(default_factory=empty)
    action: Raw | None = None
    actions: tuple[Raw, ...] | None = None


class ComputerCallOutput(AnyItem, frozen=True, tag="computer_call_output", kw_only=True):
    id: str | None = None
    call_id: str
    output: ComputerScreenshot
    status: str = field(default_factory=lambda: "completed")
    acknowledged_safety_checks: tuple[SafetyCheck, ...] | None = None
    created_by: str | None = None


# --------------------------------------------------------------------------------------------------- shells and patches


class LocalShellAction(Wire, frozen=True, tag_field="type", tag="exec", kw_only=True):
    command: tuple[str, ...]
    env: dict[str, str] = field(default_factory=lambda: {})
    timeout_ms: int | None = None
    user: str | None = None
    working_directory: str | None = None


class LocalShellCall(AnyItem, frozen=True, tag="local_shell_call", kw_only=True):
    id: str | None = None
    call_id: str
    action: LocalShellAction
    status: str = field(default_factory=lambda: "completed")


class LocalShellCallOutput(AnyItem, frozen=True, tag="local_shell_call_output", kw_only=True):
    """Newer clients name the call by `id` alone."""

    id: str | None = None
    call_id: str | None = None
    output: str
    status: str | None = None


class ShellAction(Wire, frozen=True):
    commands: tuple[str, ...]
    timeout_ms: int | None = field(default_factory=none)
    max_output_length: int | None = field(default_factory=none)


class ShellCall(AnyItem, frozen=True, tag="shell_call", kw_only=True):
    id: str | None = None
    call_id: str
    action: ShellAction
    status: str = field(default_factory=lambda: "completed")
    environment: Raw | None = field(default_factory=none)
    caller: Caller | None = None
    created_by: str | None = None


class ExitOutcome(Wire, frozen=True, tag_field="type", tag="exit"):
    exit_code: int


class TimeoutOutcome(Wire, frozen=True, tag_field="type", tag="timeout"):
    pass


class ShellOutput(Wire, frozen=True, kw_only=True):
    """What one command wrote and how it ended."""

    stdout: str
    stderr: str
    outcome: ExitOutcome | TimeoutOutcome
    created_by: str | None = None


class ShellCallOutput(AnyItem, frozen=True, tag="shell_call_output", kw_only=True):
    id: str | None = None
    call_id: str
    output: tuple[ShellOutput, ...]
    max_output_length: int | None = field(default_factory=none)
    status: str = field(default_factory=lambda: "completed")
    caller: Caller | None = None
    created_by: str | None = None


class CreateFile(Wire, frozen=True, tag_field="type", tag="create_file"):
    path: str
    diff: str


class UpdateFile(Wire, frozen=True, tag_field="type", tag="update_file"):
    path: str
    diff: str


class DeleteFile(Wire, frozen=True, tag_field="type", tag="delete_file"):
    path: str


class ApplyPatchCall(AnyItem, frozen=True, tag="apply_patch_call", kw_only=True):
    id: str | None = None
    call_id: str
    operation: CreateFile | UpdateFile | DeleteFile
    status: str = field(default_factory=lambda: "completed")
    caller: Caller | None = None
    created_by: str | None = None


class ApplyPatchCallOutput(AnyItem, frozen=True, tag="apply_patch_call_output", kw_only=True):
    id: str | None = None
    call_id: str
    status: str = field(default_factory=lambda: "completed")
    output: str | None = None
    caller: Caller | None = None
    created_by: str | None = None


# ----------------------------------------------------------------------------------------------------------------- MCP


class McpListedTool(Wire, frozen=True, kw_only=True):
    name: str
    input_schema: Raw
    description: str | None = None
    annotations: Raw | None = None


class McpListTools(AnyItem, frozen=True, tag="mcp_list_tools", kw_only=True):
    id: str | None = None
    server_label: str
    tools: tuple[McpListedTool, ...] = field(default_factory=empty)
    error: str | None = None


class McpApprovalRequest(AnyItem, frozen=True, tag="mcp_approval_request", kw_only=True):
    id: str | None = None
    server_label: str
    name: str
    arguments: str


class McpApprovalResponse(AnyItem, frozen=True, tag="mcp_approval_response", kw_only=True):
    id: str | None = None
    approval_request_id: str
    approve: bool
    reason: str | None = None


class McpCall(AnyItem, frozen=True, tag="mcp_call", kw_only=True):
    """`error` is an object with a `type`; older servers wrote a string."""

    id: str | None = None
    server_label: str
    name: str
    arguments: str
    output: str | None = None
    error: Raw | None = None
    status: str | None = None
    approval_request_id: str | None = None


# -------------------------------------------------------------------------------------------------- programs and agents


class Program(AnyItem, frozen=True, tag="program", kw_only=True):
    """Code the model wrote to call tools."""

    id: str | None = None
    call_id: str
    code: str
    fingerprint: str


class ProgramOutput(AnyItem, frozen=True, tag="program_output", kw_only=True):
    id: str | None = None
    call_id: str
    result: str
    status: Literal["completed", "incomplete"] = field(default_factory=lambda: "completed")


class AgentMessage(AnyItem, frozen=True, tag="agent_message", kw_only=True):
    """A message between agents (beta)."""

    id: str | None = None
    author: str
    recipient: str
    content: tuple[Raw, ...] = field(default_factory=empty)
    agent: Raw | None = None


class MultiAgentCall(AnyItem, frozen=True, tag="multi_agent_call", kw_only=True):
    """A call that spawns or steers an agent (beta)."""

    id: str | None = None
    call_id: str
    action: str
    arguments: str
    agent: Raw | None = None


class MultiAgentCallOutput(AnyItem, frozen=True, tag="multi_agent_call_output", kw_only=True):
    id: str | None = None
    call_id: str
    action: str
    output: tuple[OutputText, ...] = field(default_factory=empty)
    agent: Raw | None = None
