"""One request as far as it has come, from its arrival until the account of it is given."""

import re
from collections.abc import Mapping

from antiphon.core.grammar import Call
from antiphon.core.request_account import RequestAccount
from antiphon.errors import AntiphonError
from antiphon.ports import ResponseSpan
from antiphon.service.caller import ANYBODY, Caller
from antiphon.service.run import Run
from antiphon.service.stored_log import UNFINISHED

UNMATCHED = "unmatched"
"""The route of requests that match none."""
WEBSOCKET = "WEBSOCKET"
"""The method of requests over WebSocket."""
CLIENT_GONE = 499
"""The status of requests whose client left before it was answered."""

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", WEBSOCKET})
"""Any other is `other`: clients may write what they like."""

_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")


class RequestRecord:
    """Whoever learns something of the request notes it here. `run` makes the response that it asked for.

    `delivered`: the client was there until the end of the answer.
    """

    __slots__ = (
        "began_at",
        "caller",
        "delivered",
        "error",
        "method",
        "path_params",
        "request_id",
        "route",
        "run",
        "span",
        "status",
        "stream",
    )

    def __init__(self, method: str, request_id: str, began_at: float) -> None:
        self.method = method if method in METHODS else "other"
        self.request_id = request_id
        self.began_at = began_at
        self.route = UNMATCHED
        self.path_params: Mapping[str, str] = {}
        self.caller: Caller = ANYBODY
        self.status: int | None = None
        self.delivered = False
        self.stream = False
        self.error: AntiphonError | None = None
        self.run: Run | None = None
        self.span: ResponseSpan | None = None

    def account(self, now: float, *, is_late: bool = False) -> RequestAccount:
        """What it came to by now. `is_late`: of the response alone, whose request is long answered."""
        run = self.run
        made = _of_run(run, self.began_at) if run is not None else {"response_id": self._named_id()}
        return RequestAccount(
            event="response_end" if is_late else "request",
            request_id=self.request_id,
            method=self.method,
            route=self.route,
            status=self.status or CLIENT_GONE,
            duration_s=round(max(0.0, now - self.began_at), 6),
            delivered=self.delivered,
            error=_code(self.error) or (_failure(run) if run is not None else None),
            tenant=self.caller.tenant,
            key=self.caller.key_name,
            stream=self.stream,
            trace_id=self.span.trace_id if self.span is not None else None,
            **made,
        )

    def _named_id(self) -> str | None:
        """The response that the path names, where that can be an id."""
        named = self.path_params.get("response_id", "")
        return named if _ID.fullmatch(named) else None


def _of_run(run: Run, since: float) -> dict[str, object]:
    response, usage = run.response, run.response.usage
    place = response.conversation
    first = run.first_output_at
    return {
        "response_id": response.id,
        "conversation_id": place.id if place else None,
        "previous_response_id": response.previous_response_id,
        "model": run.work.model.id,
        "asked_model": response.model if response.model != run.work.model.id else None,
        "upstream": run.upstream,
        "dialect": run.work.dialect.name,
        "background": response.background,
        "outcome": response.status,
        "input_tokens": usage.input_tokens if usage else None,
        "cached_input_tokens": usage.input_tokens_details.cached_tokens if usage else None,
        "output_tokens": usage.output_tokens if usage else None,
        "ttft_s": None if first is None else round(max(0.0, first - since), 6),
        "finish_reason": _finish_reason(run),
    }


def _finish_reason(run: Run) -> str | None:
    """Why the model stopped, in the words of traces; None while it has not."""
    response = run.response
    if response.status in UNFINISHED:
        return None
    if response.status == "incomplete":
        reason = response.incomplete_details.reason if response.incomplete_details else None
        return {"max_output_tokens": "length"}.get(reason or "", reason)
    if response.status == "completed":
        return "tool_calls" if response.output and isinstance(response.output[-1], Call) else "stop"
    return {"failed": "error"}.get(response.status, response.status)


def _failure(run: Run) -> str | None:
    error = run.response.error
    return error.code if error else None


def _code(error: AntiphonError | None) -> str | None:
    return None if error is None else error.code or error.type
