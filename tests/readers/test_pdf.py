"""The text of PDF files, and every reason why there is none."""

import asyncio
import io
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from pypdf import PdfReader, PdfWriter

from antiphon.errors import InvalidRequest
from antiphon.readers.pdf import PdfDocuments
from tests.readers.pdf_file import pdf


@contextmanager
def documents(**limits: float) -> Iterator[PdfDocuments]:
    reader = PdfDocuments(max_pages=int(limits.get("max_pages", 10)), timeout_s=limits.get("timeout_s", 20.0))
    yield reader
    asyncio.run(reader.close())


def encrypted() -> bytes:
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(pdf("secret"))))
    writer.encrypt("key", algorithm="RC4-128")
    written = io.BytesIO()
    writer.write(written)
    return written.getvalue()


def test_the_text_of_all_pages() -> None:
    with documents() as reader:
        assert asyncio.run(reader.text(pdf("First page", "Second page"))) == "First page\n\nSecond page"


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        (b"%PDF-1.4 nothing", "cannot be read"),
        (pdf("a", "b", "c"), "has 3 pages, more than 2"),
        (pdf(""), "holds no text"),
        (encrypted(), "is encrypted"),
    ],
)
def test_why_there_is_none(file: bytes, reason: str) -> None:
    with documents(max_pages=2) as reader, pytest.raises(InvalidRequest, match=reason):
        asyncio.run(reader.text(file))


def test_a_file_that_takes_too_long_is_given_up_and_the_next_one_is_read() -> None:
    with documents(timeout_s=0.01) as reader, pytest.raises(InvalidRequest, match="within"):
        asyncio.run(reader.text(pdf("slow")))
    with documents() as reader:
        assert asyncio.run(reader.text(pdf("quick"))) == "quick"
