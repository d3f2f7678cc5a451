"""How long to wait for a server."""

from msgspec import Struct


class Patience(Struct, frozen=True):
    """How long to wait, in seconds: for the head before `prepare` returns, for the first token, and for each next."""

    head_wait_s: float
    first_token_timeout_s: float
    idle_timeout_s: float
