"""What a run generates from: the conversation as it stood, and how each round of generation is prepared from it."""

from collections.abc import AsyncIterator, Sequence

from msgspec import Struct
from msgspec.structs import replace

from antiphon.core import compaction, conversation
from antiphon.core.chat import ChatRequest, ToolChoice
from antiphon.core.configuration import configured
from antiphon.core.deltas import Delta, Finish
from antiphon.core.draft import chat_options
from antiphon.core.reasoning_families import GENERIC, ask
from antiphon.core.summary import Mode
from antiphon.core.tiers import priority_of
from antiphon.core.toolbox import Toolbox
from antiphon.errors import CannotCount, ContextLengthExceeded, EngineError
from antiphon.ports import Engine, Generation, Model
from antiphon.service.compaction import CompactionGeneration, CompactionSeal, prepare_summary
from antiphon.service.summaries import SummaryWriter, SummedUp
from antiphon.wire.dialects import OPENAI, Dialect
from antiphon.wire.items import Compaction, CompactionTrigger, Item
from antiphon.wire.request import CreateResponse, ReasoningConfig
from antiphon.wire.response import Response

# The share of the context that truncation leaves free for the answer when the request sets no limit.
ANSWER_SHARE = 0.1
# How full the context is when a conversation is compacted by itself and the request names no threshold.
THRESHOLD_SHARE = 0.8
# The context of an engine that hides it, as far as compaction is concerned.
USUAL_CONTEXT_TOKENS = 32_768


class NoGeneration:
    """A generation that ends before it began: for a response that only prepares a next turn."""

    input_tokens: int | None = None

    async def deltas(self) -> AsyncIterator[Sequence[Delta]]:
        yield (Finish("stop"),)

    async def close(self) -> None:
        """Nothing is held."""


