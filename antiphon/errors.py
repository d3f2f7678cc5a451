"""Every error Antiphon raises on purpose, in one tree that says whose fault it is.

`ClientError`: the request cannot be honoured as it stands. `EngineError`: the model's side failed. `ServerError`: we
did. Each class carries the HTTP status and the `type` and `code` of OpenAI's error envelope; `param` names the part of
the request that is meant (`input[0].content[2].text`). Messages are written for the client: they never contain a
prompt, a key, or a path of this machine.
"""

from typing import ClassVar


class AntiphonError(Exception):
    """An error with a place in OpenAI's envelope `{"error": {message, type, param, code}}`."""

    status: ClassVar[int] = 500
    type: ClassVar[str] = "server_error"
    default_code: ClassVar[str | None] = None

    def __init__(
        self,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.code = code if code is not None else self.default_code
        self.retry_after_s = retry_after_s


class ClientError(AntiphonError):
    """The request's fault: repeating it unchanged fails again."""

    status = 400
    type = "invalid_request_error"


class InvalidRequest(ClientError):
    """A parameter is missing, of the wrong type, out of range, or cannot be honoured here."""

    default_code = "invalid_value"


class PreviousResponseNotFound(ClientError):
    """`previous_response_id` names nothing that this tenant may continue."""

    default_code = "previous_response_not_found"

    def __init__(self, response_id: str) -> None:
        super().__init__(f"Previous response with id '{response_id}' not found.", param="previous_response_id")


class ContextLengthExceeded(ClientError):
    """The rendered prompt does not fit the model's context.

    Both figures are tokens; None where the engine hides them.
    """

    default_code = "context_length_exceeded"

    def __init__(self, message: str, *, input_tokens: int | None = None, limit: int | None = None) -> None:
        super().__init__(message, param="input")
        self.input_tokens = input_tokens
        self.limit = limit


class ContentFiltered(ClientError):
    """The model's side refused the input because of what it says."""

    default_code = "content_filter"


class Unauthorized(ClientError):
    status = 401
    default_code = "invalid_api_key"


class NotFound(ClientError):
    """No such route, model, response or item, or not this tenant's."""

    status = 404


class MethodNotAllowed(ClientError):
    status = 405
    default_code = "method_not_allowed"


class ConversationNotFound(NotFound):
    """No such conversation, or not this tenant's."""

    def __init__(self, conversation_id: str) -> None:
        super().__init__(f"Conversation with id '{conversation_id}' not found.")


class ConversationLocked(ClientError):
    """Another run has the conversation to itself, or has changed it just now. Not a 409: that is what OpenAI says."""

    default_code = "conversation_locked"

    def __init__(self) -> None:
        super().__init__(
            "Another process is currently operating on this conversation. Please retry in a few seconds.",
            param="conversation",
        )


class DuplicateItem(ClientError):
    """An item of this id is in the conversation already."""

    def __init__(self, item_id: str, *, param: str = "input") -> None:
        super().__init__(
            f"Duplicate item found with id {item_id}. Remove duplicate items from your input and try again.",
            param=param,
        )


class Conflict(ClientError):
    """The request is well formed but the state it acts on has moved on."""

    status = 409


class CannotCount(ClientError):
    """The engine behind the model cannot count the tokens of an input without generating from it."""

    default_code = "unsupported_by_engine"


class PayloadTooLarge(ClientError):
    status = 413
    default_code = "payload_too_large"


class UpgradeRequired(ClientError):
    """The other protocol of this URL has to be used. Clients of WebSocket mode fall back to HTTP at once."""

    status = 426
    default_code = "upgrade_required"


class UnsupportedMediaType(ClientError):
    status = 415
    default_code = "unsupported_media_type"


class TooManyRequests(ClientError):
    """More at a time than one client may ask for."""

    status = 429
    type = "rate_limit_error"
    default_code = "rate_limit_exceeded"


class EngineError(AntiphonError):
    """The engine failed or broke its protocol. The status stays 500: that is what clients of OpenAI's API expect."""

    default_code = "server_error"


class EngineUnavailable(EngineError):
    """The engine cannot take the request now; a later try may succeed."""

    status = 503
    default_code = "server_is_overloaded"


class ServerError(AntiphonError):
    """A failure of Antiphon itself."""

    default_code = "server_error"


class StoreUnavailable(ServerError):
    """The store cannot be read or written now (disk full, locked, gone)."""

    status = 503


class IssuerUnavailable(ServerError):
    """The issuer of tokens cannot be asked for its keys now, so that nobody can tell whether a token is good."""

    status = 503


class SetupError(Exception):
    """Something is missing or wrong at start; the message is one line for a terminal and names the way out."""
