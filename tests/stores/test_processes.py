"""Several processes on one database, some of which die."""

from collections.abc import Callable
from pathlib import Path

import pytest

from antiphon.errors import SetupError
from antiphon.ports import Segment
from antiphon.stores.sql import SqlStore
from tests.stores.conftest import Process
from tests.stores.turns import TENANT, beginning, ending, turn

pytestmark = pytest.mark.anyio
Spawn = Callable[..., Process]


def listen(child: Process) -> str:
    """The next line a child says."""
    assert child.stdout is not None
    return child.stdout.readline().strip()


def tell(*children: Process) -> None:
    """Let children go on."""
    for child in children:
        assert child.stdin is not None
        child.stdin.write("\n")
        child.stdin.flush()


def kill(child: Process) -> list[str]:
    """`kill -9`; what the child had said and nobody had read."""
    child.kill()
    rest, _ = child.communicate(timeout=30)
    return rest.split("\n")[:-1]  # the last line may be cut


def end(*children: Process) -> None:
    for child in children:
        child.communicate(timeout=60)
        assert child.returncode == 0


async def test_nothing_that_was_acknowledged_is_lost_when_the_process_is_killed(path: Path, spawn: Spawn) -> None:
    acknowledged: list[str] = []
    for life in range(5):
        child = spawn("put_forever", f"life{life}_")
        acknowledged += [listen(child) for _ in range(10)]
        acknowledged += kill(child)
    store = SqlStore(path)
    await store.start()
    assert len(acknowledged) >= 50
    for response_id in acknowledged:
        assert await store.chain(TENANT, response_id) == (turn(response_id),)
    await store.close()


async def test_two_processes_write_at_the_same_time(store: SqlStore, spawn: Spawn) -> None:
    first, second = spawn("put_many", "a"), spawn("put_many", "b")
    assert [listen(first), listen(second)] == ["ready", "ready"]
    tell(first, second)
    end(first, second)
    for response_id in [f"{prefix}{number}" for prefix in "ab" for number in range(200)]:
        assert await store.chain(TENANT, response_id) == (turn(response_id),)


async def test_processes_that_start_at_once_on_a_new_database_all_start(spawn: Spawn) -> None:
    children = [spawn("hold", prefix) for prefix in "abcd"]
    assert [listen(child) for child in children] == ["ready"] * 4
    tell(*children)
    end(*children)


async def test_the_runs_of_a_killed_process_are_claimed_once(path: Path, spawn: Spawn) -> None:
    victim = spawn("hold", "r")
    claimers = [spawn("claim"), spawn("claim")]
    assert [listen(child) for child in (victim, *claimers)] == ["ready"] * 3
    kill(victim)
    tell(*claimers)
    claimed = [run for child in claimers for run in listen(child).split()]
    assert sorted(claimed) == sorted(f"r{number}" for number in range(20))
    tell(*claimers)
    end(*claimers)
    assert list((path.parent / "owners").iterdir()) == []


async def test_what_a_killed_process_had_only_announced_is_claimed_too(path: Path, spawn: Spawn) -> None:
    victim, claimer = spawn("announce", "r"), spawn("claim")
    assert [listen(victim), listen(claimer)] == ["ready"] * 2
    kill(victim)
    tell(claimer)
    assert sorted(listen(claimer).split()) == sorted(f"r{number}" for number in range(1, 20, 2))
    tell(claimer)
    end(claimer)
    assert list((path.parent / "owners").iterdir()) == []


async def test_a_living_process_keeps_its_runs(store: SqlStore, spawn: Spawn) -> None:
    child = spawn("hold", "r")
    assert listen(child) == "ready"
    assert await store.claim_abandoned() == ()
    tell(child)
    end(child)


async def test_what_a_process_leaves_unfinished_when_it_closes_can_be_claimed(store: SqlStore, path: Path) -> None:
    other = SqlStore(path)
    await other.start()
    await other.begin(beginning("r1", background=True))
    await other.close()
    (run,) = await store.claim_abandoned()
    assert (run.tenant, run.id, run.background, run.head) == (TENANT, "r1", True, beginning("r1").head)
    assert await store.claim_abandoned() == ()


async def test_the_old_lease_of_a_claimed_run_writes_nothing_and_the_new_one_does(
    store: SqlStore, path: Path, spawn: Spawn
) -> None:
    other = SqlStore(path)
    await other.start()
    old = await other.begin(beginning("r1"))
    await other.close()
    (run,) = await store.claim_abandoned()
    segment = Segment(0, (b"e",))
    assert not await store.append_log(old, segment)
    assert not await store.finish(old, ending("r1", segment=segment))
    assert await store.append_log(run.lease, segment)
    assert await store.finish(run.lease, ending("r1"))
    assert await store.chain(TENANT, "r1") == (turn("r1"),)


async def test_a_process_leaves_no_lock_behind(path: Path) -> None:
    store = SqlStore(path)
    await store.start()
    assert len(list((path.parent / "owners").iterdir())) == 1
    await store.close()
    assert list((path.parent / "owners").iterdir()) == []
    assert [entry.name for entry in path.parent.glob("antiphon.db.*")] == []


async def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SetupError, match="file"):
        await SqlStore(tmp_path / "file" / "antiphon.db").start()
