"""`python -m bench.scaling`: what size costs, of requests, of histories, and of answers.

CPU of the server against size, from small to the largest that is usual, in front of the benchmark's upstream and with a
store on disk. A cost that grows in proportion has a slope of 1 between the last points of a plot whose axes are both
logarithmic; one with a quadratic step somewhere tends to 2. Each point is the least of a few tries, for that is what
the work takes.
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from math import log
from pathlib import Path
from typing import Any

import msgspec
import uvloop

from bench.contenders.contender import free_port
from bench.load.connection import Broken, Connection, request
from bench.marks import Wish
from bench.process_tree import cpu_ns, spent_ns
from bench.scaling_plot import Point, plot
from bench.session import start_upstream

ROOT = Path(__file__).parents[1]
TRIES = 3
MOST_SLOPE = 1.3
"""Between the last points of a series; what is proportional measures 1 and less, and noise adds some."""

REQUEST_KB = (16, 64, 256, 512, 1024)
TURNS = (1, 10, 30, 100, 300, 1000)
TOKENS = (100, 1_000, 10_000, 30_000, 100_000)
_SHORT = Wish("text", 16, 0).prompt


class Server:
    """The server that is measured, and a connection to it."""

    def __init__(self, pid: int, connection: Connection) -> None:
        self._pid = pid
        self._connection = connection

    async def post(self, **fields: Any) -> str:
        """Make a response, and return its id. Raises: Broken when it did not come to its end."""
        pieces: list[bytes] = []
        body = msgspec.json.encode(fields)
        await self._connection.exchange(request("POST", "/v1/responses", {}, body), pieces.append)
        answer = b"".join(pieces)
        last = answer.rpartition(b"data: ")[2] if fields.get("stream") else answer
        made = msgspec.json.decode(last)
        response = made.get("response") or made
        if response["status"] != "completed":
            raise Broken(f"{response['status']}: {response['incomplete_details'] or response['error']}")
        found: str = response["id"]
        return found

    async def get(self, path: str) -> None:
        await self._connection.exchange(request("GET", path, {}), len)

    async def cost_ms(self, act: Callable[[], Awaitable[object]]) -> float:
        """The least CPU that `act` took."""
        return min([await self._once(act) for _ in range(TRIES)])

    async def _once(self, act: Callable[[], Awaitable[object]]) -> float:
        before = cpu_ns(self._pid)
        await act()
        return (spent_ns(before, cpu_ns(self._pid)) or 0) / 1e6


async def measure_requests(server: Server) -> list[Point]:
    """Requests as agents send them: half tools, half messages of a history, all of it new."""
    points = []
    for size_kb in REQUEST_KB:
        items = [{"role": "user", "content": f"{number} {'x' * 2000}"} for number in range(size_kb // 4)]
        tools = [
            {
                "type": "function",
                "name": f"tool_{number}",
                "description": "y" * 1500,
                "parameters": {"type": "object", "properties": {f"p{each}": {"type": "string"} for each in range(12)}},
            }
            for number in range(min(size_kb // 4, 1000))
        ]
        said = [*items, {"role": "user", "content": _SHORT}]
        cost = await server.cost_ms(partial(server.post, input=said, tools=tools))
        points.append(Point("request", "KB of request", size_kb, cost))
    return points


async def measure_chain(server: Server) -> list[Point]:
    """The n-th turn of a chain over `previous_response_id`."""
    points: list[Point] = []
    last: str | None = None
    for turn in range(1, TURNS[-1] + 1):
        before = {"previous_response_id": last} if last else {}
        if turn in TURNS:
            cost = await server.cost_ms(partial(server.post, input=_SHORT, **before))
            points.append(Point("chain", "turns of history", turn, cost))
        last = await server.post(input=_SHORT, **before)
    return points


async def measure_answers(server: Server) -> list[Point]:
    """Answers of many tokens: streamed, then fetched, then streamed once more from the store."""
    points: list[Point] = []
    for tokens in TOKENS:
        said = Wish("text", tokens, 0).prompt
        made: list[str] = []

        async def stream(said: str = said, made: list[str] = made) -> None:
            made.append(await server.post(input=said, stream=True))

        points.append(Point("stream", "tokens of answer", tokens, await server.cost_ms(stream)))
        whole, again = f"/v1/responses/{made[-1]}", f"/v1/responses/{made[-1]}?stream=true"
        points.append(Point("fetch", "tokens of answer", tokens, await server.cost_ms(partial(server.get, whole))))
        points.append(Point("replay", "tokens of answer", tokens, await server.cost_ms(partial(server.get, again))))
    return points


def slope(points: Sequence[Point]) -> float:
    """How the cost grows between the last two points: 1 is in proportion, 2 with the square."""
    first, last = points[-2:]
    return log(last.cost_ms / first.cost_ms) / log(last.size / first.size)


async def measure(pid: int, port: int) -> list[Point]:
    """All series."""
    connection = await Connection.open(port)
    server = Server(pid, connection)
    for _ in range(20):
        await server.post(input=_SHORT, stream=True)
    points = [
        *await measure_requests(server),
        *await measure_chain(server),
        *await measure_answers(server),
    ]
    connection.close()
    return points


def table(points: Sequence[Point]) -> str:
    """The figures in Markdown."""
    lines = ["| what | ms of CPU by size | slope at the end |", "|---|---|---|"]
    for series in dict.fromkeys(point.series for point in points):
        own = [point for point in points if point.series == series]
        costs = ", ".join(f"{point.size:,}: {point.cost_ms:.1f}" for point in own)
        lines.append(f"| {series}, by {own[0].unit} | {costs} | {slope(own):.2f} |")
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, and write where that is asked for; 1 if something grows faster than its size."""
    parser = argparse.ArgumentParser(prog="python -m bench.scaling", description=__doc__, allow_abbrev=False)
    parser.add_argument("--results", type=Path, metavar="DIR", help="where to write scaling.jsonl and scaling.svg")
    results: Path | None = parser.parse_args(argv).results
    port, behind = free_port(), free_port()
    upstream = start_upstream(behind)
    flags = ["--engine", f"http://127.0.0.1:{behind}", "--port", str(port), "--drain-delay-s", "0", "--no-access-log"]
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        command = [sys.executable, "-m", "antiphon", "serve", *flags, "--data-dir", folder]
        server = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        try:
            assert server.stdout is not None
            server.stdout.readline()
            points = uvloop.run(measure(server.pid, port))
        finally:
            for process in (server, upstream):
                process.kill()
                process.wait()
    print(table(points))
    if results is not None:
        results.mkdir(parents=True, exist_ok=True)
        (results / "scaling.jsonl").write_bytes(b"".join(msgspec.json.encode(point) + b"\n" for point in points))
        (results / "scaling.svg").write_text(plot(points))
    series = {point.series for point in points}
    return int(any(slope([point for point in points if point.series == each]) > MOST_SLOPE for each in series))


if __name__ == "__main__":
    raise SystemExit(main())
