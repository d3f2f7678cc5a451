"""One generation by a chat-completions server, from asking to the last delta.

Rules
- A task opens it: it asks one upstream after the other until one accepts. That is done again when an upstream hangs up
  before its first token, for nothing has been given to anybody then.
- `deltas` then reads: one wake-up, one parse, one batch for all that has gathered. Once it waits, an eager consumer is
  handed plain deltas by the connection's own callback, and more of the same text as the text alone; whatever else
  happens wakes `deltas`.
- The connection goes back to its pool when the finish is known, before it is yielded; any other way out closes it, and
  that makes a server abort.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence

from antiphon.core.chat import ChatRequest
from antiphon.core.deltas import Delta
from antiphon.engines.chat_chunks import ChunkParser
from antiphon.engines.chat_errors import name_grammar
from antiphon.engines.chat_pool import Attempts
from antiphon.engines.chat_quirks import GENERIC, Quirks
from antiphon.engines.chat_render import estimate_input_tokens
from antiphon.engines.grammar_call import GrammarCallParser, forced_grammar
from antiphon.engines.http_stream import ConnectionLost, HttpConnection
from antiphon.engines.patience import Patience
from antiphon.engines.silence import Silence
from antiphon.errors import AntiphonError, EngineError
from antiphon.ports import More, Take

FINISHING_S = 5.0  # for usage and the end of the stream, once the finish reason is known


class ChatGeneration:
    """A `Generation` by the first server that accepts it; `attempts` finds one after the other."""

    _parser: ChunkParser  # declared here to be the first: a token needs it too

    def __init__(self, chat: ChatRequest, attempts: Attempts, patience: Patience) -> None:
        # What each token needs comes first: so it is together in memory, which is cold when there are many streams.
        self._more: More | None = None
        self._silence = Silence(self._break)
        self._loop = asyncio.get_running_loop()
        self._idle_timeout_s = patience.idle_timeout_s
        self.input_tokens: int | None = None
        self._chat = chat
        self._attempts = attempts
        self._patience = patience
        self._settled = self._loop.create_future()
        self._head_timer: asyncio.TimerHandle | None = None
        self._opening: asyncio.Task[HttpConnection] | None = None
        self._connection: HttpConnection | None = None
        self._reading: HttpConnection | None = None
        self._first_token_at = self._loop.time() + patience.first_token_timeout_s
        self._started = False
        self._is_late = False  # it was not answered in time
        self._finishing = False
        self._closed = False
        self._take: Take | None = None
        self._broken: BaseException | None = None  # what `take` raised
        self._parser = self._new_parser(GENERIC)

    def _new_parser(self, quirks: Quirks) -> ChunkParser:
        forced = forced_grammar(self._chat) if quirks.structured_outputs else None
        if forced is not None:
            return GrammarCallParser(lambda: estimate_input_tokens(self._chat), forced.name)
        return ChunkParser(lambda: estimate_input_tokens(self._chat), self._chat.sampling.logprobs or 0)

    @property
    def upstream(self) -> str:
        """What its servers are called in figures."""
        return self._attempts.upstream

    # -- opening

    async def open(self) -> None:
        """Ask, and wait a little for the answer's head. Raises: AntiphonError if it is refused or fails meanwhile."""
        opening = self._begin_to_open(None)
        opening.add_done_callback(lambda _: self._settle())
        try:
            await self._settled
            if opening.done():
                opening.result()
        except BaseException:
            self._let_go()
            raise

    def _begin_to_open(self, failure: AntiphonError | None) -> asyncio.Task[HttpConnection]:
        self._opening = self._loop.create_task(self._open(failure))
        return self._opening

    async def _open(self, failure: AntiphonError | None) -> HttpConnection:
        """Ask those not asked yet. Raises: the last one's failure, or `failure` if none may be asked any more."""
        while True:
            try:
                upstream = await self._attempts.next(failure)
                self._silence.allow(self._first_token_at)
                self._connection = await upstream.post(self._chat, self._sent)
                self._parser = self._new_parser(upstream.quirks)
                return self._connection
            except asyncio.CancelledError:
                if not self._is_late or self._closed:
                    raise
                slow = self._too_slow()
                self._attempts.failed(slow)
                raise slow from None
            except AntiphonError as error:
                if error is failure:
                    raise
                name_grammar(error, self._chat)
                self._attempts.failed(error)
                if not isinstance(error, EngineError) or not self._attempts.holds:
                    raise
                failure = error

    def _sent(self) -> None:
        if self._head_timer is None:
            self._head_timer = self._loop.call_later(self._patience.head_wait_s, self._settle)

    def _settle(self) -> None:
        if not self._settled.done():
            self._settled.set_result(None)

    # -- generating

    def hand_to(self, take: Take, more: More) -> None:
        """Hand what comes while a consumer of `deltas` waits to `take` instead, or to `more`."""
        self._take, self._more = take, more

    def deltas(self) -> AsyncIterator[Sequence[Delta]]:
        """All deltas, as many at a time as one wake-up gave; after `close` it ends without a `Finish`.

        Raises: ClientError when the upstream refuses late; EngineError when it fails, falls silent, or stops early.
        """
        return self

    def __aiter__(self) -> AsyncIterator[Sequence[Delta]]:
        return self

    async def __anext__(self) -> Sequence[Delta]:
        batch: list[Delta] | None = None
        try:
            batch = await self._next()
        except asyncio.CancelledError:
            if not self._closed or _is_cancelled():
                raise
        except AntiphonError as error:
            if error is self._broken:
                raise
            if not self._closed:
                name_grammar(error, self._chat)
                self._attempts.failed(error)
                raise
        finally:
            if batch is None:
                self._let_go()
        if batch is None:
            raise StopAsyncIteration
        return batch

    async def _next(self) -> list[Delta] | None:
        """The next deltas; None after the last."""
        if self._closed or self._opening is None:
            return None
        connection = self._reading or await self._begin_to_read(self._opening)
        while True:
            parser = self._parser
            if parser.failure is not None:
                if self._started or not isinstance(parser.failure, EngineError):
                    raise parser.failure
                connection = await self._begin_to_read(self._open_elsewhere(parser.failure))
                continue
            data = connection.take()
            if data:
                batch = parser.feed(data)
            elif connection.ended:
                batch = self._end(connection)
            else:
                await self._arrival(connection)
                if self._closed:
                    return None
                continue
            if parser.done:
                self._let_go()
            if batch:
                self._note_start()
                return batch
            if parser.done:
                return None

    async def _begin_to_read(self, opening: asyncio.Task[HttpConnection]) -> HttpConnection:
        self._reading = await opening
        self._silence.allow(self._first_token_at)
        return self._reading

    async def _arrival(self, connection: HttpConnection) -> None:
        """Wait for what an eager consumer is not handed. Raises: what it raised."""
        self._allow_silence()
        if self._take is not None:
            connection.eager = self._read_eagerly
            connection.on_chunk = self._hear
        await connection.arrival()
        if self._broken is not None:
            raise self._broken

    def _note_start(self) -> None:
        if not self._started:
            self._started = True
            self._attempts.succeeded()

    def _read_eagerly(self) -> bool:
        """Hand on what has arrived. False: the consumer of `deltas` has to look."""
        connection, take, parser = self._connection, self._take, self._parser
        if connection is None or take is None or connection.ended:
            return False
        batch = parser.feed(connection.take())
        if parser.done:
            self._let_go()
        had_started = self._started
        if batch:
            self._note_start()
            try:
                take(batch)
            except BaseException as error:  # it belongs to whoever consumes `deltas`
                self._broken = error
                return False
        if parser.finishing or parser.failure is not None:
            return False
        if had_started:
            self._silence.until = self._loop.time() + self._idle_timeout_s
        else:
            self._allow_silence()
        return True

    def _hear(self, chunk: bytes) -> bool:
        """Hand on the text of a chunk that is the one before with another text. False: it has to be read as any."""
        parser, more = self._parser, self._more
        text = parser.text_again(chunk)
        if text is None or more is None or not more(text):
            return False
        parser.said_again(text)
        self._silence.until = self._loop.time() + self._idle_timeout_s
        return True

    async def close(self) -> None:
        """Abort what runs. Does nothing after the end."""
        self._let_go()

    def _end(self, connection: HttpConnection) -> list[Delta]:
        """The body has ended, one way or the other. What broke it counts, unless all had been said."""
        failure = connection.failure
        if failure is not None and not isinstance(failure, ConnectionLost) and not self._parser.finishing:
            raise failure
        return self._parser.end()

    def _open_elsewhere(self, failure: AntiphonError) -> asyncio.Task[HttpConnection]:
        self._attempts.failed(failure)
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.abort()
        return self._begin_to_open(failure)

    def _let_go(self) -> None:
        self._closed = True
        self._silence.stop()
        if self._head_timer is not None:
            self._head_timer.cancel()
        if self._opening is not None and not self._opening.done():
            self._opening.cancel()
        elif self._opening is not None and not self._opening.cancelled():
            self._opening.exception()  # a failure that nobody waited for is not worth a warning
        connection, self._connection = self._connection, None
        if connection is not None and self._parser.done:
            connection.release()
        elif connection is not None:
            connection.abort()
        self._attempts.release()

    # -- silence

    def _allow_silence(self) -> None:
        """Before each wait. Until the first token the moment stands; once the end is in sight, it is near."""
        if self._finishing:
            return
        if self._parser.finishing:
            self._finishing = True
            self._silence.allow(self._loop.time() + min(FINISHING_S, self._idle_timeout_s))
        elif self._started:
            self._silence.allow(self._loop.time() + self._idle_timeout_s)

    def _break(self) -> None:
        connection = self._connection
        if connection is None:
            self._is_late = True
            if self._opening is not None:
                self._opening.cancel()
        elif connection.awaited:
            connection.fail(self._too_slow())
        else:  # it is our side that is slow: nobody listens
            self._silence.allow(self._loop.time() + self._idle_timeout_s)

    def _too_slow(self) -> EngineError:
        if self._started:
            idle_s = self._idle_timeout_s
            return EngineError(f"The engine fell silent: nothing came for {idle_s:g} s (idle time-out).")
        first_s = self._patience.first_token_timeout_s
        return EngineError(f"The engine gave no token within {first_s:g} s (first-token time-out).")


def _is_cancelled() -> bool:
    """Whether somebody cancels the running task, and not only what it waits for."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
