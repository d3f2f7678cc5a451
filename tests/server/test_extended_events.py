"""The events of dialect `vllm-extended` that are not OpenAI's."""

from typing import Any

import pytest

from tests.live import Live, parse_events, serve

PATH = "/v1/responses"
INCLUDE = ["reasoning.encrypted_content", "message.output_text.logprobs", "file_search_call.results"]


def streamed(live: Live, dialect: str, said: str = "[[think:hm]][[say:a b]]", **fields: Any) -> list[dict[str, Any]]:
    body = {"input": said, "stream": True, **fields}
    text = live.http.post(PATH, json=body, headers={"x-antiphon-dialect": dialect}).text
    return [data for _, data in parse_events(text.removesuffix("data: [DONE]\n\n"))]


def test_each_included_value_is_told_when_its_item_is_done(live: Live) -> None:
    events = streamed(live, "vllm-extended", include=INCLUDE, top_logprobs=1)
    told = [number for number, event in enumerate(events) if event["type"] == "response.additional_context"]
    sealed, likely = (events[number] for number in told)

    for number in told:
        assert events[number - 1]["type"] == "response.output_item.done"
        assert events[number]["response"] == {"id": events[0]["response"]["id"]}
        assert events[number]["sequence_number"] == number
    reasoning, message = (events[number - 1]["item"] for number in told)
    assert sealed["context"] == {"reasoning.encrypted_content": reasoning["encrypted_content"]}
    assert likely["context"] == {"message.output_text.logprobs": message["content"][0]["logprobs"]}


def test_other_dialects_tell_nothing_of_the_kind(live: Live) -> None:
    for dialect in ("openai", "open-responses"):
        types = {event["type"] for event in streamed(live, dialect, include=INCLUDE)}
        assert "response.additional_context" not in types


@pytest.mark.parametrize("dialect", ["vllm-extended", "vllm-extended+legacy-reasoning"])
@pytest.mark.parametrize("is_legacy_server", [False, True])
def test_reasoning_has_its_old_names_by_setting_or_by_request(dialect: str, is_legacy_server: bool) -> None:
    with serve(legacy_reasoning_events=is_legacy_server) as live:
        types = {event["type"] for event in streamed(live, dialect)}
    old = "response.reasoning_text.delta" in types
    assert old == (is_legacy_server or dialect.endswith("legacy-reasoning"))
    assert old != ("response.reasoning.delta" in types)


def test_an_unknown_variant_is_no_dialect(live: Live) -> None:
    headers = {"x-antiphon-dialect": "vllm-extended+shouting"}
    assert live.http.post(PATH, json={"input": "hi"}, headers=headers).status_code == 400
