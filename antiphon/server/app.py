"""The ASGI application: a table of routes, and what happens around each of them.

Routes are data; every one is served by a handler that gets an `Exchange`. Errors of the tree become OpenAI's envelope
here, and only here.
"""

import logging
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace
from starlette.exceptions import HTTPException
from starlette.routing import Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from antiphon.errors import AntiphonError, MethodNotAllowed, NotFound, ServerError, SetupError
from antiphon.ports import Tracer
from antiphon.server.arrival import Reception
from antiphon.server.azure import AzureOptions
from antiphon.server.connection import WebSocketOptions
from antiphon.server.conversation_handlers import ConversationHandlers
from antiphon.server.cors import Cors, CorsOptions, Header
from antiphon.server.exchange import ClientGone, Exchange
from antiphon.server.guards import Guard
from antiphon.server.handlers import Handlers
from antiphon.server.metrics import Metrics
from antiphon.server.oidc_options import OidcOptions
from antiphon.server.openapi import document
from antiphon.server.paths import azure_paths
from antiphon.server.prompt_handlers import PromptHandlers
from antiphon.server.rate_headers import rate_headers
from antiphon.server.recorder import Recorder
from antiphon.server.reply_headers import HeaderOptions
from antiphon.server.websocket import Sockets
from antiphon.service.keyring import KeyRing
from antiphon.service.limiter import RateLimited
from antiphon.service.responses import Responses

logger = logging.getLogger(__name__)

Handler = Callable[[Exchange], Awaitable[None]]


class ServerOptions(Struct, frozen=True, kw_only=True):
    """Without `api_keys`, `keys_file`, `oidc` and keys in the store, nobody is asked for a key.

    `stored_keys` False leaves those of the store out. `strict` refuses what is not OpenAI's.
    """

    api_keys: Sequence[str] = ()
    keys_file: Path | None = None
    stored_keys: bool = True
    oidc: OidcOptions | None = None
    metrics_public: bool = False
    strict: bool = False
    done_marker: str = "dialect"
    max_body_bytes: int = 32 * 2**20
    azure: AzureOptions = AzureOptions()
    headers: HeaderOptions = HeaderOptions()
    cors: CorsOptions = CorsOptions()
    websocket: bool = True
    websocket_life_s: float = 3600.0
    websocket_send_deadline_s: float = 10.0


class RouteRow(Struct, frozen=True):
    """One endpoint; `public` ones need no key. One of Azure's is checked for its `api-version`."""

    method: str
    path: str
    handler: Handler
    public: bool = False
    is_azure: bool = False


def routes(
    handlers: Handlers, conversations: ConversationHandlers, prompts: PromptHandlers, *, metrics_public: bool = False
) -> list[RouteRow]:
    """Every endpoint there is, but for Azure's."""
    return [
        RouteRow("POST", "/v1/responses", handlers.create_response),
        RouteRow("POST", "/v1/responses/input_tokens", handlers.count_input_tokens),
        RouteRow("POST", "/v1/responses/compact", handlers.compact),
        RouteRow("GET", "/v1/responses/{response_id}", handlers.get_response),
        RouteRow("DELETE", "/v1/responses/{response_id}", handlers.delete_response),
        RouteRow("POST", "/v1/responses/{response_id}/cancel", handlers.cancel_response),
        RouteRow("POST", "/v1/responses/{response_id}/tool_outputs", handlers.deliver_tool_outputs),
        RouteRow("GET", "/v1/responses/{response_id}/input_items", handlers.list_input_items),
        *conversation_routes(conversations),
        *prompt_routes(prompts),
        RouteRow("GET", "/v1/models", handlers.list_models),
        RouteRow("GET", "/v1/models/{model_id:path}", handlers.get_model),
        RouteRow("GET", "/health", handlers.health, public=True),
        RouteRow("GET", "/live", handlers.health, public=True),
        RouteRow("GET", "/ready", handlers.ready, public=True),
        RouteRow("GET", "/openapi.json", handlers.openapi, public=True),
        RouteRow("GET", "/metrics", handlers.metrics, public=metrics_public),
    ]


