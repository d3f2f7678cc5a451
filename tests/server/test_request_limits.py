"""Requests that are too large in one of their parts: refused with the limit and the setting that moves it."""

from typing import Any

import pytest

from antiphon.core.request_limits import RequestLimits
from tests.live import serve

SMALL = RequestLimits(max_input_items=3, max_tool_output_bytes=200)
CALL = {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"}


def output(text: Any) -> dict[str, Any]:
    return {"type": "function_call_output", "call_id": "c1", "output": text}


@pytest.mark.parametrize(
    ("said", "param", "setting"),
    [
        ([{"role": "user", "content": "Hi"}] * 4, "input", "max_input_items"),
        ([CALL, output("x" * 300)], "input[1].output", "max_tool_output_bytes"),
        ([CALL, output([{"type": "input_text", "text": "x" * 300}])], "input[1].output", "max_tool_output_bytes"),
    ],
)
def test_a_part_that_is_too_large_is_named(said: list[Any], param: str, setting: str) -> None:
    with serve(request_limits=SMALL) as live:
        answer = live.http.post("/v1/responses", json={"input": said})
        assert live.create([CALL, output("fine")])["status"] == "completed"
    error = answer.json()["error"]
    assert (answer.status_code, error["param"]) == (400, param)
    assert f"setting '{setting}'" in error["message"]


@pytest.mark.parametrize("path", ["/v1/responses/input_tokens", "/v1/responses/compact"])
def test_counting_and_compacting_have_the_same_limits(path: str) -> None:
    with serve(request_limits=SMALL) as live:
        answer = live.http.post(path, json={"model": "scripted", "input": [{"role": "user", "content": "Hi"}] * 4})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "input")


def test_a_delivered_output_that_is_too_large_is_refused_and_the_call_still_waits() -> None:
    tools = [{"type": "function", "name": "f", "parameters": {"type": "object"}}]
    asked = {"input": "[[call:f {}]][[then]][[say:Done]]", "tools": tools, "await_tool_outputs": True}
    with serve(request_limits=SMALL) as live:
        made = live.http.post("/v1/responses", json={**asked, "background": False}).json()
        (call,) = made["output"]
        path = f"/v1/responses/{made['id']}/tool_outputs"
        refused = live.http.post(path, json={"tool_outputs": [{"call_id": call["call_id"], "output": "x" * 300}]})
        taken = live.http.post(path, json={"tool_outputs": [{"call_id": call["call_id"], "output": "ok"}]})
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "tool_outputs[0].output")
    assert taken.status_code == 200
