"""A script: the text of PDF files, page by page. A request is the most pages it may have (four bytes) and the file."""

import io
import json
import logging
import struct

from pypdf import PdfReader
from pypdf.errors import PyPdfError

from antiphon.readers.frames import serve

_PAGES = struct.Struct(">I")
UNREADABLE = (PyPdfError, ValueError, KeyError, TypeError, AttributeError, IndexError, OSError)
"""What a broken file makes the library raise."""


def read(request: bytes) -> bytes:
    """`{"text": …}` or `{"fault": …}`, as JSON."""
    (most,) = _PAGES.unpack(request[: _PAGES.size])
    try:
        return json.dumps(_text(request[_PAGES.size :], most)).encode()
    except (MemoryError, RecursionError):
        return b'{"fault":"too_large"}'
    except UNREADABLE:
        return b'{"fault":"unreadable"}'


def _text(file: bytes, most: int) -> dict[str, str | int]:
    reader = PdfReader(io.BytesIO(file))
    if reader.is_encrypted and not reader.decrypt(""):
        return {"fault": "encrypted"}
    pages = len(reader.pages)
    if pages > most:
        return {"fault": "pages", "pages": pages}
    text = "\n\n".join(page.extract_text() for page in reader.pages).strip()
    return {"text": text.encode("utf-8", "replace").decode()} if text else {"fault": "empty"}


if __name__ == "__main__":
    logging.disable()
    serve(read)
