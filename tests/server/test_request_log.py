"""The log line of a request: one for each, with what an operator needs and nothing of what was said."""

import hashlib
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.sync.client import connect

from antiphon.logs import ACCESS, JsonFormatter
from tests.live import Live, serve, wait_until

WAIT_S = 5.0
TOOL = {"type": "function", "name": "look", "parameters": {"type": "object", "properties": {}}}


class Lines(logging.Handler):
    """Keeps what is logged, as the lines of JSON that it would be."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(JsonFormatter())
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(self.format(record))

    def of(self, request_id: str, count: int = 1) -> list[dict[str, Any]]:
        """The lines of one request, once there are so many."""

        def found() -> list[dict[str, Any]]:
            return [line for text in tuple(self.texts) if (line := json.loads(text))["request_id"] == request_id]

        assert wait_until(lambda: len(found()) >= count, WAIT_S), self.texts
        return found()


@pytest.fixture
def lines() -> Iterator[Lines]:
    logger, kept = logging.getLogger(ACCESS), Lines()
    logger.addHandler(kept)
    logger.setLevel(logging.INFO)
    yield kept
    logger.removeHandler(kept)
    logger.setLevel(logging.NOTSET)


@pytest.fixture
def live() -> Iterator[Live]:
    with serve() as running:
        yield running


def ask(live: Live, said: str, request_id: str, **fields: Any) -> httpx.Response:
    return live.http.post("/v1/responses", json={"input": said, **fields}, headers={"x-request-id": request_id})


def test_a_line_tells_what_a_request_came_to(live: Live, lines: Lines) -> None:
    first = ask(live, "[[say:one two]]", "r1").json()
    answer = ask(live, "[[say:three]]", "r2", previous_response_id=first["id"]).json()
    (line,) = lines.of("r2")
    assert 0 < line.pop("ttft_s") <= line.pop("duration_s") < WAIT_S
    assert line.pop("time").endswith("Z")
    assert line == {
        "level": "info",
        "logger": ACCESS,
        "event": "request",
        "request_id": "r2",
        "method": "POST",
        "route": "/v1/responses",
        "status": 200,
        "delivered": True,
        "outcome": "completed",
        "tenant": "default",
        "response_id": answer["id"],
        "previous_response_id": first["id"],
        "model": "scripted",
        "dialect": "openai",
        "input_tokens": answer["usage"]["input_tokens"],
        "cached_input_tokens": answer["usage"]["input_tokens_details"]["cached_tokens"],
        "output_tokens": answer["usage"]["output_tokens"],
        "finish_reason": "stop",
    }


def test_nothing_that_was_said_is_in_a_line(lines: Lines) -> None:
    with serve(api_keys=("sesame",)) as live:
        live.http.headers["authorization"] = "Bearer sesame"
        ask(live, "[[say:hush]] whisper", "r1", metadata={"a": "mumble"}, instructions="murmur", user="nobody")
        live.http.get("/v1/responses/murmur%20mumble?include=hush", headers={"x-request-id": "r2"})
        live.http.get("/whisper?api-key=sesame", headers={"x-request-id": "r3"})
        for request_id in ("r1", "r2", "r3"):
            lines.of(request_id)
    said = "".join(lines.texts)
    assert not [word for word in ("hush", "whisper", "mumble", "murmur", "nobody", "sesame") if word in said]


def test_the_line_of_a_stream_comes_at_its_end(live: Live, lines: Lines) -> None:
    body = {"input": "[[say:a]][[stall:0.3]][[say:b]]", "stream": True}
    with live.http.stream("POST", "/v1/responses", json=body, headers={"x-request-id": "r1"}) as answer:
        arriving = answer.iter_lines()
        assert next(arriving)
        assert not lines.texts
        assert list(arriving)
    (line,) = lines.of("r1")
    assert (line["stream"], line["outcome"], line["delivered"]) == (True, "completed", True)
    assert line["duration_s"] >= 0.3 > line["ttft_s"]


def test_execution_and_delivery_are_told_apart(live: Live, lines: Lines) -> None:
    with pytest.raises(httpx.ReadTimeout):
        live.http.post(
            "/v1/responses", json={"input": "[[stall:60]]"}, timeout=0.3, headers={"x-request-id": "unanswered"}
        )
    body = {"input": "[[say:a]][[stall:60]]", "stream": True}
    with live.http.stream("POST", "/v1/responses", json=body, headers={"x-request-id": "left"}) as answer:
        next(answer.iter_lines())
    ask(live, "[[say:a]][[fail:server_error]]", "failed", stream=True)
    told = [
        (line["status"], line["outcome"], line.get("delivered"))
        for name in ("unanswered", "left", "failed")
        for line in lines.of(name)
    ]
    assert told == [(499, "cancelled", False), (200, "cancelled", False), (200, "failed", True)]


def test_a_refused_request_says_why(live: Live, lines: Lines) -> None:
    ask(live, "a", "r1", model="other")
    (line,) = lines.of("r1")
    assert (line["status"], line["error"], line["delivered"]) == (404, "model_not_found", True)
    assert not {"outcome", "model", "response_id"} & line.keys()


def test_a_response_that_outlives_its_request_has_a_line_at_its_end(live: Live, lines: Lines) -> None:
    ask(live, "[[stall:0.2]][[say:a]]", "r1", background=True)
    request, end = lines.of("r1", 2)
    assert request["event"] == "request"
    assert request["outcome"] in ("queued", "in_progress")
    assert (end["event"], end["outcome"], end["output_tokens"]) == ("response_end", "completed", 1)
    assert request["response_id"] == end["response_id"]


def test_requests_over_websocket_have_lines_too(live: Live, lines: Lines) -> None:
    url = f"ws://127.0.0.1:{live.port}/v1/responses"
    with connect(url, additional_headers={"x-request-id": "w1"}) as socket:
        for said, until in (
            ({"input": "[[say:a]]"}, "response.completed"),
            ({"input": "a", "model": "other"}, "error"),
            ({"input": "[[say:a]][[stall:60]]"}, "response.output_text.delta"),
        ):
            socket.send(json.dumps({"type": "response.create", **said}))
            while json.loads(socket.recv(WAIT_S))["type"] != until:
                pass
    told = [(line["method"], line["status"], line.get("outcome"), line["delivered"]) for line in lines.of("w1", 3)]
    assert told == [
        ("WEBSOCKET", 200, "completed", True),
        ("WEBSOCKET", 404, None, True),
        ("WEBSOCKET", 200, "cancelled", False),
    ]


def test_a_line_names_the_key_and_its_tenant(tmp_path: Path, lines: Lines) -> None:
    file = tmp_path / "keys.toml"
    digest = hashlib.sha256(b"sesame").hexdigest()
    file.write_text(f'[[key]]\nname = "ci"\ntenant = "team"\nhash = "sha256:{digest}"\n')
    with serve(keys_file=file) as live:
        live.http.headers["authorization"] = "Bearer sesame"
        ask(live, "a", "r1")
    (line,) = lines.of("r1")
    assert (line["key"], line["tenant"]) == ("ci", "team")


def test_probes_are_no_news(live: Live, lines: Lines) -> None:
    for path in ("/health", "/live", "/ready", "/metrics", "/v1/models"):
        assert live.http.get(path).status_code == 200
    assert wait_until(lambda: lines.texts, WAIT_S)
    assert [json.loads(text)["route"] for text in lines.texts] == ["/v1/models"]
