"""How this process logs: the form of a line, and how much there is."""

import logging
import time
from typing import Any

import msgspec
from msgspec import Struct

from antiphon.config.settings import Settings

ACCESS = "antiphon.access"
TEXT = "%(asctime)s %(levelname)s %(name)s: %(message)s"

# What the standard library finds out for each line and neither form tells: thread, process, place in the code.
_NOT_TOLD = ("logThreads", "logProcesses", "logMultiprocessing", "logAsyncioTasks")

_encode = msgspec.json.Encoder(enc_hook=str).encode


class JsonFormatter(logging.Formatter):
    """A line is one JSON object. What is logged as a struct has its fields in it, anything else is its `message`."""

    def format(self, record: logging.LogRecord) -> str:
        """The line of one record."""
        line: dict[str, Any] = {
            "time": f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(record.created))}.{record.msecs:03.0f}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
        }
        if isinstance(record.msg, Struct):
            line |= msgspec.to_builtins(record.msg)
        else:
            line["message"] = record.getMessage()
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return _encode(line).decode()


class TextFormatter(logging.Formatter):
    """A line as people read it. The time is put into words once a second."""

    def __init__(self) -> None:
        super().__init__(TEXT)
        self._worded = (0, "")

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:
        """The time of a record as the standard library writes it."""
        second, words = self._worded
        if second != int(record.created):
            second = int(record.created)
            words = time.strftime(self.default_time_format, self.converter(second))
            self._worded = second, words
        return f"{words},{int(record.msecs):03d}"


def start_logging(settings: Settings) -> None:
    """Log to standard error from now on."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter() if settings.log_format == "json" else TextFormatter())
    logging._srcfile = None
    for each in _NOT_TOLD:
        setattr(logging, each, False)
    logging.basicConfig(handlers=[handler])
    set_levels(settings)


_STRANGERS = frozenset({"Invalid HTTP request received.", "Unsupported upgrade request."})
"""Logged once for each such request: whoever scans the port would fill the log."""


def _is_news(record: logging.LogRecord) -> bool:
    return record.msg not in _STRANGERS


def set_levels(settings: Settings) -> None:
    """Log as much as the settings say."""
    logging.getLogger().setLevel(settings.log_level.upper())
    logging.getLogger("uvicorn").setLevel(max(logging.WARNING, logging.getLogger().level))
    http = logging.getLogger("uvicorn.error")
    http.removeFilter(_is_news)
    if settings.log_level != "debug":
        http.addFilter(_is_news)
    logging.getLogger(ACCESS).setLevel(logging.NOTSET if settings.access_log else logging.WARNING)
