"""Service tiers: which of them requests may ask for, which one they get, and how urgent it is.

`auto` is the server's default tier and `fast` another name of `priority`; the other tiers are what they are called.
"""

from collections.abc import Mapping

from msgspec import Struct

from antiphon.errors import InvalidRequest

PRIORITIES: Mapping[str, int] = {"ultrafast": -20, "priority": -10, "scale": -5, "default": 0, "flex": 10}
"""How urgent each tier is: the lower, the sooner it is served."""

SHARES: Mapping[str, int] = {"ultrafast": 16, "priority": 8, "scale": 4, "default": 4, "flex": 1}
"""What each tier gets of an engine that is busy, beside the others that wait."""

NAMES: Mapping[str, str] = {"fast": "priority"}


class Tiers(Struct, frozen=True):
    """The tiers of a server. The default one may always be asked for."""

    default: str = "default"
    allowed: tuple[str, ...] = tuple(PRIORITIES)

    def choose(self, asked: str | None) -> str:
        """The tier that serves a request. Raises: InvalidRequest for one that is not allowed here."""
        if asked is None or asked == "auto":
            return self.default
        tier = NAMES.get(asked, asked)
        if tier != self.default and tier not in self.allowed:
            offered = ", ".join(f"'{name}'" for name in dict.fromkeys(("auto", self.default, *self.allowed)))
            raise InvalidRequest(
                f"Invalid service_tier: '{asked}' is not offered by this server. Supported values are: {offered}.",
                param="service_tier",
            )
        return tier


def share_of(tier: str) -> int:
    """The share of a tier; of one that there is not, that of `default`."""
    return SHARES.get(tier, SHARES["default"])


def priority_of(tier: str) -> int | None:
    """The urgency of a tier; None for one that stands before and behind nobody."""
    return PRIORITIES.get(tier) or None
