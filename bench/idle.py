"""`python -m bench.idle`: what thousands of open, silent streams cost one process.

Every stream is a request whose model never answers, so that all a stream gets are its first events and keep-alives. The
figures: memory per stream, CPU per keep-alive, and how late keep-alives are. Clients have addresses of their own in
127.0.0.0/8, for one address has too few ports for many thousand connections beside others.
"""

import argparse
import asyncio
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import msgspec
import uvloop

from bench.contenders.contender import free_port
from bench.load.connection import request
from bench.process_tree import cpu_ns, rss_bytes, spent_ns

ROOT = Path(__file__).parents[1]
READY_S, OPENING_AT_A_TIME, PER_ADDRESS = 20.0, 200, 5000
_KEEP_ALIVE = b"event: keepalive\n"


class Stream(asyncio.Protocol):
    """A client that notes when keep-alives come."""

    def __init__(self, said: bytes) -> None:
        self._said = said
        self.begun = asyncio.get_running_loop().create_future()
        self.last = 0.0
        self.gaps: list[float] = []
        self.lost = False
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.write(self._said)

    def data_received(self, data: bytes) -> None:
        now = time.monotonic()
        if _KEEP_ALIVE in data:
            self.gaps.append(now - self.last)
        self.last = now
        if not self.begun.done():
            self.begun.set_result(data[:400].decode(errors="replace"))

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        if not self.begun.done():
            self.begun.set_result("the connection was closed")


class Figures(msgspec.Struct, frozen=True):
    """What was measured, one line of JSON."""

    streams: int
    heartbeat_s: float
    opened_s: float
    kb_per_stream: float
    idle_cpu_percent: float
    us_per_keep_alive: float
    keep_alives: int
    late_ms_median: float
    late_ms_p99: float
    late_ms_worst: float
    lost: int


async def measure(pid: int, port: int, count: int, *, heartbeat_s: float, last_s: float) -> Figures:
    """Open the streams, watch them for `last_s` seconds, and close them."""
    body = b'{"model":"scripted","input":"[[stall:3600]]","stream":true,"store":false}'
    said = request("POST", "/v1/responses", {"accept": "text/event-stream"}, body)
    memory, began = rss_bytes(pid), time.monotonic()
    streams: list[Stream] = []
    for first in range(0, count, OPENING_AT_A_TIME):
        batch = [_open(said, port, number) for number in range(first, min(count, first + OPENING_AT_A_TIME))]
        streams += await asyncio.gather(*batch)
    opened_s = time.monotonic() - began
    await asyncio.sleep(min(2.0, heartbeat_s))
    grown = rss_bytes(pid) - memory
    for stream in streams:
        stream.gaps.clear()
    cpu, began = cpu_ns(pid), time.monotonic()
    await asyncio.sleep(last_s)
    spent, lasted_s = spent_ns(cpu, cpu_ns(pid)) or 0, time.monotonic() - began
    late_ms = sorted((gap - heartbeat_s) * 1000 for stream in streams for gap in stream.gaps)
    lost = sum(stream.lost for stream in streams)
    for stream in streams:
        if stream.transport is not None:
            stream.transport.abort()
    return Figures(
        streams=count,
        heartbeat_s=heartbeat_s,
        opened_s=round(opened_s, 2),
        kb_per_stream=round(grown / count / 1024, 1),
        idle_cpu_percent=round(spent / lasted_s / 1e7, 2),
        us_per_keep_alive=round(spent / 1000 / max(1, len(late_ms)), 1),
        keep_alives=len(late_ms),
        late_ms_median=round(statistics.median(late_ms), 1) if late_ms else 0.0,
        late_ms_p99=round(late_ms[len(late_ms) * 99 // 100], 1) if late_ms else 0.0,
        late_ms_worst=round(late_ms[-1], 1) if late_ms else 0.0,
        lost=lost,
    )


async def _open(said: bytes, port: int, number: int) -> Stream:
    address = (f"127.0.0.{2 + number // PER_ADDRESS}", 0)
    _, stream = await asyncio.get_running_loop().create_connection(
        lambda: Stream(said), "127.0.0.1", port, local_addr=address
    )
    answer = await stream.begun
    if not answer.startswith("HTTP/1.1 200"):
        raise SystemExit(f"bench: stream {number} was refused: {answer}")
    return stream


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; 1 if a stream was lost or got no keep-alive."""
    arguments = _parser().parse_args(argv)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    port = free_port()
    flags = ["--engine", "scripted", "--port", str(port), "--heartbeat-s", str(arguments.heartbeat_s)]
    flags += [
        "--max-sessions",
        str(arguments.streams + 2 * OPENING_AT_A_TIME),
        "--drain-delay-s",
        "0",
        "--drain-grace-s",
        "0",
    ]
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        command = [arguments.python, "-m", "antiphon", "serve", *flags, "--data-dir", folder, "--no-access-log"]
        where = ROOT if arguments.python == sys.executable else folder  # an interpreter of its own sees its own package
        server = subprocess.Popen(command, cwd=where, stdout=subprocess.PIPE, text=True)
        try:
            assert server.stdout is not None
            server.stdout.readline()
            figures = uvloop.run(
                measure(server.pid, port, arguments.streams, heartbeat_s=arguments.heartbeat_s, last_s=arguments.last_s)
            )
        finally:
            server.kill()
            server.wait()
    print(msgspec.json.encode(figures).decode())
    return 1 if figures.lost or figures.keep_alives < figures.streams else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.idle", description=__doc__, allow_abbrev=False)
    parser.add_argument("--streams", type=int, default=10_000, metavar="N")
    parser.add_argument("--python", metavar="PATH", default=sys.executable, help="one that has antiphon; default: this")
    parser.add_argument("--heartbeat-s", type=float, default=15.0, metavar="S")
    parser.add_argument("--last-s", type=float, default=31.0, metavar="S", help="how long the streams are watched")
    return parser


if __name__ == "__main__":
    sys.exit(main())
