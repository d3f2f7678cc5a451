"""WebSocket mode of `responses`: who may open a connection, and how everybody else is answered."""

from collections.abc import Mapping
from urllib.parse import parse_qsl

from starlette.types import Receive, Scope, Send

from antiphon.errors import AntiphonError, InvalidRequest, NotFound, Unauthorized, UpgradeRequired
from antiphon.server.arrival import DIALECT, Arrival, Reception
from antiphon.server.channel import DIRECT_TEXT, Channel
from antiphon.server.connection import SocketConnection, SocketOrigin, WebSocketOptions
from antiphon.server.error_answers import envelope, retry_headers
from antiphon.server.guards import Guard
from antiphon.server.passes import Pass
from antiphon.server.paths import is_azure, socket_parameters
from antiphon.server.recorder import Recorder
from antiphon.service.responses import Responses
from antiphon.wire.unknown import encode

SWITCHING_PROTOCOLS = 101


class Sockets:
    """The WebSocket side of an application."""

    def __init__(
        self, service: Responses, guard: Guard, options: WebSocketOptions, reception: Reception, recorder: Recorder
    ) -> None:
        self._service = service
        self._guard = guard
        self._options = options
        self._reception = reception
        self._recorder = recorder

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection to its end, or refuse its upgrade."""
        headers = {bytes(name): bytes(value).decode("latin-1") for name, value in scope["headers"]}
        arrival = self._reception.receive(scope["path"], scope["headers"])
        metrics = self._recorder.metrics
        await receive()  # websocket.connect
        try:
            admitted, deployment = await self._check(scope, headers, arrival)
        except AntiphonError as error:
            metrics.count_upgrade(error.status)
            await _refuse(scope, send, error, arrival)
            return
        await send({"type": "websocket.accept", "headers": arrival.reply.lines()})
        direct = (scope.get("extensions") or {}).get(DIRECT_TEXT, {})
        deadline_s = self._options.send_deadline_s
        channel = Channel(receive, send, send_deadline_s=deadline_s, write=direct.get("write"))
        origin = SocketOrigin(
            admitted=admitted,
            manner=arrival.manner,
            request_id=arrival.reply.request_id,
            deployment=deployment,
            error_style=arrival.error_style,
        )
        connection = SocketConnection(self._service, channel, self._options, origin, self._recorder)
        metrics.count_upgrade(SWITCHING_PROTOCOLS)
        metrics.sockets_open += 1
        try:
            await connection.serve()
        finally:
            metrics.sockets_open -= 1

    async def _check(self, scope: Scope, headers: Mapping[bytes, str], arrival: Arrival) -> tuple[Pass, str | None]:
        """Who asks, and the deployment that the path names. Raises: AntiphonError for one that is not let in."""
        path = scope["path"]
        parameters = socket_parameters(path)
        if parameters is None or (is_azure(path) and not arrival.manner.azure):
            raise NotFound(f"Invalid URL (WebSocket {path})", code="unknown_url")
        if not self._options.enabled:
            raise UpgradeRequired("WebSocket mode is switched off on this server; use HTTP.")
        if arrival.is_from_foreign_page:
            # Browsers let any page open a WebSocket to any server and read what comes, and tell only where it is from.
            raise Unauthorized("Pages of other origins may not open a WebSocket here.", code="origin_not_allowed")
        caller = await self._guard.admit(headers.get(b"authorization"), headers.get(b"api-key"))
        if arrival.manner.azure:
            query = dict(parse_qsl(scope["query_string"].decode("latin-1")))
            self._reception.versions.check(path, query.get("api-version"))
        dialect = arrival.manner.dialect
        if dialect is not None and self._options.strict:
            raise InvalidRequest(f"The header '{DIALECT.decode()}' is not supported in strict mode.")
        self._service.dialect(dialect)
        credentials = headers.get(b"authorization") if self._service.options.forward_credentials else None
        return Pass(caller, self._guard.keys, credentials), parameters.get("deployment")


async def _refuse(scope: Scope, send: Send, error: AntiphonError, arrival: Arrival) -> None:
    """Answer the upgrade with an ordinary HTTP error, or by closing where the ASGI server cannot do that."""
    if "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close"})
        return
    body = encode(envelope(error, arrival.error_style))
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
        *((name.encode(), value.encode()) for name, value in retry_headers(error).items()),
        *arrival.reply.lines(),
    ]
    await send({"type": "websocket.http.response.start", "status": error.status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": body})
