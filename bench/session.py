"""A run of the benchmark: everything up at once, loads one at a time, in an order that is shuffled for every round."""

import platform
import random
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from os import getloadavg
from pathlib import Path

from msgspec import Struct

from bench.contenders.contender import Absent, Contender, Started, Variant, free_port
from bench.figures import DIRECT, OURS, Run, Server
from bench.measurement import Row, measure
from bench.modes import STORED, STORED_TIMES, SYSCALLS, SYSCALLS_TIMES, WARM_UP, Mode
from bench.process_tree import rss_bytes

DIRECT_MODES = ("c1", "32x10", "256x10")
UPSTREAM_READY_S = 10.0
_DIRECT = Variant(name=DIRECT, note="the load alone", modes=DIRECT_MODES)


class Plan(Struct, frozen=True, kw_only=True):
    """What to run. No round begins that would not end before `budget_s` have passed."""

    contenders: Sequence[Contender]
    modes: Sequence[Mode]
    rounds: int
    budget_s: float
    cache: Path
    python: str
    brief: bool


class Session:
    """Runs a plan once, saying what it does line by line."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._rows: list[Row] = []
        self._absent: dict[str, str] = {}
        self._servers: list[Server] = []
        self._started: list[Started] = []
        self._shuffle = random.Random(time.time_ns())

    async def run(self) -> Run:
        """Bring everything up, measure, and bring everything down, whatever happens."""
        began, load_before = time.monotonic(), _load_average()
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            upstream_port = free_port()
            upstream = start_upstream(upstream_port)
            try:
                self._bring_up(upstream_port, Path(folder))
                await self._warm_up()
                await self._growth()  # first: later, memory that was used and freed would hide it
                rounds = await self._rounds(upstream_port, began)
                await self._calls()
            finally:
                for started in self._started:
                    started.stop()
                upstream.kill()
                upstream.wait()
        about = {
            "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
            "rounds": str(rounds),
            "servers asked for": ", ".join(contender.name for contender in self._plan.contenders),
            "machine": _machine(),
            "python": _version_of(self._plan.python),
            "load average before and after": f"{load_before} and {_load_average()} (the benchmark's own included)",
        }
        return Run(about=about, servers=self._servers, absent=self._absent, rows=self._rows)

    def _bring_up(self, upstream_port: int, folder: Path) -> None:
        self._plan.cache.mkdir(parents=True, exist_ok=True)
        for contender in self._plan.contenders:
            try:
                _say(f"starting {contender.name}")
                version = contender.install(self._plan.cache)
                started = Started(contender, version, f"http://127.0.0.1:{upstream_port}", folder / contender.name)
                started.start()
            except Absent as absent:
                self._absent[contender.name] = str(absent)
                _say(f"  absent: {absent}")
                continue
            self._started.append(started)
            rss = rss_bytes(started.pid)
            for variant in contender.variants:
                about = Server(
                    name=variant.name,
                    note=variant.note,
                    version=started.version,
                    start_s=round(started.start_s, 3),
                    rss_at_start=rss,
                )
                self._servers.append(about)

    async def _warm_up(self) -> None:
        """Connections, caches, and what compiles itself. A variant that cannot answer at all is out."""
        for started, variant in self._entrants(WARM_UP):
            row = await measure(started, started.port, variant, WARM_UP, 0)
            if row.faults and row.requests == len(row.faults):
                _say(f"  {variant.name} fails in the warm-up: {row.faults[0]}")

    async def _rounds(self, upstream_port: int, began: float) -> int:
        done, longest_s = 0, 0.0
        for number in range(1, self._plan.rounds + 1):
            round_began = time.monotonic()
            if done and round_began - began + longest_s > self._plan.budget_s:
                _say(f"no time for round {number}")
                break
            for mode in self._plan.modes:
                await self._mode(mode, number, upstream_port)
            longest_s = max(longest_s, time.monotonic() - round_began)
            done = number
        return done

    async def _mode(self, mode: Mode, number: int, upstream_port: int) -> None:
        entrants: list[tuple[Started | None, Variant]] = [*self._entrants(mode)]
        if mode.name in DIRECT_MODES:
            entrants.append((None, _DIRECT))
        self._shuffle.shuffle(entrants)
        for started, variant in entrants:
            port = started.port if started is not None else upstream_port
            self._add(await measure(started, port, variant, mode, number))

    def _entrants(self, mode: Mode) -> list[tuple[Started, Variant]]:
        return [
            (started, variant)
            for started in self._started
            for variant in started.contender.variants
            if (variant.modes is None or mode.name in variant.modes or mode is WARM_UP)
            and (not mode.own_only or started.contender.name == OURS)
        ]

    async def _calls(self) -> None:
        """System calls of every server; of ours several times, for one in many has a checkpoint in it."""
        for started, variant in self._entrants(SYSCALLS):
            if variant.name == OURS or not self._plan.brief:
                for number in range(SYSCALLS_TIMES if variant.name == OURS else 1):
                    self._add(await measure(started, started.port, variant, SYSCALLS, number, counts_calls=True))

    async def _growth(self) -> None:
        """The memory that many stored responses take."""
        for started, variant in self._entrants(STORED):
            if variant.name == OURS and not self._plan.brief:
                for number in range(STORED_TIMES + 1):
                    self._add(await measure(started, started.port, variant, STORED, number))

    def _add(self, row: Row) -> None:
        self._rows.append(row)
        pace = "" if row.in_step else f"  {row.merged:.1f} tokens a read"
        fault = f"  FAULT {row.faults[0]}" if row.faults else ""
        figures = f"{row.us_per_token:8.2f} µs/token {row.ms_per_request:8.3f} ms/request"
        _say(f"{row.round:2} {row.mode:10} {row.server:24} {figures}{pace}{fault}")


def _version_of(python: str) -> str:
    """Version and build of the interpreter that the servers in Python run on."""
    asked = [python, "-c", "import platform; print(platform.python_version(), *platform.python_build())"]
    return subprocess.run(asked, capture_output=True, text=True, timeout=10).stdout.strip()


def start_upstream(port: int) -> "subprocess.Popen[bytes]":
    """The fake model server in a process of its own, ready."""
    root = str(Path(__file__).parents[1])
    process = subprocess.Popen([sys.executable, "-m", "bench.upstream.server", str(port)], cwd=root)
    deadline = time.monotonic() + UPSTREAM_READY_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return process
        except OSError:
            if time.monotonic() > deadline or process.poll() is not None:
                process.kill()
                raise
            time.sleep(0.02)


def _machine() -> str:
    models = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    model = models[0].partition(":")[2].strip() if models else platform.machine()
    return f"{len(models) or 1} x {model}, {platform.system()} {platform.release()}"


def _load_average() -> str:
    return f"{getloadavg()[0]:.1f}"


def _say(line: str) -> None:
    print(line, flush=True)
