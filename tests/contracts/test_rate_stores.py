"""What every `RateStore` does."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from antiphon.core.rates import Charge, Rule
from antiphon.ports import RateStore, ResponseStore, UsageRow
from antiphon.stores.memory import MemoryStore
from antiphon.stores.sql import SqlStore

pytestmark = pytest.mark.anyio

REQUESTS = Rule("key:a", "requests", 2, 60)
TOKENS = Rule("key:a", "tokens", 100, 60)
RUNS = Rule("key:a", "runs", 1, 0)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(params=["memory", "sql"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[ResponseStore]:
    store: ResponseStore = MemoryStore() if request.param == "memory" else SqlStore(tmp_path / "data" / "x.sqlite3")
    await store.start()
    yield store
    await store.close()


@pytest.fixture
def rates(store: ResponseStore) -> RateStore:
    return store.rates


async def test_what_is_taken_is_missing_until_it_has_filled_up_again(rates: RateStore) -> None:
    for _ in range(2):
        assert (await rates.take([Charge(REQUESTS, 1)], 1000.0)).denial is None
    denial = (await rates.take([Charge(REQUESTS, 1)], 1000.0)).denial
    assert denial is not None
    assert (denial.rule, denial.wait_s) == (REQUESTS, 30.0)
    assert (await rates.take([Charge(REQUESTS, 1)], 1030.0)).denial is None


async def test_either_all_is_taken_or_nothing(rates: RateStore) -> None:
    await rates.take([Charge(TOKENS, 90)], 1000.0)
    verdict = await rates.take([Charge(REQUESTS, 1), Charge(TOKENS, 50)], 1000.0)
    assert verdict.denial is not None
    assert verdict.denial.rule == TOKENS
    assert [level.remaining for level in verdict.levels] == [2, 10]
    assert [level.remaining for level in (await rates.take([Charge(REQUESTS, 1)], 1000.0)).levels] == [1]


async def test_what_was_not_needed_comes_back_and_what_was_needed_beyond_is_owed(rates: RateStore) -> None:
    await rates.take([Charge(TOKENS, 80)], 1000.0)
    assert (await rates.settle([Charge(TOKENS, -60)], 1000.0)).levels[0].remaining == 80
    await rates.settle([Charge(TOKENS, 140)], 1000.0)
    denial = (await rates.take([Charge(TOKENS, 10)], 1000.0)).denial
    assert denial is not None
    assert denial.wait_s == pytest.approx(42.0)


async def test_a_place_is_taken_until_it_is_given_back(rates: RateStore) -> None:
    assert (await rates.take([Charge(RUNS, 1)], 1000.0)).denial is None
    assert (await rates.take([Charge(RUNS, 1)], 9000.0)).denial is not None
    await rates.settle([Charge(RUNS, -1)], 9000.0)
    assert (await rates.take([Charge(RUNS, 1)], 9000.0)).denial is None


async def test_usage_adds_up_by_day_key_and_model(rates: RateStore) -> None:
    row = UsageRow("2026-01-31", "acme", "k1", "laptop", "m", 1, 10, 4, 5)
    later = UsageRow("2026-02-01", "acme", "k1", "laptop", "m", 1, 1, 0, 1)
    await rates.add_usage([row, later])
    await rates.add_usage([row])
    assert list(await rates.usage("2026-01-01", "2026-01-31")) == [row.plus(row)]
    assert list(await rates.usage("2026-01-31", "2026-02-28")) == [row.plus(row), later]


async def test_limits_hold_across_processes_and_places_of_the_dead_come_back(tmp_path: Path) -> None:
    path = tmp_path / "data" / "x.sqlite3"
    first, second = SqlStore(path), SqlStore(path)
    await first.start()
    await second.start()
    await first.rates.take([Charge(REQUESTS, 2), Charge(RUNS, 1)], 1000.0)
    assert (await second.rates.take([Charge(REQUESTS, 1)], 1000.0)).denial is not None
    assert (await second.rates.take([Charge(RUNS, 1)], 1000.0)).denial is not None
    await first.close()
    assert (await second.rates.take([Charge(RUNS, 1)], 1000.0)).denial is None
    await second.rates.forget_idle(1000.0)
    assert (await second.rates.take([Charge(RUNS, 1)], 1000.0)).denial is not None
    await second.close()
