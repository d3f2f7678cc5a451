"""Payloads that differ in nothing but a text, as the store keeps them."""

from collections.abc import Sequence
from itertools import count

from msgspec import Struct

from antiphon.core.open_items import Form
from antiphon.wire.unknown import encode_lines


class Spoken(Struct, frozen=True, array_like=True):
    """Consecutive payloads that are texts in one form, whose head and tail these are."""

    head: bytes
    tail: bytes
    texts: Sequence[str]

    def payloads(self, number: int) -> list[bytes]:
        """The payloads, the first of which has this number. A line of JSON has no line break in it."""
        form, lines = Form(self.head, self.tail), encode_lines(self.texts).split(b"\n")
        return [form.payload(line, at) for at, line in zip(count(number), lines[: len(self.texts)], strict=False)]
