"""What one request came to, for whoever keeps books: a line of the log, a span of a trace.

Nothing in it is what somebody said, nor a key.
"""

from typing import Literal

import msgspec
from msgspec import Struct


class RequestAccount(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One request, or, as `event` says, the end of a response that outlived its request.

    `route` is a template; the `method` of a request over WebSocket is `WEBSOCKET`. `outcome` is what became of the
    response that was made, `delivered` whether its client was there to get the whole answer. `model` is the name it is
    served under, `asked_model` what it was asked for by, where that is another name. `ttft_s` counts from the request
    to the first event that the engine caused.
    """

    event: Literal["request", "response_end"]
    request_id: str
    method: str
    route: str
    status: int
    duration_s: float
    delivered: bool | None = None
    outcome: str | None = None
    error: str | None = None
    tenant: str
    key: str | None = None
    response_id: str | None = None
    conversation_id: str | None = None
    previous_response_id: str | None = None
    model: str | None = None
    asked_model: str | None = None
    upstream: str | None = None
    dialect: str | None = None
    stream: bool = False
    background: bool = False
    input_tokens: int | None = None
    cached_input_tokens: int | None = None
    output_tokens: int | None = None
    ttft_s: float | None = None
    finish_reason: str | None = None
    trace_id: str | None = None

    def __str__(self) -> str:
        """For people, in one line."""
        return " ".join([f"{name}={value}" for name, value in msgspec.to_builtins(self).items()])

    @property
    def is_probe(self) -> bool:
        """Whether it only asked how the server is."""
        return self.route in PROBES and self.status < 400


PROBES = frozenset({"/health", "/live", "/ready", "/metrics"})
