"""What is known together leaves together: a client that reads at once gets it in one piece."""

import json
import socket
from collections.abc import Iterator

import pytest

from tests.command import started
from tests.live import CLIENT_S

ROUNDS = 25


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """Of a server in a process of its own, beside which a client reads at once."""
    with started("--engine", "scripted", "--store", "memory", "--no-access-log") as server:
        yield int(server.origin.rpartition(":")[2])


def _pieces(port: int, body: dict[str, object], until: bytes) -> list[bytes]:
    """The answer as it came, read by read, up to its end."""
    sent = json.dumps(body).encode()
    head = b"POST /v1/responses HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=CLIENT_S) as client:
        client.sendall(head % len(sent) + sent)
        pieces: list[bytes] = []
        while not pieces or not pieces[-1].endswith(until):
            pieces.append(client.recv(2**20))
            assert pieces[-1], pieces
        return pieces


def test_headers_leave_with_the_first_event_and_the_end_with_the_last(port: int) -> None:
    for _ in range(ROUNDS):
        pieces = _pieces(port, {"input": "Hello.", "stream": True}, b"\r\n0\r\n\r\n")
        assert b"event: response.created" in pieces[0]
        assert b"event: response.completed" in pieces[-1]


@pytest.mark.parametrize("extra", [{}, {"temperature": 9}])
def test_an_answer_in_json_leaves_in_one_piece(port: int, extra: dict[str, object]) -> None:
    for _ in range(ROUNDS):
        assert len(_pieces(port, {"input": "Hello.", **extra}, b"}")) == 1
