"""Each key has the limits of its own."""

from pathlib import Path

from openai import OpenAI, RateLimitError

from tests.keys.ring import ALICE, bearer, entry, error_of, serving
from tests.live import Live, wait_until
from tests.server_ws.talk import open_socket, receive, send, turn

ONE = entry("alice", limits={"requests_per_minute": 1}), entry("bob")


def status(live: Live, key: str) -> int:
    return live.http.post("/v1/responses", json={"input": "[[say:Hi]]"}, headers=bearer(key)).status_code


def test_a_limit_of_one_key_concerns_no_other(tmp_path: Path) -> None:
    with serving(tmp_path, *ONE) as live:
        assert [status(live, "alice-key") for _ in range(2)] == [200, 429]
        assert [status(live, "bob-key") for _ in range(3)] == [200, 200, 200]
        assert 'antiphon_rate_limited_requests_total{scope="key",unit="requests"} 1.0' in live.http.get("/metrics").text


def test_the_official_client_reads_what_it_is_told(tmp_path: Path) -> None:
    with serving(tmp_path, *ONE) as live:
        client = OpenAI(base_url=live.base_url, api_key=ALICE, max_retries=0)
        first = client.responses.with_raw_response.create(model="scripted", input="[[say:Hi]]")
        assert first.headers["x-ratelimit-limit-requests"] == "1"
        try:
            client.responses.create(model="scripted", input="[[say:Hi]]")
        except RateLimitError as error:
            assert error.code == "rate_limit_exceeded"
            assert 1 <= int(error.response.headers["retry-after"]) <= 30
        else:
            raise AssertionError("the second request was let in")


def test_a_websocket_meets_the_limits_of_its_key(tmp_path: Path) -> None:
    with serving(tmp_path, *ONE) as live, open_socket(live, additional_headers=bearer(ALICE)) as socket:
        turn(socket, input="[[say:Hi]]")
        send(socket, type="response.create", input="[[say:Hi]]")
        frame = receive(socket)
    assert (frame["type"], frame["status"]) == ("error", 429)
    assert frame["error"]["code"] == "rate_limit_exceeded"


def test_a_daily_budget_of_a_key_ends_it(tmp_path: Path) -> None:
    with serving(tmp_path, entry("alice", limits={"daily_tokens": 10})) as live:
        assert status(live, "alice-key") == 200
        live.http.post("/v1/responses", json={"input": "[[say:one two three four five six seven eight nine ten]]"})
        assert wait_until(lambda: status(live, "alice-key") == 429, 10)
        refused = live.http.post("/v1/responses", json={"input": "Hi"})
    assert error_of(refused)["code"] == "insufficient_quota"
