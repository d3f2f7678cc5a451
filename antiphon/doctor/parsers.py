"""Which of vLLM's parsers reads the calls and the thoughts of which family of models.

The names are those of vLLM 0.28 to 0.32. A family is known by a piece of its models' names, the most special first.
"""

from collections.abc import Sequence

from msgspec import Struct


class Parsers(Struct, frozen=True):
    """vLLM's `--tool-call-parser` and `--reasoning-parser`; None where the family has no such thing."""

    tools: str | None
    reasoning: str | None


FAMILIES: Sequence[tuple[str, Parsers]] = (
    ("gpt-oss", Parsers("openai", "openai_gptoss")),
    ("qwen3-coder", Parsers("qwen3_coder", None)),
    ("qwen3.5", Parsers("qwen3_coder", "qwen3")),
    ("qwen3", Parsers("hermes", "qwen3")),
    ("qwq", Parsers("hermes", "deepseek_r1")),
    ("qwen2.5", Parsers("hermes", None)),
    ("qwen", Parsers("hermes", None)),
    ("hermes", Parsers("hermes", None)),
    ("smollm3", Parsers("hermes", "qwen3")),
    ("deepseek-r1-distill", Parsers(None, "deepseek_r1")),
    ("deepseek-r1", Parsers("deepseek_v3", "deepseek_r1")),
    ("deepseek-v4", Parsers("deepseek_v4", "deepseek_v4")),
    ("deepseek-v3.2", Parsers("deepseek_v32", "deepseek_v3")),
    ("deepseek-v3.1", Parsers("deepseek_v31", "deepseek_v3")),
    ("deepseek", Parsers("deepseek_v3", None)),
    ("glm-4.7", Parsers("glm47", "glm47")),
    ("glm", Parsers("glm45", "glm45")),
    ("kimi-k3", Parsers("kimi_k3", "kimi_k3")),
    ("kimi", Parsers("kimi_k2", "kimi_k2")),
    ("minimax-m3", Parsers("minimax_m3", "minimax_m3")),
    ("minimax", Parsers("minimax_m2", "minimax_m2")),
    ("llama-4", Parsers("llama4_pythonic", None)),
    ("llama-3", Parsers("llama3_json", None)),
    ("magistral", Parsers("mistral", "mistral")),
    ("mistral", Parsers("mistral", None)),
    ("devstral", Parsers("mistral", None)),
    ("granite-4", Parsers("granite4", None)),
    ("granite", Parsers("granite", "granite")),
    ("gemma-4", Parsers("gemma4", "gemma4")),
    ("functiongemma", Parsers("functiongemma", None)),
    ("phi-4-mini", Parsers("phi4_mini_json", None)),
    ("ernie-4.5", Parsers("ernie45", "ernie45")),
    ("hunyuan", Parsers("hunyuan_a13b", "hunyuan_a13b")),
    ("nemotron", Parsers("qwen3_coder", "nemotron_v3")),
    ("olmo-3", Parsers("olmo3", "olmo3")),
    ("seed-oss", Parsers("seed_oss", "seed_oss")),
    ("step-3.5", Parsers("step3p5", "step3p5")),
    ("step3", Parsers("step3", "step3")),
    ("mimo", Parsers("mimo", "mimo")),
    ("longcat", Parsers("longcat", None)),
    ("internlm", Parsers("internlm", None)),
    ("jamba", Parsers("jamba", None)),
    ("xlam", Parsers("xlam", None)),
    ("lfm2", Parsers("lfm2", None)),
    ("apertus", Parsers("apertus", None)),
)


def parsers_for(model: str) -> Parsers | None:
    """Those of the family that the model's name tells of, None for an unknown one."""
    name = model.lower().replace("_", "-")
    return next((parsers for piece, parsers in FAMILIES if piece in name), None)
