"""How long holding a text against a regular expression may take, reckoned before it is tried.

Python's matcher goes back and tries again, and cannot be interrupted. What it may cost is estimated from above: a
repeat whose inside can be taken in several ways multiplies with every character, repeats in a row with each other.
"""

import re
from math import log2

from msgspec import Struct

_AFFORDABLE_BITS = 17  # about a millisecond
_TOKEN = re.compile(
    r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\((?:\?[^()]{0,40}?[:=!>])?|\)|\||[*+?]\??|\{\d*,?\d*\}\??|.", re.DOTALL
)
_COUNTS = re.compile(r"\{(\d*)(,?)(\d*)\}")


class _Cost(Struct):
    """Of one group: repeats in a row, ways in bits, and the bits that each character adds."""

    repeats: int = 0
    bits: float = 0.0
    bits_per_character: float = 0.0
    options: int = 1

    def add(self, inner: "_Cost") -> None:
        self.repeats += inner.repeats
        self.bits += inner.bits + log2(inner.options)
        self.bits_per_character += inner.bits_per_character


def is_affordable(pattern: str, length: int) -> bool:
    """Whether a text of `length` characters may be searched for `pattern`."""
    cost = _cost(pattern)
    searches = 0 if pattern.startswith("^") else 1
    bits = cost.bits + log2(cost.options) + (cost.repeats + searches) * log2(length + 2)
    return bits + cost.bits_per_character * length <= _AFFORDABLE_BITS


def _cost(pattern: str) -> _Cost:
    groups = [_Cost()]
    atom = _Cost()  # what a quantifier would repeat
    for token in _TOKEN.findall(pattern):
        if token.startswith("("):
            groups[-1].add(atom)
            groups.append(_Cost())
            atom = _Cost()
        elif token == ")" and len(groups) > 1:
            groups[-1].add(atom)
            atom = groups.pop()
        elif token == "|":
            groups[-1].add(atom)
            groups[-1].options += 1
            atom = _Cost()
        elif token[0] in "*+?" or _COUNTS.match(token):
            atom = _repeated(atom, token)
        else:
            groups[-1].add(atom)
            # A back-reference may stand for anything.
            atom = _Cost(repeats=1) if re.match(r"\\[1-9k]", token) else _Cost()
    while groups:
        groups[-1].add(atom)
        atom = groups.pop()
    return atom


def _repeated(atom: _Cost, quantifier: str) -> _Cost:
    if quantifier[0] == "?":
        return _Cost(atom.repeats, atom.bits + log2(atom.options) + 1, atom.bits_per_character)
    counts = _COUNTS.match(quantifier)
    most = None
    if counts is not None:
        low, comma, high = counts.groups()
        most = int(high or 0) if comma and high else None if comma else int(low or 0)
        if not comma and not (atom.repeats or atom.bits or atom.bits_per_character or atom.options > 1):
            return atom
        if most is not None and most <= 1:
            return _Cost(atom.repeats, atom.bits + log2(atom.options) + 1, atom.bits_per_character)
    if not (atom.repeats or atom.bits or atom.bits_per_character or atom.options > 1):
        return _Cost(repeats=1)
    ways = atom.bits + log2(atom.options) + (1 if atom.repeats else 0)
    return _Cost(repeats=1, bits_per_character=atom.bits_per_character + max(1.0, ways))
