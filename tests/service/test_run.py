"""A run: from a generation to a log of events, and an end that never says more than is stored."""

import asyncio
import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from antiphon.core.deltas import CallArguments, CallStart, Delta, Failure, Finish, ReasoningDelta, TextDelta, Usage
from antiphon.core.fold import fold
from antiphon.errors import EngineError, EngineUnavailable, ServerError, StoreUnavailable
from antiphon.ports import Lease
from antiphon.service.log_writer import FLUSH_BYTES
from antiphon.service.records import encode_response, whole_response
from antiphon.service.run import Run
from antiphon.wire.events import decode_event
from tests.service.conftest import HELLO, Handing, HandPlayed, WatchedStore, leased, read_all, run_of, soon, until_quiet

pytestmark = pytest.mark.anyio


def types(payloads: Sequence[bytes]) -> list[str]:
    return [json.loads(payload)["type"] for payload in payloads]


async def stored_response(store: WatchedStore) -> dict[str, Any]:
    stored = await store.get("default", "resp_1")
    assert stored is not None
    return dict(json.loads(whole_response(stored, stored.output)))


async def stored_log(store: WatchedStore) -> list[bytes]:
    segments = await store.read_log("default", "resp_1", -1)
    assert segments is not None
    payloads: list[bytes] = []
    for segment in segments:
        assert segment.first == len(payloads)
        payloads += segment.payloads
    return payloads


# ----------------------------------------------------------------------------------------------------------- a good end


async def test_the_log_the_store_and_the_answer_say_the_same() -> None:
    store = WatchedStore()
    run = run_of(
        HandPlayed([TextDelta("Hel")], [TextDelta("lo"), Usage(3, 2), Finish("stop")]), store, await leased(store)
    )
    run.start()
    response = await soon(run.wait())
    sent = await read_all(run.log.reader())

    assert response.status == "completed"
    assert response == fold(map(decode_event, sent))
    assert await stored_response(store) == json.loads(encode_response(response))
    assert await stored_log(store) == sent


async def test_the_first_events_are_in_the_log_when_start_returns() -> None:
    store = WatchedStore()
    generation = HandPlayed()
    run = run_of(generation, store, None)
    task = run.start()

    assert types(run.log.payloads) == ["response.created", "response.in_progress"]
    run.cancel()
    await soon(task)


async def test_a_run_that_is_cancelled_while_its_generation_ends_still_reaches_its_end() -> None:
    """The cancellation comes from within the run's own task, which would feel it at its next wait."""

    class CancelsItsRun(HandPlayed):
        async def close(self) -> None:
            run.cancel()

    store = WatchedStore()
    store.gate.clear()
    run = run_of(CancelsItsRun(HELLO), store, await leased(store))
    run.start()
    await soon(store.finishing.wait())
    await until_quiet()
    store.gate.set()
    sent = await read_all(run.log.reader())
    assert types(sent)[-1] == "response.completed"
    assert (await stored_response(store))["status"] == "completed"


async def test_the_terminal_event_is_released_only_when_it_is_stored() -> None:
    store = WatchedStore()
    store.gate.clear()
    run = run_of(HandPlayed(HELLO), store, await leased(store))
    run.start()
    reader = run.log.reader()
    await soon(store.finishing.wait())
    await until_quiet()

    held = await soon(reader.read())
    assert held is not None
    assert types(held)[-1] == "response.output_item.done"
    assert not run.log.closed
    store.gate.set()
    assert types(await read_all(reader)) == ["response.completed"]
    assert store.ending is not None
    assert store.ending.segment is not None
    assert types(store.ending.segment.payloads)[-1] == "response.completed"


async def test_a_run_without_a_lease_is_not_stored() -> None:
    store = WatchedStore()
    run = run_of(HandPlayed(HELLO), store, None)
    run.start()

    assert (await soon(run.wait())).status == "completed"
    assert await store.get("default", "resp_1") is None


