"""What an upstream's refusals and errors mean to our client.

A refusal of the request keeps the upstream's words, because they name what is wrong with it. Everything else is said in
our own words with the upstream's status, type and code: its texts may hold keys, paths, or parts of a prompt.
"""

import re
from collections.abc import Mapping

import msgspec

from antiphon.core.chat import ChatRequest
from antiphon.engines.chat_chunk import NOT_JSON
from antiphon.errors import (
    AntiphonError,
    ContentFiltered,
    ContextLengthExceeded,
    EngineError,
    EngineUnavailable,
    InvalidRequest,
)

MAX_MESSAGE_CHARS = 1000

_TOO_LONG = re.compile(
    r"context[ _](?:length|size|window)|maximum model length|max_model_len|(?:prompt|input) is too long", re.IGNORECASE
)
_LIMIT = re.compile(
    r"maximum (?:context|model) length (?:is|of) (\d+)"
    r"|(?:context (?:size|length)|context window) (?:of |is )?\(?(\d+)",
    re.IGNORECASE,
)
_INPUT = re.compile(
    r"(?:contains|has|resulted in)(?: at least)? (\d+) (?:input )?tokens"
    r"|(\d+) (?:tokens )?in the (?:messages|prompt)"
    r"|(?:request|input|prompt) \((?:length )?(\d+)(?: tokens)?\)",
    re.IGNORECASE,
)
# The names of parameters in the Responses API; those that are not listed are left out.
_PARAMS = {
    "messages": "input",
    "max_tokens": "max_output_tokens",
    "max_completion_tokens": "max_output_tokens",
    "response_format": "text.format",
    "reasoning_effort": "reasoning.effort",
    **{
        name: name
        for name in (
            "temperature top_p top_k min_p top_logprobs presence_penalty frequency_penalty repetition_penalty seed "
            "stop tools tool_choice model chat_template_kwargs"
        ).split()
    },
}
_NO_MEDIUM = re.compile(r"failed to load (?:image|audio|video)", re.IGNORECASE)
_OF_A_GRAMMAR = re.compile(r"grammar|schema|regex|structur", re.IGNORECASE)
_ADDRESS = re.compile(r" at 0x[0-9a-f]+", re.IGNORECASE)


class EngineBusy(EngineUnavailable):
    """The server works, but takes no more now."""


class CredentialsRefused(EngineError):
    """The server works, but not for this key."""


class _Body(msgspec.Struct):
    """An error as OpenAI, vLLM and llama.cpp write it; both figures are llama.cpp's."""

    message: object = None
    type: object = None
    param: object = None
    code: object = None
    n_prompt_tokens: object = None
    n_ctx: object = None


def refused(status: int, headers: Mapping[bytes, bytes], body: bytes) -> AntiphonError:
    """The error that an answer with a status other than 200 stands for."""
    error = _error_in(body)
    if status in (401, 403):
        return CredentialsRefused(f"The engine refused this server's credentials (status {status}).")
    if status in (408, 429, 503):
        return EngineBusy(
            f"The engine cannot take the request now (status {status}).", retry_after_s=_retry_after_s(headers)
        )
    if status in (502, 504):
        return EngineUnavailable(
            f"The engine cannot take the request now (status {status}).", retry_after_s=_retry_after_s(headers)
        )
    if error is not None and (too_long := _too_long(error)):
        return too_long
    if error is not None and error.code == "content_filter":
        return ContentFiltered(_message(error) or "The engine refused the input.", param="input")
    if error is not None and status in (400, 404, 409, 413, 415, 422):
        return _invalid(error)
    return EngineError(f"The engine failed with status {status}{_kind(error)}.")


def reported(content: object) -> AntiphonError:
    """The error that an error object in the stream stands for; `content` is its JSON, as far as there is any."""
    error = _body(content)
    if too_long := _too_long(error):
        return too_long
    if error.code in (400, 404, 422) and error.message:
        return _invalid(error)
    if error.code in (429, 503):
        return EngineBusy(f"The engine cannot take the request now{_kind(error)}.")
    return EngineError(f"The engine reported an error{_kind(error)}.")


def name_grammar(error: AntiphonError, chat: ChatRequest) -> None:
    """Name the parameter of a refused schema or grammar, which servers leave open: they see one grammar for all."""
    if isinstance(error, InvalidRequest) and error.param is None and _OF_A_GRAMMAR.search(error.message):
        if chat.output_format.kind != "text":
            error.param = "text.format"
        elif chat.tools:
            error.param = "tools"


def _error_in(body: bytes) -> _Body | None:
    """The error object of an answer's body; None where there is none, as when a route does not exist."""
    try:
        content = msgspec.json.decode(body)
    except NOT_JSON:
        return None
    if not isinstance(content, dict):
        return None
    if content.get("error"):
        return _body(content["error"])
    return _body(content) if content.get("message") else None


def _body(content: object) -> _Body:
    if isinstance(content, str):
        return _Body(message=content)
    return msgspec.convert(content, _Body) if isinstance(content, dict) else _Body()


def _too_long(error: _Body) -> ContextLengthExceeded | None:
    message = _message(error)
    if not (error.code == "context_length_exceeded" or _TOO_LONG.search(message)):
        return None
    prompt, limit = error.n_prompt_tokens, error.n_ctx
    return ContextLengthExceeded(
        message or "The input does not fit the model's context.",
        input_tokens=prompt if isinstance(prompt, int) else _figure(_INPUT, message),
        limit=limit if isinstance(limit, int) else _figure(_LIMIT, message),
    )


def _invalid(error: _Body) -> InvalidRequest:
    message = _message(error)
    return InvalidRequest(message or "The engine refused the request.", param=_param(error.param, message))


def _param(named: object, message: str) -> str | None:
    """The parameter that is meant; it may be named with where it stands: `body.tool_choice.function`."""
    if isinstance(named, str) and (param := _PARAMS.get(named.removeprefix("body.").partition(".")[0])):
        return param
    return "input" if _NO_MEDIUM.match(message) else None


def _message(error: _Body) -> str:
    return _ADDRESS.sub("", error.message.strip()[:MAX_MESSAGE_CHARS]) if isinstance(error.message, str) else ""


def _figure(pattern: re.Pattern[str], message: str) -> int | None:
    match = pattern.search(message)
    return int(match[match.lastindex or 0]) if match else None


def _kind(error: _Body | None) -> str:
    """The type and code in brackets, if they are words or numbers and not sentences."""
    if error is None:
        return ""
    kinds = [str(kind) for kind in (error.type, error.code) if isinstance(kind, str | int)]
    said = ", ".join(dict.fromkeys(kind for kind in kinds if re.fullmatch(r"[\w.-]{1,60}", kind)))
    return f" ({said})" if said else ""


def _retry_after_s(headers: Mapping[bytes, bytes]) -> float | None:
    value = headers.get(b"retry-after", b"")
    return float(value) if re.fullmatch(rb"\d{1,6}(\.\d{1,3})?", value) else None
