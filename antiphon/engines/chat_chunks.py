"""From the bytes of a streamed chat completion to deltas, without a socket, a clock, or a task.

Rules
- A `data:` line is one JSON chunk, `data: [DONE]` the end; comments, other fields and blank lines mean nothing. Lines
  may be cut anywhere.
- Calls are put in order by `CallOrder`; everything else goes on as it comes, one delta for each field of a chunk.
- The finish is given once and last, with `Usage` before it: at `[DONE]`, or when the body ends after a finish reason.
- A failure is kept in `failure`, never raised, so that what came before it is not lost. Nothing is parsed after it.
- Most chunks are the one before with another text. Such a one is not decoded: what stands around the text is compared.
"""

from collections.abc import Callable, Sequence
from typing import Literal

import msgspec

from antiphon.core.deltas import (
    CallArguments,
    Delta,
    Finish,
    Logprob,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
    Usage,
)
from antiphon.engines.chat_calls import CallOrder
from antiphon.engines.chat_chunk import (
    NOT_JSON,
    CallPiece,
    Choice,
    Chunk,
    ChunkDelta,
    ChunkUsage,
    Function,
    arguments_of,
    logprobs_of,
    spelling,
)
from antiphon.engines.chat_errors import reported
from antiphon.engines.chat_repetition import Repetition, field_of, learn
from antiphon.errors import AntiphonError, EngineError

MAX_LINE_BYTES = 16 * 1024 * 1024
MOST_FORMS = 8  # so many chunks in a row may all look different before no more forms are learned
Reason = Literal["stop", "length", "content_filter"]

# Whatever is not listed ended by itself: servers name many kinds of that.
_REASONS: dict[str, Reason] = {"length": "length", "max_tokens": "length", "content_filter": "content_filter"}
_DONE = b"[DONE]"
_ABORTED = frozenset({"abort", "aborted", "error", "cancelled"})

# By the field of a chunk that is all text: the delta that it is, unless something has to come before it.
_KINDS: dict[str, type[TextDelta] | type[ReasoningDelta] | type[CallArguments]] = {
    "content": TextDelta,
    "reasoning": ReasoningDelta,
    "reasoning_content": ReasoningDelta,
    "arguments": CallArguments,
}

_decode = msgspec.json.Decoder(Chunk).decode


class ClosedEarly(EngineError):
    """The stream ended without a finish reason."""

    def __init__(self) -> None:
        super().__init__("The upstream closed the stream early.")


