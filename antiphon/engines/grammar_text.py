"""Telling a model of the grammar of a custom tool, where nothing but words can."""

from msgspec.structs import replace

from antiphon.core.chat import Function

_NAMES = {"lark": "Lark grammar", "regex": "regular expression"}


def described(function: Function) -> Function:
    """The function, its grammar in its description."""
    grammar = function.grammar
    if grammar is None:
        return function
    rule = f"The whole of `input` must match this {_NAMES[grammar.syntax]}:\n{grammar.definition.strip()}"
    return replace(function, description="\n\n".join(filter(None, (function.description, rule))))
