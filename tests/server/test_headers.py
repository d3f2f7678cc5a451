"""The headers of answers, OPTIONS and HEAD, and what browsers of other origins are told."""

import json
from collections.abc import Iterator

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from antiphon.errors import (
    AntiphonError,
    Conflict,
    EngineUnavailable,
    InvalidRequest,
    StoreUnavailable,
    TooManyRequests,
)
from antiphon.server.app import azure_routes, routes
from antiphon.server.conversation_handlers import ConversationHandlers
from antiphon.server.cors import CorsOptions
from antiphon.server.error_answers import ErrorStyle, envelope, retry_headers
from antiphon.server.frames import error_frame
from antiphon.server.handlers import Handlers
from antiphon.server.prompt_handlers import PromptHandlers
from antiphon.server.reply_headers import HeaderOptions
from tests.live import CLIENT_S, Live, serve

PAGE, OTHER = "https://app.example.com", "https://elsewhere.example.com"


@pytest.fixture(scope="module")
def open_to_page() -> Iterator[Live]:
    """A server with keys that lets the pages of one origin in, cookies and all."""
    cors = CorsOptions(origins=(PAGE,), credentials=True)
    headers = HeaderOptions(version="2031-01-01", organization="acme", project="proj_1")
    with serve(api_keys=("k",), cors=cors, headers=headers) as running:
        yield running


def paths() -> list[str]:
    """Every path that is served, with something in the place of parameters."""
    rows = routes(Handlers, ConversationHandlers, PromptHandlers)  # nothing is called: the classes will do
    found = {row.path for row in [*rows, *azure_routes(rows)]}
    return sorted("/".join("x" if part.startswith("{") else part for part in path.split("/")) for path in found)


def test_organization_project_and_version_are_settings(open_to_page: Live) -> None:
    for path in ("/health", "/v1/models", "/nowhere"):
        headers = open_to_page.http.get(path).headers
        named = [headers[f"openai-{name}"] for name in ("organization", "project", "version")]
        assert named == ["acme", "proj_1", "2031-01-01"]


def test_a_client_gets_its_own_organization_and_project_back(live: Live) -> None:
    given = {"openai-organization": "org-1", "openai-project": "proj_2"}
    headers = live.http.get("/v1/models", headers=given).headers
    assert given.items() <= dict(headers).items()
    odd = live.http.get("/v1/models", headers={"openai-organization": "a b", "openai-project": ""}).headers
    assert (odd["openai-organization"], "openai-project" in odd) == ("antiphon", False)


def test_the_upgrade_carries_the_headers_too(live: Live) -> None:
    url = f"ws://127.0.0.1:{live.port}/v1/responses"
    with connect(url, proxy=None, additional_headers={"x-request-id": "mine"}, open_timeout=CLIENT_S) as socket:
        assert socket.response is not None
        headers = socket.response.headers
        assert (headers["x-request-id"], headers["openai-version"]) == ("mine", "2020-10-01")
        assert int(headers["openai-processing-ms"]) >= 1
    with pytest.raises(InvalidStatus) as refused:
        connect(f"{url}/x", proxy=None, additional_headers={"x-request-id": "mine"}, open_timeout=CLIENT_S)
    assert refused.value.response.headers["x-request-id"] == "mine"


@pytest.mark.parametrize("path", paths())
def test_every_route_tells_its_methods_to_anybody(open_to_page: Live, path: str) -> None:
    answer = open_to_page.http.options(path)
    assert (answer.status_code, answer.content) == (204, b"")
    assert "x-request-id" in answer.headers
    allowed = answer.headers["allow"].split(", ")
    assert "OPTIONS" in allowed
    assert ("HEAD" in allowed) == ("GET" in allowed)
    head = open_to_page.http.head(path)
    assert head.content == b""
    assert "GET" not in allowed or head.status_code != 405


def test_head_of_a_stream_is_its_headers(live: Live) -> None:
    one = f"/v1/responses/{live.create('a')['id']}"
    head = live.http.head(f"{one}?stream=true")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-type"] == live.http.get(f"{one}?stream=true").headers["content-type"]


# -- when to try again


@pytest.mark.parametrize(
    ("error", "headers"),
    [
        (EngineUnavailable("x"), {"retry-after": "1", "retry-after-ms": "1000"}),
        (StoreUnavailable("x"), {"retry-after": "1", "retry-after-ms": "1000"}),
        (TooManyRequests("x", retry_after_s=0.2), {"retry-after": "1", "retry-after-ms": "1000"}),
        (TooManyRequests("x", retry_after_s=2.25), {"retry-after": "3", "retry-after-ms": "2250"}),
        (EngineUnavailable("x", retry_after_s=120), {"retry-after": "30", "retry-after-ms": "30000"}),
        (Conflict("x"), {"x-should-retry": "false"}),
        (InvalidRequest("x"), {}),
    ],
)
def test_clients_are_told_when_to_try_again(error: AntiphonError, headers: dict[str, str]) -> None:
    assert retry_headers(error) == headers
    assert json.loads(error_frame(error))["error"].get("headers", {}) == headers


