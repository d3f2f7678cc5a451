"""What a request's path and headers say before anything is done: how to answer it, and who it seems to be from."""

import re
from collections.abc import Iterable

from msgspec import Struct

from antiphon.server.azure import CLIENT_REQUEST_ID, AzureOptions, Versions
from antiphon.server.cors import Cors, Header
from antiphon.server.error_answers import ErrorStyle, error_style
from antiphon.server.guards import REQUEST_ID_HEADER
from antiphon.server.paths import is_azure
from antiphon.server.reply_headers import ORGANIZATION, PROJECT, HeaderOptions, HeaderPolicy, ReplyHeaders
from antiphon.service.manner import Manner

DIALECT = b"x-antiphon-dialect"
TRACEPARENT = b"traceparent"
ORIGIN, HOST = b"origin", b"host"
_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
"""Spec: W3C Trace Context, version 00; those to come are read as that one."""
_READ = frozenset({DIALECT, ORIGIN, HOST, REQUEST_ID_HEADER, ORGANIZATION, PROJECT, CLIENT_REQUEST_ID, TRACEPARENT})


class Arrival(Struct, frozen=True, kw_only=True):
    """One request, HTTP or upgrade, as it came. `reply` holds the headers of its answer, whatever that will be."""

    reply: ReplyHeaders
    manner: Manner
    error_style: ErrorStyle
    origin: str | None
    is_from_foreign_page: bool


class Reception:
    """Looks at requests as they come. `dialect` is the server's own."""

    def __init__(self, headers: HeaderOptions, azure: AzureOptions, cors: Cors, *, strict: bool, dialect: str) -> None:
        self.cors = cors
        self.versions = Versions(strict=strict)
        self._policy = HeaderPolicy(headers, azure, cors)
        self._azure = azure
        self._dialect = dialect

    def receive(self, path: str, headers: Iterable[Header]) -> Arrival:
        """What a path and the headers, with names in lower case, come to."""
        said = {name: value.decode("latin-1") for name, value in headers if name in _READ}
        dialect, origin = said.get(DIALECT), said.get(ORIGIN)
        azure = self._azure.enabled and is_azure(path)
        return Arrival(
            reply=self._policy.reply_to(said, azure=azure),
            manner=Manner(
                dialect=dialect,
                azure=azure,
                force_store=azure and self._azure.force_store,
                traceparent=_traceparent(said.get(TRACEPARENT)),
            ),
            error_style=error_style(dialect or self._dialect, azure=azure),
            origin=origin,
            is_from_foreign_page=self.cors.is_foreign(origin, said.get(HOST)),
        )


def _traceparent(said: str | None) -> str | None:
    return said if said is not None and _TRACEPARENT.fullmatch(said) else None
