"""Taking over a changed configuration while the server runs.

Rules
- Every part first says how it would change, which raises what is wrong; only then all of them change, at once.
- A configuration that cannot be used changes nothing, and the log says why.
- What cannot change while the server runs stays as it is, and the log names it.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

import msgspec

from antiphon.config.settings import Settings
from antiphon.errors import AntiphonError, SetupError

logger = logging.getLogger(__name__)

CHANGEABLE = frozenset({"tables", "default_model", "log_level", "access_log"})
"""The settings that a reload takes over."""

Change = Callable[[], None]
Part = Callable[[Settings, Settings], Awaitable[Change]]
"""Given the settings before and after, returns what changes a part. Raises: SetupError."""


class Reloader:
    """`load` reads the configuration as it is now. The last of the `parts` may begin something that costs.

    `count` is told what became of each reload: `applied` or `refused`.
    """

    def __init__(
        self, settings: Settings, load: Callable[[], Settings], parts: Sequence[Part], count: Callable[[str], None]
    ) -> None:
        self.settings = settings
        self._load = load
        self._parts = parts
        self._count = count
        self._lock = asyncio.Lock()

    async def reload(self) -> bool:
        """Take the configuration over, if it can be used. Reloads come one after the other."""
        async with self._lock:
            try:
                await self._reload()
            except (SetupError, AntiphonError) as error:
                logger.error("the configuration stays as it was: %s", error)
                self._count("refused")
                return False
            logger.info("the configuration was read again")
            self._count("applied")
            return True

    async def _reload(self) -> None:
        loaded = await asyncio.to_thread(self._load)
        settings = self._changeable(loaded)
        changes = [await part(self.settings, settings) for part in self._parts]
        for change in changes:
            change()
        self.settings = settings
        fixed = [name for name in Settings.__struct_fields__ if getattr(loaded, name) != getattr(settings, name)]
        if fixed:
            logger.warning("only a restart takes over: %s", ", ".join(fixed))

    def _changeable(self, loaded: Settings) -> Settings:
        return msgspec.structs.replace(self.settings, **{name: getattr(loaded, name) for name in CHANGEABLE})
