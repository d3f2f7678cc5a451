"""What is read as JSON, and what happens to requests that are no HTTP at all."""

import json

import pytest

from tests.live import Live
from tests.server.raw import Connection

BODY = b'{"input": "a"}'
UPGRADE = b"GET /v1/responses HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"


@pytest.mark.parametrize(
    "kind",
    [
        None,
        "application/json",
        "Application/JSON; charset=utf-8",
        "application/vnd.api+json",
        "text/plain;charset=UTF-8",
        "text/json",
        "application/x-www-form-urlencoded",
        "application/octet-stream",
        "json",
        "",
    ],
)
def test_what_simple_clients_call_json_is_read(live: Live, kind: str | None) -> None:
    headers = {} if kind is None else {"content-type": kind}
    assert live.http.post("/v1/responses", content=BODY, headers=headers).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"content-type": "multipart/form-data; boundary=x"},
        {"content-type": "application/xml"},
        {"content-type": "image/png"},
        {"content-encoding": "gzip"},
        {"content-encoding": "identity, br"},
    ],
    ids=str,
)
@pytest.mark.parametrize("path", ["/v1/responses", "/v1/conversations", "/v1/responses/r/tool_outputs"])
def test_what_is_something_else_is_415(live: Live, path: str, headers: dict[str, str]) -> None:
    answer = live.http.post(path, content=BODY, headers=headers)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["param"]) == (415, "unsupported_media_type", None)


def test_identity_is_no_compression(live: Live) -> None:
    answer = live.http.post("/v1/responses", content=BODY, headers={"content-encoding": "identity"})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        (b"nonsense\r\n\r\n", 400, "invalid_http"),
        (b"GET /health HTTP/9.9\r\n\r\n", 400, "invalid_http"),
        (b"GET /he alth HTTP/1.1\r\nHost: x\r\n\r\n", 400, "invalid_http"),
        (b"POST /v1/responses HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400, "invalid_http"),
        (UPGRADE + b"\r\n", 400, "invalid_handshake"),
        (UPGRADE.replace(b"GET ", b"PATCH ") + b"\r\n", 405, "invalid_handshake"),
        (UPGRADE + b"Content-Length: 2\r\n\r\n{}", 400, "invalid_handshake"),
        (UPGRADE + b"Sec-WebSocket-Key: ?\r\nSec-WebSocket-Version: 13\r\n\r\n", 400, "invalid_handshake"),
        (UPGRADE.replace(b"/v1/responses", b"/nowhere") + b"\r\n", 400, "invalid_handshake"),
    ],
)
def test_what_is_no_http_gets_the_envelope_too(live: Live, sent: bytes, status: int, code: str) -> None:
    with Connection(live.port) as connection:
        connection.send(sent)
        found, headers = connection.read_head()
        error = json.loads(connection.read_body(headers))["error"]
    assert (found, headers["content-type"], headers["connection"]) == (status, "application/json", "close")
    assert headers["x-request-id"].startswith("req_")
    assert (error["type"], error["code"], error["param"]) == ("invalid_request_error", code, None)
    assert error["message"]
