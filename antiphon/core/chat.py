"""What an engine is asked: a whole conversation in the chat form that every engine understands.

Responses items have become messages, every tool has become a flat function, and references have been resolved, so an
adapter renders and never decides. Frozen, encodable as JSON by msgspec.
"""

from collections.abc import Sequence
from typing import Literal

import msgspec
from msgspec import Raw, Struct


class TextPart(Struct, frozen=True, tag_field="type", tag="text"):
    text: str


class ImagePart(Struct, frozen=True, tag_field="type", tag="image"):
    """An image by `url`: `data:` with base64, or `http(s):`."""

    url: str
    detail: str = "auto"


class FilePart(Struct, frozen=True, tag_field="type", tag="file"):
    """A file by its bytes (`data:` URL) or address."""

    filename: str | None = None
    data: str | None = None
    url: str | None = None


Part = TextPart | ImagePart | FilePart


class ToolCall(Struct, frozen=True):
    """A call the model made earlier. `arguments` is what it wrote: JSON as a rule, but not always."""

    id: str
    name: str
    arguments: str


class Message(Struct, frozen=True, omit_defaults=True):
    """One turn of the conversation.

    `role` assistant may carry `reasoning` (the raw chain of thought) and `tool_calls`; role tool answers one call,
    named by `tool_call_id`. `content` is None only where there is nothing but calls or reasoning.
    """

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | Sequence[Part] | None = None
    reasoning: str | None = None
    tool_calls: Sequence[ToolCall] = ()
    tool_call_id: str | None = None


class Grammar(Struct, frozen=True):
    """A constraint on a call's input; `definition` is in Lark's or in regex syntax."""

    syntax: Literal["lark", "regex"]
    definition: str


class Function(Struct, frozen=True):
    """A tool the model may call. `parameters` is a JSON schema as the client wrote it (None: no parameters).

    `strict`: arguments must satisfy the schema, by constrained decoding where the engine can. `grammar` constrains the
    single string parameter `input` of a tool that was a custom tool.
    """

    name: str
    description: str | None = None
    parameters: Raw | None = None
    strict: bool = False
    grammar: Grammar | None = None


class ToolChoice(Struct, frozen=True):
    """`mode` none: no calls; auto: the model decides; required: at least one call, of `name` if given."""

    mode: Literal["none", "auto", "required"] = "auto"
    name: str | None = None


class OutputFormat(Struct, frozen=True):
    """What the text must be. With json_schema, `schema` is binding; `strict` asks for constrained decoding."""

    kind: Literal["text", "json_object", "json_schema"] = "text"
    name: str | None = None
    schema: Raw | None = None
    strict: bool = False


class Sampling(Struct, frozen=True, omit_defaults=True):
    """Sampling parameters; None leaves the engine's or the model's default. `max_tokens` counts reasoning too."""

    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    top_k: int | None = None
    min_p: float | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    repetition_penalty: float | None = None
    seed: int | None = None
    stop: Sequence[str] = ()
    logprobs: int | None = None  # None: no log probabilities; n: the chosen token's and the n likeliest


class ChatRequest(Struct, frozen=True, kw_only=True):
    """All an engine needs to know for one generation. `id` identifies it in the engine's logs."""

    id: str
    model: str
    messages: Sequence[Message]
    tools: Sequence[Function] = ()
    tool_choice: ToolChoice = ToolChoice()
    parallel_tool_calls: bool = True
    output_format: OutputFormat = OutputFormat()
    sampling: Sampling = Sampling()
    reasoning_effort: str | None = None
    verbosity: str | None = None
    cache_key: str | None = None  # routing affinity: equal keys share a prefix
    cache_salt: str | None = None  # only prompts with equal salts share the engine's prefix cache
    priority: int | None = None  # the lower, the sooner; None: as any other
    session: str | None = None  # the chain or conversation it belongs to: the id of its first response, or its own id
    traceparent: str | None = None  # W3C trace context to pass on
    credentials: str | None = None  # the client's `Authorization`, only where it is to be passed on
    extra_body: Raw | None = None  # a JSON object of fields that only the server behind knows
    template_kwargs: Raw | None = None  # a JSON object for the chat template


def encode_json(value: object) -> str:
    """The JSON text of a message, a part, or plain data."""
    return msgspec.json.encode(value).decode()
