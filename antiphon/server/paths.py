"""Where the API is found: OpenAI's paths, and Azure's over the same handlers."""

import re
from collections.abc import Sequence

from starlette.routing import compile_path

OPENAI_BASE = "/v1"
AZURE_ROOT = "/openai"
AZURE_BASES: Sequence[str] = (
    f"{AZURE_ROOT}/v1",
    f"{AZURE_ROOT}/deployments/{{deployment:path}}",
    AZURE_ROOT,
)
"""What stands in the place of `/v1` in each of Azure's families of paths. A deployment is a model's name."""

_SOCKETS: Sequence[re.Pattern[str]] = tuple(
    compile_path(f"{base}/responses")[0] for base in (OPENAI_BASE, *AZURE_BASES)
)
OUR_BASES: Sequence[str] = (
    *(f"{OPENAI_BASE}/{name}" for name in ("responses", "conversations", "prompts")),
    AZURE_ROOT,
)
"""What this server takes for its own, with all below it, where another one answers beside it.

That is all of Azure's, and of OpenAI's what it keeps: models and health the other has too.
"""


def is_azure(path: str) -> bool:
    """Whether a path is one of Azure's, served or not."""
    return path.startswith(f"{AZURE_ROOT}/")


def azure_paths(path: str) -> list[str]:
    """The paths of Azure's that lead where one of OpenAI's does; none for what is no part of the API."""
    rest = path.removeprefix(OPENAI_BASE)
    return [f"{base}{rest}" for base in AZURE_BASES] if path.startswith(f"{OPENAI_BASE}/") else []


def socket_parameters(path: str) -> dict[str, str] | None:
    """The parameters in a path that WebSocket mode is served at; None for any other path."""
    for pattern in _SOCKETS:
        if match := pattern.fullmatch(path):
            return match.groupdict()
    return None


def is_ours(path: str) -> bool:
    """Whether a path is for this server where another one answers beside it."""
    return our_base(path) is not None


def our_base(path: str) -> str | None:
    """Which of `OUR_BASES` a path is below, None if it is for the other server."""
    if path in OUR_BASES and path != AZURE_ROOT:
        return path
    return next((base for base in OUR_BASES if path.startswith(f"{base}/")), None)
