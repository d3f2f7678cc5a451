"""`python -m bench.workers`: what a request costs with one worker and with two.

As long as a request takes no more CPU with more workers, throughput grows with the cores that there are for them. Every
request is streamed and stored. The load runs on the same machine, so requests per second on two cores are those of the
server and of its load together.
"""

import asyncio
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import uvloop

from bench.contenders.contender import free_port
from bench.load.connection import Connection, request
from bench.process_tree import cpu_ns, spent_ns

ROOT = Path(__file__).parents[1]
CLIENTS, REQUESTS, WARM_UP = 32, 4000, 400


async def load(port: int, count: int) -> None:
    """So many requests, by all clients together. Raises: Broken."""
    body = b'{"input":"[[say:%b]]","stream":true}' % b" ".join([b"word"] * 16)
    said = request("POST", "/v1/responses", {"accept": "text/event-stream"}, body)
    left = iter(range(count))

    async def ask() -> None:
        connection = await Connection.open(port)
        for _ in left:
            await connection.exchange(said, len)
        connection.close()

    await asyncio.gather(*(ask() for _ in range(CLIENTS)))


def measure(workers: int) -> tuple[float, float, list[float]]:
    """Milliseconds of CPU per request, requests per second, and the share of each process in the CPU."""
    port = free_port()
    flags = ["--engine", "scripted", "--port", str(port), "--drain-delay-s", "0", "--no-access-log"]
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        command = [sys.executable, "-m", "antiphon", "serve", *flags, "--workers", str(workers), "--data-dir", folder]
        server = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        try:
            assert server.stdout is not None
            server.stdout.readline()
            uvloop.run(load(port, WARM_UP))
            before, began = cpu_ns(server.pid), time.monotonic()
            uvloop.run(load(port, REQUESTS))
            lasted_s, after = time.monotonic() - began, cpu_ns(server.pid)
        finally:
            server.terminate()
            server.wait()
    spent = spent_ns(before, after) or 0
    shares = [(clock - before.get(pid, 0)) / spent for pid, clock in after.items()] if spent else []
    return spent / REQUESTS / 1e6, REQUESTS / lasted_s, shares


def main() -> int:
    """Three rounds, printed."""
    for _ in range(3):
        for workers in (1, 2):
            cost_ms, rate, shares = measure(workers)
            split = " ".join(f"{share:.0%}" for share in shares)
            print(
                f"workers {workers}: {cost_ms:.2f} ms CPU per request, {rate:.0f} requests/s, shares {split}",
                flush=True,
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
