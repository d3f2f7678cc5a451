"""Where ids and other randomness come from.

Ids are made a few times per request, in the event loop, and asking the system for randomness lets go of the
interpreter each time, for a thread that waits for it to take; so it is asked for many ids at once.
"""

import os
import secrets
import time

_HEX_PER_ID = 32  # 128 bits
_IDS_AT_ONCE = 128


class _Randomness:
    """Random hexadecimal digits, each given once. For one thread; a forked process begins anew."""

    def __init__(self) -> None:
        self._digits = ""
        self._next = 0
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self.forget)

    def forget(self) -> None:
        """Give none of what is at hand any more."""
        self._digits = ""
        self._next = 0

    def take(self) -> str:
        """The digits of one id."""
        first = self._next
        if first >= len(self._digits):
            self._digits = secrets.token_hex(_HEX_PER_ID * _IDS_AT_ONCE // 2)
            first = 0
        self._next = first + _HEX_PER_ID
        return self._digits[first : self._next]


_randomness = _Randomness()


def new_id(prefix: str) -> str:
    """A public id: sorts by time of creation (ms), and holds 128 random bits so that it cannot be guessed.

    For the thread of the event loop.
    """
    return f"{prefix}_{time.time_ns() // 1_000_000:012x}{_randomness.take()}"


def noise(length: int) -> str:
    """So many random characters of url-safe base64."""
    return secrets.token_urlsafe(length)[:length]
