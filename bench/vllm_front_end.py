"""`python -m bench --vllm`: what the API costs within vLLM's server process, beside what vLLM's own cost there.

Two real vLLM servers on one scripted tiny model, one with the plugin, compiled where that can be done. The same streams
are asked of each endpoint in turn, in another order each round; what counts is the CPU time of the process that serves
HTTP, the engine's apart.
"""

import asyncio
import random
import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from bench.contenders.contender import Absent
from bench.contenders.ours import compiled_wheel
from bench.contenders.venv import run
from bench.inside_vllm import CHAT, GATE, MOONSHOT, OURS, STEP_MS, STREAMS, THEIRS, TOKENS, UNSTORED, Row, ratios, table
from bench.load.connection import Broken, Connection, request
from bench.process_tree import cpu_ns
from tests.vllm.installation import install, install_project
from tests.vllm.serving import MODEL, Vllm, make_model, serve

SETTLE_S = 0.2
TEXT = "".join(chr(ord("a") + place % 26) for place in range(TOKENS))
PROMPT = f"[[delay:{STEP_MS}]][[say:{TEXT}]]"


class Endpoint(Struct, frozen=True):
    """What is asked, and the process that pays for it. A chat's pieces are `choices`, a response's are deltas."""

    name: str
    vllm: Vllm
    path: str
    body: dict[str, Any]

    @property
    def post(self) -> bytes:
        headers = {"authorization": f"Bearer {self.vllm.api_key}", "accept": "text/event-stream"}
        return request("POST", self.path, headers, msgspec.json.encode({"model": MODEL, "stream": True, **self.body}))

    @property
    def port(self) -> int:
        return int(self.vllm.origin.rpartition(":")[2])


def compare(rounds: int, results: Path | None) -> int:
    """Run, print the table, and return the exit code: 1 when the gate is missed."""
    rows = measure(install(), rounds)
    print(table(rows))
    if results is not None:
        results.mkdir(parents=True, exist_ok=True)
        (results / "vllm.jsonl").write_bytes(b"".join(msgspec.json.encode(row) + b"\n" for row in rows))
    ratio = statistics.median(ratios(rows, OURS))
    print(f"\ngate ≤ {GATE}, moonshot ≤ {MOONSHOT}: {_verdict(ratio)}")
    return int(ratio > GATE)


def measure(python: Path, rounds: int) -> list[Row]:
    """Ask each endpoint so many times; `python` is that of an environment with vLLM."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        endpoints = stack.enter_context(_endpoints(python, Path(folder)))
        return asyncio.run(_measure(endpoints, rounds))


def _verdict(ratio: float) -> str:
    return "moonshot" if ratio <= MOONSHOT else "met" if ratio <= GATE else "missed"


@contextmanager
def _endpoints(python: Path, folder: Path) -> Iterator[Sequence[Endpoint]]:
    model, site = folder / "model", folder / "site"
    make_model(python, model)
    _install_plugin(python, site)
    paths = f"{site}:{Path(__file__).parents[1]}"
    plugin = {"VLLM_PLUGINS": "antiphon", "ANTIPHON_DATA_DIR": str(folder / "data"), "PYTHONPATH": paths}
    with serve(python, model, **plugin) as with_us, serve(python, model, VLLM_PLUGINS="") as without:
        chat = {"messages": [{"role": "user", "content": PROMPT}]}
        yield (
            Endpoint(OURS, with_us, "/v1/responses", {"input": PROMPT}),
            Endpoint(UNSTORED, with_us, "/v1/responses", {"input": PROMPT, "store": False}),
            Endpoint(THEIRS, without, "/v1/responses", {"input": PROMPT}),
            Endpoint(CHAT, without, "/v1/chat/completions", chat),
        )


def _install_plugin(python: Path, site: Path) -> None:
    """The compiled wheel, or where nothing can be compiled the tree."""
    try:
        with tempfile.TemporaryDirectory() as folder:
            made = compiled_wheel(str(python), Path(folder))
            run([str(python), "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(site), str(made)])
    except Absent as absent:
        print(f"bench: the plugin is not compiled: {absent}", file=sys.stderr)
        install_project(python, site)


async def _measure(endpoints: Sequence[Endpoint], rounds: int) -> list[Row]:
    rows = []
    for number in range(rounds + 1):
        for each in random.sample(endpoints, len(endpoints)):
            before = cpu_ns(each.vllm.pid)[each.vllm.pid]
            events = sum(await asyncio.gather(*(_ask(each) for _ in range(STREAMS))))
            await asyncio.sleep(SETTLE_S)
            spent = cpu_ns(each.vllm.pid)[each.vllm.pid] - before
            if number:  # the first warms up
                rows.append(Row(number, each.name, STREAMS * TOKENS, events, spent))
                print(f"round {number}, {each.name}: {rows[-1].us_per_token:.1f} µs per token", file=sys.stderr)
    return rows


async def _ask(endpoint: Endpoint) -> int:
    """One stream, which has to be whole: how many events brought text. Raises: Broken."""
    connection = await Connection.open(endpoint.port)
    pieces: list[bytes] = []
    try:
        await connection.exchange(endpoint.post, pieces.append)
    finally:
        connection.close()
    texts = [text for text in _texts(b"".join(pieces)) if text]
    if "".join(texts) != TEXT:
        raise Broken(f"{endpoint.name}: not the text that was to be said")
    return len(texts)


def _texts(stream: bytes) -> Iterator[str]:
    for line in stream.splitlines():
        if not line.startswith(b"data: {"):
            continue
        event = msgspec.json.decode(line[6:])
        if event.get("type") == "response.output_text.delta":
            yield event["delta"]
        for choice in event.get("choices", ()):
            yield choice["delta"].get("content") or ""
