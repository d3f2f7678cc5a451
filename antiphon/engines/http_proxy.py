"""Connections through an HTTP proxy: a tunnel (`CONNECT`) to servers behind TLS."""

import asyncio
import ssl
from base64 import b64encode
from collections.abc import Callable
from typing import TypeVar
from urllib.parse import unquote, urlsplit

from msgspec import Struct

from antiphon.errors import EngineUnavailable, SetupError

P = TypeVar("P", bound=asyncio.Protocol)

MAX_HEAD_BYTES = 16 * 1024


class Proxy(Struct, frozen=True):
    """Where a proxy is. `authorization` is the value of the header `Proxy-Authorization`."""

    host: str
    port: int
    authorization: str | None = None


def parse_proxy(url: str) -> Proxy:
    """The proxy of a URL such as `http://name:password@proxy:3128`. Raises: SetupError, never repeating it."""
    try:
        parts = urlsplit(url)
        port = parts.port or 80
    except ValueError:
        raise SetupError("The proxy's URL is malformed; write it like http://proxy.example:3128.") from None
    if parts.scheme != "http" or not parts.hostname:
        raise SetupError("The proxy's URL cannot be used; write it like http://proxy.example:3128.")
    if parts.username is None:
        return Proxy(parts.hostname, port)
    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return Proxy(parts.hostname, port, f"Basic {b64encode(pair.encode()).decode()}")


async def open_tunnel(proxy: Proxy, host: str, port: int, tls: ssl.SSLContext, make: Callable[[], P]) -> P:
    """A protocol of `make`, connected through the proxy to `host` and `port` over TLS.

    Raises: EngineUnavailable when the proxy refuses; OSError when it cannot be reached.
    """
    loop = asyncio.get_running_loop()
    transport, answer = await loop.create_connection(_Answer, proxy.host, proxy.port)
    try:
        transport.write(_request(proxy, host, port))
        status = await answer.status
        if status != 200:
            raise EngineUnavailable(f"The proxy does not connect to the engine (status {status}).")
        protocol = make()
        secured = await loop.start_tls(transport, protocol, tls, server_hostname=host)
        assert secured is not None
        protocol.connection_made(secured)
    except BaseException:
        transport.abort()
        raise
    return protocol


def _request(proxy: Proxy, host: str, port: int) -> bytes:
    authority = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    lines = [f"CONNECT {authority} HTTP/1.1", f"Host: {authority}"]
    if proxy.authorization is not None:
        lines.append(f"Proxy-Authorization: {proxy.authorization}")
    return "\r\n".join([*lines, "", ""]).encode("ascii")


class _Answer(asyncio.Protocol):
    """The proxy's answer to CONNECT: `status` once its head is whole, 0 for what is no answer."""

    def __init__(self) -> None:
        self.status: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._head = b""

    def data_received(self, data: bytes) -> None:
        self._head += data
        if b"\r\n\r\n" in self._head or len(self._head) > MAX_HEAD_BYTES:
            self._settle(self._head)

    def connection_lost(self, exc: Exception | None) -> None:
        self._settle(b"")

    def _settle(self, head: bytes) -> None:
        words = head.partition(b"\r\n")[0].split(b" ")
        if not self.status.done():
            self.status.set_result(int(words[1]) if len(words) > 1 and words[1].isdigit() else 0)
