"""A hundred thousand hostile requests over raw sockets: no 5xx, no hang, no growth."""

import random
import socket
from pathlib import Path

import pytest

from tests.command import started
from tests.keys.ring import entry, keys_file

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

REQUESTS = 100_000
WAIT_S = 5.0
GOOD = (
    b'{"input":"hi","tools":[{"type":"function","name":"f","parameters":{"type":"object"}}],"metadata":{"a":"b"},'
    b'"previous_response_id":null,"text":{"format":{"type":"text"}},"reasoning":{"effort":"low"},"max_output_tokens":16}'
)
PATHS = (
    "/v1/responses /v1/responses/resp_1 /v1/responses/resp_1/cancel /v1/responses/resp_1/input_items /v1/conversations "
    "/v1/conversations/c/items /v1/prompts /v1/models /v1/responses/input_tokens /openai/v1/responses /metrics /nope"
).split()
TAILS = (b"/%2e%2e", b"?include[]=\xff", b"/%00", b"//", b"?limit=-1", b"/" + b"x" * 500, b"?stream=x")
METHODS = ("GET", "POST", "DELETE", "PUT", "OPTIONS", "HEAD", "PATCH", "BREW")
HEADERS = (
    b"Transfer-Encoding: chunked",
    b"Content-Length: 5",
    b"Content-Length: -1",
    b"Content-Encoding: gzip",
    b"Expect: 100-continue",
    b"X-Request-Id: \x01\xff",
    b"X-Antiphon-Dialect: nope",
    b"Authorization: Bearer wrong",
    b"Authorization: Bearer alice-key",
    b"Upgrade: websocket",
    b"Connection: close, upgrade",
    b" folded: line",
    b"Host: two",
    b"Range: bytes=0-",
    b"api-key: " + b"k" * 3000,
)
PIECES = (
    b"\x00",
    b"\xff\xfe",
    b'"',
    b"{",
    b"}",
    b"[" * 300,
    b"]",
    b"null",
    b"1e999",
    b"-0",
    b"\\ud800",
    b"'; --",
    b"../",
)


def hostile(chance: random.Random) -> tuple[bytes, float]:
    """A request that is wrong somewhere, or everywhere, and how long to wait for an answer: not for one to a part."""
    body = bytearray(GOOD)
    for _ in range(chance.randrange(4)):
        at = chance.randrange(len(body) + 1)
        body[at : at + chance.randrange(12)] = chance.choice(PIECES)
    path = chance.choice(PATHS).encode()
    if chance.random() < 0.3:
        path += chance.choice(
            [b"/%2e%2e", b"?include[]=\xff", b"/%00", b"//", b"?limit=-1", b"/" + b"x" * 500, b"?stream=x"]
        )
    lines = [chance.choice(METHODS).encode() + b" " + path + b" HTTP/1.1", b"Host: x"]
    if chance.random() < 0.8:
        lines.append(b"Content-Length: %d" % len(body))
    if chance.random() < 0.7:
        lines.append(b"Authorization: Bearer alice-key")
    lines += chance.sample(HEADERS, chance.randrange(3))
    text = chance.choice([b"\r\n", b"\r\n", b"\r\n", b"\n"]).join(lines) + b"\r\n\r\n" + bytes(body)
    if chance.random() < 0.1:
        return text[: chance.randrange(len(text))], 0.05
    return text, WAIT_S


def send(port: int, text: bytes, wait_s: float = WAIT_S) -> bytes:
    """The first bytes of the answer; empty where the server hung up, or waits for the rest.

    Raises: TimeoutError when a whole request has no answer.
    """
    with socket.create_connection(("127.0.0.1", port), timeout=WAIT_S) as line:
        line.settimeout(wait_s)
        try:
            line.sendall(text)
            return line.recv(4096)
        except ConnectionError:
            return b""
        except TimeoutError:
            if wait_s == WAIT_S:
                raise
            return b""


def resident_kb(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS")))


def test_nothing_hostile_breaks_hangs_or_grows_the_server(tmp_path: Path) -> None:
    chance = random.Random(2026)
    flags = ("--engine", "scripted", "--keys-file", str(keys_file(tmp_path, entry("alice"))), "--no-access-log")
    with started(*flags, "--log-level", "error") as server:
        port = int(server.origin.rpartition(":")[2])
        seen: dict[bytes, int] = {}
        early = 0
        for number in range(REQUESTS):
            text, wait_s = hostile(chance)
            answer = send(port, text, wait_s)
            status = answer[9:12] if answer.startswith(b"HTTP/1.1 ") else b""
            seen[status] = seen.get(status, 0) + 1
            assert not status.startswith(b"5"), (text, answer)
            if number == REQUESTS // 5:
                early = resident_kb(server.process.pid)
        grown = resident_kb(server.process.pid) - early
        assert send(port, b"GET /ready HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").startswith(b"HTTP/1.1 200")
    print(f"{seen}, grown by {grown} KB")
    assert {b"200", b"400", b"401", b"404", b"405"} <= set(seen)
    assert grown < 30_000
