"""Images and files of a conversation: checked when they come, and files turned into the text that the model reads.

Stored items keep a file as the client sent it; what it says is remembered here, since every turn of a chain asks again.
"""

import asyncio
import binascii
import re
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from antiphon.errors import InvalidRequest
from antiphon.ports import Documents, Fetcher, Model
from antiphon.service.downloads import HISTORY, Here, Remote, download, exchanged, is_remote
from antiphon.wire.content import InputFile, InputImage, InputText
from antiphon.wire.hosted import ComputerCallOutput
from antiphon.wire.items import CustomToolCallOutput, FunctionCallOutput, Item, Message

IMAGE_TYPES = ("image/png", "image/jpeg", "image/webp", "image/gif")
TEXT_TYPES = re.compile(
    r"text/.*|application/(json|xml|yaml|x-yaml|toml|javascript|x-javascript|typescript|sql|x-sh|x-python|x-ndjson)"
    r"|.*\+(json|xml)"
)
UNSAID_TYPES = ("", "application/octet-stream")
MAX_REMEMBERED_BYTES = 16 * 2**20
_DATA_URL = re.compile(r"data:([\w.+-]+/[\w.+-]+)?((?:;[\w.+-]+=[^;,]*)*)(;base64)?,", re.ASCII)


class MediaLimits(Struct, frozen=True, kw_only=True):
    """Largest image and file, decoded."""

    max_image_bytes: int
    max_file_bytes: int


class Part(NamedTuple):
    """An image or a file, and where it stands in the request; in what went before it is only `input`."""

    part: InputImage | InputFile
    path: str


class Media:
    """Checks and reads. `documents` reads PDF files, `fetcher` gets what comes by address; without it there is none."""

    def __init__(self, limits: MediaLimits, documents: Documents | None, fetcher: Fetcher | None = None) -> None:
        self._limits = limits
        self._fetcher = fetcher
        self._documents = documents
        self._texts: OrderedDict[bytes, str] = OrderedDict()

    async def read(self, items: Sequence[Item], own: int, model: Model) -> Sequence[Item]:
        """The items with every file as text; the last `own` are the request's.

        Raises: InvalidRequest naming the part.
        """
        found = list(_parts(items, len(items) - own))
        if not found:
            return items
        for part, path in found:
            if isinstance(part, InputImage) and not model.images:
                raise InvalidRequest(f"The model '{model.id}' takes no images.", param=path, code="unsupported_value")
        if any(is_remote(part) for part, _ in found):
            items = await self._downloaded(items, found)
            found = list(_parts(items, len(items) - own))
        await asyncio.to_thread(self._check_images, [each for each in found if each.path != HISTORY])
        files = {part: path for part, path in found if isinstance(part, InputFile)}
        if not files:
            return items
        texts = {part: await self._text(part, path) for part, path in files.items()}
        return [_with_texts(item, texts) for item in items]

    async def _downloaded(self, items: Sequence[Item], found: Sequence[Part]) -> Sequence[Item]:
        limits = self._limits
        here = await download(
            {part: path for part, path in found},
            self._fetcher,
            image_bytes=limits.max_image_bytes,
            file_bytes=limits.max_file_bytes,
        )
        return [_with_parts(item, here) for item in items]

    def _check_images(self, parts: Sequence[Part]) -> None:
        for part, path in parts:
            if isinstance(part, InputImage) and part.image_url:
                _check_image(part.image_url, f"{path}.image_url", self._limits.max_image_bytes)

    async def _text(self, file: InputFile, path: str) -> InputText:
        name = file.filename or "file"
        key = sha256(f"{name}\n{file.file_data}".encode()).digest()
        text = self._texts.get(key)
        if text is None:
            text = await self._read_file(file, f"{path}.file_data")
            self._remember(key, text)
        self._texts.move_to_end(key)
        return InputText(f'<file name="{name}">\n{text}\n</file>')

    async def _read_file(self, file: InputFile, path: str) -> str:
        kind, body = await asyncio.to_thread(_decoded, file.file_data or "", path, self._limits.max_file_bytes)
        if kind == "application/pdf" or (kind in UNSAID_TYPES and body.startswith(b"%PDF-")):
            return await self._read_pdf(body, path)
        if kind not in UNSAID_TYPES and not TEXT_TYPES.fullmatch(kind):
            raise InvalidRequest(f"Files of type '{kind}' cannot be read.", param=path, code="unsupported_file_type")
        try:
            text = body.decode("utf-8-sig")
        except UnicodeDecodeError:
            raise InvalidRequest("The file is neither PDF nor UTF-8 text.", param=path) from None
        if "\0" in text:
            raise InvalidRequest("The file is neither PDF nor text.", param=path, code="unsupported_file_type")
        return text

    async def _read_pdf(self, body: bytes, path: str) -> str:
        if self._documents is None:
            raise InvalidRequest("PDF files are not read by this server.", param=path, code="unsupported_value")
        try:
            return await self._documents.text(body)
        except InvalidRequest as error:
            raise InvalidRequest(error.message, param=path, code=error.code) from None

    def _remember(self, key: bytes, text: str) -> None:
        self._texts[key] = text
        size = sum(map(len, self._texts.values()))
        while size > MAX_REMEMBERED_BYTES and len(self._texts) > 1:
            size -= len(self._texts.popitem(last=False)[1])


