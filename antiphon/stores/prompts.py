"""Prompts: each function is a job for the writer or for a reader."""

import sqlite3

from antiphon.errors import Conflict
from antiphon.ports import PromptPage, StoredPrompt
from antiphon.stores.sql_files import load_statements

_SQL = load_statements("prompts")


def create_prompt(
    connection: sqlite3.Connection, tenant: str, prompt_id: str, created_at: int, body: bytes
) -> StoredPrompt:
    """Raises: Conflict."""
    values = {"tenant": tenant, "id": prompt_id, "created_at": created_at, "body": body}
    if connection.execute(_SQL["create"], values).rowcount != 1:
        raise Conflict(f"A prompt with id '{prompt_id}' exists already.")
    return StoredPrompt(prompt_id, 1, created_at, body)


def add_version(
    connection: sqlite3.Connection, tenant: str, prompt_id: str, created_at: int, body: bytes
) -> StoredPrompt | None:
    """None: the prompt is unknown."""
    values = {"tenant": tenant, "id": prompt_id, "created_at": created_at, "body": body}
    added = connection.execute(_SQL["add_version"], values).rowcount == 1
    return read_prompt(connection, tenant, prompt_id, None) if added else None


def read_prompt(
    connection: sqlite3.Connection, tenant: str, prompt_id: str, version: int | None
) -> StoredPrompt | None:
    """A version; the current one where none is named."""
    values = {"tenant": tenant, "id": prompt_id, "version": version}
    row = connection.execute(_SQL["latest" if version is None else "version"], values).fetchone()
    return None if row is None else StoredPrompt(*row)


def read_prompts(
    connection: sqlite3.Connection, tenant: str, *, after: str | None, limit: int, descending: bool
) -> PromptPage:
    statement = _SQL["page_descending" if descending else "page_ascending"]
    rows = connection.execute(statement, {"tenant": tenant, "after": after, "limit": limit + 1}).fetchall()
    return _page(rows, limit)


def read_versions(
    connection: sqlite3.Connection, tenant: str, prompt_id: str, *, after: int | None, limit: int, descending: bool
) -> PromptPage:
    statement = _SQL["versions_descending" if descending else "versions_ascending"]
    values = {"tenant": tenant, "id": prompt_id, "after": after, "limit": limit + 1}
    return _page(connection.execute(statement, values).fetchall(), limit)


def delete_prompt(connection: sqlite3.Connection, tenant: str, prompt_id: str) -> bool:
    return connection.execute(_SQL["delete"], {"tenant": tenant, "id": prompt_id}).rowcount > 0


def _page(rows: list[tuple[str, int, int, bytes]], limit: int) -> PromptPage:
    return PromptPage(tuple(StoredPrompt(*row) for row in rows[:limit]), len(rows) > limit)
