"""`obfuscation`: noise on every delta where it is asked for, kept in the log, and nowhere else."""

import json
from typing import Any

import pytest

from tests.live import Live, parse_events, serve

PATH = "/v1/responses"
ON = {"stream_options": {"include_obfuscation": True}}
OFF = {"stream_options": {"include_obfuscation": False}}
SAID = "[[think:hm]][[say:one two three]]"


def is_padded(event: dict[str, Any]) -> bool:
    return len(event.get("obfuscation", "")) > 0


def size(event: dict[str, Any]) -> int:
    """Of an event, but for its number."""
    return len(json.dumps({**event, "sequence_number": 0}, separators=(",", ":")))


@pytest.mark.parametrize("dialect", ["openai", "open-responses", "vllm-extended"])
def test_every_delta_is_padded_to_one_of_few_sizes_and_nothing_else_is(live: Live, dialect: str) -> None:
    body = {"input": SAID, "stream": True, "reasoning": {"summary": "auto"}, **ON}
    sent = live.http.post(PATH, json=body, headers={"x-antiphon-dialect": dialect}).text
    events = [data for _, data in parse_events(sent.removesuffix("data: [DONE]\n\n"))]

    assert {event["type"].endswith(".delta") for event in events if is_padded(event)} == {True}
    assert all(is_padded(event) for event in events if event["type"].endswith(".delta"))
    assert len({size(event) % 64 for event in events if is_padded(event)}) == 1


def test_a_replay_holds_the_noise_that_was_sent_whatever_it_asks_for(live: Live) -> None:
    sent = live.stream(SAID, **ON)
    for wanted in ("true", "false"):
        query = {"stream": "true", "include_obfuscation": wanted}
        replay = live.http.get(f"{PATH}/{sent[0]['response']['id']}", params=query)
        assert [data for _, data in parse_events(replay.text)] == sent


def test_deltas_have_no_noise_unless_the_request_or_else_the_server_wants_it(live: Live) -> None:
    assert not any(map(is_padded, live.stream(SAID)))
    with serve(obfuscation=True) as padding:
        assert any(map(is_padded, padding.stream(SAID)))
        assert not any(map(is_padded, padding.stream(SAID, **OFF)))
