"""Which model a name means."""

from collections.abc import Sequence

import pytest

from antiphon.engines.scripted import ScriptedEngine
from antiphon.errors import InvalidRequest, NotFound
from antiphon.ports import Model
from antiphon.service.catalog import Catalog

MODELS = (
    Model(id="big", created=0, owned_by="x", aliases=("gpt-*", "large")),
    Model(id="small", created=0, owned_by="x", aliases=("gpt-5-mini*", "gpt-5-mini-exact")),
    Model(id="secret", created=0, owned_by="x", aliases=("gpt-5-s*",), tenants=("alice",)),
)


class Engine(ScriptedEngine):
    def models(self) -> Sequence[Model]:
        return MODELS


@pytest.mark.parametrize(
    ("name", "tenant", "found"),
    [
        ("big", "bob", "big"),
        ("large", "bob", "big"),
        ("gpt-4o", "bob", "big"),
        ("gpt-5-mini-2026", "bob", "small"),
        ("gpt-5-mini-exact", "bob", "small"),
        ("gpt-5-s1", "alice", "secret"),
        ("gpt-5-s1", "bob", "big"),
    ],
)
def test_a_name_means_the_model_that_fits_it_most_closely(name: str, tenant: str, found: str) -> None:
    assert Catalog(Engine()).model(name, tenant).id == found


@pytest.mark.parametrize("name", ["secret", "gp", "unknown"])
def test_what_is_unknown_or_of_others_is_not_found(name: str) -> None:
    with pytest.raises(NotFound) as error:
        Catalog(Engine()).model(name, "bob")
    assert (error.value.code, error.value.param) == ("model_not_found", "model")


def test_a_request_without_a_name_means_the_default_or_the_only_model() -> None:
    assert Catalog(Engine(), "large").choose(None, "bob").id == "big"
    assert Catalog(ScriptedEngine()).choose(None, "bob").id == "scripted"
    with pytest.raises(InvalidRequest):
        Catalog(Engine()).choose(None, "bob")
