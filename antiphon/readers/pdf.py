"""The text of PDF files, by pypdf (the extra `files`) in a child process."""

import struct
from importlib.util import find_spec
from pathlib import Path

import msgspec
from msgspec import Struct

from antiphon.errors import InvalidRequest
from antiphon.readers.child import Child, ChildFailed

SCRIPT = Path(__file__).with_name("pdf_child.py")
FAULTS = {
    "unreadable": "The PDF file cannot be read.",
    "encrypted": "The PDF file is encrypted.",
    "empty": "The PDF file holds no text; send its pages as images.",
    "too_large": "The PDF file takes too much memory to read.",
}


class _Found(Struct):
    text: str = ""
    fault: str | None = None
    pages: int = 0


class PdfDocuments:
    """Reads one file at a time. `max_pages` and `timeout_s` are for each."""

    def __init__(self, *, max_pages: int, timeout_s: float) -> None:
        self._max_pages = max_pages
        self._timeout_s = timeout_s
        self._child = Child(SCRIPT, timeout_s=timeout_s)

    async def text(self, file: bytes) -> str:
        """Raises: InvalidRequest that says why there is none."""
        if find_spec("pypdf") is None:
            raise InvalidRequest(
                "PDF files are read by the extra 'files', which is not installed on this server "
                "(pip install 'antiphon[files]').",
                code="unsupported_value",
            )
        try:
            answer = await self._child.ask(struct.pack(">I", self._max_pages) + file)
        except ChildFailed:
            raise InvalidRequest(f"The PDF file could not be read within {self._timeout_s:g} s.") from None
        found = msgspec.json.decode(answer, type=_Found)
        if found.fault == "pages":
            raise InvalidRequest(
                f"The PDF file has {found.pages} pages, more than {self._max_pages} (setting 'max_file_pages')."
            )
        if found.fault is not None:
            raise InvalidRequest(FAULTS[found.fault])
        return found.text

    async def close(self) -> None:
        """End the process."""
        await self._child.close()
