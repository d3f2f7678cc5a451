"""The journal: what it gives back, however its process ended, and what it does not keep."""

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.errors import StoreUnavailable
from antiphon.stores.journal import REWRITE_BYTES, TIDY_S, Journal, missing_runs
from tests.stores.turns import TENANT, beginning, item

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "one.journal"


def ids(path: Path) -> list[str]:
    return [missing.id for missing in missing_runs(path)]


def content(path: Path) -> bytes:
    return path.read_bytes()


def cut_at(path: Path, data: bytes, size: int) -> Path:
    path.write_bytes(data[:size])
    return path


def list_of(folder: Path) -> list[Path]:
    return list(folder.iterdir())


async def test_it_gives_back_what_was_added_and_not_settled(path: Path) -> None:
    journal = Journal(path)
    added = [beginning(f"r{number}", previous="p", input=[item("é" * number)]) for number in range(4)]
    for each in added:
        journal.add(each)
    journal.settle(TENANT, "r1")
    journal.settle("other", "r2")
    assert missing_runs(path) == [added[0], added[2], added[3]]


async def test_nothing_is_left_in_it_once_everything_is_settled(path: Path) -> None:
    journal = Journal(path)
    for _ in range(2):
        journal.add(beginning("r1"))
        journal.add(beginning("r2"))
        journal.settle(TENANT, "r2")
        journal.settle(TENANT, "r1")
        assert ids(path) == []
        async with asyncio.timeout(10 * TIDY_S):
            while content(path):
                await asyncio.sleep(0.01)
    journal.close()
    assert list_of(path.parent) == []


async def test_what_is_missing_outlives_the_tidying(path: Path) -> None:
    journal = Journal(path)
    journal.add(beginning("r1"))
    journal.add(beginning("secret"))
    journal.settle(TENANT, "secret")
    async with asyncio.timeout(10 * TIDY_S):
        while b"secret" in content(path):
            await asyncio.sleep(0.01)
    assert ids(path) == ["r1"]
    journal.settle(TENANT, "r1")
    assert ids(path) == []
    journal.close()


async def test_a_short_frame_over_long_ones_hides_them(path: Path) -> None:
    journal = Journal(path)
    for number in range(20):
        journal.add(beginning(f"r{number}", input=[item("i", "x" * 50 * (20 - number))]))
        assert ids(path) == [f"r{number}"]
        journal.settle(TENANT, f"r{number}")
        assert ids(path) == []
    journal.close()


async def test_cut_anywhere_it_gives_back_what_came_before(path: Path) -> None:
    journal = Journal(path)
    sizes = []
    for number in range(3):
        journal.add(beginning(f"r{number}"))
        sizes.append(len(content(path)) - 4)  # without the mark of the end
    data = content(path)
    for cut in range(len(data)):
        assert ids(cut_at(path, data, cut)) == [f"r{number}" for number in range(3) if sizes[number] <= cut]


async def test_under_load_it_stays_small_and_forgets_what_was_said(path: Path) -> None:
    journal = Journal(path)
    journal.add(beginning("first"))
    large = [item("i", "x" * 10_000)]
    for number in range(300):
        journal.add(beginning(f"r{number}", input=large))
        journal.settle(TENANT, f"r{number}")
        assert len(content(path)) < REWRITE_BYTES + 20_000
    assert ids(path) == ["first"]
    journal.add(beginning("last"))
    assert ids(path) == ["first", "last"]


async def test_what_is_missing_outlives_the_close(path: Path) -> None:
    journal = Journal(path)
    journal.add(beginning("r1"))
    journal.close()
    assert ids(path) == ["r1"]


async def test_a_journal_that_cannot_be_written_refuses(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "missing" / "one.journal")
    with pytest.raises(StoreUnavailable, match="journal"):
        journal.add(beginning("r1"))


@given(st.binary(max_size=200), st.integers(0, 400))
def test_whatever_a_disk_makes_of_it_what_came_before_is_given_back(nonsense: bytes, at: int) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder, "one.journal")
        asyncio.run(_two(path))
        data = content(path)
        damaged = cut_at(path, data[:at] + nonsense + data[at + len(nonsense) :], len(data) + len(nonsense))
        if at >= len(data) // 2:
            assert ids(damaged)[:1] == ["r0"]
        else:
            ids(damaged)  # anything but an exception


async def _two(path: Path) -> None:
    journal = Journal(path)
    journal.add(beginning("r0"))
    journal.add(beginning("r1"))
    journal.close()


def test_there_is_nothing_in_no_journal(path: Path) -> None:
    assert missing_runs(path) == []
