"""The generated blocks of docs/errors.md: every error of the tree, and every code that the code raises it with."""

import ast
from collections.abc import Iterator
from pathlib import Path

import antiphon
from antiphon import errors
from antiphon.core.failure import RESPONSE_ERROR_CODES

PACKAGE = Path(antiphon.__file__).parent

# Fault is an InvalidRequest on its way out of a decoder; its third argument is the code.
FAULT = "Fault"

WHEN = {
    ("InvalidRequest", "invalid_type"): "A field has another type than the one it must have.",
    ("InvalidRequest", "invalid_json"): "The body is no valid JSON, no valid UTF-8, or is nested too deeply.",
    ("InvalidRequest", "missing_required_parameter"): "A field is missing; `param` names it.",
    ("InvalidRequest", "unknown_parameter"): "Strict mode: a field that OpenAI's API does not have.",
    ("InvalidRequest", "unsupported_parameter"): "A field that this server does not serve.",
    ("InvalidRequest", "unsupported_value"): "Content that this server or this model does not take; "
    "what must be stored, for a key for which nothing may be stored.",
    ("InvalidRequest", "empty_array"): "`tool_outputs` holds nothing.",
    ("InvalidRequest", "mutually_exclusive_parameters"): "`conversation` and `previous_response_id` in one request.",
    ("InvalidRequest", "string_above_max_length"): "A text is too long.",
    ("InvalidRequest", "object_above_max_properties"): "`metadata` has too many keys.",
    ("InvalidRequest", "*_below_min_value"): "A number is too small; `*` is `integer` or `decimal`.",
    ("InvalidRequest", "*_above_max_value"): "A number is too large; `*` is `integer` or `decimal`.",
    ("InvalidRequest", "invalid_function_parameters"): "A tool's `parameters` are no JSON object.",
    ("InvalidRequest", "invalid_image_url"): "An image's URL is neither `data:` nor `http(s)://`.",
    ("ClientError", None): "Cancelling a response that is not in the background; a call without its output, an output "
    "without its call.",
    ("InvalidRequest", "array_above_max_length"): "More than 1,024 tools, "
    "more input items than `--max-input-items`, or more than 20 items for a conversation in one request.",
    (
        "ConversationLocked",
        "conversation_locked",
    ): "Another run has the conversation to itself, or it has gone on since this request came.",
    ("ConversationNotFound", None): "No such conversation, or it is deleted or another tenant's.",
    ("DuplicateItem", None): "An item of this id is in the conversation already, or twice in the request.",
    ("InvalidRequest", "invalid_value"): "A value is out of range, none of those allowed, or cannot be honoured here.",
    ("ContextLengthExceeded", "context_length_exceeded"): "The prompt does not fit the model's context.",
    ("PreviousResponseNotFound", "previous_response_not_found"): "`previous_response_id` names nothing that can be "
    "continued.",
    ("InvalidRequest", "invalid_stream_id"): "WebSocket: `stream_id` is empty, too long, or has other characters than "
    "letters, digits, `_`, `-`, `.`.",
    ("ClientError", "websocket_stream_limit_reached"): "WebSocket: too many lanes on one connection.",
    ("ClientError", "websocket_connection_limit_reached"): "WebSocket: the connection's 60 minutes are over.",
    ("InvalidRequest", "invalid_http"): "What came is no HTTP; the connection ends.",
    ("InvalidRequest", "headers_too_large"): "Request line and headers are larger than `max_head_bytes`; the status is "
    "431, and the connection ends.",
    ("InvalidRequest", "request_timeout"): "A request did not come whole in time (`request_timeout_s`); the status is "
    "408, and the connection ends.",
    (
        "InvalidRequest",
        "schema_too_large",
    ): "A JSON schema is larger or deeper than an engine may be given, or asks for too much.",
    ("InvalidRequest", "invalid_handshake"): "The upgrade to a WebSocket breaks its rules; the status is what these "
    "demand, 400 or 426.",
    (
        "UnsupportedMediaType",
        "unsupported_media_type",
    ): "The body is no JSON by its `content-type`, or compressed.",
    ("UpgradeRequired", "upgrade_required"): "WebSocket mode is switched off here.",
    ("Unauthorized", "invalid_api_key"): "The key or token is missing, wrong, revoked or expired.",
    ("Unauthorized", "origin_not_allowed"): "A page of another origin asks for a WebSocket without a key.",
    ("NotFound", "unknown_url"): "No such route.",
    ("NotFound", "model_not_found"): "The model is not served here, or not to this key.",
    ("NotFound", None): "No such response, or it is deleted, expired, was never stored, or is another tenant's; "
    "no such tool call.",
    ("MethodNotAllowed", "method_not_allowed"): "The route exists, with another method.",
    ("Conflict", None): "A response with this id exists already.",
    ("Conflict", "not_waiting"): "Tool outputs for a response that does not wait for any.",
    ("Conflict", "duplicate_tool_output"): "A tool call has its output already; the first one stands.",
    ("PayloadTooLarge", "payload_too_large"): "The body is larger than `max_body_bytes`.",
    ("EngineError", "server_error"): "The model's side failed or broke its protocol.",
    ("ServerError", "server_error"): "Antiphon itself failed.",
    ("StoreUnavailable", "server_error"): "The store cannot be read or written now (disk full, locked, gone).",
    ("IssuerUnavailable", "server_error"): "The issuer of tokens cannot be asked for its keys now.",
    ("EngineError", "tool_output_timeout"): "Tool outputs did not come within `tool_wait_s`.",
    ("EngineError", "run_attempts_exhausted"): "A background run was interrupted by crashes too often.",
    ("EngineUnavailable", "server_is_overloaded"): "The engine is down or full, the queue of background runs or the "
    "server is full, or it is shutting down.",
    ("ServerError", "server_is_overloaded"): "In a stream: the server stopped before the response was complete.",
}


