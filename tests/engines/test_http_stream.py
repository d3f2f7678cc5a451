"""Bodies come out as they were sent, however they were cut, and whole chunks past the parser."""

import asyncio
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon.engines.http_stream import HttpConnection

HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
END = b"0\r\n\r\n"


class Wire(asyncio.Transport):
    """The end of a connection that only writes, to nowhere."""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        pass

    def abort(self) -> None:
        pass

    def is_closing(self) -> bool:
        return False


class Heard:
    """A reader that takes what gathers, and whole chunks if it `takes_chunks`."""

    def __init__(self, *, takes_chunks: bool = True) -> None:
        self.connection = HttpConnection(lambda _: None)
        self.connection.connection_made(Wire())
        self.connection.send(b"GET / HTTP/1.1\r\n\r\n")
        self.connection.eager = self._take
        self.connection.on_chunk = self._take_chunk
        self.connection.arrival()
        self.body = b""
        self.chunks = 0
        self._takes_chunks = takes_chunks

    def _take(self) -> bool:
        self.body += self.connection.take()
        return True

    def _take_chunk(self, chunk: bytes) -> bool:
        if self._takes_chunks:
            self.body += chunk
            self.chunks += 1
        return self._takes_chunks


def chunk(body: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(body), body)


def hear(*reads: bytes, takes_chunks: bool = True) -> Heard:
    async def play() -> Heard:
        heard = Heard(takes_chunks=takes_chunks)
        for read in reads:
            heard.connection.data_received(read)
        return heard

    return asyncio.run(play())


@pytest.mark.parametrize("takes_chunks", [True, False])
def test_chunks_that_come_one_by_one_go_past_the_parser_if_they_are_wanted(takes_chunks: bool) -> None:
    heard = hear(HEAD, *map(chunk, (b"a", b"b" * 300, b"c")), END, takes_chunks=takes_chunks)

    assert heard.body == b"a" + b"b" * 300 + b"c"
    assert heard.chunks == (2 if takes_chunks else 0)  # the parser has to see one to know where it stands
    assert heard.connection.ended and heard.connection.reusable and heard.connection.failure is None


@pytest.mark.parametrize(
    "read",
    [
        b"1\r\na\r\n1\r\nb\r\n",  # two
        b"01\r\na\r\n",
        b"1;x=y\r\na\r\n",
        b"A\r\n0123456789\r\n",
        chunk(b"x" * 2000),
    ],
)
def test_a_chunk_that_is_written_otherwise_is_parsed(read: bytes) -> None:
    plain = hear(HEAD, chunk(b"-"), read, END, takes_chunks=False)
    heard = hear(HEAD, chunk(b"-"), read, chunk(b"+"), END)

    assert heard.body == plain.body + b"+"
    assert heard.chunks == 1


@pytest.mark.parametrize("read", [b"2\r\na\r\n", b"0\r\na\r\n", b"x\r\na\r\n", b"1\r\nab\r\n", b"1\r\na\r", b"\r\n"])
def test_what_breaks_the_protocol_breaks_it_as_before(read: bytes) -> None:
    plain = hear(HEAD, chunk(b"-"), read, chunk(b"+"), takes_chunks=False)
    heard = hear(HEAD, chunk(b"-"), read, chunk(b"+"))

    assert heard.body == plain.body
    assert str(heard.connection.failure) == str(plain.connection.failure)


def test_nothing_goes_past_the_parser_once_the_body_has_ended() -> None:
    assert hear(HEAD, chunk(b"a"), END, chunk(b"b")).chunks == 0


@settings(max_examples=1_000, deadline=None)
@given(
    st.lists(st.binary(min_size=1, max_size=20) | st.just(b"\r\n1\r\n"), min_size=1, max_size=8),
    st.lists(st.integers(0, 250), max_size=12),
)
def test_a_body_is_the_same_however_it_is_cut(bodies: Sequence[bytes], cuts: list[int]) -> None:
    sent = b"".join(map(chunk, bodies)) + END
    places = sorted({0, len(sent), *(cut for cut in cuts if cut < len(sent))})
    heard = hear(HEAD, *(sent[start:end] for start, end in pairwise(places)))

    assert heard.body == b"".join(bodies)
    assert heard.connection.ended and heard.connection.reusable and heard.connection.failure is None


@settings(max_examples=300, deadline=None)
@given(st.lists(st.binary(min_size=1, max_size=20), min_size=1, max_size=8), st.lists(st.booleans(), min_size=8))
def test_whole_chunks_and_cut_ones_may_alternate(bodies: Sequence[bytes], whole: list[bool]) -> None:
    reads: list[bytes] = []
    for body, is_whole in zip(bodies, whole, strict=False):
        written = chunk(body)
        reads += [written] if is_whole else [written[:2], written[2:-1], written[-1:]]
    heard = hear(HEAD, *reads, END)
    assert heard.body == b"".join(bodies)
