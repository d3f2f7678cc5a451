"""Prompts: templates of requests that are kept here, and referred to by `prompt: {id, version, variables}`.

OpenAI's requests refer to prompts; how they are made is this server's own.
"""

from msgspec import UNSET, Raw, Struct, UnsetType

from antiphon.wire.content import Wire
from antiphon.wire.items import Item
from antiphon.wire.request import ReasoningConfig, TextConfig
from antiphon.wire.tools import Tool, ToolChoice


class PromptTemplate(Wire, frozen=True, kw_only=True):
    """What a version of a prompt says: `instructions`, `messages` in front of the conversation, or both, with
    `{{variables}}`; the rest are defaults for what a request leaves open."""

    name: str | None = None
    instructions: str | None = None
    messages: tuple[Item, ...] | None = None
    model: str | None = None
    tools: tuple[Tool, ...] | None = None
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    text: TextConfig | None = None
    reasoning: ReasoningConfig | None = None
    temperature: float | None = None
    top_p: float | None = None
    max_output_tokens: int | None = None


DEFAULTS = (
    "model",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "text",
    "reasoning",
    "temperature",
    "top_p",
    "max_output_tokens",
)
"""The fields of a template that stand in for those of a request."""


class PromptResource(Struct, frozen=True, kw_only=True, tag_field="object", tag="prompt"):
    """A version of a prompt; `variables` are those that a request has to give."""

    id: str
    version: str
    created_at: int
    variables: tuple[str, ...]
    name: Raw | UnsetType = UNSET
    instructions: Raw | UnsetType = UNSET
    messages: Raw | UnsetType = UNSET
    model: Raw | UnsetType = UNSET
    tools: Raw | UnsetType = UNSET
    tool_choice: Raw | UnsetType = UNSET
    parallel_tool_calls: Raw | UnsetType = UNSET
    text: Raw | UnsetType = UNSET
    reasoning: Raw | UnsetType = UNSET
    temperature: Raw | UnsetType = UNSET
    top_p: Raw | UnsetType = UNSET
    max_output_tokens: Raw | UnsetType = UNSET


class PromptList(Struct, frozen=True, tag_field="object", tag="list"):
    """One page of prompts, or of the versions of one."""

    data: tuple[PromptResource, ...]
    first_id: str | None
    last_id: str | None
    has_more: bool


class DeletedPrompt(Struct, frozen=True, tag_field="object", tag="prompt.deleted"):
    """A prompt is gone, with all its versions."""

    id: str
    deleted: bool = True