def test_the_extended_dialect_tells_the_wait_in_the_error() -> None:
    with serve(background_running=1, background_queue=0, dialect="vllm-extended") as live:
        live.create("[[stall:5]]", background=True)
        answer = live.http.post("/v1/responses", json={"input": "a", "background": True})
        plain = live.http.post(
            "/v1/responses", json={"input": "a", "background": True}, headers={"x-antiphon-dialect": "openai"}
        )
    assert answer.status_code == plain.status_code == 503
    assert answer.json()["error"]["retry_after"] == int(answer.headers["retry-after"]) == 5
    assert plain.json()["error"].keys() == {"message", "type", "param", "code"}


def test_azure_says_what_its_filter_found_as_far_as_that_is_known() -> None:
    style = ErrorStyle(azure=True)
    error = envelope(InvalidRequest("x", code="content_filter"), style)["error"]
    assert error["innererror"] == {"code": "ResponsibleAIPolicyViolation", "content_filter_result": {}}
    assert "innererror" not in envelope(InvalidRequest("x"), style)["error"]


# -- browsers


def test_a_page_that_is_let_in_may_ask_and_read(open_to_page: Live) -> None:
    asking = {
        "origin": PAGE,
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization, content-type, x-stainless-lang",
    }
    preflight = open_to_page.http.options("/v1/responses", headers=asking)
    assert preflight.status_code == 204
    assert preflight.headers["access-control-allow-origin"] == PAGE
    assert preflight.headers["access-control-allow-credentials"] == "true"
    assert preflight.headers["access-control-allow-methods"] == "OPTIONS, POST"
    assert preflight.headers["access-control-allow-headers"] == asking["access-control-request-headers"]
    key = {"origin": PAGE, "authorization": "Bearer k"}
    answer = open_to_page.http.post("/v1/responses", json={"input": "a", "stream": True}, headers=key)
    assert answer.headers["access-control-allow-origin"] == PAGE
    assert answer.headers["vary"] == "origin"
    assert "x-request-id" in answer.headers["access-control-expose-headers"]
    refused = open_to_page.http.get("/v1/models", headers={"origin": PAGE})
    assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (401, PAGE)


def test_other_pages_are_told_nothing(open_to_page: Live, live: Live) -> None:
    asking = {"origin": OTHER, "access-control-request-method": "POST", "access-control-request-headers": "a"}
    for server in (open_to_page, live):
        headers = server.http.options("/v1/responses", headers=asking).headers
        assert not [name for name in headers if name.startswith("access-control-")]
    assert open_to_page.http.get("/health").headers["vary"] == "origin"
    assert "vary" not in live.http.get("/health").headers


def test_every_page_can_be_let_in_without_its_cookies() -> None:
    with serve(cors=CorsOptions(origins=("*",))) as live:
        headers = live.http.get("/v1/models", headers={"origin": OTHER}).headers
        assert headers["access-control-allow-origin"] == "*"
        assert "access-control-allow-credentials" not in headers
        asked = {"origin": OTHER, "access-control-request-method": "GET", "access-control-request-headers": "a\tb"}
        assert "access-control-allow-headers" not in live.http.options("/v1/models", headers=asked).headers


def test_a_page_that_is_let_in_may_open_a_websocket(open_to_page: Live) -> None:
    url = f"ws://127.0.0.1:{open_to_page.port}/v1/responses"
    key = {"authorization": "Bearer k"}
    with connect(url, proxy=None, origin=PAGE, additional_headers=key, open_timeout=CLIENT_S):
        pass
    with pytest.raises(InvalidStatus) as refused:
        connect(url, proxy=None, origin=OTHER, additional_headers=key, open_timeout=CLIENT_S)
    assert refused.value.response.status_code == 401


def test_a_foreign_page_cannot_smuggle_a_request_in_as_a_form(live: Live) -> None:
    body = b'{"input": "a"}'
    for kind, origin, status in [
        ("text/plain", OTHER, 415),
        ("text/plain", "null", 415),
        ("application/json", OTHER, 200),
        ("text/plain", live.origin, 200),
    ]:
        headers = {"content-type": kind, "origin": origin}
        assert live.http.post("/v1/responses", content=body, headers=headers).status_code == status
