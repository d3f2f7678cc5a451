"""The rows of coverage are complete, in order, and each is shown by a test that exists."""

import json
import re
from functools import cache
from pathlib import Path

from antiphon.core.validate import INCLUDABLE
from antiphon.coverage import rows
from antiphon.server.operations import OPERATIONS
from antiphon.wire.dialects import DIALECTS, type_of
from antiphon.wire.events import EVENTS
from antiphon.wire.items import Item
from antiphon.wire.request import CreateResponse
from antiphon.wire.response import Response
from antiphon.wire.shape import members_of
from antiphon.wire.tools import Tool
from tests.command import run
from tests.compliance.manifest import HONOURED, SENT

ROOT = Path(__file__).parent.parent
UNSERVED = {"POST /v1/responses/compact", "POST /v1/responses/input_tokens"}


def subjects(kind: str) -> set[str]:
    return {row.subject for row in rows() if row.kind == kind}


def tags(union: object) -> set[str]:
    configs = (getattr(member, "__struct_config__", None) for member in members_of(union))
    return {str(config.tag) for config in configs if config is not None}


@cache
def source(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def test_every_documented_thing_has_a_row() -> None:
    ours = {type_of(event) for dialect in DIALECTS.values() for event in dialect.events()}
    assert subjects("event") == EVENTS.keys() | ours
    assert subjects("request") >= set(CreateResponse.__struct_fields__) - {"extras"}
    assert subjects("response") == {*Response.__struct_fields__, "object"}
    assert subjects("item") == tags(Item)
    assert subjects("tool") == tags(Tool)
    assert subjects("include") == INCLUDABLE
    served = {f"{row.method} {row.path}" for row in OPERATIONS}
    assert served <= subjects("endpoint") <= served | UNSERVED


def test_rows_are_in_order_and_none_comes_twice() -> None:
    names = [row.name for row in rows()]
    assert names == sorted(set(names))


def test_what_is_honoured_is_shown_by_a_test_and_the_rest_has_a_reason() -> None:
    assert not [row.name for row in rows() if row.state == "honoured" and not row.test]
    assert not [row.name for row in rows() if row.state != "honoured" and not row.note]


def test_the_tests_that_are_named_exist() -> None:
    for row in rows():
        path, _, name = row.test.partition("::")
        assert not row.test or re.search(rf"^(async )?def {name}\(", source(path), re.MULTILINE), row.name


def test_the_compliance_suite_agrees() -> None:
    shown = {row.name for row in rows() if row.state != "absent"}
    assert {f"event.{name}" for name in SENT} | {f"request.{name}" for name in HONOURED} <= shown


def test_the_command_prints_the_rows() -> None:
    printed = json.loads(run("coverage", "--json").stdout)
    assert [row["name"] for row in printed["rows"]] == [row.name for row in rows()]
    assert sum(printed["counts"].values()) == len(rows())
    assert "event.response.created" in run("coverage").stdout
