"""Where ids and other randomness come from."""

import secrets
import time


def new_id(prefix: str) -> str:
    """A public id: sorts by time of creation (ms), and holds 128 random bits so that it cannot be guessed."""
    return f"{prefix}_{time.time_ns() // 1_000_000:012x}{secrets.token_hex(16)}"


def noise(length: int) -> str:
    """So many random characters of url-safe base64."""
    return secrets.token_urlsafe(length)[:length]
