"""Token buckets: a limit is never exceeded by more than what was overdrawn, and always comes back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.core.rates import Bucket, Charge, Rule, decide, left, settle

RULE = Rule("key:a", "tokens", 600, 60)


def test_a_bucket_starts_full_fills_evenly_and_never_overflows() -> None:
    assert left(RULE, None, 0.0) == 600
    assert left(RULE, Bucket(0.0, 100.0), 101.0) == 10
    assert left(RULE, Bucket(0.0, 100.0), 1000.0) == 600
    assert left(RULE, Bucket(5.0, 100.0), 50.0) == 5


def test_more_than_a_whole_limit_waits_for_a_full_bucket_only() -> None:
    verdict, after = decide([Charge(RULE, 1800)], {}, 0.0)
    assert verdict.denial is None
    again, _ = decide([Charge(RULE, 1800)], after, 60.0)
    assert again.denial is not None
    assert again.denial.wait_s == pytest.approx(120.0)


def test_a_limit_of_nothing_lets_nothing_in() -> None:
    verdict, _ = decide([Charge(Rule("key:a", "requests", 0, 60), 1)], {}, 0.0)
    assert verdict.denial is not None
    assert verdict.denial.wait_s == 60


def test_waiting_as_long_as_told_is_enough() -> None:
    _, after = decide([Charge(RULE, 590)], {}, 0.0)
    denied, _ = decide([Charge(RULE, 300)], after, 1.0)
    assert denied.denial is not None
    later, _ = decide([Charge(RULE, 300)], after, 1.0 + denied.denial.wait_s)
    assert later.denial is None


@given(st.lists(st.tuples(st.floats(0, 30), st.integers(0, 800)), max_size=60))
def test_no_more_passes_in_a_time_than_the_limit_and_what_fills_in(steps: list[tuple[float, int]]) -> None:
    buckets: dict[str, Bucket] = {}
    now = passed = 0.0
    for pause, amount in steps:
        now += pause
        verdict, after = decide([Charge(RULE, min(amount, RULE.limit))], buckets, now)
        buckets.update(after)
        passed += 0 if verdict.denial else min(amount, RULE.limit)
    assert passed <= RULE.limit + now * RULE.limit / RULE.window_s + 1e-6


@given(st.lists(st.integers(1, 600), min_size=1, max_size=20))
def test_giving_everything_back_fills_the_bucket(amounts: list[int]) -> None:
    buckets: dict[str, Bucket] = {}
    for amount in amounts:
        buckets.update(settle([Charge(RULE, amount)], buckets, 0.0)[1])
    verdict, _ = settle([Charge(RULE, -sum(amounts))], buckets, 0.0)
    assert verdict.levels[0].remaining == 600
    assert verdict.levels[0].reset_s == 0
