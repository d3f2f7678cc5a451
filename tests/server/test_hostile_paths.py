"""Ids, paths, queries and headers that try to be something else: each is one envelope, and never a fault of ours."""

import json
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from tests.live import Live
from tests.server.raw import Connection

HOSTILE_IDS = [
    *"%2e%2e ..%2f.. .. . a%2fb %00 a%00b %ff%fe %ed%a0%80 %F0%9F%98%80 '%20or%201=1-- %25 %25s * %5b%5d".split(),
    *"%zz % a;b resp_%0d%0aX:%20y %0a %20 %u0041 null -1 1e9 %22%27".split(),
    "a" * 3000,
]
HEALTHY = {"status": "ok"}
SOME = settings(
    max_examples=60, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck)
)


def asked(live: Live, request: bytes) -> tuple[int, dict[str, object]]:
    """The status and the body of what a request by hand is answered with."""
    with Connection(live.port) as connection:
        connection.send(request)
        status, headers = connection.read_head()
        return status, json.loads(connection.read_body(headers))


@pytest.mark.parametrize("hostile", HOSTILE_IDS, ids=lambda each: each[:20])
def test_a_hostile_id_is_an_envelope_on_every_path(live: Live, hostile: str) -> None:
    paths = live.http.get("/openapi.json").json()["paths"]
    templates = [(method, path) for path, found in paths.items() if "{" in path for method in found]
    assert len(templates) > 12
    for method, template in templates:
        path = re.sub(r"\{[^}]*\}", lambda _: hostile, template)
        head = f"{method.upper()} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{{}}"
        status, answer = asked(live, head.encode())
        assert status in (400, 404, 405) and answer.keys() == {"error"}, (method, path, status)
    assert live.http.get("/health").json() == HEALTHY


@pytest.mark.parametrize(
    "path", ["/v1/../health", "//health", "/health/", "/v1/responses/", "/v1//responses", "/HEALTH"]
)
def test_a_path_is_taken_as_it_is_written(live: Live, path: str) -> None:
    status, answer = asked(live, f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    assert (status, answer.keys()) == (404, {"error"})


@SOME
@given(
    some.sampled_from(["/v1/responses/resp_1", "/v1/responses/resp_1/input_items", "/v1/prompts", "/v1/models"]),
    some.lists(
        some.tuples(
            some.sampled_from(["limit", "after", "order", "include", "include[]", "stream", "starting_after", "x"]),
            some.one_of(
                some.text(max_size=20),
                some.integers().map(str),
                some.sampled_from(["9" * 5000, "%", "%00", "²", "1_0"]),
            ),
        ),
        max_size=5,
    ),
)
def test_any_query_is_answered(live: Live, path: str, pairs: list[tuple[str, str]]) -> None:
    answer = live.http.get(path, params=pairs)
    assert answer.status_code in (200, 400, 404), answer.text


@SOME
@given(some.binary(max_size=60).filter(lambda value: not set(value) & {0, 10, 13}))
def test_any_dialect_and_request_id_are_answered(live: Live, value: bytes) -> None:
    body = b'{"input": "a"}'
    for name in (b"X-Antiphon-Dialect", b"X-Request-Id", b"Authorization", b"Content-Type", b"OpenAI-Project"):
        head = b"POST /v1/responses HTTP/1.1\r\nHost: x\r\n%b: %b\r\nContent-Length: %d\r\n\r\n" % (
            name,
            value,
            len(body),
        )
        assert asked(live, head + body)[0] in (200, 400, 415)


@pytest.mark.parametrize("name", ["previous_response_id", "conversation", "model", "prompt_cache_key"])
@pytest.mark.parametrize(
    "value", ["\x00", "a" * 100_000, "%", "*", "'", "../..", "\udc80"], ids=lambda each: repr(each[:9])
)
def test_a_hostile_id_in_a_body_is_an_envelope_of_moderate_size(live: Live, name: str, value: str) -> None:
    body = json.dumps({"input": "a", name: value}).encode()
    answer = live.http.post("/v1/responses", content=body, headers={"content-type": "application/json"})
    assert answer.status_code in ((200, 400, 404) if name == "prompt_cache_key" else (400, 404)), answer.text
    assert len(answer.content) < 4096


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd", "identity, gzip"])
def test_a_compressed_body_is_a_415_unread(live: Live, coding: str) -> None:
    headers = {"content-type": "application/json", "content-encoding": coding}
    answer = live.http.post("/v1/responses", content=b"\x1f\x8b" + bytes(100), headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (415, "unsupported_media_type")


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/v1/responses", b'{"input":' + b"[" * 100_000 + b"]" * 100_000 + b"}", 400),
        ("/v1/responses", b'{"input":"a","metadata":' + b'{"a":' * 5000 + b"1" + b"}" * 5001, 400),
        ("/v1/responses", b'{"input":"a","x":' + b'{"a":' * 5000 + b"1" + b"}" * 5001, 400),
        ("/v1/responses", b'{"input":[{"type":"x","y":' + b"[" * 5000 + b"]" * 5000 + b"}]}", 400),
        ("/v1/responses", b'{"input":"a","text":{"format":' + b'{"a":' * 5000 + b"1" + b"}" * 5002, 400),
        ("/v1/conversations", b'{"metadata":' + b'{"a":' * 5000 + b"1" + b"}" * 5001, 400),
        ("/v1/responses/resp_1/tool_outputs", b'{"tool_outputs":' + b"[" * 5000 + b"]" * 5000 + b"}", 400),
        ("/v1/responses", b'{"input":"a","temperature":1e400}', 400),
        ("/v1/responses", b'{"input":"a","max_output_tokens":' + b"9" * 5000 + b"}", 400),
        ("/v1/responses", b'{"input":"a","seed":-1e400}', 400),
        ("/v1/responses", b"{" + b'"input":"a",' * 100_000 + b'"input":"b"}', 200),
        ("/v1/responses", b'{"input":"a"' + b"".join(b',"k%d":1' % at for at in range(100_000)) + b"}", 200),
        ("/v1/responses", b'{"input":"a","metadata":{"k":"1"' + b',"k":"2"' * 100_000 + b"}}", 200),
    ],
    ids=range(13),
)
def test_json_that_is_deep_huge_or_double_is_answered_at_once(live: Live, path: str, body: bytes, status: int) -> None:
    answer = live.http.post(path, content=body, headers={"content-type": "application/json"}, timeout=5)
    assert answer.status_code == status, answer.text[:500]
    assert live.http.get("/health").json() == HEALTHY
