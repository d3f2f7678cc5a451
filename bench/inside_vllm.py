"""What was measured within vLLM's server process: rows, ratios, and a table of them."""

import statistics
from collections.abc import Sequence

from msgspec import Struct

from tests.vllm.installation import VERSION

STREAMS, TOKENS, STEP_MS = 16, 300, 10
GATE, MOONSHOT = 0.8, 0.6
OURS, UNSTORED = "plugin, /v1/responses", "the same, store: false"
THEIRS, CHAT = "vLLM's own /v1/responses", "vLLM's /v1/chat/completions"
_ORDER = (OURS, UNSTORED, THEIRS, CHAT)


class Row(Struct, frozen=True):
    """One endpoint in one round."""

    round: int
    endpoint: str
    tokens: int
    events: int  # that brought text; fewer than tokens where a busy server gives several at once, at less cost each
    cpu_ns: int

    @property
    def us_per_token(self) -> float:
        return self.cpu_ns / 1000 / self.tokens


def ratios(rows: Sequence[Row], endpoint: str) -> list[float]:
    """What a token costs there, times what it costs at vLLM's own `/v1/responses` in the same round."""
    theirs = {row.round: row.us_per_token for row in rows if row.endpoint == THEIRS}
    return [row.us_per_token / theirs[row.round] for row in rows if row.endpoint == endpoint]


def table(rows: Sequence[Row]) -> str:
    """The figures in Markdown."""
    load = f"{STREAMS} streams of {TOKENS} tokens, one each per {STEP_MS} ms"
    lines = [
        f"vLLM {VERSION}, {load}, median and range of {max(row.round for row in rows)} rounds",
        "",
        "| endpoint | µs of the server process per token | times vLLM's own | tokens per event |",
        "|---|---|---|---|",
    ]
    for name in (name for name in _ORDER if any(row.endpoint == name for row in rows)):
        cost = statistics.median(row.us_per_token for row in rows if row.endpoint == name)
        merged = statistics.median(row.tokens / row.events for row in rows if row.endpoint == name)
        times = ratios(rows, name)
        spread = f"{statistics.median(times):.2f} ({min(times):.2f} to {max(times):.2f})"
        lines.append(f"| {name} | {cost:.1f} | {spread} | {merged:.2f} |")
    return "\n".join(lines)
