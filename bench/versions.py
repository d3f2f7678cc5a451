"""`python -m bench.versions before=PYTHON after=PYTHON`: versions of this server beside each other, as ratios.

Each version is an interpreter whose environment has it installed, with variables after it that only this server gets:
`name=PYTHON,VARIABLE=value`. All are up at once, loads take turns in a shuffled order, and a ratio is that of two loads
of one round, so that a busy machine slows both alike. Nothing is gated and nothing written. The same version under two
names shows what the ratios are worth.
"""

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import uvloop
from msgspec.structs import replace

from bench.contenders.contender import Absent, Command, Contender, Variant
from bench.contenders.nginx import Nginx
from bench.contenders.ours import environment, serve
from bench.figures import YARDSTICK, Figure, Run, ms_per_request, us_per_token
from bench.modes import MODES, Mode
from bench.session import Plan, Session

_VERSIONS = "the first is what the others are measured by"


class Version:
    """This server, as an interpreter has it installed."""

    ready_path = "/ready"

    def __init__(self, given: str) -> None:
        self.name, _, rest = given.partition("=")
        python, *variables = rest.split(",")
        self._python = str(Path(python).absolute())
        self._variables = dict(one.split("=", 1) for one in variables)
        self.variants: Sequence[Variant] = (Variant(name=self.name, note="a version"),)

    def install(self, cache: Path) -> str:
        """What it calls itself. Raises: Absent, if the interpreter has none."""
        asked = [self._python, "-I", "-m", "antiphon", "--version"]
        try:
            return subprocess.run(asked, capture_output=True, text=True, check=True, timeout=30).stdout.strip()
        except (OSError, subprocess.SubprocessError) as error:
            raise Absent(str(error)) from error

    def command(self, port: int, upstream: str, folder: Path) -> Command:
        return Command(serve(self._python, port, upstream, folder), {**environment(""), **self._variables})


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, and print a table; 2 if a version did not start."""
    parser = argparse.ArgumentParser(prog="python -m bench.versions", description=__doc__, allow_abbrev=False)
    parser.add_argument("versions", nargs="+", type=Version, metavar="NAME=PYTHON[,VARIABLE=VALUE]…", help=_VERSIONS)
    parser.add_argument("--rounds", type=int, default=7, metavar="N", help="default 7")
    parser.add_argument("--modes", default="short,32x10,256x10", metavar="NAME,…")
    parser.add_argument("--nginx", action="store_true", help="nginx too")
    given = parser.parse_args(argv)
    modes = [mode for mode in MODES if mode.name in given.modes.split(",")]
    versions: list[Version] = given.versions
    contenders: list[Contender] = [*versions, Nginx()] if given.nginx else [*versions]
    names = [version.name for version in versions] + [YARDSTICK] * given.nginx
    plan = Plan(
        contenders=contenders,
        modes=modes,
        rounds=given.rounds,
        budget_s=3600.0,
        cache=Path(),
        python=sys.executable,
        brief=True,
    )
    run = uvloop.run(Session(plan).run())
    run = replace(run, rows=[row for row in run.rows if row.in_step])
    for mode in modes:
        for name in names:
            print(_line(run, mode, name, names[0]))
    return 2 if run.absent else 0


def _line(run: Run, mode: Mode, name: str, measure: str) -> str:
    """A version's cost, and how many times that of the version that is the measure."""
    value, unit = (ms_per_request, "ms/request") if mode.per == "request" else (us_per_token, "µs/token")
    cost, ratio = run.figure(name, mode.name, value), run.ratio(mode.name, value, name, measure)
    if cost is None or ratio is None:
        return f"{mode.name:8} {name:12} no sound figure"
    return f"{mode.name:8} {name:12} {_shown(cost, 3)} {unit}   {_shown(ratio, 2)}"


def _shown(figure: Figure, digits: int) -> str:
    return f"{figure.value:.{digits}f} ({figure.low:.{digits}f} to {figure.high:.{digits}f})"


if __name__ == "__main__":
    sys.exit(main())
