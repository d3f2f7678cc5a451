"""Callers who come with a token of an issuer."""

import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import jwt
import pytest
from openai import OpenAI

from antiphon.server import issuer_keys
from antiphon.server.oidc_options import OidcOptions
from tests.keys.issuer import AUDIENCE, PRIVATE, Issuer, issuing, jwk
from tests.keys.ring import bearer, error_of
from tests.keys.test_revocation import closing_of
from tests.live import Live, serve, wait_until
from tests.server_ws.talk import open_socket, turn

WAIT_S = 5.0


def options(issuer: Issuer, **fields: Any) -> OidcOptions:
    return OidcOptions(**{"issuer": issuer.url, "audiences": (AUDIENCE, "other-name"), "leeway_s": 0.0, **fields})


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    with issuing() as running:
        yield running


@pytest.fixture(scope="module")
def live(issuer: Issuer) -> Iterator[Live]:
    with serve(oidc=options(issuer), api_keys=("plain-key",)) as running:
        yield running


def refusal(live: Live, token: str) -> str:
    """Why a token is not let in."""
    answer = live.http.get("/v1/models", headers=bearer(token))
    assert (answer.status_code, error_of(answer)["code"]) == (401, "invalid_api_key")
    assert token not in answer.text
    message: str = error_of(answer)["message"]
    return message


@pytest.mark.parametrize("key_id", PRIVATE)
def test_a_token_of_the_issuer_opens(live: Live, issuer: Issuer, key_id: str) -> None:
    client = OpenAI(base_url=live.base_url, api_key=issuer.token(key_id), max_retries=0)
    assert client.responses.create(model="scripted", input="a").status == "completed"


def test_keys_are_still_good_beside_tokens(live: Live) -> None:
    assert live.http.get("/v1/models", headers=bearer("plain-key")).status_code == 200
    assert live.http.get("/v1/models").status_code == 401


def test_each_subject_is_a_tenant_of_its_own(live: Live, issuer: Issuer) -> None:
    alice, bob = bearer(issuer.token()), bearer(issuer.token(sub="bob"))
    made = live.http.post("/v1/responses", json={"input": "a"}, headers=alice).json()["id"]
    assert live.http.get(f"/v1/responses/{made}", headers=bob).status_code == 404
    assert live.http.get(f"/v1/responses/{made}", headers=bearer("plain-key")).status_code == 404
    assert live.http.get(f"/v1/responses/{made}", headers=bearer(issuer.token("ec"))).status_code == 200


def test_another_claim_may_name_the_tenant(issuer: Issuer) -> None:
    with serve(oidc=options(issuer, tenant_claim="team")) as live:
        first, second = (bearer(issuer.token(sub=sub, team="red")) for sub in ("a", "b"))
        made = live.http.post("/v1/responses", json={"input": "a"}, headers=first).json()["id"]
        assert live.http.get(f"/v1/responses/{made}", headers=second).status_code == 200
        assert "claim" in refusal(live, issuer.token())
        assert "claim" in refusal(live, issuer.token(team="re\nd"))
        assert "claim" in refusal(live, issuer.token(team=["red"]))


@pytest.mark.parametrize(
    ("claims", "said"),
    [
        ({"aud": "someone-else"}, "another audience"),
        ({"aud": None}, "not valid"),
        ({"iss": "http://127.0.0.1:1"}, "another issuer"),
        ({"iss": None}, "not valid"),
        ({"exp": 1_000_000_000}, "expired"),
        ({"exp": None}, "not valid"),
        ({"nbf": 4_000_000_000}, "not valid"),
        ({"sub": None}, "lacks the claim"),
    ],
    ids=str,
)
def test_a_token_for_others_or_another_time_is_refused(
    live: Live, issuer: Issuer, claims: dict[str, Any], said: str
) -> None:
    assert said in refusal(live, issuer.token(**claims))


def test_any_of_the_audiences_will_do(live: Live, issuer: Issuer) -> None:
    token = issuer.token(aud=["unknown", "other-name"])
    assert live.http.get("/v1/models", headers=bearer(token)).status_code == 200


