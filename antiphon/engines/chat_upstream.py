"""One chat-completions server: its address, the models it serves, and how to ask it."""

import asyncio
import logging
import ssl
from collections.abc import Callable, Mapping

import msgspec

from antiphon.core.chat import ChatRequest
from antiphon.engines.breaker import Breaker
from antiphon.engines.chat_address import Address
from antiphon.engines.chat_cards import Card, CardList, model_of
from antiphon.engines.chat_chunk import NOT_JSON
from antiphon.engines.chat_errors import refused
from antiphon.engines.chat_link import Link
from antiphon.engines.chat_quirks import BY_OWNER, PROBES, SERVERS, VERSIONS
from antiphon.engines.chat_render import render
from antiphon.engines.http_pool import HttpPool
from antiphon.engines.http_stream import HttpConnection
from antiphon.errors import AntiphonError, ContextLengthExceeded, EngineError, Unauthorized
from antiphon.ports import Model

logger = logging.getLogger("antiphon.engine")

MAX_ERROR_BYTES = 64 * 1024
MAX_LIST_BYTES = 4 * 1024 * 1024
RELEARN_UNKNOWN_S = 3.0
RELEARN_S = 30.0


class Upstream:
    """A server as last known. `load` is how many generations it has from us.

    Raises: SetupError when the link to it cannot be used.
    """

    def __init__(self, address: Address, link: Link) -> None:
        tls = (link.tls or ssl.create_default_context()) if address.tls else None
        self.address = address
        self.models: tuple[Model, ...] = ()
        self.problem: str | None = None  # why they could not be learned the last time
        self.load = self.requests = self.failures = self.retries = 0
        self.breaker = Breaker()
        self.is_healthy = True
        self.is_draining = False
        self._link = link
        self._server = link.server
        self.quirks = link.applied_to(SERVERS[link.server or "generic"])
        timeout_s = link.connect_timeout_s
        self._pool = HttpPool(address.host, address.port, tls, connect_timeout_s=timeout_s, proxy=link.proxy)
        self._learn_timeout_s = timeout_s
        self._learned_at: float | None = None
        self._common = "".join(f"{name}: {value}\r\n" for name, value in _headers(address, link).items())
        self._own_key = f"Authorization: Bearer {link.api_key}\r\n" if link.api_key is not None else ""
        # A proxy without a tunnel has to be told the whole address.
        self._target = f"http://{address.host_header}" if link.proxy is not None and tls is None else ""

    def close(self) -> None:
        """Close every connection, those in use too."""
        self._pool.close()

    # -- how it is doing

    def note_success(self) -> None:
        """It answers."""
        self.is_healthy = True
        self.breaker.succeed()

    def note_failure(self, now: float, jitter: float, *, is_certain: bool = False) -> None:
        """It failed; `is_certain`: it is down."""
        self.breaker.fail(now, jitter, is_certain=is_certain)
        self.is_healthy = self.breaker.state(now) == "closed"

    async def check_health(self) -> None:
        """Ask how it is. Raises: EngineError when it is not well, TimeoutError when it does not say in time."""
        path = self.quirks.health_path
        path = self.address.prefix + path[3:] if path.startswith("/v1/") else self.address.root + path
        async with asyncio.timeout(self._learn_timeout_s):
            await self._get(path)

    # -- its models

    def due(self, now: float) -> bool:
        """Whether it is time to ask for the models (again)."""
        return self._learned_at is None or now - self._learned_at >= (RELEARN_S if self.models else RELEARN_UNKNOWN_S)

    async def learn(self) -> None:
        """Ask which models there are. A server that does not answer keeps those it had, and is asked again later."""
        self._learned_at = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(self._learn_timeout_s):
                cards = await self._list()
        except (TimeoutError, EngineError, *NOT_JSON) as error:
            self.problem = error.message if isinstance(error, EngineError) else "no usable answer"
            logger.warning("%s does not list its models: %s", self.address.url, self.problem)
            return
        self.problem = None
        if self._server is None and cards:
            self._server = BY_OWNER.get(cards[0].owned_by.lower()) or await self._recognise()
        self.quirks = self._link.applied_to(SERVERS[self._server or "generic"])
        self.models = tuple(model_of(card, self.quirks, self._server) for card in cards)

    @property
    def server(self) -> str | None:
        """What kind of server it is, a key of `SERVERS`; None as long as that is not known."""
        return self._server

    async def version(self) -> str | None:
        """The version that it tells, if it does."""
        path, key = VERSIONS.get(self._server or "", ("", ""))
        version = (await self._told(path)).get(key) if path else None
        return version if isinstance(version, str) else None

    async def _list(self) -> list[Card]:
        return msgspec.json.decode(await self._get(f"{self.address.prefix}/models"), type=CardList).data

    async def _recognise(self) -> str:
        """What kind of server it is, by what it answers elsewhere."""
        for path, key, server in PROBES:
            if key in await self._told(path):
                return server
        return "generic"

    async def _told(self, path: str) -> Mapping[str, object]:
        """The JSON object that it answers with there; empty where it answers otherwise, or not in time."""
        try:
            async with asyncio.timeout(self._learn_timeout_s):
                found = msgspec.json.decode(await self._get(self.address.root + path))
        except (TimeoutError, EngineError, *NOT_JSON):
            return {}
        return found if isinstance(found, dict) else {}

    async def _get(self, path: str) -> bytes:
        """The body of an answer to GET. Raises: EngineError for every status but 200."""
        connection = await self._pool.exchange(self._request("GET", path))
        try:
            body = await connection.body(MAX_LIST_BYTES)
            if connection.status != 200:
                raise refused(connection.status, connection.headers, body)
        except EngineError:
            raise
        except AntiphonError as error:
            raise EngineError(error.message) from None
        finally:
            connection.release()
        return body

    # -- asking it

    async def ask(
        self, path: str, body: bytes, chat: ChatRequest, max_bytes: int
    ) -> tuple[int, Mapping[bytes, bytes], bytes]:
        """Status, headers and body of the answer to a POST that is not streamed; `path` begins where `/v1` does.

        Raises: EngineUnavailable when the server cannot be reached, EngineError when it breaks the protocol.
        """
        connection = await self._pool.exchange(self._request("POST", f"{self.address.root}{path}", body, chat))
        try:
            answer = await connection.body(max_bytes)
        except BaseException:
            connection.abort()
            raise
        connection.release()
        return connection.status, connection.headers, answer

    async def post(self, chat: ChatRequest, on_sent: Callable[[], None]) -> HttpConnection:
        """Ask for a streamed generation and wait until the server has accepted it; the answer's body is still to come.

        Raises: ClientError when the server refuses the request, EngineError when it fails, EngineUnavailable when it
        cannot be reached or takes no more.
        """
        try:
            return await self._post(chat, on_sent)
        except ContextLengthExceeded as error:
            if not (self.quirks.limit_must_fit and chat.sampling.max_tokens is not None and _may_fit(error)):
                raise
        # The prompt fits but the token limit goes beyond the context: its rest is what can be had.
        sampling = msgspec.structs.replace(chat.sampling, max_tokens=None)
        return await self._post(msgspec.structs.replace(chat, sampling=sampling), on_sent)

    async def _post(self, chat: ChatRequest, on_sent: Callable[[], None]) -> HttpConnection:
        if chat.priority is not None and not self.quirks.takes_priority:  # they refuse it
            chat = msgspec.structs.replace(chat, priority=None)
        request = self._request("POST", f"{self.address.prefix}/chat/completions", render(chat, self.quirks), chat)
        connection = await self._pool.exchange(request, on_sent)
        if connection.status == 200 and not connection.headers.get(b"content-type", b"").startswith(
            b"application/json"
        ):
            return connection
        try:
            body = await connection.body(MAX_ERROR_BYTES)
        except BaseException:
            connection.abort()
            raise
        connection.release()
        if connection.status == 200:
            raise EngineError("The engine did not stream its answer.")
        if connection.status == 401 and self._credentials(chat):
            raise Unauthorized("The model's server refused your credentials.")
        raise refused(connection.status, connection.headers, body)

    def _request(self, method: str, path: str, body: bytes = b"", chat: ChatRequest | None = None) -> bytes:
        credentials = self._credentials(chat)
        key = f"Authorization: {credentials}\r\n" if credentials else self._own_key
        head = f"{method} {self._target}{path} HTTP/1.1\r\n{self._common}{key}"
        if body:
            head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nAccept: text/event-stream\r\n"
        if chat is not None:
            session = chat.session if self.quirks.takes_session_header else None
            named = {"X-Request-Id": chat.id, "X-Session-ID": session, "traceparent": chat.traceparent}
            head += "".join(f"{name}: {value}\r\n" for name, value in named.items() if value and _is_plain(value))
        return head.encode("ascii") + b"\r\n" + body

    def _credentials(self, chat: ChatRequest | None) -> str | None:
        """What the client showed, where that is to be passed on."""
        given = chat.credentials if chat is not None and self._link.forward_credentials else None
        return given if given and _is_plain(given) else None


def _headers(address: Address, link: Link) -> dict[str, str]:
    headers = {"Host": address.host_header, "User-Agent": "antiphon", **link.headers}
    if link.proxy is not None and link.proxy.authorization is not None and not address.tls:
        headers["Proxy-Authorization"] = link.proxy.authorization
    return headers


def _is_plain(text: str) -> bool:
    """Whether a text can be the value of a header."""
    return text.isascii() and text.isprintable()


def _may_fit(error: ContextLengthExceeded) -> bool:
    return error.input_tokens is None or error.limit is None or error.input_tokens < error.limit
