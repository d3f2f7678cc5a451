"""The engine for vLLM, llama.cpp's server and any other server of chat completions, or a pool of them."""

import asyncio
from collections.abc import Sequence
from hashlib import blake2b

from msgspec.structs import replace

from antiphon.core.chat import ChatRequest
from antiphon.engines.chat_generation import ChatGeneration, Patience
from antiphon.engines.chat_quirks import GENERIC
from antiphon.engines.chat_upstream import Upstream, parse_url
from antiphon.errors import SetupError
from antiphon.ports import Model

HEAD_WAIT_S = 1.0


class ChatHttpEngine:
    """Generates by the servers at `urls`, each a base URL with `/v1` or without.

    A conversation (`cache_key`) stays with one server, which has its prefix cached; everything else goes to the least
    loaded; what a server cannot take goes to the next. `model` restricts the engine to that model, and makes it known
    even while no server is up. A server that is down is asked again when requests come.

    `schedules_priority`: the servers take a priority with each request; those that do not refuse it.
    `head_wait_s`: how long `prepare` waits for a server to accept or refuse. vLLM does so before it generates,
    llama.cpp with its first token; what comes later is raised by `deltas`.

    Raises: SetupError when a URL cannot be used.
    """

    def __init__(
        self,
        urls: Sequence[str],
        *,
        api_key: str | None = None,
        model: str | None = None,
        connect_timeout_s: float = 5,
        first_token_timeout_s: float = 600,
        idle_timeout_s: float = 120,
        head_wait_s: float = HEAD_WAIT_S,
        schedules_priority: bool = False,
    ) -> None:
        addresses = dict.fromkeys(parse_url(url) for url in urls)
        if not addresses:
            raise SetupError("No engine URL is given; write it like http://127.0.0.1:8000/v1.")
        if api_key is not None and not (api_key.isascii() and api_key.isprintable()):
            raise SetupError("The engine's API key holds characters that an HTTP header must not hold.")
        self._upstreams = [
            Upstream(address, api_key=api_key, connect_timeout_s=connect_timeout_s) for address in addresses
        ]
        self._model = model
        self._schedules_priority = schedules_priority
        self._patience = Patience(head_wait_s, first_token_timeout_s, idle_timeout_s)
        self._turn = 0
        self._learning: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Learn what the servers serve; one that is down does not matter now."""
        await self._learn(self._upstreams)

    async def close(self) -> None:
        """Abort what runs and close all connections."""
        if self._learning is not None:
            self._learning.cancel()
        for upstream in self._upstreams:
            upstream.close()

    def models(self) -> Sequence[Model]:
        """The models of all servers, as last known. Asking has those that were down, or long not asked, asked again."""
        self._learn_in_passing()
        found: dict[str, Model] = {}
        for upstream in self._upstreams:
            for model in upstream.models:
                found.setdefault(model.id, model)
        if self._model is None:
            return tuple(found.values())
        return (found.get(self._model) or _unseen(self._model),)

    async def prepare(self, chat: ChatRequest) -> ChatGeneration:
        """Ask a server, and wait a moment for it to accept.

        Raises: ClientError when it refuses the request, EngineUnavailable when no server can be reached or takes more,
        EngineError when it fails.
        """
        if due := [upstream for upstream in self._upstreams if not upstream.models and self._due(upstream)]:
            await self._learn(due)
        if not self._schedules_priority:
            chat = replace(chat, priority=None)
        generation = ChatGeneration(chat, self._rank(chat), self._patience)
        await generation.open()
        return generation

    # -- choosing

    def _rank(self, chat: ChatRequest) -> list[Upstream]:
        """The servers to ask, best first: of those that list the model, or of all if none does."""
        serving = [one for one in self._upstreams if any(model.id == chat.model for model in one.models)]
        candidates = serving or self._upstreams
        if len(candidates) == 1:
            return list(candidates)
        if chat.cache_key is not None:
            key = chat.cache_key.encode()
            return sorted(candidates, key=lambda one: _score(one.address.url, key), reverse=True)
        self._turn += 1  # equally loaded ones take turns
        at = self._turn % len(candidates)
        return sorted([*candidates[at:], *candidates[:at]], key=lambda one: one.load)

    # -- learning

    def _due(self, upstream: Upstream) -> bool:
        return upstream.due(asyncio.get_running_loop().time())

    async def _learn(self, upstreams: Sequence[Upstream]) -> None:
        await asyncio.gather(*(upstream.learn() for upstream in upstreams))

    def _learn_in_passing(self) -> None:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return
        if self._learning is None or self._learning.done():
            due = [upstream for upstream in self._upstreams if self._due(upstream)]
            self._learning = loop.create_task(self._learn(due)) if due else None


def _score(url: str, key: bytes) -> bytes:
    """Rendezvous hashing: of all servers the one with the highest score has the key, whichever others there are."""
    return blake2b(url.encode() + b"\0" + key, digest_size=8).digest()


def _unseen(model_id: str) -> Model:
    return Model(id=model_id, created=0, owned_by="upstream", images=True, continues_text=GENERIC.continues_text)
