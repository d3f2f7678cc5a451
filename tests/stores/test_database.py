"""The SQLite file: its permissions, settings, schema and size."""

import asyncio
import re
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from antiphon.errors import SetupError, StoreUnavailable
from antiphon.stores.file_lock import FileLock
from antiphon.stores.sql import SqlStore
from antiphon.stores.sql_files import load_migrations, load_statements
from tests.stores.turns import TENANT, beginning, item, put, turn

pytestmark = pytest.mark.anyio
STATEMENT_FILES = ("owners", "reading", "removal", "retention", "runs")


@contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        yield connection


def content(path: Path) -> bytes:
    return path.read_bytes()


def size(path: Path) -> int:
    return path.stat().st_size


def spoil(path: Path, *, start: int) -> None:
    """Overwrite the file from a byte on."""
    path.touch()
    with path.open("r+b") as file:
        file.seek(start)
        file.write(b"\xff" * max(size(path) - start, 10_000))


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def test_folder_and_files_are_the_owners_alone(store: SqlStore, path: Path) -> None:
    await put(store, "r1")
    assert mode(path.parent) == mode(path.parent / "owners") == 0o700
    files = [entry for entry in path.parent.rglob("*") if entry.is_file()]
    assert {entry.name for entry in files} >= {"antiphon.db", "antiphon.db-wal", "antiphon.db-shm"}
    assert {mode(entry) for entry in files} == {0o600}


async def test_the_database_is_set_up_as_designed(store: SqlStore, path: Path) -> None:
    with opened(path) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA auto_vacuum").fetchone() == (2,)  # incremental
        assert connection.execute("PRAGMA user_version").fetchone() == (len(load_migrations()),)


async def test_a_reopened_database_still_has_everything(path: Path) -> None:
    for response_id in ("r1", "r2"):
        store = SqlStore(path)
        await store.start()
        await put(store, response_id)
        await store.close()
    store = SqlStore(path)
    await store.start()
    assert [await store.chain(TENANT, name) for name in ("r1", "r2")] == [(turn("r1"),), (turn("r2"),)]
    await store.close()


async def test_a_newer_schema_is_refused_and_left_alone(path: Path) -> None:
    path.parent.mkdir()
    with opened(path) as connection:
        connection.execute("CREATE TABLE future (x)")
        connection.execute("PRAGMA user_version = 99")
    before = content(path)
    with pytest.raises(SetupError, match="newer Antiphon"):
        await SqlStore(path).start()
    assert content(path) == before


async def test_a_foreign_database_is_refused_and_left_alone(path: Path) -> None:
    path.parent.mkdir()
    with opened(path) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    before = content(path)
    with pytest.raises(SetupError, match="not Antiphon's"):
        await SqlStore(path).start()
    assert content(path) == before


async def test_a_schema_that_lacks_a_column_is_refused(path: Path) -> None:
    store = SqlStore(path)
    await store.start()
    await store.close()
    with opened(path) as connection:
        connection.execute("ALTER TABLE responses DROP COLUMN dialect")
    with pytest.raises(SetupError, match=r"lacks responses\.dialect; move it away"):
        await SqlStore(path).start()


async def test_a_file_that_is_no_database_is_refused(path: Path) -> None:
    path.parent.mkdir()
    spoil(path, start=0)
    with pytest.raises(SetupError, match="not a database"):
        await SqlStore(path).start()


async def test_a_damaged_database_is_unavailable_and_says_so_without_its_path(store: SqlStore, path: Path) -> None:
    with opened(path) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    spoil(path, start=4096)
    with pytest.raises(StoreUnavailable) as caught:
        await store.begin(beginning("r1"))
    assert caught.value.message == "The store is damaged."
    assert str(path.parent) not in caught.value.message


async def test_a_full_disk_is_unavailable_and_what_was_there_stays(store: SqlStore, path: Path) -> None:
    await put(store, "r1")
    await store._writer.run(lambda connection: connection.execute("PRAGMA max_page_count = 1").fetchall())
    with pytest.raises(StoreUnavailable, match="full"):
        await store.begin(beginning("r2", input=[item("x", "y" * 2**20)]))
    assert await store.chain(TENANT, "r1") == (turn("r1"),)


async def test_what_does_not_fit_on_the_disk_takes_no_smaller_run_down(store: SqlStore) -> None:
    await store._writer.run(lambda connection: connection.execute("PRAGMA max_page_count = 100").fetchall())
    outcomes = await asyncio.gather(
        store.begin(beginning("r1")),
        store.begin(beginning("large", input=[item("x", "y" * 2**20)])),
        store.begin(beginning("r2")),
        return_exceptions=True,
    )
    assert [isinstance(outcome, StoreUnavailable) for outcome in outcomes] == [False, True, False]
    assert [bool(await store.get(TENANT, name)) for name in ("r1", "large", "r2")] == [True, False, True]


async def test_a_closed_store_is_unavailable(path: Path) -> None:
    store = SqlStore(path)
    await store.start()
    await store.close()
    await store.close()
    with pytest.raises(StoreUnavailable):
        await store.get(TENANT, "r1")


async def test_the_file_shrinks_after_a_sweep(store: SqlStore, path: Path) -> None:
    for number in range(20):
        await put(store, f"r{number}", input=[item("x", "y" * 2**20)], expires_at=10.0)
    await put(store, "kept")
    assert (await store.sweep(5.0)).removed == 0
    assert size(path) + size(path.with_name(f"{path.name}-wal")) > 18 * 2**20
    assert (await store.sweep(10.0)).removed == 20
    assert size(path) < 2**20
    assert await store.chain(TENANT, "kept") == (turn("kept"),)


async def test_deleting_the_leaf_of_a_deleted_chain_leaves_no_row(store: SqlStore, path: Path) -> None:
    for number in range(50):
        await put(store, f"r{number}", previous=f"r{number - 1}" if number else None)
    for number in range(50):
        assert await store.delete(TENANT, f"r{number}")
    await store.sweep(0.0)
    with opened(path) as connection:
        for table in ("responses", "items", "segments"):
            assert connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)


async def test_a_sweep_leaves_the_database_to_another_process_that_sweeps(store: SqlStore, path: Path) -> None:
    await put(store, "r1", expires_at=1.0)
    other = FileLock(path.with_name("antiphon.db.sweep"))
    assert other.take()
    assert (await store.sweep(2.0)).removed == 0
    other.release(remove=True)
    assert (await store.sweep(2.0)).removed == 1


async def test_tombstones_that_an_interrupted_removal_left_are_swept(store: SqlStore, path: Path) -> None:
    for number in range(5):
        await put(store, f"r{number}", previous=f"r{number - 1}" if number else None)
    with opened(path) as connection:
        connection.execute("UPDATE responses SET deleted = 1")
    assert (await store.sweep(0.0)).removed == 0
    with opened(path) as connection:
        assert connection.execute("SELECT count(*) FROM items").fetchone() == (0,)


@pytest.mark.parametrize("file", STATEMENT_FILES)
async def test_every_statement_fits_the_schema(store: SqlStore, path: Path, file: str) -> None:
    statements = load_statements(file)
    assert statements
    with opened(path) as connection:
        for sql in statements.values():
            named = dict.fromkeys(re.findall(r":(\w+)", sql), 0)
            connection.execute(f"EXPLAIN {sql}", named or [0] * sql.count("?"))
