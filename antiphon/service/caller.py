"""Who asks."""

from msgspec import Struct


class Caller(Struct, frozen=True, kw_only=True):
    """A client as the service knows it: `tenant` owns all that it makes and sees.

    `credentials` is its header `Authorization`, kept only where engines may be shown it.
    """

    tenant: str = "default"
    credentials: str | None = None


ANYBODY = Caller()
"""A client of a server that asks for no key."""
