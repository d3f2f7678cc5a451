"""Who shares a prefix cache."""

from typing import Literal

import pytest

from antiphon.service.cache_salt import Salter

ASKING = [("a", None), ("a", "k"), ("a", "l"), ("b", "k")]


@pytest.mark.parametrize(("scope", "groups"), [("tenant", [0, 0, 0, 3]), ("key", [0, 1, 2, 3])])
def test_prompts_share_within_the_scope_and_nowhere_else(scope: Literal["tenant", "key"], groups: list[int]) -> None:
    salts = [Salter("secret", scope).salt(tenant, key) for tenant, key in ASKING]
    assert [salts.index(salt) for salt in salts] == groups


def test_the_salt_depends_on_the_secret_and_hides_the_tenant() -> None:
    one, other = (Salter(secret).salt("alice", None) for secret in ("one", "other"))
    assert one != other
    assert one is not None and "alice" not in one


def test_off_lets_all_share() -> None:
    assert Salter("", "off").salt("a", "k") is None


def test_the_salt_stays_what_it_was_for_whoever_has_something_cached() -> None:
    assert Salter("secret").salt("alice", None) == "ccf58e29b70588e55971da84bc5ec1904e255fdaa79ef762fc1f2bd16a6cf9d0"
