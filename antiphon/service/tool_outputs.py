"""Delivering tool outputs: what a refusal means to the client, and the shorthand for a response that has ended."""

from collections.abc import Sequence
from typing import get_args

import msgspec
from msgspec import Raw, Struct

from antiphon.core.grammar import Call, Output
from antiphon.core.item_ids import with_id
from antiphon.core.ledger import CallOutput, Delivery
from antiphon.core.output_forms import output_of
from antiphon.errors import Conflict, InvalidRequest, NotFound
from antiphon.ports import StoredResponse
from antiphon.service.ids import new_id
from antiphon.wire.decode import decode_create
from antiphon.wire.items import decode_item, encode_item
from antiphon.wire.request import CreateResponse
from antiphon.wire.unknown import encode

# What the next request inherits when it is only outputs: the client of the shorthand cannot say it again.
INHERITED = (
    "model",
    "instructions",
    "tools",
    "parallel_tool_calls",
    "text",
    "reasoning",
    "temperature",
    "top_p",
    "top_logprobs",
    "max_output_tokens",
    "truncation",
    "metadata",
    "safety_identifier",
    "prompt_cache_key",
)
DEFAULTS = (b"null", b"1.0", b"0")
"""Echoes that say no more than that the request was silent: the engine's own default stays in force."""


class Deliverable(Struct, frozen=True):
    """Outputs as a client sent them; `stream`: the answer is the run's events from the next one on."""

    outputs: Sequence[Output]
    stream: bool = False


class ToolOutputsBody(Struct, frozen=True):
    """`tool_call_id` and `output` are the form for a single output."""

    tool_outputs: list[Raw] | None = None
    tool_call_id: str | None = None
    call_id: str | None = None
    output: Raw = Raw(b"null")
    stream: bool | None = None


OUTPUT_TYPES = frozenset(f'"{kind.__struct_config__.tag}"'.encode() for kind in get_args(Output))
"""The types of items that answer a call, as JSON."""

_body_decoder = msgspec.json.Decoder(ToolOutputsBody)


def decode_tool_outputs(body: bytes) -> Deliverable:
    """The outputs in a request body. Raises: InvalidRequest that names the place."""
    try:
        decoded = _body_decoder.decode(body)
    except msgspec.ValidationError as error:
        raise InvalidRequest(f"Invalid body: {error}.", code="invalid_type") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise InvalidRequest("The body of your request is not valid JSON.", code="invalid_json") from None
    raws = decoded.tool_outputs
    if raws is None:
        single = {"call_id": decoded.tool_call_id or decoded.call_id, "output": decoded.output}
        raws = [Raw(encode(single))]
    if not raws:
        raise InvalidRequest("At least one tool output is needed.", param="tool_outputs", code="empty_array")
    return Deliverable(tuple(_read_output(raw, index) for index, raw in enumerate(raws)), bool(decoded.stream))


def _read_output(raw: Raw, index: int) -> Output:
    """Read like the item it becomes, so that all its forms and faults are the same; as that of a function, if it does
    not say what it is."""
    path = f"tool_outputs[{index}]"
    if not bytes(raw).lstrip().startswith(b"{"):
        raise InvalidRequest(f"Invalid type for '{path}': expected an object.", param=path, code="invalid_type")
    fields = msgspec.json.decode(raw, type=dict[str, Raw])
    if bytes(fields.get("type", b"")) not in OUTPUT_TYPES:
        fields["type"] = Raw(b'"function_call_output"')
    if "tool_call_id" in fields:
        fields.setdefault("call_id", fields.pop("tool_call_id"))
    try:
        (item,) = decode_create(encode({"input": [fields]})).input
    except InvalidRequest as error:
        param = (error.param or "").replace("input[0]", path, 1) or path
        raise InvalidRequest(error.message.replace("input[0]", path), param=param, code=error.code) from None
    if not isinstance(item, Output) or not item.call_id:
        raise InvalidRequest(
            f"Missing required parameter: '{path}.call_id'.", param=f"{path}.call_id", code="missing_required_parameter"
        )
    return item


def call_outputs(outputs: Sequence[Output]) -> tuple[CallOutput, ...]:
    """The outputs as a ledger takes them, each an item with an id."""
    return tuple(CallOutput(output.call_id or "", encode_item(with_id(output, new_id))) for output in outputs)


def check_delivery(delivery: Delivery | None) -> Delivery:
    """Raises: NotFound for an unknown call, Conflict for one that has its output, or when nothing is waited for."""
    if delivery is None:
        raise _not_waiting()
    for call_id, why in delivery.refused.items():
        if why == "unknown":
            raise _unknown_call(call_id)
    for call_id in delivery.refused:
        raise _answered_call(call_id)
    return delivery


def continuation(stored: StoredResponse, outputs: Sequence[Output], *, stream: bool) -> CreateResponse:
    """The request that answers the calls of a response that has ended: the outputs, and what it was made with.

    Raises: NotFound for a call that the response does not have, Conflict for one whose output is part of it, or when
    nothing can go on from the response.
    """
    items = [decode_item(body) for body in stored.output]
    calls = {item.call_id: item for item in items if isinstance(item, Call)}
    answered = {item.call_id for item in items if isinstance(item, Output)}
    for output in outputs:
        if output.call_id in answered:
            raise _answered_call(output.call_id or "")
        if output.call_id not in calls:
            raise _unknown_call(output.call_id or "")
    if stored.status in ("failed", "cancelled"):
        raise _not_waiting()
    head = msgspec.json.decode(stored.head, type=dict[str, Raw])
    request: dict[str, object] = {name: head[name] for name in INHERITED if bytes(head[name]) not in DEFAULTS}
    if "prompt" in head:  # its instructions are made anew, and may be more than a text
        request.pop("instructions", None)
        request["prompt"] = head["prompt"]
    # Calls in a conversation are answered there, so that it goes on.
    place = "previous_response_id" if "conversation" not in head else "conversation"
    request |= {
        place: head.get("conversation", stored.id),
        "stream": stream,
        "input": [output_of(calls[output.call_id or ""], output) for output in outputs],
    }
    return decode_create(encode(request))


def _not_waiting() -> Conflict:
    return Conflict("The response is not waiting for tool outputs.", code="not_waiting")


def _answered_call(call_id: str) -> Conflict:
    return Conflict(
        f"The tool call '{call_id}' has its output already; the first one stands.",
        param="tool_outputs",
        code="duplicate_tool_output",
    )


def _unknown_call(call_id: str) -> NotFound:
    return NotFound(f"No tool call with id '{call_id}' is known to this response.", param="tool_outputs")
