"""Writing past middlewares, where they let bodies pass as they are, and only there."""

import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.routing import Mount
from starlette.types import Receive, Scope, Send

from antiphon.server.direct import InOneWrite, direct_write
from tests.live import wait_until

CLIENT_S = 10.0
CORS = Middleware(CORSMiddleware, allow_origins=["*"])
GZIP = Middleware(GZipMiddleware, minimum_size=0)


async def answering(scope: Scope, receive: Receive, send: Send) -> None:
    """Says whether it could write directly, by what it wrote."""
    with InOneWrite(send):
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
        await send({"type": "http.response.body", "body": b"first ", "more_body": True})
    direct = direct_write(send)
    if direct is None or not direct.write(b"directly "):
        await send({"type": "http.response.body", "body": b"indirectly ", "more_body": True})
    await send({"type": "http.response.body", "body": b"last", "more_body": False})


@contextmanager
def serving(middleware: Sequence[Middleware]) -> Iterator[str]:
    app = Starlette(routes=[Mount("/", app=answering)], middleware=middleware)
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", http="httptools"))
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
        thread.start()
        wait_until(lambda: server.started, CLIENT_S)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/"
        server.should_exit = True
        thread.join(CLIENT_S)


@pytest.mark.parametrize(
    ("middleware", "said"),
    [
        ([], "first directly last"),
        ([CORS], "first directly last"),
        ([GZIP], "first indirectly last"),
        ([CORS, GZIP], "first indirectly last"),
    ],
)
@pytest.mark.parametrize("origin", [{}, {"origin": "http://a.example"}])
def test_bodies_pass_by_middlewares_that_would_not_change_them(
    middleware: Sequence[Middleware], said: str, origin: dict[str, str]
) -> None:
    with serving(middleware) as url:
        answer = httpx.get(url, headers={"accept-encoding": "gzip", **origin}, timeout=CLIENT_S)
    assert answer.text == said
    assert answer.headers.get("access-control-allow-origin") == ("*" if CORS in middleware and origin else None)
