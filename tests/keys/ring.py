"""Keys files, and a server with one."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.live import Live, serve

ALICE, BOB = "alice-key", "bob-key"


def entry(name: str, **fields: Any) -> str:
    """A `[[key]]` whose value is `NAME-key`; the tenant is the name unless said otherwise."""
    limits = fields.pop("limits", None)
    written = {"name": name, "value": f"{name}-key", "tenant": name, **fields}
    lines = ["[[key]]", *(f"{field} = {json.dumps(value)}" for field, value in written.items() if value is not None)]
    if limits is not None:
        lines += ["[key.limits]", *(f"{field} = {value}" for field, value in limits.items())]
    return "\n".join(lines) + "\n"


def keys_file(folder: Path, *entries: str) -> Path:
    path = folder / "keys.toml"
    path.write_text("\n".join(entries))
    return path


def bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


@contextmanager
def serving(folder: Path, *entries: str, **options: Any) -> Iterator[Live]:
    """A server with these keys, whose own client is alice."""
    with serve(keys_file=keys_file(folder, *entries), **options) as running:
        running.http.headers.update(bearer(ALICE))
        yield running


def error_of(answer: httpx.Response) -> dict[str, Any]:
    found: dict[str, Any] = answer.json()["error"]
    return found
