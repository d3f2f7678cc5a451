"""Which build runs: plain Python, or one whose hot modules are compiled (pyproject.toml lists them)."""

import importlib.util
from importlib.machinery import EXTENSION_SUFFIXES

from antiphon import __version__

_COMPILED_WITH_THE_REST = "antiphon.core.stream"


def is_compiled() -> bool:
    """Whether the hot modules are machine code: all of them are, or none."""
    spec = importlib.util.find_spec(_COMPILED_WITH_THE_REST)
    return spec is not None and str(spec.origin).endswith(tuple(EXTENSION_SUFFIXES))


def version_text() -> str:
    """The version, and whether it runs compiled."""
    return f"{__version__} (compiled)" if is_compiled() else __version__
