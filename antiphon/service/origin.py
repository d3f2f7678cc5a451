"""What a new response goes on from."""

from collections.abc import Sequence

from msgspec import Struct

from antiphon.core.past_turn import PastTurn
from antiphon.ports import ConversationPlace


class Origin(Struct, frozen=True):
    """`turns` of a stored chain, remembered ones, or those of a conversation."""

    turns: Sequence[PastTurn]
    place: ConversationPlace | None = None
    is_remembered: bool = False
