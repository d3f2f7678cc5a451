"""Trying all probes on one model."""

import asyncio
from collections.abc import Sequence

from antiphon.doctor.answers import ask
from antiphon.doctor.cures import cure_of
from antiphon.doctor.findings import Finding
from antiphon.doctor.probes import PROBES, Probe
from antiphon.service.responses import Responses

AT_ONCE = 4
"""Probes that a server gets at a time."""


async def examine(service: Responses, model: str, *, at_most_s: float) -> Sequence[Finding]:
    """What works, in the order of the probes; each request gets at most so long, and all together twice that."""
    loop = asyncio.get_running_loop()
    room, over_at = asyncio.Semaphore(AT_ONCE), loop.time() + 2 * at_most_s

    async def find(probe: Probe) -> Finding:
        async with room:
            left_s = min(at_most_s, over_at - loop.time())
            answers = [
                await ask(service, {"model": model, "store": False, **body}, at_most_s=max(0.0, left_s))
                for body in probe.requests
            ]
        outcome, detail = probe.verdict(answers)
        cure = cure_of(detail, probe.cure) if outcome == "missing" else None
        return Finding(name=probe.name, title=probe.title, outcome=outcome, detail=detail, cure=cure)

    return await asyncio.gather(*map(find, PROBES))
