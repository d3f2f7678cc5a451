"""The public keys of an issuer of tokens: found by OpenID Connect discovery, and kept.

Everything is read in a thread, bounded in size and time, without redirects. Only one request is under way at a time.
"""

import asyncio
import json
import logging
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from http.client import HTTPException, HTTPMessage
from typing import IO, Any, Generic, TypeVar
from urllib.parse import urlsplit

from antiphon.errors import IssuerUnavailable

logger = logging.getLogger(__name__)

K = TypeVar("K")

DISCOVERY = "/.well-known/openid-configuration"
FRESH_S = 300.0
"""How long keys are used without asking whether they still hold."""
STALE_S = 86_400.0
"""How long they are used while the issuer does not answer."""
APART_S = 5.0
"""The least time between two requests, however many unknown keys are named."""
TIMEOUT_S = 5.0
MOST_BYTES = 2**20


class IssuerKeys(Generic[K]):
    """The keys by their ids. `read` makes them from the issuer's key set."""

    def __init__(
        self,
        issuer: str,
        read: Callable[[object], Mapping[str | None, K]],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._issuer = issuer
        self._read = read
        self._clock = clock
        self._keys: Mapping[str | None, K] = {}
        self._read_at = float("-inf")
        self._asked_at = float("-inf")
        self._asking: asyncio.Task[None] | None = None

    async def find(self, key_id: str | None) -> K | None:
        """The key of that id; the only one there is for None. Raises: IssuerUnavailable."""
        now = self._clock()
        found = self._lookup(key_id)
        if found is not None and now - self._read_at < FRESH_S:
            return found
        if self._asking is None and now - self._asked_at >= APART_S:
            self._asked_at = now
            self._asking = asyncio.get_running_loop().create_task(self._ask())
        if found is not None and now - self._read_at < STALE_S:
            return found
        if self._asking is not None:
            await asyncio.shield(self._asking)
        if self._clock() - self._read_at >= STALE_S:
            raise IssuerUnavailable("The issuer of tokens cannot be reached now.", retry_after_s=APART_S)
        return self._lookup(key_id)

    def _lookup(self, key_id: str | None) -> K | None:
        if key_id is None:
            return next(iter(self._keys.values())) if len(self._keys) == 1 else None
        return self._keys.get(key_id)

    async def _ask(self) -> None:
        try:
            self._keys = await asyncio.to_thread(self._fetch)
            self._read_at = self._clock()
        except (OSError, HTTPException, ValueError) as error:  # what is said of it is the operator's configuration
            logger.error("the keys of the issuer %s cannot be read: %s", self._issuer, error)
        finally:
            self._asking = None

    def _fetch(self) -> Mapping[str | None, K]:
        """Raises: OSError, HTTPException, ValueError."""
        found = _get_json(self._issuer.rstrip("/") + DISCOVERY)
        if found.get("issuer") != self._issuer:
            raise ValueError(f"the discovery document is that of {found.get('issuer')!r}")
        address = found.get("jwks_uri")
        if not isinstance(address, str) or not is_safe(address):
            raise ValueError("the discovery document has no jwks_uri with https")
        keys = self._read(_get_json(address))
        if not keys:
            raise ValueError("the key set holds no key for signatures")
        return keys


def is_safe(address: str) -> bool:
    """Whether nobody on the way can put in keys of their own: https, or this machine."""
    parts = urlsplit(address)
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in ("127.0.0.1", "::1", "localhost"))


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> None:
        return None


_opener = urllib.request.build_opener(_NoRedirect)


def _get_json(address: str) -> dict[str, Any]:
    request = urllib.request.Request(address, headers={"Accept": "application/json"})
    with _opener.open(request, timeout=TIMEOUT_S) as answer:
        body = answer.read(MOST_BYTES + 1)
    if len(body) > MOST_BYTES:
        raise ValueError(f"{address} answers more than {MOST_BYTES} bytes")
    found = json.loads(body)
    if not isinstance(found, dict):
        raise ValueError(f"{address} does not answer a JSON object")
    return found
