"""Asking a chat-completions server how many tokens a prompt has, without generating.

vLLM's `/tokenize` renders a chat by its template; llama.cpp's server counts what its chat completions would get. Other
servers have no way that several of them share.
"""

import asyncio

import msgspec
from msgspec import Raw, Struct

from antiphon.core.chat import ChatRequest
from antiphon.engines.chat_chunk import NOT_JSON
from antiphon.engines.chat_errors import refused
from antiphon.engines.chat_quirks import Quirks
from antiphon.engines.chat_render import render
from antiphon.engines.chat_upstream import MAX_ERROR_BYTES, MAX_LIST_BYTES, Upstream
from antiphon.errors import CannotCount, EngineError, EngineUnavailable

COUNT_TIMEOUT_S = 60.0
# What `/tokenize` takes of a chat completion; it knows the effort of reasoning only as an argument of the template.
_TOKENIZED = ("model", "messages", "tools", "continue_final_message", "add_generation_prompt")


class _Count(Struct):
    """vLLM's answer, or llama.cpp's."""

    count: int | None = None
    input_tokens: int | None = None


async def count_input(upstream: Upstream, chat: ChatRequest) -> int:
    """The tokens of the prompt as this server renders it.

    Raises: CannotCount; ClientError when the server refuses the request, EngineError when it fails, EngineUnavailable
    when it cannot be reached.
    """
    quirks = upstream.quirks
    match quirks.counting:
        case "tokenize":
            path, body = "/tokenize", _tokenize(chat, quirks)
        case "input_tokens":
            path, body = "/v1/chat/completions/input_tokens", render(chat, quirks)
        case None:
            raise _unable()
    try:
        async with asyncio.timeout(COUNT_TIMEOUT_S):
            status, headers, answer = await upstream.ask(path, body, chat, max(MAX_ERROR_BYTES, MAX_LIST_BYTES))
    except TimeoutError:
        raise EngineUnavailable(f"The engine did not count within {COUNT_TIMEOUT_S:g} s.") from None
    if status in (404, 405, 501):
        raise _unable()
    if status != 200:
        raise refused(status, headers, answer)
    try:
        found = msgspec.json.decode(answer, type=_Count)
    except NOT_JSON:
        raise EngineError("The engine did not say how many tokens it counted.") from None
    tokens = found.count if found.input_tokens is None else found.input_tokens
    if tokens is None:
        raise EngineError("The engine did not say how many tokens it counted.")
    return tokens


def _tokenize(chat: ChatRequest, quirks: Quirks) -> bytes:
    whole = msgspec.json.decode(render(chat, quirks), type=dict[str, Raw])
    body = {name: whole[name] for name in _TOKENIZED if name in whole}
    arguments = msgspec.json.decode(whole.get("chat_template_kwargs", b"{}"), type=dict[str, Raw])
    if "reasoning_effort" in whole:
        arguments.setdefault("reasoning_effort", whole["reasoning_effort"])
    if arguments:
        body["chat_template_kwargs"] = Raw(msgspec.json.encode(arguments))
    return msgspec.json.encode(body)


def _unable() -> CannotCount:
    return CannotCount("The engine behind this model cannot count the tokens of an input.", param="model")
