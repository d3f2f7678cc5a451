"""A run as text: verdicts for the terminal, tables for the documentation, JSON lines for the record."""

from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

import msgspec

from bench import inside_vllm
from bench.figures import (
    DIRECT,
    OURS,
    YARDSTICK,
    Figure,
    Run,
    calls_per_token,
    cores,
    delivered,
    ms_per_request,
    p50,
    p99,
    us_per_token,
)
from bench.goals import Verdict
from bench.measurement import Row
from bench.modes import MODES, Mode

BEGIN, END = "<!-- results: written by `make bench` -->", "<!-- end of results -->"


def json_lines(run: Run) -> bytes:
    """The whole run: a line about it, one per server, one per measurement."""
    encode = msgspec.json.encode
    head = encode({"about": run.about, "absent": run.absent})
    return b"".join(line + b"\n" for line in (head, *map(encode, [*run.servers, *run.rows, *run.inside])))


def goal_table(verdicts: Sequence[Verdict]) -> str:
    """Each goal with figure, range, bounds and verdict, as a Markdown table."""
    lines = ["| goal | figure | range | gate | moonshot | |", "|---|---|---|---|---|---|"]
    for verdict in verdicts:
        goal, figure = verdict.goal, verdict.figure
        sign = "≥" if goal.at_least else "≤"
        bounds = [f"{sign} {_number(bound)}" if bound is not None else "" for bound in (verdict.gate, goal.moonshot)]
        word = f"{verdict.word}, moonshot" if verdict.reaches_moonshot else verdict.word
        lines.append(f"| {goal.title} | {_value(figure)} | {_range(figure)} | {bounds[0]} | {bounds[1]} | {word} |")
    return "\n".join(lines)


def server_table(run: Run) -> str:
    """One row per server: the main figures."""
    lines = [
        "| server | version | CPU per token, 32 x 10 ms, times nginx | µs | 256 x 10 ms, times nginx | µs | cores "
        "| delivered | ms CPU per 16-token request | added ms at 32, p50 / p99 | at 256, p50 / p99 "
        "| MB at start / after | KB per open stream | read and write calls per token | does |",
        "|---" * 15 + "|",
    ]
    for server in run.servers:
        name = server.name
        after = max((row.rss_after for row in run.rows if row.server == name), default=0)
        cells = (
            name,
            server.version,
            _spread(run.ratio("32x10", us_per_token, name)),
            _value(run.figure(name, "32x10", us_per_token)),
            _spread(run.ratio("256x10", us_per_token, name)),
            _value(run.figure(name, "256x10", us_per_token)),
            _value(run.figure(name, "256x10", cores)),
            _value(run.service(name, "256x10", delivered)),
            _spread(run.figure(name, "short", ms_per_request)),
            _pair(run, name, "32x10"),
            _pair(run, name, "256x10"),
            f"{server.rss_at_start / 2**20:.0f} / {after / 2**20:.0f}",
            _value(run.kilobytes_per_stream(name)),
            _value(run.figure(name, "syscalls", calls_per_token)),
            server.note,
        )
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def mode_table(run: Run) -> str:
    """CPU in every mode, as a multiple of nginx's in the same round; where nginx has none, in absolute figures."""
    modes = [mode for mode in MODES if any(row.mode == mode.name for row in run.rows)]
    names = [server.name for server in run.servers]
    lines = ["| mode | " + " | ".join(names) + " |", "|---|" + "---|" * len(names)]
    for mode in modes:
        lines.append(f"| {mode.title} | " + " | ".join(_mode_cell(run, name, mode) for name in names) + " |")
    return "\n".join(lines)


def faults(run: Run) -> list[str]:
    """A line for each server and mode that failed a check."""
    lines = dict[str, None]()
    for row in run.rows:
        if row.faults:
            lines[f"{row.server}, {row.mode}: {row.faults[0]}"] = None
    return list(lines)


def out_of_step(run: Run) -> list[str]:
    """A line for each server and mode whose tokens came in heaps, which makes each of them cheaper."""
    lines = []
    for server, mode in dict.fromkeys((row.server, row.mode) for row in run.rows if row.server != DIRECT):
        if late := run.out_of_step(server, mode):
            kept = "left out" if server in (OURS, YARDSTICK) else "flattered"
            merged = median(row.merged for row in late)
            share = f"{len(late)} of {len(run.of(server, mode))} rounds"
            lines.append(f"{server}, {mode}: {share}, {merged:.1f} tokens a read, {kept}")
    return lines


def page(run: Run, verdicts: Sequence[Verdict]) -> str:
    """All of it as Markdown."""
    parts = [
        "\n".join(f"- {name}: {value}" for name, value in run.about.items()),
        "### Goals\n\n" + goal_table(verdicts),
        "### Servers\n\n" + server_table(run),
        "### CPU by mode, times nginx\n\n" + mode_table(run),
    ]
    if run.inside:
        parts.append("### Inside vLLM\n\n" + inside_vllm.table(run.inside))
    if run.absent:
        parts.append("Absent: " + "; ".join(f"{name} ({_one_line(why)})" for name, why in run.absent.items()) + ".")
    if late := out_of_step(run):
        parts.append(
            "Out of step (the machine or the server was too slow):\n\n" + "\n".join(f"- {line}" for line in late)
        )
    if failed := faults(run):
        parts.append(
            "Failed checks, left out of the figures:\n\n" + "\n".join(f"- {_one_line(line)}" for line in failed)
        )
    return "\n\n".join(parts) + "\n"


def put_into(document: Path, text: str) -> None:
    """Replace what stands between the marks of `document`."""
    before, _, rest = document.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    document.write_text(f"{before}{BEGIN}\n\n{text}\n{END}{after}", encoding="utf-8")


def _mode_cell(run: Run, name: str, mode: Mode) -> str:
    value: Callable[[Row], float] = us_per_token if mode.per == "token" else ms_per_request
    if figure := run.ratio(mode.name, value, name):
        return _spread(figure)
    if figure := run.figure(name, mode.name, value):
        return f"{_value(figure)} {'µs/token' if mode.per == 'token' else 'ms/request'}"
    return "failed" if run.failed(name, mode.name) else "-"


def _pair(run: Run, name: str, mode: str) -> str:
    low, high = run.added_ms(name, mode, p50), run.added_ms(name, mode, p99)
    return f"{_value(low)} / {_value(high)}"


def _spread(figure: Figure | None) -> str:
    return f"{_value(figure)} ({_range(figure)})" if figure is not None else "-"


def _value(figure: Figure | None) -> str:
    return _number(figure.value) if figure is not None else "-"


def _range(figure: Figure | None) -> str:
    return f"{_number(figure.low)} to {_number(figure.high)}" if figure is not None else ""


def _number(value: float) -> str:
    size = abs(value)
    return (
        f"{value:.0f}"
        if size >= 100
        else f"{value:.1f}"
        if size >= 10
        else f"{value:.2f}"
        if size >= 0.2
        else f"{value:.3f}"
    )


def _one_line(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")[:240]
