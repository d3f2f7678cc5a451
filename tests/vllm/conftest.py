"""One real vLLM for all tests of this folder."""

import os
from collections.abc import Iterator
from pathlib import Path

import openai
import pytest

from antiphon.errors import SetupError
from antiphon.readers.grammars import ChildGrammars
from tests.builtin_model import unavailable
from tests.vllm import serving
from tests.vllm.installation import install, install_case_plugin, install_project
from tests.vllm.serving import Vllm, make_model
from tests.vllm.tiny_model import LORA


@pytest.fixture(scope="session")
def vllm_python() -> Path:
    """The Python that has vLLM. Skips where it cannot be installed."""
    try:
        return install()
    except SetupError as error:
        unavailable(str(error))


@pytest.fixture(scope="session")
def tiny_model(vllm_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("tiny-model")
    make_model(vllm_python, directory)
    return directory


@pytest.fixture(scope="session")
def plugin_site(vllm_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory of packages that holds this project as it is installed for users."""
    directory = tmp_path_factory.mktemp("plugin-site")
    install_project(vllm_python, directory)
    install_case_plugin(vllm_python, directory)
    return directory


@pytest.fixture(scope="session")
def vllm(
    vllm_python: Path, tiny_model: Path, plugin_site: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Vllm]:
    """A vLLM with an API key, parsers, an adapter, priorities, scripted answers, and the plugin in both API servers."""
    environment = {
        "VLLM_PLUGINS": "antiphon,antiphon-tests",
        "ANTIPHON_DATA_DIR": str(tmp_path_factory.mktemp("plugin-data")),
        "ANTIPHON_MAX_BODY_BYTES": "200KB",
        "ANTIPHON_OPENAI_ORGANIZATION": "tests",
        "PYTHONPATH": os.pathsep.join(map(str, (plugin_site, serving.ROOT))),
    }
    flags = f"--api-server-count 2 --scheduling-policy priority --enable-lora --lora-modules {LORA}={tiny_model / LORA}"
    with serving.serve(vllm_python, tiny_model, *flags.split(), **environment) as running:
        yield running


@pytest.fixture(scope="module", params=["gateway", "plugin"])
def client(request: pytest.FixtureRequest, vllm: Vllm) -> Iterator[openai.OpenAI]:
    """A client of a server of ours in front of vLLM, or of ours within vLLM's."""
    with serving.client_of(request.param, vllm, grammars=ChildGrammars(timeout_s=10)) as client:
        yield client
