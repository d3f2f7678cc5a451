"""What a run generates from: the conversation as it stood, and how each round of generation is prepared from it."""

from collections.abc import AsyncIterator, Sequence

from msgspec import Struct
from msgspec.structs import replace

from antiphon.core import conversation
from antiphon.core.chat import ChatRequest, ToolChoice
from antiphon.core.deltas import Delta, Finish
from antiphon.core.draft import chat_options
from antiphon.core.reasoning_families import GENERIC, ask
from antiphon.core.tiers import priority_of
from antiphon.core.toolbox import Toolbox
from antiphon.errors import ContextLengthExceeded
from antiphon.ports import Engine, Generation, Model
from antiphon.wire.dialects import OPENAI, Dialect
from antiphon.wire.items import Item
from antiphon.wire.request import CreateResponse, ReasoningConfig
from antiphon.wire.response import Response

# The share of the context that truncation leaves free for the answer when the request sets no limit.
ANSWER_SHARE = 0.1


class NoGeneration:
    """A generation that ends before it began: for a response that only prepares a next turn."""

    input_tokens: int | None = None

    async def deltas(self) -> AsyncIterator[Sequence[Delta]]:
        yield (Finish("stop"),)

    async def close(self) -> None:
        """Nothing is held."""


class Work(Struct, frozen=True, kw_only=True):
    """One request, checked and resolved. `own` are its input items; `items` is the conversation up to and with them.

    `session` names the chain or conversation; `credentials` are the client's, where the engine may be shown them.
    """

    base: Response
    request: CreateResponse
    model: Model
    toolbox: Toolbox
    own: Sequence[Item]
    items: Sequence[Item]
    reasoning_family: str = GENERIC
    cache_salt: str | None = None
    dialect: Dialect = OPENAI
    session: str | None = None
    credentials: str | None = None

    @property
    def priority(self) -> int | None:
        """How urgent it is: the lower, the sooner; None: as any other."""
        return priority_of(self.base.service_tier)

    async def prepare(self, engine: Engine, output: Sequence[Item] = (), *, spent_tokens: int = 0) -> Generation:
        """The next round, after what the response already says, for which `spent_tokens` were generated.

        Raises: what `Engine.prepare` does; with `truncation: auto` the oldest turns are dropped before it gives up.
        """
        chat = self._chat(output, spent_tokens)
        while True:
            try:
                return await engine.prepare(chat)
            except ContextLengthExceeded as error:
                shorter = _shorten(chat, error) if self.request.truncation == "auto" else chat
                if len(shorter.messages) == len(chat.messages):
                    raise
                chat = shorter

    def _chat(self, output: Sequence[Item], spent_tokens: int) -> ChatRequest:
        request = self.request
        most = request.max_output_tokens
        reasoning = request.reasoning or ReasoningConfig()
        asked = ask(self.reasoning_family, reasoning.effort, reasoning.context, request.extras.chat_template_kwargs)
        left = replace(request, max_output_tokens=most - spent_tokens) if most and spent_tokens else request
        return ChatRequest(
            id=self.base.id,
            model=self.model.id,
            messages=conversation.to_messages((*self.items, *output), request.instructions),
            tools=self.toolbox.functions,
            tool_choice=self._choice(output),
            cache_salt=self.cache_salt,
            priority=self.priority,
            reasoning_effort=asked.effort,
            template_kwargs=asked.template_kwargs,
            session=self.session,
            credentials=self.credentials,
            **chat_options(left),
        )

    def _choice(self, output: Sequence[Item]) -> ToolChoice:
        """A demand to call is met by the first round; the model must be free to answer afterwards."""
        choice = self.toolbox.choice
        return ToolChoice("auto") if output and choice.mode == "required" else choice


def _shorten(chat: ChatRequest, error: ContextLengthExceeded) -> ChatRequest:
    """Drop the oldest turns so that about what fits is left."""
    keep = 0.5
    if error.input_tokens and error.limit:
        reserve = min(chat.sampling.max_tokens or error.limit * ANSWER_SHARE, error.limit / 2)
        keep = (error.limit - reserve) / error.input_tokens
    return replace(chat, messages=conversation.drop_oldest_turns(chat.messages, min(keep, 0.95)))