def _parts(items: Sequence[Item], first_own: int) -> Iterator[Part]:
    for at, item in enumerate(items):
        place = f"input[{at - first_own}]" if at >= first_own else None
        match item:
            case Message(content=content):
                parts, name = content, "content"
            case FunctionCallOutput(output=tuple(content)) | CustomToolCallOutput(output=tuple(content)):
                parts, name = content, "output"
            case ComputerCallOutput(output=shot):
                yield Part(InputImage(image_url=shot.image_url), f"{place}.output" if place else "input")
                continue
            case _:
                continue
        for index, part in enumerate(parts):
            if isinstance(part, InputImage | InputFile):
                yield Part(part, f"{place}.{name}[{index}]" if place else "input")


def _with_parts(item: Item, here: Mapping[Remote, Here]) -> Item:
    match item:
        case Message(content=content):
            return replace(item, content=exchanged(content, here))
        case FunctionCallOutput(output=tuple(content)) | CustomToolCallOutput(output=tuple(content)):
            return replace(item, output=exchanged(content, here))
        case ComputerCallOutput(output=shot):
            now = here.get(InputImage(image_url=shot.image_url))
            if isinstance(now, InputImage):
                return replace(item, output=replace(shot, image_url=now.image_url))
    return item


def _with_texts(item: Item, texts: dict[InputFile, InputText]) -> Item:
    def text_of(part: object) -> object:
        return texts[part] if isinstance(part, InputFile) else part

    match item:
        case Message(content=content) if any(isinstance(part, InputFile) for part in content):
            return replace(item, content=tuple(map(text_of, content)))
        case FunctionCallOutput(output=tuple(content)) | CustomToolCallOutput(output=tuple(content)):
            return replace(item, output=tuple(map(text_of, content)))
    return item


def _check_image(url: str, path: str, most: int) -> None:
    head = _DATA_URL.match(url)
    if head is None or not head[3]:
        raise InvalidRequest("The image is no data URL in base64.", param=path, code="invalid_image_url")
    kind = (head[1] or "").lower()
    if kind not in IMAGE_TYPES:
        raise InvalidRequest(
            f"Images of type '{kind}' are not supported. Supported are {', '.join(IMAGE_TYPES)}.",
            param=path,
            code="unsupported_image_media_type",
        )
    if (len(url) - head.end()) * 3 // 4 > most:
        raise InvalidRequest(
            f"The image is larger than {most} bytes (setting 'max_image_bytes').", param=path, code="image_too_large"
        )
    if not _bytes_of(url[head.end() :], path, "invalid_base64_image"):
        raise InvalidRequest("The image is empty.", param=path, code="empty_image_file")


def _decoded(data: str, path: str, most: int) -> tuple[str, bytes]:
    """The media type, empty if unsaid, and the bytes of a data URL or of plain base64."""
    head = _DATA_URL.match(data[:1000])
    if data.startswith("data:") and (head is None or not head[3]):
        raise InvalidRequest("The file is no data URL in base64.", param=path)
    start = head.end() if head else 0
    if (len(data) - start) * 3 // 4 > most:
        raise InvalidRequest(f"The file is larger than {most} bytes (setting 'max_file_bytes').", param=path)
    kind = (head[1] or "").lower() if head else ""
    return kind, _bytes_of(data[start:], path, "invalid_base64_file")


def _bytes_of(text: str, path: str, code: str) -> bytes:
    try:
        return binascii.a2b_base64("".join(text.split()), strict_mode=True)
    except (binascii.Error, ValueError):
        raise InvalidRequest("The data is not valid base64.", param=path, code=code) from None
