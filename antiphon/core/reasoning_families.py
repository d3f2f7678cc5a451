"""How each family of models is told how hard to reason: by `reasoning_effort` or a switch of its chat template.

A family is found by the model's name, unless it is said. What a client gives the template itself wins.
"""

import re
from collections.abc import Mapping
from functools import lru_cache

import msgspec
from msgspec import Raw, Struct

from antiphon.wire.unknown import encode

EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
AS_IT_IS: Mapping[str, str] = {effort: effort for effort in EFFORTS}
THREE_STEPS: Mapping[str, str] = {
    "none": "low",
    "minimal": "low",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "xhigh": "high",
    "max": "high",
}


class Family(Struct, frozen=True, kw_only=True):
    """`efforts`: what is passed on for each effort; one that is missing is not. `switch`: the argument of the chat
    template that turns reasoning on and off. `all_turns`: those that keep reasoning of earlier turns in the prompt."""

    efforts: Mapping[str, str] = {}
    switch: str | None = None
    all_turns: Mapping[str, object] = {}


GENERIC = "generic"
FAMILIES: Mapping[str, Family] = {
    GENERIC: Family(efforts=AS_IT_IS),
    "gpt-oss": Family(efforts=THREE_STEPS),
    "qwen3": Family(switch="enable_thinking"),
    "deepseek": Family(switch="thinking"),
    "glm": Family(switch="enable_thinking", all_turns={"clear_thinking": False}),
    "granite": Family(switch="thinking"),
}
PATTERNS: tuple[tuple[str, str], ...] = (
    (r"gpt-?oss", "gpt-oss"),
    (r"qwen-?3|smollm3|hunyuan|exaone-?4", "qwen3"),
    (r"deepseek-?v(3\.[1-9]|[4-9])", "deepseek"),
    (r"glm-?(4\.[5-9]|[5-9])", "glm"),
    (r"granite-?(3\.[2-9]|[4-9])", "granite"),
)
"""Found anywhere in a model's name, the first one that is."""


class Asked(Struct, frozen=True, kw_only=True):
    """What a model is told: `effort` beside the prompt, `template_kwargs` (a JSON object) to its chat template."""

    effort: str | None = None
    template_kwargs: Raw | None = None


@lru_cache(maxsize=256)
def family_of(model: str) -> str:
    """The family of a model, by its name."""
    name = model.lower()
    return next((family for pattern, family in PATTERNS if re.search(pattern, name)), GENERIC)


def ask(family: str, effort: str | None, context: str | None, template_kwargs: Raw | None) -> Asked:
    """What a model of `family` is told. Nothing is said of what the request leaves open."""
    row = FAMILIES[family]
    said: dict[str, object] = dict(row.all_turns) if context == "all_turns" else {}
    if effort is not None and row.switch is not None:
        said[row.switch] = effort != "none"
    if said and template_kwargs is not None:
        said |= msgspec.json.decode(template_kwargs, type=dict[str, Raw])
    return Asked(
        effort=None if effort is None else row.efforts.get(effort),
        template_kwargs=Raw(encode(said)) if said else template_kwargs,
    )
