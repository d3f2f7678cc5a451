"""What a pool decides, without servers: breaker, retry budget, choice."""

from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.engines.breaker import MOST_S, THRESHOLD, Breaker
from antiphon.engines.retry_budget import REFILL_PER_S, RESERVE, SHARE, RetryBudget
from antiphon.engines.server_choice import SLACK, Standing, choose, most_load

LOADS = st.lists(st.integers(0, 200), min_size=1, max_size=8)
KEYS = st.text(max_size=20)


def standings(loads: list[int]) -> list[Standing]:
    return [Standing(f"http://server-{number}", load) for number, load in enumerate(loads)]


def opened(now: float = 0.0, jitter: float = 0.0) -> Breaker:
    breaker = Breaker()
    for _ in range(THRESHOLD):
        breaker.fail(now, jitter)
    return breaker


def test_failures_in_a_row_open_a_breaker_and_a_success_between_them_does_not() -> None:
    breaker = Breaker()
    for _ in range(THRESHOLD * 2):
        breaker.fail(0, 0)
        breaker.succeed()
    assert breaker.state(0) == "closed"
    assert opened().state(0) == "open" and not opened().ready(0)


def test_a_failure_that_is_certain_opens_at_once() -> None:
    breaker = Breaker()
    breaker.fail(0, 0, is_certain=True)
    assert breaker.state(0) == "open"


def test_a_half_open_breaker_lets_one_probe_through_whose_end_decides() -> None:
    breaker = opened()
    assert breaker.state(1) == "half_open" and breaker.ready(1)
    breaker.begin()
    assert not breaker.ready(1)
    breaker.abandon()
    assert breaker.ready(1)
    breaker.begin()
    breaker.fail(1, 0)
    assert breaker.state(1) == "open"
    breaker.begin()
    breaker.succeed()
    assert breaker.state(1) == "closed" and breaker.ready(1)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40))
def test_each_failed_probe_waits_longer_up_to_a_bound(jitters: list[float]) -> None:
    breaker, now, most = opened(), 0.0, 1.0
    for jitter in jitters:
        now += breaker.ready_in_s(now)
        breaker.begin()
        breaker.fail(now, jitter)
        most = min(MOST_S, most * 2)
        assert most / 2 - 1e-6 <= breaker.ready_in_s(now) <= most + 1e-6


@given(st.lists(st.tuples(st.floats(0, 5), st.booleans()), max_size=300))
def test_retries_stay_within_their_share_of_the_traffic(steps: list[tuple[float, bool]]) -> None:
    budget, now, retries = RetryBudget(), 0.0, 0
    for requests, (pause, fails) in enumerate(steps, 1):
        now += pause
        budget.earn(now)
        retries += fails and budget.spend(now)
        assert retries <= RESERVE + SHARE * requests + REFILL_PER_S * now + 1e-6


@given(LOADS, KEYS, st.integers(0, 1000))
def test_no_key_loads_a_server_beyond_the_bound_and_no_new_one_beyond_the_least(
    loads: list[int], key: str, turn: int
) -> None:
    servers = standings(loads)
    assert loads[choose(servers, None, turn)] == min(loads)
    assert loads[choose(servers, key, turn, is_new=True)] == min(loads)
    assert loads[choose(servers, key, turn)] <= most_load(servers) == ceil(1.25 * sum(loads) / len(loads)) + SLACK


@given(st.integers(2, 8), KEYS, st.integers(0, 7))
def test_a_server_that_leaves_moves_only_its_own_keys(count: int, key: str, leaving: int) -> None:
    servers = standings([0] * count)
    before = servers[choose(servers, key, 0)]
    rest = [server for number, server in enumerate(servers) if number != leaving % count]
    after = rest[choose(rest, key, 0)]
    assert after == before or before not in rest


@pytest.mark.parametrize("count", [2, 3, 5])
def test_keys_spread_over_the_servers(count: int) -> None:
    servers = standings([0] * count)
    found = [choose(servers, str(key), 0) for key in range(1000)]
    assert all(found.count(place) > 500 / count for place in range(count))
