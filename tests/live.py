"""The real server for tests from outside: the whole application under uvicorn, on a free port, in its own thread."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import httpx
import msgspec
import uvicorn
from cryptography.fernet import Fernet
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from antiphon.engines.scripted import ScriptedEngine
from antiphon.http_protocols import HttpLimits, WebSocket, limited
from antiphon.ports import Documents, Fetcher, Grammars, ResponseStore
from antiphon.server.app import App, ServerOptions
from antiphon.service.options import Options
from antiphon.service.responses import Responses
from antiphon.service.sealing import Sealer
from antiphon.stores.memory import MemoryStore

T = TypeVar("T", bound=msgspec.Struct)

START_S = 10.0
STOP_S = 15.0
CLIENT_S = 20.0


class Live(msgspec.Struct, frozen=True, kw_only=True):
    """A server that runs. `http` is a client for it, with every time bounded."""

    port: int
    engine: ScriptedEngine
    store: ResponseStore
    http: httpx.Client

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def base_url(self) -> str:
        """What a client library is configured with."""
        return f"{self.origin}/v1"

    def create(self, said: Any, /, **fields: Any) -> dict[str, Any]:
        """The answer to a request that must succeed; `said` is its `input`, of any form."""
        answer = self.http.post("/v1/responses", json={"input": said, **fields})
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def stream(self, said: Any, /, **fields: Any) -> list[dict[str, Any]]:
        """The events of a streamed request that must succeed."""
        answer = self.http.post("/v1/responses", json={"input": said, "stream": True, **fields})
        assert answer.status_code == 200, answer.text
        return [data for _, data in parse_events(answer.text)]


@contextmanager
def serve(
    engine: ScriptedEngine | None = None,
    store: ResponseStore | None = None,
    documents: Documents | None = None,
    fetcher: Fetcher | None = None,
    grammars: Grammars | None = None,
    protocol: type[HttpToolsProtocol] | None = None,
    **options: Any,
) -> Iterator[Live]:
    """Run a server for as long as the block lasts.

    `options` are those of `Options`, `ServerOptions` and `HttpLimits`; a `protocol` stands in the place of ours.
    """
    engine = engine or ScriptedEngine()
    store = store or MemoryStore()
    service = Responses(
        engine,
        store,
        _options(Options, options),
        clock=time.time,
        sealer=Sealer([Fernet.generate_key().decode()]),
        documents=documents,
        fetcher=fetcher,
        grammars=grammars,
    )
    shown = _options(ServerOptions, options)
    app = App(service, shown)
    http = protocol or limited(_options(HttpLimits, options))
    assert not options, f"unknown options {sorted(options)}"
    config = uvicorn.Config(
        app,
        http=http,
        ws=WebSocket,
        ws_max_size=2 * shown.max_body_bytes,
        lifespan="on",
        log_config=None,
        timeout_graceful_shutdown=3,
    )
    with (
        running(config) as port,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=CLIENT_S, trust_env=False) as client,
    ):
        yield Live(port=port, engine=engine, store=store, http=client)


@contextmanager
def running(config: uvicorn.Config) -> Iterator[int]:
    """Serve an application for the time of the block, and give the port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        try:
            wait_until(lambda: server.started or not thread.is_alive(), START_S)
            assert server.started, "the server did not start"
            yield int(listener.getsockname()[1])
        finally:
            server.should_exit = True
            thread.join(STOP_S)
            assert not thread.is_alive(), "the server did not stop"


def wait_until(condition: Callable[[], object], limit_s: float) -> bool:
    """Whether `condition` came true within the limit."""
    deadline = time.monotonic() + limit_s
    turn = threading.Event()
    while not condition():
        if time.monotonic() >= deadline:
            return False
        turn.wait(0.01)
    return True


def parse_events(text: str) -> list[tuple[str, dict[str, Any]]]:
    """The (event, data) pairs of a whole stream, each of which must be an `event:` line, one `data:` line, a blank."""
    blocks = text.split("\n\n")
    assert blocks.pop() == "", "the stream ends in the middle of an event"
    return [_parse_event(block) for block in blocks]


def _parse_event(block: str) -> tuple[str, dict[str, Any]]:
    event, data = block.split("\n")
    assert event.startswith("event: "), block
    assert data.startswith("data: "), block
    return event.removeprefix("event: "), json.loads(data.removeprefix("data: "))


def _options(kind: type[T], options: dict[str, Any]) -> T:
    names = [field.name for field in msgspec.structs.fields(kind)]
    return kind(**{name: options.pop(name) for name in names if name in options})
