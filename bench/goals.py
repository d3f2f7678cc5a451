"""What is to be reached: one row per goal. A release gate that is missed fails the run.

`slack` is what the quick run multiplies a gate by, for it has few rounds and may have neighbours on the machine; goals
without it are not gated there.
"""

from collections.abc import Callable, Sequence

from msgspec import Struct

from bench.figures import (
    OURS,
    Figure,
    Run,
    calls_per_token,
    cores,
    delivered,
    ms_per_request,
    p50,
    us_per_token,
)
from bench.inside_vllm import GATE, MOONSHOT
from bench.modes import STORED_TIMES

INSIDE_VLLM = "inside vLLM, CPU per token, times its own /v1/responses"


class Goal(Struct, frozen=True, kw_only=True):
    """`gate` None: wished for, not demanded. With `at_least` more is better, else less."""

    title: str
    figure: Callable[[Run], Figure | None]
    gate: float | None
    moonshot: float | None
    slack: float | None = None
    at_least: bool = False

    def met(self, figure: Figure, bound: float) -> bool:
        return figure.value >= bound if self.at_least else figure.value <= bound


class Verdict(Struct, frozen=True):
    """A goal and what became of it: pass, miss, no gate, or not measured."""

    goal: Goal
    gate: float | None
    figure: Figure | None
    word: str
    reaches_moonshot: bool


def verdicts(run: Run, *, brief: bool) -> list[Verdict]:
    """Judge a run; `brief` is the quick one."""
    return [_verdict(goal, run, brief) for goal in GOALS if not brief or goal.slack is not None]


def _verdict(goal: Goal, run: Run, brief: bool) -> Verdict:
    gate = goal.gate
    if gate is not None and brief and goal.slack is not None:
        gate = gate * goal.slack
    figure = goal.figure(run)
    if figure is None:
        return Verdict(goal, gate, None, "not measured", False)
    moonshot = goal.moonshot is not None and goal.met(figure, goal.moonshot)
    if gate is None:
        return Verdict(goal, gate, figure, "no gate", moonshot)
    return Verdict(goal, gate, figure, "pass" if goal.met(figure, gate) else "miss", moonshot)


def _against(server: str) -> Callable[[Run], Figure | None]:
    return lambda run: run.ratio("32x10", us_per_token, OURS, server)


def _start_s(run: Run) -> Figure | None:
    server = run.server(OURS)
    return Figure.of([server.start_s] if server else [])


def _megabytes_at_start(run: Run) -> Figure | None:
    server = run.server(OURS)
    return Figure.of([server.rss_at_start / 2**20] if server else [])


def _megabytes_grown(run: Run) -> Figure | None:
    """From after the first quarter of the stored responses to after the last, less what one sample may be off by."""
    rows = run.of(OURS, "stored")
    return Figure.of([(rows[-1].rss_after - rows[0].rss_after) / 2**20] if len(rows) == STORED_TIMES + 1 else [])


GOALS: Sequence[Goal] = (
    Goal(
        title="CPU per token, 32 x 10 ms, times nginx",
        figure=lambda run: run.ratio("32x10", us_per_token, OURS),
        gate=5.0,
        moonshot=2.5,
        slack=1.2,
    ),
    Goal(
        title="CPU per token, 256 x 10 ms, times nginx",
        figure=lambda run: run.ratio("256x10", us_per_token, OURS),
        gate=5.0,
        moonshot=2.5,
    ),
    Goal(title="the same, times agentic-api, stored", figure=_against("agentic-api, stored"), gate=0.7, moonshot=0.3),
    Goal(title="the same, times smg", figure=_against("smg"), gate=0.9, moonshot=0.45),
    Goal(title="the same, times codex-relay", figure=_against("codex-relay"), gate=1.1, moonshot=0.55),
    Goal(
        title="the same, times open-responses-server",
        figure=_against("open-responses-server"),
        gate=1 / 5,
        moonshot=1 / 12,
    ),
    Goal(title="the same, times ogx", figure=_against("ogx"), gate=1 / 9, moonshot=1 / 20),
    Goal(title="the same, times litellm", figure=_against("litellm"), gate=1 / 9, moonshot=1 / 20),
    Goal(title="the same, times litellm, bridge", figure=_against("litellm, bridge"), gate=1 / 20, moonshot=1 / 45),
    Goal(
        title="ms CPU per stored 16-token request",
        figure=lambda run: run.figure(OURS, "short", ms_per_request),
        gate=0.8,
        moonshot=0.25,
    ),
    Goal(
        title="CPU per stored 16-token request, times nginx",
        figure=lambda run: run.ratio("short", ms_per_request, OURS),
        gate=13.0,
        moonshot=4.0,
        slack=1.5,
    ),
    Goal(
        title="256 x 10 ms: share of the offered tokens",
        figure=lambda run: run.service(OURS, "256x10", delivered),
        gate=0.95,
        moonshot=None,
        at_least=True,
    ),
    Goal(
        title="256 x 10 ms: cores",
        figure=lambda run: run.figure(OURS, "256x10", cores),
        gate=0.5,
        moonshot=0.35,
    ),
    Goal(
        title="256 x 10 ms: ms of latency added, p50",
        figure=lambda run: run.added_ms(OURS, "256x10", p50),
        gate=None,
        moonshot=2.0,
    ),
    Goal(
        title="read and write calls per token",
        figure=lambda run: run.figure(OURS, "syscalls", calls_per_token),
        gate=2.1,
        moonshot=None,
        slack=1.0,
    ),
    Goal(title="MB at start", figure=_megabytes_at_start, gate=64, moonshot=40, slack=1.0),
    Goal(title="MB grown over 2,000 stored responses", figure=_megabytes_grown, gate=2, moonshot=0.5),
    Goal(
        title="KB per open stream",
        figure=lambda run: run.kilobytes_per_stream(OURS),
        gate=None,
        moonshot=30,
    ),
    Goal(title=INSIDE_VLLM, figure=lambda run: run.inside_vllm(), gate=GATE, moonshot=MOONSHOT),
    Goal(title="seconds from start to ready", figure=_start_s, gate=2.0, moonshot=0.5),
)
