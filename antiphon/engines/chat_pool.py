"""The servers of one upstream as a pool: who is asked, who waits, and what is tried again.

Rules
- A generation holds a place at one server at a time, from before it asks until it ends.
- A server is asked if its breaker lets a request through, it is not being drained, and it has a free place. Where all
  such servers are full a generation waits in line for the first place that it can use.
- What one server failed to begin goes to another one, as long as the retry budget has something left. A server that
  could not be reached was not asked, so that passing it over is no retry.
"""

import asyncio
from collections.abc import Callable, Sequence

from antiphon.core.chat import ChatRequest
from antiphon.engines.chat_errors import CredentialsRefused, EngineBusy
from antiphon.engines.chat_upstream import Upstream
from antiphon.engines.http_pool import Unreachable
from antiphon.engines.pool_limits import Limits
from antiphon.engines.retry_budget import RetryBudget
from antiphon.engines.server_choice import Standing, choose
from antiphon.errors import AntiphonError, ClientError, EngineUnavailable
from antiphon.ports import UpstreamFigures

MOST_RETRY_AFTER_S = 30.0


class Pool:
    """`name` is what the pool is called in figures. `random` gives numbers from 0 to 1."""

    def __init__(self, name: str, servers: Sequence[Upstream], limits: Limits, *, random: Callable[[], float]) -> None:
        self.name = name
        self.servers = list(servers)
        self.random = random
        self._limits = limits
        self._budget: RetryBudget | None = None
        self._turn = 0
        self._waiting: list[_Waiter] = []
        self._rest: asyncio.Future[None] | None = None  # somebody waits for it

    def figures(self) -> list[UpstreamFigures]:
        """Each server as it stands."""
        now = _now()
        return [
            UpstreamFigures(
                upstream=self.name,
                server=str(number),
                is_healthy=server.is_healthy,
                breaker=server.breaker.state(now),
                in_flight=server.load,
                requests=server.requests,
                failures=server.failures,
                retries=server.retries,
            )
            for number, server in enumerate(self.servers)
        ]

    async def idle(self) -> None:
        """Return once nothing runs, or waits for a place."""
        while self._is_busy():
            self._rest = asyncio.get_running_loop().create_future()
            await self._rest

    def _is_busy(self) -> bool:
        return bool(self._waiting) or any(server.load for server in self.servers)

    def _note_rest(self) -> None:
        if self._rest is not None and not self._rest.done() and not self._is_busy():
            self._rest.set_result(None)

    def replace(self, servers: Sequence[Upstream]) -> None:
        """Use these servers. Those left out take nothing new, and are closed with the end of what they have begun."""
        for server in self.servers:
            if server not in servers:
                server.is_draining = True
                if not server.load:
                    server.close()
        self.servers = list(servers)
        self.admit()

    def attempts(self, chat: ChatRequest) -> "Attempts":
        """The way of one generation through the pool."""
        now = _now()
        if self._budget is None:
            self._budget = RetryBudget(now=now)
        self._budget.earn(now)
        return Attempts(self, chat, self._budget)

    async def take(self, chat: ChatRequest, tried: Sequence[Upstream]) -> Upstream:
        """A server that has not been tried yet, with a place taken, which is to be given back to it.

        Raises: EngineUnavailable when there is none, or no place in time.
        """
        found = self._find(chat, tried)
        if found is not None:
            self._occupy(found)
            return found
        if len(self._waiting) >= self._limits.queue:
            raise self._full()
        waiter = _Waiter(chat, tried, asyncio.get_running_loop().create_future())
        self._waiting.append(waiter)
        try:
            async with asyncio.timeout(self._limits.queue_timeout_s):
                return await waiter.place
        except TimeoutError:
            self._withdraw(waiter)
            raise self._full() from None
        except BaseException:
            self._withdraw(waiter)
            raise

    def give_back(self, server: Upstream) -> None:
        """A place is free again."""
        server.load -= 1
        if server.is_draining and not server.load:
            server.close()
        self.admit()
        self._note_rest()

    def admit(self) -> None:
        """Give free places to those who wait, in their order."""
        for waiter in tuple(self._waiting):
            try:
                found = self._find(waiter.chat, waiter.tried)
            except EngineUnavailable:  # its servers went down meanwhile: it waits out its time for one to come back
                continue
            if found is not None and not waiter.place.done():
                self._waiting.remove(waiter)
                self._occupy(found)
                waiter.place.set_result(found)

    # -- within

    def _find(self, chat: ChatRequest, tried: Sequence[Upstream]) -> Upstream | None:
        """The server to ask; None when all that could be asked are full. Raises: EngineUnavailable without any."""
        now = _now()
        known = [server for server in self.servers if not server.is_draining]
        serving = [server for server in known if any(model.id == chat.model for model in server.models)] or known
        usable = [server for server in serving if server.breaker.ready(now) and server not in tried]
        if not usable:
            waits = [server.breaker.ready_in_s(now) for server in serving]
            raise EngineUnavailable(
                "No engine for this model is up.", retry_after_s=min(MOST_RETRY_AFTER_S, 1 + min(waits, default=0.0))
            )
        most = self._limits.concurrency
        free = [server for server in usable if most is None or server.load < most]
        if not free:
            return None
        if len(free) == 1:
            return free[0]
        self._turn += 1
        key = chat.cache_key or chat.session
        is_new = chat.cache_key is None and chat.session == chat.id
        standings = [Standing(server.address.url, server.load) for server in free]
        return free[choose(standings, key, self._turn, is_new=is_new)]

    def _occupy(self, server: Upstream) -> None:
        server.load += 1
        server.requests += 1
        server.breaker.begin()

    def _withdraw(self, waiter: "_Waiter") -> None:
        """Leave the line, with the place given back that was given at the same moment."""
        if waiter in self._waiting:
            self._waiting.remove(waiter)
            self._note_rest()
        if waiter.place.done() and not waiter.place.cancelled():
            server = waiter.place.result()
            server.breaker.abandon()
            self.give_back(server)

    def _full(self) -> EngineUnavailable:
        places = (self._limits.concurrency or 1) * max(1, len(self.servers))
        after_s = min(MOST_RETRY_AFTER_S, 1.0 + len(self._waiting) / places)
        return EngineUnavailable("All engines for this model are busy.", retry_after_s=round(after_s))


