"""`python -m bench`: run the benchmark, print the verdicts, write the results; nonzero when a gate is missed."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import uvloop
from msgspec.structs import replace

from bench import report
from bench.contenders.contender import Contender
from bench.contenders.nginx import Nginx
from bench.contenders.ours import Ours, ours
from bench.contenders.python_servers import LiteLLM, Ogx, OpenResponsesServer
from bench.contenders.rust_servers import AgenticApi, CodexRelay, Smg
from bench.figures import OURS, YARDSTICK, Run
from bench.goals import GOALS, INSIDE_VLLM, verdicts
from bench.modes import MODES
from bench.plot import plot
from bench.session import Plan, Session
from bench.vllm_front_end import compare, measure
from tests.vllm.installation import installed

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "bench/results"
DOCUMENT = ROOT / "docs/benchmarks.md"
VLLM_ROUNDS = 5
FULL_BUDGET_S, BRIEF_BUDGET_S = 22 * 60.0, 100.0
_OPTIONAL = {goal.title for goal in GOALS if goal.title.startswith("the same, times")} | {INSIDE_VLLM}  # may be absent


def main(argv: Sequence[str] | None = None) -> int:
    """Run and return the exit code: 0, 1 for a missed gate or a failed check of ours, 2 without the yardstick."""
    arguments = _parser().parse_args(argv)
    if arguments.vllm:
        return compare(arguments.rounds or VLLM_ROUNDS, arguments.results)
    plan = _plan(arguments)
    run = uvloop.run(Session(plan).run())
    if not (arguments.quick or arguments.servers or arguments.modes):
        run = _with_vllm(run)
    if missing := [name for name in (OURS, YARDSTICK) if run.server(name) is None]:
        for name in missing:
            print(f"bench: {name} {run.absent.get(name, 'was not asked for')}", file=sys.stderr)
        return 2
    judged = verdicts(run, brief=arguments.quick)
    text = report.page(run, judged)
    _write(run, text, arguments)
    print("\n" + text)
    missed = [verdict.goal.title for verdict in judged if verdict.word == "miss"]
    unknown = [verdict.goal.title for verdict in judged if verdict.gate is not None and verdict.word == "not measured"]
    unknown = [] if arguments.servers or arguments.modes else [title for title in unknown if title not in _OPTIONAL]
    broken = [line for line in report.faults(run) if line.startswith((f"{OURS}, ", f"{YARDSTICK}, "))]
    for line in (
        *(f"missed: {title}" for title in missed),
        *(f"no sound figure, run it on a quieter machine: {title}" for title in unknown),
        *(f"failed: {line}" for line in broken),
    ):
        print(f"bench: {line}")
    return 1 if missed or unknown or broken else 0


def _with_vllm(run: Run) -> Run:
    """The run, with what the plugin costs inside a vLLM, if one is installed: it is not worth 3 GB by itself."""
    python = installed()
    if python is None:
        return replace(run, absent={**run.absent, "vLLM": "is not installed; make test-vllm does that"})
    return replace(run, inside=measure(python, VLLM_ROUNDS))


def _plan(arguments: argparse.Namespace) -> Plan:
    own = [Ours(arguments.python)] if arguments.quick else ours(arguments.python)
    contenders: list[Contender] = [*own, Nginx()]
    if not arguments.quick:
        contenders += [AgenticApi(), Smg(), CodexRelay()]
        contenders += [OpenResponsesServer(arguments.python), LiteLLM(arguments.python), Ogx()]
    if arguments.servers:
        contenders = [one for one in contenders if one.name in (OURS, YARDSTICK, *arguments.servers.split(","))]
    modes = [mode for mode in MODES if mode.in_brief or not arguments.quick]
    if arguments.modes:
        modes = [mode for mode in MODES if mode.name in arguments.modes.split(",")]
    return Plan(
        contenders=contenders,
        modes=modes,
        rounds=arguments.rounds or 5,
        budget_s=arguments.minutes * 60 if arguments.minutes else BRIEF_BUDGET_S if arguments.quick else FULL_BUDGET_S,
        cache=arguments.cache,
        python=arguments.python,
        brief=arguments.quick,
    )


def _write(run: Run, text: str, arguments: argparse.Namespace) -> None:
    """Results of the usual two runs have their names; those of any other go nowhere unless told where."""
    usual = not (arguments.servers or arguments.modes or arguments.rounds)
    folder: Path | None = arguments.results or (RESULTS if usual else None)
    if folder is None:
        return
    folder.mkdir(parents=True, exist_ok=True)
    name = "quick" if arguments.quick else "full"
    (folder / f"{name}.jsonl").write_bytes(report.json_lines(run))
    (folder / f"{name}.md").write_text(text, encoding="utf-8")
    (folder / f"{name}.svg").write_text(plot(run), encoding="utf-8")
    if folder == RESULTS and not arguments.quick:
        report.put_into(DOCUMENT, text)


def _parser() -> argparse.ArgumentParser:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "antiphon-bench" / "peers"
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__, allow_abbrev=False)
    parser.add_argument("--quick", action="store_true", help="two minutes, ours and nginx")
    parser.add_argument(
        "--vllm", action="store_true", help="only the plugin beside vLLM's own endpoints, on a real vLLM"
    )
    parser.add_argument("--servers", metavar="NAME,…", help="only these beside ours and nginx")
    parser.add_argument("--modes", metavar="NAME,…", help="only these: " + ", ".join(mode.name for mode in MODES))
    parser.add_argument(
        "--python",
        metavar="PATH",
        default=sys.executable,
        help="the interpreter of the servers in Python, ours too; default: this one",
    )
    parser.add_argument("--rounds", type=int, metavar="N", help="default 5")
    parser.add_argument("--minutes", type=float, metavar="N", help="begin no round that would end later; default 22")
    parser.add_argument("--results", type=Path, metavar="DIR", help="where to write; default bench/results")
    parser.add_argument("--cache", type=Path, metavar="DIR", default=cache, help=f"peers' environments ({cache})")
    return parser


if __name__ == "__main__":
    sys.exit(main())
