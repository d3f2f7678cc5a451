"""What stands before every handler: the request's id, and who is asking."""

import re
from typing import Protocol

from antiphon.errors import InvalidRequest, Unauthorized
from antiphon.service.caller import ANYBODY, Caller
from antiphon.service.keyring import KeyRing

REQUEST_ID_HEADER = b"x-request-id"

_REQUEST_ID = re.compile(r"[\x21-\x7e]{1,128}")


def is_request_id(text: str) -> bool:
    """Whether a client's `x-request-id` can be echoed: 1 to 128 visible ASCII characters."""
    return _REQUEST_ID.fullmatch(text) is not None


def agreed_request_id(said: str, header: str | None) -> str:
    """The id of a request whose body names one. Raises: InvalidRequest for one that cannot be echoed, or is not that of
    the header."""
    if not is_request_id(said):
        raise InvalidRequest("Invalid 'request_id': expected 1 to 128 visible ASCII characters.", param="request_id")
    if header is not None and header != said:
        raise InvalidRequest("'request_id' contradicts the header 'x-request-id'.", param="request_id")
    return said


class Tokens(Protocol):
    """Who knows callers by tokens that an issuer signed."""

    async def verify(self, token: str) -> Caller:
        """Raises: Unauthorized, IssuerUnavailable."""
        ...


class Guard:
    """Lets callers in by the keys of a ring, and by `tokens` where there is an issuer."""

    def __init__(self, keys: KeyRing, tokens: Tokens | None = None) -> None:
        self.keys = keys
        self._tokens = tokens

    async def admit(self, authorization: str | None, api_key: str | None) -> Caller:
        """The caller whose key or token is in the bearer's header or in `api-key`.

        Raises: Unauthorized, IssuerUnavailable.
        """
        if not self.keys.asks:
            return ANYBODY
        given = _bearer(authorization) or api_key
        if not given:
            raise Unauthorized(
                "You didn't provide an API key. Send it in the header 'Authorization: Bearer KEY'.", code=None
            )
        caller = self.keys.find(given)
        if caller is None and self._tokens is not None and given.count(".") == 2:
            return await self._tokens.verify(given)
        if caller is None:
            raise Unauthorized("Incorrect API key provided.")
        if self.keys.current(caller) is None:
            raise Unauthorized("This API key has expired.")
        return caller


def _bearer(authorization: str | None) -> str | None:
    scheme, _, token = (authorization or "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None
