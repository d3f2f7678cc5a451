"""The headers that every answer carries, whether it is a response, an error or the upgrade to a WebSocket."""

import time
from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from antiphon.server.azure import CLIENT_REQUEST_ID, REQUEST_IDS, AzureOptions
from antiphon.server.cors import Cors, Header
from antiphon.server.guards import REQUEST_ID_HEADER, is_request_id
from antiphon.service.ids import new_id

ORGANIZATION, PROJECT = b"openai-organization", b"openai-project"


class HeaderOptions(Struct, frozen=True, kw_only=True):
    """What `openai-*` headers say; a client that names an organization or a project gets its own name back."""

    version: str = "2020-10-01"
    organization: str = "antiphon"
    project: str | None = None


class ReplyHeaders:
    """Those of one answer. `request_id` is the client's or one of ours; it may be set until the answer begins."""

    def __init__(self, request_id: str, id_names: Sequence[bytes], headers: list[Header]) -> None:
        self.request_id = request_id
        self._id_names = id_names
        self._headers = headers
        self._started_at = time.perf_counter()

    def add(self, headers: Iterable[Header]) -> None:
        """More of them, with names in lower case."""
        self._headers.extend(headers)

    def lines(self) -> list[Header]:
        """All of them, as they stand now."""
        request_id = self.request_id.encode("latin-1")
        elapsed_ms = (time.perf_counter() - self._started_at) * 1000
        return [
            *((name, request_id) for name in self._id_names),
            (b"openai-processing-ms", b"%d" % max(1, elapsed_ms)),
            *self._headers,
        ]


class HeaderPolicy:
    """Makes the headers of answers from those of requests."""

    def __init__(self, options: HeaderOptions, azure: AzureOptions, cors: Cors) -> None:
        self._cors = cors
        self._version = (b"openai-version", options.version.encode())
        self._organization = options.organization.encode()
        self._project = options.project.encode() if options.project else None
        self._region = (b"x-ms-region", azure.region.encode())

    def reply_to(self, said: Mapping[bytes, str], *, azure: bool) -> ReplyHeaders:
        """The headers of the answer to a request that has `said` its own; `azure`: at one of Azure's paths."""
        request_id = said.get(REQUEST_ID_HEADER)
        if request_id is None or not is_request_id(request_id):
            request_id = new_id("req")
        answer = [self._version, (ORGANIZATION, _echo(said, ORGANIZATION) or self._organization)]
        project = _echo(said, PROJECT) or self._project
        if project is not None:
            answer.append((PROJECT, project))
        answer += self._cors.headers(said.get(b"origin"))
        if not azure:
            return ReplyHeaders(request_id, (REQUEST_ID_HEADER,), answer)
        answer.append(self._region)
        client_id = _echo(said, CLIENT_REQUEST_ID)
        if client_id is not None:
            answer.append((CLIENT_REQUEST_ID, client_id))
        return ReplyHeaders(request_id, (REQUEST_ID_HEADER, *REQUEST_IDS), answer)


def _echo(said: Mapping[bytes, str], name: bytes) -> bytes | None:
    """The client's own value, if it can be said back; an odd one counts as none."""
    value = said.get(name)
    return value.encode() if value and is_request_id(value) else None
