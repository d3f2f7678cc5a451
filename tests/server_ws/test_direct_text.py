"""Text frames without a task, by the extension of our own WebSocket protocol."""

import socket
import struct
from queue import Queue

import pytest
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from websockets.sync.client import connect

from antiphon.http_protocols import WebSocket
from antiphon.server.channel import DIRECT_TEXT
from tests.live import running

BOUND_S = 10.0


def config(app: ASGIApp) -> uvicorn.Config:
    return uvicorn.Config(app, log_level="warning", ws=WebSocket, lifespan="off")


@pytest.mark.parametrize("compression", ["deflate", None])
def test_frames_are_whole_and_in_order_beside_those_that_are_sent(compression: str | None) -> None:
    written: Queue[bool] = Queue()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        write = scope["extensions"][DIRECT_TEXT]["write"]
        await receive()
        written.put(write([b"too early"]))
        await send({"type": "websocket.accept"})
        written.put(write([b"one", "zwölf".encode()]))
        await send({"type": "websocket.send", "text": "three"})
        written.put(write([b"x" * 70_000]))
        await receive()
        await send({"type": "websocket.close", "code": 1000})
        written.put(write([b"too late"]))

    with (
        running(config(app)) as port,
        connect(f"ws://127.0.0.1:{port}/", compression=compression, open_timeout=BOUND_S) as client,
    ):
        heard = [client.recv(timeout=BOUND_S) for _ in range(4)]
        client.send("done")
        assert [written.get(timeout=BOUND_S) for _ in range(4)] == [False, True, True, False]
    assert heard == ["one", "zwölf", "three", "x" * 70_000]


def test_a_client_that_has_left_or_does_not_read_is_not_written_to() -> None:
    written: Queue[bool] = Queue()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        write = scope["extensions"][DIRECT_TEXT]["write"]
        await receive()
        await send({"type": "websocket.accept"})
        taken = 0
        while write([b"x" * 2**20]) and taken < 64:
            taken += 1
        written.put(taken < 64)
        while (await receive())["type"] != "websocket.disconnect":
            pass
        written.put(write([b"late"]))

    with running(config(app)) as port, socket.create_connection(("127.0.0.1", port), BOUND_S) as client:
        client.sendall(
            b"GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n"
            b"sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )
        assert written.get(timeout=BOUND_S)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # leave at once
        client.close()
        assert not written.get(timeout=BOUND_S)
