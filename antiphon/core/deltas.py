"""What an engine answers: a stream of deltas, the only thing an adapter has to produce.

One generation yields any number of text, reasoning, refusal and tool-call deltas in the order in which they were
generated, `Usage` whenever it is known (the last one counts), and exactly one `Finish` at the end. Parallel calls are
given one after the other: `CallStart`, its `CallArguments`, then the next `CallStart`; an adapter whose engine
interleaves them buffers. A failure is raised by the adapter and becomes a `Failure` in the run.
"""

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace


class TopLogprob(Struct, frozen=True):
    """`bytes` are the token's UTF-8 bytes, so that tokens that split a character can be put together."""

    token: str
    logprob: float
    bytes: Sequence[int]


class Logprob(Struct, frozen=True):
    token: str
    logprob: float
    bytes: Sequence[int]
    top_logprobs: Sequence[TopLogprob] = ()


class TextDelta(Struct, frozen=True, gc=False):
    """More of the answer's text; may hold many tokens. `logprobs` has one entry per token when they were asked for."""

    text: str
    logprobs: Sequence[Logprob] = ()


class ReasoningDelta(Struct, frozen=True, gc=False):
    """More of the raw chain of thought."""

    text: str


class RefusalDelta(Struct, frozen=True, gc=False):
    text: str


class CallStart(Struct, frozen=True, gc=False):
    """The model begins to call `name` (the flat name of `ChatRequest.tools`). `call_id` None: the machine makes one."""

    name: str
    call_id: str | None = None


class CallArguments(Struct, frozen=True, gc=False):
    """More of the arguments of the call begun last, as the model wrote them."""

    text: str


class SummaryDelta(Struct, frozen=True, gc=False):
    """More of a summary of the reasoning that came just before, written by a model. Of the service's own making."""

    text: str


class CompactionStart(Struct, frozen=True, gc=False):
    """The conversation so far is being summed up. Of the service's own making, as is `CompactionEnd`."""


class CompactionEnd(Struct, frozen=True, gc=False):
    """The conversation has been summed up; `encrypted_content` is what stands for it from here on."""

    encrypted_content: str


class SideUsage(Struct, frozen=True, gc=False):
    """Tokens of a generation beside the answer, in the same fields as `Usage`; they add up."""

    input_tokens: int
    output_tokens: int
    cached_tokens: int = 0
    reasoning_tokens: int = 0


class Usage(Struct, frozen=True, gc=False):
    """Tokens so far. `cached_tokens` are part of `input_tokens`, `reasoning_tokens` of `output_tokens`."""

    input_tokens: int
    output_tokens: int
    cached_tokens: int = 0
    reasoning_tokens: int = 0


class Finish(Struct, frozen=True, gc=False):
    """The generation ended by itself (`stop`, also after tool calls), at its limit, or by a content filter.

    No engine says the others: its client ended it to go on with other input (`steered`), or it made room for the
    generation that goes on in its place (`compacted`).
    """

    reason: Literal["stop", "length", "content_filter", "steered", "compacted"]


class Failure(Struct, frozen=True, gc=False):
    """The run failed; `code` and `message` are what the client sees."""

    code: str
    message: str


class Cancelled(Struct, frozen=True, gc=False):
    """The run was cancelled by its client."""


def clean(delta: "Delta") -> "Delta":
    """The delta, its text without lone surrogates: no JSON can carry them, whatever an engine makes of broken bytes."""
    text = getattr(delta, "text", "")
    if text.isascii():
        return delta
    try:
        text.encode()
    except UnicodeEncodeError:
        return replace(delta, text=text.encode("utf-8", "replace").decode())
    return delta


Delta = (
    TextDelta
    | ReasoningDelta
    | RefusalDelta
    | SummaryDelta
    | CallStart
    | CallArguments
    | CompactionStart
    | CompactionEnd
    | SideUsage
    | Usage
    | Finish
    | Failure
    | Cancelled
)
