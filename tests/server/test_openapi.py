"""`/openapi.json`: complete, valid, and true of what is taken and answered."""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from antiphon.server.app import RouteRow, azure_routes, routes
from antiphon.server.conversation_handlers import ConversationHandlers
from antiphon.server.event_schemas import COMPONENTS, EVENT
from antiphon.server.handlers import Handlers
from antiphon.server.openapi import ERRORS, document
from antiphon.server.operations import OPERATIONS
from antiphon.server.prompt_handlers import PromptHandlers
from antiphon.wire.decode import decode_create
from antiphon.wire.dialects import DIALECTS, type_of
from antiphon.wire.events import EVENTS
from tests.live import Live, parse_events
from tests.server.test_published_schemas import CASES

DOCUMENT = json.loads(document())
SCHEMAS = DOCUMENT["components"]["schemas"]


@cache
def validator(name: str) -> Draft202012Validator:
    return Draft202012Validator({"$ref": f"#/components/schemas/{name}", "components": {"schemas": SCHEMAS}})


def fault_of(name: str, value: Any) -> str | None:
    """What is wrong with `value` as `name`; None when nothing is."""
    error = best_match(validator(name).iter_errors(value))
    return f"{error.json_path}: {error.message[:300]}" if error else None


def all_routes() -> list[RouteRow]:
    """A table of routes asks nothing of its handlers."""
    return routes(Handlers, ConversationHandlers, PromptHandlers)  # nothing is called: the classes will do


def test_every_route_has_a_row_and_every_row_a_route() -> None:
    served = {(row.method, row.path.replace(":path", ""), row.public) for row in all_routes()}
    assert {(row.method, row.path, row.public) for row in OPERATIONS} == served


def test_the_page_of_routes_names_every_route_once() -> None:
    page = (Path(__file__).parents[2] / "docs" / "api.md").read_text(encoding="utf-8")
    named = re.findall(r"^\| `([A-Z]+ /\S*)` \|", page, re.MULTILINE)
    assert sorted(named) == sorted(f"{row.method} {row.path.replace(':path', '')}" for row in all_routes())


def test_azures_paths_are_those_of_the_api_in_three_more_families() -> None:
    served = {(row.method, row.path.replace(":path", ""), row.public) for row in azure_routes(all_routes())}
    api = [row for row in OPERATIONS if "servers" not in DOCUMENT["paths"][row.path][row.method.lower()]]
    assert {row.path.split("/")[1] for row in api} == {"v1"}
    bases = ("/openai/v1", "/openai", "/openai/deployments/{deployment}")
    assert served == {(row.method, base + row.path.removeprefix("/v1"), row.public) for row in api for base in bases}
    servers = {server["url"]: server["description"] for server in DOCUMENT["servers"]}
    assert servers.keys() == {"/", "/openai"}
    assert all(f"`{base}/…`" in servers["/openai"] for base in bases)
    assert json.loads(document(azure=False))["servers"] == DOCUMENT["servers"][:1]


def test_every_parameter_of_a_path_is_described() -> None:
    for row in OPERATIONS:
        named = {part[1:-1] for part in row.path.split("/") if part.startswith("{")}
        assert {parameter.name for parameter in row.parameters if parameter.place == "path"} == named


def test_every_error_is_the_envelope() -> None:
    envelope = {"application/json": {"schema": {"$ref": "#/components/schemas/ErrorEnvelope"}}}
    for path in DOCUMENT["paths"].values():
        for operation in path.values():
            errors = {status: answer for status, answer in operation["responses"].items() if status != "200"}
            assert "default" in errors
            assert all(answer["content"] == envelope for answer in errors.values())
    assert {status for row in OPERATIONS for status in row.errors} == set(ERRORS)


def test_every_schema_is_valid_and_every_reference_leads_somewhere() -> None:
    for schema in SCHEMAS.values():
        Draft202012Validator.check_schema(schema)
    wanted = set(references(DOCUMENT))
    assert wanted == SCHEMAS.keys()


def references(node: Any) -> list[str]:
    if isinstance(node, list):
        return [name for inner in node for name in references(inner)]
    if not isinstance(node, dict):
        return []
    own = [node["$ref"].rpartition("/")[2]] if "$ref" in node else []
    return own + [name for inner in node.values() for name in references(inner)]


