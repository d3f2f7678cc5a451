"""The embedded engine: a GGUF model in this process, on whatever the machine has.

llama.cpp generates in its own threads. Each running request blocks one thread of a pool of `parallel`, in which its
chunks are read; the deltas gather there and reach the event loop with one wake-up for all that has gathered. Requests
beyond `parallel` wait in the pool's queue, first come first served.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from threading import Lock

import msgspec

from antiphon.core.chat import ChatRequest
from antiphon.core.deltas import Delta
from antiphon.engines.cpu_cores import usable_physical_cores
from antiphon.engines.embedded_answer import AnswerReader, Chunk, text_reader
from antiphon.engines.embedded_prompt import ModelTraits, Plan, plan
from antiphon.engines.llama_server import LlamaServer, Loading
from antiphon.errors import ContextLengthExceeded, EngineUnavailable, InvalidRequest
from antiphon.ports import Model

SMALL_MODEL_PARAMETERS = 1_000_000_000  # below, strings and arrays get a limit: such models do not end them


class EmbeddedEngine:
    """An engine that runs one GGUF model in this process.

    Each of `parallel` requests may use all of `context_tokens`, which costs memory for each. `threads` defaults to the
    physical cores but one. `chat_template` (Jinja) replaces the model's own.
    """

    def __init__(
        self,
        model_path: Path,
        *,
        model_id: str,
        context_tokens: int = 8192,
        threads: int | None = None,
        parallel: int = 4,
        chat_template: str | None = None,
    ) -> None:
        self._loading = Loading(
            model_path=model_path,
            context_tokens=context_tokens,
            threads=threads or max(1, usable_physical_cores() - 1),
            parallel=parallel,
            chat_template=chat_template,
        )
        self._model = Model(id=model_id, created=0, owned_by="local", context_tokens=context_tokens)
        self._traits = ModelTraits()
        self._server: LlamaServer | None = None
        self._pool: ThreadPoolExecutor | None = None
        self._live: set[EmbeddedGeneration] = set()

    async def start(self) -> None:
        """Load the model. Raises: SetupError when the engine or the model is missing or cannot be loaded."""
        server = await asyncio.to_thread(LlamaServer, self._loading)
        try:
            await asyncio.to_thread(self._learn, server)
        except BaseException:
            await asyncio.to_thread(server.close)
            raise
        self._server = server
        self._pool = ThreadPoolExecutor(self._loading.parallel, thread_name_prefix="antiphon-generate")

    async def close(self) -> None:
        """Abort what runs, wait for its threads, and free the model."""
        pool, self._pool = self._pool, None
        server, self._server = self._server, None
        for generation in tuple(self._live):
            await generation.close()
        if pool is not None:
            await asyncio.to_thread(pool.shutdown)
        if server is not None:
            await asyncio.to_thread(server.close)

    def models(self) -> Sequence[Model]:
        return (self._model,)

    async def prepare(self, chat: ChatRequest) -> "EmbeddedGeneration":
        """Render and count the prompt. Raises: InvalidRequest, ContextLengthExceeded with its figures."""
        server, pool = self._server, self._pool
        if server is None or pool is None:
            raise EngineUnavailable("The engine is not running.")
        planned = plan(chat, self._traits)
        input_tokens = await asyncio.to_thread(_count, server, planned)
        limit = self._model.context_tokens or self._loading.context_tokens
        if input_tokens >= limit:
            raise ContextLengthExceeded(
                f"Your input of {input_tokens} tokens exceeds the context window of {limit} tokens.",
                input_tokens=input_tokens,
                limit=limit,
            )
        room = limit - input_tokens
        body = {**planned.body, "max_tokens": min(chat.sampling.max_tokens or room, room)}
        reader = AnswerReader(
            text_reader(planned.reading, [tool.name for tool in chat.tools]),
            chat.sampling.logprobs,
        )
        return EmbeddedGeneration(
            msgspec.structs.replace(planned, body=body), input_tokens, reader, server, pool, self._live
        )

    async def count(self, chat: ChatRequest) -> int:
        """Render and count the prompt. Raises: InvalidRequest."""
        if self._server is None:
            raise EngineUnavailable("The engine is not running.")
        return await asyncio.to_thread(_count, self._server, plan(chat, self._traits))

    def _learn(self, server: LlamaServer) -> None:
        """Learn from the loaded model what it can do and what its template takes."""
        properties, metadata = server.properties(), server.metadata()
        slot_tokens: int = properties["default_generation_settings"]["n_ctx"]
        trained_tokens: int = metadata.get("n_ctx_train") or slot_tokens
        late = server.renders(
            [_turn("user", "a"), _turn("assistant", "b"), _turn("system", "late"), _turn("user", "c")]
        )
        prefix = server.renders([_turn("user", "a"), _turn("assistant", "unfinished")])
        self._traits = ModelTraits(
            template_tools=bool(properties.get("chat_template_caps", {}).get("supports_tools")),
            late_system_messages=late is not None and "late" in late,
            small=metadata.get("n_params", 0) < SMALL_MODEL_PARAMETERS,
        )
        self._model = msgspec.structs.replace(
            self._model,
            created=int(self._loading.model_path.stat().st_mtime),
            context_tokens=min(self._loading.context_tokens, slot_tokens, trained_tokens),
            continues_text=prefix is not None and prefix.endswith("unfinished"),
        )


class EmbeddedGeneration:
    """One answer: `deltas()` generates it once, `close()` aborts it at the engine's next step."""

    def __init__(
        self,
        planned: Plan,
        input_tokens: int,
        reader: AnswerReader,
        server: LlamaServer,
        pool: ThreadPoolExecutor,
        live: "set[EmbeddedGeneration]",
    ) -> None:
        self.input_tokens: int | None = input_tokens
        self._plan = planned
        self._reader = reader
        self._server = server
        self._pool = pool
        self._live = live
        self._loop = asyncio.get_running_loop()
        self._wake = asyncio.Event()
        self._lock = Lock()
        self._gathered: list[Delta] = []
        self._closed = False
        self._running: Future[None] | None = None

    async def deltas(self) -> AsyncIterator[Sequence[Delta]]:
        """Generate. After `close` it ends without a `Finish`. Raises: EngineError when the engine fails."""
        if self._closed:
            return
        self._live.add(self)
        try:
            self._running = running = self._submit()
            running.add_done_callback(lambda _: self._wake_up())
            while True:
                ended = running.done()
                if batch := self._take():
                    yield batch
                if ended or self._closed:
                    break
                await self._wake.wait()
                self._wake.clear()
            if not self._closed:
                running.result()
        finally:
            await self.close()

    async def close(self) -> None:
        self._closed = True
        self._live.discard(self)
        if self._running is not None:
            self._running.cancel()
        self._wake.set()

    def _submit(self) -> "Future[None]":
        try:
            return self._pool.submit(self._generate)
        except RuntimeError as error:  # the pool was shut down
            raise EngineUnavailable("The engine is closed.") from error

    def _generate(self) -> None:
        """Runs in the pool: generates, reads, and gathers."""
        self._server.generate(self._plan.body, self._read)
        if not self._closed:
            self._gather(self._reader.end())

    def _read(self, chunk: Chunk) -> bool:
        if not self._closed:
            self._gather(self._reader.read(chunk))
        return self._closed

    def _gather(self, deltas: list[Delta]) -> None:
        if not deltas:
            return
        with self._lock:
            is_first = not self._gathered
            self._gathered += deltas
        if is_first:
            self._wake_up()

    def _take(self) -> list[Delta]:
        with self._lock:
            batch, self._gathered = self._gathered, []
        return batch

    def _wake_up(self) -> None:
        try:
            self._loop.call_soon_threadsafe(self._wake.set)
        except RuntimeError:  # the loop is gone, and with it whoever waited
            self._closed = True


def _count(server: LlamaServer, planned: Plan) -> int:
    """Count the prompt; a refused schema is blamed on the parameter it came from."""
    try:
        return server.count(planned.body)
    except InvalidRequest as error:
        if planned.constrained is not None and "schema" in error.message.lower():
            raise InvalidRequest(error.message, param=planned.constrained) from error
        raise


def _turn(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}
