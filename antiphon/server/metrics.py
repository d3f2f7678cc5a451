"""`/metrics`: the figures of this process in the text format of Prometheus.

What the service counts is read when it is asked for; nothing is kept here but the requests. No label holds what a
client wrote: routes are templates, methods those of HTTP.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.metrics_core import Metric

from antiphon.ports import UpstreamFigures
from antiphon.service.figures import KINDS, Distribution, Figures, Kind
from antiphon.service.responses import Responses
from antiphon.service.sessions import SESSION_STATES, Sessions

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4.encode()
UNMATCHED = "unmatched"
"""The route of requests that match none."""
CLIENT_GONE = 499
"""The status of requests whose client left before it was answered."""
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
BREAKER_STATES = ("closed", "open", "half_open")
ENDINGS = ("completed", "incomplete", "failed", "cancelled")


class Metrics:
    """The figures of one application, in a registry of its own."""

    def __init__(self, service: Responses) -> None:
        self._service = service
        self._requests: Counter[tuple[str, str, str]] = Counter()
        self._registry = CollectorRegistry()
        self._registry.register(self)
        ProcessCollector(namespace="antiphon", registry=self._registry)

    def count_request(self, route: str, method: str, status: int) -> None:
        """A request has been answered to its end."""
        self._requests[route, method if method in METHODS else "other", str(status)] += 1

    def render(self) -> bytes:
        """Everything as it stands now."""
        return generate_latest(self._registry)

    def describe(self) -> Iterable[Metric]:
        """Nothing beforehand: names are this collector's own."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Every figure but those of the process."""
        yield from _sessions(self._service.sessions)
        refused = CounterMetricFamily(
            "antiphon_rate_limited_requests",
            "Requests that met a limit of a key, tenant, model or of all, and of what.",
            labels=("scope", "unit"),
        )
        for met, count in sorted(self._service.metering.refused.items()):
            refused.add_metric(met, count)
        yield refused
        yield _gauge_by(
            "antiphon_engine_turns",
            "Generations that go on, and that wait for `engine_running`; nothing is counted without that limit.",
            "state",
            {"running": self._service.turns.running, "waiting": self._service.turns.waiting},
        )
        yield from _runs(self._service.figures)
        yield from _stored(self._service.figures)
        requests = CounterMetricFamily(
            "antiphon_http_requests",
            "HTTP requests answered to their end.",
            labels=("route", "method", "status"),
        )
        for labels, count in sorted(self._requests.items()):
            requests.add_metric(labels, count)
        yield requests
        yield from _upstreams(self._service.upstreams())


def _upstreams(servers: Sequence[UpstreamFigures]) -> Iterator[Metric]:
    labels = ("upstream", "server")
    healthy = GaugeMetricFamily("antiphon_upstream_healthy", "Whether a model server is up (1) or down.", labels=labels)
    in_flight = GaugeMetricFamily("antiphon_upstream_in_flight", "Generations at a model server.", labels=labels)
    state = GaugeMetricFamily(
        "antiphon_upstream_breaker", "1 for the state that a breaker is in, else 0.", labels=(*labels, "state")
    )
    asked = CounterMetricFamily("antiphon_upstream_requests", "Generations asked of a model server.", labels=labels)
    failed = CounterMetricFamily("antiphon_upstream_failures", "Those that it failed.", labels=labels)
    retried = CounterMetricFamily(
        "antiphon_upstream_retries",
        "Those that another server was asked for before.",
        labels=labels,
    )
    for each in servers:
        place = (each.upstream, each.server)
        healthy.add_metric(place, each.is_healthy)
        in_flight.add_metric(place, each.in_flight)
        for one in BREAKER_STATES:
            state.add_metric((*place, one), one == each.breaker)
        asked.add_metric(place, each.requests)
        failed.add_metric(place, each.failures)
        retried.add_metric(place, each.retries)
    yield from (healthy, in_flight, state, asked, failed, retried)


def _sessions(sessions: Sessions) -> Iterator[Metric]:
    states = sessions.by_state()
    yield _gauge_by("antiphon_sessions", "Live runs.", "state", {each: states[each] for each in SESSION_STATES})
    yield _counter("antiphon_sessions_evicted", "Idle runs ended to make room or for their age.", sessions.evicted)
    yield _gauge("antiphon_sessions_bytes", "Bytes of events that the live runs have generated.", sessions.bytes)
    background = [run.state for run in sessions if run.response.background]
    waiting = background.count("queued")
    yield _gauge_by(
        "antiphon_background_runs",
        "Background runs that wait for their turn, and that have it.",
        "state",
        {"waiting": waiting, "running": len(background) - waiting},
    )


def _runs(figures: Figures) -> Iterator[Metric]:
    started = CounterMetricFamily("antiphon_runs_started", "Runs begun, or taken up again.", labels=("kind",))
    ended = CounterMetricFamily("antiphon_runs_ended", "Runs that have ended.", labels=("kind", "status"))
    for kind in KINDS:
        started.add_metric((kind,), figures.started[kind])
        for status in ENDINGS:
            ended.add_metric((kind, status), figures.ended[kind, status])
    yield started
    yield ended
    yield _counter("antiphon_input_tokens", "Prompt tokens of the runs that have ended.", figures.input_tokens)
    yield _counter(
        "antiphon_cached_input_tokens", "Prompt tokens that the engine had cached.", figures.cached_input_tokens
    )
    yield _counter("antiphon_output_tokens", "Tokens that ended runs have generated.", figures.output_tokens)
    inputs = CounterMetricFamily(
        "antiphon_custom_tool_inputs",
        "Calls of custom tools with a grammar, by whether they obey it.",
        labels=("result",),
    )
    for result in ("valid", "invalid", "unknown"):
        inputs.add_metric((result,), figures.custom_inputs[result])
    yield inputs
    yield _gauge("antiphon_stream_readers", "Streams that are being read.", figures.readers)
    yield _histogram(
        "antiphon_time_to_first_event_seconds",
        "From the beginning of a run to the first event that the engine caused.",
        figures.first_output_s,
    )
    yield _histogram("antiphon_run_duration_seconds", "From the beginning of a run to its end.", figures.duration_s)


def _stored(figures: Figures) -> Iterator[Metric]:
    swept = CounterMetricFamily(
        "antiphon_stored_responses_removed", "Stored responses that this process's sweeps removed.", labels=("reason",)
    )
    for reason in ("expired", "over_quota"):
        swept.add_metric((reason,), figures.swept[reason])
    yield swept
    stored = GaugeMetricFamily("antiphon_store_bytes", "Size of the store after the last sweep, once there was one.")
    if figures.stored_bytes is not None:
        stored.add_metric((), figures.stored_bytes)
    yield stored


def _counter(name: str, about: str, value: float) -> Metric:
    return CounterMetricFamily(name, about, value=value)


def _gauge(name: str, about: str, value: float) -> Metric:
    return GaugeMetricFamily(name, about, value=value)


def _gauge_by(name: str, about: str, label: str, values: Mapping[str, float]) -> Metric:
    gauge = GaugeMetricFamily(name, about, labels=(label,))
    for each, value in values.items():
        gauge.add_metric((each,), value)
    return gauge


def _histogram(name: str, about: str, distributions: Mapping[Kind, Distribution]) -> Metric:
    histogram = HistogramMetricFamily(name, about, labels=("kind",))
    for kind, found in distributions.items():
        bounds = [*map(str, found.bounds), "+Inf"]
        histogram.add_metric((kind,), list(zip(bounds, accumulate(found.counts), strict=True)), found.total)
    return histogram
