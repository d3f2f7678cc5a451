"""What a server lets responses do."""

from typing import Literal

from msgspec import Struct

from antiphon.core.rate_rules import ScopedLimits
from antiphon.core.request_limits import RequestLimits
from antiphon.core.tiers import Tiers


class Options(Struct, frozen=True, kw_only=True):
    """`retention_s` None keeps responses for ever. `default_model` serves requests that name none.

    `forward_credentials`: engines may be shown what the client showed us.
    """

    default_model: str | None = None
    dialect: str = "openai"
    legacy_reasoning_events: bool = False
    rate_limit_events: bool = True
    obfuscation: bool = False
    tiers: Tiers = Tiers()
    reasoning_family: str | None = None
    retention_s: float | None = 30 * 86400
    heartbeat_s: float = 15.0
    store_enabled: bool = True
    tool_wait_s: float = 300.0
    disconnect_grace_s: float = 0.0
    engine_running: int = 0
    engine_queue: int = 1024
    background_running: int = 16
    background_queue: int = 256
    max_sessions: int = 4096
    session_idle_ttl_s: float = 3600.0
    max_session_bytes: int = 64 * 2**20
    max_total_bytes: int = 2 * 2**30
    max_event_bytes: int = 4 * 2**20
    check_events: bool = False
    max_image_bytes: int = 20 * 2**20
    max_file_bytes: int = 32 * 2**20
    forward_credentials: bool = False
    limits: tuple[ScopedLimits, ...] = ()
    request_limits: RequestLimits = RequestLimits()
    reasoning_summaries: Literal["extract", "model"] = "extract"
