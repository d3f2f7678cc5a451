"""The listening side of a server process: its socket, its signals, and uvicorn in between."""

import asyncio
import contextlib
import errno
import signal
import socket
import ssl
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator

import uvicorn
from starlette.types import ASGIApp

from antiphon.config.settings import Settings
from antiphon.errors import SetupError
from antiphon.http_protocols import HttpLimits, WebSocket, limited

_BACKLOG = 2048
_CLOSING_S = 2  # for what is left in the sockets once everything has its end

# A client that vanished without a word is noticed after about a minute. Accepted connections inherit these.
_TCP_OPTIONS = {"TCP_KEEPIDLE": 30, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3, "TCP_USER_TIMEOUT": 60_000}


def bind(host: str, port: int) -> socket.socket:
    """A socket bound to the address, not yet accepting. Raises: SetupError that names the flag to change."""
    return _bind(host, port, shared=False)


def bind_for_workers(host: str, port: int, count: int) -> list[socket.socket]:
    """Sockets on one port, already listening: as many as there are workers where the kernel balances, else one.

    Raises: SetupError that names the flag to change.
    """
    with bind(host, port) as alone:  # fails where somebody listens who would let us share the port
        _listen(alone, host, port)
        port = alone.getsockname()[1]
    # Only Linux spreads connections among sockets that share a port.
    balanced = sys.platform == "linux"
    sockets: list[socket.socket] = []
    try:
        for _ in range(count if balanced else 1):
            sockets.append(_bind(host, port, shared=balanced))
            _listen(sockets[-1], host, port)
    except SetupError:
        for each in sockets:
            each.close()
        raise
    return sockets


def _listen(bound: socket.socket, host: str, port: int) -> None:
    try:
        bound.listen(_BACKLOG)
    except OSError as error:
        raise SetupError(_bind_problem(error, host, port)) from None


def _bind(host: str, port: int, *, shared: bool) -> socket.socket:
    try:
        addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except socket.gaierror:
        raise SetupError(f"{host} is not an address of this machine; choose another with --host") from None
    # `localhost` may be both: clients that try IPv6 first fall back to IPv4, the reverse is not so.
    family, kind, protocol, _, address = min(addresses, key=lambda each: each[0] != socket.AF_INET)
    listening = socket.socket(family, kind, protocol)
    try:
        _set_options(listening)
        if shared:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listening.bind(address)
    except OSError as error:
        listening.close()
        raise SetupError(_bind_problem(error, host, port)) from None
    return listening


def raise_file_limit() -> None:
    """Allow this process as many open files as it may have: a stream is one, and one more to a model server."""
    if sys.platform == "win32":
        return
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):  # some systems refuse the limit that they name
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def origin(listening: socket.socket, scheme: str = "http") -> str:
    """The URL under which this machine reaches the socket, without a path."""
    host, port = listening.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


async def listen(
    app: ASGIApp,
    listening: socket.socket,
    settings: Settings,
    *,
    tls: ssl.SSLContext | None = None,
    ready: Callable[[], None],
    drain: Callable[[signal.Signals], Awaitable[None]],
    reload: Callable[[], Awaitable[object]],
) -> None:
    """Serve `app` until SIGINT or SIGTERM, calling `ready` once connections are accepted, and `reload` on SIGHUP.

    On a signal `drain` brings what is open to its end while connections are still served; then they are closed. A
    second signal ends at once. The application is neither started nor closed here: its owner does that around this
    call.
    """
    await _Server(_uvicorn_config(app, settings, tls), ready, drain, reload).serve([listening])


def new_event_loop() -> asyncio.AbstractEventLoop:
    """The fastest event loop there is here."""
    if sys.platform == "win32" or sys.implementation.name != "cpython":
        return asyncio.new_event_loop()
    import uvloop  # not available on every platform

    return uvloop.new_event_loop()


class _Server(uvicorn.Server):
    def __init__(
        self,
        config: uvicorn.Config,
        ready: Callable[[], None],
        drain: Callable[[signal.Signals], Awaitable[None]],
        reload: Callable[[], Awaitable[object]],
    ) -> None:
        super().__init__(config)
        self._ready = ready
        self._drain = drain
        self._reload = reload
        self._reloads: set[asyncio.Task[object]] = set()
        self._draining: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        try:
            await super().startup(sockets)
        except OSError as error:  # the address was free when bound, and another process began to listen first
            raise SetupError(_bind_problem(error, self.config.host, self.config.port)) from None
        self._loop = asyncio.get_running_loop()
        if self.started:
            self._ready()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop on a signal. uvicorn's own way raises it once more at the end, and we would die before we are closed."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self._stop) for number in (signal.SIGINT, signal.SIGTERM)}
        if sys.platform != "win32":  # it has no such signal
            before[signal.SIGHUP] = signal.signal(signal.SIGHUP, self._take_over)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _stop(self, number: int, _: object) -> None:
        if self._loop is None or self._draining is not None:
            self.should_exit = self.force_exit = True
        else:
            self._loop.call_soon_threadsafe(self._begin_to_drain, signal.Signals(number))

    def _take_over(self, _: int, __: object) -> None:
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._begin_to_reload)

    def _begin_to_reload(self) -> None:
        if self._draining is None and self._loop is not None:
            task = self._loop.create_task(_awaited(self._reload))
            self._reloads.add(task)
            task.add_done_callback(self._reloads.discard)

    def _begin_to_drain(self, number: signal.Signals) -> None:
        if self._draining is None and self._loop is not None:
            self._draining = self._loop.create_task(self._drain_and_exit(number))

    async def _drain_and_exit(self, number: signal.Signals) -> None:
        try:
            await self._drain(number)
        finally:
            self.should_exit = True


async def _awaited(act: Callable[[], Awaitable[object]]) -> object:
    return await act()


def _uvicorn_config(app: ASGIApp, settings: Settings, tls: ssl.SSLContext | None) -> uvicorn.Config:
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        http=limited(HttpLimits(head_bytes=settings.max_head_bytes, patience_s=settings.request_timeout_s)),
        ws=WebSocket,
        ws_max_size=2 * settings.max_body_bytes,  # our own limit is answered with an error first
        interface="asgi3",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=_BACKLOG,
        timeout_keep_alive=settings.keep_alive_s,
        timeout_graceful_shutdown=_CLOSING_S,
    )
    config.load()
    config.ssl = tls
    return config


def _set_options(listening: socket.socket) -> None:
    if sys.platform != "win32":  # there, the option would let two processes share the port
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _TCP_OPTIONS.items():
        option = getattr(socket, name, None)
        if option is None:
            continue
        with contextlib.suppress(OSError):  # some kernels know the name and refuse the option
            listening.setsockopt(socket.IPPROTO_TCP, option, value)


def _bind_problem(error: OSError, host: str, port: int) -> str:
    match error.errno:
        case errno.EADDRINUSE:
            return f"port {port} is in use; choose another with --port"
        case errno.EACCES:
            return f"port {port} is not allowed to this user; choose another with --port"
        case errno.EADDRNOTAVAIL:
            return f"{host} is not an address of this machine; choose another with --host"
    return f"cannot listen on {host} port {port}: {error.strerror}; choose others with --host and --port"
