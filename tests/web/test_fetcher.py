"""Fetching over real sockets: what is returned, and what a hostile server cannot do."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from antiphon.errors import InvalidRequest
from antiphon.web.fetcher import HttpFetcher
from antiphon.web.policy import FetchPolicy, networks

pytestmark = pytest.mark.anyio
PNG = b"\x89PNG\r\n"
HERE = networks(["127.0.0.1/32"])
Answer = bytes | Callable[[socket.socket], None]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@contextmanager
def serving(*answers: Answer) -> Iterator[tuple[str, list[bytes]]]:
    """A server that gives these answers in turn; its origin, and the requests that came."""
    requests: list[bytes] = []

    def work() -> None:
        for answer in answers:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(5)
                requests.append(connection.recv(65536))
                if callable(answer):
                    answer(connection)
                else:
                    connection.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(5)
        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", requests
        listener.close()
        thread.join(10)


def ok(body: bytes, *headers: str) -> bytes:
    lines = ["HTTP/1.1 200 OK", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def moved(place: str) -> bytes:
    return f"HTTP/1.1 302 Found\r\nLocation: {place}\r\nContent-Length: 0\r\n\r\n".encode()


def fetcher(**policy: float) -> HttpFetcher:
    return HttpFetcher(FetchPolicy(networks=HERE, **policy))  # type: ignore[arg-type]


async def refusal(url: str, max_bytes: int = 1000, **policy: float) -> str:
    with pytest.raises(InvalidRequest) as caught:
        await fetcher(**policy).fetch(url, max_bytes=max_bytes, param="input[0]")
    assert caught.value.param == "input[0]"
    assert "127.0.0.1" not in caught.value.message
    return caught.value.message


async def test_a_body_comes_with_its_type() -> None:
    with serving(ok(PNG, "Content-Type: Image/PNG; x=y")) as (origin, requests):
        found = await fetcher().fetch(f"{origin}/a.png?b=c", max_bytes=6, param="x")
    assert (found.body, found.content_type) == (PNG, "image/png")
    assert requests[0].startswith(b"GET /a.png?b=c HTTP/1.1\r\n")
    assert f"Host: {origin.removeprefix('http://')}".encode() in requests[0]


async def test_a_redirect_is_followed_within_the_policy() -> None:
    with serving(moved("/there"), ok(PNG)) as (origin, requests):
        assert (await fetcher().fetch(origin, max_bytes=10, param="x")).body == PNG
    assert requests[1].startswith(b"GET /there ")


@pytest.mark.parametrize(
    "place", ["http://127.0.0.2/", "http://169.254.169.254/latest/meta-data", "file:///etc/passwd"]
)
async def test_a_redirect_out_of_the_policy_is_refused(place: str) -> None:
    with serving(moved(place)) as (origin, _):
        assert "cannot be fetched" in await refusal(origin)


async def test_redirects_in_a_circle_end() -> None:
    with serving(*[moved("/again")] * 4) as (origin, requests):
        assert "redirects too often" in await refusal(origin)
    assert len(requests) == 4


async def test_a_body_is_bounded_whether_or_not_its_length_is_declared() -> None:
    with serving(ok(b"x" * 1001)) as (origin, _):
        assert "larger than 1000 bytes" in await refusal(origin)
    endless = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + b"x" * 1001
    with serving(endless) as (origin, _):
        assert "larger than 1000 bytes" in await refusal(origin)


async def test_compressed_bodies_are_refused_since_they_may_be_bombs() -> None:
    with serving(ok(b"x", "Content-Encoding: gzip")) as (origin, _):
        assert "compressed" in await refusal(origin)


def drip(connection: socket.socket) -> None:
    """Header bytes, one at a time, until the other side hangs up."""
    turn = threading.Event()
    try:
        connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
        for _ in range(500):
            connection.sendall(b"x")
            turn.wait(0.02)
    except OSError:
        return


async def test_a_server_that_drips_is_left_in_time() -> None:
    began = time.monotonic()
    with serving(drip) as (origin, _):
        assert "no answer within 0.5 s" in await refusal(origin, timeout_s=0.5)
    assert time.monotonic() - began < 5


async def test_a_name_is_resolved_once_and_connected_to_as_resolved() -> None:
    asked: list[str] = []

    def rebinding(host: str, _: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["169.254.169.254"]

    with serving(ok(PNG)) as (origin, requests):
        port = origin.rpartition(":")[2]
        bound = HttpFetcher(FetchPolicy(networks=HERE), resolve=rebinding)
        found = await bound.fetch(f"http://images.example:{port}/", max_bytes=10, param="x")
    assert found.body == PNG
    assert asked == ["images.example"]
    assert f"Host: images.example:{port}".encode() in requests[0]


async def test_a_name_that_resolves_to_a_private_address_is_refused() -> None:
    inside = HttpFetcher(FetchPolicy(), resolve=lambda *_: ["10.0.0.7"])
    with pytest.raises(InvalidRequest, match="not public"):
        await inside.fetch("https://images.example/", max_bytes=10, param="x")


@pytest.mark.parametrize("answer", [b"nonsense\r\n\r\n", b"", b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"])
async def test_what_is_no_good_answer_is_an_error_of_the_request(answer: bytes) -> None:
    with serving(answer) as (origin, _):
        assert "cannot be fetched" in await refusal(origin)
