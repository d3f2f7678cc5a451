"""Traces by OpenTelemetry, sent by OTLP over HTTP.

Where to and how is said by the standard variables (`OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_TRACES_SAMPLER`, ...). Names of
attributes are those of the semantic conventions for generative AI; what these have no word for begins with `antiphon.`.
No text of a request or an answer is in a span.
"""

import os

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from antiphon import __version__
from antiphon.core.request_account import RequestAccount
from antiphon.errors import AntiphonError

NAME = "antiphon"
OPERATION, PROVIDER = "gen_ai.operation.name", "gen_ai.provider.name"
_propagator = TraceContextTextMapPropagator()
_Attribute = str | int | float | bool | tuple[str, ...]


class OtelTracer:
    """The traces of this process."""

    def __init__(self) -> None:
        self._provider = TracerProvider(resource=_resource())
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer(NAME, __version__)

    def begin(self, traceparent: str | None) -> "OtelResponseSpan":
        """A span for a response."""
        return OtelResponseSpan(self._start("chat", SpanKind.SERVER, traceparent))

    def begin_generation(self, model: str, traceparent: str | None) -> "OtelGenerationSpan":
        """A span for what an engine is asked."""
        span = self._start(f"chat {model}", SpanKind.CLIENT, traceparent)
        span.set_attribute("gen_ai.request.model", model)
        return OtelGenerationSpan(span)

    def close(self) -> None:
        """Send what is left; takes as long as the receiver does, within its time-out."""
        self._provider.shutdown()

    def _start(self, name: str, kind: SpanKind, traceparent: str | None) -> Span:
        context = _propagator.extract({"traceparent": traceparent}) if traceparent else None
        return self._tracer.start_span(name, context, kind, {OPERATION: "chat", PROVIDER: NAME})


class _OtelSpan:
    def __init__(self, span: Span) -> None:
        self._span = span

    @property
    def traceparent(self) -> str:
        """The span as the header of that name has it."""
        carrier: dict[str, str] = {}
        _propagator.inject(carrier, set_span_in_context(self._span))
        return carrier["traceparent"]

    @property
    def trace_id(self) -> str:
        """The trace that it is in, in hexadecimal."""
        return f"{self._span.get_span_context().trace_id:032x}"

    def _set(self, attributes: dict[str, _Attribute | None]) -> None:
        self._span.set_attributes({name: value for name, value in attributes.items() if value is not None})

    def _fail(self, kind: str) -> None:
        self._span.set_attribute("error.type", kind)
        self._span.set_status(Status(StatusCode.ERROR))


class OtelResponseSpan(_OtelSpan):
    """One response, from its request to the end of both the response and its delivery."""

    def end(self, account: RequestAccount) -> None:
        """Say what it came to."""
        if account.model is not None:
            self._span.update_name(f"chat {account.model}")
        self._set(
            {
                "gen_ai.request.model": account.asked_model or account.model,
                "gen_ai.response.model": account.model,
                "gen_ai.response.id": account.response_id,
                "gen_ai.response.finish_reasons": (account.finish_reason,) if account.finish_reason else None,
                "gen_ai.conversation.id": account.conversation_id,
                "gen_ai.usage.input_tokens": account.input_tokens,
                "gen_ai.usage.cache_read.input_tokens": account.cached_input_tokens,
                "gen_ai.usage.output_tokens": account.output_tokens,
                "http.request.method": None if account.method == "WEBSOCKET" else account.method,
                "http.route": account.route,
                "http.response.status_code": account.status,
                "antiphon.request.id": account.request_id,
                "antiphon.tenant": account.tenant,
                "antiphon.upstream": account.upstream,
                "antiphon.dialect": account.dialect,
                "antiphon.time_to_first_token_s": account.ttft_s,
                "antiphon.execution.outcome": account.outcome or "refused",
                "antiphon.delivery.outcome": "delivered" if account.delivered else "client_gone",
            }
        )
        if account.error is not None or account.outcome == "failed":
            self._fail(account.error or "failed")
        self._span.end()


class OtelGenerationSpan(_OtelSpan):
    """One generation by an engine."""

    def note_error(self, error: AntiphonError) -> None:
        """It failed."""
        self._fail(error.code or error.type)

    def end(self, *, upstream: str | None, input_tokens: int | None) -> None:
        """Its end; ending it again does nothing."""
        if not self._span.is_recording():
            return
        self._set({"antiphon.upstream": upstream, "gen_ai.usage.input_tokens": input_tokens})
        self._span.end()


def _resource() -> Resource:
    named = "OTEL_SERVICE_NAME" in os.environ or SERVICE_NAME in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
    return Resource.create({} if named else {SERVICE_NAME: NAME})
