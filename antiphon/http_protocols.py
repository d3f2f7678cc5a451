"""uvicorn's protocols, for requests that never reach the application: they too are answered with OpenAI's envelope."""

from http import HTTPStatus

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.datastructures import Headers
from websockets.http11 import Request, Response

from antiphon.errors import AntiphonError, InvalidRequest
from antiphon.server.error_answers import envelope
from antiphon.server.guards import REQUEST_ID_HEADER
from antiphon.service.ids import new_id
from antiphon.wire.unknown import encode

_REQUEST_ID = REQUEST_ID_HEADER.decode()


class Http(HttpToolsProtocol):
    """HTTP/1.1; what is no HTTP is a 400, and the connection ends."""

    def send_400_response(self, msg: str) -> None:
        """Answer for the last time."""
        status, headers, body = _refusal(400, InvalidRequest("The request is not valid HTTP.", code="invalid_http"))
        lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", *(f"{name}: {text}" for name, text in headers)]
        self.transport.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        self.transport.close()


class WebSocket(WebSocketsSansIOProtocol):
    """WebSocket; an upgrade that breaks its rules is refused with the status that these demand."""

    def handle_connect(self, event: Request) -> None:
        """Hand a good handshake on. What is wrong with another is in `handshake_exc`, for an answer of our own."""
        refused = self.conn.accept(event)
        if refused.status_code == 101:
            super().handle_connect(event)
            return
        error = InvalidRequest(
            f"The WebSocket handshake is not valid: {self.conn.handshake_exc}.", code="invalid_handshake"
        )
        status, headers, body = _refusal(refused.status_code, error)
        known = {name.lower() for name, _ in headers} | {"date"}
        others = [(name, text) for name, text in refused.headers.raw_items() if name.lower() not in known]
        self.handshake_initiated = self.handshake_complete = self.close_sent = True
        self.conn.send_response(Response(status, HTTPStatus(status).phrase, Headers([*headers, *others]), body))
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.transport.close()


def _refusal(status: int, error: AntiphonError) -> tuple[int, list[tuple[str, str]], bytes]:
    body = encode(envelope(error))
    headers = [
        ("content-type", "application/json"),
        ("content-length", str(len(body))),
        (_REQUEST_ID, new_id("req")),
        ("connection", "close"),
    ]
    return status, headers, body
