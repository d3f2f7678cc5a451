"""What a conversation goes on from."""

from collections.abc import Sequence

from msgspec import Struct

from antiphon.wire.items import Item


class PastTurn(Struct, frozen=True):
    """One response of a chain: what went in and what came out, in order; `cut` if it ended incomplete.

    `response_id` is empty for what no response made.
    """

    items: Sequence[Item]
    cut: bool = False
    response_id: str = ""
