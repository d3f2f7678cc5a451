"""Requests by hand that mean one thing to a proxy and might mean another one to us, or that never end."""

import json
import time
from collections.abc import Iterator

import pytest

from tests.live import Live, serve
from tests.server.raw import Connection

POST = b"POST /v1/responses HTTP/1.1\r\nHost: x\r\n"
HEALTH = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"
BODY = b'{"input": "hi"}'
PATIENCE_S = 0.5


@pytest.fixture(scope="module")
def guarded() -> Iterator[Live]:
    """A server of little patience."""
    with serve(head_bytes=4096, patience_s=PATIENCE_S) as running:
        yield running


@pytest.mark.parametrize(
    "sent",
    [
        POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + HEALTH,
        POST + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" + HEALTH,
        POST + b"Content-Length: 0\r\nContent-Length: 37\r\n\r\n" + HEALTH,
        POST + b"Content-Length: 15, 15\r\n\r\n" + BODY,
        POST + b"Content-Length: +15\r\n\r\n" + BODY,
        POST + b"Content-Length: 0xf\r\n\r\n" + BODY,
        POST + b"Content-Length: 99999999999999999999999\r\n\r\n" + BODY,
        POST + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n" + HEALTH,
        POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + HEALTH,
        POST + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + HEALTH,
        POST + b"Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n" + HEALTH,
        POST + b"Transfer-Encoding: chunked\r\n\r\n5;a\nb\r\nhello\r\n0\r\n\r\n",
        POST + b"Transfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n0\r\n\r\n",
        POST + b"Transfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n",
        POST + b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nhello\r\n0\r\n\r\n",
        POST + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhelloXX0\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: x\r\nX-A: b\r\n folded\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: x\r\n X-A: b\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: x\r\nX-A: b\rX-B: c\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: x\r\nX-A: b\x00c\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: x\r\nX\x00A: b\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: x\r\n: b\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
        b"GET /health HTTP/1.1\r\nX-A: b\r\n\r\n",
        b"GET /he\x00alth HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /he\xc3\xa9 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /health\r\n\r\n",
        b"CONNECT other:443 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
)
def test_a_request_of_two_meanings_is_one_400_and_the_end(guarded: Live, sent: bytes) -> None:
    with Connection(guarded.port) as connection:
        connection.send(sent)
        status, headers = connection.read_head()
        error = json.loads(connection.read_body(headers))["error"]
        assert (status, error["type"], error["code"]) == (400, "invalid_request_error", "invalid_http")
        assert headers["connection"] == "close"
        assert connection.rest() == b""


def test_chunk_extensions_and_trailers_are_read_past(guarded: Live) -> None:
    with Connection(guarded.port) as connection:
        connection.send(POST + b"Transfer-Encoding: chunked\r\n\r\n")
        connection.send(b'f;a=b;c="d"\r\n' + BODY + b"\r\n0\r\nX-Request-Id: smuggled\r\n\r\n")
        status, headers = connection.read_head()
        assert (status, json.loads(connection.read_body(headers))["status"]) == (200, "completed")
        assert headers["x-request-id"] != "smuggled"


@pytest.mark.parametrize(
    "sent",
    [
        b"GET /" + b"a" * 5000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /health?" + b"a" * 5000,
        b"GET /health HTTP/1.1\r\nHost: x\r\nX-A: " + b"a" * 5000 + b"\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: x\r\n" + b"X-A: b\r\n" * 600 + b"\r\n",
        b"GET /health HTTP/1.1\r\nHost: x\r\n" + b"A:\r\n" * 1500,
    ],
)
def test_a_head_that_is_too_large_is_a_431(guarded: Live, sent: bytes) -> None:
    with Connection(guarded.port) as connection:
        for start in range(0, len(sent), 1000):
            connection.send_if_open(sent[start : start + 1000])
        status, headers = connection.read_head()
        error = json.loads(connection.read_body(headers))["error"]
        assert (status, error["code"]) == (431, "headers_too_large")
        assert "max_head_bytes" in error["message"]


def test_trailers_without_end_are_refused(guarded: Live) -> None:
    with Connection(guarded.port) as connection:
        connection.send(POST + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n")
        connection.send_if_open(b"X-A: bbbbbbbbbbbbbbbbbbb\r\n" * 400)
        assert connection.read_head()[0] == 431


@pytest.mark.parametrize(
    "began",
    [b"GET /health HTTP/1.1\r\nHost: x\r\nX-A: ", POST + b"Content-Length: 100\r\n\r\n{", POST, b"GET /he"],
)
def test_a_request_that_drips_is_a_408_in_time(guarded: Live, began: bytes) -> None:
    with Connection(guarded.port) as connection:
        before = time.monotonic()
        connection.send(began)
        while not connection.can_read(0.05) and time.monotonic() < before + 10 * PATIENCE_S:
            connection.send_if_open(b"a")
        status, headers = connection.read_head()
        assert (status, json.loads(connection.read_body(headers))["error"]["code"]) == (408, "request_timeout")


@pytest.mark.parametrize(("first", "drip"), [(b"", b""), (b"", b"\r\n"), (HEALTH, b"\r\n")])
def test_a_connection_without_a_request_is_closed_in_time(guarded: Live, first: bytes, drip: bytes) -> None:
    with Connection(guarded.port) as connection:
        if first:
            connection.send(first)
            connection.read_body(connection.read_head()[1])
        before = time.monotonic()
        while not connection.can_read(0.05) and time.monotonic() < before + 10 * PATIENCE_S:
            connection.send_if_open(drip)
        assert connection.rest() == b""
        assert time.monotonic() < before + 8 * PATIENCE_S


def test_a_long_answer_outlives_the_patience_for_its_request(guarded: Live) -> None:
    with Connection(guarded.port) as connection:
        connection.post(input="[[delay:100]][[say:a b c d e f g h i j k l m n o p]]", stream=True)
        connection.read_head()
        connection.send(b"GET /health HTTP/1.1\r\n")
        assert b"response.completed" in b"".join(connection.chunks())


def test_what_is_wrong_behind_a_request_does_not_answer_it(guarded: Live) -> None:
    with Connection(guarded.port) as connection:
        connection.post(input="[[delay:50]][[say:a b c d e f]]")
        connection.send(b"\x00nonsense\r\n\r\n")
        assert connection.rest() == b""


def test_pipelined_requests_are_answered_in_their_order(guarded: Live) -> None:
    with Connection(guarded.port) as connection:
        slow = b'{"input": "[[delay:100]][[say:a b]]"}'
        connection.send(POST + b"Content-Length: %d\r\n\r\n%b" % (len(slow), slow) + HEALTH * 50)
        status, headers = connection.read_head()
        assert (status, json.loads(connection.read_body(headers))["object"]) == (200, "response")
        for _ in range(50):
            status, headers = connection.read_head()
            assert (status, json.loads(connection.read_body(headers))) == (200, {"status": "ok"})
