"""Every field of a request stands in its response, as it was given or at its default."""

import json
from typing import Any

import pytest

from antiphon.core.chat import OutputFormat, Sampling
from antiphon.core.draft import chat_options, draft_response
from antiphon.wire.decode import decode_create
from antiphon.wire.unknown import encode
from tests.openapi_schema import validate_response


def drafted(fields: dict[str, Any], *, stored: bool = True) -> dict[str, Any]:
    request = decode_create(json.dumps({"input": "hi"} | fields).encode())
    response = encode(draft_response(request, "resp_1", 1_700_000_000, "scripted", stored=stored))
    validate_response(response)
    return dict(json.loads(response))


def options(fields: dict[str, Any]) -> dict[str, Any]:
    return dict(chat_options(decode_create(json.dumps({"input": "hi"} | fields).encode())))


DEFAULTS = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1_700_000_000,
    "completed_at": None,
    "status": "in_progress",
    "background": False,
    "error": None,
    "incomplete_details": None,
    "model": "scripted",
    "output": [],
    "usage": None,
    "previous_response_id": None,
    "instructions": None,
    "tools": [],
    "tool_choice": "auto",
    "parallel_tool_calls": True,
    "max_tool_calls": None,
    "text": {"format": {"type": "text"}, "verbosity": "medium"},
    "reasoning": {"effort": None, "summary": None},
    "metadata": {},
    "temperature": 1.0,
    "top_p": 1.0,
    "top_logprobs": 0,
    "presence_penalty": 0.0,
    "frequency_penalty": 0.0,
    "max_output_tokens": None,
    "truncation": "disabled",
    "store": True,
    "service_tier": "default",
    "safety_identifier": None,
    "prompt_cache_key": None,
}


def test_a_silent_request_has_every_key_at_its_default() -> None:
    assert drafted({}) == DEFAULTS


TOOLS = [
    {
        "type": "function",
        "name": "f",
        "description": "F.",
        "parameters": {"type": "object", "properties": {"é": {"enum": [1, 2.5, None]}}},
        "strict": False,
    },
    {"type": "custom", "name": "c", "format": {"type": "grammar", "syntax": "regex", "definition": "a+"}},
    {
        "type": "namespace",
        "name": "n",
        "description": "N.",
        "tools": [{"type": "function", "name": "g", "strict": None}],
    },
]
FORMAT = {"type": "json_schema", "name": "a", "schema": {"type": "object"}, "description": "A.", "strict": True}


