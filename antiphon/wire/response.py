"""The response object."""

from typing import Literal, cast

from msgspec import UNSET, Raw, Struct, UnsetType

from antiphon.wire.items import OutputItem
from antiphon.wire.reader import trusted

Status = Literal["queued", "in_progress", "completed", "incomplete", "failed", "cancelled"]


class InputTokensDetails(Struct, frozen=True, gc=False):
    cached_tokens: int = 0
    cache_write_tokens: int = 0


class OutputTokensDetails(Struct, frozen=True, gc=False):
    reasoning_tokens: int = 0


class ResponseUsage(Struct, frozen=True, gc=False):
    """Tokens, always whole: clients fail on a missing detail."""

    input_tokens: int
    output_tokens: int
    total_tokens: int
    input_tokens_details: InputTokensDetails = InputTokensDetails()
    output_tokens_details: OutputTokensDetails = OutputTokensDetails()


class ResponseError(Struct, frozen=True, gc=False):
    """Why a response failed."""

    code: str
    message: str
    param: str | UnsetType = UNSET
    type: str | UnsetType = UNSET


class IncompleteDetails(Struct, frozen=True, gc=False):
    reason: Literal["max_output_tokens", "content_filter", "max_messages", "steered"]


class InputTransformation(Struct, frozen=True, tag_field="type", tag="reasoning", kw_only=True, gc=False):
    """Reasoning of the input that was kept from the model."""

    id: str
    action: Literal["removed"] = "removed"
    reason: Literal["organization_mismatch", "end_user_mismatch", "model_mismatch", "prefix_mismatch", "turn_boundary"]


class ConversationReference(Struct, frozen=True, gc=False):
    id: str


class Response(Struct, frozen=True, kw_only=True, tag_field="object", tag="response"):
    """A response, at any moment of its life.

    Echoes of the request are JSON that was encoded once per run. What is UNSET is left out; everything else stands on
    the wire, also when it is null. Times are unix seconds.
    """

    id: str
    created_at: int
    status: Status
    background: bool = False
    completed_at: int | None = None
    error: ResponseError | None = None
    incomplete_details: IncompleteDetails | None = None
    model: str
    output: tuple[OutputItem, ...] = ()
    usage: ResponseUsage | None = None
    previous_response_id: str | None = None
    conversation: ConversationReference | UnsetType = UNSET

    instructions: Raw | None = None
    tools: Raw = Raw(b"[]")
    tool_choice: Raw = Raw(b'"auto"')
    parallel_tool_calls: bool = True
    max_tool_calls: int | None = None
    text: Raw = Raw(b'{"format":{"type":"text"},"verbosity":"medium"}')
    reasoning: Raw | None = None
    prompt: Raw | UnsetType = UNSET
    metadata: Raw = Raw(b"{}")

    temperature: float = 1.0
    top_p: float = 1.0
    top_logprobs: int = 0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    max_output_tokens: int | None = None
    truncation: Literal["auto", "disabled"] = "disabled"
    store: bool = True
    service_tier: str = "default"
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None
    prompt_cache_retention: str | UnsetType | None = UNSET
    user: str | UnsetType | None = UNSET

    access_programs: Raw | UnsetType = UNSET
    billing: Raw | UnsetType = UNSET
    content_filters: Raw | UnsetType = UNSET
    image: Raw | UnsetType = UNSET
    input_transformations: Raw | UnsetType = UNSET
    moderation: Raw | UnsetType = UNSET
    prompt_cache_diagnostics: Raw | UnsetType = UNSET
    prompt_cache_options: Raw | UnsetType = UNSET
    tool_usage: Raw | UnsetType = UNSET


class CompactedResponse(Struct, frozen=True, kw_only=True, tag_field="object", tag="response.compaction"):
    """A conversation made short: the latest messages of its user, and the compaction that stands for it."""

    id: str
    created_at: int
    output: tuple[OutputItem, ...]
    usage: ResponseUsage


class ErrorDetail(Struct, frozen=True, gc=False, kw_only=True):
    """OpenAI's error envelope from within."""

    type: str
    code: str | None = None
    message: str
    param: str | None = None


_read = trusted(Response)


def decode_response(body: bytes) -> Response:
    """A response that was encoded here, with or without its `output`. Raises: ServerError."""
    return cast(Response, _read(body))
