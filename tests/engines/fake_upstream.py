"""A chat-completions server on a real socket that does what a test's script says, chunk by chunk.

A script is a coroutine that gets an `Exchange` and writes the answer itself; it may wait for events of the test, and
sees through `gone` when the other side has closed the connection.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from importlib.util import find_spec
from typing import Any

import pytest

from antiphon.core.chat import ChatRequest, Message
from antiphon.core.deltas import Delta
from antiphon.engines.chat_http import ChatHttpEngine

BOUND_S = 10.0
LOOPS = [
    pytest.param(("asyncio", {"use_uvloop": fast}), id="uvloop" if fast else "asyncio")
    for fast in ((False, True) if find_spec("uvloop") else (False,))
]
DONE = b"data: [DONE]\n\n"

Script = Callable[["Exchange"], Awaitable[None]]


def chat(**given: Any) -> ChatRequest:
    """A request with one user message, but for what is given."""
    return ChatRequest(**{"id": "resp_1", "model": "m", "messages": (Message("user", "Hi"),), **given})


async def collect(engine: ChatHttpEngine, request: ChatRequest | None = None) -> list[Delta]:
    """All deltas of one generation."""
    async with asyncio.timeout(BOUND_S):
        generation = await engine.prepare(request or chat())
        return [delta async for batch in generation.deltas() for delta in batch]


async def until(holds: Callable[[], object]) -> None:
    """Let the loop turn until the condition holds."""
    async with asyncio.timeout(BOUND_S):
        while not holds():  # what the code under test does within has no event to wait for
            await asyncio.sleep(0)


def sse(chunk: object) -> bytes:
    return b"data: " + json.dumps(chunk, ensure_ascii=False).encode() + b"\n\n"


def piece(finish_reason: str | None = None, logprobs: object = None, **delta: object) -> dict[str, Any]:
    """A chunk with one choice."""
    return {"choices": [{"index": 0, "delta": delta, "logprobs": logprobs, "finish_reason": finish_reason}]}


def usage(prompt: int, completion: int, **details: object) -> dict[str, Any]:
    counts = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
    return {"choices": [], "usage": {**counts, **details}}


class Exchange:
    """One request and the means to answer it."""

    def __init__(self, method: str, path: str, headers: dict[str, str], body: bytes, writer: asyncio.StreamWriter):
        self.method, self.path, self.headers, self.body = method, path, headers, body
        self.gone = asyncio.Event()
        self.chunked = False
        self._writer = writer

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def stuck(self) -> bool:
        """Whether the other side does not read what was sent."""
        return self._writer.transport.get_write_buffer_size() > 0

    async def head(self, status: int = 200, *, chunked: bool = True, **headers: object) -> None:
        """Send the head; header names are written with underscores."""
        self.chunked = chunked
        headers = {
            "content_type": "text/event-stream",
            **({"transfer_encoding": "chunked"} if chunked else {}),
            **headers,
        }
        lines = [f"HTTP/1.1 {status} Whatever", *(f"{k.replace('_', '-')}: {v}" for k, v in headers.items())]
        await self.raw("\r\n".join([*lines, "", ""]).encode())

    async def raw(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def send(self, *parts: object) -> None:
        """Send chunks (objects as events, bytes as they are) in one write, after the head."""
        data = b"".join(part if isinstance(part, bytes) else sse(part) for part in parts)
        await self.raw(b"%x\r\n%b\r\n" % (len(data), data) if self.chunked else data)

    async def end(self) -> None:
        """End a chunked body; the connection stays open."""
        await self.raw(b"0\r\n\r\n")

    async def answer(self, *parts: object) -> None:
        """A whole streamed answer, `[DONE]` included."""
        await self.head()
        await self.send(*parts, DONE)
        await self.end()

    async def refuse(self, status: int, content: object, **headers: object) -> None:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        await self.head(status, chunked=False, content_type="application/json", content_length=len(body), **headers)
        await self.raw(body)

    def close(self) -> None:
        """Close as a server does that has sent all it wants to."""
        self._writer.close()

    def cut(self) -> None:
        """Break off without a goodbye."""
        self._writer.transport.abort()


async def hello(exchange: Exchange) -> None:
    """The script of a server that says hello."""
    await exchange.answer(piece(role="assistant", content=""), piece(content="Hello"), piece("stop"), usage(3, 1))


class FakeUpstream:
    """Answers `/models` with `cards`, other GETs by `pages`, and POSTs, which it keeps in `posts`, by `script`."""

    def __init__(self, script: Script = hello, cards: Sequence[dict[str, Any]] = ({"id": "m", "owned_by": "test"},)):
        self.script = script
        self.cards = cards
        self.pages: dict[str, object] = {}
        self.posts: list[Exchange] = []
        self.gets = 0
        self.connections = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> "FakeUpstream":
        self._server = await asyncio.start_server(self.accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve a new connection in a task of its own."""
        self.connections += 1
        task = asyncio.get_running_loop().create_task(self._converse(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            first = await reader.read(1)
            while first:
                first = await self._serve(first, reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _serve(self, first: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        """Serve one request; returns the first byte of the next, or nothing at the end of the connection."""
        head = (first + await reader.readuntil(b"\r\n\r\n")).decode()
        start, *lines = head.strip().split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        method, path, _ = start.split(" ")
        exchange = Exchange(method, path, headers, body, writer)
        ahead = asyncio.create_task(_look_ahead(reader, exchange))
        try:
            if path.endswith("/models"):
                self.gets += 1
                await exchange.refuse(200, {"object": "list", "data": list(self.cards)})
            elif method == "GET":
                found = path in self.pages
                await exchange.refuse(200 if found else 404, self.pages.get(path, {}))
            else:
                self.posts.append(exchange)
                await self.script(exchange)
            return await ahead
        except ConnectionError:
            exchange.gone.set()
            raise
        finally:
            ahead.cancel()


async def _look_ahead(reader: asyncio.StreamReader, exchange: Exchange) -> bytes:
    try:
        byte = await reader.read(1)
    except ConnectionError:
        byte = b""
    if not byte:
        exchange.gone.set()
    return byte