async def test_a_long_run_is_stored_in_segments_that_join_to_what_was_sent() -> None:
    store = WatchedStore()
    text = "x" * 1_000
    batches: list[Sequence[Delta]] = [[TextDelta(text)] for _ in range(300)]
    run = run_of(HandPlayed(*batches, [Finish("stop")]), store, await leased(store))
    run.start()
    await soon(run.wait())
    sent = await read_all(run.log.reader())

    segments = await store.read_log("default", "resp_1", -1)
    assert segments is not None
    assert len(segments) >= 300 * len(text) // FLUSH_BYTES
    assert await stored_log(store) == sent


# --------------------------------------------------------------------------------------------------------- a broken end


@pytest.mark.parametrize("failure", [StoreUnavailable("The disk is full."), RuntimeError("a bug")])
async def test_what_cannot_be_stored_is_never_said_to_be_completed(failure: Exception) -> None:
    store = WatchedStore()
    lease = await leased(store)
    store.failure = failure
    run = run_of(HandPlayed(HELLO), store, lease)
    run.start()
    response = await soon(run.wait())
    sent = await read_all(run.log.reader())

    assert types(sent)[-2:] == ["error", "response.failed"]
    assert "response.completed" not in types(sent)
    assert (response.status, response.completed_at) == ("failed", None)
    assert fold(map(decode_event, sent)) == response
    assert isinstance(run.error, ServerError)
    assert "disk" not in json.dumps([json.loads(payload) for payload in sent])


@pytest.mark.parametrize("lost", [True, False])
async def test_a_lost_lease_ends_the_run_as_failed(lost: bool) -> None:
    store = WatchedStore()
    lease = await leased(store)
    run = run_of(HandPlayed(HELLO), store, Lease(lease.key, lease.fence + 1) if lost else lease)
    run.start()

    assert (await soon(run.wait())).status == ("failed" if lost else "completed")
    stored = await store.get("default", "resp_1")
    assert stored is not None
    assert stored.status == ("in_progress" if lost else "completed")


@pytest.mark.parametrize("at_the_end_too", [False, True])
async def test_a_segment_that_could_not_be_stored_goes_with_the_last_one_or_fails_the_run(at_the_end_too: bool) -> None:
    store = WatchedStore()
    lease = await leased(store)
    store.log_failure = StoreUnavailable("The disk is full.")
    store.failure = store.log_failure if at_the_end_too else None
    batches: list[Sequence[Delta]] = [[TextDelta("x" * FLUSH_BYTES)], [TextDelta("y")] * 5, [Finish("stop")]]
    run = run_of(HandPlayed(*batches), store, lease)
    run.start()
    response = await soon(run.wait())
    sent = await read_all(run.log.reader())

    assert response.status == ("failed" if at_the_end_too else "completed")
    assert fold(map(decode_event, sent)) == response
    assert await stored_log(store) == ([] if at_the_end_too else sent)


@pytest.mark.parametrize(
    ("broken", "code"),
    [
        (EngineError("The engine broke."), "server_error"),
        (EngineUnavailable("The engine is busy."), "server_is_overloaded"),
        (ValueError("a bug with a secret"), "server_error"),
        ([Failure("rate_limit_exceeded", "Too many.")], "rate_limit_exceeded"),
        ([CallArguments("{}")], "server_error"),
        ([Finish("stop"), TextDelta("more")], "server_error"),
        (None, "server_error"),
    ],
)
async def test_whatever_breaks_every_reader_sees_the_end_and_the_store_too(
    broken: BaseException | Sequence[Delta] | None, code: str
) -> None:
    store = WatchedStore()
    generation = HandPlayed([TextDelta("Once ")])
    run = run_of(generation, store, await leased(store))
    run.start()
    readers = [asyncio.ensure_future(read_all(run.log.reader())) for _ in range(3)]
    if isinstance(broken, BaseException):
        generation._batches.put_nowait(broken)
    elif broken is not None:
        generation.play(TextDelta("upon"), *broken)
    generation.stop()
    response = await soon(run.wait())
    first, *others = [await soon(reader) for reader in readers]

    assert others == [first, first]
    assert types(first)[-2:] == ["error", "response.failed"]
    assert response.error is not None
    assert response.error.code == code
    assert fold(map(decode_event, first)) == response
    assert (await stored_response(store))["status"] == "failed"
    assert await stored_log(store) == first
    assert b"secret" not in b"".join(first)
    assert generation.closed >= 1


