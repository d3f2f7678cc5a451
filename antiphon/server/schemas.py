"""JSON Schema from the structs of the wire, as requests write them and as answers have them.

The two sides differ, so each has its own component for a struct. What a request may leave out it may also send as null;
what an answer always holds is required there. Where the wire has another form than the struct (`input` as a string,
`extras` beside the fields, echoes that are kept as bytes) a table says so.
"""

from collections.abc import Mapping
from types import NoneType
from typing import Any, Literal, get_args, get_origin, get_type_hints

import msgspec
from msgspec import NODEFAULT, Raw, Struct, UnsetType
from msgspec.structs import FieldInfo

from antiphon.core import validate
from antiphon.service.conversations import MOST_ITEMS
from antiphon.service.tool_outputs import ToolOutputsBody
from antiphon.wire.content import MessagePart, OutputPart
from antiphon.wire.conversation import (
    ConversationResource,
    CreateConversation,
    CreateConversationItems,
    UpdateConversation,
)
from antiphon.wire.items import CustomToolCallOutput, FunctionCallOutput, Item, Message
from antiphon.wire.leniency import OBJECTS
from antiphon.wire.prompt import PromptResource, PromptTemplate
from antiphon.wire.request import (
    CompactConversation,
    Conversation,
    CountInputTokens,
    CreateResponse,
    Extras,
    ReasoningConfig,
    TextConfig,
)
from antiphon.wire.response import Response
from antiphon.wire.shape import members_of, without_null
from antiphon.wire.tools import HOSTED_CHOICES, Tool, ToolChoice, ToolChoiceHosted
from antiphon.wire.unknown import Unknown

Schema = dict[str, Any]
Place = tuple[type, str]

REQUEST_FORMS: Mapping[Place, Any] = {
    (CreateResponse, "input"): str | tuple[Item, ...],
    (CreateResponse, "conversation"): str | Conversation,
    (CreateResponse, "extras"): Extras,
    (CountInputTokens, "input"): str | tuple[Item, ...],
    (CountInputTokens, "conversation"): str | Conversation,
    (CountInputTokens, "extras"): Extras,
    (CompactConversation, "input"): str | tuple[Item, ...],
    (CompactConversation, "extras"): Extras,
    (Message, "content"): str | tuple[MessagePart, ...],
    (PromptTemplate, "messages"): tuple[Message, ...],
    (FunctionCallOutput, "output"): str | tuple[OutputPart, ...],
    (CustomToolCallOutput, "output"): str | tuple[OutputPart, ...],
    (ToolChoiceHosted, "type"): Literal[HOSTED_CHOICES],
    (ToolOutputsBody, "tool_outputs"): tuple[FunctionCallOutput, ...] | None,
    (ToolOutputsBody, "output"): str | tuple[OutputPart, ...] | None,
}
"""What a field of a request may hold, where its struct says less."""

ANSWER_FORMS: Mapping[Place, Any] = {
    (Response, "instructions"): str | tuple[Item, ...] | None,
    (PromptResource, "name"): str,
    (PromptResource, "instructions"): str,
    (PromptResource, "messages"): tuple[Item, ...],
    (PromptResource, "model"): str,
    (PromptResource, "tools"): tuple[Tool, ...],
    (PromptResource, "tool_choice"): ToolChoice,
    (PromptResource, "parallel_tool_calls"): bool,
    (PromptResource, "text"): TextConfig,
    (PromptResource, "temperature"): float,
    (PromptResource, "top_p"): float,
    (PromptResource, "max_output_tokens"): int,
    (Response, "tools"): tuple[Tool, ...],
    (Response, "tool_choice"): ToolChoice,
    (Response, "text"): TextConfig,
    (Response, "reasoning"): ReasoningConfig | None,
    (Response, "metadata"): dict[str, str],
    (ConversationResource, "metadata"): dict[str, str],
}
"""What the echoes hold that a response keeps as bytes."""

ALWAYS_ECHOED = frozenset({(ReasoningConfig, "effort"), (ReasoningConfig, "summary")})
"""Fields that an echo holds even where the request was silent."""

UNTAGGED = frozenset({Message, FunctionCallOutput})
"""What a request may send without its tag."""

NUMBERED = "sequence_number"
"""Given by the encoder: UNSET in a struct and never absent on the wire."""


