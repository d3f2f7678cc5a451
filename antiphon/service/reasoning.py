"""What becomes of reasoning: summed up and sealed on the way out, opened and chosen on the way in."""

from collections.abc import Callable, Sequence

from msgspec.structs import replace

from antiphon.core.open_items import Conclusion
from antiphon.core.summary import summarize
from antiphon.service.sealing import Sealer
from antiphon.service.work import Work
from antiphon.wire.content import ReasoningText
from antiphon.wire.items import Item, Message, Reasoning
from antiphon.wire.request import ReasoningConfig
from antiphon.wire.response import InputTransformation


def conclusion(work: Work, sealer: Sealer | None, *, tenant: str) -> Callable[[str], Conclusion] | None:
    """What reasoning of this run amounts to: as far as the request asks for a summary, or for it sealed."""
    reasoning = work.request.reasoning
    mode = (reasoning.summary or reasoning.generate_summary) if reasoning else None
    seals = sealer is not None and "reasoning.encrypted_content" in work.request.include
    if mode is None and not seals:
        return None

    def conclude(text: str) -> Conclusion:
        sealed = sealer.seal(text, tenant=tenant, model=work.model.id) if sealer and seals else None
        return Conclusion(summary=summarize(text, mode) if mode else None, encrypted_content=sealed)

    return conclude


def unsealed(
    items: Sequence[Item], sealer: Sealer | None, *, tenant: str, model: str
) -> tuple[list[Item], list[InputTransformation]]:
    """The items with sealed reasoning opened, and what had to be left out."""
    opened: list[Item] = []
    removed: list[InputTransformation] = []
    for item in items:
        if not isinstance(item, Reasoning) or item.content or not item.encrypted_content or sealer is None:
            opened.append(item)
            continue
        found = sealer.open(item.encrypted_content, tenant=tenant, model=model)
        if found.refusal is not None:
            removed.append(InputTransformation(id=item.id or "", reason=found.refusal))
        elif found.text:
            opened.append(replace(item, content=(ReasoningText(found.text),)))
    return opened, removed


def of_context(
    items: Sequence[Item], reasoning: ReasoningConfig | None
) -> tuple[Sequence[Item], list[InputTransformation]]:
    """The items with that reasoning which the request wants the model to see again, and what had to be left out.

    Only `current_turn` leaves any out: that before the last message of the user. Otherwise all is passed on, and the
    model's own template decides.
    """
    if reasoning is None or reasoning.context != "current_turn":
        return items, []
    said = (place for place, item in enumerate(items) if isinstance(item, Message) and item.role == "user")
    begin = max(said, default=0)
    earlier = [item for item in items[:begin] if isinstance(item, Reasoning)]
    kept = [item for place, item in enumerate(items) if place >= begin or not isinstance(item, Reasoning)]
    return kept, [InputTransformation(id=item.id or "", reason="turn_boundary") for item in earlier]
