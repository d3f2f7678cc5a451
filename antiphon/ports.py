"""The ports: what the service needs from the outside, in as few methods as possible.

Adapters live in `engines/` and `stores/`, see this module and what lies below it, and reach the service as values.
Every port has a contract test-suite in `tests/contracts/` that each of its adapters passes.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from typing import Literal, Protocol, runtime_checkable

from msgspec import Struct

from antiphon.core.chat import ChatRequest, Grammar
from antiphon.core.deltas import Delta
from antiphon.core.grant import Grant
from antiphon.core.ledger import CallOutput, Delivery
from antiphon.core.rates import Charge, Verdict
from antiphon.core.request_account import RequestAccount

# ---------------------------------------------------------------------------------------------------------- engines


class Model(Struct, frozen=True, kw_only=True):
    """A model an engine serves. `context_tokens` bounds prompt and answer together; None where the engine hides it.

    `reasoning` and `tools` are None where the engine does not tell. An alias may end with `*`, which stands for
    anything. `tenants` None: everybody may use it.
    """

    id: str
    created: int
    owned_by: str
    context_tokens: int | None = None
    images: bool = False
    continues_text: bool = False  # goes on from a final assistant message
    reasoning_family: str | None = None  # a key of `core.reasoning_families.FAMILIES`; None: by the name
    reasoning: bool | None = None
    tools: bool | None = None
    aliases: Sequence[str] = ()
    tenants: Sequence[str] | None = None
    served_as: str | None = None  # its name at the server, where that is another


class Generation(Protocol):
    """One checked and rendered request, not yet generating. Used once: `deltas()` to the end, or `close()`."""

    input_tokens: int | None  # of the rendered prompt; None where the engine tells only at the end

    def deltas(self) -> AsyncIterator[Sequence[Delta]]:
        """Generate, yielding all that has gathered at each wake-up.

        Obeys the rules of `core.deltas`. Cancelling the consuming task, or `close()`, aborts in the engine at once.

        Raises: EngineError when the engine fails, breaks its protocol, or stalls past its time-out.
        """
        ...

    async def close(self) -> None:
        """Release whatever is held, aborting what runs. May be called at any time, and twice."""
        ...


Take = Callable[[Sequence[Delta]], None]
"""Takes deltas. What it raises ends the generation."""

More = Callable[[str], bool]
"""Takes more text of the kind of the delta taken last; False: not now, it has to come as a delta."""

HandTo = Callable[[Take, More], None]


class EagerGeneration(Generation, Protocol):
    """A generation that can hand deltas on from within the callback that read them, which saves a task switch."""

    def hand_to(self, take: Take, more: More) -> None:
        """Hand what comes while a consumer of `deltas` waits to `take` or `more`; `deltas` yields the rest, in order.

        Both run in the event loop, outside of any task. What `take` raises, `deltas` raises.
        """
        ...


class Engine(Protocol):
    """Something that generates: in this process or behind HTTP."""

    async def start(self) -> None:
        """Load, connect and learn the models. Raises: SetupError with one line for a terminal."""
        ...

    async def close(self) -> None:
        """Abort what runs and free everything."""
        ...

    def models(self) -> Sequence[Model]:
        """The models served, as last known."""
        ...

    async def prepare(self, chat: ChatRequest) -> Generation:
        """Render, check and count, without generating. `chat.model` is one of `models()`.

        Raises: ClientError for everything that is the request's fault (ContextLengthExceeded with its figures),
        EngineUnavailable when the engine cannot take it now.
        """
        ...

    async def count(self, chat: ChatRequest) -> int:
        """The tokens of the rendered prompt, exactly, also when they are more than the context holds.

        Raises: CannotCount where the engine tells only when it generates; else what `prepare` raises.
        """
        ...


class UpstreamFigures(Struct, frozen=True, kw_only=True):
    """One server of a pool, as it stands. Counts are of this process; `server` is its number in the pool, from 0."""

    upstream: str
    server: str
    is_healthy: bool
    breaker: Literal["closed", "open", "half_open"]
    in_flight: int
    requests: int
    failures: int
    retries: int


@runtime_checkable
class ReportsUpstreams(Protocol):
    """An engine with servers behind it."""

    def upstreams(self) -> Sequence[UpstreamFigures]: ...


@runtime_checkable
class Drains(Protocol):
    """An engine that knows when nothing runs on it any more."""

    async def drained(self) -> None:
        """Return once everything that was asked of it has ended."""
        ...


# ----------------------------------------------------------------------------------------------------------- tracing


class ResponseSpan(Protocol):
    """The trace of one response: from its request to the end of both the response and its delivery."""

    @property
    def traceparent(self) -> str:
        """What work done for the response is to be traced under, as the header of that name has it."""
        ...

    @property
    def trace_id(self) -> str: ...

    def end(self, account: RequestAccount) -> None:
        """The one and only end."""
        ...


class Tracer(Protocol):
    """Where traces go."""

    def begin(self, traceparent: str | None) -> ResponseSpan:
        """Trace a response, within its client's trace if `traceparent` names one."""
        ...


