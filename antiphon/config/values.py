"""A setting's value read from text, whichever source the text came from."""

import difflib
import math
import re
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit

from antiphon.config.secret import Secret
from antiphon.config.settings import Row

_TRUTHS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
_SIZE = re.compile(r"(\d+)\s*([kmgt]?)i?b?", re.IGNORECASE)
_SIZE_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}


def read_value(row: Row, text: str, *, folder: Path | None = None) -> object:
    """The value that `text` stands for; relative paths are taken from `folder`.

    Raises: ValueError saying what would have been right, never repeating a secret.
    """
    if not text.strip(" ,"):
        raise ValueError("must not be empty")
    if row.many:
        parts = (part.strip() for part in text.split(",") if part.strip())
        return tuple(_choice(part, row.choices) if row.choices else row.kind(part) for part in parts)
    if row.choices:
        return _choice(text, row.choices)
    match row.kind:
        case kind if kind is bool:
            return _truth(text)
        case kind if kind is Path:
            path = read_path(text)
            return path if folder is None else folder / path
        case kind if kind is int:
            return _within(row, _size(text) if row.name.endswith("_bytes") else _integer(text))
        case kind if kind is float:
            return _within(row, _number(text))
    return Secret(text.strip()) if row.kind is Secret else text.strip()


def read_path(text: str) -> Path:
    """The path with its `~` resolved. Raises: ValueError."""
    if "\0" in text:
        raise ValueError("must be a path, without null characters")
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise ValueError(f"must be a path, and nobody's home directory is known for '{text}'") from None


def is_address(url: str, *schemes: str) -> bool:
    """Whether a URL has one of the schemes, a host, and no port that is none."""
    try:
        parts = urlsplit(url)
        return parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
    except ValueError:  # brackets or a port that make no sense
        return False


def suggestion(word: str, known: Iterable[str]) -> str:
    """`; did you mean X?` when something known is near, else nothing."""
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"; did you mean {near[0]}?" if near else ""


def _choice(text: str, choices: tuple[str, ...]) -> str:
    if text not in choices:
        raise ValueError(f"must be one of {', '.join(choices)}, not '{text}'{suggestion(text, choices)}")
    return text


def _truth(text: str) -> bool:
    if text.lower() not in _TRUTHS:
        raise ValueError(f"must be true or false, not '{text}'")
    return _TRUTHS[text.lower()]


def _integer(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"must be a whole number, not '{text}'") from None


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(f"must be a number, not '{text}'")
    return value


def _size(text: str) -> int:
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"must be a number of bytes such as 33554432 or 32MB, not '{text}'")
    return int(match[1]) << (10 * _SIZE_POWERS[match[2].lower()])


def _within(row: Row, value: float) -> float:
    low, high = row.note.minimum, row.note.maximum
    if low is not None and value < low:
        raise ValueError(f"must be at least {low:g}, not {value:g}")
    if high is not None and value > high:
        raise ValueError(f"must be at most {high:g}, not {value:g}")
    return value