def table() -> str:
    """Status, type, code and occasion of every error that a client can get."""
    found = _raised()
    strangers = WHEN.keys() - found
    if strangers:
        raise SystemExit(f"docs/error_codes.py explains what nothing raises: {sorted(map(str, strangers))}")
    lines: dict[tuple[int, str, str], list[str]] = {}
    for name, code in sorted(found, key=lambda each: (each[0], each[1] or "")):
        kind = _class(name)
        lines.setdefault((kind.status, kind.type, f"`{code}`" if code else "null"), []).append(_when(name, code))
    rows = [
        f"| {status} | `{kind}` | {code} | {' '.join(when)} |" for (status, kind, code), when in sorted(lines.items())
    ]
    return "\n".join(["| status | type | code | when |", "|---|---|---|---|", *rows])


def stream_codes() -> str:
    """The codes that `response.error.code` may hold."""
    return ", ".join(f"`{code}`" for code in sorted(RESPONSE_ERROR_CODES))


def _when(name: str, code: str | None) -> str:
    """The occasion; that of the class where the code has none of its own."""
    return WHEN.get((name, code)) or " ".join((_class(name).__doc__ or "").split("\n\n")[0].split())


def _class(name: str) -> type[errors.AntiphonError]:
    found = getattr(errors, name)
    assert issubclass(found, errors.AntiphonError)
    return found


def _raised() -> set[tuple[str, str | None]]:
    """The classes and codes of every error that is made anywhere in the package."""
    return {pair for path in PACKAGE.rglob("*.py") for pair in _made_in(ast.parse(path.read_text(encoding="utf-8")))}


def _made_in(tree: ast.Module) -> Iterator[tuple[str, str | None]]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            continue
        name = node.func.id
        if name == FAULT and len(node.args) == 3:
            yield "InvalidRequest", _text(node.args[2])
        elif _is_error(name):
            given = next((_text(word.value) for word in node.keywords if word.arg == "code"), None)
            yield name, given or _class(name).default_code


def _is_error(name: str) -> bool:
    found = getattr(errors, name, None)
    return isinstance(found, type) and issubclass(found, errors.AntiphonError)


def _text(node: ast.expr) -> str | None:
    """A constant text; `*` stands for what is put in."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=values):
            return "".join(_text(value) or "*" for value in values)
        case _:
            return None
