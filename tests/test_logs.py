"""What is kept out of the log."""

import logging

import pytest

from antiphon.config.settings import Settings
from antiphon.logs import set_levels


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