class Attempts:
    """One generation's way from server to server. It holds at most one place, until `release`."""

    def __init__(self, pool: Pool, chat: ChatRequest, budget: RetryBudget) -> None:
        self._pool = pool
        self._chat = chat
        self._budget = budget
        self._tried: list[Upstream] = []
        self._server: Upstream | None = None
        self._judged = self._failed = False

    @property
    def upstream(self) -> str:
        """The name of the pool."""
        return self._pool.name

    @property
    def holds(self) -> bool:
        """Whether a place is held."""
        return self._server is not None

    async def next(self, failure: AntiphonError | None) -> Upstream:
        """The next server to ask. `failure` is what the one before ended with, None for the first.

        Raises: that failure when nothing more may be tried; EngineUnavailable when the first finds no server.
        """
        self.release()
        is_retry = failure is not None and not isinstance(failure, Unreachable)  # else nobody was asked yet
        if failure is not None and len(self._tried) >= len(self._pool.servers):
            raise failure
        if failure is not None and is_retry and not self._budget.spend(_now()):
            raise failure
        try:
            server = await self._pool.take(self._chat, self._tried)
        except EngineUnavailable:
            if failure is None:
                raise
            raise failure from None
        server.retries += is_retry
        self._server = server
        self._judged = self._failed = False
        self._tried.append(server)
        return server

    def succeeded(self) -> None:
        """The server answers."""
        if self._server is not None and not self._judged:
            self._judged = True
            self._server.note_success()

    def failed(self, error: AntiphonError) -> None:
        """The server ended the attempt with `error`, which may be no fault of its own."""
        server = self._server
        if server is None or self._failed:
            return
        if isinstance(error, ClientError):
            self.succeeded()
        elif not isinstance(error, EngineBusy | CredentialsRefused):
            self._judged = self._failed = True
            server.failures += 1
            server.note_failure(_now(), self._pool.random())

    def release(self) -> None:
        """Give the place back. Does nothing without one."""
        server, self._server = self._server, None
        if server is None:
            return
        if not self._judged:
            server.breaker.abandon()
        self._pool.give_back(server)


class _Waiter:
    def __init__(self, chat: ChatRequest, tried: Sequence[Upstream], place: "asyncio.Future[Upstream]") -> None:
        self.chat = chat
        self.tried = tried
        self.place = place


def _now() -> float:
    return asyncio.get_running_loop().time()
