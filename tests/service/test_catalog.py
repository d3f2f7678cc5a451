"""Which model a name means."""

from collections.abc import Sequence

import pytest

from antiphon.engines.scripted import ScriptedEngine
from antiphon.errors import InvalidRequest, NotFound
from antiphon.ports import Model
from antiphon.service.caller import Caller
from antiphon.service.catalog import Catalog

MODELS = (
    Model(id="big", created=0, owned_by="x", aliases=("gpt-*", "large")),
    Model(id="small", created=0, owned_by="x", aliases=("gpt-5-mini*", "gpt-5-mini-exact")),
    Model(id="secret", created=0, owned_by="x", aliases=("gpt-5-s*",), tenants=("alice",)),
)

BOB = Caller(tenant="bob")


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
    assert Catalog(Engine()).model(name, Caller(tenant=tenant)).id == found


@pytest.mark.parametrize("name", ["secret", "gp", "unknown"])
def test_what_is_unknown_or_of_others_is_not_found(name: str) -> None:
    with pytest.raises(NotFound) as error:
        Catalog(Engine()).model(name, BOB)
    assert (error.value.code, error.value.param) == ("model_not_found", "model")


def test_a_request_without_a_name_means_the_default_or_the_only_model() -> None:
    assert Catalog(Engine(), "large").choose(None, BOB).id == "big"
    assert Catalog(ScriptedEngine()).choose(None, BOB).id == "scripted"
    with pytest.raises(InvalidRequest):
        Catalog(Engine()).choose(None, BOB)


@pytest.mark.parametrize(("names", "seen"), [(("small",), ["small"]), (("large",), ["big"]), (("secret",), [])])
def test_a_key_that_may_use_certain_models_sees_no_others(names: tuple[str, ...], seen: list[str]) -> None:
    restricted = Caller(tenant="bob", models=names)
    assert [model.id for model in Catalog(Engine()).models(restricted)] == seen


def test_a_key_that_lacks_the_default_model_gets_its_only_one_and_never_hears_of_the_default() -> None:
    catalog = Catalog(Engine(), "large")
    assert catalog.choose(None, Caller(models=("small",))).id == "small"
    assert catalog.choose(None, Caller(models=("big", "small"))).id == "big"
    with pytest.raises(InvalidRequest):
        catalog.choose(None, Caller(models=("none",)))
    with pytest.raises(NotFound):
        catalog.choose("large", Caller(models=("small",)))
