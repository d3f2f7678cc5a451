"""What reasoning amounts to when it closes."""

from msgspec import Struct


class Conclusion(Struct, frozen=True, kw_only=True):
    """A summary for people, and the text sealed for a later turn."""

    summary: str | None = None
    encrypted_content: str | None = None
