"""Whether what a key makes is stored: as the request says, never, or always.

`forbid` serves `store: true` like `store: false`, as OpenAI does for organisations without data retention: nothing is
stored and the response says so. What cannot work without storing is refused: background responses, writing to
conversations and prompts.
"""

from antiphon.errors import InvalidRequest, StoreUnavailable
from antiphon.service.caller import Caller
from antiphon.service.manner import Manner
from antiphon.wire.request import CreateResponse

_CODE = "unsupported_value"


def is_stored(request: CreateResponse, caller: Caller, manner: Manner, *, store_enabled: bool) -> bool:
    """Whether a response is stored. Raises: StoreUnavailable where it must be and this server stores nothing."""
    if caller.store == "force" and not store_enabled:
        raise StoreUnavailable("What this API key makes must be stored, and this server stores nothing.")
    if caller.store == "forbid" or not store_enabled:
        return False
    return caller.store == "force" or manner.force_store or request.store is not False


def check_policy(request: CreateResponse, caller: Caller) -> None:
    """Raises: InvalidRequest for a request that cannot be served without storing."""
    if caller.store != "forbid":
        return
    if request.background:
        raise InvalidRequest(
            "Background responses must be stored, and nothing may be stored for this API key.",
            param="background",
            code=_CODE,
        )
    if request.conversation is not None:
        raise InvalidRequest(
            "Conversations are stored, and nothing may be stored for this API key.", param="conversation", code=_CODE
        )


def check_kept(caller: Caller) -> None:
    """Raises: InvalidRequest for a caller who may not write to conversations and prompts."""
    if caller.store == "forbid":
        raise InvalidRequest("This is stored, and nothing may be stored for this API key.", code=_CODE)


def check_stored_delivery(caller: Caller) -> None:
    """Raises: InvalidRequest for a caller who may not add tool outputs to a response that is stored."""
    if caller.store == "forbid":
        raise InvalidRequest(
            "The response is stored with its tool outputs, and nothing may be stored for this API key.",
            param="tool_outputs",
            code=_CODE,
        )