class Schemas:
    """Schemas of one side; the structs met on the way gather in `components`."""

    def __init__(self, *, request: bool) -> None:
        self.components: dict[str, Schema] = {}
        self._request = request
        self._forms = REQUEST_FORMS if request else ANSWER_FORMS
        self._suffix = "Param" if request else ""

    def of(self, kind: Any) -> Schema:
        """The schema of any type that stands on the wire."""
        members = members_of(kind) + ((NoneType,) if _is_nullable(kind) else ())
        if self._request:
            members = tuple(member for member in members if not _is_unknown(member))
        if len(members) == 1:
            return self._single(members[0])
        known = [member.__struct_config__.tag for member in members if _is_tagged(member)]
        return {"anyOf": [_unknown(known) if _is_unknown(member) else self._single(member) for member in members]}

    def _single(self, kind: Any) -> Schema:
        if kind is Raw:
            return {}
        if get_origin(kind) is tuple:
            return {"type": "array", "items": self.of(get_args(kind)[0])}
        if get_origin(kind) is dict:
            return {"type": "object", "additionalProperties": self.of(get_args(kind)[1])}
        if isinstance(kind, type) and issubclass(kind, Struct):
            return self._reference(kind)
        return msgspec.json.schema(kind)

    def _reference(self, struct: type[Struct]) -> Schema:
        name = struct.__name__ + self._suffix
        if name not in self.components:
            self.components[name] = {}  # stands there already when a struct holds itself
            self.components[name] = self._component(struct)
        return {"$ref": f"#/components/schemas/{name}"}

    def _component(self, struct: type[Struct]) -> Schema:
        schema: Schema = {"type": "object", "properties": {}, "required": []}
        if struct.__doc__:
            schema["description"] = struct.__doc__.partition("\n")[0]
        config = struct.__struct_config__
        if config.tag_field is not None:
            schema["properties"][config.tag_field] = {"const": config.tag}
            if not (self._request and struct in UNTAGGED):
                schema["required"].append(config.tag_field)
        self._add_fields(schema, struct)
        return schema

    def _add_fields(self, schema: Schema, struct: type[Struct]) -> None:
        hints = get_type_hints(struct)
        for field in msgspec.structs.fields(struct):
            form = self._forms.get((struct, field.name), hints[field.name])
            if form is Extras:
                self._add_fields(schema, Extras)
                continue
            required = self._is_required(struct, field, hints[field.name])
            schema["properties"][field.encode_name] = self._field(struct, field.name, form, required=required)
            if required:
                schema["required"].append(field.encode_name)

    def _is_required(self, struct: type[Struct], field: FieldInfo, kind: Any) -> bool:
        if self._request:
            return field.required or (struct is Message and field.name == "content")
        if field.encode_name == NUMBERED or (struct, field.name) in ALWAYS_ECHOED:
            return True
        if UnsetType in get_args(kind):
            return False
        # A default made by a function is what keeps a field on the wire when defaults are left out.
        return not struct.__struct_config__.omit_defaults or field.default is NODEFAULT

    def _field(self, struct: type[Struct], name: str, form: Any, *, required: bool) -> Schema:
        if not self._request:
            return self.of(form if required else without_null(form))
        schema: Schema = {"type": "object"} if (struct, name) in OBJECTS else self.of(without_null(form))
        schema |= _bounds(struct, name)
        return schema if required else {"anyOf": [*schema.get("anyOf", [schema]), {"type": "null"}]}


def _bounds(struct: type[Struct], name: str) -> Schema:
    """What validation demands of a field of the request."""
    if struct in (CreateConversation, CreateConversationItems) and name == "items":
        return {"maxItems": MOST_ITEMS}
    if struct not in (CreateResponse, Extras, CreateConversation, UpdateConversation, PromptTemplate):
        return {}
    if name == "include":
        return {"items": {"enum": sorted(validate.INCLUDABLE)}}
    if name == "metadata":
        return {
            "maxProperties": validate.MAX_METADATA,
            "propertyNames": {"maxLength": validate.MAX_METADATA_KEY},
            "additionalProperties": {"type": "string", "maxLength": validate.MAX_METADATA_VALUE},
        }
    if name in validate.MAX_LENGTHS:
        return {"maxLength": validate.MAX_LENGTHS[name]}
    low, high = {**validate.BOUNDS, **validate.EXTRA_BOUNDS}.get(name, (None, None))
    return {key: value for key, value in (("minimum", low), ("maximum", high)) if value is not None}


def _unknown(known: list[Any]) -> Schema:
    """An object of a type that is none of ours."""
    kind = {"type": "string", "not": {"enum": known}}
    return {"type": "object", "properties": {"type": kind}, "required": ["type"]}


def _is_unknown(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Unknown)


def _is_tagged(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Struct) and kind.__struct_config__.tag is not None


def _is_nullable(kind: Any) -> bool:
    return NoneType in get_args(kind)
