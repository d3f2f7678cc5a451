"""What stands before every handler: the request's id, and who is asking."""

import hashlib
import hmac
import re
from collections.abc import Iterable

from antiphon.errors import InvalidRequest, Unauthorized

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


class KeyRing:
    """The API keys that are let in, kept as hashes. An empty ring lets everybody in."""

    def __init__(self, keys: Iterable[str] = ()) -> None:
        self._digests = tuple(_digest(key) for key in keys)

    def admit(self, authorization: str | None, api_key: str | None) -> None:
        """Raises: Unauthorized unless a bearer token or an `api-key` header holds one of the keys."""
        if not self._digests:
            return
        given = _bearer(authorization) or api_key
        if not given:
            raise Unauthorized(
                "You didn't provide an API key. Send it in the header 'Authorization: Bearer KEY'.", code=None
            )
        digest = _digest(given)
        # Every digest is compared, so that the time taken tells nothing about which one matched.
        if not any([hmac.compare_digest(digest, each) for each in self._digests]):
            raise Unauthorized("Incorrect API key provided.")


def _bearer(authorization: str | None) -> str | None:
    scheme, _, token = (authorization or "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()
