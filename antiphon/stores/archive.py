"""All that a tenant has stored: as lines of JSON, and erased for good.

For commands beside running servers: each opens the file for itself. A run of the tenant that is under way when it is
erased loses its lease and ends as failed, with nothing stored.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

from msgspec import Raw, Struct, json

from antiphon.errors import SetupError
from antiphon.stores.database import begin, open_reader, open_writer, set_up
from antiphon.stores.owners import Owner
from antiphon.stores.sql_files import load_statements

_SQL = load_statements("archive")
_BATCH = 200
_OF_RESPONSE = ("erase_log", "erase_items", "erase_request", "erase_calls", "erase_response")
_OF_CONVERSATION = ("erase_conversation_items", "erase_conversation_runs", "erase_conversation")


class Erased(Struct, frozen=True):
    """How many of each were there, deleted ones that still served others included."""

    responses: int
    conversations: int
    prompts: int


class _PromptLine(Struct, frozen=True):
    id: str
    version: str
    created_at: int
    template: Raw
    object: str = "prompt"


class _ConversationLine(Struct, frozen=True):
    id: str
    created_at: int
    metadata: Raw
    items: Sequence[Raw]
    object: str = "conversation"


def export(path: Path, tenant: str) -> Iterator[bytes]:
    """A JSON object per response, with `output` and its own `input_items`, then one per conversation, with `items`,
    then one per version of a prompt.

    Raises: SetupError when there is no such database or it cannot be read.
    """
    with closing(_existing(path, writes=False)) as connection:
        connection.execute("BEGIN")  # one moment for everything
        for key, head in connection.execute(_SQL["responses"], {"tenant": tenant}):
            yield json.encode(_response(connection, key, head))
        for key, public_id, created_at, metadata in connection.execute(_SQL["conversations"], {"tenant": tenant}):
            rows = connection.execute(_SQL["conversation_items"], {"key": key})
            items = [Raw(body) for (body,) in rows]
            yield json.encode(_ConversationLine(public_id, created_at, Raw(metadata), items))
        for public_id, version, created_at, body in connection.execute(_SQL["prompts"], {"tenant": tenant}):
            yield json.encode(_PromptLine(public_id, str(version), created_at, Raw(body)))


def _response(connection: sqlite3.Connection, key: int, head: bytes) -> dict[str, Raw | list[Raw]]:
    lists: dict[str, list[Raw]] = {"input": [], "output": []}
    for kind, body in connection.execute(_SQL["items"], {"key": key}):
        lists[kind].append(Raw(body))
    return {**json.decode(head, type=dict[str, Raw]), "output": lists["output"], "input_items": lists["input"]}


def erase(path: Path, tenant: str) -> Erased:
    """Remove every trace of a tenant: the bytes are overwritten in the file, which shrinks.

    Raises: SetupError when there is no such database or it cannot be written.
    """
    with closing(_existing(path, writes=True)) as connection:
        connection.execute("PRAGMA secure_delete = ON")
        _absorb(connection, Owner(path))
        erased = Erased(
            _erase(connection, tenant, "some_responses", _OF_RESPONSE),
            _erase(connection, tenant, "some_conversations", _OF_CONVERSATION),
            _erase(connection, tenant, "some_prompts", ("erase_prompt",)),
        )
        connection.execute("PRAGMA incremental_vacuum").fetchall()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        return erased


def _absorb(connection: sqlite3.Connection, owner: Owner) -> None:
    """What a killed process left in its journal is in the database then, and can be found."""
    begin(connection)
    owner.absorb(connection)
    connection.execute("COMMIT")
    owner.forget_journals()


def _erase(connection: sqlite3.Connection, tenant: str, found: str, statements: Sequence[str]) -> int:
    """In short transactions, so that servers go on meanwhile."""
    total = 0
    while keys := connection.execute(_SQL[found], {"tenant": tenant, "limit": _BATCH}).fetchall():
        begin(connection)
        for (key,) in keys:
            for statement in statements:
                connection.execute(_SQL[statement], {"key": key})
        connection.execute("COMMIT")
        total += len(keys)
    return total


def _existing(path: Path, *, writes: bool) -> sqlite3.Connection:
    if not path.exists():
        raise SetupError(f"There is no store at {path}; name the data directory with --data-dir.")
    set_up(path)
    return open_writer(path) if writes else open_reader(path)
