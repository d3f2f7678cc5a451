"""The table of settings: one field is one row.

A row's name gives its flag (`max_body_bytes`: `--max-body-bytes`), its environment variable (`ANTIPHON_MAX_BODY_BYTES`)
and its TOML key; its annotation gives the type. Everything else about settings is generated from here.
"""

import os
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import msgspec
from msgspec import NODEFAULT, Struct

from antiphon.config.secret import Secret as Secret
from antiphon.config.tables import Tables


class Note(Struct, frozen=True):
    """What a row's name, type and default cannot say. `minimum` and `maximum` are inclusive."""

    group: str
    help: str
    metavar: str
    default: str | None = None
    minimum: float | None = None
    maximum: float | None = None


def default_data_dir() -> Path:
    """The directory this platform keeps an application's data in."""
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData/Local") / "antiphon"
    if sys.platform == "darwin":
        return Path.home() / "Library/Application Support/antiphon"
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share") / "antiphon"


MODEL, ACCESS, STATE, UPSTREAM, LISTENER, RUNS, LOGGING = (
    "What answers",
    "Who may ask",
    "What is kept",
    "Model servers behind HTTP",
    "Connections",
    "Responses under way",
    "Logging",
)


class Settings(Struct, frozen=True, kw_only=True):
    """The effective settings. Every default is safe on a single machine."""

    engine: Annotated[
        str,
        Note(
            MODEL,
            "What generates: `embedded` (a model in this process), `scripted` (no model, predictable answers), or the "
            "base URL of a chat-completions server such as vLLM's; several URLs are separated by commas. A file with "
            "`[[upstream]]` tables needs no engine beside them (`upstreams`).",
            "embedded|scripted|URL[,URL...]",
        ),
    ] = "embedded"
    model: Annotated[
        str | None,
        Note(
            MODEL,
            "Embedded and scripted: the name the model is served under. URL: the only model of that server to serve.",
            "NAME",
            "the engine's own",
        ),
    ] = None
    model_file: Annotated[
        Path | None,
        Note(MODEL, "Embedded: the GGUF file to load instead of the built-in model.", "FILE", "the built-in model"),
    ] = None
    default_model: Annotated[
        str | None, Note(MODEL, "The model that serves requests which name none.", "NAME", "the only one there is")
    ] = None
    reasoning_family: Annotated[
        Literal["auto", "generic", "gpt-oss", "qwen3", "deepseek", "glm", "granite"],
        Note(MODEL, "How models are told how hard to reason; `auto`: by their names.", "FAMILY"),
    ] = "auto"
    context_tokens: Annotated[
        int,
        Note(MODEL, "Embedded: tokens of prompt and answer together, if the model takes as many.", "N", minimum=256),
    ] = 8192
    parallel: Annotated[
        int, Note(MODEL, "Embedded: requests generated at the same time.", "N", minimum=1, maximum=64)
    ] = 4
    threads: Annotated[
        int | None,
        Note(
            MODEL,
            "Embedded: threads that compute.",
            "N",
            "one less than there are physical cores, at least 1",
            minimum=1,
        ),
    ] = None
    token_delay_ms: Annotated[float, Note(MODEL, "Scripted: milliseconds each token takes.", "MS", minimum=0)] = 0.0
    strict: Annotated[bool, Note(MODEL, "Refuse request fields that are not OpenAI's.", "BOOL")] = False

    host: Annotated[str, Note(ACCESS, "Address to listen on.", "ADDRESS")] = "127.0.0.1"
    port: Annotated[int, Note(ACCESS, "Port to listen on; 0 takes any free one.", "PORT", minimum=0, maximum=65535)] = (
        8400
    )
    api_key: Annotated[
        tuple[Secret, ...],
        Note(
            ACCESS,
            "Key that clients must send. May be given several times, or as a list separated by commas. Flags show in "
            "the process list: prefer the environment or the file.",
            "KEY",
            "none: everybody on this machine is let in",
        ),
    ] = ()
    tls_certificate: Annotated[
        Path | None,
        Note(ACCESS, "PEM file of the certificate, with its chain, to serve HTTPS with.", "FILE", "none: plain HTTP"),
    ] = None
    tls_key: Annotated[
        Path | None,
        Note(ACCESS, "PEM file of the certificate's private key, without a password.", "FILE", "in the same file"),
    ] = None
    tls_client_ca: Annotated[
        Path | None,
        Note(
            ACCESS,
            "PEM file of the authorities that must have signed a certificate of each client, besides its key.",
            "FILE",
            "none: clients need no certificate",
        ),
    ] = None
    cache_salt: Annotated[
        Literal["tenant", "key", "off"],
        Note(
            ACCESS,
            "Who shares the prefix cache of vLLM: the requests of one tenant, those of them with the same "
            "`prompt_cache_key`, or all.",
            "SCOPE",
        ),
    ] = "tenant"
    keys_file: Annotated[
        Path | None,
        Note(
            ACCESS,
            "TOML file of further keys, each with its tenant, models, limits and more; read again when it changes.",
            "FILE",
            "none",
        ),
    ] = None
    oidc_issuer: Annotated[
        str | None,
        Note(ACCESS, "OpenID Connect issuer whose bearer tokens are let in beside keys.", "URL", "none"),
    ] = None
    oidc_audience: Annotated[
        tuple[str, ...],
        Note(ACCESS, "Audience that tokens must be for. May be given several times, or as a list.", "NAME", "none"),
    ] = ()
    oidc_tenant_claim: Annotated[
        str,
        Note(ACCESS, "Claim of a token that names the tenant; one that its bearer cannot choose.", "NAME"),
    ] = "sub"
    oidc_name_claim: Annotated[str, Note(ACCESS, "Claim of a token that names its bearer.", "NAME")] = "sub"
    oidc_leeway_s: Annotated[
        float, Note(ACCESS, "Seconds by which clocks may differ from the issuer's.", "S", minimum=0, maximum=300)
    ] = 30.0
    metrics_public: Annotated[bool, Note(ACCESS, "Show `/metrics` without a key.", "BOOL")] = False
    allow_anonymous: Annotated[bool, Note(ACCESS, "Listen on a public address although no key is set.", "BOOL")] = False

    reasoning_encryption_keys: Annotated[
        tuple[Secret, ...],
        Note(
            ACCESS,
            "Keys that seal reasoning for clients without state: the first one seals, all of them open. 32 bytes in "
            "url-safe base64 each, as a list separated by commas.",
            "KEY",
            "one that is made and kept in the data directory",
        ),
    ] = ()

    data_dir: Annotated[
        Path,
        Note(
            STATE,
            "Directory of the stored responses and the built-in model.",
            "DIR",
            "$XDG_DATA_HOME/antiphon or ~/.local/share/antiphon; macOS: ~/Library/Application Support/antiphon; "
            "Windows: %LOCALAPPDATA%\\antiphon",
        ),
    ] = msgspec.field(default_factory=default_data_dir)
    store: Annotated[
        Literal["sqlite", "memory", "off"],
        Note(STATE, "Where responses are kept: a file, this process only, or nowhere.", "KIND"),
    ] = "sqlite"
    retention_days: Annotated[
        float, Note(STATE, "Days a stored response is kept; 0 keeps it for ever.", "DAYS", minimum=0)
    ] = 30.0
    retention_bytes: Annotated[
        int,
        Note(STATE, "Size of the store beyond which the oldest responses go.", "SIZE", "10GB", minimum=2**20),
    ] = 10 * 2**30
    retention_entries: Annotated[
        int, Note(STATE, "Stored responses beyond which the oldest go; 0: no limit.", "N", minimum=0)
    ] = 0
    retention_tenant_bytes: Annotated[
        int,
        Note(STATE, "Bytes of a tenant's responses beyond which its oldest go; 0: no limit.", "SIZE", minimum=0),
    ] = 0
    retention_tenant_entries: Annotated[
        int, Note(STATE, "Stored responses of a tenant beyond which its oldest go; 0: no limit.", "N", minimum=0)
    ] = 0

    upstream_api_key: Annotated[Secret | None, Note(UPSTREAM, "Key to send to the model servers.", "KEY", "none")] = (
        None
    )
    upstream_connect_timeout_s: Annotated[
        float, Note(UPSTREAM, "Seconds to wait for a connection.", "S", minimum=0.1)
    ] = 5.0
    upstream_first_token_timeout_s: Annotated[
        float, Note(UPSTREAM, "Seconds to wait for the first token.", "S", minimum=1)
    ] = 600.0
    upstream_priorities: Annotated[
        bool,
        Note(
            UPSTREAM,
            "The model servers schedule by priority (`vllm serve --scheduling-policy priority`): send them that of the "
            "service tier. Others refuse it.",
            "BOOL",
        ),
    ] = False
    upstream_idle_timeout_s: Annotated[
        float, Note(UPSTREAM, "Seconds to wait for each further token.", "S", minimum=1)
    ] = 120.0

    workers: Annotated[
        int,
        Note(
            LISTENER,
            "Processes that serve the port together, one for each core to use. They share what the store keeps; "
            "`engine_*`, `background_*` and `max_*` hold for each of them.",
            "N",
            minimum=1,
            maximum=256,
        ),
    ] = 1
    azure: Annotated[
        bool, Note(LISTENER, "Serve Azure's paths under `/openai` beside OpenAI's under `/v1`.", "BOOL")
    ] = True
    azure_force_store: Annotated[
        bool,
        Note(
            LISTENER,
            "Store every response made through Azure's paths, even if its request says `store: false`, as long as the "
            "server stores at all.",
            "BOOL",
        ),
    ] = True
    azure_region: Annotated[str, Note(LISTENER, "What the header `x-ms-region` says at Azure's paths.", "NAME")] = (
        "local"
    )

    openai_version: Annotated[str, Note(LISTENER, "What the header `openai-version` says.", "TEXT")] = "2020-10-01"
    openai_organization: Annotated[
        str,
        Note(LISTENER, "What the header `openai-organization` says to clients that name none themselves.", "NAME"),
    ] = "antiphon"
    openai_project: Annotated[
        str | None,
        Note(
            LISTENER, "What the header `openai-project` says to clients that name none themselves.", "NAME", "no header"
        ),
    ] = None
    cors_origins: Annotated[
        tuple[str, ...],
        Note(
            LISTENER,
            "Origins whose pages may call this server from a browser, such as `https://app.example.com`; `*` for all. "
            "May be given several times, or as a list separated by commas.",
            "ORIGIN",
            "none",
        ),
    ] = ()
    cors_credentials: Annotated[
        bool, Note(LISTENER, "Let browsers send their cookies along; needs origins by name.", "BOOL")
    ] = False

    dialect: Annotated[
        Literal["openai", "open-responses", "vllm-extended"],
        Note(
            LISTENER,
            "What events are called and what is sent beside them; the header `X-Antiphon-Dialect` says otherwise for "
            "one request.",
            "NAME",
        ),
    ] = "openai"
    legacy_reasoning_events: Annotated[
        bool,
        Note(
            LISTENER,
            "Call raw reasoning `response.reasoning_text.*` in every dialect; `X-Antiphon-Dialect: "
            "vllm-extended+legacy-reasoning` does so for one request.",
            "BOOL",
        ),
    ] = False
    rate_limit_events: Annotated[
        bool, Note(LISTENER, "Send `response.rate_limits.updated` in dialect `vllm-extended`.", "BOOL")
    ] = True
    obfuscation: Annotated[
        bool,
        Note(
            LISTENER,
            "Pad deltas with noise, so that the size of packets says nothing of their text; "
            "`stream_options.include_obfuscation` says otherwise for one request. OpenAI's default is on.",
            "BOOL",
        ),
    ] = False
    done_marker: Annotated[
        Literal["dialect", "always", "never"],
        Note(LISTENER, "Whether a stream ends with `data: [DONE]`; `dialect`: as the dialect has it.", "WHEN"),
    ] = "dialect"

    websocket: Annotated[
        bool, Note(LISTENER, "Serve WebSocket mode; without it the upgrade is refused with 426.", "BOOL")
    ] = True
    max_body_bytes: Annotated[int, Note(LISTENER, "Largest request body.", "SIZE", "32MB", minimum=1024)] = 32 * 2**20
    max_head_bytes: Annotated[
        int, Note(LISTENER, "Largest request line and headers together.", "SIZE", "64KB", minimum=1024)
    ] = 64 * 2**10
    request_timeout_s: Annotated[
        float,
        Note(
            LISTENER,
            "Seconds in which the headers of a request must come, and its body; a body gets one more for each KB.",
            "S",
            minimum=0.1,
        ),
    ] = 30.0
    heartbeat_s: Annotated[
        float, Note(LISTENER, "Seconds of silence after which a stream carries a keep-alive event.", "S", minimum=0.1)
    ] = 15.0
    keep_alive_s: Annotated[int, Note(LISTENER, "Seconds an idle connection is kept open.", "S", minimum=1)] = 75
    drain_grace_s: Annotated[
        int, Note(LISTENER, "Seconds that running requests get to end when the server is told to stop.", "S", minimum=0)
    ] = 25

    drain_delay_s: Annotated[
        float,
        Note(
            LISTENER,
            "Seconds that new requests are still taken after SIGTERM, while `/ready` already says no.",
            "S",
            minimum=0,
        ),
    ] = 5.0

    tool_wait_s: Annotated[
        float, Note(RUNS, "Seconds a response waits for the outputs of its tool calls.", "S", minimum=0.1)
    ] = 300.0
    disconnect_grace_s: Annotated[
        float,
        Note(
            RUNS, "Seconds a foreground response goes on after its last reader left, who may come back.", "S", minimum=0
        ),
    ] = 0.0
    engine_running: Annotated[
        int,
        Note(
            RUNS,
            "How many responses may be generated at a time; the others wait, by the shares of their tiers and fairly "
            "among tenants. 0: no limit.",
            "N",
            minimum=0,
        ),
    ] = 0
    engine_queue: Annotated[
        int, Note(RUNS, "How many responses may wait for `engine_running`; more are a 503.", "N", minimum=0)
    ] = 1024
    background_running: Annotated[
        int, Note(RUNS, "How many background responses are generated at a time.", "N", minimum=1)
    ] = 16
    background_queue: Annotated[
        int, Note(RUNS, "How many background responses may wait for their turn.", "N", minimum=0)
    ] = 256
    max_sessions: Annotated[
        int, Note(RUNS, "How many responses may be under way, waiting ones included.", "N", minimum=1)
    ] = 4096
    service_tier: Annotated[
        Literal["default", "flex", "scale", "priority", "ultrafast"],
        Note(RUNS, "The tier that serves requests which ask for none, or for `auto`.", "TIER"),
    ] = "default"
    service_tiers: Annotated[
        tuple[Literal["default", "flex", "scale", "priority", "ultrafast"], ...],
        Note(
            RUNS,
            "The other tiers that requests may ask for, as a list separated by commas; any other is a 400.",
            "TIER",
        ),
    ] = ("default", "flex", "scale", "priority", "ultrafast")
    session_idle_ttl_s: Annotated[
        float,
        Note(
            RUNS,
            "Seconds after which a response that waits for tool outputs and that nobody follows is given up.",
            "S",
            minimum=1,
        ),
    ] = 3600.0

    max_session_bytes: Annotated[
        int, Note(RUNS, "Largest event stream of one response.", "SIZE", "64MB", minimum=65536)
    ] = 64 * 2**20
    max_total_bytes: Annotated[
        int, Note(RUNS, "Largest event streams of all responses under way together.", "SIZE", "2GB", minimum=65536)
    ] = 2 * 2**30
    max_event_bytes: Annotated[
        int, Note(RUNS, "Largest piece of text that an engine may send at once.", "SIZE", "4MB", minimum=1024)
    ] = 4 * 2**20
    max_schema_bytes: Annotated[
        int,
        Note(
            RUNS,
            "Largest JSON schema of a tool or of `text.format`, which engines make a grammar of.",
            "SIZE",
            "256KB",
            minimum=1024,
        ),
    ] = 256 * 2**10
    max_input_items: Annotated[
        int, Note(RUNS, "Most items that a request's input may have, 100,000 at most.", "N", minimum=1)
    ] = 10_000
    max_tool_output_bytes: Annotated[
        int, Note(RUNS, "Largest output of a tool call that a request may carry.", "SIZE", "10MB", minimum=1024)
    ] = 10 * 2**20
    max_image_bytes: Annotated[
        int, Note(RUNS, "Largest image that a request may carry.", "SIZE", "20MB", minimum=1024)
    ] = 20 * 2**20
    max_file_bytes: Annotated[
        int, Note(RUNS, "Largest file that a request may carry.", "SIZE", "32MB", minimum=1024)
    ] = 32 * 2**20
    fetch_hosts: Annotated[
        tuple[str, ...],
        Note(
            ACCESS,
            "Hosts that images and files of a request may be fetched from: names, `*.domain`, or `*` for all; `none` "
            "for no host.",
            "HOST",
        ),
    ] = ("*",)
    fetch_networks: Annotated[
        tuple[str, ...],
        Note(ACCESS, "Networks that may be fetched from although they are not public.", "CIDR", "none"),
    ] = ()
    fetch_timeout_s: Annotated[
        float, Note(ACCESS, "Seconds that fetching an image or a file may take.", "S", minimum=0.1)
    ] = 10.0
    max_file_pages: Annotated[int, Note(RUNS, "Most pages of a PDF file.", "N", minimum=1, maximum=100_000)] = 200
    file_timeout_s: Annotated[float, Note(RUNS, "Seconds that reading a PDF file may take.", "S", minimum=0.1)] = 30.0
    reasoning_summaries: Annotated[
        Literal["extract", "model"],
        Note(
            RUNS,
            "How reasoning is summed up where a request asks for it: by its first sentences, or by the model in a "
            "generation of its own, for which the answer waits.",
            "HOW",
        ),
    ] = "extract"
    check_events: Annotated[
        bool, Note(RUNS, "Hold events against the grammar of streams; a breach is logged and counted.", "")
    ] = False

    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], Note(LOGGING, "The least severe messages to log.", "LEVEL")
    ] = "info"
    log_format: Annotated[
        Literal["text", "json"],
        Note(LOGGING, "What a line of the log looks like: text for people, or one JSON object.", "FORMAT"),
    ] = "text"
    access_log: Annotated[
        bool, Note(LOGGING, "Log a line for each request, at its end; nothing of what was said is in it.", "BOOL")
    ] = True
    audit_log: Annotated[
        Path | None,
        Note(
            LOGGING,
            "The file that gains a line for each change of keys and each export, erasure, backup and restore.",
            "FILE",
            "audit.jsonl in the data directory",
        ),
    ] = None
    otel: Annotated[
        bool,
        Note(
            LOGGING,
            "Send OpenTelemetry traces by OTLP over HTTP, as the variables `OTEL_*` say; needs the extra `otel`.",
            "BOOL",
        ),
    ] = False

    tables: Tables = Tables()
    """Not a setting of its own: the tables of the file."""

    @property
    def audit_file(self) -> Path:
        """Where the audit log is."""
        return self.audit_log or self.data_dir / "audit.jsonl"

    @property
    def upstream_urls(self) -> tuple[str, ...]:
        """The model servers to stand in front of; empty for the engines of this process."""
        if not self.engine.startswith(("http://", "https://")):
            return ()
        return tuple(url.strip() for url in self.engine.split(",") if url.strip())


