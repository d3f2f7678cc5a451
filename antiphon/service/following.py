"""A consumer's place in a response that is being made, or was."""

from msgspec import Struct

from antiphon.service.figures import Figures
from antiphon.service.log import Reader
from antiphon.service.run import Run
from antiphon.wire.dialects import Dialect


class Following(Struct, frozen=True):
    """A place in a run's log; `run` is the live one, which counts the follower."""

    reader: Reader
    dialect: Dialect
    figures: Figures
    run: Run | None = None

    @classmethod
    def live(cls, run: Run, after: int, heartbeat_s: float) -> "Following":
        """Join a live run behind event `after`."""
        run.join()
        run.figures.readers += 1
        return cls(run.log.reader(after, heartbeat_s=heartbeat_s), run.work.dialect, run.figures, run)

    @property
    def is_over(self) -> bool:
        """Whether all that there will ever be was read, as far as that is known here."""
        log = self.run.log if self.run is not None else None
        return log is not None and log.closed and self.reader.position >= log.next_number

    @property
    def has_news(self) -> bool:
        """Whether `read` has something to give without waiting, as far as that is known here."""
        return self.run is not None and self.reader.position < self.run.log.next_number

    def leave(self) -> None:
        """Stop following."""
        self.reader.leave()
        self.figures.readers -= 1
        if self.run is not None:
            self.run.leave()
