"""Prompts: kept version by version, and used by requests that refer to them."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from openai.types.responses import Response as SdkResponse

from antiphon.core.chat import ImagePart, Message, TextPart
from antiphon.stores.sql import SqlStore
from tests.live import Live, serve, wait_until
from tests.openapi_schema import validate_response
from tests.server.asked import AskedEngine

PATH = "/v1/prompts"
IMAGE = {"type": "input_image", "image_url": "data:image/png;base64,AAAA"}


@pytest.fixture(scope="module")
def asking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with serve(AskedEngine(), SqlStore(tmp_path_factory.mktemp("prompts") / "antiphon.db")) as running:
        yield running


def made(live: Live, **template: Any) -> dict[str, Any]:
    answer = live.http.post(PATH, json=template)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def shown(live: Live) -> list[Message]:
    """What the engine was last asked."""
    assert isinstance(live.engine, AskedEngine)
    return list(live.engine.asked[-1].messages)


def error_of(answer: httpx.Response) -> tuple[int, str | None, str | None]:
    error = answer.json()["error"]
    return answer.status_code, error["param"], error["code"]


# ---------------------------------------------------------------------------------------------------------- made, kept


def test_versions_are_kept_and_the_last_one_is_current(live: Live) -> None:
    first = made(live, name="greet", instructions="Greet {{name}}.", temperature=0)
    second = live.http.post(f"{PATH}/{first['id']}/versions", json={"instructions": "Welcome {{ name }}!"}).json()

    assert (first["object"], first["version"], first["variables"]) == ("prompt", "1", ["name"])
    assert (first["name"], first["temperature"]) == ("greet", 0)
    assert (second["id"], second["version"], "name" in second) == (first["id"], "2", False)
    assert live.http.get(f"{PATH}/{first['id']}").json() == second
    assert live.http.get(f"{PATH}/{first['id']}/versions/1").json() == first
    listed = live.http.get(f"{PATH}/{first['id']}/versions", params={"order": "asc", "limit": 1}).json()
    assert (listed["data"], listed["first_id"], listed["has_more"]) == ([first], "1", True)


def test_prompts_are_listed_in_pages_and_deleted(live: Live) -> None:
    one, two = made(live, instructions="one"), made(live, instructions="two")
    page = live.http.get(PATH, params={"limit": 1}).json()
    assert (page["data"], page["last_id"], page["has_more"]) == ([two], two["id"], True)
    assert live.http.get(PATH, params={"limit": 1, "after": two["id"]}).json()["data"] == [one]

    gone = {"id": two["id"], "object": "prompt.deleted", "deleted": True}
    assert live.http.delete(f"{PATH}/{two['id']}").json() == gone
    for answer in (live.http.delete(f"{PATH}/{two['id']}"), live.http.get(f"{PATH}/{two['id']}/versions")):
        assert answer.status_code == 404


@pytest.mark.parametrize(
    ("template", "param"),
    [
        ({}, "instructions"),
        ({"instructions": 1}, "instructions"),
        ({"messages": [{"type": "item_reference", "id": "x"}]}, "messages[0].type"),
        ({"instructions": "x", "temperature": 3}, "temperature"),
        ({"instructions": "x", "tools": [{"type": "function", "name": "a b"}]}, "tools[0].name"),
    ],
)
def test_a_template_that_no_request_could_be_made_from_is_refused(
    live: Live, template: dict[str, Any], param: str
) -> None:
    assert error_of(live.http.post(PATH, json=template))[:2] == (400, param)


# ---------------------------------------------------------------------------------------------------------------- used


def test_a_request_is_filled_from_its_prompt_and_says_so(asking: Live) -> None:
    tool = {"type": "function", "name": "look"}
    prompt = made(asking, instructions="Greet {{name}} as {{name}}.", tools=[tool], temperature=0.5)
    reference = {"id": prompt["id"], "variables": {"name": "{{Ada}}"}}
    response = asking.create("hi", prompt=reference)

    assert shown(asking)[0] == Message("system", "Greet {{Ada}} as {{Ada}}.")
    assert response["instructions"] == "Greet {{Ada}} as {{Ada}}."
    assert response["prompt"] == {**reference, "version": "1"}
    assert (response["temperature"], response["tools"][0]["name"]) == (0.5, "look")
    validate_response(response)


def test_what_the_request_says_itself_wins(asking: Live) -> None:
    prompt = made(asking, instructions="Be brief.", temperature=0.5, max_output_tokens=20)
    response = asking.create("hi", prompt={"id": prompt["id"]}, instructions="Be long.", temperature=0)

    assert (response["instructions"], response["temperature"]) == ("Be long.", 0)
    assert response["max_output_tokens"] == 20


def test_messages_stand_in_front_are_echoed_as_instructions_and_not_inherited(asking: Live) -> None:
    content = [{"type": "input_text", "text": "Look at {{picture}} of {{name}}."}]
    prompt = made(asking, messages=[{"role": "user", "content": content}], instructions="See.")
    variables = {"picture": IMAGE, "name": {"type": "input_text", "text": "Ada"}}
    response = asking.create("hi", prompt={"id": prompt["id"], "variables": variables})

    system, preface, said = shown(asking)
    assert (system, said) == (Message("system", "See."), Message("user", "hi"))
    assert preface.content == (TextPart("Look at "), ImagePart(IMAGE["image_url"]), TextPart(" of Ada."))
    assert [item["role"] for item in response["instructions"]] == ["developer", "user"]
    SdkResponse.model_validate(response)  # the published schema takes a message for two kinds of item

    asking.create("more", previous_response_id=response["id"])
    assert shown(asking)[0].content == "hi"
    items = asking.http.get(f"/v1/responses/{response['id']}/input_items").json()["data"]
    assert [item["content"][0]["text"] for item in items] == ["hi"]


def test_a_variable_may_be_a_file(asking: Live) -> None:
    prompt = made(asking, messages=[{"role": "user", "content": "Read {{file}}."}])
    file = {"type": "input_file", "filename": "a.txt", "file_data": "data:text/plain;base64,aGVsbG8="}
    asking.create("hi", prompt={"id": prompt["id"], "variables": {"file": file}})
    assert "hello" in str(shown(asking)[0].content)


def test_a_prompt_alone_is_a_request(asking: Live) -> None:
    prompt = made(asking, messages=[{"role": "user", "content": "[[say:done]]"}])
    assert asking.create(None, prompt={"id": prompt["id"]})["output"][0]["content"][0]["text"] == "done"


def test_a_request_names_the_version_it_wants(asking: Live) -> None:
    prompt = made(asking, instructions="old")
    asking.http.post(f"{PATH}/{prompt['id']}/versions", json={"instructions": "new"})
    for version, said in ((None, "new"), ("1", "old"), ("2", "new")):
        assert asking.create("hi", prompt={"id": prompt["id"], "version": version})["instructions"] == said


@pytest.mark.parametrize(
    ("reference", "error"),
    [
        ({"id": "pmpt_x"}, (404, "prompt.id", None)),
        ({"version": "7"}, (404, "prompt.version", None)),
        ({"version": "latest"}, (404, "prompt.version", None)),
        ({"variables": {}}, (400, "prompt.variables.name", "missing_required_parameter")),
        ({"variables": {"name": "a", "other": "b"}}, (400, "prompt.variables.other", "unknown_parameter")),
        ({"variables": {"name": IMAGE}}, (400, "prompt.variables.name", "invalid_type")),
        ({"variables": {"name": 1}}, (400, "prompt.variables.name", "invalid_type")),
        (
            {"variables": {"name": {"type": "input_text"}}},
            (400, "prompt.variables.name.text", "missing_required_parameter"),
        ),
    ],
    ids=str,
)
def test_a_reference_that_does_not_fit_is_refused(
    live: Live, reference: dict[str, Any], error: tuple[int, str, str | None]
) -> None:
    prompt = made(live, instructions="Greet {{name}}.")
    answer = live.http.post("/v1/responses", json={"input": "hi", "prompt": {"id": prompt["id"], **reference}})
    assert error_of(answer) == error


def test_a_shorthand_for_tool_outputs_keeps_the_prompt(asking: Live) -> None:
    preface = [{"role": "developer", "content": "Be {{how}}."}]
    tool = {"type": "function", "name": "f"}
    prompt = made(asking, messages=preface, tools=[tool])
    asked = asking.create("[[call:f {}]]", prompt={"id": prompt["id"], "variables": {"how": "kind"}})
    outputs = {"tool_outputs": [{"call_id": asked["output"][-1]["call_id"], "output": "x"}]}
    answer = asking.http.post(f"/v1/responses/{asked['id']}/tool_outputs", json=outputs)

    assert answer.status_code == 200, answer.text
    assert shown(asking)[0].content == "Be kind."


def test_a_background_run_keeps_the_version_it_began_with(asking: Live) -> None:
    prompt = made(asking, instructions="old")
    begun = asking.create("[[say:a]]", prompt={"id": prompt["id"]}, background=True)
    asking.http.post(f"{PATH}/{prompt['id']}/versions", json={"instructions": "new"})
    path = f"/v1/responses/{begun['id']}"
    assert wait_until(lambda: asking.http.get(path).json()["status"] == "completed", 5)
    assert asking.http.get(path).json()["prompt"] == {"id": prompt["id"], "version": "1"}


def test_a_server_that_stores_nothing_has_no_prompts() -> None:
    with serve(store_enabled=False) as live:
        assert error_of(live.http.post(PATH, json={"instructions": "x"}))[0] == 400
