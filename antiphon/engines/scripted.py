"""The scripted engine: deterministic answers without a model, so that every client and every part can be tested.

A request with directives in its last user text is answered as they say (`scripted_directives` has the language); one
without is answered by a small agent that calls fitting tools, quotes their outputs, fills schemas, and otherwise echoes
(`scripted_agent`). Tokens are counted exactly (`scripted_tokens`), time passes only where it is asked for.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence

from antiphon.core.chat import ChatRequest
from antiphon.core.deltas import Delta
from antiphon.engines.scripted_agent import plan
from antiphon.engines.scripted_player import Player
from antiphon.engines.scripted_tokens import Prompt, PromptMemory
from antiphon.errors import ContextLengthExceeded, EngineUnavailable, NotFound
from antiphon.ports import Model

CREATED_AT = 1_735_689_600  # any fixed moment, so that two servers list the same models


class ScriptedEngine:
    """An engine that follows directives, or else acts as a small agent. Serves every one of `model_ids` alike.

    `accept_any_model` also serves models that are not listed; `token_delay_s` is the time each token takes.
    """

    def __init__(
        self,
        *,
        model_ids: Sequence[str] = ("scripted",),
        accept_any_model: bool = False,
        token_delay_s: float = 0.0,
        context_tokens: int = 131_072,
    ) -> None:
        self._models = tuple(
            Model(
                id=model_id,
                created=CREATED_AT,
                owned_by="antiphon",
                context_tokens=context_tokens,
                images=True,
                continues_text=True,
            )
            for model_id in model_ids
        )
        self._accept_any_model = accept_any_model
        self._token_delay_s = token_delay_s
        self._context_tokens = context_tokens
        self._memory = PromptMemory()
        self._live: set[ScriptedGeneration] = set()
        self._closed = False

    @property
    def running(self) -> int:
        """How many generations are under way."""
        return len(self._live)

    async def start(self) -> None:
        """Make the engine ready; it is from the beginning, and becomes so again after `close`."""
        self._closed = False

    async def close(self) -> None:
        """Abort what runs."""
        self._closed = True
        for generation in tuple(self._live):
            await generation.close()

    def models(self) -> Sequence[Model]:
        return self._models

    async def prepare(self, chat: ChatRequest) -> "ScriptedGeneration":
        """Count the prompt and decide the answer. Raises: ContextLengthExceeded, NotFound for an unlisted model."""
        prompt = self._prompt(chat)
        left = self._context_tokens - prompt.tokens
        if left <= 0:
            raise ContextLengthExceeded(
                f"Your input of {prompt.tokens} tokens exceeds the context window of {self._context_tokens} tokens.",
                input_tokens=prompt.tokens,
                limit=self._context_tokens,
            )
        return ScriptedGeneration(chat, prompt, left, self._token_delay_s, self._memory, self._live)

    async def count(self, chat: ChatRequest) -> int:
        """Count the prompt. Raises: NotFound for an unlisted model."""
        return self._prompt(chat).tokens

    def _prompt(self, chat: ChatRequest) -> Prompt:
        if self._closed:
            raise EngineUnavailable("The engine is closed.")
        if not self._accept_any_model and all(model.id != chat.model for model in self._models):
            raise NotFound(f"The model '{chat.model}' does not exist.", param="model", code="model_not_found")
        return self._memory.count((chat.model, chat.cache_key), chat.messages)


class ScriptedGeneration:
    """One answer: `deltas()` plays it once, `close()` stops it at once."""

    def __init__(
        self,
        chat: ChatRequest,
        prompt: Prompt,
        tokens_left: int,
        token_delay_s: float,
        memory: PromptMemory,
        live: "set[ScriptedGeneration]",
    ) -> None:
        self.input_tokens: int | None = prompt.tokens
        self._chat = chat
        self._prompt = prompt
        self._tokens_left = tokens_left
        self._token_delay_s = token_delay_s
        self._memory = memory
        self._live = live
        self._closed = False
        self._waiter: asyncio.Future[None] | None = None

    async def deltas(self) -> AsyncIterator[Sequence[Delta]]:
        """Play the answer. After `close` it ends without a `Finish`. Raises: EngineError where the script says so."""
        if self._closed:
            return
        self._live.add(self)
        loop = asyncio.get_running_loop()
        due = loop.time()
        try:
            for beat in self._player().beats():
                if beat.pause_s:
                    # Kept time: a beat that comes late does not delay all that follow it.
                    due = (due if beat.kept_time else loop.time()) + beat.pause_s
                    await self._wait_until(due)
                if self._closed:
                    return
                if beat.deltas:
                    yield beat.deltas
                if not beat.pause_s:
                    await asyncio.sleep(0)
                    due = loop.time()
        finally:
            await self.close()

    async def close(self) -> None:
        self._closed = True
        self._live.discard(self)
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _player(self) -> Player:
        sampling = self._chat.sampling
        limit = self._tokens_left if sampling.max_tokens is None else min(sampling.max_tokens, self._tokens_left)
        return Player(
            plan(self._chat),
            max_tokens=limit,
            input_tokens=self._prompt.tokens,
            cached_tokens=self._memory.remember(self._prompt),
            token_delay_s=self._token_delay_s,
            stop=sampling.stop,
            logprobs=sampling.logprobs,
        )

    async def _wait_until(self, due: float) -> None:
        """Wait for the moment or for `close`, whichever comes first."""
        if self._closed:
            return
        loop = asyncio.get_running_loop()
        self._waiter = loop.create_future()
        timer = loop.call_at(due, _release, self._waiter)
        try:
            await self._waiter
        finally:
            timer.cancel()


def _release(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
