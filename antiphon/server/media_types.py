"""Whether a body is read: liberal with what simple clients send, clear about what cannot be JSON."""

from antiphon.errors import UnsupportedMediaType

_JSON = "application/json"
# What `curl -d` and bare clients call JSON: they say nothing about its form, so it may be JSON.
_INDIFFERENT = frozenset({"application/x-www-form-urlencoded", "application/octet-stream", "*/*"})


def check_body_form(content_type: str | None, encoding: str | None, *, from_foreign_page: bool) -> None:
    """Raises: UnsupportedMediaType for a type that is something else than JSON, and for any compression.

    A page of an origin that is not let in can send what looks like a form without asking first; JSON it cannot, so
    from such a page nothing but JSON is read.
    """
    if encoding is not None and encoding.strip().lower() not in ("", "identity"):
        raise UnsupportedMediaType("The request body is compressed; send it without 'content-encoding'.")
    kind = (content_type or "").partition(";")[0].strip().lower()
    if kind == _JSON or kind.endswith("+json"):
        return
    if from_foreign_page or not _may_be_json(kind):
        raise UnsupportedMediaType(f"The request body must be JSON: send it with 'content-type: {_JSON}'.")


def _may_be_json(kind: str) -> bool:
    return "/" not in kind or kind.startswith("text/") or kind in _INDIFFERENT
