"""Answers that are no response: lists, models, receipts, the error envelope."""

from collections.abc import Sequence

from msgspec import Struct

from antiphon.wire.items import Item
from antiphon.wire.response import ErrorDetail


class Deleted(Struct, frozen=True, tag_field="object", tag="response"):
    """A response is gone."""

    id: str
    deleted: bool = True


class OutputsTaken(Struct, frozen=True, tag_field="object", tag="response.tool_outputs"):
    """Tool outputs reached a response that waits for them."""

    id: str
    status: str
    accepted: Sequence[str]
    pending: Sequence[str]


class InputTokens(Struct, frozen=True, tag_field="object", tag="response.input_tokens"):
    """How many tokens the model would be given."""

    input_tokens: int


class ItemList(Struct, frozen=True, tag_field="object", tag="list"):
    """One page of items: of those that went into a response, or of a conversation."""

    data: tuple[Item, ...]
    first_id: str | None
    last_id: str | None
    has_more: bool


class Capabilities(Struct, frozen=True):
    """What a model takes and does; None where its server does not tell."""

    context_tokens: int | None
    images: bool
    reasoning: bool | None
    tools: bool | None


class ModelCard(Struct, frozen=True, tag_field="object", tag="model"):
    """A model that is served. `max_model_len` is its context in tokens, None where that is unknown."""

    id: str
    created: int
    owned_by: str
    max_model_len: int | None
    aliases: tuple[str, ...]
    capabilities: Capabilities


class ModelList(Struct, frozen=True, tag_field="object", tag="list"):
    """Every model that is served."""

    data: tuple[ModelCard, ...]


class Health(Struct, frozen=True):
    """The server answers."""

    status: str = "ok"


class ErrorEnvelope(Struct, frozen=True):
    """Every error, whatever its status."""

    error: ErrorDetail