# ---------------------------------------------------------------------------------------------- documents and grammars


class Documents(Protocol):
    """Reads what is neither text nor image."""

    async def text(self, file: bytes) -> str:
        """The text of a PDF file, bounded in pages and time. Raises: InvalidRequest that says why there is none."""
        ...

    async def close(self) -> None: ...


class Grammars(Protocol):
    """Reads grammars of custom tools, bounded in time."""

    async def fault(self, grammar: Grammar) -> str | None:
        """What is wrong with a grammar; None where nothing is, or nobody can say."""
        ...

    async def obeys(self, grammar: Grammar, text: str) -> bool | None:
        """Whether a text obeys a grammar; None where that cannot be found out."""
        ...

    async def close(self) -> None: ...


# ---------------------------------------------------------------------------------------------------------- fetching


class Fetched(Struct, frozen=True):
    """What was at an address; `content_type` is in lower case, without parameters, empty where none was sent."""

    body: bytes
    content_type: str


class Fetcher(Protocol):
    """Gets what a request names by its address, as far as the operator lets it."""

    async def fetch(self, url: str, *, max_bytes: int, param: str) -> Fetched:
        """Raises: InvalidRequest, naming `param`, for what may not be fetched, is not there, or is too large."""
        ...

    async def close(self) -> None: ...


# ----------------------------------------------------------------------------------------------------------- stores

Status = Literal["queued", "in_progress", "completed", "incomplete", "failed", "cancelled"]


class StoredItem(Struct, frozen=True):
    """An item in its fullest form; `body` is its JSON object. `id` is the public id, unique within its turn only."""

    id: str
    body: bytes


class ConversationPlace(Struct, frozen=True):
    """A place in a conversation: behind the items whose positions are below `end`."""

    id: str
    end: int


class Beginning(Struct, frozen=True, kw_only=True):
    """A run's row as it begins. `head` is the response's JSON object without `output`; times are unix seconds.

    `request` is what a background run needs to be taken up again by another process: the body of the request. A run
    that goes on from a `conversation` has it to itself until it ends, is deleted, or is found abandoned and ended.
    """

    tenant: str
    id: str
    previous_response_id: str | None
    status: Literal["queued", "in_progress"]
    background: bool
    created_at: float
    expires_at: float | None
    head: bytes
    input: Sequence[StoredItem]
    request: bytes | None = None
    dialect: str = "openai"
    conversation: ConversationPlace | None = None


class Lease(Struct, frozen=True):
    """The right to write a run: every write is checked against `fence`, which rises when another owner takes over."""

    key: int
    fence: int


class Segment(Struct, frozen=True):
    """Consecutive event payloads of a run, the first of which has sequence number `first`."""

    first: int
    payloads: Collection[bytes]


class Ending(Struct, frozen=True, kw_only=True):
    """A run's end: the final `head`, its output items, and the last events of its log, the terminal one included.

    `appended` goes to the end of the run's conversation, if that still is; an item whose id is there already does not.
    `had_signals` False: the run kept no request, and expected no outputs of calls.
    """

    status: Status
    head: bytes
    output: Sequence[StoredItem]
    segment: Segment | None
    appended: Sequence[StoredItem] = ()
    had_signals: bool = True


class StoredResponse(Struct, frozen=True, kw_only=True):
    """`head` is a JSON object without `output`; `output` holds each item's JSON object."""

    id: str
    status: Status
    background: bool
    head: bytes
    output: Sequence[bytes]
    dialect: str = "openai"


