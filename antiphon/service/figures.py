"""What a service counts about its runs: plain numbers of this process, for whoever renders them.

They change when a run begins, says its first thing and ends, and when a reader comes and goes; never per token.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from typing import Literal

from antiphon.ports import Swept
from antiphon.wire.response import Response

Kind = Literal["foreground", "background"]

FIRST_OUTPUT_BOUNDS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
DURATION_BOUNDS_S = (0.01, 0.05, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0)


class Distribution:
    """How often a measure fell between given bounds; `counts` has one place more than `bounds`, for what is above."""

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def add(self, value: float) -> None:
        """Count one value; a bound belongs to what is below it."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value


class Figures:
    """Runs by kind, their ends by kind and status, their tokens and times, and who reads them now."""

    def __init__(self) -> None:
        self.started: Counter[Kind] = Counter()
        self.ended: Counter[tuple[Kind, str]] = Counter()
        self.input_tokens = 0
        self.cached_input_tokens = 0
        self.output_tokens = 0
        self.readers = 0
        self.swept: Counter[str] = Counter()
        self.stored_bytes: int | None = None
        self.custom_inputs: Counter[str] = Counter()
        self.first_output_s = {kind: Distribution(FIRST_OUTPUT_BOUNDS_S) for kind in KINDS}
        self.duration_s = {kind: Distribution(DURATION_BOUNDS_S) for kind in KINDS}

    def count_sweep(self, swept: Swept) -> None:
        """A sweep is over."""
        self.swept["expired"] += swept.expired
        self.swept["over_quota"] += swept.over_quota
        if swept.stored_bytes is not None:
            self.stored_bytes = swept.stored_bytes

    def count_end(self, response: Response, duration_s: float) -> None:
        """A run has ended, with all that its response says."""
        kind = kind_of(response)
        self.ended[kind, response.status] += 1
        self.duration_s[kind].add(duration_s)
        usage = response.usage
        if usage is not None:
            self.input_tokens += usage.input_tokens
            self.cached_input_tokens += usage.input_tokens_details.cached_tokens
            self.output_tokens += usage.output_tokens


KINDS: tuple[Kind, ...] = ("foreground", "background")


def kind_of(response: Response) -> Kind:
    """Whether a run is tied to its connection."""
    return "background" if response.background else "foreground"
