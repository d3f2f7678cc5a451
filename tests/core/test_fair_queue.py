"""Whose turn it is: shares among classes, turns among lanes, order within a lane."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.core.fair_queue import FairQueue


def served(queue: FairQueue[str], count: int) -> list[str]:
    return [queue.pop() for _ in range(count)]


def test_a_lane_is_first_come_first_served() -> None:
    queue: FairQueue[str] = FairQueue()
    for name in "abc":
        queue.push(name, kind="default", share=1, lane="acme")
    assert served(queue, 3) == ["a", "b", "c"]
    with pytest.raises(IndexError):
        queue.pop()


def test_a_busy_tenant_does_not_keep_a_quiet_one_waiting() -> None:
    queue: FairQueue[str] = FairQueue()
    for number in range(50):
        queue.push(f"busy {number}", kind="default", share=1, lane="busy")
    served(queue, 10)
    queue.push("quiet", kind="default", share=1, lane="quiet")
    assert "quiet" in served(queue, 2)


def test_classes_are_served_by_their_shares_and_none_starves() -> None:
    queue: FairQueue[str] = FairQueue()
    for number in range(200):
        queue.push(f"priority {number}", kind="priority", share=8, lane="a")
        queue.push(f"flex {number}", kind="flex", share=1, lane="b")
    counts = Counter(name.split()[0] for name in served(queue, 90))
    assert counts == {"priority": 80, "flex": 10}


def test_turns_are_not_saved_up_while_one_is_away() -> None:
    queue: FairQueue[str] = FairQueue()
    for number in range(100):
        queue.push(f"a {number}", kind="default", share=1, lane="a")
    served(queue, 50)
    for number in range(100):
        queue.push(f"b {number}", kind="default", share=1, lane="b")
    counts = Counter(name.split()[0] for name in served(queue, 20))
    assert counts == {"a": 10, "b": 10}


@given(st.lists(st.tuples(st.sampled_from("xy"), st.sampled_from("abc"), st.booleans()), max_size=80))
def test_everything_that_was_not_taken_out_comes_out_once(steps: list[tuple[str, str, bool]]) -> None:
    queue: FairQueue[int] = FairQueue()
    expected: set[int] = set()
    for number, (kind, lane, taken_out) in enumerate(steps):
        queue.push(number, kind=kind, share=3 if kind == "x" else 1, lane=lane)
        expected.add(number)
        if taken_out:
            queue.discard(number // 2)
            expected.discard(number // 2)
    assert len(queue) == len(expected)
    assert {queue.pop() for _ in range(len(queue))} == expected
