"""What to write into configuration files, after what was found."""

import json
from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct

from antiphon.doctor.cures import missing_flags
from antiphon.doctor.findings import Diagnosis, Finding, Patient


class Client(Struct, frozen=True, kw_only=True):
    """What a client needs: names of findings, and a context of so many tokens. `aliases` are what it calls models.

    `config` writes its configuration, given the base URL of the Antiphon that it will use.
    """

    needs: Sequence[str]
    least_context_tokens: int = 0
    aliases: Sequence[str] = ()
    config: Callable[[Patient, str], str] | None = None


def conclude(
    patient: Patient, findings: Sequence[Finding], client: str | None, *, api_key_env: str | None, antiphon_url: str
) -> Diagnosis:
    """What follows from the findings for a client of `CLIENTS`."""
    wanted = CLIENTS[client] if client is not None else ANY
    if wanted.least_context_tokens:
        findings = (*findings, _context(patient, client or "", wanted.least_context_tokens))
    return Diagnosis(
        patient=patient,
        findings=findings,
        needs=wanted.needs,
        flags=missing_flags(patient, findings),
        model_block=_model_block(patient, findings, api_key_env, wanted.aliases),
        client=client,
        client_config=wanted.config(patient, antiphon_url) if wanted.config is not None else None,
    )


def _model_block(patient: Patient, findings: Sequence[Finding], api_key_env: str | None, aliases: Sequence[str]) -> str:
    """The tables for Antiphon's configuration file."""
    works = {finding.name for finding in findings if finding.outcome == "works"}
    upstream = {
        "name": "models",
        "urls": [patient.url],
        "api_key_env": api_key_env,
        "server": patient.server if patient.server != "generic" else None,
    }
    model = {
        "name": patient.model,
        "upstream": "models",
        "aliases": aliases or None,
        "context_tokens": patient.context_tokens,
        "images": "images" in works,
        "reasoning": "reasoning" in works or None,
    }
    return "\n".join(("[[upstream]]", *_lines(upstream), "", "[[model]]", *_lines(model)))


def _codex_config(patient: Patient, base_url: str) -> str:
    top = {"model": patient.model, "model_provider": "antiphon", "model_context_window": patient.context_tokens}
    provider = {
        "name": "Antiphon",
        "base_url": base_url,
        "env_key": "ANTIPHON_API_KEY",
        "wire_api": "responses",
        "supports_websockets": True,
    }
    return "\n".join((*_lines(top), "", "[model_providers.antiphon]", *_lines(provider)))


def _context(patient: Patient, client: str, least: int) -> Finding:
    """Whether the context holds what the client sends before its user has said anything."""
    name, tokens = "context", patient.context_tokens
    title = f"a context that holds {client.capitalize()}'s instructions and tools"
    if tokens is None:
        return Finding(name=name, title=title, outcome="failed", detail="the server does not tell how long it is")
    if tokens < least:
        detail = f"it has {tokens} tokens, and {least} are the least to work with"
        return Finding(name=name, title=title, outcome="missing", detail=detail)
    return Finding(name=name, title=title, outcome="works")


def _lines(table: Mapping[str, object]) -> list[str]:
    """The keys of a TOML table that have a value; what JSON writes of these, TOML reads."""
    return [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in table.items() if value is not None]


ANY = Client(needs=("answers", "instructions"))
"""Whatever the client is."""
CLIENTS: Mapping[str, Client] = {
    "codex": Client(
        needs=("answers", "instructions", "turns", "tools", "context"),
        least_context_tokens=16384,  # its own instructions and tools take about half of that
        aliases=("gpt-*",),
        config=_codex_config,
    ),
}
