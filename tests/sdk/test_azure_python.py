"""Azure's flavour with the official Python clients, unmodified: AzureOpenAI's forms, and OpenAI at Azure's `v1`."""

import time
from collections.abc import Callable, Iterator

import openai
import pytest

from tests.live import CLIENT_S, Live

Client = openai.AzureOpenAI | openai.OpenAI
DATED = "2025-04-01-preview"
KEY = "sk-test"

FORMS: dict[str, Callable[[str], Client]] = {
    "dated": lambda origin: openai.AzureOpenAI(
        azure_endpoint=origin, api_version=DATED, api_key=KEY, timeout=CLIENT_S, max_retries=0
    ),
    "deployment": lambda origin: openai.AzureOpenAI(
        azure_endpoint=origin,
        api_version=DATED,
        azure_deployment="scripted",
        api_key=KEY,
        timeout=CLIENT_S,
        max_retries=0,
    ),
    "token": lambda origin: openai.AzureOpenAI(
        azure_endpoint=origin,
        api_version="preview",
        azure_ad_token_provider=lambda: KEY,
        timeout=CLIENT_S,
        max_retries=0,
    ),
    "v1 of Azure's class": lambda origin: openai.AzureOpenAI(
        base_url=f"{origin}/openai/v1", api_version="preview", api_key=KEY, timeout=CLIENT_S, max_retries=0
    ),
    "v1 of OpenAI's class": lambda origin: openai.OpenAI(
        base_url=f"{origin}/openai/v1/", api_key=KEY, timeout=CLIENT_S, max_retries=0
    ),
}


@pytest.fixture(params=FORMS)
def azure(live: Live, request: pytest.FixtureRequest) -> Iterator[Client]:
    """A client for the server, in each form."""
    with FORMS[request.param](live.origin) as client:
        yield client


def test_a_response_is_made_read_listed_continued_and_deleted(azure: Client) -> None:
    made = azure.responses.create(model="scripted", input="hello")
    assert made.output_text == "Echo: hello"
    assert made.model_extra == {**(made.model_extra or {}), "content_filters": []}
    assert azure.responses.retrieve(made.id) == made
    [item] = azure.responses.input_items.list(made.id)
    assert item.type == "message"
    on = azure.responses.create(model="scripted", input="on", previous_response_id=made.id)
    assert on.previous_response_id == made.id
    azure.responses.delete(made.id)
    with pytest.raises(openai.NotFoundError) as gone:
        azure.responses.retrieve(made.id)
    assert gone.value.request_id == gone.value.response.headers["apim-request-id"]
    assert (gone.value.type, gone.value.param) == ("invalid_request_error", "response_id")


def test_a_stream_and_its_helper(azure: Client) -> None:
    types = [event.type for event in azure.responses.create(model="scripted", input="hello", stream=True)]
    assert (types[0], types[-1]) == ("response.created", "response.completed")
    with azure.responses.stream(model="scripted", input="[[say:one two]]") as stream:
        assert stream.get_final_response().output_text == "one two"


def test_a_background_response_is_polled_and_cancelled(azure: Client) -> None:
    polled = azure.responses.create(model="scripted", input="hello", background=True)
    deadline = time.monotonic() + CLIENT_S
    while polled.status in ("queued", "in_progress"):
        assert time.monotonic() < deadline
        polled = azure.responses.retrieve(polled.id)
    assert (polled.status, polled.output_text) == ("completed", "Echo: hello")
    long = azure.responses.create(model="scripted", input="[[stall:30]]", background=True)
    assert azure.responses.cancel(long.id).status == "cancelled"


def test_conversations_and_models(azure: Client) -> None:
    conversation = azure.conversations.create(items=[{"role": "user", "content": "one"}])
    azure.responses.create(model="scripted", input="two", conversation=conversation.id)
    assert len(azure.conversations.items.list(conversation.id).data) == 3
    assert azure.conversations.delete(conversation.id).deleted
    assert [model.id for model in azure.models.list()] == ["scripted"]


def test_a_wrong_key_is_understood(live: Live) -> None:
    client = openai.AzureOpenAI(azure_endpoint=live.origin, api_version=DATED, api_key="wrong", max_retries=0)
    with pytest.raises(openai.AuthenticationError):
        client.models.list()


def test_websocket_mode_of_the_official_client(live: Live) -> None:
    client = FORMS["v1 of OpenAI's class"](live.origin)
    with client.responses.connect() as connection:
        connection.response.create(model="scripted", input="hello")
        for event in connection:
            if event.type == "response.completed":
                assert event.response.output_text == "Echo: hello"
                return
