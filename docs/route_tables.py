"""The page docs/api.md: every route, from the operations that `/openapi.json` is made of."""

from collections.abc import Iterator

from antiphon.server.openapi import ERRORS
from antiphon.server.operation import Operation
from antiphon.server.operations import OPERATIONS

HEAD = """\
# Routes

<!-- Written by docs/generate.py from antiphon/server/operations.py. Edit the operations there. -->

Every route of the server, and what it does. `/openapi.json` has the same for machines, with the schemas of what is
taken and answered. Where a key is needed it comes as `Authorization: Bearer …` or `api-key: …`, if [keys](keys.md) are
set at all. With [limits](limits.md) a 429 is possible too. `GET /v1/responses` with an upgrade opens a
[WebSocket](websocket.md); [Azure's paths](azure.md) lead to the same operations.
"""

GROUPS = (
    ("/v1/responses", "Responses", "[responses.md](responses.md), [background.md](background.md), "
     "[live-tools.md](live-tools.md) and\n[compaction.md](compaction.md) say how they are used."),
    ("/v1/conversations", "Conversations", "[conversations.md](conversations.md) says how they are used."),
    ("/v1/prompts", "Prompts", "[prompts.md](prompts.md) says how they are used."),
    ("/v1/models", "Models", "What is served is set in [upstreams.md](upstreams.md)."),
    ("/", "The server itself", "[operations.md](operations.md) and [metrics.md](metrics.md) say what they are for."),
)  # fmt: skip
"""Paths by what they begin with, the first that fits."""


def page() -> str:
    """Routes by group, then what each takes beside its body, then the failures."""
    return HEAD + "".join(_groups()) + "".join(_failures())


def _groups() -> Iterator[str]:
    for prefix, title, more in GROUPS:
        yield f"\n## {title}\n\n{more}\n\n"
        yield "| route | what it does | parameters | streams | key | errors |\n|---|---|---|---|---|---|\n"
        for operation in OPERATIONS:
            if _group_of(operation) == prefix:
                yield _row(operation)


def _group_of(operation: Operation) -> str:
    return next(prefix for prefix, _, _ in GROUPS if operation.path.startswith(prefix))


def _row(operation: Operation) -> str:
    asked = ", ".join(f"`{each.name}`" for each in operation.parameters if each.place != "path")
    errors = ", ".join(str(status) for status in operation.errors)
    streams = "yes" if operation.streams else ""
    key = "" if operation.public else "yes"
    return f"| `{operation.method} {operation.path}` | {operation.summary} | {asked} | {streams} | {key} | {errors} |\n"


def _failures() -> Iterator[str]:
    yield "\n## Errors\n\n[errors.md](errors.md) lists every code.\n\n| status | what it says |\n|---|---|\n"
    for status, meaning in ERRORS.items():
        yield f"| {status} | {meaning} |\n"
