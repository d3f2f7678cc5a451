"""Servers of the Responses API that are written in Python. They get smaller loads, or a run would take an hour."""

from collections.abc import Sequence
from pathlib import Path

from bench.contenders.contender import Command, Variant
from bench.contenders.venv import Venv

_MODES = ("short", "32x10", "256x10")

_LITELLM = """\
model_list:
  - model_name: native
    litellm_params: {{model: hosted_vllm/bench, api_base: "{upstream}/v1", api_key: none}}
  - model_name: bridge
    litellm_params:
      {{model: hosted_vllm/bench, api_base: "{upstream}/v1", api_key: none, use_chat_completions_api: true}}
"""

_OGX = """\
version: 2
distro_name: bench
apis: [files, inference, responses, tool_runtime, vector_io]
providers:
  inference:
    - provider_id: vllm
      provider_type: remote::vllm
      config: {{base_url: "{upstream}/v1", api_token: none}}
  responses:
    - provider_id: builtin
      provider_type: inline::builtin
      config: {{persistence: {{responses: {{table_name: responses, backend: sql}}}}}}
  files:
    - provider_id: local
      provider_type: inline::localfs
      config: {{storage_dir: "{folder}/files", metadata_store: {{table_name: files, backend: sql}}}}
  tool_runtime: []
  vector_io: []
storage:
  backends:
    kv: {{type: kv_sqlite, db_path: "{folder}/kv.db"}}
    sql: {{type: sql_sqlite, db_path: "{folder}/sql.db"}}
  stores:
    metadata: {{namespace: registry, backend: kv}}
    inference: {{table_name: inference_store, backend: sql}}
    conversations: {{table_name: openai_conversations, backend: sql}}
    prompts: {{table_name: prompts, backend: sql}}
    connectors: {{table_name: connectors, backend: sql}}
registered_resources:
  models:
    - {{model_id: bench, provider_id: vllm, provider_model_id: bench, model_type: llm}}
server: {{host: 127.0.0.1, port: {port}}}
"""


class OpenResponsesServer:
    name = "open-responses-server"
    ready_path = "/health"
    variants: Sequence[Variant] = (
        Variant(
            name="open-responses-server",
            note="translates from chat completions",
            path="/responses",
            modes=_MODES,
            scale=0.3,
        ),
    )

    def __init__(self, python: str) -> None:
        self._venv = Venv("open-responses-server", ["open-responses-server", "mcp<2"], [python])
        self._program = ""

    def install(self, cache: Path) -> str:
        version = self._venv.install(cache)
        self._program = self._venv.program(cache, "otc")
        return version

    def command(self, port: int, upstream: str, folder: Path) -> Command:
        environment = {
            "OPENAI_BASE_URL_INTERNAL": upstream,
            "OPENAI_BASE_URL": f"http://127.0.0.1:{port}",
            "OPENAI_API_KEY": "none",
            "API_ADAPTER_HOST": "127.0.0.1",
            "API_ADAPTER_PORT": str(port),
            "MCP_SERVERS_CONFIG_PATH": str(folder / "none.json"),
            "HOME": str(folder),
        }
        return Command([self._program, "start"], environment)


class LiteLLM:
    name = "litellm"
    ready_path = "/health/liveliness"
    variants: Sequence[Variant] = (
        Variant(name="litellm", note="pass-through", fields={"model": "native"}, modes=_MODES, scale=0.2),
        Variant(
            name="litellm, bridge",
            note="translates from chat completions",
            fields={"model": "bridge"},
            modes=_MODES,
            scale=0.15,
        ),
    )

    def __init__(self, python: str) -> None:
        self._venv = Venv("litellm", ["litellm[proxy]==1.106.2"], [python])
        self._program = ""

    def install(self, cache: Path) -> str:
        version = self._venv.install(cache)
        self._program = self._venv.program(cache, "litellm")
        return version

    def command(self, port: int, upstream: str, folder: Path) -> Command:
        config = folder / "config.yaml"
        config.write_text(_LITELLM.format(upstream=upstream))
        where = ["--host", "127.0.0.1", "--port", str(port), "--num_workers", "1"]
        environment = {
            "HOME": str(folder),
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
            "LITELLM_TELEMETRY": "False",
            "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true",
        }
        return Command([self._program, "--config", str(config), *where], environment)


class Ogx:
    name = "ogx"
    ready_path = "/v1/health"
    variants: Sequence[Variant] = (
        Variant(
            name="ogx",
            note="translates, stored in SQLite",
            fields={"model": "vllm/bench"},
            modes=_MODES,
            scale=0.2,
        ),
    )

    def __init__(self) -> None:
        pythons = ("python3.12", "python3.13")
        packages = ["ogx", "aiosqlite", "sqlalchemy[asyncio]", "asyncpg"]
        self._venv = Venv("ogx", packages, pythons)
        self._program = ""

    def install(self, cache: Path) -> str:
        version = self._venv.install(cache)
        self._program = self._venv.program(cache, "ogx")
        return version

    def command(self, port: int, upstream: str, folder: Path) -> Command:
        config = folder / "config.yaml"
        config.write_text(_OGX.format(upstream=upstream, folder=folder, port=port))
        return Command([self._program, "run", str(config), "--port", str(port), "--insecure"], {"HOME": str(folder)})
