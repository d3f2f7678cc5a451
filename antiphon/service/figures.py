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
TOKEN_BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1.0)
DURATION_BOUNDS_S = (0.01, 0.05, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0)

MOST_MODELS = 256
OTHER = "other"
"""What models beyond the first `MOST_MODELS` are counted as."""


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


class Distributions:
    """Distributions over the same bounds by their labels, in the order in which they came up."""

    def __init__(self, bounds: Sequence[float]) -> None:
        self.by_labels: dict[tuple[str, ...], Distribution] = {}
        self._bounds = bounds

    def add(self, labels: tuple[str, ...], value: float) -> None:
        """Count one value."""
        found = self.by_labels.get(labels)
        if found is None:
            found = self.by_labels[labels] = Distribution(self._bounds)
        found.add(value)


class Figures:
    """Runs by kind, their ends by kind and status, their tokens and times by model, and who reads them now.

    A model goes by the name it is served under, never by what a client called it.
    """

    def __init__(self) -> None:
        self.started: Counter[Kind] = Counter()
        self.ended: Counter[tuple[Kind, str]] = Counter()
        self.input_tokens: Counter[str] = Counter()
        self.cached_input_tokens: Counter[str] = Counter()
        self.output_tokens: Counter[str] = Counter()
        self.readers = 0
        self.swept: Counter[str] = Counter()
        self.stored_bytes: int | None = None
        self.illegal_events = 0
        self.custom_inputs: Counter[str] = Counter()
        self.first_output_s = Distributions(FIRST_OUTPUT_BOUNDS_S)
        self.token_s = Distributions(TOKEN_BOUNDS_S)
        self.duration_s = Distributions(DURATION_BOUNDS_S)
        self._models: set[str] = set()

    def count_sweep(self, swept: Swept) -> None:
        """A sweep is over."""
        self.swept["expired"] += swept.expired
        self.swept["over_quota"] += swept.over_quota
        if swept.stored_bytes is not None:
            self.stored_bytes = swept.stored_bytes

    def count_first_output(self, response: Response, model_id: str, since_s: float) -> None:
        """A run has said its first thing."""
        self.first_output_s.add((kind_of(response), self._known(model_id)), since_s)

    def count_end(self, response: Response, model_id: str, *, duration_s: float, speaking_s: float | None) -> None:
        """A run has ended, with all that its response says; `speaking_s` is how long it spoke without a break."""
        kind, model = kind_of(response), self._known(model_id)
        self.ended[kind, response.status] += 1
        self.duration_s.add((kind, model), duration_s)
        usage = response.usage
        if usage is None:
            return
        self.input_tokens[model] += usage.input_tokens
        self.cached_input_tokens[model] += usage.input_tokens_details.cached_tokens
        self.output_tokens[model] += usage.output_tokens
        if speaking_s is not None and usage.output_tokens > 1:
            self.token_s.add((kind, model), speaking_s / (usage.output_tokens - 1))

    def _known(self, model_id: str) -> str:
        """What a model is counted as: servers may come and go with models of any name."""
        if model_id not in self._models and len(self._models) >= MOST_MODELS:
            return OTHER
        self._models.add(model_id)
        return model_id


KINDS: tuple[Kind, ...] = ("foreground", "background")


def kind_of(response: Response) -> Kind:
    """Whether a run is tied to its connection."""
    return "background" if response.background else "foreground"
