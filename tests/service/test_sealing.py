"""Sealed reasoning opens for the tenant and the model it was sealed for, with any key that is known."""

import stat
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from antiphon.errors import SetupError
from antiphon.service.sealing import Opened, Sealer, kept_key

OLD, NEW = (Fernet.generate_key().decode() for _ in range(2))
FOREIGN = Opened(refusal="organization_mismatch")


def sealed(key: str = OLD) -> str:
    return Sealer([key]).seal("ä thought", tenant="acme", model="m")


def test_what_was_sealed_opens_again() -> None:
    assert Sealer([OLD]).open(sealed(), tenant="acme", model="m") == Opened(text="ä thought")


def test_an_old_key_still_opens_after_rotation_and_the_new_one_seals() -> None:
    rotated = Sealer([NEW, OLD])

    assert rotated.open(sealed(), tenant="acme", model="m").text == "ä thought"
    assert Sealer([OLD]).open(rotated.seal("x", tenant="acme", model="m"), tenant="acme", model="m") == FOREIGN


@pytest.mark.parametrize("blob", ["", "gAAAAA", "ü", sealed(NEW)])
def test_a_broken_or_foreign_text_stays_closed(blob: str) -> None:
    assert Sealer([OLD]).open(blob, tenant="acme", model="m") == FOREIGN


def test_another_tenant_and_another_model_cannot_open_it() -> None:
    assert Sealer([OLD]).open(sealed(), tenant="other", model="m") == FOREIGN
    assert Sealer([OLD]).open(sealed(), tenant="acme", model="n") == Opened(refusal="model_mismatch")


@pytest.mark.parametrize("key", ["short", "", "ü", "A" * 40])
def test_a_key_that_is_none_is_refused_at_start(key: str) -> None:
    with pytest.raises(SetupError):
        Sealer([key])
    with pytest.raises(SetupError):
        Sealer([])


def test_a_server_that_seals_nothing_does_without_the_library() -> None:
    asked = f"import sys, antiphon.cli; antiphon.assembly.Sealer([{OLD!r}]); print('cryptography' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True, timeout=30)
    assert said.stdout == "False\n"


def test_the_kept_key_is_made_once_and_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "reasoning.key"

    assert kept_key(path) == kept_key(path)
    Sealer([kept_key(path)])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
