"""What is bounded: rates, sessions, sizes, what is stored; and what becomes of a broken engine."""

import asyncio
import json
import re
import threading
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest
from websockets.sync.client import connect

from antiphon.core.grant import Limits
from antiphon.core.rate_rules import ScopedLimits
from antiphon.core.request_limits import RequestLimits
from antiphon.engines.chat_http import ChatHttpEngine
from antiphon.ports import Quotas
from antiphon.stores.memory import MemoryStore
from tests.compliance.conftest import Api
from tests.live import Live, parse_events, serve

pytestmark = pytest.mark.compliance
WAIT_S = 10


def limited(scope: Any, name: str | None = None, **limits: int) -> tuple[ScopedLimits, ...]:
    return (ScopedLimits(scope=scope, name=name, limits=Limits(**limits)),)


def ask(live: Live, said: Any = "[[say:Hi]]", **fields: Any) -> httpx.Response:
    return live.http.post("/v1/responses", json={"input": said, **fields})


@pytest.mark.spec_line("H5.limits", "M5.limits")
def test_limits_of_a_model_are_told_in_headers_and_then_kept() -> None:
    with serve(limits=limited("model", "scripted", requests_per_minute=1, tokens_per_minute=5000)) as live:
        taken, refused = ask(live), ask(live)
    for unit in ("requests", "tokens"):
        for name in ("limit", "remaining", "reset"):
            assert f"x-ratelimit-{name}-{unit}" in taken.headers
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "rate_limit_exceeded")
    assert re.search(r"Please try again in [\d.]+s\.$", refused.json()["error"]["message"])
    assert 1 <= int(refused.headers["retry-after"]) <= 30


@pytest.mark.spec_line("H4.encrypted", "M4.encrypted")
def test_reasoning_comes_sealed_on_request_only_and_is_taken_back(scripted: Api) -> None:
    include = ["reasoning.encrypted_content"]
    made = scripted.create(input="[[think:the secret is 7351]][[say:Done]]", include=include, store=False)
    reasoning = made["output"][0]
    assert reasoning["encrypted_content"]
    assert "7351" not in reasoning["encrypted_content"]
    bare = {"type": "reasoning", "summary": [], "encrypted_content": reasoning["encrypted_content"]}
    again = scripted.create(input=[bare, *made["output"][1:], {"role": "user", "content": "And?"}], store=False)
    assert not again.get("input_transformations")
    broken = {**bare, "encrypted_content": "gAAAAA" + "x" * 80}
    told = scripted.create(input=[broken, {"role": "user", "content": "And?"}], store=False)
    assert told["input_transformations"]
    plain = scripted.create(input="[[think:hm]][[say:a]]")
    assert "encrypted_content" not in plain["output"][0] or plain["output"][0]["encrypted_content"] is None


@pytest.mark.spec_line("M6.limits")
def test_what_is_stored_beyond_a_quota_goes_the_oldest_first() -> None:
    store = MemoryStore(quotas=Quotas(max_entries=2))
    with serve(store=store) as live:
        made = [ask(live).json()["id"] for _ in range(4)]
        assert asyncio.run(store.sweep(0.0)).over_quota == 2
        assert [live.http.get(f"/v1/responses/{each}").status_code for each in made] == [404, 404, 200, 200]


@pytest.mark.spec_line("C3.sessions", "E8.memory")
def test_more_sessions_than_there_may_be_are_sent_away_and_idle_ones_make_room() -> None:
    tools = [{"type": "function", "name": "f", "parameters": {"type": "object"}}]
    waiting = {"input": "[[call:f {}]][[then]][[say:Done]]", "tools": tools, "await_tool_outputs": True}
    with serve(max_sessions=1) as live:
        held = live.http.post("/v1/responses", json=waiting).json()
        assert held["status"] == "in_progress"
        assert ask(live).status_code == 200  # the idle one made room
        assert live.http.get(f"/v1/responses/{held['id']}").json()["status"] == "failed"
        with live.http.stream("POST", "/v1/responses", json={"input": "[[stall:20]]", "stream": True}) as busy:
            lines = busy.iter_lines()
            assert next(lines) == "event: response.created"
            refused = ask(live)
    assert refused.status_code == 503
    assert refused.headers["retry-after"]


