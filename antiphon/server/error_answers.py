"""How an error is told: one envelope, and how long to wait where waiting helps."""

import math
from collections.abc import Mapping

from msgspec import Struct

from antiphon.errors import AntiphonError
from antiphon.wire.dialects import DIALECTS

SHORTEST_WAIT_S, LONGEST_WAIT_S = 1.0, 30.0
"""Clients sleep for as long as they are told: never more than this, and never so little that they crowd back."""


class ErrorStyle(Struct, frozen=True, kw_only=True):
    """`azure`: the error has its `status`, and what Azure says inside it. `tells_wait`: it has `retry_after`."""

    azure: bool = False
    tells_wait: bool = False


PLAIN = ErrorStyle()


def error_style(dialect: str, *, azure: bool) -> ErrorStyle:
    """The style that goes with a dialect, which may be one there is not."""
    known = DIALECTS.get(dialect)
    return ErrorStyle(azure=azure, tells_wait=known is not None and known.tells_wait)


def envelope(error: AntiphonError, style: ErrorStyle = PLAIN) -> dict[str, dict[str, object]]:
    """The body of an error: one key, four fields, none of them ever absent; what the style adds stands behind."""
    fields: dict[str, object] = {
        "message": error.message,
        "type": error.type,
        "param": error.param,
        "code": error.code,
    }
    if style.azure:
        fields["status"] = error.status
        if error.code == "content_filter":
            fields["innererror"] = {"code": "ResponsibleAIPolicyViolation", "content_filter_result": {}}
    wait_s = wait_of(error)
    if style.tells_wait and wait_s is not None:
        fields["retry_after"] = wait_s
    return {"error": fields}


def wait_of(error: AntiphonError) -> float | None:
    """Seconds after which to try again; None where that would be in vain."""
    if error.retry_after_s is None and error.status not in (429, 503):
        return None
    return min(max(error.retry_after_s or 0.0, SHORTEST_WAIT_S), LONGEST_WAIT_S)


def retry_headers(error: AntiphonError) -> Mapping[str, str]:
    """What SDKs read to know whether and when to try again."""
    wait_s = wait_of(error)
    if wait_s is not None:
        return {"retry-after": str(math.ceil(wait_s)), "retry-after-ms": str(round(wait_s * 1000))}
    return {"x-should-retry": "false"} if error.status == 409 else {}  # SDKs would retry it, in vain
