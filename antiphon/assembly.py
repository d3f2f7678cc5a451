"""Putting a server together from its settings: engine, store, service, application, listener."""

import asyncio
import gc
import shlex
import signal
import ssl
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from socket import socket
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from antiphon import installation
from antiphon.banner import banner, other_ways, way_of
from antiphon.config.settings import Settings
from antiphon.config.tables import LimitTable
from antiphon.core.grant import Limits
from antiphon.core.rate_rules import ScopedLimits
from antiphon.core.request_limits import RequestLimits
from antiphon.core.tiers import Tiers
from antiphon.engines.router import EngineRouter
from antiphon.errors import AntiphonError, SetupError
from antiphon.listener import bind, listen, new_event_loop, origin, raise_file_limit
from antiphon.logs import set_levels, start_logging
from antiphon.ports import Engine, Quotas, ResponseStore
from antiphon.readers.grammars import ChildGrammars
from antiphon.readers.pdf import PdfDocuments
from antiphon.reloading import Change, Part, Reloader
from antiphon.server.app import App, ServerOptions
from antiphon.server.azure import AzureOptions
from antiphon.server.cors import CorsOptions
from antiphon.server.oidc_options import OidcOptions
from antiphon.server.reply_headers import HeaderOptions
from antiphon.server.worker_metrics import WorkerMetrics
from antiphon.service.cache_salt import Salter
from antiphon.service.caller import ANYBODY
from antiphon.service.options import Options
from antiphon.service.responses import Responses
from antiphon.service.sealing import Sealer, kept_key
from antiphon.stores.memory import MemoryStore
from antiphon.tls import renewal, server_context
from antiphon.tracing.traced_engine import TracedEngine
from antiphon.upstreams import prepare_tables, routed_engine
from antiphon.web.fetcher import HttpFetcher
from antiphon.web.policy import FetchPolicy, networks

if TYPE_CHECKING:
    from antiphon.tracing.otel import OtelTracer

_DAY_S = 86_400
GRAMMAR_TIMEOUT_S = 5.0
"""How long reading a grammar, or holding a call against it, may take."""


class Among(Struct, frozen=True):
    """What a worker process gets instead of a port of its own. `say` is told the banner once it is ready.

    `folder` holds the figures of all workers, this one is at place `index`.
    """

    listening: socket
    folder: Path
    index: int
    say: Callable[[str], None]


def run(settings: Settings, load: Callable[[], Settings] | None = None, among: Among | None = None) -> None:
    """Serve in this thread until SIGINT or SIGTERM; SIGHUP takes over what `load` reads then. Raises: SetupError."""
    start_logging(settings)
    raise_file_limit()
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(serve(settings, load or (lambda: settings), among))


async def serve(settings: Settings, load: Callable[[], Settings], among: Among | None = None) -> None:
    """Serve until told to stop: the port first, then store and engine, then connections and the banner."""
    engine = build_engine(settings)
    tracer = build_tracer(settings)
    service = build_service(settings, TracedEngine(engine, tracer) if tracer is not None else engine)
    app = App(service, server_options(settings), tracer)
    tls = server_context(settings)
    reloader = Reloader(settings, load, _parts(service, engine, tls), app.metrics.count_reload)
    figures = WorkerMetrics(app.metrics, among.folder, among.index) if among is not None else None
    say = among.say if among is not None else partial(print, flush=True)
    with ExitStack() as stack:
        listening = among.listening if among is not None else stack.enter_context(bind(settings.host, settings.port))
        here = origin(listening, "https" if tls else "http")
        try:
            await _start(app)
            if figures is not None:
                await figures.start()
            await listen(
                app,
                listening,
                settings,
                tls=tls,
                ready=lambda: _announce(settings, here, service, say, asks=app.keys.asks),
                drain=lambda number: _drain(service, settings, number),
                reload=reloader.reload,
            )
        finally:
            await app.close()
            if figures is not None:
                await figures.close()
            if tracer is not None:
                await asyncio.to_thread(tracer.close)


async def _start(app: App) -> None:
    """Raises: SetupError, also for what would be a client's error later."""
    try:
        await app.start()
    except AntiphonError as error:
        raise SetupError(error.message) from error


async def _drain(service: Responses, settings: Settings, number: signal.Signals) -> None:
    """Shut down in order; whoever presses Ctrl-C does not want to wait for load balancers to notice."""
    delay_s = settings.drain_delay_s if number == signal.SIGTERM else 0.0
    await service.drain(delay_s=delay_s, grace_s=settings.drain_grace_s)


