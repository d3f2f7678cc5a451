"""The tree of errors against OpenAI's table of statuses, types and codes."""

from collections.abc import Iterator
from typing import get_args

import pytest
from openai.types.responses import ResponseError

from antiphon import errors
from antiphon.core.failure import RESPONSE_ERROR_CODES
from antiphon.errors import AntiphonError

INVALID, SERVER = "invalid_request_error", "server_error"

TYPES: dict[int, set[str]] = {
    400: {INVALID},
    401: {INVALID, "authentication_error"},
    403: {INVALID, "permission_error"},
    404: {INVALID},
    405: {INVALID},
    409: {INVALID},
    413: {INVALID},
    415: {INVALID},
    426: {INVALID},
    429: {"tokens", "requests", "rate_limit_error", "insufficient_quota"},
    500: {SERVER},
    503: {SERVER, "service_unavailable_error"},
}
"""By status: the types that OpenAI's errors have. 422 is none of its."""

CODES: dict[str, tuple[int, str | None]] = {
    "InvalidRequest": (400, "invalid_value"),
    "PreviousResponseNotFound": (400, "previous_response_not_found"),
    "ContextLengthExceeded": (400, "context_length_exceeded"),
    "ContentFiltered": (400, "content_filter"),
    "ConversationLocked": (400, "conversation_locked"),
    "ConversationNotFound": (404, None),
    "DuplicateItem": (400, None),
    "Unauthorized": (401, "invalid_api_key"),
    "NotFound": (404, None),
    "MethodNotAllowed": (405, "method_not_allowed"),
    "Conflict": (409, None),
    "PayloadTooLarge": (413, "payload_too_large"),
    "UnsupportedMediaType": (415, "unsupported_media_type"),
    "TooManyRequests": (429, "rate_limit_exceeded"),
    "EngineError": (500, "server_error"),
    "EngineUnavailable": (503, "server_is_overloaded"),
    "ServerError": (500, "server_error"),
    "StoreUnavailable": (503, "server_error"),
}
"""Status and code of what can go wrong, where OpenAI's API has a word for it."""


def tree(root: type[AntiphonError] = AntiphonError) -> Iterator[type[AntiphonError]]:
    yield root
    for branch in root.__subclasses__():
        yield from tree(branch)


@pytest.mark.parametrize("kind", list(tree()), ids=lambda kind: kind.__name__)
def test_every_error_has_a_type_that_goes_with_its_status(kind: type[AntiphonError]) -> None:
    assert kind.type in TYPES[kind.status]


@pytest.mark.parametrize(("name", "told"), CODES.items())
def test_what_goes_wrong_has_openais_status_and_code(name: str, told: tuple[int, str | None]) -> None:
    kind = getattr(errors, name)
    assert (kind.status, kind.default_code) == told


def test_every_code_that_clients_know_of_a_failed_response_can_be_told() -> None:
    known = set(get_args(ResponseError.model_fields["code"].annotation))
    assert known
    hosted_only = {"bio_policy", "data_residency_mismatch", "misalignment_policy_violation"}
    assert known - RESPONSE_ERROR_CODES <= hosted_only, "of the policies of a hosted service"
