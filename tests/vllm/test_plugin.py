"""What holds only within vLLM's own server, of which there are two processes here."""

import json
import re
from argparse import Namespace
from typing import Any

import httpx
import openai
import pytest
from websockets.exceptions import InvalidHandshake
from websockets.sync.client import connect

from antiphon.server.paths import OUR_BASES
from antiphon.vllm_plugin import Door, Inside, api_keys
from tests.live import parse_events, wait_until
from tests.vllm.serving import CLIENT_S, MODEL, ROOT, VERSION, Vllm

pytestmark = [pytest.mark.slow, pytest.mark.vllm, pytest.mark.timeout(1800)]

# Flags on docs/vllm.md that are not vLLM's: those of our commands and of the benchmark.
OURS = {"engine", "upstream_api_key", "any_version", "help_versions", "help", "vllm"}


def create(http: httpx.Client, said: str, /, **fields: Any) -> httpx.Response:
    return http.post("/v1/responses", json={"model": MODEL, "input": said, **fields})


def fresh(vllm: Vllm) -> httpx.Client:
    """A client with a connection of its own, which either process may get."""
    return httpx.Client(base_url=vllm.origin, headers=vllm.http.headers, timeout=CLIENT_S, trust_env=False)


def test_vllms_key_guards_our_routes(vllm: Vllm) -> None:
    with httpx.Client(base_url=vllm.origin, timeout=CLIENT_S, trust_env=False) as keyless:
        assert create(keyless, "Hello").status_code == 401
        assert keyless.get("/v1/responses/resp_1").status_code == 401


def test_what_is_not_ours_stays_vllms(vllm: Vllm) -> None:
    assert vllm.http.get("/v1/models").json()["data"][0]["owned_by"] == "vllm"
    assert vllm.http.post("/tokenize", json={"model": MODEL, "prompt": "abc"}).json()["count"] >= 3
    described = vllm.http.get("/openapi.json").json()["paths"]
    assert "/v1/chat/completions" in described
    assert not any(path.startswith("/v1/responses") for path in described)


def test_an_unknown_path_of_ours_is_answered_in_our_words(vllm: Vllm) -> None:
    answer = vllm.http.get("/v1/responses/resp_1/nothing")
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "unknown_url"


def test_a_response_made_in_one_process_is_found_continued_and_deleted_in_any(vllm: Vllm) -> None:
    with fresh(vllm) as http:
        made = create(http, "[[say:made]]").json()["id"]
    for _ in range(12):
        with fresh(vllm) as http:
            assert http.get(f"/v1/responses/{made}").json()["output"][0]["content"][0]["text"] == "made"
            assert create(http, "[[say:next]]", previous_response_id=made).status_code == 200
    with fresh(vllm) as http:
        assert http.delete(f"/v1/responses/{made}").status_code == 200
    for _ in range(12):
        with fresh(vllm) as http:
            assert http.get(f"/v1/responses/{made}").status_code == 404


def test_a_background_run_is_followed_and_cancelled_from_any_process(vllm: Vllm) -> None:
    with fresh(vllm) as http:
        made = create(http, f"[[delay:50]][[say:{'word ' * 400}]]", background=True, stream=False).json()["id"]
    for _ in range(6):
        with fresh(vllm) as http:
            assert http.get(f"/v1/responses/{made}").json()["status"] in ("queued", "in_progress")
    with fresh(vllm) as http:
        assert http.post(f"/v1/responses/{made}/cancel").json()["status"] == "cancelled"


def test_a_schema_that_vllm_refuses_is_a_400_before_the_stream(vllm: Vllm) -> None:
    form = {"type": "json_schema", "name": "bad", "schema": {"type": "nonsense"}, "strict": True}
    answer = create(vllm.http, "Hello", stream=True, text={"format": form})
    assert answer.status_code == 400
    assert "nonsense" in answer.json()["error"]["message"]


