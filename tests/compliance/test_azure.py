"""Azure's paths, the headers of answers, when to try again, and who may ask from a browser."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from antiphon.server.azure import AzureOptions
from antiphon.server.cors import CorsOptions
from tests.live import Live, parse_events, serve

pytestmark = pytest.mark.compliance

VERSION = "api-version=2025-04-01-preview"
BASES = ("/openai/v1", "/openai", "/openai/deployments/scripted")
PAGE = "https://app.example.com"


@pytest.fixture(scope="module")
def lenient() -> Iterator[Live]:
    """A server of our own with a page that is let in."""
    with serve(cors=CorsOptions(origins=(PAGE,)), background_running=1, background_queue=0) as running:
        yield running


def made(live: Live, base: str = "/openai/v1", **fields: Any) -> dict[str, Any]:
    answer = live.http.post(f"{base}/responses?{VERSION}", json={"input": "Say hello.", **fields})
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.spec_line("M1.paths")
@pytest.mark.parametrize("base", BASES)
def test_azures_families_serve_what_openais_do(lenient: Live, base: str) -> None:
    response = made(lenient, base)
    assert lenient.http.get(f"{base}/responses/{response['id']}?{VERSION}").json() == response
    assert lenient.http.get(f"{base}/models?{VERSION}").json() == lenient.http.get("/v1/models").json()
    conversation = lenient.http.post(f"{base}/conversations?{VERSION}", json={}).json()
    assert lenient.http.delete(f"{base}/conversations/{conversation['id']}?{VERSION}").json()["deleted"] is True


@pytest.mark.spec_line("M1.headers")
@pytest.mark.parametrize("path", ["/openai/v1/models", f"/openai/responses/resp_unknown?{VERSION}", "/openai/nowhere"])
def test_azures_headers_are_on_every_answer(lenient: Live, path: str) -> None:
    headers = lenient.http.get(path, headers={"x-ms-client-request-id": "client-1"}).headers
    assert headers["apim-request-id"] == headers["x-ms-request-id"] == headers["x-request-id"]
    assert headers["x-ms-region"]
    assert headers["x-ms-client-request-id"] == "client-1"


@pytest.mark.spec_line("M1.filters")
def test_content_filters_stand_everywhere(lenient: Live) -> None:
    answer = lenient.http.post("/openai/v1/responses", json={"input": "Say hello.", "stream": True})
    wholes = [data["response"] for _, data in parse_events(answer.text) if "response" in data]
    stored = lenient.http.get(f"/openai/v1/responses/{wholes[0]['id']}").json()
    assert [whole["content_filters"] for whole in [*wholes, stored]] == [[], [], [], []]


@pytest.mark.spec_line("M1.version")
def test_an_unlisted_version_is_refused_by_strict_servers_alone(lenient: Live, own: Live) -> None:
    answers: list[httpx.Response] = [each.http.get("/openai/models?api-version=2099-01-01") for each in (lenient, own)]
    assert [answer.status_code for answer in answers] == [200, 400]


@pytest.mark.spec_line("M1.store")
def test_what_comes_through_azure_is_stored(lenient: Live) -> None:
    assert made(lenient, store=False)["store"] is True
    with serve(azure=AzureOptions(force_store=False)) as live:
        assert made(live, store=False)["store"] is False


@pytest.mark.spec_line("M2.media")
@pytest.mark.parametrize("headers", [{"content-type": "multipart/form-data"}, {"content-encoding": "gzip"}], ids=str)
def test_what_is_no_json_is_415(lenient: Live, headers: dict[str, str]) -> None:
    answer = lenient.http.post("/v1/responses", content=b'{"input": "a"}', headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (415, "unsupported_media_type")


@pytest.mark.spec_line("M3.retry")
def test_a_server_that_is_full_says_when_to_try_again(lenient: Live) -> None:
    lenient.create("[[stall:5]]", background=True)
    answer = lenient.http.post("/v1/responses", json={"input": "a", "background": True})
    assert answer.status_code == 503
    assert 1 <= int(answer.headers["retry-after"]) <= 30
    assert int(answer.headers["retry-after-ms"]) == 1000 * int(answer.headers["retry-after"])


@pytest.mark.spec_line("M5.organization")
def test_answers_say_for_whom_they_are(lenient: Live) -> None:
    assert lenient.http.get("/nowhere").headers["openai-organization"]
    given = {"openai-organization": "org-1", "openai-project": "proj_1"}
    assert given.items() <= dict(lenient.http.get("/v1/models", headers=given).headers).items()


@pytest.mark.spec_line("M5.methods")
def test_options_and_head_are_answered(lenient: Live) -> None:
    assert lenient.http.options("/v1/responses").headers["allow"] == "OPTIONS, POST"
    assert lenient.http.head("/v1/models").status_code == 200


@pytest.mark.spec_line("M5.browsers")
def test_pages_are_let_in_by_name(lenient: Live) -> None:
    for origin, allowed in [(PAGE, PAGE), ("https://elsewhere.example.com", None)]:
        asking = {"origin": origin, "access-control-request-method": "POST"}
        answer = lenient.http.options("/v1/responses", headers=asking)
        assert answer.headers.get("access-control-allow-origin") == allowed
