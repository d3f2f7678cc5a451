"""The modes: what is asked of every server, and how. One row each."""

from typing import Literal

from msgspec import Struct

from bench.marks import Wish

Style = Literal["http", "chain", "websocket", "resume"]


class Mode(Struct, frozen=True, kw_only=True):
    """`streams` at a time, each `requests` times in a row. `per`: what its figure is divided by.

    With `in_brief` it belongs to the quick run; `own_only` servers are ours, for nobody else has that feature.
    """

    name: str
    title: str
    wish: Wish
    streams: int
    requests: int = 1
    style: Style = "http"
    per: Literal["token", "request"] = "token"
    in_brief: bool = False
    own_only: bool = False

    @property
    def paced_s(self) -> float:
        """How long it takes if nothing delays it."""
        return self.requests * self.wish.tokens * self.wish.interval_ms / 1000

    @property
    def offered_per_s(self) -> float:
        """Tokens a second that the upstream offers; 0 where it is not paced."""
        return self.streams * 1000 / self.wish.interval_ms if self.wish.interval_ms else 0.0


MODES = (
    Mode(
        name="short",
        title="16-token requests",
        wish=Wish("text", 16, 0),
        streams=4,
        requests=60,
        per="request",
        in_brief=True,
    ),
    Mode(name="c1", title="1 x 10 ms", wish=Wish("text", 120, 10), streams=1),
    Mode(name="32x10", title="32 x 10 ms", wish=Wish("text", 200, 10), streams=32, in_brief=True),
    Mode(name="256x10", title="256 x 10 ms", wish=Wish("text", 150, 10), streams=256, in_brief=True),
    Mode(name="delay0", title="8 x delay 0", wish=Wish("text", 1000, 0), streams=8),
    Mode(name="tools", title="tool calls, 32 x 10 ms", wish=Wish("tools", 120, 10), streams=32),
    Mode(name="reasoning", title="reasoning, 32 x 10 ms", wish=Wish("reasoning", 120, 10), streams=32),
    Mode(
        name="chains",
        title="stored chains of 10 turns",
        wish=Wish("text", 16, 0),
        streams=4,
        requests=10,
        style="chain",
        per="request",
    ),
    Mode(
        name="websocket",
        title="WebSocket, 32 x 10 ms",
        wish=Wish("text", 120, 10),
        streams=32,
        style="websocket",
        own_only=True,
    ),
    Mode(
        name="resume",
        title="resume at half, 32 x 10 ms",
        wish=Wish("text", 120, 10),
        streams=32,
        style="resume",
        own_only=True,
    ),
)

# Not part of the rounds: what is counted or watched once.
SYSCALLS = Mode(name="syscalls", title="system calls, 4 x 10 ms", wish=Wish("text", 600, 10), streams=4)
SYSCALLS_TIMES = 3
WARM_UP = Mode(name="warm-up", title="warm-up", wish=Wish("text", 16, 0), streams=4, requests=10)
STORED = Mode(name="stored", title="stored responses", wish=Wish("text", 16, 0), streams=4, requests=125)
STORED_TIMES = 4  # 4 x 4 x 125 = 2,000 responses
