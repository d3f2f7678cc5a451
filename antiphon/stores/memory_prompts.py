"""Prompts in the memory of this process."""

from collections.abc import Sequence

from antiphon.errors import Conflict
from antiphon.ports import PromptPage, StoredPrompt


class MemoryPrompts:
    """A `PromptStore` in a plain dict."""

    def __init__(self) -> None:
        self._versions: dict[tuple[str, str], list[StoredPrompt]] = {}  # by tenant and id, the oldest first

    async def create(self, tenant: str, prompt_id: str, created_at: int, body: bytes) -> StoredPrompt:
        if (tenant, prompt_id) in self._versions:
            raise Conflict(f"A prompt with id '{prompt_id}' exists already.")
        made = StoredPrompt(prompt_id, 1, created_at, body)
        self._versions[tenant, prompt_id] = [made]
        return made

    async def add_version(self, tenant: str, prompt_id: str, created_at: int, body: bytes) -> StoredPrompt | None:
        versions = self._versions.get((tenant, prompt_id))
        if versions is None:
            return None
        versions.append(StoredPrompt(prompt_id, len(versions) + 1, created_at, body))
        return versions[-1]

    async def get(self, tenant: str, prompt_id: str, version: int | None = None) -> StoredPrompt | None:
        versions = self._versions.get((tenant, prompt_id), [])
        if version is None:
            return versions[-1] if versions else None
        return versions[version - 1] if 1 <= version <= len(versions) else None

    async def page(self, tenant: str, *, after: str | None, limit: int, descending: bool) -> PromptPage:
        own = [versions[-1] for (owner, _), versions in self._versions.items() if owner == tenant]
        own.sort(key=lambda prompt: prompt.id, reverse=descending)
        if after is not None:
            own = [each for each in own if (each.id < after if descending else each.id > after)]
        return _page(own, limit)

    async def versions(
        self, tenant: str, prompt_id: str, *, after: int | None, limit: int, descending: bool
    ) -> PromptPage:
        own = self._versions.get((tenant, prompt_id), [])[:: -1 if descending else 1]
        if after is not None:
            own = [each for each in own if (each.version < after if descending else each.version > after)]
        return _page(own, limit)

    async def delete(self, tenant: str, prompt_id: str) -> bool:
        return self._versions.pop((tenant, prompt_id), None) is not None


def _page(prompts: Sequence[StoredPrompt], limit: int) -> PromptPage:
    return PromptPage(tuple(prompts[:limit]), len(prompts) > limit)
