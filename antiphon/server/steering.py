"""Steering: input for a response that is under way, which ends early so that a successor goes on from it.

What was accepted belongs to the server: it becomes the input of the successor, or comes back in `response.steer.failed`
under the same id. These events are answers to frames, not part of a response's log: they repeat the number of the
lane's last event.
"""

from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from antiphon.core import validate
from antiphon.core.grammar import Call, Output
from antiphon.errors import InvalidRequest
from antiphon.server.frames import SteerFrame
from antiphon.wire.decode import decode_create
from antiphon.wire.items import Item, Message
from antiphon.wire.request import CreateResponse
from antiphon.wire.response import Response
from antiphon.wire.unknown import encode


class SteerRefused(Exception):
    """Input that cannot become part of a successor."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Steering(Struct, frozen=True):
    """Input that was accepted; `items` are the messages in the frame."""

    id: str
    frame: SteerFrame
    items: Sequence[Item]


def steering_items(frame: SteerFrame, *, strict: bool) -> Sequence[Item]:
    """The messages in a frame. Raises: SteerRefused for anything but messages of the user."""
    try:
        request = decode_create(encode({"input": frame.input}), strict=strict)
        if not request.input or not all(isinstance(item, Message) and item.role == "user" for item in request.input):
            raise InvalidRequest("Steering takes messages of the user only.", param="input")
        validate.check(request)
    except InvalidRequest as error:
        raise SteerRefused("invalid_input", error.message) from None
    return request.input


def check_steerable(request: CreateResponse) -> None:
    """Raises: SteerRefused for a request whose response cannot be steered."""
    if request.extras.await_tool_outputs or request.conversation is not None or request.context_management:
        raise SteerRefused(
            "steering_not_supported",
            "Responses that await tool outputs, belong to a conversation or manage their context cannot be steered.",
        )


def over(response: Response) -> SteerRefused:
    """Why a response that has ended cannot be steered."""
    if response.status == "completed" and not open_calls(response):
        return SteerRefused("response_already_completed", "The response has completed; continue it with a new request.")
    return SteerRefused("response_not_active", f"The response takes no more input: it is {response.status}.")


def open_calls(response: Response) -> Sequence[Call]:
    """The calls that the client owes an output."""
    answered = {item.call_id for item in response.output if isinstance(item, Output)}
    return [
        item
        for item in response.output
        if isinstance(item, Call) and item.call_id not in answered and not getattr(item, "async_", None)
    ]


def successor(request: CreateResponse, response: Response, steers: Sequence[Steering]) -> CreateResponse:
    """The request that goes on from `response` with what was accepted, in its order; all settings stay.

    Raises: SteerRefused when nothing can go on from it without the client.
    """
    if response.status not in ("completed", "incomplete"):
        raise SteerRefused("response_not_active", f"The response is {response.status}.")
    if response.status == "completed" and open_calls(response):
        raise SteerRefused("response_not_active", "The response has ended with calls that need their outputs first.")
    items = tuple(item for steering in steers for item in steering.items)
    return replace(request, input=items, previous_response_id=response.id)


def steer_accepted(steering: Steering, number: int) -> bytes:
    """The event that takes input over."""
    steer = {"id": steering.id, "previous_response_id": steering.frame.previous_response_id}
    return encode({"type": "response.steer.accepted", "steer": steer, "sequence_number": max(0, number)})


def steer_failed(frame: SteerFrame, refused: SteerRefused, number: int, steer_id: str | None = None) -> bytes:
    """The event that gives input back, as it was sent; `steer_id` if it had been accepted."""
    steer = {"previous_response_id": frame.previous_response_id, "input": frame.input}
    if steer_id is not None:
        steer["id"] = steer_id
    error = {"type": "invalid_request_error", "code": refused.code, "message": refused.message}
    return encode({"type": "response.steer.failed", "steer": steer, "error": error, "sequence_number": max(0, number)})