def _parts(service: Responses, engine: EngineRouter, tls: ssl.SSLContext | None) -> Sequence[Part]:
    """What a reload changes; models and upstreams last, since new ones are connected to."""

    async def certificate(_: Settings, new: Settings) -> Change:
        return renewal(tls, new)

    async def options(_: Settings, new: Settings) -> Change:
        return partial(service.reconfigure, build_options(new))

    async def levels(_: Settings, new: Settings) -> Change:
        return partial(set_levels, new)

    async def models(old: Settings, new: Settings) -> Change:
        return await prepare_tables(engine, old.tables, new)

    return certificate, options, levels, models


def build_options(settings: Settings) -> Options:
    """What the use cases are told of the settings."""
    return Options(
        default_model=settings.default_model,
        dialect=settings.dialect,
        legacy_reasoning_events=settings.legacy_reasoning_events,
        rate_limit_events=settings.rate_limit_events,
        obfuscation=settings.obfuscation,
        reasoning_family=None if settings.reasoning_family == "auto" else settings.reasoning_family,
        tiers=Tiers(settings.service_tier, settings.service_tiers),
        retention_s=settings.retention_days * _DAY_S or None,
        heartbeat_s=settings.heartbeat_s,
        store_enabled=settings.store != "off",
        tool_wait_s=settings.tool_wait_s,
        disconnect_grace_s=settings.disconnect_grace_s,
        engine_running=settings.engine_running,
        engine_queue=settings.engine_queue,
        background_running=settings.background_running,
        background_queue=settings.background_queue,
        max_sessions=settings.max_sessions,
        session_idle_ttl_s=settings.session_idle_ttl_s,
        max_session_bytes=settings.max_session_bytes,
        max_total_bytes=settings.max_total_bytes,
        max_event_bytes=settings.max_event_bytes,
        check_events=settings.check_events,
        max_image_bytes=settings.max_image_bytes,
        max_file_bytes=settings.max_file_bytes,
        request_limits=RequestLimits(
            max_input_items=settings.max_input_items,
            max_tool_output_bytes=settings.max_tool_output_bytes,
            max_schema_bytes=settings.max_schema_bytes,
        ),
        limits=tuple(map(_limits, settings.tables.limits)),
        forward_credentials=any(table.forward_credentials for table in settings.tables.upstreams),
        reasoning_summaries=settings.reasoning_summaries,
    )


def build_service(settings: Settings, engine: Engine | None = None) -> Responses:
    """The use cases over the store that the settings name, and over `engine`, else the one that they name."""
    return Responses(
        engine or build_engine(settings),
        build_store(settings),
        build_options(settings),
        clock=time.time,
        sealer=build_sealer(settings),
        salter=build_salter(settings),
        fetcher=build_fetcher(settings),
        documents=PdfDocuments(max_pages=settings.max_file_pages, timeout_s=settings.file_timeout_s),
        grammars=ChildGrammars(timeout_s=GRAMMAR_TIMEOUT_S),
    )


def build_tracer(settings: Settings) -> "OtelTracer | None":
    """Where traces go; None where they are off. Raises: SetupError when what sends them is not installed."""
    if not settings.otel:
        return None
    try:
        from antiphon.tracing.otel import OtelTracer
    except ImportError:
        raise SetupError("--otel needs OpenTelemetry; install it with: pip install 'antiphon[otel]'") from None
    return OtelTracer()


def build_fetcher(settings: Settings) -> HttpFetcher:
    """What fetches for requests, within the settings. Raises: SetupError."""
    try:
        opened = networks(settings.fetch_networks)
    except ValueError as error:
        raise SetupError(f"fetch_networks: {error}.") from error
    hosts = tuple(host for host in settings.fetch_hosts if host != "none")
    return HttpFetcher(FetchPolicy(hosts=hosts, networks=opened, timeout_s=settings.fetch_timeout_s))


def _limits(table: LimitTable) -> ScopedLimits:
    values = msgspec.structs.asdict(table)
    return ScopedLimits(scope=values.pop("scope"), name=values.pop("name"), limits=Limits(**values))


def build_sealer(settings: Settings) -> Sealer:
    """What seals reasoning: with the configured keys, else with one that is kept in the data directory."""
    keys = settings.reasoning_encryption_keys or (_kept_key(settings, "reasoning.key"),)
    return Sealer(keys)


def build_salter(settings: Settings) -> Salter:
    """What keeps the prompts of tenants apart in an engine's cache, by a secret of its own."""
    secret = "" if settings.cache_salt == "off" else _kept_key(settings, "cache.key")
    return Salter(secret, settings.cache_salt)


def _kept_key(settings: Settings, name: str) -> str:
    """Raises: SetupError where nothing can be kept."""
    try:
        return kept_key(settings.data_dir / "keys" / name)
    except OSError as error:
        problem = f"{settings.data_dir} cannot be used: {error.strerror}; choose another with --data-dir"
        raise SetupError(problem) from error