async def test_what_the_engine_sent_before_its_fault_in_the_same_batch_is_in_the_answer() -> None:
    store = WatchedStore()
    run = run_of(HandPlayed([TextDelta("Once"), CallArguments("{}")]), store, None)
    run.start()
    response = await soon(run.wait())

    assert run.error is not None
    assert response.output[0].content[0].text == "Once"  # type: ignore[union-attr,index]


async def test_a_generation_that_cannot_be_closed_does_not_take_its_answer_along() -> None:
    class Stuck(HandPlayed):
        async def close(self) -> None:
            raise EngineError("The engine does not let go.")

    store = WatchedStore()
    run = run_of(Stuck(HELLO), store, await leased(store))
    run.start()

    assert (await soon(run.wait())).status == "completed"
    assert types(await read_all(run.log.reader()))[-1] == "response.completed"


async def test_text_that_has_no_json_form_is_mended() -> None:
    store = WatchedStore()
    run = run_of(HandPlayed([TextDelta("half a pair: \ud83d"), Finish("stop")]), store, await leased(store))
    run.start()
    await soon(run.wait())

    assert run.response.output[0].content[0].text == "half a pair: ?"
    assert types(run.log.payloads)[-1] == "response.completed"


# ------------------------------------------------------------------------------------------- more of what was said last


@pytest.mark.parametrize("kind", [TextDelta, ReasoningDelta, CallArguments])
async def test_more_of_a_text_is_in_log_store_and_answer_as_if_it_had_come_as_deltas(
    kind: Callable[[str], Delta],
) -> None:
    sent = []
    for short in (True, False):
        store, generation = WatchedStore(), Handing()
        run = run_of(generation, store, await leased(store))
        run.start()
        await soon(generation.started.wait())
        assert generation.more("too early") is False
        generation.take([*([CallStart("f", "c1")] if kind is CallArguments else []), kind("a")])
        for text in ("b", "naïve", '"\n', "日本"):
            if short:
                assert generation.more(text)
            else:
                generation.take([kind(text)])
        assert generation.more("\ud800") is False
        generation.take([Usage(3, 2), Finish("stop")])
        assert generation.more("too late") is False
        generation.stop()
        response = await soon(run.wait())
        assert response == fold(map(decode_event, run.log.payloads))
        assert await stored_response(store) == json.loads(encode_response(response))
        assert await stored_log(store) == list(run.log.payloads)
        sent.append(list(run.log.payloads))
    assert sent[0] == sent[1]


@pytest.mark.parametrize("limit", [{"most_event_bytes": 9}, {"most_bytes": 1}, {"checks_events": True}])
async def test_more_than_a_run_may_say_has_to_come_as_a_delta(limit: dict[str, Any]) -> None:
    store, generation = WatchedStore(), Handing()
    run = run_of(generation, store, await leased(store), **limit)
    run.start()
    await soon(generation.started.wait())
    run.bytes = 0
    generation.take([TextDelta("a")])

    assert generation.more("0123456789") is False
    run.cancel()
    await soon(run.wait())


# --------------------------------------------------------------------------------------------------------------- cancel


async def begun(*batches: Sequence[Delta]) -> tuple[Run, HandPlayed, WatchedStore, "asyncio.Task[None]"]:
    store = WatchedStore()
    generation = HandPlayed(*batches)
    run = run_of(generation, store, await leased(store))
    return run, generation, store, run.start()


async def test_a_cancel_before_the_first_step_still_reaches_the_end() -> None:
    run, generation, store, task = await begun(HELLO)
    run.cancel()
    await soon(task)

    assert (run.response.status, run.response.output) == ("cancelled", ())
    assert (await stored_response(store))["status"] == "cancelled"
    assert run.log.closed
    assert generation.closed >= 1
    assert not generation.started.is_set()


