"""What can be done with conversations, and how a run takes part in one.

A run goes on from all that its conversation holds, has it to itself while it lasts, and appends its input and output at
its end: when it is completed or incomplete, in the transaction of that end. Failed and cancelled runs append nothing.
"""

from collections.abc import Callable, Sequence

from msgspec import UNSET, Raw

from antiphon.core import validate
from antiphon.core.conversation import Call, CallOutput
from antiphon.core.item_ids import id_of
from antiphon.core.past_turn import PastTurn
from antiphon.errors import ClientError, ConversationNotFound, DuplicateItem, InvalidRequest, NotFound
from antiphon.ports import ConversationPlace, ItemPage, ResponseStore, StoredConversation, StoredItem
from antiphon.service.caller import Caller
from antiphon.service.data_policy import check_kept
from antiphon.service.own_items import own_items
from antiphon.service.records import stored_items
from antiphon.wire.conversation import (
    ConversationResource,
    CreateConversation,
    CreateConversationItems,
    UpdateConversation,
)
from antiphon.wire.items import Item, decode_item
from antiphon.wire.response import Response
from antiphon.wire.unknown import encode

MOST_ITEMS = 20
"""How many items one request may add."""


class Conversations:
    """The use cases of conversations. `enabled` False: this server stores nothing, so there are none."""

    def __init__(
        self, store: ResponseStore, *, clock: Callable[[], float], ids: Callable[[str], str], enabled: bool
    ) -> None:
        self._store = store
        self._clock = clock
        self._ids = ids
        self._enabled = enabled

    async def create(self, request: CreateConversation, caller: Caller) -> ConversationResource:
        """Raises: ClientError."""
        if not self._enabled:
            raise InvalidRequest("This server stores nothing, so it has no conversations.", code="unsupported_value")
        check_kept(caller)
        validate.check_metadata(request.metadata or {})
        items = await self._admitted(request.items or (), caller.tenant)
        made = StoredConversation(self._ids("conv"), int(self._clock()), encode(request.metadata or {}))
        await self._store.conversations.create(caller.tenant, made, stored_items(items))
        return _resource(made)

    async def get(self, conversation_id: str, tenant: str) -> ConversationResource:
        """Raises: NotFound."""
        return _known(await self._store.conversations.get(tenant, conversation_id), conversation_id)

    async def update(self, conversation_id: str, request: UpdateConversation, caller: Caller) -> ConversationResource:
        """Replace the metadata. Raises: NotFound, InvalidRequest."""
        check_kept(caller)
        validate.check_metadata(request.metadata)
        changed = await self._store.conversations.update(caller.tenant, conversation_id, encode(request.metadata))
        return _known(changed, conversation_id)

    async def delete(self, conversation_id: str, tenant: str) -> None:
        """Delete a conversation with its items; what responses have stored stays. Raises: NotFound."""
        if not await self._store.conversations.delete(tenant, conversation_id):
            raise ConversationNotFound(conversation_id)

    # -- items

    async def add_items(self, conversation_id: str, request: CreateConversationItems, caller: Caller) -> ItemPage:
        """Add items, also while a run has the conversation to itself, and return them.

        Raises: NotFound, InvalidRequest, DuplicateItem.
        """
        check_kept(caller)
        tenant = caller.tenant
        await self.get(conversation_id, tenant)
        stored = stored_items(await self._admitted(request.items, tenant))
        if not await self._store.conversations.add_items(tenant, conversation_id, stored):
            raise ConversationNotFound(conversation_id)
        return ItemPage([item.body for item in stored], False)

    async def items(
        self, conversation_id: str, tenant: str, *, after: str | None, limit: int, descending: bool
    ) -> ItemPage:
        """Raises: NotFound, InvalidRequest for an unknown `after`."""
        page = await self._store.conversations.items(
            tenant, conversation_id, after=after, limit=limit, descending=descending
        )
        if page is None:
            raise ConversationNotFound(conversation_id)
        return page

    async def item(self, conversation_id: str, item_id: str, tenant: str) -> bytes:
        """Raises: NotFound."""
        body = await self._store.conversations.item(tenant, conversation_id, item_id)
        if body is None:
            await self.get(conversation_id, tenant)
            raise _unknown_item(item_id)
        return body

    async def delete_item(self, conversation_id: str, item_id: str, tenant: str) -> ConversationResource:
        """Remove an item and return its conversation. Raises: NotFound."""
        removed = await self._store.conversations.delete_item(tenant, conversation_id, item_id)
        conversation = await self.get(conversation_id, tenant)
        if not removed:
            raise _unknown_item(item_id)
        return conversation

    async def _admitted(self, items: Sequence[Item], tenant: str) -> tuple[Item, ...]:
        validate.check_items(items, "items", at_most=MOST_ITEMS)
        return await own_items(items, tenant, self._store, self._ids, param="items")

    # -- runs

    async def open(self, conversation_id: str, tenant: str) -> tuple[ConversationPlace, PastTurn]:
        """What a run goes on from. Raises: ConversationNotFound, ConversationLocked; ClientError for a stray output."""
        history = await self._store.conversations.history(tenant, conversation_id)
        if history is None:
            raise ConversationNotFound(conversation_id)
        turn = PastTurn(tuple(map(decode_item, history.items)))
        _check_outputs(turn.items)
        return ConversationPlace(conversation_id, history.end), turn


def check_new(past: PastTurn, own: Sequence[Item]) -> None:
    """Whether `own` can be appended. Raises: DuplicateItem; InvalidRequest where there is nothing to answer at all."""
    if not past.items and not own:
        raise validate.missing_input()
    known = set(map(id_of, past.items))
    for item in own:
        item_id = id_of(item)
        if item_id in known:
            raise DuplicateItem(item_id)
        known.add(item_id)


def appended_items(response: Response, own: Sequence[Item]) -> tuple[StoredItem, ...]:
    """What the end of a run appends to its conversation.

    Not the calls that an incomplete response was cut off in: nobody can answer them, and every later turn would ask for
    their outputs.
    """
    if response.conversation is UNSET or response.status not in ("completed", "incomplete"):
        return ()
    output = (item for item in response.output if not (isinstance(item, Call) and item.status == "incomplete"))
    return stored_items((*own, *output))


def _check_outputs(items: Sequence[Item]) -> None:
    """Raises: ClientError for an output without its call: no model takes it, and the items endpoints can undo it."""
    calls: set[str | None] = {None}
    for item in items:
        if isinstance(item, Call):
            calls.add(item.call_id)
        elif isinstance(item, CallOutput) and item.call_id not in calls:
            raise ClientError(
                f"No tool call found for function call output with call_id {item.call_id}.", param="conversation"
            )


def _resource(stored: StoredConversation) -> ConversationResource:
    return ConversationResource(stored.id, stored.created_at, Raw(stored.metadata))


def _known(stored: StoredConversation | None, conversation_id: str) -> ConversationResource:
    if stored is None:
        raise ConversationNotFound(conversation_id)
    return _resource(stored)


def _unknown_item(item_id: str) -> NotFound:
    return NotFound(f"Item with id '{item_id}' not found.")
