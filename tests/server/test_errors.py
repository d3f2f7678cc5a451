"""Every error has OpenAI's envelope, the status that fits, and the path of what is meant."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from antiphon.engines.scripted import ScriptedEngine
from tests.live import Live, serve
from tests.server.raw import Connection

RESPONSES = "/v1/responses"
GONE = "/v1/responses/resp_unknown"
INVALID = "invalid_request_error"
DEEP = 100_000


@pytest.fixture(scope="module")
def small() -> Iterator[Live]:
    """A server with two models that takes 2,000 bytes at most."""
    with serve(ScriptedEngine(model_ids=("one", "two")), max_body_bytes=2000) as running:
        yield running


def error_of(answer: httpx.Response, status: int) -> dict[str, Any]:
    """The error of an answer, whose envelope has exactly four keys."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-request-id"]
    (error,) = answer.json().values()
    assert list(answer.json()) == ["error"]
    assert error.keys() == {"message", "type", "param", "code"}
    assert error["message"]
    assert isinstance(error["type"], str)
    return error


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/"), ("GET", "/v1"), ("POST", "/v1/response"), ("GET", "/v1/responses/a/b"), ("GET", "/v1/responses/")],
)
def test_an_unknown_path_is_404(live: Live, method: str, path: str) -> None:
    error = error_of(live.http.request(method, path), 404)
    assert (error["type"], error["code"], error["param"]) == (INVALID, "unknown_url", None)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", RESPONSES, {"POST", "OPTIONS"}),
        ("HEAD", RESPONSES, {"POST", "OPTIONS"}),
        ("PATCH", GONE, {"GET", "HEAD", "DELETE", "OPTIONS"}),
        ("GET", f"{GONE}/cancel", {"POST", "OPTIONS"}),
        ("DELETE", "/v1/models", {"GET", "HEAD", "OPTIONS"}),
    ],
)
def test_a_wrong_method_is_405_and_names_the_right_ones(live: Live, method: str, path: str, allowed: set[str]) -> None:
    answer = live.http.request(method, path)
    assert answer.status_code == 405
    assert method == "HEAD" or error_of(answer, 405)["code"] == "method_not_allowed"
    assert set(answer.headers["allow"].split(", ")) == allowed


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"input": }',
        b"nonsense",
        b'{"input": "a"} trailing',
        b'{"input": "\xff\xfe"}',
        b'{"input": [' * DEEP,
        b'{"input":' + b"[" * DEEP + b"]" * DEEP + b"}",
        b'{"input":"a","tools":[{"type":"function","name":"f","parameters":'
        + b'{"a":' * DEEP
        + b"1"
        + b"}" * DEEP
        + b"}]}",
        b'{"input":"a","metadata":' + b"[" * DEEP + b"]" * DEEP + b"}",
        b'{"input":"a","unheard_of":' + b"[" * DEEP + b"]" * DEEP + b"}",
    ],
    ids=["empty", "open", "hole", "word", "trailing", "utf8", "cut", "nested", "schema", "metadata", "unknown"],
)
def test_a_body_that_cannot_be_read_is_400(live: Live, body: bytes) -> None:
    error = error_of(live.http.post(RESPONSES, content=body), 400)
    assert error["type"] == INVALID


@pytest.mark.parametrize("body", [b"[]", b'"text"', b"null", b"1", b'[{"input": "a"}]'])
def test_a_body_that_is_no_object_is_400(live: Live, body: bytes) -> None:
    error = error_of(live.http.post(RESPONSES, content=body), 400)
    assert (error["type"], error["param"]) == (INVALID, None)