@pytest.mark.parametrize("times", [1, 3])
async def test_a_cancel_in_mid_run_aborts_the_engine_and_keeps_what_there_is(times: int) -> None:
    run, generation, store, task = await begun([TextDelta("Once upon")])
    reader = run.log.reader()
    await soon(generation.started.wait())
    await until_quiet()
    for _ in range(times):
        run.cancel()
    await soon(task)

    assert generation.aborted
    stored = await stored_response(store)
    assert (stored["status"], stored["completed_at"]) == ("cancelled", None)
    assert stored["output"][0]["status"] == "incomplete"
    assert stored["output"][0]["content"][0]["text"] == "Once upon"
    assert types(await read_all(reader))[-1] == "response.output_item.done"


async def test_a_cancel_while_the_end_is_being_stored_changes_nothing() -> None:
    run, _, store, task = await begun(HELLO)
    store.gate.clear()
    await soon(store.finishing.wait())
    run.cancel()
    await until_quiet()
    assert not task.done()
    store.gate.set()
    await soon(task)

    assert run.response.status == "completed"
    assert (await stored_response(store))["status"] == "completed"
    assert types(run.log.payloads)[-1] == "response.completed"


async def test_a_cancel_after_the_finish_cuts_only_the_engine_s_tail() -> None:
    run, generation, store, task = await begun()
    generation.play(*HELLO)
    await until_quiet()
    assert not task.done()
    run.cancel()
    await soon(task)

    assert generation.aborted
    assert (await stored_response(store))["status"] == "completed"


@pytest.mark.parametrize("turns", range(12))
async def test_a_cancel_at_any_moment_gives_one_end(turns: int) -> None:
    run, _, store, task = await begun([TextDelta("Hel")], [TextDelta("lo")], [Finish("stop")])
    await until_quiet(turns)
    run.cancel()
    await soon(task)

    status = run.response.status
    assert status in ("completed", "cancelled")
    assert (await stored_response(store))["status"] == status
    assert ("response.completed" in types(run.log.payloads)) == (status == "completed")
    assert await stored_log(store) == list(run.log.payloads)


async def test_a_run_that_is_evicted_or_only_ended_is_failed_and_not_cancelled() -> None:
    store = WatchedStore()
    ended = run_of(HandPlayed(HELLO), store, None)
    ended.start(failure=EngineError("The server was interrupted."))
    evicted = run_of(HandPlayed(), store, None)
    evicted.start()
    await until_quiet()
    evicted.fail(EngineError("Evicted."))

    for run in (ended, evicted):
        assert (await soon(run.wait())).status == "failed"
        assert types(run.log.payloads)[-2:] == ["error", "response.failed"]


async def test_a_cancel_after_the_end_does_nothing() -> None:
    run, _, store, task = await begun(HELLO)
    await soon(task)
    run.cancel()

    assert (await stored_response(store))["status"] == "completed"


async def test_the_store_breaking_at_a_cancelled_end_is_told() -> None:
    run, generation, store, task = await begun([TextDelta("Once")])
    store.failure = StoreUnavailable("The disk is full.")
    await soon(generation.started.wait())
    run.cancel()
    await soon(task)

    assert run.response.status == "failed"
    assert types(run.log.payloads)[-2:] == ["error", "response.failed"]


# ------------------------------------------------------------------------------------------------------------ consumers


async def test_the_last_consumer_to_leave_cancels() -> None:
    run, generation, _, task = await begun([TextDelta("Once")])
    run.join()
    run.join()
    await soon(generation.started.wait())
    run.leave()
    await until_quiet()
    assert not task.done()
    run.leave()
    await soon(task)

    assert run.response.status == "cancelled"


async def test_a_reader_who_leaves_does_not_end_the_run() -> None:
    run, generation, _, task = await begun([TextDelta("Once")])
    run.join()
    reader = run.log.reader()
    assert await soon(reader.read())
    reader.leave()
    generation.play(Finish("stop"))
    generation.stop()
    await soon(task)
    run.leave()

    assert run.response.status == "completed"


async def test_leaving_the_wait_does_not_end_the_run() -> None:
    run, generation, _, task = await begun([TextDelta("Once")])
    waiting = asyncio.ensure_future(run.wait())
    await until_quiet()
    waiting.cancel()
    await until_quiet()
    assert not task.done()
    generation.play(Finish("stop"))
    generation.stop()

    assert (await soon(run.wait())).status == "completed"
