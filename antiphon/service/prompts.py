"""What can be done with prompts, and what becomes of a request that refers to one.

A prompt is instructions: it is shown to the model in front of the conversation, is not stored as an item, and a later
turn does not inherit it. What the request says itself wins over the prompt's defaults.
"""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from antiphon.core import validate
from antiphon.core.prompt_template import Value, filled, variables_of
from antiphon.errors import InvalidRequest, NotFound
from antiphon.ports import PromptStore, StoredPrompt
from antiphon.service.caller import Caller
from antiphon.service.data_policy import check_kept
from antiphon.wire.content import InputText
from antiphon.wire.decode import decode_body, decode_output_part
from antiphon.wire.items import Item, Message
from antiphon.wire.prompt import DEFAULTS, DeletedPrompt, PromptList, PromptResource, PromptTemplate
from antiphon.wire.request import CreateResponse, Prompt
from antiphon.wire.unknown import encode


class Filled(Struct, frozen=True):
    """A request with what its prompt says; `preface` are the prompt's messages."""

    request: CreateResponse
    preface: tuple[Item, ...] = ()


class Prompts:
    """The use cases of prompts. `enabled` False: this server stores nothing, so there are none."""

    def __init__(
        self, store: PromptStore, *, clock: Callable[[], float], ids: Callable[[str], str], enabled: bool
    ) -> None:
        self._store = store
        self._clock = clock
        self._ids = ids
        self._enabled = enabled

    async def create(self, template: PromptTemplate, caller: Caller) -> PromptResource:
        """Raises: InvalidRequest."""
        if not self._enabled:
            raise InvalidRequest("This server stores nothing, so it has no prompts.", code="unsupported_value")
        check_kept(caller)
        _check(template)
        body = encode(template)
        return _resource(await self._store.create(caller.tenant, self._ids("pmpt"), int(self._clock()), body))

    async def add_version(self, prompt_id: str, template: PromptTemplate, caller: Caller) -> PromptResource:
        """Raises: InvalidRequest, NotFound."""
        check_kept(caller)
        _check(template)
        added = await self._store.add_version(caller.tenant, prompt_id, int(self._clock()), encode(template))
        return _resource(_known(added, prompt_id))

    async def get(self, prompt_id: str, tenant: str, version: str | None = None) -> PromptResource:
        """A version, the current one where none is named. Raises: NotFound."""
        return _resource(await self._find(prompt_id, version, tenant))

    async def page(self, tenant: str, *, after: str | None, limit: int, descending: bool) -> PromptList:
        """The prompts in their current versions, in the order in which they were made."""
        found = await self._store.page(tenant, after=after, limit=limit, descending=descending)
        return _list(found.data, has_more=found.has_more, last=lambda prompt: prompt.id)

    async def versions(
        self, prompt_id: str, tenant: str, *, after: str | None, limit: int, descending: bool
    ) -> PromptList:
        """The versions of a prompt; `after` and the ids of the page are their numbers. Raises: NotFound."""
        place = None if after is None else _number(after, prompt_id, "after")
        found = await self._store.versions(tenant, prompt_id, after=place, limit=limit, descending=descending)
        if not found.data:
            await self._find(prompt_id, None, tenant)
        return _list(found.data, has_more=found.has_more, last=lambda prompt: prompt.version)

    async def delete(self, prompt_id: str, tenant: str) -> DeletedPrompt:
        """Delete a prompt with all its versions. Raises: NotFound."""
        if not await self._store.delete(tenant, prompt_id):
            raise _unknown(prompt_id)
        return DeletedPrompt(prompt_id)

    # -- requests

    async def fill(self, request: CreateResponse, tenant: str) -> Filled:
        """The request with what the prompt it refers to says, and the version that was used.

        Raises: NotFound for an unknown prompt or version, InvalidRequest for variables that do not fit.
        """
        if request.prompt is None:
            return Filled(request)
        stored = await self._find(request.prompt.id, request.prompt.version, tenant, "prompt.")
        template = _template(stored)
        values = _values(request.prompt)
        instructions, preface = filled(template, values)
        validate.check_items(preface, "prompt.variables")
        defaults = {name: getattr(template, name) for name in DEFAULTS if getattr(request, name) in (None, ())}
        given: Mapping[str, Any] = {name: value for name, value in defaults.items() if value is not None}
        whole = replace(
            request,
            prompt=_used(request.prompt, stored.version, values),
            instructions=instructions if request.instructions is None else request.instructions,
            **given,
        )
        return Filled(whole, preface)

    async def _find(self, prompt_id: str, version: str | None, tenant: str, where: str = "") -> StoredPrompt:
        number = None if version is None else _number(version, prompt_id, f"{where}version")
        found = await self._store.get(tenant, prompt_id, number)
        if found is None and number is not None and await self._store.get(tenant, prompt_id) is not None:
            raise _unknown_version(prompt_id, str(number), f"{where}version")
        return _known(found, prompt_id, f"{where}id" if where else None)