class Turn(Struct, frozen=True, kw_only=True):
    """One response of a chain: its own input items, then its output, each a JSON object.

    Also what a conversation held when the first response of the chain went on from it: then with the conversation's id.
    """

    response_id: str
    status: Status
    input: Sequence[bytes]
    output: Sequence[bytes]


class AbandonedRun(Struct, frozen=True, kw_only=True):
    """A run whose owner died before its end, now leased to the caller.

    `attempt` counts its owners, 2 the first time.
    """

    lease: Lease
    tenant: str
    id: str
    background: bool
    head: bytes
    attempt: int
    request: bytes | None = None
    dialect: str = "openai"


class ItemPage(Struct, frozen=True):
    """Items (JSON objects) of one page; `has_more` says whether any follow in the asked order."""

    data: Sequence[bytes]
    has_more: bool


class StoredConversation(Struct, frozen=True):
    """A conversation without its items; `created_at` is in unix seconds, `metadata` a JSON object."""

    id: str
    created_at: int
    metadata: bytes


class ConversationHistory(Struct, frozen=True):
    """The items of a conversation (JSON objects), in order, and the position behind them."""

    items: Sequence[bytes]
    end: int


class StoredKey(Struct, frozen=True, kw_only=True):
    """An API key, of which only the SHA-256 `digest` is kept; times are unix seconds. A revoked key stays listed."""

    id: str
    name: str
    digest: bytes
    grant: Grant
    created_at: float
    expires_at: float | None = None
    revoked_at: float | None = None


class ConversationHold(Struct, frozen=True):
    """The right of a run that is not stored to have a conversation to itself."""

    key: int
    fence: int


class ConversationStore(Protocol):
    """Conversations and their items, which never expire. Scoped by tenant like responses.

    Ids of items are unique within a conversation. Raises: StoreUnavailable from every method.
    """

    async def create(self, tenant: str, conversation: StoredConversation, items: Sequence[StoredItem]) -> None:
        """Raises: Conflict for an id that exists, DuplicateItem."""
        ...

    async def get(self, tenant: str, conversation_id: str) -> StoredConversation | None: ...

    async def update(self, tenant: str, conversation_id: str, metadata: bytes) -> StoredConversation | None:
        """Replace the metadata. None: the conversation is unknown."""
        ...

    async def delete(self, tenant: str, conversation_id: str) -> bool:
        """Make a conversation unknown. Its items stay readable to the chains of the responses that went on from it.

        False: it was unknown.
        """
        ...

    async def add_items(self, tenant: str, conversation_id: str, items: Sequence[StoredItem]) -> bool:
        """Add items to the end, all or none, also while a run has the conversation to itself.

        False: the conversation is unknown. Raises: DuplicateItem.
        """
        ...

    async def items(
        self, tenant: str, conversation_id: str, *, after: str | None, limit: int, descending: bool
    ) -> ItemPage | None:
        """A page of items. `after` is the id of the last item already seen. None: the conversation is unknown.

        Raises: InvalidRequest when `after` names no item of it.
        """
        ...

    async def item(self, tenant: str, conversation_id: str, item_id: str) -> bytes | None:
        """An item. None: it or the conversation is unknown."""
        ...

    async def delete_item(self, tenant: str, conversation_id: str, item_id: str) -> bool:
        """Remove an item. False: it or the conversation was unknown."""
        ...

    async def history(self, tenant: str, conversation_id: str) -> ConversationHistory | None:
        """All that a run goes on from. None: the conversation is unknown.

        Raises: ConversationLocked while another run has the conversation to itself.
        """
        ...

    async def hold(self, tenant: str, place: ConversationPlace) -> ConversationHold:
        """Have a conversation to oneself for a run that is not stored: until `release`, or the end of this process.

        Raises: ConversationNotFound; ConversationLocked when another run has it, or it goes on behind `place` by now.
        """
        ...

    async def release(self, hold: ConversationHold, appended: Sequence[StoredItem]) -> bool:
        """Let a conversation go in the transaction that appends to it, as `Ending` says. False: the hold was lost."""
        ...


class UsageRow(Struct, frozen=True):
    """What was used on a `day` of UTC (`2026-01-31`) with a key (empty: none) and a model."""

    day: str
    tenant: str
    key: str
    key_name: str
    model: str
    requests: int
    input_tokens: int
    cached_tokens: int
    output_tokens: int

    @property
    def place(self) -> tuple[str, str, str, str]:
        """What rows are added up by."""
        return (self.day, self.tenant, self.key, self.model)

    def plus(self, other: "UsageRow") -> "UsageRow":
        """This and another row of the same place, as one."""
        return UsageRow(
            *(self.day, self.tenant, self.key, other.key_name, self.model),
            self.requests + other.requests,
            self.input_tokens + other.input_tokens,
            self.cached_tokens + other.cached_tokens,
            self.output_tokens + other.output_tokens,
        )


