"""Traces, as a receiver of OTLP over HTTP gets them from a running server between a client and a model server."""

import json
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import httpx
import msgspec
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.command import started
from tests.live import wait_until

WAIT_S = 10.0
TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


class Handler(BaseHTTPRequestHandler):
    """Answers POST as a subclass says, and is silent otherwise."""

    protocol_version = "HTTP/1.1"

    def read(self) -> bytes:
        return self.rfile.read(int(self.headers["content-length"]))

    def answer(self, body: bytes, content_type: str) -> None:
        self.send_response(200)
        self.send_header("content-type", content_type)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class Receiver(Handler):
    """What spans are sent to."""

    spans: ClassVar[list[Span]] = []
    texts: ClassVar[list[bytes]] = []

    def do_POST(self) -> None:
        assert self.path == "/v1/traces"
        body = self.read()
        sent = ExportTraceServiceRequest.FromString(body)
        self.texts.append(body)
        self.spans += [span for each in sent.resource_spans for scope in each.scope_spans for span in scope.spans]
        self.answer(b"", "application/x-protobuf")


class ModelServer(Handler):
    """A model server that says `murmur`, or nothing for a minute when it is asked to `wait`."""

    traceparents: ClassVar[list[str | None]] = []

    def do_GET(self) -> None:
        self.answer(json.dumps({"data": [{"id": "m", "owned_by": "vllm"}]}).encode(), "application/json")

    def do_POST(self) -> None:
        asked = self.read()
        self.traceparents.append(self.headers["traceparent"])
        if b"wait" in asked:
            self.close_connection = True
            threading.Event().wait(2)
            return
        usage = {"prompt_tokens": 5, "completion_tokens": 2}
        chunks = (
            {"choices": [{"index": 0, "delta": {"content": "murmur"}, "finish_reason": "stop"}]},
            {"choices": [], "usage": usage},
        )
        events = b"".join(b"data: %b\n\n" % json.dumps(chunk).encode() for chunk in chunks)
        self.answer(events + b"data: [DONE]\n\n", "text/event-stream")


class Traced(msgspec.Struct):
    client: httpx.Client

    def span(self, kind: "Span.SpanKind.ValueType", **having: object) -> tuple[Span, dict[str, Any]]:
        """The span of that kind that has these attributes, and all of them, once it is there."""
        found: list[tuple[Span, dict[str, Any]]] = []

        def look() -> bool:
            for span in tuple(Receiver.spans):
                said = attributes(span)
                if span.kind == kind and having.items() <= said.items():
                    found.append((span, said))
            return bool(found)

        assert wait_until(look, WAIT_S), Receiver.spans
        return found[0]


def attributes(span: Span) -> dict[str, Any]:
    return {
        each.key: [part.string_value for part in each.value.array_value.values]
        if each.value.HasField("array_value")
        else getattr(each.value, each.value.WhichOneof("value"))
        for each in span.attributes
    }


@contextmanager
def listening(handler: type[Handler]) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="module")
def traced() -> Iterator[Traced]:
    with ExitStack() as stack:
        receiver, models = (stack.enter_context(listening(kind)) for kind in (Receiver, ModelServer))
        variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver, "OTEL_BSP_SCHEDULE_DELAY": "50"}
        flags = ("--otel", "--engine", models, "--store", "memory", "--drain-delay-s", "0")
        server = stack.enter_context(started(*flags, **variables))
        yield Traced(stack.enter_context(httpx.Client(base_url=server.origin, trust_env=False, timeout=WAIT_S)))


def test_a_response_is_a_span_in_its_clients_trace_and_around_that_of_the_engine(traced: Traced) -> None:
    headers = {"traceparent": f"00-{TRACE}-{PARENT}-01", "x-request-id": "r1"}
    conversation = traced.client.post("/v1/conversations", json={}).json()["id"]
    body = {"model": "m", "input": "whisper", "conversation": conversation}
    answer = traced.client.post("/v1/responses", json=body, headers=headers).json()
    assert answer["status"] == "completed"
    span, said = traced.span(Span.SPAN_KIND_SERVER, **{"antiphon.request.id": "r1"})
    assert (span.name, span.trace_id.hex(), span.parent_span_id.hex()) == ("chat m", TRACE, PARENT)
    assert said.pop("antiphon.time_to_first_token_s") > 0
    assert said == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "antiphon",
        "gen_ai.request.model": "m",
        "gen_ai.response.model": "m",
        "gen_ai.response.id": answer["id"],
        "gen_ai.response.finish_reasons": ["stop"],
        "gen_ai.conversation.id": conversation,
        "gen_ai.usage.input_tokens": 5,
        "gen_ai.usage.cache_read.input_tokens": 0,
        "gen_ai.usage.output_tokens": 2,
        "http.request.method": "POST",
        "http.route": "/v1/responses",
        "http.response.status_code": 200,
        "antiphon.request.id": "r1",
        "antiphon.tenant": "default",
        "antiphon.upstream": "default",
        "antiphon.dialect": "openai",
        "antiphon.execution.outcome": "completed",
        "antiphon.delivery.outcome": "delivered",
    }
    engine, of_engine = next((each, attributes(each)) for each in Receiver.spans if each.parent_span_id == span.span_id)
    assert (engine.kind, engine.name, engine.trace_id) == (Span.SPAN_KIND_CLIENT, "chat m", span.trace_id)
    assert of_engine["antiphon.upstream"] == "default"
    assert ModelServer.traceparents[-1] == f"00-{TRACE}-{engine.span_id.hex()}-01"
    assert span.start_time_unix_nano <= engine.start_time_unix_nano <= engine.end_time_unix_nano
    sent = b"".join(Receiver.texts)
    assert b"whisper" not in sent and b"murmur" not in sent


def test_a_client_that_leaves_is_no_fault_of_the_execution_and_is_told_apart(traced: Traced) -> None:
    with pytest.raises(httpx.ReadTimeout):
        traced.client.post(
            "/v1/responses", json={"model": "m", "input": "wait"}, timeout=0.5, headers={"x-request-id": "r2"}
        )
    _, said = traced.span(Span.SPAN_KIND_SERVER, **{"antiphon.request.id": "r2"})
    assert (said["antiphon.delivery.outcome"], said["http.response.status_code"]) == ("client_gone", 499)
    assert said["antiphon.execution.outcome"] in ("cancelled", "refused")


def test_a_refused_request_is_an_error(traced: Traced) -> None:
    traced.client.post("/v1/responses", json={"model": "other", "input": "a"}, headers={"x-request-id": "r3"})
    span, said = traced.span(Span.SPAN_KIND_SERVER, **{"antiphon.request.id": "r3"})
    assert (said["error.type"], span.status.code) == ("model_not_found", 2)
    assert (said["antiphon.execution.outcome"], said["antiphon.delivery.outcome"]) == ("refused", "delivered")


def test_without_tracing_a_clients_trace_goes_on_at_the_model_server() -> None:
    with listening(ModelServer) as models, started("--engine", models, "--drain-delay-s", "0") as server:
        for sent, passed_on in ((f"00-{TRACE}-{PARENT}-01", f"00-{TRACE}-{PARENT}-01"), ("nonsense", None)):
            answer = httpx.post(
                f"{server.origin}/v1/responses",
                json={"model": "m", "input": "a"},
                headers={"traceparent": sent},
                trust_env=False,
            )
            assert answer.status_code == 200
            assert ModelServer.traceparents[-1] == passed_on