def _used(asked: Prompt, version: int, values: Mapping[str, Value]) -> Prompt:
    """The reference with the version that was used, and with whole parts."""
    if asked.variables is None:
        return replace(asked, version=str(version))
    given = {
        name: raw if bytes(raw).startswith(b'"') else Raw(encode(values[name])) for name, raw in asked.variables.items()
    }
    return replace(asked, version=str(version), variables=given)


def pinned(body: bytes, prompt: Prompt | None) -> bytes:
    """The body of a request whose prompt names its version, so that it means the same later."""
    if prompt is None:
        return body
    fields = msgspec.json.decode(body, type=dict[str, Raw])
    return encode(fields | {"prompt": Raw(encode(prompt))})


def echoed_instructions(request: CreateResponse, preface: tuple[Item, ...]) -> Raw | None:
    """What a response says of its instructions: a text, or items where the prompt has messages."""
    if not preface:
        return None if request.instructions is None else Raw(encode(request.instructions))
    front = [Message(role="developer", content=(InputText(request.instructions),))] if request.instructions else []
    return Raw(encode([*front, *preface]))


def _check(template: PromptTemplate) -> None:
    if not template.instructions and not template.messages:
        raise InvalidRequest(
            "Missing required parameter: 'instructions' or 'messages'.",
            param="instructions",
            code="missing_required_parameter",
        )
    for index, item in enumerate(template.messages or ()):
        if not isinstance(item, Message):
            raise InvalidRequest("A prompt holds messages only.", param=f"messages[{index}].type")
    validate.check_items(template.messages or (), "messages")
    said = {name: getattr(template, name) for name in DEFAULTS if getattr(template, name) is not None}
    validate.check(CreateResponse(instructions="x", **said))


def _template(stored: StoredPrompt) -> PromptTemplate:
    return decode_body(stored.body, PromptTemplate)


def _resource(stored: StoredPrompt) -> PromptResource:
    fields = msgspec.json.decode(stored.body, type=dict[str, Raw])
    known = {name: value for name, value in fields.items() if name in PromptTemplate.__struct_fields__}
    return PromptResource(
        id=stored.id,
        version=str(stored.version),
        created_at=stored.created_at,
        variables=variables_of(_template(stored)),
        **known,
    )


def _list(data: Any, *, has_more: bool, last: Callable[[StoredPrompt], object]) -> PromptList:
    resources = tuple(_resource(each) for each in data)
    first_id, last_id = (str(last(data[0])), str(last(data[-1]))) if data else (None, None)
    return PromptList(resources, first_id, last_id, has_more)


def _values(prompt: Prompt) -> dict[str, Value]:
    """The variables of a request. Raises: InvalidRequest."""
    return {name: decode_output_part(raw, f"prompt.variables.{name}") for name, raw in (prompt.variables or {}).items()}


def _number(version: str, prompt_id: str, param: str) -> int:
    if not (version.isascii() and version.isdigit() and len(version) < 10):
        raise _unknown_version(prompt_id, version, param)
    return int(version)


def _known(found: StoredPrompt | None, prompt_id: str, param: str | None = None) -> StoredPrompt:
    if found is None:
        raise _unknown(prompt_id, param)
    return found


def _unknown(prompt_id: str, param: str | None = None) -> NotFound:
    return NotFound(f"Prompt with id '{prompt_id}' not found.", param=param)


def _unknown_version(prompt_id: str, version: str, param: str) -> NotFound:
    return NotFound(f"Version '{version}' of prompt '{prompt_id}' not found.", param=param)
