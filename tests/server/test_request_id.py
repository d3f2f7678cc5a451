"""The id of a request: from the header, from the body, or from both when they agree."""

import pytest

from tests.live import Live, serve

PATH = "/v1/responses"


@pytest.mark.parametrize("headers", [{}, {"x-request-id": "mine"}])
@pytest.mark.parametrize("said", ["hi", "[[fail:server_error]]"])
def test_the_body_names_the_request_alone_or_like_the_header(live: Live, headers: dict[str, str], said: str) -> None:
    answer = live.http.post(PATH, json={"input": said, "request_id": "mine"}, headers=headers)
    assert answer.headers["x-request-id"] == "mine"


def test_a_body_that_contradicts_the_header_is_refused(live: Live) -> None:
    answer = live.http.post(PATH, json={"input": "hi", "request_id": "mine"}, headers={"x-request-id": "yours"})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "request_id")
    assert answer.headers["x-request-id"] == "yours"


@pytest.mark.parametrize("request_id", ["", "a b", "\n", "x" * 129])
def test_an_id_that_no_header_can_hold_is_refused(live: Live, request_id: str) -> None:
    answer = live.http.post(PATH, json={"input": "hi", "request_id": request_id})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "request_id")


def test_strict_mode_knows_no_such_field() -> None:
    with serve(strict=True) as strict:
        answer = strict.http.post(PATH, json={"input": "hi", "request_id": "mine"})
        assert answer.json()["error"]["code"] == "unknown_parameter"