class RateStore(Protocol):
    """Rate limits and usage, which hold across all processes of a store. Raises: StoreUnavailable from every method."""

    async def take(self, charges: Sequence[Charge], now: float) -> Verdict:
        """Take all charges or none, as `core.rates.decide` says."""
        ...

    async def settle(self, charges: Sequence[Charge], now: float) -> Verdict:
        """Charge without asking, as `core.rates.settle` does. Places of a process that dies come back by themselves."""
        ...

    async def forget_idle(self, now: float) -> None:
        """Drop what says nothing any more."""
        ...

    async def add_usage(self, rows: Sequence[UsageRow]) -> None: ...

    async def usage(self, first: str, last: str) -> Sequence[UsageRow]:
        """The rows from day `first` to day `last`, in the order of their places."""
        ...


class Quotas(Struct, frozen=True, kw_only=True):
    """What may be stored, beyond which the oldest responses go at the next sweep; None: no limit.

    Bytes are those of the store as a whole, and of a tenant's responses with their items and logs.
    """

    max_bytes: int | None = None
    max_entries: int | None = None
    tenant_max_bytes: int | None = None
    tenant_max_entries: int | None = None


NO_QUOTAS = Quotas()


class Swept(Struct, frozen=True):
    """What a sweep did: how many responses went for their age and for the quotas, and the bytes stored behind it.

    `stored_bytes` is None where another process is sweeping, which does the same work.
    """

    expired: int = 0
    over_quota: int = 0
    stored_bytes: int | None = None

    @property
    def removed(self) -> int:
        """How many responses went."""
        return self.expired + self.over_quota


class StoredPrompt(Struct, frozen=True):
    """One version of a prompt; `version` counts from 1, `created_at` is in unix seconds, `body` a JSON object."""

    id: str
    version: int
    created_at: int
    body: bytes


class PromptPage(Struct, frozen=True):
    """Prompts of one page; `has_more` says whether any follow in the asked order."""

    data: Sequence[StoredPrompt]
    has_more: bool


class PromptStore(Protocol):
    """Prompts, which never expire. Scoped by tenant. A version never changes; the last one made is the current one.

    Raises: StoreUnavailable from every method.
    """

    async def create(self, tenant: str, prompt_id: str, created_at: int, body: bytes) -> StoredPrompt:
        """Keep the first version. Raises: Conflict for an id that exists."""
        ...

    async def add_version(self, tenant: str, prompt_id: str, created_at: int, body: bytes) -> StoredPrompt | None:
        """Keep a further version. None: the prompt is unknown."""
        ...

    async def get(self, tenant: str, prompt_id: str, version: int | None = None) -> StoredPrompt | None:
        """A version, the current one where none is named. None: it is unknown."""
        ...

    async def page(self, tenant: str, *, after: str | None, limit: int, descending: bool) -> PromptPage:
        """The current versions in the order of their ids, behind `after`."""
        ...

    async def versions(
        self, tenant: str, prompt_id: str, *, after: int | None, limit: int, descending: bool
    ) -> PromptPage:
        """The versions of a prompt behind `after`; none of an unknown one."""
        ...

    async def delete(self, tenant: str, prompt_id: str) -> bool:
        """Delete a prompt with all its versions. False: it was unknown."""
        ...


class KeyStore(Protocol):
    """The API keys that are kept beside the responses. Raises: StoreUnavailable from every method."""

    async def version(self) -> int:
        """A number that differs once any key has changed, in whichever process."""
        ...

    async def all(self) -> Sequence[StoredKey]:
        """Every key, the oldest first, revoked and expired ones included."""
        ...

    async def add(self, key: StoredKey) -> bool:
        """False: a key of that name is there and not revoked."""
        ...

    async def revoke(self, key_id: str, revoked_at: float) -> bool:
        """False: no such key, or it is revoked already."""
        ...


