"""Looks after the servers of a pool: asks those that nothing was heard of, and notices those that are back."""

import asyncio
import logging

from antiphon.engines.chat_pool import Pool
from antiphon.engines.chat_upstream import Upstream
from antiphon.errors import EngineError, EngineUnavailable

logger = logging.getLogger("antiphon.engine")


async def watch(pool: Pool, interval_s: float) -> None:
    """Check every server about once in an interval, until cancelled. One check at a time for each server."""
    while True:
        await asyncio.sleep(interval_s * (0.75 + pool.random() / 2))  # several gateways must not ask in step
        await asyncio.gather(*(check(pool, server) for server in tuple(pool.servers)))


async def check(pool: Pool, server: Upstream) -> None:
    """Ask a server how it is, unless its breaker lets nothing through yet."""
    loop = asyncio.get_running_loop()
    if server.is_draining or not server.breaker.ready(loop.time()):
        return
    was_healthy = server.is_healthy
    server.breaker.begin()
    try:
        await server.check_health()
    except EngineUnavailable:
        server.note_failure(loop.time(), pool.random(), is_certain=True)
    except (TimeoutError, EngineError):
        server.note_failure(loop.time(), pool.random())
    except BaseException:
        server.breaker.abandon()
        raise
    else:
        server.note_success()
        pool.admit()
    if was_healthy != server.is_healthy:
        logger.warning("%s %s", server.address.url, "is back" if server.is_healthy else "is down")