def conversation_routes(handlers: ConversationHandlers) -> list[RouteRow]:
    """Those of conversations."""
    one = "/v1/conversations/{conversation_id}"
    return [
        RouteRow("POST", "/v1/conversations", handlers.create),
        RouteRow("GET", one, handlers.get),
        RouteRow("POST", one, handlers.update),
        RouteRow("DELETE", one, handlers.delete),
        RouteRow("POST", f"{one}/items", handlers.add_items),
        RouteRow("GET", f"{one}/items", handlers.list_items),
        RouteRow("GET", f"{one}/items/{{item_id}}", handlers.get_item),
        RouteRow("DELETE", f"{one}/items/{{item_id}}", handlers.delete_item),
    ]


def prompt_routes(handlers: PromptHandlers) -> list[RouteRow]:
    """Those of prompts."""
    one = "/v1/prompts/{prompt_id}"
    return [
        RouteRow("POST", "/v1/prompts", handlers.create),
        RouteRow("GET", "/v1/prompts", handlers.list_prompts),
        RouteRow("GET", one, handlers.get),
        RouteRow("DELETE", one, handlers.delete),
        RouteRow("POST", f"{one}/versions", handlers.add_version),
        RouteRow("GET", f"{one}/versions", handlers.list_versions),
        RouteRow("GET", f"{one}/versions/{{version}}", handlers.get_version),
    ]


def azure_routes(rows: Sequence[RouteRow]) -> list[RouteRow]:
    """Azure's families: each path of the API once more in every one, over the same handlers."""
    return [replace(row, path=path, is_azure=True) for row in rows for path in azure_paths(row.path)]


