"""What chat-completions servers say of their models."""

from typing import Any

from msgspec import Struct

from antiphon.engines.chat_quirks import Quirks
from antiphon.ports import Model


class _Meta(Struct):
    n_ctx: int | None = None
    n_ctx_train: int | None = None


class _Architecture(Struct):
    input_modalities: list[str] = []


class Card(Struct):
    """A model in the list; `max_model_len` is vLLM's, `meta` and `architecture` are llama.cpp's."""

    id: str
    created: Any = None
    owned_by: str = ""
    max_model_len: int | None = None
    meta: _Meta | None = None
    architecture: _Architecture | None = None


class CardList(Struct):
    data: list[Card]


def model_of(card: Card, quirks: Quirks, server: str | None) -> Model:
    """Images are taken for granted where the server does not tell: it refuses them itself if it cannot see."""
    meta = card.meta or _Meta()
    sees = card.architecture is None or "image" in card.architecture.input_modalities
    return Model(
        id=card.id,
        created=int(card.created) if isinstance(card.created, int | float) else 0,
        owned_by=card.owned_by or "upstream",
        context_tokens=card.max_model_len or meta.n_ctx or meta.n_ctx_train,
        images=sees and (server != "llama.cpp" or card.architecture is not None),
        continues_text=quirks.continues_text,
    )
