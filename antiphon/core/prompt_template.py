"""Templates filled with variables: `{{name}}` becomes a text, or, in a message, an image or a file.

What is put in is never looked at again: a variable cannot bring in another.
"""

import re
from collections.abc import Iterator, Mapping, Sequence

from msgspec.structs import replace

from antiphon.errors import InvalidRequest
from antiphon.wire.content import InputFile, InputImage, InputText, MessagePart, OutputText
from antiphon.wire.items import Item, Message
from antiphon.wire.prompt import PromptTemplate

Value = InputText | InputImage | InputFile
_VARIABLE = re.compile(r"\{\{\s*([A-Za-z_][A-Za-z0-9_.-]*)\s*\}\}")


def variables_of(template: PromptTemplate) -> tuple[str, ...]:
    """The names of the variables, in the order in which they come first."""
    return tuple(dict.fromkeys(name for text in _texts(template) for name in _VARIABLE.findall(text)))


def filled(template: PromptTemplate, values: Mapping[str, Value]) -> tuple[str | None, tuple[Item, ...]]:
    """The instructions and the messages with `values` in the places of their variables.

    Raises: InvalidRequest for a value that is missing, that nothing asks for, or that has no place in a text.
    """
    wanted = variables_of(template)
    for name in wanted:
        if name not in values:
            raise InvalidRequest(
                f"Missing prompt variable: '{name}'.",
                param=f"prompt.variables.{name}",
                code="missing_required_parameter",
            )
    for name in values:
        if name not in wanted:
            raise InvalidRequest(
                f"Unknown prompt variable: '{name}'.", param=f"prompt.variables.{name}", code="unknown_parameter"
            )
    instructions = None if template.instructions is None else _filled_text(template.instructions, values)
    return instructions, tuple(_filled_item(item, values) for item in template.messages or ())


def _texts(template: PromptTemplate) -> Iterator[str]:
    yield template.instructions or ""
    for item in template.messages or ():
        if isinstance(item, Message):
            yield from (part.text for part in item.content if isinstance(part, InputText | OutputText))


def _filled_text(text: str, values: Mapping[str, Value]) -> str:
    def value(match: re.Match[str]) -> str:
        found = values[match[1]]
        if not isinstance(found, InputText):
            raise InvalidRequest(
                f"The prompt variable '{match[1]}' stands in a text: expected a string or 'input_text'.",
                param=f"prompt.variables.{match[1]}",
                code="invalid_type",
            )
        return found.text

    return _VARIABLE.sub(value, text)


def _filled_item(item: Item, values: Mapping[str, Value]) -> Item:
    if not isinstance(item, Message):
        return item
    return replace(item, content=tuple(part for each in item.content for part in _filled_part(each, values)))


def _filled_part(part: MessagePart, values: Mapping[str, Value]) -> Sequence[MessagePart]:
    """A part; several where an image or a file stands in its text."""
    if isinstance(part, OutputText):
        return (replace(part, text=_filled_text(part.text, values)),)
    if not isinstance(part, InputText):
        return (part,)
    parts: list[MessagePart] = []
    text, end = "", 0
    for match in _VARIABLE.finditer(part.text):
        text += part.text[end : match.start()]
        end = match.end()
        value = values[match[1]]
        if isinstance(value, InputText):
            text += value.text
            continue
        parts += [replace(part, text=text), value] if text else [value]
        text = ""
    text += part.text[end:]
    return [*parts, replace(part, text=text)] if text or not parts else parts
