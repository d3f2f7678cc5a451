"""What becomes of reasoning: summed up and sealed on the way out, opened and chosen on the way in."""

from collections.abc import Callable, Sequence

from msgspec.structs import replace

from antiphon.core.conclusion import Conclusion
from antiphon.core.summary import Mode, summarize
from antiphon.service.compaction import CompactionSeal
from antiphon.service.sealing import Sealer
from antiphon.service.work import Work
from antiphon.wire.content import ReasoningText
from antiphon.wire.items import Compaction, Item, Message, Reasoning
from antiphon.wire.request import CreateResponse, ReasoningConfig
from antiphon.wire.response import InputTransformation


def conclusion(work: Work, sealer: Sealer | None, *, tenant: str) -> Callable[[str], Conclusion] | None:
    """What reasoning of this run amounts to: as far as the request asks for a summary, or for it sealed."""
    mode = None if work.summary is not None else summary_mode(work.request)
    seals = sealer is not None and "reasoning.encrypted_content" in work.request.include
    if mode is None and not seals:
        return None

    def conclude(text: str) -> Conclusion:
        sealed = sealer.seal(text, tenant=tenant, model=work.model.id) if sealer and seals else None
        return Conclusion(summary=summarize(text, mode) if mode else None, encrypted_content=sealed)

    return conclude


def summary_mode(request: CreateResponse) -> Mode | None:
    """How thoughts are to be summed up, None where they are not."""
    reasoning = request.reasoning
    return (reasoning.summary or reasoning.generate_summary) if reasoning else None


def unopened(items: Sequence[Item], seal: CompactionSeal) -> list[InputTransformation]:
    """The compactions that stand for nothing here: another tenant's, or broken."""
    return [
        InputTransformation(id=item.id or "", reason="organization_mismatch")
        for item in items
        if isinstance(item, Compaction) and seal.open(item.encrypted_content) is None
    ]


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
