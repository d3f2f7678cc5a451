"""Which pages of other origins may call this server, and the headers that tell their browsers so.

Spec: Fetch standard, "CORS protocol".
"""

import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from msgspec import Struct

Header = tuple[bytes, bytes]

EXPOSED = (
    "x-request-id, openai-processing-ms, openai-version, openai-organization, openai-project, "
    "x-ratelimit-limit-requests, x-ratelimit-remaining-requests, x-ratelimit-reset-requests, "
    "x-ratelimit-limit-tokens, x-ratelimit-remaining-tokens, x-ratelimit-reset-tokens, "
    "retry-after, retry-after-ms, x-should-retry, "
    "apim-request-id, x-ms-request-id, x-ms-region, x-ms-client-request-id"
)
"""What a page may read of an answer's headers beyond those that every page may."""

PREFLIGHT_AGE_S = 600
_HEADER_NAMES = re.compile(r"[\w!#$%&'*+.^`|~-]+(\s*,\s*[\w!#$%&'*+.^`|~-]+)*", re.ASCII)


class CorsOptions(Struct, frozen=True, kw_only=True):
    """`origins` may call from a browser; `*` is every one. With `credentials` a browser sends its cookies too, and
    `*` has no effect: browsers refuse the two together."""

    origins: Sequence[str] = ()
    credentials: bool = False


class Cors:
    """Decides by the `origin` header; no header at all is no browser, or a page of our own."""

    def __init__(self, options: CorsOptions) -> None:
        self._origins = frozenset(origin.lower().rstrip("/") for origin in options.origins)
        self._credentials = options.credentials
        self._open = "*" in self._origins and not options.credentials

    def allows(self, origin: str | None) -> bool:
        """Whether the server was told to let pages of this origin in."""
        return origin is not None and (self._open or (origin != "*" and origin.lower() in self._origins))

    def is_foreign(self, origin: str | None, host: str | None) -> bool:
        """Whether a page asks that neither came from this server (`host` is what it was called) nor is let in."""
        return origin is not None and urlsplit(origin).netloc != host and not self.allows(origin)

    def headers(self, origin: str | None) -> list[Header]:
        """What every answer says. Caches must keep answers to different origins apart, where these differ."""
        if not self._origins:
            return []
        if self._open:
            return [(b"access-control-allow-origin", b"*"), (b"access-control-expose-headers", EXPOSED.encode())]
        vary = (b"vary", b"origin")
        if origin is None or not self.allows(origin):
            return [vary]
        allowed = [
            vary,
            (b"access-control-allow-origin", origin.encode("latin-1")),
            (b"access-control-expose-headers", EXPOSED.encode()),
        ]
        return [*allowed, (b"access-control-allow-credentials", b"true")] if self._credentials else allowed

    def preflight(self, origin: str | None, methods: str, wanted_headers: str | None) -> list[Header]:
        """What the answer to a preflight says besides: every header is fine, for handlers read what they know."""
        if not self.allows(origin):
            return []
        answer = [
            (b"access-control-allow-methods", methods.encode()),
            (b"access-control-max-age", b"%d" % PREFLIGHT_AGE_S),
        ]
        if wanted_headers is not None and _HEADER_NAMES.fullmatch(wanted_headers):
            answer.append((b"access-control-allow-headers", wanted_headers.encode()))
        return answer
