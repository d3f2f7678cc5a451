"""The log of a live run: one producer, any number of readers."""

import asyncio

import pytest

from antiphon.service.log import LogReader, RunLog
from tests.service.conftest import read_all, soon, until_quiet

pytestmark = pytest.mark.anyio


async def test_every_reader_gets_every_payload_in_order() -> None:
    log = RunLog()
    readers = [asyncio.ensure_future(read_all(log.reader())) for _ in range(20)]
    for number in range(50):
        log.append([b"%d" % number])
        await asyncio.sleep(0)
    log.close()

    expected = [b"%d" % number for number in range(50)]
    assert [await soon(reader) for reader in readers] == [expected] * 20


async def test_a_reader_that_comes_late_gets_all_from_the_beginning() -> None:
    log = RunLog()
    log.append([b"0", b"1"])
    log.close()

    assert await read_all(log.reader()) == [b"0", b"1"]


@pytest.mark.parametrize(("after", "rest"), [(-1, [b"0", b"1", b"2"]), (0, [b"1", b"2"]), (2, []), (9, [])])
async def test_a_reader_begins_behind_the_number_it_names(after: int, rest: list[bytes]) -> None:
    log = RunLog()
    log.append([b"0", b"1", b"2"])
    log.close()

    assert await read_all(log.reader(after)) == rest


async def test_what_gathered_is_read_at_once() -> None:
    log = RunLog()
    reader = log.reader()
    for number in range(3):
        log.append([b"%d" % number])

    assert await soon(reader.read()) == [b"0", b"1", b"2"]
    assert reader.position == 3


async def test_a_slow_reader_delays_nobody() -> None:
    log = RunLog()
    slow, fast = log.reader(), log.reader()
    log.append([b"0"])

    assert await soon(fast.read()) == [b"0"]
    log.append([b"1"])
    assert await soon(fast.read()) == [b"1"]
    assert await soon(slow.read()) == [b"0", b"1"]


async def test_closing_ends_waiting_readers_and_those_to_come() -> None:
    log = RunLog()
    waiting = asyncio.ensure_future(log.reader().read())
    await until_quiet()
    log.close()

    assert await soon(waiting) is None
    assert await soon(log.reader().read()) is None


async def test_leaving_ends_a_pending_read_and_leaves_the_others() -> None:
    log = RunLog()
    leaver, stayer = log.reader(), log.reader()
    pending, other = asyncio.ensure_future(leaver.read()), asyncio.ensure_future(stayer.read())
    await until_quiet()
    leaver.leave()
    leaver.leave()
    assert await soon(pending) is None

    log.append([b"0"])
    assert await soon(other) == [b"0"]
    assert await soon(leaver.read()) is None


async def test_a_cancelled_read_loses_nothing() -> None:
    log = RunLog()
    reader = log.reader()
    pending = asyncio.ensure_future(reader.read())
    await until_quiet()
    pending.cancel()
    log.append([b"0"])
    await until_quiet()

    assert pending.cancelled()
    assert await soon(reader.read()) == [b"0"]


async def test_nothing_appended_wakes_nobody() -> None:
    log = RunLog()
    pending = asyncio.ensure_future(log.reader().read())
    await until_quiet()
    log.append([])
    await until_quiet()

    assert not pending.done()
    log.close()
    await soon(pending)


async def test_a_silent_log_beats() -> None:
    reader = RunLog().reader(heartbeat_s=0.02)

    for _ in range(3):
        before = asyncio.get_running_loop().time()
        assert await soon(reader.read()) == ()
        assert asyncio.get_running_loop().time() - before > 0.015
    reader.leave()


async def test_a_log_that_speaks_does_not_beat() -> None:
    log = RunLog()
    reader = log.reader(heartbeat_s=0.2)
    got: list[bytes] = []
    for number in range(30):
        asyncio.get_running_loop().call_later(0.02, log.append, [b"%d" % number])
        gathered = await soon(reader.read())
        assert gathered  # 0.6 s in all, and never 0.2 s of silence
        got += gathered

    assert len(got) == 30
    reader.leave()


async def test_a_reader_without_heartbeat_waits() -> None:
    reader = RunLog().reader()

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await reader.read()


async def test_a_reader_that_left_holds_neither_log_nor_timer() -> None:
    log = RunLog()
    readers: list[LogReader] = []
    for _ in range(3):
        reader = log.reader(heartbeat_s=30)
        pending = asyncio.ensure_future(reader.read())
        await until_quiet()
        reader.leave()
        await soon(pending)
        readers.append(reader)

    assert not log._readers
    assert all(reader._silence._timer is None for reader in readers)


async def test_an_eager_reader_that_waits_takes_what_is_new_without_being_woken() -> None:
    log = RunLog()
    reader, taken = log.reader(), list[bytes]()
    reader.eager = lambda payloads: taken.extend(payloads) is None
    log.append([b"0"])
    assert await soon(reader.read()) == [b"0"]
    reading = asyncio.ensure_future(reader.read())
    await until_quiet()
    log.append([b"1"])
    log.append([b"2", b"3"])

    assert taken == [b"1", b"2", b"3"]
    assert reader.position == 4
    assert not reading.done()
    log.close()
    assert await soon(reading) is None


async def test_what_an_eager_reader_cannot_take_now_is_read_in_order() -> None:
    log = RunLog()
    reader, taken = log.reader(), list[bytes]()
    reader.eager = lambda payloads: payloads != [b"1"] and taken.extend(payloads) is None
    reading = asyncio.ensure_future(reader.read())
    await until_quiet()
    log.append([b"0"])
    log.append([b"1"])
    log.append([b"2"])  # nobody waits any more: it must not overtake

    assert taken == [b"0"]
    assert await soon(reading) == [b"1", b"2"]
