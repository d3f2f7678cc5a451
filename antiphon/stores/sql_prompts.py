"""Prompts in the SQLite file of a `SqlStore`."""

from collections.abc import Callable
from functools import partial

from antiphon.ports import PromptPage, StoredPrompt
from antiphon.stores import prompts as jobs
from antiphon.stores.worker import Workers


class SqlPrompts:
    """A `PromptStore`. `workers` are the store's writer and readers."""

    def __init__(self, workers: Callable[[], tuple[Workers, Workers]]) -> None:
        self._workers = workers

    async def create(self, tenant: str, prompt_id: str, created_at: int, body: bytes) -> StoredPrompt:
        job = partial(jobs.create_prompt, tenant=tenant, prompt_id=prompt_id, created_at=created_at, body=body)
        return await self._workers()[0].run(job)

    async def add_version(self, tenant: str, prompt_id: str, created_at: int, body: bytes) -> StoredPrompt | None:
        job = partial(jobs.add_version, tenant=tenant, prompt_id=prompt_id, created_at=created_at, body=body)
        return await self._workers()[0].run(job)

    async def get(self, tenant: str, prompt_id: str, version: int | None = None) -> StoredPrompt | None:
        job = partial(jobs.read_prompt, tenant=tenant, prompt_id=prompt_id, version=version)
        return await self._workers()[1].run(job)

    async def page(self, tenant: str, *, after: str | None, limit: int, descending: bool) -> PromptPage:
        job = partial(jobs.read_prompts, tenant=tenant, after=after, limit=limit, descending=descending)
        return await self._workers()[1].run(job)

    async def versions(
        self, tenant: str, prompt_id: str, *, after: int | None, limit: int, descending: bool
    ) -> PromptPage:
        job = partial(
            jobs.read_versions, tenant=tenant, prompt_id=prompt_id, after=after, limit=limit, descending=descending
        )
        return await self._workers()[1].run(job)

    async def delete(self, tenant: str, prompt_id: str) -> bool:
        return await self._workers()[0].run(partial(jobs.delete_prompt, tenant=tenant, prompt_id=prompt_id))
