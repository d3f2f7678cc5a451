"""The chunks of a streamed chat completion, typed as far as they are read, and what their odder fields mean.

Nearly every field may be missing, null, or of another server's making.
"""

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import msgspec
from msgspec import DecodeError, Struct

from antiphon.core.deltas import Logprob, TopLogprob

NOT_JSON = (DecodeError, UnicodeError, RecursionError)  # what msgspec raises for bytes that others sent


class Function(Struct, gc=False):
    name: str | None = None
    arguments: Any = None  # a string; some servers send an object


class ToolCall(Struct, gc=False):
    index: int | None = None
    id: str | None = None
    function: Function | None = None


class ChunkDelta(Struct, gc=False):
    content: str | None = None
    reasoning: str | None = None
    reasoning_content: str | None = None
    refusal: str | None = None
    tool_calls: list[ToolCall] | None = None
    function_call: Function | None = None


class TokenLogprob(Struct, gc=False):
    token: str
    logprob: float
    bytes: list[int] | None = None
    top_logprobs: "list[TokenLogprob] | None" = None


class Logprobs(Struct, gc=False):
    content: list[TokenLogprob] | None = None


class Choice(Struct, gc=False):
    delta: ChunkDelta | None = None
    finish_reason: str | None = None
    logprobs: Logprobs | None = None


class PromptDetails(Struct, gc=False):
    cached_tokens: int | None = None


class CompletionDetails(Struct, gc=False):
    reasoning_tokens: int | None = None


class ChunkUsage(Struct, gc=False):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: PromptDetails | None = None
    completion_tokens_details: CompletionDetails | None = None


class Chunk(Struct, gc=False):
    """One `data:` line. `error` is an object or a text."""

    choices: list[Choice] | None = None
    usage: ChunkUsage | None = None
    error: Any = None


class CallPiece(Struct, frozen=True, gc=False):
    """What one chunk says of one call; everything may be missing."""

    index: int | None = None
    id: str | None = None
    name: str | None = None
    arguments: str = ""


def arguments_of(function: Function | None) -> str:
    """A piece of arguments as text; empty if there is none."""
    if function is None or function.arguments is None:
        return ""
    if isinstance(function.arguments, str):
        return function.arguments
    return msgspec.json.encode(function.arguments).decode()


def logprobs_of(choice: Choice, top: int) -> list[Logprob]:
    """The log probabilities of a chunk's tokens, with the `top` likeliest of each."""
    if choice.logprobs is None or not choice.logprobs.content:
        return []
    return [
        Logprob(
            token.token,
            token.logprob,
            _bytes_of(token),
            [TopLogprob(each.token, each.logprob, _bytes_of(each)) for each in (token.top_logprobs or ())[:top]],
        )
        for token in choice.logprobs.content
    ]


def spelling(entries: Sequence[Logprob], text: str) -> Sequence[Logprob]:
    """Those of `entries` that spell `text`; all where no run of them does.

    Marks that a server takes out of the text (the end of the reasoning, of the turn) have log probabilities too.
    Entries without bytes, of tokens that only begin a character, stay with their neighbours.
    """
    wanted = text.encode()
    spelled = b"".join(bytes(entry.bytes) for entry in entries)
    if spelled == wanted:
        return entries
    ends = list(accumulate((len(entry.bytes) for entry in entries), initial=0))
    at = spelled.rfind(wanted)
    while at >= 0:
        if at in ends and at + len(wanted) in ends:
            return entries[ends.index(at) : bisect_right(ends, at + len(wanted)) - 1]
        at = spelled.rfind(wanted, 0, at + len(wanted) - 1)
    return entries


def _bytes_of(token: TokenLogprob) -> Sequence[int]:
    return token.bytes if token.bytes is not None else tuple(token.token.encode())