class App:
    """An ASGI application over one service, whose life it shares."""

    def __init__(self, service: Responses, options: ServerOptions, tracer: Tracer | None = None) -> None:
        self._service = service
        self._options = options
        self.metrics = Metrics(service)
        self._recorder = Recorder(self.metrics, tracer)
        handlers = Handlers(
            service,
            self._recorder,
            strict=options.strict,
            done_marker=options.done_marker,
            document=partial(document, azure=options.azure.enabled),
        )
        rows = routes(
            handlers,
            ConversationHandlers(service.conversations, strict=options.strict),
            PromptHandlers(service.prompts, strict=options.strict),
            metrics_public=options.metrics_public,
        )
        if options.azure.enabled:
            rows += azure_routes(rows)
        guard = build_guard(service, options)
        self.keys = guard.keys
        self._reception = Reception(
            options.headers, options.azure, Cors(options.cors), strict=options.strict, dialect=service.options.dialect
        )
        endpoints = _by_path(rows, guard, self._reception)
        self._exact = {path: endpoint for path, endpoint in endpoints.items() if "{" not in path}
        self._router = Router(
            [Route(path, endpoint, methods=list(endpoint.methods)) for path, endpoint in endpoints.items()],
            redirect_slashes=False,
        )
        self._sockets = Sockets(service, guard, _socket_options(options), self._reception, self._recorder)

    async def start(self) -> None:
        """Start the service, then know who may come in. Raises: SetupError, StoreUnavailable."""
        await self._service.start()
        await self.keys.start()

    async def close(self) -> None:
        """End what was started."""
        await self.keys.close()
        await self._service.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        match scope["type"]:
            case "lifespan":
                await self._lifespan(receive, send)
            case "http":
                await self._http(scope, receive, send)
            case "websocket":
                await self._sockets(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = self._exchange(scope, receive, send)
        scope["app"] = self  # lets the router raise instead of answering by itself
        scope["exchange"] = exchange
        try:
            await self._served_by(scope)(scope, receive, send)
        except ClientGone:
            pass
        except HTTPException as error:
            headers = [(key.lower().encode(), value.encode()) for key, value in (error.headers or {}).items()]
            await _answer_error(exchange, _routing_error(error, scope), headers)
        except AntiphonError as error:
            await _answer_error(exchange, error)
        except Exception:  # the top of the app: the client must hear of it, the details are for the log
            logger.exception("request %s failed", exchange.request_id)
            await _answer_error(exchange, ServerError("The server had an error while processing your request."))
        finally:
            exchange.record.caller = exchange.caller
            self._recorder.close(exchange.record)

    def _served_by(self, scope: Scope) -> ASGIApp:
        """What is at a path without variable parts, which most requests ask for; the router knows of all else."""
        endpoint = self._exact.get(scope["path"]) if not scope.get("root_path") else None
        if endpoint is None or scope["method"] not in endpoint.methods:
            return self._router
        scope["path_params"] = {}
        return endpoint

    def _exchange(self, scope: Scope, receive: Receive, send: Send) -> Exchange:
        arrival = self._reception.receive(scope["path"], scope["headers"])
        record = self._recorder.open(scope["method"], arrival.reply.request_id)
        limit = self._options.max_body_bytes
        return Exchange(scope, receive, send, arrival=arrival, record=record, max_body_bytes=limit)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        await self.start()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.close()
        await send({"type": "lifespan.shutdown.complete"})


class _Endpoint:
    """The ASGI application behind one path."""

    def __init__(self, rows: Sequence[RouteRow], guard: Guard, reception: Reception) -> None:
        self._route = rows[0].path
        self._rows = {row.method: row for row in rows}
        self._guard = guard
        self._reception = reception
        if "GET" in self._rows:
            self._rows["HEAD"] = self._rows["GET"]
        self.methods = (*self._rows, "OPTIONS")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange: Exchange = scope["exchange"]
        exchange.record.route = self._route
        exchange.record.path_params = scope["path_params"]
        if scope["method"] == "OPTIONS":
            await self._tell_options(exchange)
            return
        row = self._rows[scope["method"]]
        if not row.public:
            exchange.caller = await self._guard.admit(exchange.header(b"authorization"), exchange.header(b"api-key"))
        if row.is_azure:
            self._reception.versions.check(scope["path"], exchange.query().text("api-version"))
        await row.handler(exchange)

    async def _tell_options(self, exchange: Exchange) -> None:
        """Say what can be done here; to a browser that asks for a page, whether that page may do it."""
        methods = ", ".join(sorted(self.methods))
        headers = [(b"allow", methods.encode())]
        if exchange.header(b"access-control-request-method") is not None:
            wanted = exchange.header(b"access-control-request-headers")
            headers += self._reception.cors.preflight(exchange.arrival.origin, methods, wanted)
        await exchange.answer_empty(headers)


def _by_path(rows: Sequence[RouteRow], guard: Guard, reception: Reception) -> dict[str, _Endpoint]:
    """One endpoint per path, so that a wrong method is a 405 that knows every right one."""
    paths: dict[str, list[RouteRow]] = {}
    for row in rows:
        paths.setdefault(row.path, []).append(row)
    return {path: _Endpoint(group, guard, reception) for path, group in paths.items()}


def build_guard(service: Responses, options: ServerOptions) -> Guard:
    """Who lets callers in. Raises: SetupError where tokens are asked for and their library is not installed."""
    tokens = None
    if options.oidc is not None:
        try:
            from antiphon.server.oidc import TokenVerifier
        except ImportError:
            raise SetupError("Tokens of an issuer need a library; install with: pip install 'antiphon[oidc]'") from None
        tokens = TokenVerifier(options.oidc)
    stored = service.keys if options.stored_keys else None
    keys = KeyRing(options.api_keys, file=options.keys_file, stored=stored, asks_always=tokens is not None)
    return Guard(keys, tokens)


def _socket_options(options: ServerOptions) -> WebSocketOptions:
    return WebSocketOptions(
        enabled=options.websocket,
        strict=options.strict,
        life_s=options.websocket_life_s,
        send_deadline_s=options.websocket_send_deadline_s,
        max_frame_bytes=options.max_body_bytes,
    )


def _routing_error(error: HTTPException, scope: Scope) -> AntiphonError:
    if error.status_code == 405:
        return MethodNotAllowed(f"Not allowed to {scope['method']} on {scope['path']}.")
    return NotFound(f"Invalid URL ({scope['method']} {scope['path']})", code="unknown_url")


async def _answer_error(exchange: Exchange, error: AntiphonError, headers: Sequence[Header] = ()) -> None:
    """Answer with the envelope, unless the answer has begun: then the transport has ended it already."""
    exchange.record.error = error
    if exchange.begun:
        return
    if isinstance(error, RateLimited):
        exchange.add_headers(rate_headers(error.levels, azure=exchange.is_azure))
    await exchange.answer_error(error, headers)
