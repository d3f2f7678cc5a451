"""The endpoints of prompts: read the request, ask the service, write the answer."""

from antiphon.server.exchange import Exchange
from antiphon.server.item_pages import paging_of
from antiphon.service.prompts import Prompts
from antiphon.wire.decode import decode_body
from antiphon.wire.prompt import PromptTemplate


class PromptHandlers:
    """The endpoints over one service. `strict` refuses unknown fields."""

    def __init__(self, service: Prompts, *, strict: bool) -> None:
        self._service = service
        self._strict = strict

    async def create(self, exchange: Exchange) -> None:
        await exchange.answer_json(await self._service.create(await self._template(exchange), exchange.caller))

    async def list_prompts(self, exchange: Exchange) -> None:
        await exchange.answer_json(await self._service.page(exchange.tenant, **paging_of(exchange)))

    async def get(self, exchange: Exchange) -> None:
        await exchange.answer_json(await self._service.get(_prompt_id(exchange), exchange.tenant))

    async def delete(self, exchange: Exchange) -> None:
        await exchange.answer_json(await self._service.delete(_prompt_id(exchange), exchange.tenant))

    async def add_version(self, exchange: Exchange) -> None:
        template = await self._template(exchange)
        await exchange.answer_json(await self._service.add_version(_prompt_id(exchange), template, exchange.caller))

    async def list_versions(self, exchange: Exchange) -> None:
        paging = paging_of(exchange)
        await exchange.answer_json(await self._service.versions(_prompt_id(exchange), exchange.tenant, **paging))

    async def get_version(self, exchange: Exchange) -> None:
        version = exchange.path_params["version"]
        await exchange.answer_json(await self._service.get(_prompt_id(exchange), exchange.tenant, version))

    async def _template(self, exchange: Exchange) -> PromptTemplate:
        return decode_body(await exchange.body(), PromptTemplate, strict=self._strict)


def _prompt_id(exchange: Exchange) -> str:
    return exchange.path_params["prompt_id"]
