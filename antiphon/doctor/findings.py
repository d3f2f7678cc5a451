"""What an examination finds."""

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

Outcome = Literal["works", "missing", "model", "failed"]
"""`missing`: the server lacks it as it was started. `model`: the server can, the model did not do it when it was asked.
`failed`: neither can be told, for something went wrong."""

Cure = Literal["tools", "strict", "reasoning", "cache", "template", "logprobs"]
"""What has to be switched on at the server; its flags are those of `cures`."""


class Finding(Struct, frozen=True, kw_only=True):
    """One thing that was tried. `detail` is what was seen where it does not simply work."""

    name: str
    title: str
    outcome: Outcome
    detail: str = ""
    cure: Cure | None = None


class Patient(Struct, frozen=True, kw_only=True):
    """The server and the model that were asked. `server` is its kind, `generic` where it cannot be told."""

    url: str
    server: str
    version: str | None
    model: str
    context_tokens: int | None


class Diagnosis(Struct, frozen=True, kw_only=True):
    """All that was found, what of it the client needs (`needs`: names of findings), and what to do.

    `flags` are missing from the server's command line. `model_block` goes into Antiphon's configuration file, and
    `client_config` into the client's, where there is one.
    """

    patient: Patient
    findings: Sequence[Finding]
    needs: Sequence[str]
    flags: Sequence[str]
    model_block: str
    client: str | None = None
    client_config: str | None = None

    @property
    def lacking(self) -> Sequence[Finding]:
        """What the client needs and does not get."""
        return [each for each in self.findings if each.name in self.needs and each.outcome in ("missing", "failed")]
