"""`/metrics`: the figures of this process in the text format of Prometheus.

What the service counts is read when it is asked for; nothing is kept here but the requests. No label holds what a
client wrote: routes are templates, methods those of HTTP.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import accumulate

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.metrics_core import Metric

from antiphon import __version__
from antiphon.ports import UpstreamFigures
from antiphon.service.figures import DURATION_BOUNDS_S, KINDS, Distributions, Figures
from antiphon.service.responses import Responses
from antiphon.service.sessions import SESSION_STATES, Sessions

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4.encode()
BREAKER_STATES = ("closed", "open", "half_open")
RELOADS = ("applied", "refused")
ENDINGS = ("completed", "incomplete", "failed", "cancelled")


class Metrics:
    """The figures of one application, in a registry of its own."""

    def __init__(self, service: Responses) -> None:
        self._service = service
        self.sockets_open = 0
        self.reloads: Counter[str] = Counter()
        self.show: Callable[[], bytes] = self.render
        self._requests: Counter[tuple[str, str, str]] = Counter()
        self._request_s = Distributions(DURATION_BOUNDS_S)
        self._upgrades: Counter[str] = Counter()
        self._socket_requests: Counter[str] = Counter()
        self._registry = CollectorRegistry()
        self._registry.register(self)
        ProcessCollector(namespace="antiphon", registry=self._registry)

    def count_request(self, route: str, method: str, status: int, duration_s: float) -> None:
        """An HTTP request has been answered to its end."""
        self._requests[route, method, str(status)] += 1
        self._request_s.add((route, method), duration_s)

    def count_upgrade(self, status: int) -> None:
        """A WebSocket has been opened (101) or refused."""
        self._upgrades[str(status)] += 1

    def count_socket_request(self, status: int) -> None:
        """A request over WebSocket has been answered to its end."""
        self._socket_requests[str(status)] += 1

    def count_reload(self, result: str) -> None:
        """A reload was `applied` or `refused`."""
        self.reloads[result] += 1

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
        yield from self._http()
        yield from self._websocket()
        yield from _upstreams(self._service.upstreams())
        yield _counter_by(
            "antiphon_reloads",
            "Reloads of the configuration.",
            ("result",),
            {(each,): self.reloads[each] for each in RELOADS},
        )
        yield GaugeMetricFamily(
            "antiphon_draining", "1 once the server was told to stop, else 0.", value=self._service.is_draining
        )
        build = GaugeMetricFamily(
            "antiphon_build_info", "1; the label says which version this is.", labels=("version",)
        )
        build.add_metric((__version__,), 1)
        yield build

    def _http(self) -> Iterator[Metric]:
        yield _counter_by(
            "antiphon_http_requests",
            "HTTP requests answered to their end.",
            ("route", "method", "status"),
            dict(sorted(self._requests.items())),
        )
        yield _histogram(
            "antiphon_http_request_duration_seconds",
            "From an HTTP request's head to the end of its answer, streams included.",
            ("route", "method"),
            self._request_s,
        )

    def _websocket(self) -> Iterator[Metric]:
        yield _counter_by(
            "antiphon_websocket_upgrades",
            "WebSockets asked for, by the answer: 101, or the refusal.",
            ("status",),
            {(status,): count for status, count in sorted(self._upgrades.items())},
        )
        yield _gauge("antiphon_websocket_connections", "WebSockets that are open.", self.sockets_open)
        yield _counter_by(
            "antiphon_websocket_requests",
            "Requests over WebSocket answered to their end, by what HTTP would have answered.",
            ("status",),
            {(status,): count for status, count in sorted(self._socket_requests.items())},
        )


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
    for name, about, counts in (
        ("antiphon_input_tokens", "Prompt tokens of the runs that have ended.", figures.input_tokens),
        ("antiphon_cached_input_tokens", "Prompt tokens that the engine had cached.", figures.cached_input_tokens),
        ("antiphon_output_tokens", "Tokens that ended runs have generated.", figures.output_tokens),
    ):
        yield _counter_by(name, about, ("model",), {(model,): count for model, count in counts.items()})
    inputs = CounterMetricFamily(
        "antiphon_custom_tool_inputs",
        "Calls of custom tools with a grammar, by whether they obey it.",
        labels=("result",),
    )
    for result in ("valid", "invalid", "unknown"):
        inputs.add_metric((result,), figures.custom_inputs[result])
    yield inputs
    yield _counter(
        "antiphon_illegal_events",
        "Runs with an event against the grammar of streams; looked for with `check_events`.",
        figures.illegal_events,
    )
    yield _gauge("antiphon_stream_readers", "Streams that are being read.", figures.readers)
    labels = ("kind", "model")
    yield _histogram(
        "antiphon_time_to_first_event_seconds",
        "From the beginning of a run to the first event that the engine caused.",
        labels,
        figures.first_output_s,
    )
    yield _histogram(
        "antiphon_time_per_output_token_seconds",
        "From that event to the end of a run that did not wait for tools, per token after the first.",
        labels,
        figures.token_s,
    )
    yield _histogram(
        "antiphon_run_duration_seconds", "From the beginning of a run to its end.", labels, figures.duration_s
    )


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


def _counter_by(name: str, about: str, labels: Sequence[str], counts: Mapping[tuple[str, ...], float]) -> Metric:
    counter = CounterMetricFamily(name, about, labels=labels)
    for each, count in counts.items():
        counter.add_metric(each, count)
    return counter


def _histogram(name: str, about: str, labels: Sequence[str], distributions: Distributions) -> Metric:
    histogram = HistogramMetricFamily(name, about, labels=labels)
    for each, found in distributions.by_labels.items():
        bounds = [*map(str, found.bounds), "+Inf"]
        histogram.add_metric(each, list(zip(bounds, accumulate(found.counts), strict=True)), found.total)
    return histogram
