"""How a client came in, as far as that decides what its response is like."""

from msgspec import Struct


class Manner(Struct, frozen=True, kw_only=True):
    """`dialect` None is the server's own. `azure` gives the response what Azure's schema demands.

    `force_store` stores it whatever its request says, where the server stores at all. `traceparent` is what its work
    is traced under.
    """

    dialect: str | None = None
    azure: bool = False
    force_store: bool = False
    traceparent: str | None = None