class Work(Struct, frozen=True, kw_only=True):
    """One request, checked and resolved. `own` are its input items; `items` is the conversation up to and with them.

    `preface` are the messages of its prompt.
    `session` names the chain or conversation; `credentials` are the client's, where the engine may be shown them.
    `summary` is how thoughts are summed up by the model, None where they are not.
    """

    base: Response
    request: CreateResponse
    model: Model
    toolbox: Toolbox
    own: Sequence[Item]
    items: Sequence[Item]
    preface: Sequence[Item] = ()
    reasoning_family: str = GENERIC
    cache_salt: str | None = None
    dialect: Dialect = OPENAI
    session: str | None = None
    credentials: str | None = None
    seal: CompactionSeal = CompactionSeal(None, "")
    summary: Mode | None = None
    traceparent: str | None = None

    @property
    def priority(self) -> int | None:
        """How urgent it is: the lower, the sooner; None: as any other."""
        return priority_of(self.base.service_tier)

    async def prepare(self, engine: Engine, output: Sequence[Item] = (), *, spent_tokens: int = 0) -> Generation:
        """The next round, after what the response already says, for which `spent_tokens` were generated.

        It is a compaction where one is asked for or due.
        Raises: what `Engine.prepare` does; with `truncation: auto` the oldest turns are dropped before it gives up.
        """
        items = self.shown(output)
        chat = self._chat(items, output, spent_tokens)
        if await self._is_due(engine, chat, items, output):
            return await self.compaction(engine, output)
        generation = await self._fit(engine, chat)
        if self.summary is None:
            return generation
        return SummedUp(generation, SummaryWriter(engine, self._quick(chat), self.summary))

    async def count(self, engine: Engine) -> int:
        """The tokens of the prompt as it stands. Raises: what `Engine.count` does."""
        return await engine.count(self._chat(self.shown(), (), 0))

    async def compaction(self, engine: Engine, output: Sequence[Item] = ()) -> CompactionGeneration:
        """Sum the conversation up, with what the response already says. Raises: what `Engine.prepare` does."""
        items = self.shown(output)
        goes_on = not self._is_triggered()
        window = (goes_on and self._threshold()) or self.model.context_tokens or USUAL_CONTEXT_TOKENS

        def put_together(summary: str) -> compaction.Compacted:
            return compaction.compact(items, summary, context_tokens=window, goes_on=goes_on)

        chat = self._chat(items, output, 0)
        writing = await prepare_summary(engine, chat, self.model.context_tokens)
        return CompactionGeneration(writing, put_together, self.seal, then="compacted" if goes_on else "stop")

    def shown(self, output: Sequence[Item] = ()) -> Sequence[Item]:
        """What the model sees of the conversation and of what the response already says."""
        return compaction.expand((*self.items, *output), self.seal.open)

    def _is_triggered(self) -> bool:
        """Whether a compaction is all that is asked for."""
        return bool(self.request.input) and isinstance(self.request.input[-1], CompactionTrigger)

    def _threshold(self) -> int | None:
        """At how many tokens the conversation is compacted by itself."""
        if not self.request.context_management:
            return None
        default = round((self.model.context_tokens or USUAL_CONTEXT_TOKENS) * THRESHOLD_SHARE)
        return min(entry.compact_threshold or default for entry in self.request.context_management)

    async def _is_due(self, engine: Engine, chat: ChatRequest, items: Sequence[Item], output: Sequence[Item]) -> bool:
        """Whether to compact now. Once a round is enough, however long the conversation still is."""
        if output and isinstance(output[-1], Compaction):
            return False
        if self._is_triggered():
            return True
        threshold = self._threshold()
        if threshold is None or not compaction.is_compactable(items):
            return False
        try:
            return await engine.count(chat) >= threshold
        except CannotCount:
            return compaction.estimate_tokens(chat) >= threshold

    async def _fit(self, engine: Engine, chat: ChatRequest) -> Generation:
        while True:
            try:
                return await engine.prepare(chat)
            except ContextLengthExceeded as error:
                if self.request.truncation != "auto":
                    raise
                shorter = _shorten(chat, error, await _measured(engine, chat, error))
                if len(shorter.messages) == len(chat.messages):
                    raise
                chat = shorter

    def _chat(self, items: Sequence[Item], output: Sequence[Item], spent_tokens: int) -> ChatRequest:
        request = configured(self.request, items)
        most = request.max_output_tokens
        reasoning = request.reasoning or ReasoningConfig()
        asked = ask(self.reasoning_family, reasoning.effort, reasoning.context, request.extras.chat_template_kwargs)
        left = replace(request, max_output_tokens=most - spent_tokens) if most and spent_tokens else request
        return ChatRequest(
            id=self.base.id,
            model=self.model.id,
            messages=conversation.to_messages((*self.preface, *items), request.instructions),
            tools=self.toolbox.functions,
            tool_choice=self._choice(output),
            cache_salt=self.cache_salt,
            priority=self.priority,
            reasoning_effort=asked.effort,
            template_kwargs=asked.template_kwargs,
            session=self.session,
            credentials=self.credentials,
            traceparent=self.traceparent,
            **chat_options(left),
        )

    def _quick(self, chat: ChatRequest) -> ChatRequest:
        """The same with as little thinking as the model can do."""
        asked = ask(self.reasoning_family, "none", None, self.request.extras.chat_template_kwargs)
        return replace(chat, reasoning_effort=asked.effort, template_kwargs=asked.template_kwargs)

    def _choice(self, output: Sequence[Item]) -> ToolChoice:
        """A demand to call is met by the first round; the model must be free to answer afterwards."""
        choice = self.toolbox.choice
        has_spoken = any(not isinstance(item, Compaction) for item in output)
        return ToolChoice("auto") if has_spoken and choice.mode == "required" else choice


async def _measured(engine: Engine, chat: ChatRequest, error: ContextLengthExceeded) -> int | None:
    """How long the prompt is. The error may only know that it is longer than the context."""
    try:
        return max(await engine.count(chat), error.input_tokens or 0)
    except (CannotCount, ContextLengthExceeded, EngineError):
        return error.input_tokens


def _shorten(chat: ChatRequest, error: ContextLengthExceeded, tokens: int | None) -> ChatRequest:
    """Drop the oldest turns of a prompt of `tokens` so that about what fits is left."""
    keep = 0.5
    if tokens and error.limit:
        reserve = min(chat.sampling.max_tokens or error.limit * ANSWER_SHARE, error.limit / 2)
        keep = (error.limit - reserve) / tokens
    return replace(chat, messages=conversation.drop_oldest_turns(chat.messages, min(keep, 0.95)))
