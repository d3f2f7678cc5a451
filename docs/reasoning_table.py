"""What docs/parameters.md says of families of models, from their table."""

from antiphon.core.reasoning_families import EFFORTS, FAMILIES, PATTERNS, Family


def table() -> str:
    """One row per family."""
    names = {family: pattern for pattern, family in PATTERNS}
    rows = [
        f"| `{name}` | {_pattern(names.get(name))} | {_effort(family)} | {_switch(family)} |"
        for name, family in FAMILIES.items()
    ]
    return "\n".join(
        ["| family | models named like | `reasoning_effort` | chat template |", "|---|---|---|---|", *rows]
    )


def _pattern(pattern: str | None) -> str:
    escaped = (pattern or "").replace("|", "\\|")
    return f"`{escaped}`" if pattern else "any other"


def _effort(family: Family) -> str:
    if not family.efforts:
        return "not sent"
    if all(family.efforts[effort] == effort for effort in EFFORTS):
        return "as it is"
    kinds = dict.fromkeys(family.efforts.values())
    asked = {kind: ", ".join(f"`{each}`" for each in EFFORTS if family.efforts[each] == kind) for kind in kinds}
    return "; ".join(f"`{kind}` for {efforts}" for kind, efforts in asked.items())


def _switch(family: Family) -> str:
    found = [f"`{family.switch}`: false for `none`, else true"] if family.switch else []
    found += [f"`{name}`: {str(value).lower()} for `all_turns`" for name, value in family.all_turns.items()]
    return "; ".join(found) or "nothing"
