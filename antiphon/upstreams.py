"""From the tables of the configuration file to the engine that serves them."""

from collections.abc import Callable, Iterator

import msgspec
from msgspec import Raw

from antiphon.config.settings import Settings
from antiphon.config.tables import ModelTable, Tables, UpstreamTable
from antiphon.core.chat import Sampling
from antiphon.engines.chat_http import ChatHttpEngine
from antiphon.engines.chat_link import Link
from antiphon.engines.http_proxy import parse_proxy
from antiphon.engines.http_tls import tls_context
from antiphon.engines.pool_limits import Limits
from antiphon.engines.router import EngineRouter, Route
from antiphon.errors import SetupError
from antiphon.ports import Engine

DEFAULT = "default"
"""The key of the engine that the setting `engine` names."""


def routed_engine(settings: Settings, default: Callable[[], Engine]) -> EngineRouter:
    """The engine for the settings: what the tables name, beside `default`.

    Raises: SetupError naming file, table and key when a table cannot be used.
    """
    tables = settings.tables
    engines: dict[str, Engine] = {_key(table): _engine(table, settings) for table in tables.upstreams}
    if settings.engine != "upstreams":
        engines[DEFAULT] = default()
    return EngineRouter(engines, [_route(table) for table in tables.models])


async def prepare_tables(router: EngineRouter, old: Tables, settings: Settings) -> Callable[[], None]:
    """What makes the router go over from its `old` tables to those of the settings; what is the same stays as it is.

    Raises: SetupError as above, or when there is nothing to generate with; nothing has changed then.
    """
    tables, current = settings.tables, router.engines
    same = {table.name for table in old.upstreams if table in tables.upstreams}
    engines: dict[str, Engine] = {
        _key(table): current[_key(table)] if table.name in same else _engine(table, settings)
        for table in tables.upstreams
    }
    if DEFAULT in current:
        engines[DEFAULT] = current[DEFAULT]
    routes = [_route(table) for table in tables.models]
    homeless = [route.name for route in routes if route.engine not in engines]
    if homeless or not engines:
        what = f"[[model]] '{homeless[0]}' names no upstream" if homeless else "there is no [[upstream]]"
        raise SetupError(f"{tables.origin or 'the file'}: {what}, and the server was started without another engine")
    return await router.prepare_change(engines, routes)


def effective_tables(settings: Settings) -> Iterator[tuple[str, str]]:
    """A line for each table: what it is, and what it says, secrets masked. Raises: SetupError as above."""
    for upstream in settings.tables.upstreams:
        _engine(upstream, settings)
        yield f"[[upstream]] {upstream.name}", _shown(upstream)
    for model in settings.tables.models:
        yield f"[[model]] {model.name}", _shown(model)


def _key(table: UpstreamTable) -> str:
    return f"upstream {table.name}"


def _engine(table: UpstreamTable, settings: Settings) -> ChatHttpEngine:
    try:
        return ChatHttpEngine(
            table.urls,
            name=table.name,
            link=_link(table, settings),
            limits=Limits(table.concurrency, table.queue, table.queue_timeout_s),
            first_token_timeout_s=table.first_token_timeout_s or settings.upstream_first_token_timeout_s,
            idle_timeout_s=table.idle_timeout_s or settings.upstream_idle_timeout_s,
            health_interval_s=table.health_interval_s,
        )
    except SetupError as error:
        raise SetupError(f"{settings.tables.origin}: [[upstream]] '{table.name}': {error}") from None
    except ValueError as error:
        raise SetupError(f"{settings.tables.origin}: [[upstream]] '{table.name}': quirks.{error}") from None


def _link(table: UpstreamTable, settings: Settings) -> Link:
    needs_tls = any(url.startswith("https://") for url in table.urls)
    return Link(
        api_key=table.api_key,
        headers=table.headers,
        tls=tls_context(table.ca, table.client_certificate, table.client_key) if needs_tls else None,
        proxy=parse_proxy(table.proxy) if table.proxy is not None else None,
        connect_timeout_s=table.connect_timeout_s or settings.upstream_connect_timeout_s,
        forward_credentials=table.forward_credentials,
        server=table.server,
        quirks=table.quirks,
    )


def _route(table: ModelTable) -> Route:
    given = msgspec.structs.asdict(table)
    same = given.keys() & (set(Route.__struct_fields__) - {"sampling", "extra_body"})
    return Route(
        **{name: given[name] for name in same},
        engine=DEFAULT if table.upstream is None else f"upstream {table.upstream}",
        served_as=table.upstream_model,
        sampling=Sampling(**msgspec.structs.asdict(table.sampling)),
        template_kwargs=_object(table.chat_template_kwargs),
        extra_body=_object(table.extra_body),
    )


def _object(values: object) -> Raw | None:
    return Raw(msgspec.json.encode(values)) if values else None


def _shown(table: UpstreamTable | ModelTable) -> str:
    """What differs from the defaults, as TOML would have it; header values may be secrets like keys."""
    parts: list[str] = []
    for field in msgspec.structs.fields(table):
        value = getattr(table, field.name)
        if field.name == "name" or value in (None, (), {}, field.default):
            continue
        if field.name == "headers":
            value = dict.fromkeys(value, "***")
        elif field.name in ("api_key", "proxy"):
            value = "***"
        shown = msgspec.to_builtins(value, enc_hook=str)
        parts.append(f"{field.name}={msgspec.json.encode(shown).decode()}")
    return " ".join(parts) or "defaults"
