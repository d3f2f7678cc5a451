"""Frames that cost more than they are large."""

import resource
import socket as sockets
import zlib
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection

from tests.live import Live, serve
from tests.server_ws.talk import WAIT_S, open_socket, send, turn

KEY = b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
UPGRADE = b"GET /v1/responses HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" + KEY
BIG = 64 * 2**20
GROWTH = 8 * 2**20


def forget_peak() -> int:
    """The memory that this process, which the server is in, has; where the system can, its peak is counted anew."""
    memory = Path("/proc/self/clear_refs")
    if memory.exists():
        memory.write_text("5")
    return peak_bytes()


def peak_bytes() -> int:
    """The most memory that this process had."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return next(int(line.split()[1]) * 1024 for line in status.read_text().splitlines() if line.startswith("VmHWM"))


def bomb() -> bytes:
    """Sixty-four megabytes of spaces, deflated."""
    deflate = zlib.compressobj(6, wbits=-12)
    piece = b" " * 2**20
    pieces = [deflate.compress(piece) for _ in range(BIG // len(piece))]
    return b"".join([*pieces, deflate.flush(zlib.Z_SYNC_FLUSH)])[:-4]


def masked(first: int, payload: bytes) -> bytes:
    """A client's frame, masked with zeros."""
    size = len(payload)
    length = bytes([0x80 | size]) if size < 126 else bytes([0xFF]) + size.to_bytes(8, "big")
    return bytes([first]) + length + bytes(4) + payload


def upgraded(live: Live, extensions: bytes = b"") -> sockets.socket:
    """A connection that has become a WebSocket."""
    connection = sockets.create_connection(("127.0.0.1", live.port), timeout=WAIT_S)
    connection.sendall(UPGRADE + extensions + b"\r\n")
    answer = b""
    while not answer.endswith(b"\r\n\r\n"):
        answer += connection.recv(1)
    assert answer.startswith(b"HTTP/1.1 101")
    return connection


def test_a_frame_that_inflates_beyond_the_limit_is_a_1009_and_no_memory() -> None:
    frame = masked(0xC1, bomb())
    extension = b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"
    with serve(max_body_bytes=2**20) as live:
        before = forget_peak()
        with upgraded(live, extension) as connection:
            connection.sendall(frame)
            answer = connection.recv(100)
        assert len(frame) < BIG // 200
        assert (answer[0], int.from_bytes(answer[2:4], "big")) == (0x88, 1009)
        assert peak_bytes() - before < GROWTH
        assert live.http.get("/health").status_code == 200


def test_a_message_in_very_many_fragments_is_read_in_the_memory_of_its_size() -> None:
    with serve(max_body_bytes=2**21) as live, upgraded(live) as connection:
        before = forget_peak()
        connection.sendall(masked(0x01, b" ") + masked(0x00, b"") * 20_000)
        connection.sendall(masked(0x00, b"   ") * 200_000)
        connection.sendall(masked(0x80, b"nonsense"))
        assert b'"invalid_json"' in connection.recv(1000)
        assert peak_bytes() - before < GROWTH


def test_a_message_in_fragments_is_whole(socket: ClientConnection) -> None:
    text = '{"type": "response.create", "input": "[[say:\u00e9 and on]]"}'
    socket.send(iter([text[:20], "", text[20:44], text[44:45], text[45:]]))
    while b"response.completed" not in (event := socket.recv(WAIT_S, decode=False)):
        pass
    assert "é and on".encode() in event


def test_pings_whose_answers_nobody_reads_cost_no_memory() -> None:
    with serve() as live:
        with upgraded(live) as connection:
            connection.settimeout(WAIT_S)
            before, pings = forget_peak(), masked(0x89, b"p" * 120) * 10_000
            for _ in range(20):
                connection.sendall(pings)
            assert peak_bytes() - before < GROWTH
        with open_socket(live) as socket:
            assert turn(socket, input="a")["status"] == "completed"


@pytest.mark.parametrize(
    "sent",
    [
        masked(0x83, b"reserved opcode"),
        masked(0xB1, b"reserved bits"),
        masked(0x80, b"continuation of nothing"),
        masked(0x09, b"fragmented ping"),
        masked(0x89, b"long ping" * 20),
        b"\x81\x05hello",
        masked(0x81, b"\xff\xfe"),
        masked(0x01, b"a") + masked(0x81, b"b"),
        masked(0x88, b"\x01"),
        b"\x81\xff" + b"\xff" * 8 + bytes(4),
        masked(0xC1, b"\xff\xff\xff"),
    ],
)
def test_a_frame_against_the_rules_ends_its_connection_alone(live: Live, sent: bytes) -> None:
    with upgraded(live) as connection, open_socket(live) as other:
        connection.sendall(sent)
        answer = connection.recv(1000)
        assert answer[0] == 0x88 and int.from_bytes(answer[2:4], "big") in (1002, 1007, 1009)
        assert connection.recv(1000) == b""
        assert turn(other, input="a")["status"] == "completed"


@pytest.mark.parametrize(
    "frame",
    [
        '{"type": "response.create", "input": ' + "[" * 50_000 + "]" * 50_000 + "}",
        '{"type": "response.create", "input": "a", "metadata": ' + '{"a":' * 5_000 + "1" + "}" * 5_001,
        '{"type": "response.create", "input": "a", "max_output_tokens": ' + "9" * 5_000 + "}",
        '{"type": "response.create", "input": "a", "tools": [{"type": "function", "name": "f", "parameters": '
        + '{"a":' * 5_000
        + "1"
        + "}" * 5_000
        + "}]}",
    ],
)
def test_a_frame_that_nests_without_end_is_a_400(socket: ClientConnection, frame: str) -> None:
    socket.send(frame)
    assert b'"status":400' in socket.recv(WAIT_S, decode=False).replace(b" ", b"")
    with pytest.raises(TimeoutError):
        socket.recv(0.05)
    send(socket, input="a")


def test_a_compressed_connection_serves(live: Live) -> None:
    with open_socket(live, compression="deflate") as socket:
        assert turn(socket, input="a " * 10_000)["status"] == "completed"
        socket.close()
        with pytest.raises(ConnectionClosed):
            socket.recv(WAIT_S)
