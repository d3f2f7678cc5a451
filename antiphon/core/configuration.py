"""Settings that change in mid-conversation: what `configuration_update` items say holds for all that is said behind
them, until a later one says otherwise, and whatever the request says."""

from collections.abc import Iterable

import msgspec
from msgspec.structs import replace

from antiphon.wire.items import ConfigurationUpdate, Item, ReasoningUpdate
from antiphon.wire.request import CreateResponse, ReasoningConfig, TextConfig, TextUpdate

_read_text = msgspec.json.Decoder(TextUpdate).decode


def in_force(items: Iterable[Item]) -> ConfigurationUpdate | None:
    """One update that amounts to all of them, None where there is none."""
    updates = [item for item in items if isinstance(item, ConfigurationUpdate)]
    efforts = [update.reasoning.effort for update in updates if update.reasoning and update.reasoning.effort]
    texts = [update.text for update in updates if update.text is not None]
    if not efforts and not texts:
        return None
    return ConfigurationUpdate(
        id="compacted_configuration",
        reasoning=ReasoningUpdate(efforts[-1]) if efforts else None,
        text=texts[-1] if texts else None,
    )


def configured(request: CreateResponse, items: Iterable[Item]) -> CreateResponse:
    """The request with what the conversation has changed in the meantime."""
    update = in_force(items)
    if update is None:
        return request
    if update.reasoning is not None:
        request = replace(
            request, reasoning=replace(request.reasoning or ReasoningConfig(), effort=update.reasoning.effort)
        )
    if update.text is not None:
        request = replace(request, text=replace(request.text or TextConfig(), format=text_update(update).format))
    return request


def text_update(update: ConfigurationUpdate) -> TextUpdate:
    """What an update says of the text. Raises: msgspec.DecodeError when it is no text format."""
    return _read_text(update.text or b"{}")
