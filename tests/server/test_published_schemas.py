"""Every kind of answer against OpenAI's document, and against the Open Responses specification where it applies."""

from typing import Any

import pytest

from tests.live import Live, parse_events
from tests.openapi_schema import validate_event, validate_item, validate_open_event, validate_open_response
from tests.openapi_schema import validate_response as validate_openai_response

FUNCTION = {"type": "function", "name": "f", "parameters": {"type": "object", "properties": {}}}
CUSTOM = {"type": "custom", "name": "patch", "format": {"type": "grammar", "syntax": "regex", "definition": "[a-z]+"}}
NAMESPACE = {"type": "namespace", "name": "ns", "description": "", "tools": [FUNCTION]}
LOGPROBS = {"top_logprobs": 2, "include": ["message.output_text.logprobs"]}

CASES: dict[str, dict[str, Any]] = {
    "text": {"input": "hello"},
    "reasoning": {"input": "[[think:hm]][[say:yes]]", "reasoning": {"effort": "high", "summary": "auto"}},
    "refusal": {"input": "[[refuse:no]]"},
    "calls": {"input": '[[call:f {"a": 1}]][[call:f {}]]', "tools": [FUNCTION], "tool_choice": "required"},
    "custom": {"input": "patch it", "tools": [CUSTOM], "tool_choice": {"type": "custom", "name": "patch"}},
    "namespace": {"input": "f", "tools": [NAMESPACE, {"type": "web_search"}], "tool_choice": "required"},
    "all": {"input": "[[think:a]][[say:b]][[call:f {}]]", "tools": [FUNCTION]},
    "logprobs": {"input": "[[say:one two]]", **LOGPROBS},
    "schema": {
        "input": "hi",
        "text": {
            "format": {
                "type": "json_schema",
                "name": "n",
                "description": "Anything.",
                "schema": {"type": "object"},
                "strict": True,
            }
        },
    },
    "object": {"input": "hi", "text": {"format": {"type": "json_object"}, "verbosity": "low"}},
    "cut": {"input": "[[say:a b c]][[length]]"},
    "filter": {"input": "[[say:a]][[filter]]"},
    "empty": {"input": "[[say:]]"},
    "echoes": {
        "input": [{"role": "user", "content": [{"type": "input_text", "text": "hi"}]}],
        "instructions": "Be brief.",
        "metadata": {"a": "b"},
        "temperature": 0,
        "top_p": 1,
        "max_output_tokens": 16,
        "max_tool_calls": 1,
        "service_tier": "auto",
        "prompt_cache_key": "k",
        "safety_identifier": "s",
        "user": "u",
        "prompt_cache_retention": "24h",
        "prompt_cache_options": {"ttl": "30m"},
        "access_programs": {"cyber": "standard"},
        "moderation": {"model": "omni-moderation-latest", "policy": {"input": {"mode": "score"}}},
        "image": {"context_compression": "auto"},
        "background_options": {"completion_window": "soonest"},
        "truncation": "auto",
        "store": False,
    },
}
# Open Responses has no such tools, and describes an echoed schema as null.
OPEN = [name for name in CASES if name not in ("custom", "namespace", "schema")]

KEYS = (
    "id object created_at completed_at status incomplete_details model previous_response_id instructions output error "
    "tools tool_choice truncation parallel_tool_calls text top_p presence_penalty frequency_penalty top_logprobs "
    "temperature reasoning usage max_output_tokens max_tool_calls store background service_tier metadata "
    "safety_identifier prompt_cache_key"
).split()
NEVER_NULL = (
    "tools tool_choice truncation parallel_tool_calls text top_p presence_penalty frequency_penalty top_logprobs "
    "temperature store background service_tier metadata id object status output model created_at"
).split()
WHOLE = ("created_at", "completed_at", "top_logprobs", "max_output_tokens", "max_tool_calls")


def events_of(live: Live, fields: dict[str, Any]) -> list[dict[str, Any]]:
    answer = live.http.post("/v1/responses", json={**fields, "stream": True})
    assert answer.status_code == 200, answer.text
    return [data for _, data in parse_events(answer.text)]


def response_of(live: Live, fields: dict[str, Any]) -> dict[str, Any]:
    answer = live.http.post("/v1/responses", json=fields)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.parametrize("name", CASES)
def test_responses_are_openais(live: Live, name: str) -> None:
    validate_openai_response(response_of(live, CASES[name]))


@pytest.mark.parametrize("name", CASES)
def test_events_are_openais(live: Live, name: str) -> None:
    for event in events_of(live, CASES[name]):
        validate_event(event)


@pytest.mark.parametrize("name", OPEN)
def test_responses_are_those_of_open_responses(live: Live, name: str) -> None:
    validate_open_response(response_of(live, CASES[name]))


@pytest.mark.parametrize("name", ["text", "calls", "object", "cut", "echoes", "refusal"])
def test_events_without_reasoning_are_those_of_open_responses(live: Live, name: str) -> None:
    for event in events_of(live, CASES[name]):
        validate_open_event(event)


@pytest.mark.parametrize("name", CASES)
def test_all_keys_are_there_and_those_that_may_not_be_null_are_not(live: Live, name: str) -> None:
    for response in (event["response"] for event in events_of(live, CASES[name]) if "response" in event):
        assert not [key for key in KEYS if key not in response]
        assert not [key for key in NEVER_NULL if response[key] is None]
        assert not [key for key in WHOLE if not isinstance(response[key], int | None)]


def nulls_in(value: Any, path: str = "") -> list[str]:
    """The paths of all nulls in JSON."""
    if value is None:
        return [path]
    if isinstance(value, dict):
        return [found for key, inner in value.items() for found in nulls_in(inner, f"{path}.{key}")]
    if isinstance(value, list):
        return [found for inner in value for found in nulls_in(inner, f"{path}[]")]
    return []


@pytest.mark.parametrize("name", CASES)
def test_items_and_text_hold_no_nulls(live: Live, name: str) -> None:
    response = response_of(live, CASES[name])
    assert nulls_in(response["output"]) == []
    assert nulls_in(response["text"]["verbosity"]) == []
    assert isinstance(response["instructions"], str | None)


def test_function_tools_echo_description_parameters_and_strict(live: Live) -> None:
    (tool,) = live.create("hi", tools=[{"type": "function", "name": "f"}])["tools"]
    assert tool == {"type": "function", "name": "f", "description": None, "parameters": None, "strict": None}


@pytest.mark.parametrize("name", CASES)
def test_input_items_are_openais(live: Live, name: str) -> None:
    first = response_of(live, {**CASES[name], "store": True})
    outputs = [
        {"type": f"{item['type']}_output", "call_id": item["call_id"], "output": "x"}
        for item in first["output"]
        if "call_id" in item
    ]
    second = live.create([*outputs, {"role": "user", "content": "on"}], previous_response_id=first["id"])
    page = live.http.get(f"/v1/responses/{second['id']}/input_items?limit=100").json()
    assert len(page["data"]) >= 3 or name == "empty"
    for item in page["data"]:
        validate_item(item)


def test_an_item_is_added_empty_and_does_not_change_once_done(live: Live) -> None:
    events = events_of(live, CASES["all"])
    added = [event["item"] for event in events if event["type"] == "response.output_item.added"]
    done = [event["item"] for event in events if event["type"] == "response.output_item.done"]
    assert [item["id"] for item in added] == [item["id"] for item in done]
    assert all(item["status"] == "in_progress" for item in added if "status" in item)
    assert [item.get("content", item.get("arguments")) for item in added] == [[], [], ""]
    assert events[-1]["response"]["output"] == done