@pytest.mark.parametrize(
    ("given", "echoed"),
    [
        ({"model": "other"}, {}),
        ({"previous_response_id": "resp_0"}, {"previous_response_id": "resp_0"}),
        ({"instructions": 'Say "é".\n'}, {"instructions": 'Say "é".\n'}),
        ({"tool_choice": "none"}, {"tool_choice": "none"}),
        (
            {"tool_choice": {"type": "function", "name": "f"}},
            {"tool_choice": {"type": "function", "name": "f"}},
        ),
        (
            {"tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "f"}]}},
            {"tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "f"}]}},
        ),
        ({"parallel_tool_calls": False}, {"parallel_tool_calls": False}),
        ({"parallel_tool_calls": None}, {"parallel_tool_calls": True}),
        ({"max_tool_calls": 3}, {"max_tool_calls": 3}),
        ({"text": {"format": FORMAT}}, {"text": {"format": FORMAT, "verbosity": "medium"}}),
        ({"text": {"verbosity": "low"}}, {"text": {"format": {"type": "text"}, "verbosity": "low"}}),
        ({"reasoning": {"effort": "low"}}, {"reasoning": {"effort": "low", "summary": None}}),
        ({"reasoning": {"generate_summary": "auto"}}, {"reasoning": {"effort": None, "summary": "auto"}}),
        ({"metadata": {"a": "b"}}, {"metadata": {"a": "b"}}),
        ({"temperature": 0}, {"temperature": 0}),
        ({"top_p": 0.5, "top_logprobs": 2}, {"top_p": 0.5, "top_logprobs": 2}),
        ({"presence_penalty": 1, "frequency_penalty": -1}, {"presence_penalty": 1, "frequency_penalty": -1}),
        ({"max_output_tokens": 16}, {"max_output_tokens": 16}),
        ({"truncation": "auto"}, {"truncation": "auto"}),
        ({"service_tier": "auto"}, {}),
        ({"safety_identifier": "s", "prompt_cache_key": "k"}, {"safety_identifier": "s", "prompt_cache_key": "k"}),
        ({"user": "u"}, {"user": "u"}),
        (
            {"prompt_cache_options": {"mode": "explicit", "ttl": "30m"}},
            {"prompt_cache_options": {"mode": "explicit", "ttl": "30m"}},
        ),
    ],
)
def test_what_was_given_is_echoed_and_nothing_else_changes(given: dict[str, Any], echoed: dict[str, Any]) -> None:
    assert drafted(given) == DEFAULTS | echoed


NOT_MODERATED = {
    "type": "error",
    "code": "moderation_unavailable",
    "message": "This server does not moderate.",
}


@pytest.mark.parametrize(
    ("given", "echoed"),
    [
        ({"prompt_cache_retention": "24h"}, {"prompt_cache_retention": "24h"}),
        ({"prompt_cache_retention": "in-memory"}, {"prompt_cache_retention": "in_memory"}),
        ({"prompt_cache_options": {}}, {"prompt_cache_options": {"mode": "implicit", "ttl": "30m"}}),
        (
            {"prompt_cache_options": {"ttl": "30m", "prewarm": True, "comparison_response_id": "resp_0"}},
            {
                "prompt_cache_options": {"mode": "implicit", "ttl": "30m", "comparison_response_id": "resp_0"},
                "prompt_cache_diagnostics": {"type": "unavailable"},
            },
        ),
        ({"access_programs": {"cyber": "daybreak_red"}}, {"access_programs": {"cyber": "standard"}}),
        ({"image": {"context_compression": "auto"}}, {"image": {"context_compression": "disabled"}}),
        ({"moderation": {"model": "m"}}, {"moderation": {"input": NOT_MODERATED, "output": NOT_MODERATED}}),
    ],
)
def test_what_this_server_lacks_is_echoed_as_what_was_done(given: dict[str, Any], echoed: dict[str, Any]) -> None:
    assert drafted(given) == DEFAULTS | echoed


def test_tools_are_echoed_with_their_schemas_untouched() -> None:
    function, custom, namespace = drafted({"tools": TOOLS})["tools"]

    assert (function, custom) == (TOOLS[0], TOOLS[1])
    assert namespace["tools"][0]["name"] == "g"


def test_secrets_of_a_tool_are_not_echoed() -> None:
    tool = {"type": "mcp", "server_label": "x", "server_url": "https://example.org", "require_approval": "never"}
    secrets = {"authorization": "sk-secret", "headers": {"x-key": "sk-secret"}}

    assert drafted({"tools": [tool | secrets]})["tools"] == [tool]


def test_a_response_that_is_not_stored_says_so() -> None:
    assert drafted({}, stored=False)["store"] is False


# --------------------------------------------------------------------------------------------------------- chat options


def test_a_silent_request_leaves_every_option_to_the_engine() -> None:
    assert options({}) == {
        "parallel_tool_calls": True,
        "output_format": OutputFormat(),
        "sampling": Sampling(),
        "verbosity": None,
        "cache_key": None,
    }


@pytest.mark.parametrize(
    ("fields", "sampling"),
    [
        ({"temperature": 0, "top_p": 0.5, "max_output_tokens": 20}, Sampling(temperature=0, top_p=0.5, max_tokens=20)),
        ({"top_logprobs": 3}, Sampling(logprobs=3)),
        ({"top_logprobs": 0}, Sampling()),
        ({"include": ["message.output_text.logprobs"]}, Sampling(logprobs=0)),
        ({"include": ["message.output_text.logprobs"], "top_logprobs": 2}, Sampling(logprobs=2)),
        ({"stop": "x"}, Sampling(stop=("x",))),
        ({"stop": ["x", "y"], "seed": 7}, Sampling(stop=("x", "y"), seed=7)),
        ({"top_k": 5, "min_p": 0.1, "repetition_penalty": 1.1}, Sampling(top_k=5, min_p=0.1, repetition_penalty=1.1)),
        ({"presence_penalty": 1, "frequency_penalty": 2}, Sampling(presence_penalty=1, frequency_penalty=2)),
    ],
)
def test_sampling(fields: dict[str, Any], sampling: Sampling) -> None:
    assert options(fields)["sampling"] == sampling


@pytest.mark.parametrize(
    ("given", "kind", "strict"),
    [
        ({"type": "text"}, "text", False),
        ({"type": "json_object"}, "json_object", False),
        (FORMAT, "json_schema", True),
        (FORMAT | {"strict": False}, "json_schema", False),
        (FORMAT | {"strict": None}, "json_schema", True),
    ],
)
def test_output_format(given: dict[str, Any], kind: str, strict: bool) -> None:
    found = options({"text": {"format": given}})["output_format"]

    assert (found.kind, found.strict) == (kind, strict)
    assert (found.schema is None) == (kind != "json_schema")


def test_the_other_options() -> None:
    fields = {
        "text": {"verbosity": "low"},
        "prompt_cache_key": "k",
        "parallel_tool_calls": False,
    }
    found = options(fields)

    assert (found["verbosity"], found["cache_key"]) == ("low", "k")
    assert found["parallel_tool_calls"] is False
