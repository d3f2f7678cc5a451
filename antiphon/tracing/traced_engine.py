"""An engine whose every generation is a span of its own, within that of the response it is for.

What is asked of servers behind HTTP carries the span on, so that their spans come to lie within it.
"""

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from msgspec.structs import replace

from antiphon.core.chat import ChatRequest
from antiphon.core.deltas import Delta
from antiphon.errors import AntiphonError
from antiphon.ports import Engine, Generation, HandTo, ReportsUpstreams, UpstreamFigures


class GenerationSpan(Protocol):
    """The trace of one generation."""

    @property
    def traceparent(self) -> str: ...

    def note_error(self, error: AntiphonError) -> None:
        """It failed."""
        ...

    def end(self, *, upstream: str | None, input_tokens: int | None) -> None:
        """Its end; ending it again does nothing."""
        ...


class GenerationTracer(Protocol):
    """Where traces of generations go."""

    def begin_generation(self, model: str, traceparent: str | None) -> GenerationSpan:
        """Trace a generation, within the trace that `traceparent` names."""
        ...


class TracedEngine:
    """`engine`, whose generations `tracer` is told of. Those of an untraced request, such as a count, are no spans."""

    def __init__(self, engine: Engine, tracer: GenerationTracer) -> None:
        self._engine = engine
        self._tracer = tracer
        self.start, self.close, self.models, self.count = engine.start, engine.close, engine.models, engine.count

    def upstreams(self) -> Sequence[UpstreamFigures]:
        """The figures of the servers behind the engine, if there are any."""
        return self._engine.upstreams() if isinstance(self._engine, ReportsUpstreams) else ()

    async def prepare(self, chat: ChatRequest) -> Generation:
        """As the engine does. Raises: what it raises."""
        if chat.traceparent is None:
            return await self._engine.prepare(chat)
        span = self._tracer.begin_generation(chat.model, chat.traceparent)
        try:
            generation = await self._engine.prepare(replace(chat, traceparent=span.traceparent))
        except BaseException as error:
            if isinstance(error, AntiphonError):
                span.note_error(error)
            span.end(upstream=None, input_tokens=None)
            raise
        return _TracedGeneration(generation, span)


class _TracedGeneration:
    def __init__(self, generation: Generation, span: GenerationSpan) -> None:
        self.input_tokens = generation.input_tokens
        self._generation = generation
        self._span = span
        hand_to: HandTo | None = getattr(generation, "hand_to", None)
        if hand_to is not None:
            self.hand_to = hand_to

    @property
    def upstream(self) -> str | None:
        return getattr(self._generation, "upstream", None)

    async def deltas(self) -> AsyncIterator[Sequence[Delta]]:
        try:
            async for batch in self._generation.deltas():
                yield batch
        except AntiphonError as error:
            self._span.note_error(error)
            raise

    async def close(self) -> None:
        try:
            await self._generation.close()
        finally:
            self._span.end(upstream=self.upstream, input_tokens=self._generation.input_tokens)