PNG = "data:image/png;base64,AAAA"


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({}, "input"),
        ({"input": 7}, "input"),
        ({"input": "a", "temperature": 3}, "temperature"),
        ({"input": "a", "temperature": "hot"}, "temperature"),
        ({"input": "a", "max_output_tokens": 1}, "max_output_tokens"),
        ({"input": "a", "top_logprobs": 21}, "top_logprobs"),
        ({"input": "a", "seed": 2**63}, "seed"),
        ({"input": "a", "top_k": -2}, "top_k"),
        ({"input": "a", "repetition_penalty": 0}, "repetition_penalty"),
        ({"input": "a", "stop": ["end", ""]}, "stop"),
        ({"input": "a", "stream": "yes"}, "stream"),
        ({"input": "a", "include": ["everything"]}, "include[0]"),
        ({"input": "a", "metadata": {"k": "v" * 513}}, "metadata.k"),
        ({"input": "a", "metadata": {str(n): "" for n in range(17)}}, "metadata"),
        ({"input": "a", "tool_choice": "sometimes"}, "tool_choice"),
        ({"input": "a", "tool_choice": {"type": "function", "name": "f"}}, "tool_choice"),
        ({"input": "a", "truncation": "maybe"}, "truncation"),
        ({"input": "a", "tools": [{"type": "function"}]}, "tools[0].name"),
        ({"input": "a", "text": {"format": {"type": "json_schema", "name": "n"}}}, "text.format.schema"),
        ({"input": [{"role": "user", "content": [{"type": "input_text", "text": 5}]}]}, "input[0].content[0].text"),
        (
            {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": PNG}, {"type": "odd"}]}]},
            "input[0].content[1]",
        ),
        ({"input": [{"role": "robot", "content": "a"}]}, "input[0].role"),
        ({"input": [{"type": "function_call_output", "call_id": "c", "output": "x"}]}, "input[0].call_id"),
        ({"input": [{"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}]}, "input"),
        ({"input": [{"type": "item_reference", "id": "msg_unknown"}]}, "input[0].id"),
        ({"input": "a", "prompt": {"id": "p"}}, "prompt.id"),
        ({"input": "a", "conversation": "conv_1", "previous_response_id": "resp_1"}, "previous_response_id"),
    ],
    ids=str,
)
@pytest.mark.parametrize("stream", [False, True])
def test_what_cannot_be_honoured_names_its_place(live: Live, fields: dict[str, Any], param: str, stream: bool) -> None:
    answer = live.http.post(RESPONSES, json={"stream": stream, **fields})
    error = error_of(answer, answer.status_code)
    assert answer.status_code in (400, 404)
    assert (error["type"], error["param"]) == (INVALID, param)


def test_an_unknown_model_is_404(live: Live) -> None:
    error = error_of(live.http.post(RESPONSES, json={"model": "gone", "input": "a"}), 404)
    assert (error["type"], error["code"], error["param"]) == (INVALID, "model_not_found", "model")
    assert error_of(live.http.get("/v1/models/gone"), 404)["code"] == "model_not_found"


def test_a_missing_model_is_400_where_there_are_several(small: Live) -> None:
    error = error_of(small.http.post(RESPONSES, json={"input": "a"}), 400)
    assert (error["code"], error["param"]) == ("missing_required_parameter", "model")
    assert small.create("a", model="two")["model"] == "two"


def test_a_missing_model_is_the_default_one_where_there_is_one() -> None:
    with serve(ScriptedEngine(model_ids=("one", "two")), default_model="two") as running:
        assert running.create("a")["model"] == "two"


def test_a_body_that_declares_too_much_is_413_before_it_is_sent(small: Live) -> None:
    with Connection(small.port) as connection:
        connection.send(b"POST /v1/responses HTTP/1.1\r\nHost: x\r\nContent-Length: 2001\r\n\r\n")
        status, headers = connection.read_head()
        assert status == 413
        assert b"2000" in connection.read_body(headers)


def test_a_body_that_grows_too_large_is_413(small: Live) -> None:
    answer = small.http.post(RESPONSES, content=iter([b"x" * 1500, b"x" * 1500]))
    assert error_of(answer, 413)["code"] == "payload_too_large"


def test_a_body_of_the_largest_size_is_read(small: Live) -> None:
    begin, end = b'{"model":"one","input":"', b'"}'
    body = begin + b"x" * (2000 - len(begin + end)) + end
    assert small.http.post(RESPONSES, content=body).status_code == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", GONE), ("DELETE", GONE), ("POST", f"{GONE}/cancel"), ("GET", f"{GONE}/input_items")],
)
def test_an_unknown_response_is_404(live: Live, method: str, path: str) -> None:
    error = error_of(live.http.request(method, path), 404)
    assert error["type"] == INVALID
    assert "resp_unknown" in error["message"]


@pytest.mark.parametrize("stream", [False, True])
def test_an_unknown_previous_response_is_400(live: Live, stream: bool) -> None:
    fields = {"input": "a", "previous_response_id": "resp_unknown", "stream": stream}
    assert error_of(live.http.post(RESPONSES, json=fields), 400) == {
        "message": "Previous response with id 'resp_unknown' not found.",
        "type": INVALID,
        "param": "previous_response_id",
        "code": "previous_response_not_found",
    }


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=ten", "limit"),
        ("limit=-1", "limit"),
        ("limit=%D9%A1", "limit"),
        ("limit=" + "9" * 5000, "limit"),
        ("order=up", "order"),
        ("after=msg_unknown", "after"),
        ("include=everything", "include[0]"),
        ("include[]=message.output_text.logprobs&include[]=everything", "include[1]"),
    ],
)
def test_a_wrong_page_of_input_items_is_400(live: Live, query: str, param: str) -> None:
    path = f"{RESPONSES}/{live.create('a')['id']}/input_items?{query}"
    error = error_of(live.http.get(path), 400)
    assert (error["type"], error["param"]) == (INVALID, param)


def test_only_background_responses_can_be_cancelled(live: Live) -> None:
    error = error_of(live.http.post(f"{RESPONSES}/{live.create('a')['id']}/cancel"), 400)
    assert (error["type"], error["message"]) == (INVALID, "Cannot cancel a synchronous response.")
