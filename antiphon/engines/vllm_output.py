"""From what vLLM's engine gives to deltas, by way of the chunks that its server would have sent."""

from typing import Any

from antiphon.core.chat import ChatRequest
from antiphon.core.deltas import Delta, ReasoningDelta, TextDelta
from antiphon.engines.chat_chunk import (
    Choice,
    Chunk,
    ChunkDelta,
    ChunkUsage,
    CompletionDetails,
    Function,
    Logprobs,
    PromptDetails,
    TokenLogprob,
    ToolCall,
)
from antiphon.engines.chat_chunks import ChunkParser
from antiphon.engines.grammar_call import GrammarCallParser
from antiphon.errors import EngineError
from antiphon.ports import More

_LEAST_LOGPROB = -9999.0  # JSON has no infinity


class OutputReader:
    """Reads the outputs of one generation, each of which has one choice and only what is new.

    `parser` is vLLM's for this answer, None where none is configured; `request` is what it was made for, `tokens` the
    prompt. The text is the input of a call of the tool `forced`, unless that is None.
    """

    def __init__(self, chat: ChatRequest, forced: str | None, request: Any, parser: Any, tokens: list[int]) -> None:
        self.is_plain = False
        """Whether everything is text from here on, which the parser would only pass on: it is not asked."""
        self._can_be_plain = _passes_text_on(parser, request)
        self._chat = chat
        self._request = request
        self._parser = parser
        self._tokens = tokens
        self._chunks = (
            ChunkParser(lambda: len(tokens), chat.sampling.logprobs or 0)
            if forced is None
            else GrammarCallParser(lambda: len(tokens), forced)
        )
        self._said: list[int] = []
        self._cached_tokens = 0
        self._last: type[Delta] | None = None  # the kind of what was read last

    def read(self, output: Any, more: More | None = None) -> list[Delta]:
        """The deltas of an output; none when it is more of the text read last, and `more` took it.

        Raises: EngineError when the engine failed.
        """
        self._cached_tokens = output.num_cached_tokens or self._cached_tokens
        choice = output.outputs[0]
        if choice.finish_reason == "error":
            raise EngineError("The engine failed while generating.")
        self._said.extend(choice.token_ids)
        delta, logprobs = self._delta(choice), self._logprobs(choice)
        is_plain = choice.finish_reason is None and logprobs is None and not delta.tool_calls
        if is_plain and more is not None and self._is_taken(delta, more):
            return []  # nearly every token
        if is_plain and not delta.reasoning:
            deltas = self._chunks.take_text(delta.content or "")
        else:
            deltas = self._chunks.take(Chunk([Choice(delta, choice.finish_reason, logprobs)]))
        self._last = type(deltas[-1]) if deltas and not delta.tool_calls else None
        return deltas

    def end(self) -> list[Delta]:
        """Usage and the finish. Raises: EngineError when the outputs ended without one."""
        usage = ChunkUsage(
            len(self._tokens),
            len(self._said),
            PromptDetails(self._cached_tokens),
            CompletionDetails(self._reasoning_tokens()),
        )
        deltas = self._chunks.take(Chunk(usage=usage)) + self._chunks.end()
        if self._chunks.failure is not None:
            raise self._chunks.failure
        return deltas

    def _is_taken(self, delta: ChunkDelta, more: More) -> bool:
        """Whether it was more of what was read last, and is said."""
        text, reasoning = delta.content, delta.reasoning
        if text:
            return not reasoning and self._last is TextDelta and more(text)
        return bool(reasoning) and self._last is ReasoningDelta and more(reasoning or "")

    def _reasoning_tokens(self) -> int:
        counter = self._parser
        if not hasattr(counter, "count_reasoning_tokens"):  # the parser of both knows since 0.28
            counter = getattr(counter, "reasoning_parser", None)
        counted: int = counter.count_reasoning_tokens(self._said) if counter is not None else 0
        return counted

    def _delta(self, choice: Any) -> ChunkDelta:
        if self._parser is None or (self.is_plain and choice.finish_reason is None):
            return ChunkDelta(content=choice.text)
        parsed = self._parser.parse_delta(
            delta_text=choice.text,
            delta_token_ids=list(choice.token_ids),
            request=self._request,
            prompt_token_ids=self._tokens,
            finished=choice.finish_reason is not None,
        )
        self.is_plain = self._can_be_plain and _has_reasoned(self._parser)
        if parsed is None:
            return ChunkDelta()
        if not parsed.tool_calls:
            return ChunkDelta(content=parsed.content, reasoning=parsed.reasoning)
        calls = [_call(call) for call in parsed.tool_calls if self._chat.parallel_tool_calls or call.index == 0]
        return ChunkDelta(content=parsed.content, reasoning=parsed.reasoning, tool_calls=calls)

    def _logprobs(self, choice: Any) -> Logprobs | None:
        if self._chat.sampling.logprobs is None or not choice.logprobs:
            return None
        return Logprobs(
            [
                _logprob(likeliest[token], [_logprob(each) for each in likeliest.values()])
                for token, likeliest in zip(choice.token_ids, choice.logprobs, strict=True)
            ]
        )


def _passes_text_on(parser: Any, request: Any) -> bool:
    """Whether a parser passes a text on as it is once reasoning is over, for there can be no calls.

    vLLM's parser of two parts does, where these do not hold text back themselves. Of any other nothing is known.
    """
    ways = getattr(type(parser), "parse_delta", None)
    is_of_two_parts = getattr(ways, "__qualname__", "") == "DelegatingParser.parse_delta"
    return is_of_two_parts and not getattr(parser, "_engine_based", True) and request.tool_choice == "none"


def _has_reasoned(parser: Any) -> bool:
    """Whether reasoning is over, or there is none; False where the parser does not tell."""
    return getattr(getattr(parser, "_stream_state", None), "reasoning_ended", False) is True


def _call(call: Any) -> ToolCall:
    function = call.function
    return ToolCall(call.index, call.id, Function(function.name, function.arguments) if function is not None else None)


def _logprob(entry: Any, top: list[TokenLogprob] | None = None) -> TokenLogprob:
    token = entry.decoded_token or ""
    return TokenLogprob(token, max(entry.logprob, _LEAST_LOGPROB), list(token.encode("utf-8", "replace")), top)
