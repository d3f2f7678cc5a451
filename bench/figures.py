"""From the rows of a run to figures: each a median over rounds, with its range.

Ratios are taken within a round and a mode, where both servers ran moments apart on the same machine.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import median

from msgspec import Struct

from bench.inside_vllm import OURS as PLUGIN
from bench.inside_vllm import Row as InsideRow
from bench.inside_vllm import ratios
from bench.measurement import Row

YARDSTICK, OURS, DIRECT = "nginx", "antiphon", "no server between"


class Figure(Struct, frozen=True):
    """A median and the range it comes from."""

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Iterable[float]) -> "Figure | None":
        found = sorted(values)
        return cls(median(found), found[0], found[-1]) if found else None


class Server(Struct, frozen=True, kw_only=True):
    """What is known of a server as a whole, in bytes and seconds."""

    name: str
    note: str
    version: str
    start_s: float
    rss_at_start: int


class Run(Struct, frozen=True, kw_only=True):
    """Everything a run measured. `absent`: a reason for each server that did not take part.

    `inside` are the measurements within vLLM, if there was one.
    """

    about: Mapping[str, str]
    servers: Sequence[Server]
    absent: Mapping[str, str]
    rows: Sequence[Row]
    inside: Sequence[InsideRow] = ()

    def of(self, server: str, mode: str) -> list[Row]:
        """The rows of one server in one mode, failed ones left out."""
        return [row for row in self.rows if row.server == server and row.mode == mode and not row.faults]

    def costs(self, server: str, mode: str) -> list[Row]:
        """Those whose CPU figures count. Ours and the yardstick's must be in step; others may be flattered."""
        return [row for row in self.of(server, mode) if row.in_step or server not in (OURS, YARDSTICK)]

    def out_of_step(self, server: str, mode: str) -> list[Row]:
        return [row for row in self.of(server, mode) if not row.in_step]

    def failed(self, server: str, mode: str) -> list[Row]:
        return [row for row in self.rows if row.server == server and row.mode == mode and row.faults]

    def figure(self, server: str, mode: str, value: Callable[[Row], float]) -> Figure | None:
        """The `value` of rows whose costs count."""
        return Figure.of(value(row) for row in self.costs(server, mode))

    def service(self, server: str, mode: str, value: Callable[[Row], float]) -> Figure | None:
        """A `value` that means something at any pace."""
        return Figure.of(value(row) for row in self.of(server, mode))

    def ratio(self, mode: str, value: Callable[[Row], float], server: str, to: str = YARDSTICK) -> Figure | None:
        """How many times the `value` of another server this one has, round by round."""
        others = {row.round: value(row) for row in self.costs(to, mode)}
        return Figure.of(value(row) / others[row.round] for row in self.costs(server, mode) if others.get(row.round))

    def added_ms(self, server: str, mode: str, value: Callable[[Row], float]) -> Figure | None:
        """A latency without what the load itself takes, in milliseconds."""
        direct = {row.round: value(row) for row in self.of(DIRECT, mode)}
        return Figure.of(
            (value(row) - direct[row.round]) / 1000 for row in self.of(server, mode) if row.round in direct
        )

    def kilobytes_per_stream(self, server: str) -> Figure | None:
        """What a stream adds to memory while it is open, in the first round: later ones find memory that is free."""
        rows = [row for row in self.of(server, "256x10") if row.round == 1]
        return Figure.of(max(0, row.rss_peak - row.rss_before) / 1024 / max(1, row.requests) for row in rows)

    def inside_vllm(self) -> Figure | None:
        """CPU per token of the plugin, times that of vLLM's own endpoint."""
        return Figure.of(ratios(self.inside, PLUGIN))

    def server(self, name: str) -> Server | None:
        return next((server for server in self.servers if server.name == name), None)


def us_per_token(row: Row) -> float:
    return row.us_per_token


def ms_per_request(row: Row) -> float:
    return row.ms_per_request


def cores(row: Row) -> float:
    return row.cpu_ns / 1e9 / row.wall_s if row.wall_s else 0.0


def p50(row: Row) -> float:
    return row.latency_p50_us


def p99(row: Row) -> float:
    return row.latency_p99_us


def delivered(row: Row) -> float:
    return row.delivered


def calls_per_token(row: Row) -> float:
    return (row.read_write_calls or 0) / max(1, row.tokens)