class Row(Struct, frozen=True, kw_only=True):
    """One setting, as its sources see it. `choices` is empty where any value goes."""

    name: str
    kind: type
    default: object
    note: Note
    many: bool
    choices: tuple[str, ...]

    @property
    def flag(self) -> str:
        return "--" + self.name.replace("_", "-")

    @property
    def variable(self) -> str:
        return "ANTIPHON_" + self.name.upper()

    @property
    def default_text(self) -> str:
        """The default as a person would write it."""
        if self.note.default is not None:
            return self.note.default
        return written(self.default)


def written(value: object) -> str:
    """A value as a person would write it; secrets are masked."""
    match value:
        case None | ():
            return "none"
        case bool():
            return str(value).lower()
        case Secret():
            return "***"
        case tuple():
            return ",".join(written(each) for each in value)
        case float():
            return f"{value:g}"
    return str(value)


@cache
def rows() -> Sequence[Row]:
    """Every setting, in the order of the table."""
    hints = get_type_hints(Settings, include_extras=True)
    defaults = Settings()
    return tuple(_row(field.name, hints[field.name], getattr(defaults, field.name)) for field in _fields())


def _fields() -> Sequence[msgspec.structs.FieldInfo]:
    fields = [field for field in msgspec.structs.fields(Settings) if field.name != "tables"]
    assert all(field.default is not NODEFAULT or field.default_factory is not NODEFAULT for field in fields)
    return fields


def _row(name: str, hint: Any, default: object) -> Row:
    annotation, note = get_args(hint)
    if get_origin(annotation) is Literal:
        return Row(name=name, kind=str, default=default, note=note, many=False, choices=get_args(annotation))
    arguments = [each for each in get_args(annotation) if each not in (type(None), Ellipsis)]
    kind = arguments[0] if arguments else annotation
    many = get_origin(annotation) is tuple
    if get_origin(kind) is Literal:
        return Row(name=name, kind=str, default=default, note=note, many=many, choices=get_args(kind))
    return Row(name=name, kind=kind, default=default, note=note, many=many, choices=())