def encoded(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def forged(issuer: Issuer, algorithm: str, secret: bytes | None) -> str:
    """A token with good claims and a signature of our own making."""
    claims = jwt.decode(issuer.token(), options={"verify_signature": False})
    signed = f"{encoded({'alg': algorithm, 'typ': 'JWT', 'kid': 'rsa'})}.{encoded(claims)}"
    signature = b"" if secret is None else hmac.digest(secret, signed.encode(), hashlib.sha256)
    return f"{signed}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def test_a_token_that_says_it_needs_no_signature_is_refused(live: Live, issuer: Issuer) -> None:
    for name in ("none", "None", "NONE"):
        assert "public-key" in refusal(live, forged(issuer, name, None))


def test_a_public_key_is_no_shared_secret(live: Live, issuer: Issuer) -> None:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    public = PRIVATE["rsa"][1].public_key()
    for form in (PublicFormat.SubjectPublicKeyInfo, PublicFormat.PKCS1):
        assert "public-key" in refusal(live, forged(issuer, "HS256", public.public_bytes(Encoding.PEM, form)))


def test_a_key_signs_only_with_its_algorithm(live: Live, issuer: Issuer) -> None:
    now = time.time()
    claims = {"iss": issuer.url, "aud": AUDIENCE, "sub": "alice", "exp": now + 60}
    other = jwt.encode(claims, PRIVATE["rsa"][1], "RS512", headers={"kid": "rsa"})
    assert "does not have" in refusal(live, other)


def test_a_changed_token_and_text_that_is_none_are_refused(live: Live, issuer: Issuer) -> None:
    head, _, signature = issuer.token().split(".")
    claims = {"iss": issuer.url, "aud": AUDIENCE, "sub": "root", "exp": time.time() + 60}
    assert "not valid" in refusal(live, f"{head}.{encoded(claims)}.{signature}")
    assert "Incorrect" in refusal(live, "a.b.c")
    assert "Incorrect" in refusal(live, "no-token")


def test_a_new_key_of_the_issuer_is_learned_and_unknown_ones_cannot_hammer_it(
    issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(issuer_keys, "APART_S", 0.5)
    before = list(issuer.keys)
    with serve(oidc=options(issuer)) as live:
        issuer.keys = [jwk("ec")]
        assert live.http.get("/v1/models", headers=bearer(issuer.token("ec"))).status_code == 200
        issuer.requests.clear()
        asked_at = time.monotonic()
        for number in range(30):
            assert "does not have" in refusal(live, issuer.token(header={"kid": f"unknown-{number}"}))
        assert len(issuer.requests) <= 2 * (1 + (time.monotonic() - asked_at) / 0.5)
        issuer.keys = before
        token = bearer(issuer.token())
        assert wait_until(lambda: live.http.get("/v1/models", headers=token).status_code == 200, WAIT_S)


def test_a_key_that_the_issuer_takes_back_is_good_no_longer(issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(issuer_keys, "APART_S", 0.05)
    monkeypatch.setattr(issuer_keys, "FRESH_S", 0.1)
    before = list(issuer.keys)
    with serve(oidc=options(issuer)) as live:
        token = bearer(issuer.token())
        assert live.http.get("/v1/models", headers=token).status_code == 200
        issuer.keys = [jwk("ec")]
        assert wait_until(lambda: live.http.get("/v1/models", headers=token).status_code == 401, WAIT_S)
    issuer.keys = before


def test_an_issuer_that_does_not_answer_is_a_503_until_it_does_and_keys_are_good_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(issuer_keys, "APART_S", 0.05)
    with issuing() as issuer, serve(oidc=options(issuer), api_keys=("plain-key",)) as live:
        issuer.answers = False
        answer = live.http.get("/v1/models", headers=bearer(issuer.token()))
        assert (answer.status_code, error_of(answer)["code"]) == (503, "server_error")
        assert "retry-after" in answer.headers
        assert live.http.get("/v1/models", headers=bearer("plain-key")).status_code == 200
        issuer.answers = True
        token = bearer(issuer.token())
        assert wait_until(lambda: live.http.get("/v1/models", headers=token).status_code == 200, WAIT_S)
        issuer.answers = False
        monkeypatch.setattr(issuer_keys, "FRESH_S", 0.0)
        assert live.http.get("/v1/models", headers=token).status_code == 200


def test_others_are_served_while_the_issuer_thinks() -> None:
    with issuing() as issuer, serve(oidc=options(issuer), api_keys=("plain-key",)) as live:
        issuer.waits.clear()
        answers: list[int] = []
        token = bearer(issuer.token())
        asking = threading.Thread(target=lambda: answers.append(live.http.get("/v1/models", headers=token).status_code))
        asking.start()
        assert wait_until(lambda: issuer.requests, WAIT_S)
        assert live.http.get("/v1/models", headers=bearer("plain-key")).status_code == 200
        assert answers == []
        issuer.waits.set()
        asking.join(10)
        assert answers == [200]


def test_a_discovery_document_of_another_issuer_is_not_believed() -> None:
    with issuing() as issuer, serve(oidc=options(issuer)) as live:
        issuer.name = "https://elsewhere.example"
        assert live.http.get("/v1/models", headers=bearer(issuer.token())).status_code == 503


def test_a_websocket_ends_with_its_token(live: Live, issuer: Issuer) -> None:
    token = issuer.token(exp=time.time() + 2)
    with open_socket(live, additional_headers=bearer(token)) as socket:
        turn(socket, input="a")
        code, frames = closing_of(socket)
    assert code == 1008
    assert [frame["error"]["code"] for frame in frames] == ["invalid_api_key"]  # type: ignore[index]
