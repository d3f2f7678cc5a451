"""Fernet tokens, by way of `cryptography`."""

from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet


class Fernets:
    """What seals with the first of some keys (url-safe base64 of 32 bytes), and opens with all of them."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._fernets = MultiFernet([Fernet(key) for key in keys])

    def encrypt(self, data: bytes) -> str:
        """A token."""
        return self._fernets.encrypt(data).decode()

    def decrypt(self, token: str) -> bytes | None:
        """What is in a token; None if it is none of these keys'."""
        try:
            return self._fernets.decrypt(token.encode())
        except (InvalidToken, UnicodeEncodeError):
            return None
