"""Reading responses: each function is a job for a reader."""

import sqlite3
from collections.abc import Sequence
from itertools import groupby
from operator import itemgetter
from typing import Literal

import msgspec
from msgspec import Raw

from antiphon.ports import ItemPage, Segment, Status, StoredResponse, Turn
from antiphon.stores.log_part import take_segments
from antiphon.stores.packing import unpack
from antiphon.stores.paging import unknown_after
from antiphon.stores.sql_files import load_statements

_SQL = load_statements("reading")
_RUNS_SQL = load_statements("runs")

_ChainRow = tuple[int, int, str, Status, Literal["input", "output"], Raw]
_chain_decoder = msgspec.json.Decoder(list[_ChainRow])
_page_decoder = msgspec.json.Decoder(list[tuple[int, int, Raw]])
_list_decoder = msgspec.json.Decoder(list[tuple[int, Raw]])


def read_response(connection: sqlite3.Connection, tenant: str, response_id: str) -> StoredResponse | None:
    row = connection.execute(_SQL["response"], {"tenant": tenant, "id": response_id}).fetchone()
    if row is None:
        return None
    public_id, status, background, dialect, head, output = row
    items = sorted(_list_decoder.decode(output or b"[]"), key=itemgetter(0))
    return StoredResponse(
        id=public_id,
        status=status,
        background=bool(background),
        dialect=dialect,
        head=head,
        output=tuple(bytes(body) for _, body in items),
    )


def read_chain(connection: sqlite3.Connection, tenant: str, response_id: str) -> Sequence[Turn]:
    (packed,) = connection.execute(_SQL["chain"], {"tenant": tenant, "id": response_id}).fetchone()
    rows = _chain_decoder.decode(packed or b"[]")
    rows.sort(key=lambda row: (-row[0], row[1]))
    return tuple(_turn(list(group)) for _, group in groupby(rows, itemgetter(0)))


def read_input_items(
    connection: sqlite3.Connection, tenant: str, response_id: str, *, after: str | None, limit: int, descending: bool
) -> ItemPage | None:
    """Raises: InvalidRequest."""
    values = {
        "tenant": tenant,
        "id": response_id,
        "after": after,
        "limit": limit,
        "sign": -1 if descending else 1,
    }
    is_known, is_after_known, packed = connection.execute(_SQL["input_items"], values).fetchone()
    if not is_known:
        return None
    if after is not None and not is_after_known:
        raise unknown_after(after)
    rows = sorted(_page_decoder.decode(packed or b"[]"), key=itemgetter(0, 1))
    return ItemPage(tuple(bytes(body) for _, _, body in rows[:limit]), len(rows) > limit)


def read_items(connection: sqlite3.Connection, tenant: str, item_ids: Sequence[str]) -> dict[str, bytes]:
    values = {"tenant": tenant, "ids": msgspec.json.encode(item_ids).decode()}
    (packed,) = connection.execute(_SQL["find_items"], values).fetchone()
    return {item_ids[index]: bytes(body) for index, body in _list_decoder.decode(packed or b"[]")}


def read_segments(
    connection: sqlite3.Connection, tenant: str, response_id: str, after: int, max_bytes: int | None
) -> Sequence[Segment] | None:
    row = connection.execute(_RUNS_SQL["find"], {"tenant": tenant, "id": response_id}).fetchone()
    if row is None:
        return None
    rows = connection.execute(_SQL["log"], {"key": row[0], "after": after})
    return take_segments((Segment(first, unpack(payloads, first)) for first, payloads in rows), max_bytes)


def _turn(rows: list[_ChainRow]) -> Turn:
    _, _, response_id, status, _, _ = rows[0]
    return Turn(
        response_id=response_id,
        status=status,
        input=tuple(bytes(row[5]) for row in rows if row[1] >= 0 and row[4] == "input"),
        output=tuple(bytes(row[5]) for row in rows if row[4] == "output"),
    )
