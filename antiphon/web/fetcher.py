"""The `Fetcher` that goes out: one GET at a time per thread, to an address that was checked before it is connected to.

The name is resolved once and the connection goes to what it resolved to, so a name that changes in between changes
nothing. TLS is checked against the name. Size and time are bounded while reading; nothing is decompressed.
"""

import asyncio
import http.client
import socket
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from urllib.parse import urljoin

from antiphon.errors import InvalidRequest
from antiphon.ports import Fetched
from antiphon.web.policy import FetchPolicy, Refused, Target

_THREADS = 8
_CHUNK = 64 * 1024
_GRACE_S = 1.0
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_NAME = "antiphon"

Resolve = Callable[[str, int], Sequence[str]]


def resolve(host: str, port: int) -> list[str]:
    """Every address of a name. Raises: OSError."""
    return [str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


class HttpFetcher:
    """Fetches within a policy, a few at a time."""

    def __init__(self, policy: FetchPolicy, *, resolve: Resolve = resolve, tls: ssl.SSLContext | None = None) -> None:
        self._policy = policy
        self._resolve = resolve
        self._tls = tls
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="fetcher")

    async def fetch(self, url: str, *, max_bytes: int, param: str) -> Fetched:
        """Raises: InvalidRequest, naming `param`."""
        try:
            loop = asyncio.get_running_loop()
            async with asyncio.timeout(self._policy.timeout_s + _GRACE_S):  # a look-up of names has no time-out
                return await loop.run_in_executor(self._threads, self._follow, url, max_bytes)
        except Refused as error:
            raise InvalidRequest(f"The address cannot be fetched: {error}.", param=param, code="invalid_url") from error
        except TimeoutError as error:
            raise _failed(f"no answer within {self._policy.timeout_s:g} s", param) from error
        except (OSError, http.client.HTTPException) as error:
            raise _failed("its server cannot be reached or does not speak HTTP", param) from error

    async def close(self) -> None:
        """Begin nothing any more."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _follow(self, url: str, max_bytes: int) -> Fetched:
        give_up_at = time.monotonic() + self._policy.timeout_s
        for _ in range(self._policy.max_redirects + 1):
            answer = self._get(self._policy.target(url), max_bytes, give_up_at)
            if isinstance(answer, Fetched):
                return answer
            url = urljoin(url, answer)
        raise Refused("it redirects too often")

    def _get(self, target: Target, max_bytes: int, give_up_at: float) -> Fetched | str:
        """What is there, or where it is instead."""
        address = self._policy.check(self._resolve(target.host, target.port))
        connection = http.client.HTTPConnection(target.host, target.port)
        line = connection.sock = self._connect(target, address, give_up_at)
        end = threading.Timer(_left(give_up_at), _hang_up, [line])  # a server that drips bytes meets no other time-out
        end.start()
        try:
            headers = {"Host": target.authority, "User-Agent": _NAME, "Accept": "*/*", "Accept-Encoding": "identity"}
            connection.request("GET", target.path, headers=headers)
            answer = connection.getresponse()
            place = answer.getheader("location")
            if answer.status in _REDIRECTS and place:
                return place
            if answer.status != 200:
                raise Refused(f"its server answers {answer.status}")
            if answer.getheader("content-encoding", "identity").lower() != "identity":
                raise Refused("it is sent compressed")
            body = _read(answer, line, max_bytes, give_up_at)
            return Fetched(body, answer.getheader("content-type", "").partition(";")[0].strip().lower())
        except (OSError, http.client.HTTPException):
            _left(give_up_at)
            raise
        finally:
            end.cancel()
            connection.close()
            line.close()

    def _connect(self, target: Target, address: str, give_up_at: float) -> socket.socket:
        plain = socket.create_connection((address, target.port), timeout=_left(give_up_at))
        if target.scheme == "http":
            return plain
        try:
            self._tls = self._tls or ssl.create_default_context()
            return self._tls.wrap_socket(plain, server_hostname=target.host)
        except BaseException:
            plain.close()
            raise


def _read(answer: http.client.HTTPResponse, connection: socket.socket, max_bytes: int, give_up_at: float) -> bytes:
    declared = answer.getheader("content-length", "")
    if declared.isdigit() and int(declared) > max_bytes:
        raise _too_large(max_bytes)
    chunks: list[bytes] = []
    size = 0
    while True:
        connection.settimeout(_left(give_up_at))
        chunk = answer.read1(_CHUNK)
        if not chunk:
            _left(give_up_at)  # hung up, not ended
            return b"".join(chunks)
        size += len(chunk)
        if size > max_bytes:
            raise _too_large(max_bytes)
        chunks.append(chunk)


def _hang_up(line: socket.socket) -> None:
    with suppress(OSError):
        line.shutdown(socket.SHUT_RDWR)


def _left(give_up_at: float) -> float:
    left = give_up_at - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _too_large(max_bytes: int) -> Refused:
    return Refused(f"it is larger than {max_bytes} bytes")


def _failed(why: str, param: str) -> InvalidRequest:
    return InvalidRequest(f"The address cannot be fetched: {why}.", param=param, code="url_unreachable")
