"""The states of a run, as a table: which may follow which, and on what occasion. What is not in it cannot happen."""

from collections.abc import Mapping
from typing import Literal

RunState = Literal["queued", "generating", "waiting", "ending", "over"]

BEGINNING: RunState = "queued"
ENDED: frozenset[RunState] = frozenset({"ending", "over"})
"""Where nothing can be added any more."""

STEPS: Mapping[RunState, Mapping[RunState, str]] = {
    "queued": {
        "generating": "its turn has come",
        "waiting": "taken up again while calls need their outputs",
        "ending": "cancelled, failed or handed over before its turn",
    },
    "generating": {
        "generating": "the conversation was compacted, and the answer comes now",
        "waiting": "calls need their outputs",
        "ending": "answer complete, engine failed, cancelled or handed over",
    },
    "waiting": {
        "generating": "every call has its output",
        "ending": "timed out, evicted, cancelled or handed over",
    },
    "ending": {
        "over": "stored, then its last event is released",
    },
    "over": {},
}


def step(current: RunState, following: RunState) -> RunState:
    """The state that follows. Raises: RuntimeError for one that cannot."""
    if following not in STEPS[current]:
        raise RuntimeError(f"a run that is {current} cannot be {following} next")
    return following
