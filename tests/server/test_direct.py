"""Writing past middlewares, where they let bodies pass as they are, and only there."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from queue import Queue

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.routing import Mount
from starlette.types import ASGIApp, Receive, Scope, Send

from antiphon.server.direct import InOneWrite, direct_write
from tests.live import running

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
def serving(middleware: Sequence[Middleware], app: ASGIApp = answering, loop: str = "auto") -> Iterator[str]:
    whole = Starlette(routes=[Mount("/", app=app)], middleware=middleware)
    with running(uvicorn.Config(whole, log_level="warning", http="httptools", loop=loop)) as port:
        yield f"http://127.0.0.1:{port}/"


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


@pytest.mark.parametrize("loop", ["asyncio", *(["uvloop"] if find_spec("uvloop") else [])])
def test_writing_to_a_client_that_has_left_is_no_error(loop: str) -> None:
    ended: Queue[BaseException | None] = Queue()

    async def outliving(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"first", "more_body": True})
            direct = direct_write(send)
            assert direct is not None
            while (await receive())["type"] != "http.disconnect":
                pass
            direct.write(b"late")
            direct.write(b"later")
        except BaseException as error:
            ended.put(error)
        else:
            ended.put(None)

    with serving([], outliving, loop) as url, httpx.stream("GET", url, timeout=CLIENT_S) as answer:
        assert next(answer.iter_raw()) == b"first"
        answer.close()
        assert ended.get(timeout=CLIENT_S) is None