@pytest.mark.spec_line("E4.parts")
def test_parts_of_a_request_have_limits_of_their_own() -> None:
    call = {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"}
    output = {"type": "function_call_output", "call_id": "c1", "output": "x" * 300}
    image = {"type": "input_image", "image_url": f"data:image/gif;base64,{'AAAA' * 20}"}
    file = {"type": "input_file", "filename": "a.txt", "file_data": "eHh4" * 50}
    limits = RequestLimits(max_tool_output_bytes=200)
    with serve(request_limits=limits, max_image_bytes=10, max_file_bytes=10, max_event_bytes=2000) as live:
        for said, setting in (
            ([call, output], "max_tool_output_bytes"),
            ([{"role": "user", "content": [image]}], "max_image_bytes"),
            ([{"role": "user", "content": [file]}], "max_file_bytes"),
        ):
            answer = ask(live, said)
            assert answer.status_code == 400
            assert setting in answer.json()["error"]["message"]


@pytest.mark.spec_line("endpoint.websocket")
def test_a_response_is_made_over_a_websocket(own: Live) -> None:
    with connect(f"ws://127.0.0.1:{own.port}/v1/responses", open_timeout=WAIT_S, close_timeout=WAIT_S) as socket:
        socket.send(json.dumps({"type": "response.create", "model": "scripted", "input": "[[say:Hello]]"}))
        events = []
        while not events or events[-1]["type"] != "response.completed":
            events.append(json.loads(socket.recv(WAIT_S)))
    assert events[0]["type"] == "response.created"
    assert [event["sequence_number"] for event in events] == list(range(len(events)))


BROKEN = {
    "no JSON": b'data: {"choices": [{"delta": {"content": "Hel\n\n',
    "an error": b'data: {"error": {"message": "boom", "code": 500}}\n\n',
    "nothing more": b"",
}


class BrokenServer(BaseHTTPRequestHandler):
    """A model server whose streams begin well and then are `rest`."""

    rest: bytes

    def do_GET(self) -> None:
        self._answer(b'{"object": "list", "data": [{"id": "m", "object": "model"}]}', "application/json")

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        begun = b'data: {"choices": [{"index": 0, "delta": {"role": "assistant", "content": "Hi"}}]}\n\n'
        self._answer(begun + self.rest, "text/event-stream")

    def _answer(self, body: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("content-type", kind)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing: the test looks at the stream."""


@pytest.mark.spec_line("E1.broken")
@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_engine_stream_ends_cleanly(what: str) -> None:
    handler = type("Handler", (BrokenServer,), {"rest": BROKEN[what]})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as broken:
        threading.Thread(target=broken.serve_forever, daemon=True).start()
        engine: Any = ChatHttpEngine([f"http://127.0.0.1:{broken.server_port}/v1"])
        with serve(engine) as live:
            answer = live.http.post("/v1/responses", json={"input": "Hi", "stream": True})
            events = [data for _, data in parse_events(answer.text)]
        broken.shutdown()
    assert [event["type"] for event in events[-2:]] == ["error", "response.failed"]
    assert events[-1]["response"]["status"] == "failed"


class CountingServer(BrokenServer):
    """A model server that answers, and counts for how many."""

    rest = b'data: {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}\n\ndata: [DONE]\n\n'
    bodies: list[dict[str, Any]]

    def do_POST(self) -> None:
        self.bodies.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
        self._answer(
            b'data: {"choices": [{"index": 0, "delta": {"content": "Hi"}}]}\n\n' + self.rest, "text/event-stream"
        )


@pytest.mark.spec_line("H1.routing")
def test_equal_cache_keys_reach_one_server() -> None:
    handlers = [type("Handler", (CountingServer,), {"bodies": []}) for _ in range(3)]
    with ExitStack() as stack:
        servers = [stack.enter_context(ThreadingHTTPServer(("127.0.0.1", 0), handler)) for handler in handlers]
        for each in servers:
            threading.Thread(target=each.serve_forever, daemon=True).start()
            stack.callback(each.shutdown)
        engine: Any = ChatHttpEngine([f"http://127.0.0.1:{each.server_port}/v1" for each in servers])
        with serve(engine) as live:
            for key in ("one", "two", "three", "four") * 4:
                assert ask(live, "Hi", prompt_cache_key=key).status_code == 200
    counts = [len(handler.bodies) for handler in handlers]  # type: ignore[attr-defined]
    assert sum(counts) == 16
    assert not [count for count in counts if count % 4], "requests of one key went to different servers"
