"""Conversations over `previous_response_id`."""

from typing import Any

import pytest

from tests.live import Live

WEATHER = {
    "type": "function",
    "name": "get_weather",
    "description": "The weather of a city.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


def output_for(call: dict[str, Any], text: str = "sunny") -> dict[str, Any]:
    return {"type": "function_call_output", "call_id": call["call_id"], "output": text}


def said(response: dict[str, Any]) -> str:
    return "".join(part["text"] for item in response["output"] if item["type"] == "message" for part in item["content"])


def test_a_tool_loop_over_a_chain(live: Live) -> None:
    first = live.create('What is the weather in "Oslo"?', tools=[WEATHER])
    (call,) = first["output"]
    assert (call["type"], call["name"], call["status"]) == ("function_call", "get_weather", "completed")
    second = live.create([output_for(call)], previous_response_id=first["id"], tools=[WEATHER])
    assert "sunny" in said(second)
    assert second["previous_response_id"] == first["id"]


def test_a_chain_remembers_reasoning_calls_and_text(live: Live) -> None:
    script = (
        '[[think:first]][[call:f {"n": 1}]][[then]][[think:second]][[call:f {"n": 2}]][[then]][[say:after two rounds]]'
    )
    response = live.create(script)
    for _ in range(2):
        (call,) = [item for item in response["output"] if item["type"] == "function_call"]
        response = live.create([output_for(call)], previous_response_id=response["id"])
    assert said(response) == "after two rounds"
    items = live.http.get(f"/v1/responses/{response['id']}/input_items?order=asc").json()["data"]
    assert [item["type"] for item in items] == [
        "message",
        *["reasoning", "function_call", "function_call_output"] * 2,
    ]
    assert [item["content"][0]["text"] for item in items if item["type"] == "reasoning"] == ["first", "second"]


def test_a_streamed_turn_can_be_continued(live: Live) -> None:
    first = live.stream("[[call:f {}]][[then]][[say:went on]]")[-1]["response"]
    second = live.stream([output_for(first["output"][0])], previous_response_id=first["id"])[-1]["response"]
    assert said(second) == "went on"


def test_one_parent_can_have_several_children(live: Live) -> None:
    parent = live.create("root")
    children = [live.create(f"child {n}", previous_response_id=parent["id"]) for n in range(3)]
    for n, child in enumerate(children):
        items = live.http.get(f"/v1/responses/{child['id']}/input_items?order=asc").json()["data"]
        assert [item["content"][0]["text"] for item in items] == ["root", "Echo: root", f"child {n}"]


def test_every_token_of_the_chain_is_counted(live: Live) -> None:
    first = live.create("one two three")
    second = live.create("four", previous_response_id=first["id"])
    assert second["usage"]["input_tokens"] > first["usage"]["input_tokens"] + first["usage"]["output_tokens"]
    assert second["usage"]["input_tokens_details"]["cached_tokens"] > 0


def test_instructions_are_not_inherited(live: Live) -> None:
    with_them = live.create("hello", instructions="Speak like a very old pirate would.")
    without = live.create("hello")
    assert with_them["usage"]["input_tokens"] > without["usage"]["input_tokens"]
    second = live.create("more", previous_response_id=with_them["id"])
    assert second["instructions"] is None
    reference = live.create("more", previous_response_id=without["id"])
    assert second["usage"]["input_tokens"] == reference["usage"]["input_tokens"]


def test_tools_are_not_inherited(live: Live) -> None:
    first = live.create("[[say:ready]]", tools=[WEATHER])
    second = live.create("get_weather of a city", previous_response_id=first["id"])
    assert second["tools"] == []
    assert [item["type"] for item in second["output"]] == ["message"]


def test_a_call_without_its_output_cannot_be_passed_over(live: Live) -> None:
    first = live.create("[[call:f {}]]")
    body = {"input": "never mind", "previous_response_id": first["id"]}
    answer = live.http.post("/v1/responses", json=body)
    call_id = first["output"][0]["call_id"]
    assert answer.status_code == 400
    assert answer.json()["error"]["message"] == f"No tool output found for function call {call_id}."


def test_parallel_calls_are_answered_together(live: Live) -> None:
    first = live.create('[[call:f {"n": 1}]][[call:g {"n": 2}]][[then]][[say:both]]')
    calls = first["output"]
    assert [call["name"] for call in calls] == ["f", "g"]
    body = {"input": [output_for(calls[0])], "previous_response_id": first["id"]}
    assert live.http.post("/v1/responses", json=body).status_code == 400
    second = live.create([output_for(call) for call in reversed(calls)], previous_response_id=first["id"])
    assert said(second) == "both"


def test_an_incomplete_turn_can_be_continued(live: Live) -> None:
    first = live.create("[[say:half]][[call:f {}]][[length]]")
    assert first["status"] == "incomplete"
    assert live.create("go on", previous_response_id=first["id"])["status"] == "completed"


def test_a_failed_turn_cannot_be_continued(live: Live) -> None:
    failed = live.stream("[[fail:server_error]]")[-1]["response"]
    body = {"input": "go on", "previous_response_id": failed["id"]}
    answer = live.http.post("/v1/responses", json=body)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "previous_response_id")


def test_the_whole_conversation_can_be_sent_instead(live: Live) -> None:
    first = live.create("[[think:hm]][[call:f {}]][[then]][[say:stateless]]", store=False)
    script = {"role": "user", "content": "[[think:hm]][[call:f {}]][[then]][[say:stateless]]"}
    call = first["output"][-1]
    second = live.create([script, *first["output"], output_for(call)], store=False)
    assert said(second) == "stateless"


def test_stored_items_can_be_named_instead_of_repeated(live: Live) -> None:
    first = live.create("one")
    (message,) = first["output"]
    second = live.create(
        [{"role": "user", "content": "one"}, {"id": message["id"]}, {"role": "user", "content": "two"}]
    )
    items = live.http.get(f"/v1/responses/{second['id']}/input_items?order=asc").json()["data"]
    assert items[1] == message


@pytest.mark.parametrize("text", ["list", "string"])
def test_tool_outputs_may_be_parts_or_text(live: Live, text: str) -> None:
    first = live.create("[[call:f {}]]")
    value: Any = [{"type": "input_text", "text": "warm"}] if text == "list" else "warm"
    output = {"type": "function_call_output", "call_id": first["output"][0]["call_id"], "output": value}
    second = live.create([output], previous_response_id=first["id"])
    assert "warm" in said(second)


def test_a_history_of_chat_completions_goes_on_as_it_is(live: Live) -> None:
    calls = [
        {"id": f"call_{name}", "type": "function", "function": {"name": name, "arguments": "{}"}} for name in ("f", "g")
    ]
    outputs = [{"role": "tool", "tool_call_id": f"call_{name}", "content": f"said {name}"} for name in ("f", "g")]
    history = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": None, "tool_calls": calls}, *outputs]
    response = live.create(history)
    assert "said f" in said(response)
    assert "said g" in said(response)
    items = live.http.get(f"/v1/responses/{response['id']}/input_items", params={"order": "asc"}).json()["data"]
    assert [item["type"] for item in items] == ["message", *["function_call"] * 2, *["function_call_output"] * 2]
    assert [item["call_id"] for item in items[1:]] == ["call_f", "call_g"] * 2