def test_a_long_answer_arrives_whole_and_in_order(vllm: Vllm) -> None:
    text = "".join(f"{number} é☃ " for number in range(60))
    events = [event for _, event in parse_events(create(vllm.http, f"[[say:{text}]]", stream=True).text)]
    deltas = [event["delta"] for event in events if event["type"] == "response.output_text.delta"]
    assert "".join(deltas) == text
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert events[-1]["response"]["usage"]["output_tokens"] == len(text.encode()) + 2  # </think> and the end


def test_one_call_is_given_where_parallel_calls_are_off(vllm: Vllm) -> None:
    tool = {"type": "function", "name": "close_note", "parameters": {"type": "object"}}
    script = '[[call:close_note {"n": 1}]][[call:close_note {"n": 2}]]'
    with openai.OpenAI(base_url=vllm.base_url, api_key=vllm.api_key, timeout=CLIENT_S, max_retries=0) as client:
        response = client.responses.create(model=MODEL, input=script, tools=[tool], parallel_tool_calls=False)
    assert [json.loads(item.arguments) for item in response.output] == [{"n": 1}]


def test_a_conversation_made_in_one_process_is_gone_on_with_in_any(vllm: Vllm) -> None:
    with fresh(vllm) as http:
        made = http.post("/v1/conversations", json={}).json()["id"]
    for number in range(6):
        with fresh(vllm) as http:
            said = create(http, f"[[say:{number}]]", conversation=made)
            assert said.json()["output"][0]["content"][0]["text"] == str(number)
    with fresh(vllm) as http:
        assert len(http.get(f"/v1/conversations/{made}/items?limit=100").json()["data"]) == 12


def test_a_prompt_made_in_one_process_is_used_in_any(vllm: Vllm) -> None:
    template = {"name": "echo", "instructions": "Be {{how}}.", "messages": [{"role": "user", "content": "A hint."}]}
    with fresh(vllm) as http:
        made = http.post("/v1/prompts", json={**template, "model": MODEL}).json()
    asked = {"prompt": {"id": made["id"], "variables": {"how": "brief"}}, "input": "[[say:prompted]]"}
    for _ in range(6):
        with fresh(vllm) as http:
            answer = http.post("/v1/responses", json=asked).json()
            assert answer["output"][0]["content"][0]["text"] == "prompted"
            assert (answer["model"], answer["prompt"]["version"]) == (MODEL, "1")
            assert [turn["content"][0]["text"] for turn in answer["instructions"]] == ["Be brief.", "A hint."]
    plain = create(vllm.http, "[[say:prompted]]").json()["usage"]["input_tokens"]
    assert answer["usage"]["input_tokens"] > plain + len("Be brief.A hint.")
    with fresh(vllm) as http:
        missing = http.post("/v1/responses", json={**asked, "prompt": {"id": made["id"]}})
        assert (missing.status_code, missing.json()["error"]["param"]) == (400, "prompt.variables.how")
        assert [each["id"] for each in http.get("/v1/prompts").json()["data"]] == [made["id"]]
        assert http.delete(f"/v1/prompts/{made['id']}").status_code == 200
    with fresh(vllm) as http:
        assert http.post("/v1/responses", json=asked).status_code == 404
    with httpx.Client(base_url=vllm.origin, timeout=CLIENT_S, trust_env=False) as keyless:
        assert keyless.get("/v1/prompts").status_code == 401


def test_the_settings_of_the_environment_hold_in_every_process(vllm: Vllm) -> None:
    for _ in range(6):
        with fresh(vllm) as http:
            answer = create(http, "[[say:set]]", instructions="x" * 210_000)
            assert answer.status_code == 413
            assert http.get("/v1/responses/resp_1").headers["openai-organization"] == "tests"


