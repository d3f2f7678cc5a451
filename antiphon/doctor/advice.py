"""What to write into configuration files, after what was found."""

import json
from collections.abc import Mapping, Sequence

from antiphon.doctor.findings import Finding, Patient

NEEDS: Mapping[str | None, Sequence[str]] = {
    None: ("answers", "instructions"),
    "codex": ("answers", "instructions", "turns", "tools"),
}
"""By client, what has to work; None: any client."""

CODEX_LEAST_CONTEXT_TOKENS = 16384
"""Codex's own instructions and tools take about half of that."""


def model_block(patient: Patient, findings: Sequence[Finding], *, api_key_env: str | None, client: str | None) -> str:
    """The tables for Antiphon's configuration file."""
    found = {finding.name: finding for finding in findings}
    upstream = {
        "name": "models",
        "urls": [patient.url],
        **({"api_key_env": api_key_env} if api_key_env else {}),
        **({"server": patient.server} if patient.server != "generic" else {}),
    }
    model: dict[str, object] = {"name": patient.model, "upstream": "models"}
    if client == "codex":
        model["aliases"] = ["gpt-*"]
    if patient.context_tokens is not None:
        model["context_tokens"] = patient.context_tokens
    model["images"] = found["images"].outcome == "works"
    if found["reasoning"].outcome == "works":
        model["reasoning"] = True
    return "\n".join(("[[upstream]]", *_lines(upstream), "", "[[model]]", *_lines(model)))


def codex_config(patient: Patient, base_url: str) -> str:
    """A `config.toml` for Codex, which reaches the model through an Antiphon at `base_url`."""
    top: dict[str, object] = {"model": patient.model, "model_provider": "antiphon"}
    if patient.context_tokens is not None:
        top["model_context_window"] = patient.context_tokens
    provider = {
        "name": "Antiphon",
        "base_url": base_url,
        "env_key": "ANTIPHON_API_KEY",
        "wire_api": "responses",
        "supports_websockets": True,
    }
    return "\n".join((*_lines(top), "", "[model_providers.antiphon]", *_lines(provider)))


def codex_context(patient: Patient) -> Finding:
    """Whether the context holds what Codex sends before the user has said anything."""
    name, title, tokens = "context", "a context that holds Codex's instructions and tools", patient.context_tokens
    if tokens is None:
        return Finding(name=name, title=title, outcome="failed", detail="the server does not tell how long it is")
    if tokens < CODEX_LEAST_CONTEXT_TOKENS:
        detail = f"it has {tokens} tokens, and {CODEX_LEAST_CONTEXT_TOKENS} are the least to work with"
        return Finding(name=name, title=title, outcome="missing", detail=detail)
    return Finding(name=name, title=title, outcome="works")


def _lines(table: Mapping[str, object]) -> list[str]:
    return [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in table.items()]
