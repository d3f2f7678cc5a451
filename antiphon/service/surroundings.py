"""What every run of a server shares."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from msgspec import Struct, field

from antiphon.ports import Engine, ResponseStore
from antiphon.service.figures import Figures
from antiphon.service.turns import Turns


class Surroundings(Struct, frozen=True):
    """`background` admits background runs to the engine, in their order.

    `most_bytes` bounds what one run may generate, `most_event_bytes` one piece of it. With `checks_events` every event
    is checked against the grammar before it is sent.
    """

    engine: Engine
    store: ResponseStore
    clock: Callable[[], float]
    background: AbstractAsyncContextManager[None]
    tool_wait_s: float
    disconnect_grace_s: float = 0.0
    most_bytes: int = 64 * 2**20
    most_event_bytes: int = 4 * 2**20
    checks_events: bool = False
    figures: Figures = field(default_factory=Figures)
    turns: Turns = field(default_factory=Turns)
