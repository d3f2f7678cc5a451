"""Where requests may depart from the types, as tables.

Nulls are absences and unknown keys are ignored everywhere, without a row here. Strict mode keeps OpenAI's own leniency
and refuses every key and type that is not OpenAI's.
"""

from collections.abc import Mapping
from typing import Any

from msgspec import Raw, Struct

from antiphon.wire.chat_calls import chat_calls
from antiphon.wire.chat_forms import nested, read_chat_image
from antiphon.wire.content import InputText, MessagePart, OutputPart, OutputText
from antiphon.wire.conversation import UpdateConversation
from antiphon.wire.faults import Fault, invalid_value, missing, wrong_type
from antiphon.wire.items import CustomToolCall, CustomToolCallOutput, FunctionCall, FunctionCallOutput, Item, Message
from antiphon.wire.primitives import NULL, array_of, kind_of, read_elements, read_fields, read_raw, read_str
from antiphon.wire.prompt import PromptTemplate
from antiphon.wire.reader import Readers
from antiphon.wire.request import (
    CompactConversation,
    Conversation,
    CountInputTokens,
    CreateResponse,
    Extras,
    TextFormat,
    TextFormatJsonSchema,
)
from antiphon.wire.shape import ABSENT, FieldRead, Read, Rules, members_of
from antiphon.wire.tools import (
    HOSTED_CHOICES,
    FunctionTool,
    Tool,
    ToolChoiceAllowed,
    ToolChoiceCustom,
    ToolChoiceFunction,
    ToolChoiceHosted,
    ToolChoiceMcp,
)

Structs = Mapping[str, type[Struct]]


def by_tag(*structs: type[Struct]) -> Structs:
    """Tagged structs by their tags."""
    return {str(struct.__struct_config__.tag): struct for struct in structs}


MODES = ("none", "auto", "required")
CHOICES = by_tag(ToolChoiceAllowed, ToolChoiceFunction, ToolChoiceCustom, ToolChoiceMcp)
PARTS = by_tag(*members_of(MessagePart))
OUTPUT_PARTS = by_tag(*members_of(OutputPart))

OBJECTS: tuple[tuple[type[Struct], str], ...] = (
    (FunctionTool, "parameters"),
    (FunctionTool, "output_schema"),
    (TextFormatJsonSchema, "schema"),
    (Extras, "chat_template_kwargs"),
)
"""User JSON that has to be an object."""

SHAPES: tuple[tuple[frozenset[str], str, bool], ...] = (
    (frozenset({"role", "tool_call_id"}), "role:tool", False),
    (frozenset({"role", "tool_calls"}), "role:calls", False),
    (frozenset({"role", "content"}), "message", True),
    (frozenset({"call_id", "output"}), "function_call_output", False),
    (frozenset({"name", "arguments"}), "function_call", False),
)
"""What an item without `type` is, by the keys it has; the last column: in strict mode too."""


