"""Connections to one engine, kept alive between exchanges."""

import asyncio
import ssl
from collections.abc import Callable

from antiphon.engines.http_proxy import Proxy, open_tunnel
from antiphon.engines.http_stream import ConnectionLost, HttpConnection
from antiphon.errors import EngineUnavailable

MAX_IDLE = 512
"""As many as a busy server has streams: those that end together begin together again, and a connection is dear."""
MAX_IDLE_S = 30.0


class Unreachable(EngineUnavailable):
    """There is no connection: nothing has been sent."""


class HttpPool:
    """Connects to `host` and `port`, over TLS if a context is given, and keeps up to MAX_IDLE connections for reuse.

    `proxy` stands in between: with TLS as a tunnel, without as the one that the requests are sent to.
    """

    def __init__(
        self,
        host: str,
        port: int,
        tls: ssl.SSLContext | None,
        *,
        connect_timeout_s: float,
        proxy: Proxy | None = None,
    ) -> None:
        self._host = host
        self._port = port
        self._tls = tls
        self._proxy = proxy
        self._connect_timeout_s = connect_timeout_s
        self._idle: dict[HttpConnection, float] = {}  # since when each is idle, the one that was used last at the end
        self._open: set[HttpConnection] = set()
        self._closed = False

    async def exchange(self, request: bytes, on_sent: Callable[[], None] | None = None) -> HttpConnection:
        """Send `request` and wait for the head of the answer; the caller reads the body, then releases or aborts.

        A kept connection that turns out to have been closed meanwhile is replaced once. `on_sent` is told of each send.
        Raises: EngineUnavailable when the engine cannot be reached or hangs up, EngineError when it talks nonsense.
        """
        kept = self._kept()
        if kept is not None:
            try:
                return await _exchange(kept, request, on_sent)
            except ConnectionLost:
                if kept.heard:
                    raise
        return await _exchange(await self._connect(), request, on_sent)

    def close(self) -> None:
        """Close every connection, those in use too."""
        self._closed = True
        self._idle.clear()
        for connection in tuple(self._open):
            connection.abort()

    def _kept(self) -> HttpConnection | None:
        """The connection that became idle last, because the engine is least likely to have closed it."""
        self._close_old(asyncio.get_running_loop().time())
        return self._idle.popitem()[0] if self._idle else None

    def _close_old(self, now: float) -> None:
        """Close those that have been idle for too long. While nothing is asked, that is left to the server."""
        while self._idle:
            connection, since = next(iter(self._idle.items()))
            if now - since < MAX_IDLE_S:
                return
            del self._idle[connection]
            connection.abort()

    async def _connect(self) -> HttpConnection:
        if self._closed:
            raise EngineUnavailable("The engine is closed.")
        try:
            async with asyncio.timeout(self._connect_timeout_s):
                connection = await self._reach()
        except TimeoutError:
            raise Unreachable(f"The engine did not accept a connection within {self._connect_timeout_s:g} s.") from None
        except ssl.SSLCertVerificationError:
            raise Unreachable("The engine's TLS certificate cannot be verified.") from None
        except OSError:  # refused, unresolvable, unreachable, or another TLS failure
            raise Unreachable("The engine cannot be reached.") from None
        self._open.add(connection)
        return connection

    async def _reach(self) -> HttpConnection:
        def make() -> HttpConnection:
            return HttpConnection(self._freed)

        proxy = self._proxy
        if proxy is not None and self._tls is not None:
            return await open_tunnel(proxy, self._host, self._port, self._tls, make)
        host, port = (self._host, self._port) if proxy is None else (proxy.host, proxy.port)
        _, connection = await asyncio.get_running_loop().create_connection(make, host, port, ssl=self._tls)
        return connection

    def _freed(self, connection: HttpConnection) -> None:
        if connection.lost:
            self._open.discard(connection)
            self._idle.pop(connection, None)
        elif not connection.reusable or self._closed or len(self._idle) >= MAX_IDLE:
            connection.abort()
        else:
            now = asyncio.get_running_loop().time()
            self._close_old(now)
            self._idle[connection] = now


async def _exchange(connection: HttpConnection, request: bytes, on_sent: Callable[[], None] | None) -> HttpConnection:
    try:
        connection.send(request)
        if on_sent is not None:
            on_sent()
        await connection.head()
    except BaseException:  # a cancelled exchange must not leave its request running
        connection.abort()
        raise
    return connection
