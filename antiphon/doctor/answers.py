"""Asking as a client would, through everything that a client's request goes through."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from antiphon.errors import AntiphonError, EngineError
from antiphon.service.caller import ANYBODY
from antiphon.service.records import encode_response
from antiphon.service.responses import Responses
from antiphon.wire.decode import decode_create


class Answer(Struct, frozen=True):
    """A response as a client gets it, or the error that it gets."""

    response: Mapping[str, Any] | None = None
    error: AntiphonError | None = None

    @property
    def problem(self) -> str | None:
        """What went wrong, None where the response came to an end of its own."""
        if self.error is not None:
            return self.error.message
        failure = (self.response or {}).get("error")
        return str(failure["message"]) if failure else None

    def items(self, kind: str) -> Sequence[Mapping[str, Any]]:
        """The output items of one type."""
        return [item for item in (self.response or {}).get("output", ()) if item["type"] == kind]

    @property
    def text(self) -> str:
        """All text of the messages."""
        parts = [part for item in self.items("message") for part in item["content"]]
        return "".join(part.get("text", "") for part in parts)

    @property
    def is_cut_off(self) -> bool:
        """Whether the limit of tokens ended it."""
        return (self.response or {}).get("status") == "incomplete"

    @property
    def cached_tokens(self) -> int:
        """How much of the prompt the server had in its cache."""
        usage = (self.response or {}).get("usage") or {}
        return int(usage.get("input_tokens_details", {}).get("cached_tokens", 0))


async def ask(service: Responses, body: Mapping[str, object], *, at_most_s: float) -> Answer:
    """The answer to the request with this body; one that takes too long is given up."""
    try:
        async with asyncio.timeout(at_most_s):
            run = await service.create(decode_create(msgspec.json.encode(body)), ANYBODY)
            try:
                response = await run.wait()
            except asyncio.CancelledError:
                run.cancel()
                raise
    except TimeoutError:
        return Answer(error=EngineError(f"There was no answer within {at_most_s:g} s."))
    except AntiphonError as error:
        return Answer(error=error)
    return Answer(msgspec.json.decode(encode_response(response)))
