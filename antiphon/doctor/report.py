"""The diagnosis for people."""

from collections.abc import Iterator

from antiphon.doctor.cures import UNKNOWN, command_of
from antiphon.doctor.findings import Diagnosis, Finding, Patient


def text_of(diagnosis: Diagnosis) -> str:
    """All of it, ready to print."""
    return "\n".join(_lines(diagnosis))


def _lines(diagnosis: Diagnosis) -> Iterator[str]:
    patient = diagnosis.patient
    yield from (_headline(patient), "")
    yield from (_line(finding) for finding in diagnosis.findings)
    if any(finding.outcome == "model" for finding in diagnosis.findings):
        yield from ("", "model: the server can, but the model did not do it when it was asked.")
    command = command_of(patient, diagnosis.flags)
    if command is not None:
        yield from ("", "Start the server with these flags beside those it has:", "", f"    {command}")
    if any(UNKNOWN in flag for flag in diagnosis.flags):
        yield from (
            "",
            f"{UNKNOWN}: which one fits the model is not known here; the model's page or the server's names it.",
        )
    yield from ("", "For antiphon.toml:", "", *_indented(diagnosis.model_block))
    if diagnosis.client_config is not None:
        yield from ("", f"For {_who(diagnosis)}'s config.toml:", "", *_indented(diagnosis.client_config))
    yield from ("", _verdict(diagnosis))


def _headline(patient: Patient) -> str:
    server = "a server of chat completions" if patient.server == "generic" else patient.server
    version = f" {patient.version}" if patient.version else ""
    context = f"{patient.context_tokens} tokens" if patient.context_tokens else "unknown"
    return f"{patient.url} is {server}{version} with the model {patient.model}, context {context}."


def _line(finding: Finding) -> str:
    detail = f": {finding.detail}" if finding.detail else ""
    word = "MISSING" if finding.outcome == "missing" else finding.outcome
    return f"  {word:<8} {finding.title}{detail}"


def _verdict(diagnosis: Diagnosis) -> str:
    who = _who(diagnosis)
    lacking = [finding.title for finding in diagnosis.lacking]
    return f"{who} lacks: {'; '.join(lacking)}." if lacking else f"{who} has all that it needs."


def _who(diagnosis: Diagnosis) -> str:
    return (diagnosis.client or "a client").capitalize()


def _indented(block: str) -> list[str]:
    return [f"    {line}" if line else "" for line in block.splitlines()]
