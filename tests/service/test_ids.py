"""Ids are unique, in their process and beside it."""

import multiprocessing
import re
import sys

import pytest

from antiphon.service.ids import new_id


def test_ids_are_different_and_sort_by_time() -> None:
    made = [new_id("resp") for _ in range(1_000)]
    assert len(set(made)) == len(made)
    assert all(re.fullmatch(r"resp_[0-9a-f]{44}", one) for one in made)
    times = [one[:17] for one in made]
    assert times == sorted(times)


def _make(into: "multiprocessing.SimpleQueue[list[str]]") -> None:
    into.put([new_id("resp")[17:] for _ in range(50)])


@pytest.mark.skipif(sys.platform == "win32", reason="processes cannot be forked")
def test_a_forked_process_makes_ids_of_its_own() -> None:
    new_id("resp")  # some randomness is at hand when the process splits
    context = multiprocessing.get_context("fork")
    queue = context.SimpleQueue()
    child = context.Process(target=_make, args=(queue,))
    child.start()
    theirs = queue.get()
    child.join(10)
    ours = [new_id("resp")[17:] for _ in range(50)]
    assert not set(theirs) & set(ours)