class ResponseStore(Protocol):
    """Responses and their items. Everything is scoped by tenant: another tenant's id is an unknown id.

    Raises: StoreUnavailable from every method when the store cannot be used.
    """

    @property
    def rates(self) -> RateStore:
        """The rate limits and the usage of the same store."""
        ...

    @property
    def conversations(self) -> ConversationStore:
        """The conversations of the same store: what begins and ends a run changes both in one transaction."""
        ...

    @property
    def prompts(self) -> PromptStore:
        """The prompts of the same store."""
        ...

    @property
    def keys(self) -> KeyStore:
        """The API keys in the same store."""
        ...

    async def start(self) -> None: ...

    async def close(self) -> None: ...

    def announce(self, beginning: Beginning) -> None:
        """Keep a run that `begin` or `record` is to write soon: should this process die before that, another one finds
        it abandoned. Nobody can read it meanwhile. Raises: StoreUnavailable.
        """
        ...

    def begin(self, beginning: Beginning) -> Awaitable[Lease]:
        """Write a new run with its input items, durable when that is done.

        Raises: PreviousResponseNotFound, ConversationNotFound; ConversationLocked when another run has the conversation
        to itself, or the conversation goes on behind the place by now.
        """
        ...

    async def record(self, beginning: Beginning, ending: Ending) -> None:
        """Write a run whole, beginning and end in one transaction, durable when this returns. Raises: as `begin`."""
        ...

    async def finish(self, lease: Lease, ending: Ending) -> bool:
        """Write a run's end in one transaction, durable when this returns.

        False: the lease was lost, nothing written.
        """
        ...

    async def get(self, tenant: str, response_id: str) -> StoredResponse | None: ...

    async def delete(self, tenant: str, response_id: str) -> bool:
        """Make a response unknown. Its items stay readable to the chains of its descendants. False: it was unknown."""
        ...

    async def chain(self, tenant: str, response_id: str) -> Sequence[Turn]:
        """The turns from the root to `response_id`, deleted ancestors included.

        Empty when that is unknown or deleted.
        """
        ...

    async def input_items(
        self, tenant: str, response_id: str, *, after: str | None, limit: int, descending: bool
    ) -> ItemPage | None:
        """A page of all that went into a response: its ancestors' items, then its own input, in that order.

        `after` is the id of the last item already seen. None: the response is unknown.
        Raises: InvalidRequest when `after` names no item of this list.
        """
        ...

    async def find_items(self, tenant: str, item_ids: Sequence[str]) -> dict[str, bytes]:
        """The newest stored item of each id, by id, those of responses before those of conversations; unknown ids are
        left out."""
        ...

    async def append_log(self, lease: Lease, segment: Segment) -> bool:
        """Append events to a run's log. False: the lease was lost, nothing written."""
        ...

    async def read_log(
        self, tenant: str, response_id: str, after: int, *, max_bytes: int | None = None
    ) -> Sequence[Segment] | None:
        """The stored segments that hold events with numbers above `after`, in order; None: the response is unknown.

        With `max_bytes` only the first of them, up to the one that reaches so many bytes of events.
        """
        ...

    async def expect_outputs(self, lease: Lease, call_ids: Sequence[str]) -> bool:
        """From now on take outputs of these calls of a run. False: the lease was lost."""
        ...

    async def deliver_outputs(self, tenant: str, response_id: str, outputs: Sequence[CallOutput]) -> Delivery | None:
        """Hand a batch of outputs to a run, as `core.ledger` decides. None: the response is unknown, has ended, or has
        never waited for an output."""
        ...

    async def collect_outputs(self, lease: Lease) -> Sequence[CallOutput]:
        """Every output delivered to a run so far."""
        ...

    async def request_cancel(self, tenant: str, response_id: str) -> bool:
        """Ask the owner of an unfinished run, whichever process it is, to cancel it. False: unknown or ended."""
        ...

    async def cancel_requests(self) -> Sequence[Lease]:
        """The runs of this process whose cancellation was asked for."""
        ...

    async def claim_abandoned(self) -> Sequence[AbandonedRun]:
        """Take over the unfinished runs of owners that are dead."""
        ...

    async def sweep(self, now: float) -> Swept:
        """Delete what has expired or exceeds the quotas, and give the space back. Unfinished runs stay."""
        ...

    async def settle(self, *, at_rest: bool) -> None:
        """Write to the disk what is not there yet, if it is time; called now and then. `at_rest`: there are no runs."""
        ...
