"""A real model on a real vLLM, started by `antiphon vllm`. The first module, so that one vLLM runs at a time."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import openai
import pytest

from tests.builtin_model import builtin_model
from tests.vllm import serving
from tests.vllm.installation import install_reader
from tests.vllm.serving import CLIENT_S, Vllm

pytestmark = [pytest.mark.slow, pytest.mark.vllm, pytest.mark.timeout(1800)]
MODEL = "smollm2"
GUIDE = "You are a guide who answers in one short sentence."
CONTEXT_TOKENS = 4096
FLAGS = (
    f"--served-model-name {MODEL} --max-model-len {CONTEXT_TOKENS} --kv-cache-memory-bytes 256M --block-size 32".split()
)


@pytest.fixture(scope="module")
def real(vllm_python: Path, plugin_site: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vllm]:
    """SmolLM2 on vLLM in one process, with vLLM's defaults."""
    directory = tmp_path_factory.mktemp("smollm2")
    reader = install_reader(vllm_python)
    unpack = [vllm_python, Path(__file__).with_name("unpacked_model.py"), builtin_model(), directory]
    subprocess.run(unpack, env=os.environ | {"PYTHONPATH": str(reader)}, check=True, timeout=serving.START_S)
    settings = directory / "settings.toml"
    settings.write_text(f'data_dir = "{directory / "data"}"\n')
    words = ["-m", "antiphon", "vllm", directory, "--config", settings, *FLAGS]
    with serving.run(vllm_python, words, directory, PYTHONPATH=str(plugin_site)) as running:
        yield running


def test_a_real_model_goes_on_with_a_conversation(real: Vllm) -> None:
    with openai.OpenAI(base_url=real.base_url, api_key=real.api_key, timeout=4 * CLIENT_S, max_retries=0) as client:
        first = client.responses.create(
            model=MODEL,
            instructions=GUIDE,
            input="The capital of France is Paris. What is the capital of France?",
            temperature=0,
            max_output_tokens=60,
        )
        second = client.responses.create(
            model=MODEL,
            instructions=GUIDE,
            previous_response_id=first.id,
            input="And in which country is that city?",
            temperature=0,
            max_output_tokens=60,
        )
    assert (first.status, second.status) == ("completed", "completed")
    assert "Paris" in first.output_text and "France" in second.output_text
    assert second.usage is not None and first.usage is not None
    assert second.usage.input_tokens > first.usage.input_tokens
    assert second.usage.input_tokens_details.cached_tokens > 0


def test_our_figures_stand_in_the_metrics_of_one_process(real: Vllm) -> None:
    assert real.figure("antiphon_runs_ended_total", kind="foreground", status="completed") >= 2
    assert real.figure("vllm:generation_tokens_total") > 0
