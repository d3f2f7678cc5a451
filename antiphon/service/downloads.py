"""Images and files by address: fetched by this server, so that no engine goes where a request sends it.

The model gets them as data; stored items keep the address. What went before a request may be gone by now: then the
model is told so, and the conversation goes on.
"""

import asyncio
import mimetypes
from base64 import b64encode
from collections.abc import Mapping, Sequence
from urllib.parse import unquote, urlsplit

from msgspec.structs import replace

from antiphon.errors import InvalidRequest
from antiphon.ports import Fetched, Fetcher
from antiphon.wire.content import InputFile, InputImage, InputText

MOST = 100
"""Addresses in one request."""
GONE = "(What stood here cannot be fetched any more.)"
HISTORY = "input"
_SIGNATURES = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF87a": "image/gif",
    b"GIF89a": "image/gif",
}

Remote = InputImage | InputFile
Here = InputImage | InputFile | InputText


def is_remote(part: Remote) -> bool:
    """Whether a part has to be fetched."""
    if isinstance(part, InputImage):
        return (part.image_url or "").startswith(("http://", "https://"))
    return part.file_url is not None and part.file_data is None


async def download(
    parts: Mapping[Remote, str], fetcher: Fetcher | None, *, image_bytes: int, file_bytes: int
) -> dict[Remote, Here]:
    """Each remote part with its data; `parts` says where each stands, `HISTORY` for what went before.

    Raises: InvalidRequest naming the part.
    """
    remote = {part: path for part, path in parts.items() if is_remote(part)}
    if len(remote) > MOST:
        raise InvalidRequest(f"A request may name {MOST} addresses at most.", param=HISTORY)
    most = {part: image_bytes if isinstance(part, InputImage) else file_bytes for part in remote}
    found = await asyncio.gather(*(_download(part, path, fetcher, most[part]) for part, path in remote.items()))
    return dict(zip(remote, found, strict=True))


async def _download(part: Remote, path: str, fetcher: Fetcher | None, most: int) -> Here:
    is_image = isinstance(part, InputImage)
    url = (part.image_url if isinstance(part, InputImage) else part.file_url) or ""
    param = path if path == HISTORY else f"{path}.{'image_url' if is_image else 'file_url'}"
    try:
        if fetcher is None:
            raise InvalidRequest("This server fetches nothing; send the data itself.", param=param)
        fetched = await fetcher.fetch(url, max_bytes=most, param=param)
    except InvalidRequest:
        if path != HISTORY:
            raise
        return InputText(GONE)
    if isinstance(part, InputImage):
        return replace(part, image_url=data_url(_image_type(fetched), fetched.body))
    name = part.filename or unquote(urlsplit(url).path.rpartition("/")[2]) or None
    kind = fetched.content_type or mimetypes.guess_type(name or "")[0] or "application/octet-stream"
    return replace(part, file_url=None, file_data=data_url(kind, fetched.body), filename=name)


def data_url(kind: str, body: bytes) -> str:
    """The data itself, in the form of an address."""
    return f"data:{kind};base64,{b64encode(body).decode()}"


def _image_type(fetched: Fetched) -> str:
    """What the bytes say, whatever their server said."""
    for signature, kind in _SIGNATURES.items():
        if fetched.body.startswith(signature):
            return kind
    if fetched.body[:4] == b"RIFF" and fetched.body[8:12] == b"WEBP":
        return "image/webp"
    return fetched.content_type or "application/octet-stream"


def exchanged(parts: Sequence[object], here: Mapping[Remote, Here]) -> tuple[object, ...]:
    """The parts, those that were fetched in their new form."""
    return tuple(here.get(part, part) if isinstance(part, InputImage | InputFile) else part for part in parts)
