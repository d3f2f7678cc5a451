"""`x-ratelimit-*`: the limits that will be reached first, of requests and of tokens."""

from collections.abc import Sequence

from antiphon.core.rate_rules import tightest
from antiphon.core.rates import Level
from antiphon.server.cors import Header


def rate_headers(levels: Sequence[Level], *, azure: bool = False) -> list[Header]:
    """The six headers, or three, or none. `azure`: resets are whole seconds."""
    headers: list[Header] = []
    if not levels:
        return headers
    for unit in ("requests", "tokens"):
        level = tightest(levels, unit)
        if level is None:
            continue
        reset = str(round(level.reset_s)) if azure else duration(level.reset_s)
        for name, value in (("limit", level.rule.limit), ("remaining", level.remaining), ("reset", reset)):
            headers.append((f"x-ratelimit-{name}-{unit}".encode(), str(value).encode()))
    return headers


def duration(seconds: float) -> str:
    """A time as OpenAI writes it: `1h2m3s`, `6m0s`, `1.5s`, `20ms`, `0s`."""
    if seconds < 1:
        ms = round(seconds * 1000)
        return f"{ms}ms" if ms else "0s"
    if seconds < 60:
        return f"{round(seconds, 3):g}s"
    whole = round(seconds)
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    return f"{hours}h{minutes}m{rest}s" if hours else f"{minutes}m{rest}s"
