"""The typed request of `POST /v1/responses`. What a client left out is None: defaults are decided later."""

from typing import Literal

from msgspec import Raw, Struct, field

from antiphon.wire.content import Wire, empty, none
from antiphon.wire.items import Effort, Item
from antiphon.wire.tools import Tool, ToolChoice

Summary = Literal["auto", "concise", "detailed"]
Verbosity = Literal["low", "medium", "high"]


class TextFormatText(Wire, frozen=True, tag_field="type", tag="text"):
    """Free text."""


class TextFormatJsonObject(Wire, frozen=True, tag_field="type", tag="json_object"):
    """Any JSON object."""


class TextFormatJsonSchema(Wire, frozen=True, tag_field="type", tag="json_schema", kw_only=True):
    """JSON that satisfies `schema`."""

    name: str
    schema: Raw
    description: str | None = field(default_factory=none)
    strict: bool | None = None


TextFormat = TextFormatText | TextFormatJsonObject | TextFormatJsonSchema


class TextConfig(Wire, frozen=True):
    format: TextFormat | None = None
    verbosity: Verbosity | None = None


class TextUpdate(Wire, frozen=True):
    """What a `configuration_update` changes of the text."""

    format: TextFormat | None = None


class ReasoningConfig(Wire, frozen=True, kw_only=True):
    """`generate_summary` is the old name of `summary`."""

    effort: Effort | None = None
    summary: Summary | None = None
    generate_summary: Summary | None = None
    context: Literal["auto", "current_turn", "all_turns"] | None = None
    mode: str | None = None


class StreamOptions(Wire, frozen=True):
    include_obfuscation: bool | None = None


class Conversation(Wire, frozen=True):
    id: str


class Prompt(Wire, frozen=True, kw_only=True):
    """A prompt template; `variables` maps names to strings or input parts."""

    id: str
    version: str | None = None
    variables: dict[str, Raw] | None = None


class ContextManagement(Wire, frozen=True):
    type: str
    compact_threshold: int | None = None


class PromptCacheOptions(Wire, frozen=True, kw_only=True):
    mode: Literal["implicit", "explicit"] | None = None
    ttl: Literal["30m", "12h"] | None = None
    prewarm: bool | None = None
    comparison_response_id: str | None = None


class BackgroundOptions(Wire, frozen=True):
    completion_window: Literal["soonest", "2h", "8h"] | None = None
    continuation_id: str | None = None


class ModerationMode(Wire, frozen=True):
    mode: Literal["score", "block"]


class ModerationPolicy(Wire, frozen=True):
    input: ModerationMode | None = None
    output: ModerationMode | None = None


class Moderation(Wire, frozen=True):
    model: str
    policy: ModerationPolicy | None = None


class AccessPrograms(Wire, frozen=True):
    cyber: Literal["standard", "daybreak_blue", "daybreak_red"] | None = None


class ImageOptions(Wire, frozen=True):
    context_compression: Literal["auto", "enabled", "disabled"] | None = None


class Extras(Wire, frozen=True, kw_only=True):
    """Fields that are not OpenAI's; strict mode refuses them. `chat_template_kwargs` is a JSON object."""

    stop: str | tuple[str, ...] | None = None
    seed: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    repetition_penalty: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    chat_template_kwargs: Raw | None = None
    await_tool_outputs: bool | None = None
    request_id: str | None = None


class CreateResponse(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A request for a response. A string `input` has become one user message."""

    model: str | None = None
    input: tuple[Item, ...] = field(default_factory=empty)
    instructions: str | None = None
    previous_response_id: str | None = None
    conversation: Conversation | None = None
    prompt: Prompt | None = None

    tools: tuple[Tool, ...] = field(default_factory=empty)
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    max_tool_calls: int | None = None

    text: TextConfig | None = None
    reasoning: ReasoningConfig | None = None
    include: tuple[str, ...] = field(default_factory=empty)
    metadata: dict[str, str] | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_logprobs: int | None = None
    max_output_tokens: int | None = None
    truncation: Literal["auto", "disabled"] | None = None

    stream: bool | None = None
    stream_options: StreamOptions | None = None
    store: bool | None = None
    background: bool | None = None
    background_options: BackgroundOptions | None = None
    context_management: tuple[ContextManagement, ...] | None = None

    service_tier: Literal["auto", "default", "flex", "scale", "priority", "fast", "ultrafast"] | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None
    prompt_cache_options: PromptCacheOptions | None = None
    prompt_cache_retention: Literal["in_memory", "24h", "in-memory"] | None = None
    user: str | None = None
    access_programs: AccessPrograms | None = None
    image: ImageOptions | None = None
    moderation: Moderation | None = None
    multi_agent: Raw | None = None

    extras: Extras = Extras()


class CountInputTokens(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A question for the size of an input: what of a request for a response the model is shown.

    `personality` is a manner of speaking that OpenAI's models have; no other model is shown it.
    """

    model: str | None = None
    input: tuple[Item, ...] = field(default_factory=empty)
    instructions: str | None = None
    previous_response_id: str | None = None
    conversation: Conversation | None = None
    tools: tuple[Tool, ...] = field(default_factory=empty)
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    text: TextConfig | None = None
    reasoning: ReasoningConfig | None = None
    truncation: Literal["auto", "disabled"] | None = None
    personality: str | None = None

    extras: Extras = Extras()


class CompactConversation(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A request to make a conversation short."""

    model: str | None = None
    input: tuple[Item, ...] = field(default_factory=empty)
    instructions: str | None = None
    previous_response_id: str | None = None
    prompt_cache_key: str | None = None
    prompt_cache_options: PromptCacheOptions | None = None
    prompt_cache_retention: str | None = None
    service_tier: Literal["auto", "default", "flex", "scale", "priority", "fast", "ultrafast"] | None = None
    image: Raw | None = None

    extras: Extras = Extras()
