"""Each family of models is told how hard to reason in its own form."""

import msgspec
import pytest
from msgspec import Raw

from antiphon.core.reasoning_families import EFFORTS, FAMILIES, ask, family_of

NAMES = {
    "openai/gpt-oss-20b": "gpt-oss",
    "Qwen/Qwen3-8B": "qwen3",
    "deepseek-ai/DeepSeek-V3.1": "deepseek",
    "deepseek-ai/DeepSeek-R1": "generic",
    "zai-org/GLM-4.5-Air": "glm",
    "ibm-granite/granite-3.3-8b-instruct": "granite",
    "meta-llama/Llama-3.1-8B": "generic",
}


@pytest.mark.parametrize(("name", "family"), NAMES.items())
def test_a_family_is_found_by_the_model_s_name(name: str, family: str) -> None:
    assert family_of(name) == family


@pytest.mark.parametrize(
    ("family", "effort", "passed", "template"),
    [
        ("generic", "none", "none", None),
        ("generic", "xhigh", "xhigh", None),
        ("gpt-oss", "minimal", "low", None),
        ("gpt-oss", "medium", "medium", None),
        ("gpt-oss", "max", "high", None),
        ("qwen3", "none", None, {"enable_thinking": False}),
        ("qwen3", "low", None, {"enable_thinking": True}),
        ("deepseek", "none", None, {"thinking": False}),
        ("glm", "high", None, {"enable_thinking": True}),
        ("granite", "high", None, {"thinking": True}),
    ],
)
def test_efforts(family: str, effort: str, passed: str | None, template: dict[str, bool] | None) -> None:
    asked = ask(family, effort, None, None)
    assert asked.effort == passed
    assert (msgspec.json.decode(asked.template_kwargs) if asked.template_kwargs else None) == template


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_takes_every_effort_and_is_told_nothing_unless_asked(family: str) -> None:
    for effort in EFFORTS:
        asked = ask(family, effort, None, None)
        assert asked.effort is not None or asked.template_kwargs is not None
    silent = ask(family, None, None, None)
    assert (silent.effort, silent.template_kwargs) == (None, None)


def test_what_the_client_tells_the_template_wins() -> None:
    asked = ask("qwen3", "high", None, Raw(b'{"enable_thinking":false,"custom":1}'))
    assert msgspec.json.decode(asked.template_kwargs or b"") == {"enable_thinking": False, "custom": 1}


def test_reasoning_of_all_turns_is_kept_where_the_template_has_a_switch() -> None:
    assert msgspec.json.decode(ask("glm", None, "all_turns", None).template_kwargs or b"") == {"clear_thinking": False}
