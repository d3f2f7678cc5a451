"""When keys expire, as people write it."""

import re
from datetime import UTC, date, datetime, time

_PERIOD = re.compile(r"(\d{1,6})([smhdw])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def read_moment(value: object) -> float:
    """A date or a date with time, or the ISO 8601 text of one, in unix seconds; UTC unless it says otherwise.

    Raises: ValueError.
    """
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            raise ValueError(f"{value!r} is no date such as 2027-01-31 or 2027-01-31T12:00:00Z") from None
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime.combine(value, time())
    if not isinstance(value, datetime):
        raise ValueError("must be a date such as 2027-01-31 or 2027-01-31T12:00:00Z")
    return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()


def read_moment_or_period(text: str, now: float) -> float:
    """Like `read_moment`, or so long from `now`: `90s`, `15m`, `12h`, `30d`, `4w`. Raises: ValueError."""
    period = _PERIOD.fullmatch(text)
    return now + int(period[1]) * _SECONDS[period[2]] if period else read_moment(text)


def written_moment(moment: float) -> str:
    """ISO 8601, in UTC."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