def test_the_document_is_served_as_json(live: Live) -> None:
    answer = live.http.get("/openapi.json")
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == DOCUMENT
    assert DOCUMENT["openapi"].startswith("3.1")


TAKEN: list[dict[str, Any]] = [
    {"input": "hi"},
    {"model": None, "input": None, "instructions": "x", "tools": None, "metadata": None, "stop": None},
    {"input": [{"type": "message", "role": "user", "content": "hi"}], "stream": True, "seed": 1},
    {"input": [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]}]},
    {"input": [{"type": "function_call_output", "call_id": "c", "output": [{"type": "input_text", "text": "x"}]}]},
    {"input": "hi", "tools": [{"type": "function", "name": "f"}], "tool_choice": {"type": "web_search"}},
    {"input": "hi", "conversation": "conv_1", "text": {"format": {"type": "json_object"}, "verbosity": None}},
]
REFUSED: list[dict[str, Any]] = [
    {"input": 1},
    {"input": "hi", "temperature": 3},
    {"input": "hi", "include": ["everything"]},
    {"input": "hi", "metadata": {"a": 1}},
    {"input": "hi", "tools": [{"type": "function"}]},
    {"input": [{"type": "message", "role": "robot", "content": "hi"}]},
    {"input": "hi", "text": {"format": {"type": "json_schema", "name": "n", "schema": []}}},
]


@pytest.mark.parametrize("request_body", [*TAKEN, *CASES.values()], ids=str)
def test_what_the_request_schema_takes_is_read(request_body: dict[str, Any]) -> None:
    assert fault_of("CreateResponseParam", request_body) is None
    decode_create(json.dumps(request_body).encode())


@pytest.mark.parametrize("request_body", REFUSED, ids=str)
def test_what_cannot_be_honoured_is_not_in_the_request_schema(live: Live, request_body: dict[str, Any]) -> None:
    assert fault_of("CreateResponseParam", request_body) is not None
    assert live.http.post("/v1/responses", json=request_body).status_code == 400


@pytest.mark.parametrize("name", CASES)
def test_answers_and_events_are_what_the_document_says(live: Live, name: str) -> None:
    assert fault_of("Response", live.http.post("/v1/responses", json=CASES[name]).json()) is None
    streamed = live.http.post("/v1/responses", json={**CASES[name], "stream": True})
    for _, event in parse_events(streamed.text):
        assert fault_of(EVENT, event) is None


def types_of(dialect: str) -> set[str]:
    """The events that a dialect's streams may hold, as the document says."""
    names = [member["$ref"].rpartition("/")[2] for member in SCHEMAS[COMPONENTS[dialect]]["anyOf"]]
    return {SCHEMAS[name]["properties"]["type"]["const"] for name in names}


def test_the_document_has_every_event_of_every_dialect() -> None:
    assert types_of("openai") == EVENTS.keys()
    for name, dialect in DIALECTS.items():
        assert types_of(name) >= {type_of(event) for event in dialect.events()}


MORE: dict[str, dict[str, Any]] = {
    "failure": {"input": "[[say:a]][[fail:server_error]]"},
    "included": {"input": "[[think:hm]][[say:a]]", "include": ["reasoning.encrypted_content"]},
    "padded": {"input": "[[think:hm]][[say:a]]", "stream_options": {"include_obfuscation": True}},
}
STREAMED = CASES | MORE


@pytest.mark.parametrize("name", STREAMED)
@pytest.mark.parametrize("dialect", [*DIALECTS, "vllm-extended+legacy-reasoning"])
def test_streams_of_each_dialect_are_what_the_document_says(live: Live, dialect: str, name: str) -> None:
    headers = {"x-antiphon-dialect": dialect}
    streamed = live.http.post("/v1/responses", json={**STREAMED[name], "stream": True}, headers=headers)
    events = parse_events(streamed.text.removesuffix("data: [DONE]\n\n"))
    assert len(events) > 2
    for _, event in events:
        assert fault_of(COMPONENTS[dialect.partition("+")[0]], event) is None
