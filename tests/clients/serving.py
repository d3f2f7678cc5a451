"""The server that the clients meet, and what reached its engine."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from msgspec import Struct

from antiphon.core.chat import ChatRequest, Message
from antiphon.engines.scripted import ScriptedEngine, ScriptedGeneration
from antiphon.stores.sql import SqlStore
from tests.live import Live, serve

KEY = "sk-test"
# A name that no client knows, and two that some of them treat in a way of their own.
MODELS = PLAIN, KNOWN, LITE = "my-model", "gpt-5.5", "gpt-6-sol"


class ListeningEngine(ScriptedEngine):
    """The scripted engine, which keeps what it was asked."""

    def __init__(self) -> None:
        super().__init__(model_ids=MODELS)
        self.chats: list[ChatRequest] = []

    async def prepare(self, chat: ChatRequest) -> ScriptedGeneration:
        self.chats.append(chat)
        return await super().prepare(chat)


class Meeting(Struct, frozen=True):
    """A running server with a key, and its engine."""

    live: Live
    engine: ListeningEngine

    def asked(self, text: str) -> ChatRequest:
        """The last request whose last message is this text."""
        return next(chat for chat in reversed(self.engine.chats) if chat.messages[-1].content == text)

    def counted(self, metric: str) -> float:
        """The sum of a figure at `/metrics` over the labels that are not named."""
        answer = self.live.http.get("/metrics", headers={"Authorization": f"Bearer {KEY}"})
        return sum(float(line.split()[-1]) for line in answer.text.splitlines() if line.startswith(metric))


@contextmanager
def meeting(directory: Path, **options: Any) -> Iterator[Meeting]:
    """A server for as long as the block lasts, with options of `serve`."""
    engine = ListeningEngine()
    with serve(engine, SqlStore(directory / "antiphon.db"), api_keys=(KEY,), **options) as live:
        yield Meeting(live, engine)


def spoken(messages: Sequence[Message]) -> list[tuple[str, object]]:
    """Who said what, instructions left out."""
    return [(each.role, each.content) for each in messages if each.role in ("user", "assistant")]
