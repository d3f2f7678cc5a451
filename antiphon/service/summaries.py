"""Summaries of reasoning that the model itself writes, where the server is set to it.

While a thought is being summed up the answer waits in the engine; what it says next comes behind the summary. A thought
that is no longer than its summary may be is its own summary, and where the model fails to write one, the first
sentences of the thought stand for it.
"""

from collections.abc import AsyncIterator, Sequence

from msgspec import Struct
from msgspec.structs import replace

from antiphon.core.chat import ChatRequest, Message, OutputFormat, Sampling, ToolChoice
from antiphon.core.deltas import (
    Delta,
    Failure,
    ReasoningDelta,
    RefusalDelta,
    SummaryDelta,
    TextDelta,
    Usage,
)
from antiphon.core.summary import EXTENT, Mode, summarize
from antiphon.errors import AntiphonError
from antiphon.ports import Engine, Generation
from antiphon.service.compaction import side_usage

ASKS = {
    "concise": "in one short sentence",
    "auto": "in two or three short sentences",
    "detailed": "in a short paragraph for each step",
}
PROMPT = """\
Below is what you thought before answering. Sum it up for the person who asked, {how}: what you considered and what \
you concluded, in the first person and in the language of the thought. Write the summary only.

{thought}"""
MOST_TOKENS = {"concise": 200, "auto": 400, "detailed": 1600}
MOST_THOUGHT_CHARS = 48_000


class SummaryWriter(Struct, frozen=True):
    """Sums up thoughts by `engine`, asked as it was in `answering` but for the content."""

    engine: Engine
    answering: ChatRequest
    mode: Mode

    async def write(self, thought: str) -> AsyncIterator[Delta]:
        """The deltas of a summary, its usage last."""
        thought = thought.strip()
        if len(thought) <= EXTENT[self.mode][1]:
            yield SummaryDelta(thought)
            return
        has_spoken = False
        try:
            generation = await self.engine.prepare(self._chat(thought))
            try:
                async for batch in generation.deltas():
                    for delta in batch:
                        if isinstance(delta, TextDelta) and (text := delta.text if has_spoken else delta.text.lstrip()):
                            has_spoken = True
                            yield SummaryDelta(text)
                        elif isinstance(delta, Usage):
                            yield side_usage(delta)
            finally:
                await generation.close()
        except AntiphonError:
            pass  # a summary is not worth the answer
        if not has_spoken:
            yield SummaryDelta(summarize(thought, self.mode))

    def _chat(self, thought: str) -> ChatRequest:
        text = PROMPT.format(how=ASKS[self.mode], thought=thought[:MOST_THOUGHT_CHARS])
        return replace(
            self.answering,
            id=f"{self.answering.id}_summary",
            messages=(Message("user", text),),
            tools=(),
            tool_choice=ToolChoice(),
            output_format=OutputFormat(),
            sampling=Sampling(max_tokens=MOST_TOKENS[self.mode]),
        )


class SummedUp:
    """A generation whose every thought is followed by its summary."""

    def __init__(self, answering: Generation, writer: SummaryWriter) -> None:
        self.input_tokens = answering.input_tokens
        self.upstream = getattr(answering, "upstream", None)
        self._answering = answering
        self._writer = writer
        self._thought: list[str] = []

    async def deltas(self) -> AsyncIterator[Sequence[Delta]]:
        """The generation's own deltas, with summaries among them."""
        async for batch in self._answering.deltas():
            said: list[Delta] = []
            for delta in batch:
                if isinstance(delta, ReasoningDelta):
                    self._thought.append(delta.text)
                elif self._thought and _ends_thought(delta):
                    yield said
                    said = []
                    thought, self._thought = "".join(self._thought), []
                    async for part in self._writer.write(thought):
                        yield (part,)
                said.append(delta)
            yield said

    async def close(self) -> None:
        await self._answering.close()


def _ends_thought(delta: Delta) -> bool:
    if isinstance(delta, TextDelta):
        return bool(delta.text or delta.logprobs)
    if isinstance(delta, RefusalDelta):
        return bool(delta.text)
    return not isinstance(delta, Usage | Failure)
