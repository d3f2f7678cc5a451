"""How the servers of one upstream are reached and spoken to."""

import ssl
from collections.abc import Mapping

from msgspec import Struct, field

from antiphon.engines.chat_quirks import Quirks
from antiphon.engines.http_proxy import Proxy
from antiphon.errors import SetupError


class Link(Struct, frozen=True, kw_only=True):
    """What holds for every server of an upstream. `tls` None is the system's trust, for https addresses.

    `server` is the kind of server where that is known beforehand; `quirks` overrules single columns of its row.
    """

    api_key: str | None = field(default=None)
    headers: Mapping[str, str] = {}
    tls: ssl.SSLContext | None = None
    proxy: Proxy | None = None
    connect_timeout_s: float = 5.0
    forward_credentials: bool = False
    server: str | None = None
    quirks: Mapping[str, object] = {}

    def applied_to(self, quirks: Quirks) -> Quirks:
        """A row of the table with what this upstream overrules."""
        return quirks.overruled(self.quirks)

    def check(self) -> None:
        """Raises: SetupError for what could not be sent."""
        if self.api_key is not None and not (self.api_key.isascii() and self.api_key.isprintable()):
            raise SetupError("The engine's API key holds characters that an HTTP header must not hold.")
