"""Compaction at work: the model sums the conversation up, and what stands for it is sealed.

A compaction is a generation like any other to its run: it yields the item's beginning and end, and either ends the
response or makes room for the generation that goes on. Sealed content is bound to its tenant, not to a model: whoever
goes on from it reads a summary in plain words.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Literal

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from antiphon.core import conversation
from antiphon.core.chat import ChatRequest, Message, OutputFormat, ToolChoice
from antiphon.core.compaction import PROMPT, Compacted, estimate_tokens, squeezed
from antiphon.core.deltas import CompactionEnd, CompactionStart, Delta, Finish, SideUsage, TextDelta, Usage
from antiphon.core.stream import wire_usage
from antiphon.errors import ContextLengthExceeded, EngineError, InvalidRequest
from antiphon.ports import Engine, Generation
from antiphon.service.sealing import Sealer
from antiphon.wire.items import Compaction, decode_item, encode_item
from antiphon.wire.items import Message as UserMessage
from antiphon.wire.response import CompactedResponse, Response

SUMMARY_TOKENS = 8192
"""The most that a summary may take, its reasoning included."""
SUMMARY_SHARE = 0.2
"""How much of the context is left free for it at least."""
LEAST_SUMMARY_TOKENS = 1024
"""What it may always take: a short conversation is not summed up at more than half its length."""
MOST_CUTS = 6
DROPS_TURNS_AFTER = 3
ANY_MODEL = ""


class _Sealed(Struct, frozen=True):
    summary: str
    kept: Sequence[Raw] = ()
    rest: Sequence[Raw] = ()


class CompactionSeal(Struct, frozen=True):
    """Seals what stands for a conversation of `tenant`, and opens it again."""

    sealer: Sealer | None
    tenant: str

    def seal(self, compacted: Compacted) -> str:
        """The content of a compaction item. Raises: InvalidRequest where there is no key."""
        if self.sealer is None:
            raise InvalidRequest("This server has no key to seal a compaction with.", code="unsupported_value")
        kept, rest = ([Raw(encode_item(item)) for item in items] for items in (compacted.kept, compacted.rest))
        text = msgspec.json.encode(_Sealed(compacted.summary, kept, rest)).decode()
        return self.sealer.seal(text, tenant=self.tenant, model=ANY_MODEL)

    def open(self, sealed: str) -> Compacted | None:
        """What was sealed; None where it is another tenant's, or broken."""
        found = self.sealer.open(sealed, tenant=self.tenant, model=ANY_MODEL) if self.sealer else None
        if found is None or found.refusal is not None:
            return None
        content = msgspec.json.decode(found.text, type=_Sealed)
        kept, rest = (tuple(map(decode_item, items)) for items in (content.kept, content.rest))
        return Compacted(summary=content.summary, kept=kept, rest=rest)


class CompactionGeneration:
    """Sums a conversation up by `writing`; `put_together` makes of the summary what is sealed, and then kept as `made`.

    `then` says how the round ends: with the response, or for the generation that goes on behind it.
    """

    def __init__(
        self,
        writing: Generation,
        put_together: Callable[[str], Compacted],
        seal: CompactionSeal,
        *,
        then: Literal["stop", "compacted"],
    ) -> None:
        self.input_tokens = writing.input_tokens
        self.made: Compacted | None = None
        self._writing = writing
        self._put_together = put_together
        self._seal = seal
        self._then = then

    async def deltas(self) -> AsyncIterator[Sequence[Delta]]:
        """The item's beginning at once, and its end with the usage. Raises: EngineError, also for an empty summary."""
        yield (CompactionStart(),)
        text: list[str] = []
        usage: Usage | None = None
        is_finished = False
        async for batch in self._writing.deltas():
            for delta in batch:
                match delta:
                    case TextDelta():
                        text.append(delta.text)
                    case Usage():
                        usage = delta
                    case Finish():
                        is_finished = True
            yield ()
        summary = "".join(text).strip()
        if not is_finished or not summary:
            raise EngineError("The model wrote no summary that the conversation could go on from.")
        self.made = self._put_together(summary)
        spent = () if usage is None else (side_usage(usage),)
        yield (*spent, CompactionEnd(self._seal.seal(self.made)), Finish(self._then))

    async def close(self) -> None:
        await self._writing.close()


def side_usage(usage: Usage) -> SideUsage:
    """What a generation beside the answer took."""
    return SideUsage(usage.input_tokens, usage.output_tokens, usage.cached_tokens, usage.reasoning_tokens)


def compacted_response(
    base: Response, deltas: Sequence[Delta], made: Compacted | None, item_id: str
) -> CompactedResponse:
    """What a compaction on its own amounts to: the user messages that are kept, and the item. `base` gives id and time.

    Raises: EngineError when there is none.
    """
    sealed = next((delta.encrypted_content for delta in deltas if isinstance(delta, CompactionEnd)), None)
    spent = next((delta for delta in deltas if isinstance(delta, SideUsage)), SideUsage(0, 0))
    if made is None or sealed is None:
        raise EngineError("The conversation was not summed up.")
    kept = (item for item in made.kept if isinstance(item, UserMessage) and item.role == "user")
    return CompactedResponse(
        id=base.id,
        created_at=base.created_at,
        output=(*kept, Compaction(id=item_id, encrypted_content=sealed)),
        usage=wire_usage(spent),
    )


async def prepare_summary(engine: Engine, chat: ChatRequest, context_tokens: int | None) -> Generation:
    """Ask for a summary of `chat`, whose longest texts are cut, and then whole turns, until it fits the context.

    Tools are shown as before, so that the prompt begins as the last one did and comes from the engine's cache.
    Raises: what `Engine.prepare` does.
    """
    messages = (*chat.messages, Message("user", PROMPT))
    most = min(SUMMARY_TOKENS, max(LEAST_SUMMARY_TOKENS, estimate_tokens(chat) // 2))
    if context_tokens is not None:
        most = min(most, round(context_tokens * SUMMARY_SHARE))
    asked = replace(
        chat,
        messages=messages,
        tool_choice=ToolChoice("none"),
        output_format=OutputFormat(),
        sampling=replace(chat.sampling, max_tokens=most, stop=(), logprobs=None),
    )
    keep = 1.0
    for attempt in range(MOST_CUTS + 1):
        try:
            generation = await engine.prepare(asked)
        except ContextLengthExceeded as error:
            if attempt == MOST_CUTS:
                raise
            keep *= _share(error.input_tokens, error.limit, most)
        else:
            if attempt == MOST_CUTS or _has_room(generation.input_tokens, context_tokens, most):
                return generation
            await generation.close()
            keep *= _share(generation.input_tokens, context_tokens, most)
        shorter = squeezed(messages, keep)
        if attempt >= DROPS_TURNS_AFTER:
            shorter = conversation.drop_oldest_turns(shorter, 0.5)
        asked = replace(asked, messages=shorter)
    raise AssertionError("the last attempt returns or raises")


def _has_room(input_tokens: int | None, context_tokens: int | None, most: int) -> bool:
    return input_tokens is None or context_tokens is None or context_tokens - input_tokens >= most


def _share(input_tokens: int | None, limit: int | None, most: int) -> float:
    """How much of the text may stay, a little less than would fit."""
    if not input_tokens or not limit:
        return 0.5
    return min(0.9, 0.95 * max(0.05, (limit - most) / input_tokens))
