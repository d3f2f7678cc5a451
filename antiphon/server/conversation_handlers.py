"""The endpoints of conversations: read the request, ask the service, write the answer."""

from antiphon.server.exchange import Exchange
from antiphon.server.item_pages import item_list, paging_of, projection_of
from antiphon.service.conversations import Conversations
from antiphon.wire.conversation import (
    CreateConversation,
    CreateConversationItems,
    DeletedConversation,
    UpdateConversation,
)
from antiphon.wire.decode import decode_body


class ConversationHandlers:
    """The endpoints over one service. `strict` refuses what is not OpenAI's."""

    def __init__(self, service: Conversations, *, strict: bool) -> None:
        self._service = service
        self._strict = strict

    async def create(self, exchange: Exchange) -> None:
        body = await exchange.body() or b"{}"
        request = decode_body(body, CreateConversation, strict=self._strict)
        await exchange.answer_json(await self._service.create(request, exchange.caller))

    async def get(self, exchange: Exchange) -> None:
        await exchange.answer_json(await self._service.get(_conversation_id(exchange), exchange.tenant))

    async def update(self, exchange: Exchange) -> None:
        request = decode_body(await exchange.body(), UpdateConversation, strict=self._strict)
        changed = await self._service.update(_conversation_id(exchange), request, exchange.caller)
        await exchange.answer_json(changed)

    async def delete(self, exchange: Exchange) -> None:
        conversation_id = _conversation_id(exchange)
        await self._service.delete(conversation_id, exchange.tenant)
        await exchange.answer_json(DeletedConversation(conversation_id))

    async def add_items(self, exchange: Exchange) -> None:
        projection = projection_of(exchange)
        request = decode_body(await exchange.body(), CreateConversationItems, strict=self._strict)
        added = await self._service.add_items(_conversation_id(exchange), request, exchange.caller)
        await exchange.answer(200, item_list(added, projection))

    async def list_items(self, exchange: Exchange) -> None:
        projection, paging = projection_of(exchange), paging_of(exchange)
        page = await self._service.items(_conversation_id(exchange), exchange.tenant, **paging)
        await exchange.answer(200, item_list(page, projection))

    async def get_item(self, exchange: Exchange) -> None:
        projection = projection_of(exchange)
        body = await self._service.item(_conversation_id(exchange), exchange.path_params["item_id"], exchange.tenant)
        await exchange.answer(200, projection.apply(body))

    async def delete_item(self, exchange: Exchange) -> None:
        item_id = exchange.path_params["item_id"]
        left = await self._service.delete_item(_conversation_id(exchange), item_id, exchange.tenant)
        await exchange.answer_json(left)


def _conversation_id(exchange: Exchange) -> str:
    return exchange.path_params["conversation_id"]
