"""The tables of the TOML file: model servers (`[[upstream]]`) and the models that are served (`[[model]]`)."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, Struct

from antiphon.config.secret import Secret

Name = Annotated[str, Meta(min_length=1, max_length=256)]
Seconds = Annotated[float, Meta(ge=0.1)]
Flags = Mapping[str, bool | int | str]


class UpstreamTable(Struct, frozen=True, kw_only=True):
    """One `[[upstream]]`: servers that serve the same models, as a pool.

    The time-outs are those of the settings where they are None. `concurrency` is the most generations at a time at each
    URL, and `queue` how many may wait for a place, for `queue_timeout_s` at most. `quirks` overrides single columns of
    the row of `server`; without that the servers are asked what they are.
    """

    name: Name
    urls: Annotated[tuple[str, ...], Meta(min_length=1)]
    api_key_env: Name | None = None
    api_key: Secret | None = None  # what `api_key_env` names; never in the file itself
    headers: Mapping[str, Secret] = {}
    ca: Path | None = None
    client_certificate: Path | None = None
    client_key: Path | None = None
    proxy: Secret | None = None
    connect_timeout_s: Seconds | None = None
    first_token_timeout_s: Seconds | None = None
    idle_timeout_s: Seconds | None = None
    concurrency: Annotated[int, Meta(ge=1)] | None = None
    queue: Annotated[int, Meta(ge=0)] = 256
    queue_timeout_s: Seconds = 30.0
    health_interval_s: Seconds = 5.0
    server: Literal["generic", "vllm", "llama.cpp", "sglang", "ollama", "tgi"] | None = None
    quirks: Flags = {}
    forward_credentials: bool = False


class SamplingTable(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """What a request that leaves these open is generated with."""

    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    top_k: int | None = None
    min_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    presence_penalty: Annotated[float, Meta(ge=-2, le=2)] | None = None
    frequency_penalty: Annotated[float, Meta(ge=-2, le=2)] | None = None
    repetition_penalty: Annotated[float, Meta(gt=0)] | None = None
    seed: int | None = None
    max_tokens: Annotated[int, Meta(ge=1)] | None = None


class ModelTable(Struct, frozen=True, kw_only=True):
    """One `[[model]]`. Without `upstream` it is one of the engine that the setting `engine` names.

    `aliases` are further names, each of which may end with `*`. `tenants` None lets everybody use it. `images`,
    `reasoning` and `tools` overrule what the server says of the model. `extra_body` are fields for its server alone.
    """

    name: Name
    aliases: tuple[Name, ...] = ()
    upstream: Name | None = None
    upstream_model: Name | None = None
    context_tokens: Annotated[int, Meta(ge=1)] | None = None
    images: bool | None = None
    reasoning: bool | None = None
    tools: bool | None = None
    reasoning_family: Literal["generic", "gpt-oss", "qwen3", "deepseek", "glm", "granite"] | None = None
    sampling: SamplingTable = SamplingTable()
    chat_template_kwargs: Mapping[str, object] = {}
    extra_body: Mapping[str, object] = {}
    fallback: tuple[Name, ...] = ()
    tenants: tuple[Name, ...] | None = None


Count = Annotated[int, Meta(ge=0)]


class LimitTable(Struct, frozen=True, kw_only=True):
    """One `[[limit]]`: limits of every key, tenant or model, each for itself, or of the one that `name` names; or,
    `global`, of all together. A minute's and an hour's fill evenly; days and months are those of UTC.
    """

    scope: Literal["key", "tenant", "model", "global"]
    name: Name | None = None
    requests_per_minute: Count | None = None
    tokens_per_minute: Count | None = None
    requests_per_hour: Count | None = None
    tokens_per_hour: Count | None = None
    concurrent: Count | None = None
    background: Count | None = None
    daily_tokens: Count | None = None
    monthly_tokens: Count | None = None


class PriceTable(Struct, frozen=True, kw_only=True):
    """One `[[price]]`: what a million tokens of a model cost; cached ones as much as others unless it says more."""

    model: Name
    input: Annotated[float, Meta(ge=0)]
    output: Annotated[float, Meta(ge=0)]
    cached_input: Annotated[float, Meta(ge=0)] | None = None


class Tables(Struct, frozen=True):
    """All tables of the file, in its order. `origin` is the file."""

    upstreams: tuple[UpstreamTable, ...] = ()
    models: tuple[ModelTable, ...] = ()
    origin: str = ""
    limits: tuple[LimitTable, ...] = ()
    prices: tuple[PriceTable, ...] = ()

    def __bool__(self) -> bool:
        """Whether any of them says which engines serve what."""
        return bool(self.upstreams or self.models)
