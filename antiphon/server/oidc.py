"""Bearer tokens signed by an OpenID Connect issuer (JWT), verified with PyJWT.

Only signatures with the issuer's private key count: a token without one, or with a shared secret, is refused whatever
it says of itself, and a key is only used with the algorithm it is meant for.
Spec: RFC 7519, RFC 8725.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import jwt
from msgspec import Struct

from antiphon.errors import Unauthorized
from antiphon.server.issuer_keys import IssuerKeys
from antiphon.server.oidc_options import OidcOptions
from antiphon.service.caller import Caller

RSA = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
ALGORITHMS = (*RSA, "ES256", "ES384", "ES512", "EdDSA")
_MOST_NAME = 256


class _SigningKey(Struct, frozen=True):
    key: jwt.PyJWK
    algorithms: Sequence[str]


class TokenVerifier:
    """Knows callers by the tokens of one issuer."""

    def __init__(self, options: OidcOptions) -> None:
        self._options = options
        self._keys = IssuerKeys(options.issuer, _signing_keys)

    async def verify(self, token: str) -> Caller:
        """Raises: Unauthorized, IssuerUnavailable."""
        try:
            header = jwt.get_unverified_header(token)
        except jwt.PyJWTError:
            raise Unauthorized("Incorrect API key provided.") from None
        if header.get("alg") not in ALGORITHMS:
            raise Unauthorized("The token is not signed with a public-key algorithm.")
        key = await self._keys.find(header.get("kid"))
        if key is None or header["alg"] not in key.algorithms:
            raise Unauthorized("The token is signed with a key that its issuer does not have.")
        return self._caller(self._claims(token, key, header["alg"]))

    def _claims(self, token: str, key: "_SigningKey", algorithm: str) -> Mapping[str, Any]:
        """The claims of a token that holds. Raises: Unauthorized."""
        options = self._options
        try:
            return jwt.decode(
                token,
                key.key.key,
                algorithms=[algorithm],
                audience=list(options.audiences),
                issuer=options.issuer,
                leeway=options.leeway_s,
                options={"require": ["exp", "iss", "aud"]},
            )
        except jwt.ExpiredSignatureError:
            raise Unauthorized("The token has expired.") from None
        except jwt.InvalidAudienceError:
            raise Unauthorized("The token is for another audience.") from None
        except jwt.InvalidIssuerError:
            raise Unauthorized("The token is from another issuer.") from None
        except jwt.PyJWTError:
            raise Unauthorized("The token is not valid.") from None

    def _caller(self, claims: Mapping[str, Any]) -> Caller:
        """Raises: Unauthorized when the token does not say whose the data is."""
        options = self._options
        tenant, subject = _text(claims, options.tenant_claim), _text(claims, "sub")
        if tenant is None:
            raise Unauthorized("The token lacks the claim that names the tenant.")
        name = _text(claims, options.name_claim) or subject or tenant
        return Caller(
            tenant=tenant,
            key_id=f"oidc:{subject or name}",
            key_name=name,
            expires_at=float(claims["exp"]) + options.leeway_s,
            by_token=True,
        )


def _text(claims: Mapping[str, Any], name: str) -> str | None:
    """A claim that can be a name; a number is read as text."""
    value = claims.get(name)
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    return value if isinstance(value, str) and 0 < len(value) <= _MOST_NAME and value.isprintable() else None


def _signing_keys(found: object) -> Mapping[str | None, _SigningKey]:
    """The public keys for signatures in a key set. Raises: ValueError."""
    entries = found.get("keys") if isinstance(found, dict) else None
    if not isinstance(entries, list):
        raise ValueError("it is no key set")
    keys: dict[str | None, _SigningKey] = {}
    for entry in entries:
        if not isinstance(entry, dict) or entry.get("kty") not in ("RSA", "EC", "OKP") or entry.get("use") == "enc":
            continue
        try:
            key = jwt.PyJWK.from_dict(entry)
        except jwt.PyJWTError:  # an algorithm or a curve that is not known here
            continue
        # A key of RSA that names no algorithm is meant for all of RSA's.
        algorithms = RSA if entry["kty"] == "RSA" and "alg" not in entry else (key.algorithm_name,)
        if set(algorithms) <= set(ALGORITHMS):
            keys[key.key_id] = _SigningKey(key, algorithms)
    return keys
