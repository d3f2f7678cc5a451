"""What is kept of a log's segment gives its payloads back, byte for byte."""

import random
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import msgpack

from antiphon.core.open_items import Form
from antiphon.core.payloads import Payloads, Texts
from antiphon.stores.packing import pack, unpack
from antiphon.wire.unknown import encode

FORM = Form(b'{"delta":', b',"at":1,"sequence_number":')
WHOLE = st.lists(st.binary(max_size=9), max_size=3)
TEXTS = st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=9), max_size=5)


@given(st.integers(0, 2**40), WHOLE, TEXTS, WHOLE)
def test_every_payload_comes_back(first: int, before: list[bytes], texts: list[str], behind: list[bytes]) -> None:
    made = [FORM.payload(encode(text), at) for at, text in enumerate(texts, first + len(before))]
    payloads = Payloads(first)
    payloads.add([*before, *made, *behind], Texts(FORM, texts, len(before)))

    assert unpack(pack(payloads), first) == (*before, *made, *behind)
    assert unpack(pack(tuple(payloads)), first) == (*before, *made, *behind)


def test_of_an_event_that_goes_on_a_text_only_the_text_is_kept() -> None:
    texts = [f"{number:x}" * 3 for number in range(2000)]
    payloads = Payloads()
    payloads.add([FORM.payload(encode(text), at) for at, text in enumerate(texts)], Texts(FORM, texts))
    assert len(pack(payloads)) < 0.7 * len(pack(tuple(payloads)))


@pytest.mark.parametrize("size", [20, 300, 1024, 3000, 4096, 15_000, 30_000])
def test_what_is_said_again_at_the_end_takes_no_room(size: int) -> None:
    text = random.Random(size).randbytes(size // 2)
    payloads = (text, text)
    packed = pack(payloads)
    assert len(packed) < 0.6 * size + 60
    assert unpack(packed, 0) == payloads


def test_segments_of_whole_payloads_are_read_as_before() -> None:
    payloads = (b'{"a":1}', b'{"b":2}')
    assert unpack(zlib.compress(msgpack.encode(payloads)), 3) == payloads