@pytest.mark.parametrize("header", ["api-key", "authorization"])
@pytest.mark.parametrize("path", ["/openai/v1/responses", f"/openai/deployments/{MODEL}/responses?api-version=preview"])
def test_azures_paths_are_served_to_those_who_have_vllms_key(vllm: Vllm, path: str, header: str) -> None:
    key = vllm.api_key if header == "api-key" else f"Bearer {vllm.api_key}"
    with httpx.Client(base_url=vllm.origin, timeout=CLIENT_S, trust_env=False) as keyless:
        body = {"model": MODEL, "input": "[[say:azure]]"}
        assert keyless.post(path, json=body).status_code == 401
        assert keyless.post(path, json=body, headers={header: f"{key}x"}).status_code == 401
        answer = keyless.post(path, json=body, headers={header: key})
    assert answer.json()["output"][0]["content"][0]["text"] == "azure"


def test_a_websocket_goes_through_the_door(vllm: Vllm) -> None:
    headers = {"Authorization": f"Bearer {vllm.api_key}"}
    url = f"{vllm.origin.replace('http', 'ws')}/v1/responses"
    with connect(url, additional_headers=headers, open_timeout=CLIENT_S) as socket:
        kinds, said = [], ""
        for text in ("one", "two"):
            socket.send(json.dumps({"type": "response.create", "model": MODEL, "input": f"[[say:{text}]]"}))
            while not kinds or kinds[-1] != "response.completed":
                event = json.loads(socket.recv(CLIENT_S))
                kinds.append(event["type"])
                said += event.get("delta", "")
            kinds.append("next")
    assert said == "onetwo"
    with pytest.raises(InvalidHandshake):
        connect(url, open_timeout=CLIENT_S).close()


def test_our_figures_stand_in_vllms_metrics_added_up(vllm: Vllm) -> None:
    labels = {"route": "/v1/responses", "method": "POST", "status": "200"}
    before = vllm.figure("antiphon_http_requests_total", **labels)
    for _ in range(8):
        with fresh(vllm) as http:
            assert create(http, "[[say:ok]]").status_code == 200
    assert wait_until(lambda: vllm.figure("antiphon_http_requests_total", **labels) >= before + 8, 5)
    assert vllm.figure("antiphon_run_duration_seconds_count") >= before + 8
    assert vllm.figure("http_requests_total", handler="/v1/responses") >= before + 8


def test_the_flags_on_our_pages_are_vllms(vllm: Vllm) -> None:
    known = vllm.http.get("/antiphon-tests/arguments").json()
    newer = {(0, 29): {"max_num_queued_reqs", "max_num_queued_tokens"}, (0, 31): {"tool_strict_level"}}
    absent = {name for version, names in newer.items() if version > VERSION for name in names}
    page = (ROOT / "docs" / "vllm.md").read_text(encoding="utf-8")
    named = {flag.replace("-", "_") for flag in re.findall(r"(?<![\w-])--([a-z][a-z-]*)", page)} - OURS
    assert len(named) > 10 and named - absent - {*known} == set()


def matches(path: str, **more: Any) -> list[str]:
    inside = Inside()
    doors = [Door(base, inside) for base in OUR_BASES]
    scope = {"type": "http", "path": path, **more}
    return [door.path for door in doors if door.matches(scope)[0].name == "FULL"]


def test_the_doors_are_closed_to_paths_that_only_begin_alike() -> None:
    assert matches("/v1/responses") == matches("/v1/responses/x") == ["/v1/responses"]
    assert matches("/v1/conversations/x/items") == ["/v1/conversations"]
    assert matches("/openai/deployments/m/responses") == ["/openai"]
    assert matches("/behind/v1/prompts", root_path="/behind") == ["/v1/prompts"]
    for path in ("/v1/responsesx", "/", "/v1/models", "/health", "/metrics", "/openai.json"):
        assert matches(path) == []


def test_the_keys_are_those_that_vllm_would_ask_for() -> None:
    assert api_keys(Namespace(api_key=["a", "b"]), {"VLLM_API_KEY": "c"}) == ("a", "b")
    assert api_keys(Namespace(api_key=None), {"VLLM_API_KEY": "c"}) == ("c",)
    assert api_keys(Namespace(), {}) == ()
