"""What sets Azure's flavour of the API apart: versions, headers, the shape of errors.

Everything else is the same: the paths of `paths.AZURE_BASES` lead to the handlers of OpenAI's.
Source: Azure OpenAI REST reference, data plane, `v1` and the dated previews.
"""

import logging
import re
from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from antiphon.errors import InvalidRequest
from antiphon.server.paths import AZURE_ROOT
from antiphon.wire.request import CreateResponse

logger = logging.getLogger(__name__)

API_VERSIONS: Sequence[str] = (
    "v1",
    "preview",
    "latest",
    "2025-03-01-preview",
    "2025-04-01-preview",
)
"""The versions that are known to be served as they are here: those with responses, and the undated ones."""

CLIENT_REQUEST_ID = b"x-ms-client-request-id"
REQUEST_IDS = (b"apim-request-id", b"x-ms-request-id")
_VERSIONLESS = f"{AZURE_ROOT}/v1/"
_MOST_LOGGED = 64
_LOGGABLE = re.compile(r"[\w.-]{1,40}", re.ASCII)


class AzureOptions(Struct, frozen=True, kw_only=True):
    """`enabled` False: there are no such paths. `force_store` stores what comes through them, whatever it says.

    `region` is what `x-ms-region` says.
    """

    enabled: bool = True
    force_store: bool = True
    region: str = "local"


class Versions:
    """Looks at `api-version`. An unlisted one is served, and logged once; `strict` refuses it."""

    def __init__(self, *, strict: bool) -> None:
        self._strict = strict
        self._seen: set[str] = set()

    def check(self, path: str, version: str | None) -> None:
        """Raises: InvalidRequest, in strict mode, for an unlisted version, and for none where the path needs one."""
        if version in API_VERSIONS or (version is None and path.startswith(_VERSIONLESS)):
            return
        if self._strict:
            raise InvalidRequest(
                f"API version not supported. Supported values are: {', '.join(map(repr, API_VERSIONS))}.",
                param="api-version",
            )
        self._note(version or "none")

    def _note(self, version: str) -> None:
        if version in self._seen or len(self._seen) >= _MOST_LOGGED:
            return
        self._seen.add(version)
        shown = version if _LOGGABLE.fullmatch(version) else "one that is no version"
        logger.warning("a request for Azure names an api-version that is not listed: %s; it is served", shown)


def at_deployment(request: CreateResponse, deployment: str | None) -> CreateResponse:
    """The request as it is meant where its path names a deployment: that is the model, unless it names one itself."""
    return replace(request, model=deployment) if deployment is not None and not request.model else request
