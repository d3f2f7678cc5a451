"""A real vLLM with a key, behind the tables of a file: its quirks, its grammars, its salt, its figures."""

import httpx
import openai
import pytest

from tests.command import started
from tests.vllm.serving import CLIENT_S, MODEL, Vllm
from tests.vllm.tiny_model import LORA

pytestmark = [pytest.mark.slow, pytest.mark.vllm, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def origin(vllm: Vllm, tmp_path_factory: pytest.TempPathFactory):
    """A gateway that serves the model under another name."""
    file = tmp_path_factory.mktemp("gateway") / "antiphon.toml"
    file.write_text(
        f'[[upstream]]\nname = "vllm"\nurls = ["{vllm.base_url}"]\napi_key_env = "THE_KEY"\n'
        f'[[model]]\nname = "mine"\nupstream = "vllm"\nupstream_model = "{MODEL}"\naliases = ["gpt-*"]\n'
        f'[[model]]\nname = "tuned"\nupstream = "vllm"\nupstream_model = "{LORA}"\n'
    )
    with started("--config", str(file), THE_KEY=vllm.api_key) as server:
        yield server.origin


@pytest.fixture
def client(origin: str):
    with openai.OpenAI(base_url=f"{origin}/v1", api_key="any", timeout=CLIENT_S, max_retries=0) as made:
        yield made


def test_a_model_behind_a_key_answers_under_its_alias(client: openai.OpenAI, origin: str) -> None:
    answer = client.responses.create(model="gpt-5", input="[[say:ok]]", prompt_cache_key="k")
    assert (answer.model, answer.output_text) == ("gpt-5", "ok")
    figures = httpx.get(f"{origin}/metrics", trust_env=False).text
    assert 'antiphon_upstream_healthy{server="0",upstream="vllm"} 1.0' in figures


def test_an_adapter_has_a_name_of_its_own(client: openai.OpenAI) -> None:
    answer = client.responses.create(model="tuned", input="[[say:ok]]")
    assert (answer.model, answer.output_text) == ("tuned", "ok")
    shown = client.models.retrieve("tuned").to_dict()
    assert shown["id"] == "tuned" and "tuned" in [model.id for model in client.models.list()]


@pytest.mark.parametrize(
    ("syntax", "definition"), [("regex", "a{3}"), ("lark", 'start: "x" "yz"')], ids=["regex", "lark"]
)
def test_a_forced_custom_tool_obeys_its_grammar(client: openai.OpenAI, syntax: str, definition: str) -> None:
    tool = {
        "type": "custom",
        "name": "shell",
        "format": {"type": "grammar", "syntax": syntax, "definition": definition},
    }
    answer = client.responses.create(model="mine", input="Do it.", tools=[tool], tool_choice="required")
    (call,) = (item for item in answer.output if item.type == "custom_tool_call")
    assert (call.name, call.input) == ("shell", {"regex": "aaa", "lark": "xyz"}[syntax])