class ChunkParser:
    """Parses one generation. `top_logprobs` is how many likeliest tokens to keep of those a server sends.

    A server that sends no usage is counted for: each chunk of text, reasoning or arguments as one output token, the
    input as `estimate_input` says. Reasoning tokens are counted in that way too where the usage leaves them out.
    """

    def __init__(self, estimate_input: Callable[[], int], top_logprobs: int = 0) -> None:
        # What each token needs comes first: so it is together in memory, which is cold when there are many streams.
        self._last: Repetition | None = None
        self._cut_bytes = 0
        self._forms_left = MOST_FORMS
        self._output_chunks = 0
        self._reasoning_chunks = 0
        self._estimate_input = estimate_input
        self._top_logprobs = top_logprobs
        self._cut_line: list[bytes] = []
        self._calls = CallOrder()
        self._usage: ChunkUsage | None = None
        self._reason: Reason | None = None
        self._early_logprobs: list[Logprob] = []
        self._called = False
        self.finishing = False  # the finish reason is known: nothing is lost if the server stops here
        self.done = False
        self.failure: AntiphonError | None = None

    def feed(self, data: bytes) -> list[Delta]:
        """The deltas that `data` completes."""
        deltas: list[Delta] = []
        if self.done or self.failure is not None:
            return deltas
        if data.find(b"\n") == len(data) - 2 and data.startswith(b"data:") and not self._cut_line:
            self._read_line(data[:-2], deltas)  # one whole event: the common case by far
        else:
            self._read_lines(data, deltas)
        return deltas

    def text_again(self, data: bytes) -> str | None:
        """The text of an event that is in nothing else different from the one fed last.

        None for any other, which has to be fed. Whoever says the text tells by `said_again`; it is of the kind of the
        last delta.
        """
        last = self._last
        return last.text_of_event(data) if last is not None and not self._cut_bytes else None

    def said_again(self, text: str) -> None:
        """What `text_again` told has been said."""
        self._forms_left = MOST_FORMS
        self._output_chunks += 1
        field = self._last.field if self._last is not None else "content"
        if field == "arguments":
            self._calls.go_on(text)
        elif field != "content":
            self._reasoning_chunks += 1

    def _read_line(self, line: bytes, deltas: list[Delta]) -> None:
        """A line of data: the one before with another text, or one to decode, and perhaps to learn from."""
        last = self._last
        text = last.text_of(line) if last is not None else None
        if last is not None and text is not None:
            self.said_again(text)
            deltas.append(_KINDS[last.field](text))
            return
        self._last = None
        before = len(deltas)
        chunk = self._read(line[5:], deltas)
        field = field_of(chunk) if chunk is not None and self._forms_left else None
        if field is not None and len(deltas) == before + 1 and type(deltas[-1]) is _KINDS[field]:
            self._last = learn(line, field)
            self._forms_left -= 1

    def _read_lines(self, data: bytes, deltas: list[Delta]) -> None:
        lines = data.split(b"\n")
        rest = lines.pop()
        if lines and self._cut_line:
            self._cut_line.append(lines[0])
            lines[0] = b"".join(self._cut_line)
            self._cut_line.clear()
            self._cut_bytes = 0
        for line in lines:
            if line.startswith(b"data:"):
                self._read_line(line, deltas)
            elif line.startswith(b"error:"):  # older llama.cpp names the field after the event
                self._fail_with(line[6:])
            if self.done or self.failure is not None:
                return
        if rest:
            self._cut_line.append(rest)
            self._cut_bytes += len(rest)
            if self._cut_bytes > MAX_LINE_BYTES:
                self.failure = EngineError(f"The engine sent a line of more than {MAX_LINE_BYTES} bytes.")

    def take(self, chunk: Chunk) -> list[Delta]:
        """The deltas of a chunk that came as it is. Raises: EngineError when it breaks the protocol."""
        deltas: list[Delta] = []
        self._take(chunk, b"", deltas)
        return deltas

    def take_text(self, text: str) -> list[Delta]:
        """The deltas of a chunk that has this text as its content and nothing else."""
        deltas: list[Delta] = []
        if text:
            self._say(text, (), deltas)
        return deltas

    def end(self) -> list[Delta]:
        """The body has ended: the last deltas, `Finish` among them unless the server closed too early."""
        deltas: list[Delta] = []
        if self.done or self.failure is not None:
            return deltas
        last = b"".join(self._cut_line)
        if last.startswith(b"data:") and _is_whole(last[5:]):
            self._read(last[5:], deltas)
        if not self.done and self.failure is None:
            self._read(_DONE, deltas)
        return deltas

    def _read(self, payload: bytes, deltas: list[Delta]) -> Chunk | None:
        """Add the deltas of one chunk; the chunk, unless it is the end or no chunk."""
        try:
            if len(payload) < 12 and payload.strip() == _DONE:
                self._finish(deltas)
                return None
            chunk = _decode(payload)
            self._take(chunk, payload, deltas)
            return chunk
        except NOT_JSON:
            self.failure = EngineError("The engine sent a chunk that is not the JSON of a chat completion.")
        except EngineError as error:
            self.failure = error
        return None

    def _take(self, chunk: Chunk, payload: bytes, deltas: list[Delta]) -> None:
        if chunk.usage is not None:
            self._usage = chunk.usage
        if chunk.error:
            self.failure = reported(chunk.error)
        elif chunk.choices:
            self._choose(chunk.choices[0], deltas)
        elif chunk.choices is None and chunk.usage is None and _is_error(payload):
            self.failure = reported(msgspec.json.decode(payload))

    def _choose(self, choice: Choice, deltas: list[Delta]) -> None:
        delta = choice.delta
        if delta is not None:
            text = delta.content
            if delta.reasoning or delta.reasoning_content:
                self._think(delta.reasoning or delta.reasoning_content or "", deltas)
            if choice.logprobs is not None:
                self._say(text or "", self._logprobs(choice, delta), deltas)
            elif text:
                self._say(text, (), deltas)
            if delta.refusal:
                self._output_chunks += 1
                self._emit(RefusalDelta(delta.refusal), deltas)
            if delta.tool_calls:
                for call in delta.tool_calls:
                    self._call(call.index, call.id, call.function, deltas)
            elif delta.function_call is not None:
                self._call(0, None, delta.function_call, deltas)
        if choice.finish_reason:
            self._at_reason(choice.finish_reason, deltas)

    def _think(self, text: str, deltas: list[Delta]) -> None:
        self._early_logprobs.clear()
        self._output_chunks += 1
        self._reasoning_chunks += 1
        self._emit(ReasoningDelta(text), deltas)

    def _say(self, text: str, logprobs: Sequence[Logprob], deltas: list[Delta]) -> None:
        """While a character is incomplete a server holds text back: log probabilities wait for their text."""
        if not text:
            self._early_logprobs += logprobs
            return
        if logprobs:
            logprobs = spelling([*self._early_logprobs, *logprobs], text)
            self._early_logprobs.clear()
        self._output_chunks += 1
        self._emit(TextDelta(text, logprobs), deltas)

    def _call(self, index: int | None, call_id: str | None, function: Function | None, deltas: list[Delta]) -> None:
        self._called = True
        self._early_logprobs.clear()
        name = function.name if function is not None else None
        arguments = arguments_of(function)
        if arguments:
            self._output_chunks += 1
        deltas += self._calls.add(CallPiece(index, call_id or None, name, arguments))

    def _emit(self, delta: TextDelta | ReasoningDelta | RefusalDelta, deltas: list[Delta]) -> None:
        if self._called:
            deltas += self._calls.pass_by(delta)
        else:
            deltas.append(delta)

    def _logprobs(self, choice: Choice, delta: ChunkDelta) -> list[Logprob]:
        """Those of text: tokens of reasoning and calls have theirs too, which have no place in the answer."""
        if delta.tool_calls or ((delta.reasoning or delta.reasoning_content) and not delta.content):
            return []
        return logprobs_of(choice, self._top_logprobs)

    def _at_reason(self, reason: str, deltas: list[Delta]) -> None:
        if reason in _ABORTED:
            raise EngineError("The engine aborted the generation.")
        self._reason = _REASONS.get(reason, "stop")
        self.finishing = True
        deltas += self._calls.finish()

    def _finish(self, deltas: list[Delta]) -> None:
        if self._reason is None:
            raise ClosedEarly
        deltas += self._calls.finish()
        deltas += (self._usage_of(self._usage or ChunkUsage()), Finish(self._reason))
        self.done = True

    def _usage_of(self, usage: ChunkUsage) -> Usage:
        input_tokens = usage.prompt_tokens if usage.prompt_tokens is not None else self._estimate_input()
        output_tokens = usage.completion_tokens if usage.completion_tokens is not None else self._output_chunks
        prompt, completion = usage.prompt_tokens_details, usage.completion_tokens_details
        reasoning = completion.reasoning_tokens if completion is not None else None
        return Usage(
            input_tokens,
            output_tokens,
            (prompt.cached_tokens if prompt is not None else None) or 0,
            reasoning if reasoning is not None else min(self._reasoning_chunks, output_tokens),
        )

    def _fail_with(self, payload: bytes) -> None:
        try:
            self.failure = reported(msgspec.json.decode(payload))
        except NOT_JSON:
            self.failure = reported(None)


def _is_error(payload: bytes) -> bool:
    """Some servers spread an error over the chunk and call that an object of kind error."""
    chunk = msgspec.json.decode(payload)
    return isinstance(chunk, dict) and chunk.get("object") == "error"


def _is_whole(payload: bytes) -> bool:
    """Whether the last line was sent whole, only without its end."""
    try:
        msgspec.json.decode(payload)
    except NOT_JSON:
        return payload.strip() == _DONE
    return True