class Requests:
    """The readers of requests."""

    def __init__(self, *, strict: bool) -> None:
        self.strict = strict
        extras = frozenset((struct, "extras") for struct in (CreateResponse, CountInputTokens, CompactConversation))
        self.readers = Readers(
            Rules(
                strict=strict,
                fields=self._fields(),
                tags={} if strict else self._chat_tags(),
                untagged={frozenset(members_of(Item)): self._shape_of},
                spread=frozenset() if strict else extras,
                hidden=extras if strict else frozenset(),
            )
        )
        self.create = self.readers.of(CreateResponse)
        self._items = array_of(self.readers.of(Item))
        self._tool_choice_object = self.readers.tagged(
            CHOICES,
            tags=dict.fromkeys(HOSTED_CHOICES, self.readers.of(ToolChoiceHosted))
            | ({} if strict else {"function": nested("function", self.readers.of(ToolChoiceFunction))}),
            unknown=None if strict else lambda tag, raw: ToolChoiceHosted(tag),
        )
        self._said = self._parts_by_role()
        self._outputs = array_of(self._parts(OUTPUT_PARTS, text=InputText))

    def _fields(self) -> dict[tuple[type, str], FieldRead]:
        objects: dict[tuple[type, str], FieldRead] = dict.fromkeys(OBJECTS, read_object)
        return objects | {
            (CreateResponse, "input"): self._read_input,
            (CreateResponse, "conversation"): self._read_conversation,
            (CreateResponse, "tool_choice"): self._read_tool_choice,
            (CountInputTokens, "input"): self._read_input,
            (CountInputTokens, "conversation"): self._read_conversation,
            (CountInputTokens, "tool_choice"): self._read_tool_choice,
            (CompactConversation, "input"): self._read_input,
            (PromptTemplate, "tool_choice"): self._read_tool_choice,
            (Message, "content"): self._read_content,
            (FunctionCall, "arguments"): self._read_arguments,
            (CustomToolCall, "input"): self._read_text,
            (FunctionCallOutput, "output"): self._read_output,
            (CustomToolCallOutput, "output"): self._read_output,
            (UpdateConversation, "metadata"): self._read_metadata,
        }

    # ------------------------------------------------------------------------------------------------------ the request

    def _read_input(self, raw: Raw, _: Any) -> Any:
        match kind_of(raw):
            case "absent" | "null":
                return None
            case "string":
                return (Message(role="user", content=(InputText(read_str(raw)),)),)
            case "array":
                return self._items(raw)
            case kind:
                raise wrong_type("a string or an array of input items", kind)

    def _read_conversation(self, raw: Raw, _: Any) -> Conversation | None:
        match kind_of(raw):
            case "absent" | "null":
                return None
            case "string":
                return Conversation(read_str(raw))
            case "object":
                conversation: Conversation = self.readers.of(Conversation)(raw)
                return conversation
            case kind:
                raise wrong_type("a string or an object", kind)

    def _read_metadata(self, raw: Raw, _: Any) -> Any:
        """Has to be said, but null says that there is none."""
        match kind_of(raw):
            case "absent":
                return None
            case "null":
                return {}
            case _:
                return self.readers.of(dict[str, str])(raw)

    def _read_tool_choice(self, raw: Raw, _: Any) -> Any:
        match kind_of(raw):
            case "absent" | "null":
                return None
            case "string":
                mode = read_str(raw)
                if mode not in MODES:
                    raise invalid_value(mode, MODES)
                return mode
            case "object":
                return self._tool_choice_object(raw)
            case kind:
                raise wrong_type("a string or an object", kind)

    # ---------------------------------------------------------------------------------------------------------- content

    def _parts_by_role(self) -> dict[str, tuple[type[InputText] | type[OutputText], Read]]:
        heard = (InputText, array_of(self._parts(PARTS, text=InputText)))
        said = (OutputText, array_of(self._parts(PARTS, text=OutputText)))
        return {"user": heard, "system": heard, "developer": heard, "assistant": said}

    def _parts(self, structs: Structs, *, text: type[Struct]) -> Read:
        """The reader of one part, where text of any name is a `text`."""
        read_text = self.readers.of(text)
        tags = {"input_text": read_text, "output_text": read_text}
        if not self.strict:
            tags |= {"text": read_text, "image_url": read_chat_image}
        return self.readers.tagged(structs, tags=tags)

    def _read_content(self, raw: Raw, siblings: Any) -> Any:
        text, read_parts = self._said[siblings.role or "user"]
        match kind_of(raw):
            case "string":
                return (text(read_str(raw)),)
            case "array":
                return read_parts(raw)
            case "absent" | "null":
                if siblings.role == "assistant":
                    return ()
                raise missing("")
            case kind:
                raise wrong_type("a string or an array of content parts", kind)

    # ------------------------------------------------------------------------------------------------ calls and outputs

    def _read_arguments(self, raw: Raw, _: Any) -> str | None:
        return self._read_text(raw, None) if raw is not ABSENT and raw != NULL else self._or_strict("{}")

    def _read_text(self, raw: Raw, _: Any) -> str | None:
        match kind_of(raw):
            case "absent" | "null":
                return self._or_strict("")
            case "string":
                return read_str(raw)
            case kind if self.strict:
                raise wrong_type("a string", kind)
            case _:
                return json_text(raw)

    def _read_output(self, raw: Raw, _: Any) -> Any:
        match kind_of(raw):
            case "absent" | "null":
                return self._or_strict("")
            case "string":
                return read_str(raw)
            case "array" if self.strict or holds_parts(raw):
                return self._outputs(raw)
            case kind if self.strict:
                raise wrong_type("a string or an array of content parts", kind)
            case _:
                return json_text(raw)

    def _or_strict(self, default: str) -> str | None:
        """What stands for a missing text; in strict mode nothing does."""
        return None if self.strict else default

    # ------------------------------------------------------------------------------------------------ types and shapes

    def _chat_tags(self) -> dict[frozenset[Any], Mapping[str, Read]]:
        """Forms of Chat Completions that stand where ours could."""
        return {
            frozenset(members_of(Item)): {"role:tool": self._read_chat_output, "role:calls": self._read_chat_calls},
            frozenset(members_of(Tool)): {"function": self._late(FunctionTool, "function")},
            frozenset(members_of(TextFormat)): {"json_schema": self._late(TextFormatJsonSchema, "json_schema")},
        }

    def _late(self, cls: type[Struct], key: str) -> Read:
        return lambda raw: nested(key, self.readers.of(cls))(raw)

    def _read_chat_output(self, raw: Raw) -> FunctionCallOutput:
        fields = read_fields(raw)
        try:
            call_id = read_str(fields["tool_call_id"])
        except Fault as fault:
            raise fault.under(".tool_call_id") from None
        try:
            output = self._read_output(fields.get("content", ABSENT), None)
        except Fault as fault:
            raise fault.under(".content") from None
        return FunctionCallOutput(call_id=call_id, output=output)

    def _read_chat_calls(self, raw: Raw) -> Any:
        return chat_calls(self.readers.of(Message), self._read_arguments, self._read_text)(raw)

    def _shape_of(self, raw: Raw) -> str | None:
        fields = read_fields(raw)
        for keys, tag, always in SHAPES:
            if keys <= fields.keys() and (always or not self.strict):
                return tag
        return "item_reference" if {key for key, value in fields.items() if value != NULL} == {"id"} else None


def read_object(raw: Raw, _: Any) -> Raw | None:
    """User JSON that is an object, or nothing."""
    match kind_of(raw):
        case "absent" | "null":
            return None
        case "object":
            return read_raw(raw)
        case kind:
            raise wrong_type("an object", kind)


def holds_parts(raw: Raw) -> bool:
    """Whether an array is one of content parts rather than JSON of the tool's own."""
    elements = read_elements(raw)
    return not elements or any(tag_of(element) in PART_TAGS for element in elements)


def tag_of(raw: Raw) -> str | None:
    """The `type` of an object; None for anything else."""
    if kind_of(raw) != "object":
        return None
    tag = read_fields(raw).get("type", NULL)
    return read_str(tag) if kind_of(tag) == "string" else None


def json_text(raw: Raw) -> str:
    """JSON as the text it was written in."""
    return bytes(read_raw(raw)).decode()


PART_TAGS = frozenset({*OUTPUT_PARTS, "output_text", "text", "image_url"})
