"""An OpenID Connect issuer on a real socket, with keys that can be changed."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

AUDIENCE = "antiphon"
_RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
_EC = ec.generate_private_key(ec.SECP256R1())
_ED = ed25519.Ed25519PrivateKey.generate()
PRIVATE: dict[str, tuple[str, Any]] = {"rsa": ("RS256", _RSA), "ec": ("ES256", _EC), "ed": ("EdDSA", _ED)}
"""Algorithm and private key by key id."""


def jwk(key_id: str, **fields: str) -> dict[str, Any]:
    """The public half of one of the keys."""
    made: dict[str, Any]
    match key_id:
        case "ec":
            made = ECAlgorithm.to_jwk(_EC.public_key(), as_dict=True)
        case "ed":
            made = OKPAlgorithm.to_jwk(_ED.public_key(), as_dict=True)
        case _:
            made = RSAAlgorithm.to_jwk(_RSA.public_key(), as_dict=True)
    return {**made, "kid": key_id, **fields}


class Issuer:
    """`keys` is what is published; `requests` what was asked for. While not `answers`, everything is a 503."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.keys = [jwk("rsa", alg="RS256", use="sig"), jwk("ec"), jwk("ed")]
        self.requests: list[str] = []
        self.answers = True
        self.waits = threading.Event()
        self.waits.set()
        self.name = url

    def token(self, key_id: str = "rsa", *, header: dict[str, Any] | None = None, **claims: Any) -> str:
        """A token; a claim that is None is left out."""
        algorithm, private = PRIVATE[key_id]
        now = time.time()
        said = {"iss": self.url, "aud": AUDIENCE, "sub": "alice", "iat": now, "exp": now + 600, **claims}
        kept = {name: value for name, value in said.items() if value is not None}
        return jwt.encode(kept, private, algorithm, headers={"kid": key_id, **(header or {})})


@contextmanager
def issuing() -> Iterator[Issuer]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            issuer.requests.append(self.path)
            issuer.waits.wait(10)
            pages = {
                "/.well-known/openid-configuration": {"issuer": issuer.name, "jwks_uri": f"{issuer.url}/jwks"},
                "/jwks": {"keys": issuer.keys},
            }
            body = json.dumps(pages.get(self.path, {})).encode()
            self.send_response(200 if issuer.answers else 503)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    issuer = Issuer(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield issuer
    finally:
        issuer.waits.set()
        server.shutdown()
        server.server_close()
        thread.join(10)
