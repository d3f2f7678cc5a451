"""What a request says about its response before there is one: the echo, and the options of the generation."""

from collections.abc import Mapping
from typing import Any, Final, TypeVar

from msgspec import UNSET, Raw, UnsetType
from msgspec.structs import replace

from antiphon.core.chat import OutputFormat, Sampling
from antiphon.wire.request import (
    CompactConversation,
    CountInputTokens,
    CreateResponse,
    PromptCacheOptions,
    ReasoningConfig,
    TextConfig,
    TextFormat,
    TextFormatJsonObject,
    TextFormatJsonSchema,
    TextFormatText,
)
from antiphon.wire.response import ConversationReference, Response
from antiphon.wire.tools import McpTool, Tool
from antiphon.wire.unknown import encode

T = TypeVar("T")

LOGPROBS_INCLUDE = "message.output_text.logprobs"
NOT_MODERATED: Final = {
    "type": "error",
    "code": "moderation_unavailable",
    "message": "This server does not moderate.",
}
DEFAULT_TEXT: Final = TextConfig(TextFormatText(), "medium")


def draft_response(
    request: CreateResponse, response_id: str, created_at: int, model: str, *, stored: bool, tier: str = "default"
) -> Response:
    """The response before its first event; `tier` is the one that serves it.

    In progress or queued, empty, with every request field echoed or at its default.
    """
    return Response(
        id=response_id,
        created_at=created_at,
        status="queued" if request.background else "in_progress",
        background=bool(request.background),
        model=model,
        previous_response_id=request.previous_response_id,
        conversation=UNSET if request.conversation is None else ConversationReference(request.conversation.id),
        prompt=_optional(request.prompt),
        instructions=None if request.instructions is None else _raw(request.instructions),
        tools=_raw([_without_secrets(tool) for tool in request.tools]),
        tool_choice=_raw(request.tool_choice or "auto"),
        parallel_tool_calls=request.parallel_tool_calls is not False,
        max_tool_calls=request.max_tool_calls,
        text=_raw(_whole_text(request.text)),
        reasoning=_reasoning(request.reasoning),
        metadata=_raw(request.metadata or {}),
        temperature=_or(request.temperature, 1.0),
        top_p=_or(request.top_p, 1.0),
        top_logprobs=_or(request.top_logprobs, 0),
        presence_penalty=_or(request.extras.presence_penalty, 0.0),
        frequency_penalty=_or(request.extras.frequency_penalty, 0.0),
        max_output_tokens=request.max_output_tokens,
        truncation=request.truncation or "disabled",
        store=stored,
        service_tier=tier,
        safety_identifier=request.safety_identifier,
        prompt_cache_key=request.prompt_cache_key,
        prompt_cache_retention=_unset(_retention(request.prompt_cache_retention)),
        prompt_cache_options=_cache_options(request.prompt_cache_options),
        prompt_cache_diagnostics=_cache_diagnostics(request.prompt_cache_options),
        user=_unset(request.user),
        access_programs=UNSET if request.access_programs is None else _raw({"cyber": "standard"}),
        image=UNSET if request.image is None else _raw({"context_compression": "disabled"}),
        moderation=UNSET if request.moderation is None else _raw({"input": NOT_MODERATED, "output": NOT_MODERATED}),
    )


def request_for(body: CountInputTokens | CompactConversation) -> CreateResponse:
    """The request for a response that asks the model for the same, as far as `body` says."""
    known = frozenset(CreateResponse.__struct_fields__)
    return CreateResponse(**{name: getattr(body, name) for name in body.__struct_fields__ if name in known})


def chat_options(request: CreateResponse) -> Mapping[str, Any]:
    """The fields of a ChatRequest that come from the request alone."""
    return {
        "parallel_tool_calls": request.parallel_tool_calls is not False,
        "output_format": _output_format(request.text.format if request.text else None),
        "sampling": _sampling(request),
        "verbosity": request.text.verbosity if request.text else None,
        "cache_key": request.prompt_cache_key,
    }


def _sampling(request: CreateResponse) -> Sampling:
    extras = request.extras
    stop = (extras.stop,) if isinstance(extras.stop, str) else extras.stop or ()
    wants_logprobs = bool(request.top_logprobs) or LOGPROBS_INCLUDE in request.include
    return Sampling(
        temperature=request.temperature,
        top_p=request.top_p,
        max_tokens=request.max_output_tokens,
        top_k=extras.top_k,
        min_p=extras.min_p,
        presence_penalty=extras.presence_penalty,
        frequency_penalty=extras.frequency_penalty,
        repetition_penalty=extras.repetition_penalty,
        seed=extras.seed,
        stop=stop,
        logprobs=(request.top_logprobs or 0) if wants_logprobs else None,
    )


def _output_format(text_format: TextFormat | None) -> OutputFormat:
    match text_format:
        case TextFormatJsonObject():
            return OutputFormat("json_object")
        case TextFormatJsonSchema(name=name, schema=schema, strict=strict):
            return OutputFormat("json_schema", name, schema, strict is not False)
        case _:
            return OutputFormat()


def _whole_text(text: TextConfig | None) -> TextConfig:
    if text is None:
        return DEFAULT_TEXT
    return TextConfig(text.format or DEFAULT_TEXT.format, text.verbosity or DEFAULT_TEXT.verbosity)


def _reasoning(reasoning: ReasoningConfig | None) -> Raw:
    """Both well-known keys always stand there, null where the request was silent."""
    if reasoning is None:
        return Raw(b'{"effort":null,"summary":null}')
    summary = reasoning.summary or reasoning.generate_summary
    whole: dict[str, str | None] = {"effort": reasoning.effort, "summary": summary}
    whole |= {key: value for key, value in (("context", reasoning.context), ("mode", reasoning.mode)) if value}
    return _raw(whole)


def _retention(asked: str | None) -> str | None:
    """`in-memory` is how early clients wrote it."""
    return "in_memory" if asked == "in-memory" else asked


def _cache_options(asked: PromptCacheOptions | None) -> Raw | UnsetType:
    """Whole, as answers have it: with the defaults, and without what only a request says."""
    if asked is None:
        return UNSET
    whole: dict[str, str] = {"mode": asked.mode or "implicit", "ttl": asked.ttl or "30m"}
    if asked.comparison_response_id is not None:
        whole["comparison_response_id"] = asked.comparison_response_id
    return _raw(whole)


def _cache_diagnostics(asked: PromptCacheOptions | None) -> Raw | UnsetType:
    """Engines do not tell why a prompt was not cached."""
    wanted = asked is not None and asked.comparison_response_id is not None
    return _raw({"type": "unavailable"}) if wanted else UNSET


def _without_secrets(tool: Tool) -> Tool:
    return replace(tool, authorization=None, headers=None) if isinstance(tool, McpTool) else tool


def _or(value: T | None, default: T) -> T:
    return default if value is None else value


def _unset(value: T | None) -> T | UnsetType:
    return UNSET if value is None else value


def _optional(value: object | None) -> Raw | UnsetType:
    return UNSET if value is None else _raw(value)


def _raw(value: object) -> Raw:
    """A value of the request as JSON of its own: it outlives the body, and is spliced instead of encoded again."""
    return Raw(encode(value))
