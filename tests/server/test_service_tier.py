"""`service_tier`: chosen, limited, told to the engine, and echoed as what it really was."""

import pytest

from antiphon.core.tiers import Tiers
from tests.live import serve
from tests.server.asked import AskedEngine


@pytest.mark.parametrize(
    ("asked", "used", "priority"),
    [
        (None, "default", None),
        ("auto", "default", None),
        ("default", "default", None),
        ("flex", "flex", 10),
        ("fast", "priority", -10),
        ("priority", "priority", -10),
        ("ultrafast", "ultrafast", -20),
    ],
)
def test_the_tier_really_used_is_echoed_and_its_priority_reaches_the_engine(
    asked: str | None, used: str, priority: int | None
) -> None:
    with serve(engine := AskedEngine()) as live:
        assert live.create("hi", service_tier=asked)["service_tier"] == used
    assert engine.asked[0].priority == priority


def test_auto_is_the_tier_that_the_server_has_by_default() -> None:
    with serve(tiers=Tiers("flex", ())) as live:
        assert live.create("hi")["service_tier"] == "flex"
        assert live.create("hi", service_tier="flex")["service_tier"] == "flex"


def test_a_tier_that_is_not_allowed_is_refused() -> None:
    with serve(tiers=Tiers("default", ("flex",))) as live:
        answer = live.http.post("/v1/responses", json={"input": "hi", "service_tier": "fast"})
        assert answer.status_code == 400
        assert answer.json()["error"]["param"] == "service_tier"
        assert "'auto', 'default', 'flex'" in answer.json()["error"]["message"]
