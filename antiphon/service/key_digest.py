"""API keys: how they are made, and what is kept of them.

A key of ours is 32 random bytes, so one round of SHA-256 cannot be searched through; a slow hash would add nothing but
a cost to each request.
"""

import hashlib
import secrets

PREFIX = "ak_"


def new_key() -> str:
    """A key that nobody can guess."""
    return PREFIX + secrets.token_urlsafe(32)


def digest_of(key: str) -> bytes:
    """What is kept in place of a key."""
    return hashlib.sha256(key.encode()).digest()
