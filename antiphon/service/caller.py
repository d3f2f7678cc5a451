"""Who asks."""

from msgspec import Struct


class Caller(Struct, frozen=True, kw_only=True):
    """A client as the service knows it: `tenant` owns all that it makes and sees."""

    tenant: str = "default"


ANYBODY = Caller()
"""A client of a server that asks for no key."""
