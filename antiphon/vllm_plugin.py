"""The whole API inside vLLM's own server: `VLLM_PLUGINS=antiphon vllm serve MODEL`.

vLLM finds this module by the entry point `antiphon` of the group `vllm.endpoint_plugins`, in each of its API-server
processes. What is below `paths.OUR_BASES` becomes ours; everything else stays vLLM's. The settings come from the
environment and from the file that `ANTIPHON_CONFIG` names; those of engine, address and keys are vLLM's business and
have no effect. Processes share their state by the store. Our figures join those of vLLM's `/metrics`.
"""

import logging
import os
from argparse import Namespace
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from msgspec.structs import replace
from starlette.applications import Starlette
from starlette.datastructures import State
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Receive, Scope, Send

from antiphon.assembly import build_service, server_options
from antiphon.config.sources import load
from antiphon.errors import SetupError
from antiphon.server.app import App
from antiphon.server.joined_metrics import JoinedMetrics
from antiphon.server.paths import OUR_BASES, is_ours, our_base
from antiphon.service.responses import Responses
from antiphon.vllm_versions import ANY_VERSION, check_version, installed_version

logger = logging.getLogger(__name__)


class Inside:
    """What lies behind the doors: our application, once it is there."""

    def __init__(self) -> None:
        self.app: ASGIApp | None = None


class Door(BaseRoute):
    """The route that leads from vLLM's application into ours. `path` is what vLLM's own metrics call it."""

    def __init__(self, path: str, inside: Inside) -> None:
        self.path = path
        self._inside = inside

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        ours = scope["type"] in ("http", "websocket") and our_base(_path(scope)) == self.path
        return (Match.FULL, {}) if ours else (Match.NONE, {})

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert self._inside.app is not None, "vLLM serves before it has initialised its plugins"
        # A copy, for both applications leave notes in it; behind the door there is no prefix any more.
        await self._inside.app({**scope, "path": _path(scope), "root_path": ""}, receive, send)


def _path(scope: Scope) -> str:
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", ""))


def api_keys(args: Namespace, environment: Mapping[str, str]) -> tuple[str, ...]:
    """The keys that vLLM asks for. It guards nothing but /v1, and Azure's paths need a guard too."""
    given = getattr(args, "api_key", None) or [environment.get("VLLM_API_KEY")]
    return tuple(key for key in ([given] if isinstance(given, str) else given) if key)


class Plugin:
    """An endpoint plugin as vLLM wants it."""

    name = "antiphon"
    required_tasks = ("generate",)

    def __init__(self) -> None:
        self._inside = Inside()
        self._service: Responses | None = None
        self._metrics: JoinedMetrics | None = None

    def attach_router(self, app: Starlette) -> None:
        """Take over our paths: before every other route, so that it makes no difference how vLLM resolves doubles."""
        others = [route for route in app.router.routes if not is_ours(getattr(route, "path", ""))]
        app.router.routes[:] = [*(Door(base, self._inside) for base in OUR_BASES), *others]
        theirs = app.router.lifespan_context

        @asynccontextmanager
        async def lifespan(app: Any) -> AsyncIterator[Any]:
            async with theirs(app) as state:
                try:
                    yield state
                finally:
                    await self._close()

        app.router.lifespan_context = lifespan

    async def init_state(self, engine_client: Any, state: State, args: Namespace) -> None:
        """Start the service on vLLM's engine. Raises: SetupError when the settings or this vLLM cannot be used."""
        check_version(installed_version() or "of an unknown version", any_version=os.environ.get(ANY_VERSION) == "1")
        try:
            from antiphon.engines.vllm import VllmEngine
        except ImportError as error:
            raise SetupError(f"The plugin does not fit this version of vLLM: {error}.") from error
        loaded = load({}, os.environ)
        for warning in loaded.warnings:
            logger.warning("%s", warning)
        self._service = build_service(loaded.settings, VllmEngine(engine_client, state))
        await self._service.start()
        options = replace(
            server_options(loaded.settings),
            api_keys=api_keys(args, os.environ),
            keys_file=None,
            stored_keys=False,
            oidc=None,
        )
        app = App(self._service, options)
        self._metrics = JoinedMetrics(app.metrics, os.environ)
        await self._metrics.start()
        self._inside.app = app

    async def _close(self) -> None:
        if self._metrics is not None:
            await self._metrics.close()
        if self._service is not None:
            await self._service.close()
