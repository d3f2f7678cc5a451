"""The engine for vLLM, llama.cpp's server and any other server of chat completions, or a pool of them."""

import asyncio
import random
from collections.abc import Callable, Sequence

from antiphon.core.chat import ChatRequest
from antiphon.engines.chat_address import parse_url
from antiphon.engines.chat_count import count_input
from antiphon.engines.chat_generation import ChatGeneration
from antiphon.engines.chat_health import watch
from antiphon.engines.chat_link import Link
from antiphon.engines.chat_pool import Pool
from antiphon.engines.chat_quirks import GENERIC
from antiphon.engines.chat_upstream import Upstream
from antiphon.engines.patience import Patience
from antiphon.engines.pool_limits import Limits
from antiphon.errors import AntiphonError, EngineError, SetupError
from antiphon.ports import Model, UpstreamFigures

HEAD_WAIT_S = 1.0
HEALTH_INTERVAL_S = 5.0


class ChatHttpEngine:
    """Generates by the servers at `urls`, each a base URL with `/v1` or without.

    A conversation (`cache_key`, else `session`) stays with one server, which has its prefix cached; everything else
    goes to the least loaded; what a server cannot take goes to the next. `model` restricts the engine to that model,
    and makes it known even while no server is up. A server that is down is asked again when requests come, and from
    time to time.

    `name` is what the servers are called in figures. `link` says how they are reached; without one `api_key` and
    `connect_timeout_s` do, and `schedules_priority`: the servers take a priority with each request.
    `head_wait_s`: how long `prepare` waits for a server to accept or refuse. vLLM does so before it generates,
    llama.cpp with its first token; what comes later is raised by `deltas`. `draw` gives random numbers from 0 to 1.

    Raises: SetupError when a URL or the link cannot be used.
    """

    def __init__(
        self,
        urls: Sequence[str],
        *,
        name: str = "default",
        link: Link | None = None,
        api_key: str | None = None,
        model: str | None = None,
        limits: Limits | None = None,
        connect_timeout_s: float = 5,
        first_token_timeout_s: float = 600,
        idle_timeout_s: float = 120,
        head_wait_s: float = HEAD_WAIT_S,
        schedules_priority: bool = False,
        health_interval_s: float = HEALTH_INTERVAL_S,
        draw: Callable[[], float] = random.random,
    ) -> None:
        quirks = {"takes_priority": True} if schedules_priority else {}
        self._link = link or Link(api_key=api_key, connect_timeout_s=connect_timeout_s, quirks=quirks)
        self._link.check()
        self._pool = Pool(name, self._servers(urls), limits or Limits(), random=draw)
        self._model = model
        self._patience = Patience(head_wait_s, first_token_timeout_s, idle_timeout_s)
        self._health_interval_s = health_interval_s
        self._learning: asyncio.Task[None] | None = None
        self._watching: asyncio.Task[None] | None = None

    def _servers(self, urls: Sequence[str]) -> list[Upstream]:
        addresses = dict.fromkeys(parse_url(url) for url in urls)
        if not addresses:
            raise SetupError("No engine URL is given; write it like http://127.0.0.1:8000/v1.")
        return [Upstream(address, self._link) for address in addresses]

    async def start(self) -> None:
        """Learn what the servers serve, and look after them; one that is down does not matter now."""
        await self._learn(self._pool.servers)
        self._watching = asyncio.get_running_loop().create_task(watch(self._pool, self._health_interval_s))

    async def close(self) -> None:
        """Abort what runs and close all connections."""
        for task in (self._learning, self._watching):
            if task is not None:
                task.cancel()
        for server in self._pool.servers:
            server.close()

    async def serve_from(self, urls: Sequence[str]) -> None:
        """Use the servers at `urls` from now on: new ones are asked at once, those left out end what they have begun.

        Raises: SetupError when a URL cannot be used; nothing has changed then.
        """
        wanted = {server.address: server for server in self._servers(urls)}
        kept = [server for server in self._pool.servers if server.address in wanted and not server.is_draining]
        added = [wanted[address] for address in wanted.keys() - {server.address for server in kept}]
        await self._learn(added)
        self._pool.replace([*kept, *added])

    def models(self) -> Sequence[Model]:
        """The models of all servers, as last known. Asking has those that were down, or long not asked, asked again."""
        self._learn_in_passing()
        found: dict[str, Model] = {}
        for server in self._pool.servers:
            for model in server.models:
                found.setdefault(model.id, model)
        if self._model is None:
            return tuple(found.values())
        return (found.get(self._model) or _unseen(self._model),)

    async def drained(self) -> None:
        """Return once no generation runs, or waits for a place."""
        await self._pool.idle()

    @property
    def servers(self) -> Sequence[Upstream]:
        """The servers as last known, in the order of the URLs."""
        return self._pool.servers

    def upstreams(self) -> Sequence[UpstreamFigures]:
        """Each server's figures, in the order of the URLs."""
        return self._pool.figures()

    async def prepare(self, chat: ChatRequest) -> ChatGeneration:
        """Ask a server, and wait a moment for it to accept.

        Raises: ClientError when it refuses the request, EngineUnavailable when no server can be reached or takes more,
        EngineError when it fails.
        """
        if due := [server for server in self._pool.servers if not server.models and self._due(server)]:
            await self._learn(due)
        generation = ChatGeneration(chat, self._pool.attempts(chat), self._patience)
        await generation.open()
        return generation

    async def count(self, chat: ChatRequest) -> int:
        """Ask a server to count, another one where it fails.

        Raises: CannotCount where the server has no way to; else what `prepare` raises.
        """
        if due := [server for server in self._pool.servers if not server.models and self._due(server)]:
            await self._learn(due)
        attempts = self._pool.attempts(chat)
        failure: AntiphonError | None = None
        try:
            while True:
                server = await attempts.next(failure)
                try:
                    counted = await count_input(server, chat)
                except EngineError as error:
                    attempts.failed(error)
                    failure = error
                else:
                    attempts.succeeded()
                    return counted
        finally:
            attempts.release()

    # -- learning

    def _due(self, server: Upstream) -> bool:
        return server.due(asyncio.get_running_loop().time())

    async def _learn(self, servers: Sequence[Upstream]) -> None:
        await asyncio.gather(*(server.learn() for server in servers))

    def _learn_in_passing(self) -> None:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return
        if self._learning is None or self._learning.done():
            now = loop.time()
            due = [server for server in self._pool.servers if server.due(now)]
            self._learning = loop.create_task(self._learn(due)) if due else None


def _unseen(model_id: str) -> Model:
    return Model(id=model_id, created=0, owned_by="upstream", images=True, continues_text=GENERIC.continues_text)
