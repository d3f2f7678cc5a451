"""How large the parts of a request may be; what is larger is refused before anything is made of it."""

from collections.abc import Iterable, Sequence
from typing import get_args

from msgspec import Struct

from antiphon.core.whole_items import CallOutput
from antiphon.errors import InvalidRequest
from antiphon.wire.items import Item, encode_item

_OUTPUTS = get_args(CallOutput)


class RequestLimits(Struct, frozen=True, kw_only=True):
    """Most items of an input, the largest output of a tool call, as the JSON of its item, and the largest schema."""

    max_input_items: int = 10_000
    max_tool_output_bytes: int = 10 * 2**20
    max_schema_bytes: int = 256 * 2**10


def check_input(items: Sequence[Item], limits: RequestLimits) -> None:
    """Raises: InvalidRequest naming the limit and its setting."""
    most = limits.max_input_items
    if len(items) > most:
        raise InvalidRequest(
            f"Invalid 'input': array too long. Expected at most {most} items (setting 'max_input_items'), but got "
            f"{len(items)}.",
            param="input",
            code="array_above_max_length",
        )
    check_outputs(items, limits, "input")


def check_outputs(items: Iterable[Item], limits: RequestLimits, param: str) -> None:
    """Raises: InvalidRequest for the first tool output that is too large, naming its place."""
    most = limits.max_tool_output_bytes
    for index, item in enumerate(items):
        if isinstance(item, _OUTPUTS) and len(encode_item(item)) > most:
            raise InvalidRequest(
                f"Invalid '{param}[{index}].output': the output of a tool call may be {most} bytes long (setting "
                "'max_tool_output_bytes').",
                param=f"{param}[{index}].output",
                code="string_above_max_length",
            )
