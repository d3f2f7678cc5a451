"""Limits of parameters that have no effect beyond them."""

import json
from typing import Any

import pytest

from antiphon.core.validate import check
from antiphon.errors import InvalidRequest
from antiphon.wire.decode import decode_create

LATE = {"background_options": {"completion_window": "8h"}}


def faulty(fields: dict[str, Any]) -> str | None:
    """The parameter at fault; None when there is no fault."""
    try:
        check(decode_create(json.dumps({"input": "hi"} | fields).encode()))
    except InvalidRequest as error:
        return error.param
    return None


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"prompt_cache_key": "k" * 256, "user": "u" * 512, "safety_identifier": "s" * 128}, None),
        ({"prompt_cache_key": "k" * 257}, "prompt_cache_key"),
        ({"user": "u" * 513}, "user"),
        ({"safety_identifier": "s" * 129}, "safety_identifier"),
        ({"prompt_cache_retention": "1h"}, "prompt_cache_retention"),
        ({"prompt_cache_options": {"ttl": "1h"}}, "prompt_cache_options.ttl"),
        ({"access_programs": {"cyber": "red"}}, "access_programs.cyber"),
        ({"moderation": {}}, "moderation.model"),
        ({"moderation": {"model": "m", "policy": {"input": {"mode": "x"}}}}, "moderation.policy.input.mode"),
        ({"image": {"context_compression": "x"}}, "image.context_compression"),
        ({"background": True, **LATE}, None),
        (LATE, "background_options.completion_window"),
        ({"background": True, "stream": True, **LATE}, "background_options.completion_window"),
        ({"background": True, "service_tier": "flex", **LATE}, "background_options.completion_window"),
    ],
    ids=str,
)
def test_limits(fields: dict[str, Any], param: str | None) -> None:
    assert faulty(fields) == param
