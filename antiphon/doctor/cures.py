"""What has to be added to a server's command line, by kind of server."""

import re
from collections.abc import Mapping, Sequence

from antiphon.doctor.findings import Cure, Finding, Patient
from antiphon.doctor.parsers import Parsers, parsers_for

UNKNOWN = "PARSER"
"""Stands for the name of a parser that only the model's page can tell."""


def missing_flags(patient: Patient, findings: Sequence[Finding]) -> Sequence[str]:
    """The flags that would cure what is missing, in a fixed order; empty for servers whose flags are not known."""
    wanted = {finding.cure for finding in findings if finding.outcome == "missing"}
    parsers = parsers_for(patient.model) or Parsers(UNKNOWN, UNKNOWN)
    names = {"tools": parsers.tools or UNKNOWN, "reasoning": parsers.reasoning or UNKNOWN}
    flags = _FLAGS.get(patient.server, ())
    return [
        flag.format(**names) for flag, cures, since in flags if wanted & cures and _is_at_least(patient.version, since)
    ]


def _is_at_least(version: str | None, since: tuple[int, ...]) -> bool:
    """Whether a version is that one or later; one that cannot be read is."""
    numbers = re.match(r"(\d+)\.(\d+)", version or "")
    return numbers is None or tuple(map(int, numbers.groups())) >= since


def command_of(patient: Patient, flags: Sequence[str]) -> str | None:
    """The command line to start the server with, as far as it is known from here."""
    if not flags:
        return None
    start = {"vllm": f"vllm serve {patient.model}", "llama.cpp": "llama-server …"}.get(patient.server, "…")
    return " ".join((start, *flags))


# A flag, what it cures, and the version that has it first.
_FLAGS: Mapping[str, Sequence[tuple[str, frozenset[Cure | None], tuple[int, ...]]]] = {
    "vllm": (
        ("--chat-template FILE", frozenset({"template"}), ()),
        ("--enable-auto-tool-choice --tool-call-parser {tools}", frozenset({"tools"}), ()),
        ("--tool-strict-level parameter", frozenset({"strict"}), (0, 31)),
        ("--reasoning-parser {reasoning}", frozenset({"reasoning"}), ()),
        ("--enable-prompt-tokens-details", frozenset({"cache"}), ()),
        ("--max-logprobs 20", frozenset({"logprobs"}), ()),
    ),
    "llama.cpp": (
        ("--jinja", frozenset({"template"}), ()),
        ("--reasoning-format deepseek", frozenset({"reasoning"}), ()),
    ),
    "sglang": (  # whose parsers have names of their own
        (f"--tool-call-parser {UNKNOWN}", frozenset({"tools"}), ()),
        (f"--reasoning-parser {UNKNOWN}", frozenset({"reasoning"}), ()),
        ("--enable-cache-report", frozenset({"cache"}), ()),
    ),
}

_NAMED: Sequence[tuple[str, Cure]] = (
    ("--tool-call-parser", "tools"),
    ("--reasoning-parser", "reasoning"),
    ("--jinja", "template"),
)


def cure_of(detail: str, usual: Cure | None) -> Cure | None:
    """What cures a finding: what the server itself asks for, else what usually does."""
    return next((cure for flag, cure in _NAMED if flag in detail), usual)
