"""A scripted engine that shows what it was asked."""

from antiphon.core.chat import ChatRequest
from antiphon.engines.scripted import ScriptedEngine, ScriptedGeneration


class AskedEngine(ScriptedEngine):
    """Keeps every request in `asked`, the oldest first."""

    def __init__(self, *model_ids: str) -> None:
        super().__init__(model_ids=model_ids or ("scripted",))
        self.asked: list[ChatRequest] = []

    async def prepare(self, chat: ChatRequest) -> ScriptedGeneration:
        self.asked.append(chat)
        return await super().prepare(chat)