def server_options(settings: Settings) -> ServerOptions:
    """What the application is told of the settings."""
    return ServerOptions(
        api_keys=settings.api_key,
        keys_file=settings.keys_file,
        oidc=_oidc_options(settings),
        metrics_public=settings.metrics_public,
        strict=settings.strict,
        max_body_bytes=settings.max_body_bytes,
        websocket=settings.websocket,
        done_marker=settings.done_marker,
        azure=AzureOptions(
            enabled=settings.azure, force_store=settings.azure_force_store, region=settings.azure_region
        ),
        headers=HeaderOptions(
            version=settings.openai_version,
            organization=settings.openai_organization,
            project=settings.openai_project,
        ),
        cors=CorsOptions(origins=settings.cors_origins, credentials=settings.cors_credentials),
    )


def _oidc_options(settings: Settings) -> OidcOptions | None:
    if settings.oidc_issuer is None:
        return None
    return OidcOptions(
        issuer=settings.oidc_issuer,
        audiences=settings.oidc_audience,
        tenant_claim=settings.oidc_tenant_claim,
        name_claim=settings.oidc_name_claim,
        leeway_s=settings.oidc_leeway_s,
    )


def build_engine(settings: Settings) -> EngineRouter:
    """The engine that settings and tables name, not yet started.

    Raises: SetupError when it is not installed or a table cannot be used.
    """
    return routed_engine(settings, lambda: _default_engine(settings))


def _default_engine(settings: Settings) -> Engine:
    match way_of(settings):
        case "scripted":
            from antiphon.engines.scripted import ScriptedEngine

            names = (settings.model,) if settings.model else ("scripted",)
            return ScriptedEngine(model_ids=names, token_delay_s=settings.token_delay_ms / 1000)
        case "upstream":
            return _chat_http(settings)
    return _embedded(settings)


def build_store(settings: Settings) -> ResponseStore:
    """The store that the settings name, not yet started."""
    quotas = Quotas(
        max_bytes=settings.retention_bytes,
        max_entries=settings.retention_entries or None,
        tenant_max_bytes=settings.retention_tenant_bytes or None,
        tenant_max_entries=settings.retention_tenant_entries or None,
    )
    if settings.store != "sqlite":
        return MemoryStore(quotas=quotas)
    from antiphon.stores.sql import SqlStore

    return SqlStore(settings.data_dir / "antiphon.sqlite3", quotas=quotas)


def _chat_http(settings: Settings) -> Engine:
    from antiphon.engines.chat_http import ChatHttpEngine

    return ChatHttpEngine(
        settings.upstream_urls,
        api_key=settings.upstream_api_key,
        model=settings.model,
        connect_timeout_s=settings.upstream_connect_timeout_s,
        first_token_timeout_s=settings.upstream_first_token_timeout_s,
        idle_timeout_s=settings.upstream_idle_timeout_s,
        schedules_priority=settings.upstream_priorities,
    )


def _embedded(settings: Settings) -> Engine:
    status = installation.installed(settings.data_dir)
    missing = [] if status.engine else ["the embedded engine"]
    if settings.model_file is None and not status.model:
        missing.append("the built-in model")
    if missing:
        raise SetupError(_what_is_missing(settings, " and ".join(missing), plural=len(missing) > 1))
    from antiphon.engines.embedded import EmbeddedEngine

    path = settings.model_file or installation.builtin_model_path(settings.data_dir)
    name = settings.model or (path.stem if settings.model_file else installation.BUILTIN_MODEL_ID)
    return EmbeddedEngine(
        path,
        model_id=name,
        context_tokens=settings.context_tokens,
        parallel=settings.parallel,
        threads=settings.threads,
    )


def _what_is_missing(settings: Settings, missing: str, *, plural: bool) -> str:
    return (
        f"{missing} {'are' if plural else 'is'} not installed. Install with:\n\n"
        f"antiphon setup{_data_dir_flag(settings)}\n\n"
        f"Or run without:\n\n{other_ways('embedded')}"
    )


def _data_dir_flag(settings: Settings) -> str:
    """What makes another command use the same data directory."""
    return "" if settings.data_dir == Settings().data_dir else f" --data-dir {shlex.quote(str(settings.data_dir))}"


def _announce(settings: Settings, here: str, service: Responses, say: Callable[[str], None], *, asks: bool) -> None:
    gc.collect()
    gc.freeze()  # what was made to start stays: full collections need not look at it again
    builtin = settings.engine == "embedded" and settings.model_file is None
    limits = installation.BUILTIN_MODEL_LIMITS if builtin else None
    models = [model.id for model in service.catalog.models(ANYBODY)]
    say(banner(settings, here, models, limits, asks=asks))
