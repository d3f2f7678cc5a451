"""Rate limits over a socket: what is let in, what is told of it, and what is given back."""

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx

from antiphon.core.grant import Limits
from antiphon.core.rate_rules import ScopedLimits
from antiphon.server.rate_headers import duration
from antiphon.stores.sql import SqlStore
from tests.live import Live, parse_events, serve, wait_until


def limited(scope: str = "global", name: str | None = None, **limits: int) -> tuple[ScopedLimits, ...]:
    return (ScopedLimits(scope=scope, name=name, limits=Limits(**limits)),)  # type: ignore[arg-type]


def ask(live: Live, said: str = "[[say:Hi]]", **fields: Any) -> httpx.Response:
    return live.http.post("/v1/responses", json={"input": said, **fields})


def test_requests_beyond_the_limit_are_told_when_to_try_again() -> None:
    with serve(limits=limited(requests_per_minute=2)) as live:
        assert [ask(live).status_code for _ in range(2)] == [200, 200]
        refused = ask(live, stream=True)
    error = refused.json()["error"]
    assert (refused.status_code, error["code"], error["type"]) == (429, "rate_limit_exceeded", "requests")
    assert re.search(
        r"Rate limit reached for scripted on requests per min \(RPM\) \(limit of this server\): Limit 2, Used 2, "
        r"Requested 1\. Please try again in [\d.]+s\.$",
        error["message"],
    )
    assert 1 <= int(refused.headers["retry-after"]) <= 30
    assert 1000 <= int(refused.headers["retry-after-ms"]) <= 30_000
    assert refused.headers["x-ratelimit-remaining-requests"] == "0"


def test_every_answer_tells_what_is_left() -> None:
    with serve(limits=limited(requests_per_minute=10, tokens_per_minute=10_000)) as live:
        answer = ask(live)
        streamed = ask(live, stream=True)
    told = {name: value for name, value in answer.headers.items() if name.startswith("x-ratelimit-")}
    assert told["x-ratelimit-limit-requests"] == "10"
    assert told["x-ratelimit-remaining-requests"] == "9"
    assert re.fullmatch(r"[\d.]+s|\d+m\d+s", told["x-ratelimit-reset-requests"])
    assert told["x-ratelimit-limit-tokens"] == "10000"
    assert int(told["x-ratelimit-remaining-tokens"]) < 10_000
    assert streamed.headers["x-ratelimit-remaining-requests"] == "8"


def test_a_guess_is_settled_with_what_was_really_used() -> None:
    with serve(limits=limited(tokens_per_minute=1000)) as live:
        for _ in range(20):  # each is thought to need some 500 tokens, and needs a few
            assert ask(live).status_code == 200


def test_a_limit_on_tokens_holds() -> None:
    with serve(limits=limited(tokens_per_minute=1000)) as live:
        words = " ".join(["word"] * 1500)
        assert ask(live, f"[[say:{words}]]").status_code == 200
        refused = ask(live)
    assert refused.status_code == 429
    assert refused.json()["error"]["type"] == "tokens"
    assert "tokens per min (TPM)" in refused.json()["error"]["message"]


def test_a_bad_request_gives_its_tokens_back() -> None:
    with serve(limits=limited(tokens_per_minute=1000)) as live:
        for _ in range(5):
            assert ask(live, "x " * 200_000).status_code == 400  # more than the context
        assert ask(live).status_code == 200


def test_a_compaction_is_limited_and_counted_like_a_response() -> None:
    with serve(limits=limited(requests_per_minute=2, tokens_per_minute=100_000)) as live:
        compacted = live.http.post("/v1/responses/compact", json={"input": "Hi."})
        after = live.http.post("/v1/responses", json={"input": "[[say:x]]"})
        assert compacted.headers["x-ratelimit-remaining-requests"] == "1"
        refused = live.http.post("/v1/responses/compact", json={"input": "Hi."})

    used = compacted.json()["usage"]["total_tokens"]
    assert int(after.headers["x-ratelimit-remaining-tokens"]) <= 100_000 - used
    assert refused.status_code == 429


def test_so_many_go_on_at_a_time_and_leaving_makes_room() -> None:
    with serve(limits=limited(concurrent=1)) as live:
        with live.http.stream("POST", "/v1/responses", json={"input": "[[stall:20]]", "stream": True}) as first:
            lines = first.iter_lines()
            assert next(lines) == "event: response.created"
            refused = ask(live)
            assert refused.status_code == 429
            assert "1 responses at a time" in refused.json()["error"]["message"]
        assert wait_until(lambda: ask(live).status_code == 200, 5)


def test_a_limit_of_a_model_concerns_no_other() -> None:
    from antiphon.engines.scripted import ScriptedEngine

    engine = ScriptedEngine(model_ids=("large", "small"))
    with serve(engine, limits=limited("model", "large", requests_per_minute=1)) as live:
        assert ask(live, model="large").status_code == 200
        assert ask(live, model="large").status_code == 429
        assert ask(live, model="small").status_code == 200


def test_a_daily_budget_ends_with_insufficient_quota() -> None:
    with serve(limits=limited("tenant", daily_tokens=100)) as live:
        assert ask(live, f"[[say:{' '.join(['word'] * 200)}]]").status_code == 200
        assert wait_until(lambda: ask(live).status_code == 429, 10)
        refused = ask(live)
    assert refused.json()["error"]["code"] == "insufficient_quota"
    assert "this tenant may use 100 tokens, and has today" in refused.json()["error"]["message"]


def test_the_extended_dialect_tells_of_limits_before_the_terminal_event() -> None:
    headers = {"x-antiphon-dialect": "vllm-extended"}
    with serve(limits=limited("key", tokens_per_minute=10) + limited(requests_per_minute=5)) as live:
        asked = {"input": "[[say:Hi]]", "stream": True}
        made = live.http.post("/v1/responses", json=asked, headers=headers)
        events = [data for _, data in parse_events(made.text.removesuffix("data: [DONE]\n\n"))]
        replay = live.http.get(f"/v1/responses/{events[0]['response']['id']}", params={"stream": "true"}).text
        plain = live.stream("[[say:Hi]]")
    told, last = events[-2:]
    assert last["type"] == "response.completed"
    assert told["type"] == "response.rate_limits.updated"
    (limit,) = told["rate_limits"]
    assert {**limit, "reset_seconds": 0} == {"name": "global_requests", "limit": 5, "remaining": 4, "reset_seconds": 0}
    assert '"response.rate_limits.updated"' in replay
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert not [event for event in plain if "rate_limits" in event["type"]]


def test_limits_hold_across_servers_on_one_store(tmp_path: Path) -> None:
    path, rules = tmp_path / "data" / "x.sqlite3", limited(requests_per_minute=7)
    stores = SqlStore(path), SqlStore(path)
    with (
        serve(store=stores[0], limits=rules) as one,
        serve(store=stores[1], limits=rules) as two,
        ThreadPoolExecutor(8) as pool,
    ):
        codes = list(pool.map(lambda number: ask((one, two)[number % 2]).status_code, range(20)))
    assert sorted(codes) == [200] * 7 + [429] * 13


def test_times_are_written_as_openai_writes_them() -> None:
    assert [duration(each) for each in (0, 0.02, 1, 1.5, 59.999, 60, 360, 3723)] == [
        *("0s", "20ms", "1s", "1.5s", "59.999s", "1m0s", "6m0s", "1h2m3s")
    ]
