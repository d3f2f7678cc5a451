"""What is kept out of the log."""

import logging

import pytest

from antiphon.config.settings import Settings
from antiphon.logs import TEXT, TextFormatter, set_levels


@pytest.mark.parametrize(("level", "logged"), [("info", 1), ("debug", 2)])
def test_requests_that_are_not_http_do_not_fill_the_log(level: str, logged: int) -> None:
    said: list[logging.LogRecord] = []
    handler = logging.Handler()
    handler.emit = said.append  # type: ignore[method-assign]
    logger, root = logging.getLogger("uvicorn.error"), logging.getLogger()
    before = root.level, logging.getLogger("uvicorn").level, logging.getLogger("antiphon.access").level
    own = logger.level, logger.disabled  # as servers of other tests have left them
    logger.setLevel(logging.NOTSET)
    logger.disabled = False
    logger.addHandler(handler)
    try:
        set_levels(Settings(log_level=level))  # type: ignore[arg-type]
        logger.warning("Invalid HTTP request received.")
        logger.warning("anything else")
    finally:
        set_levels(Settings())
        logger.removeHandler(handler)
        logger.setLevel(own[0])
        logger.disabled = own[1]
        for name, was in zip((None, "uvicorn", "antiphon.access"), before, strict=True):
            logging.getLogger(name).setLevel(was)
    assert len(said) == logged


def test_a_line_has_its_time_as_the_standard_library_writes_it() -> None:
    ours, theirs = TextFormatter(), logging.Formatter(TEXT)
    for created in (1_700_000_000.0, 1_700_000_000.5, 1_700_000_001.999, 1_700_000_000.25):
        record = logging.makeLogRecord({"name": "a", "levelname": "INFO", "msg": "said", "created": created})
        record.msecs = float(int(created % 1 * 1000))
        assert ours.format(record) == theirs.format(record)
