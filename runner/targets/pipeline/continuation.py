"""A run that goes on after its runner died: the records that are known, and when scenario time stood still."""

import time
from pathlib import Path

from soak.runner.targets.history import History
from soak.runner.targets.pipeline.config import SYSTEM
from soak.runner.targets.pipeline.epochs import FILE as EPOCHS
from soak.runner.targets.pipeline.epochs import Epochs
from soak.runner.targets.pipeline.flow import Flow
from soak.runner.targets.pipeline.ledgers import Ledgers
from soak.schemas.errors import UsageError
from soak.schemas.systems.pipeline.record_ledger import FILE as LEDGER

_AGAIN = "run it again: the manifest has the command"


class Continuation:
    """What is known of the run so far; nothing without a history. Raises UsageError for one that cannot go on."""

    def __init__(self, directory: Path, history: History | None, speed: float) -> None:
        self.epochs = Epochs(speed)
        self.known_s = self.from_s = 0.0
        self.began_at = time.time()
        """When this part of the run began to be made ready."""
        self._goes_on = history is not None and history.until_s > 0
        self._speed = speed
        if history is None or not self._goes_on:
            return
        if history.lost:
            raise UsageError(f"telemetry was lost in this run, so its state is unknown ({_AGAIN})")
        try:
            self.epochs = Epochs.read(directory / EPOCHS, speed)
        except (OSError, ValueError, KeyError):
            raise UsageError(f"{directory / EPOCHS}: is missing or damaged ({_AGAIN})") from None
        if not (directory / LEDGER).exists() or not self.epochs.known:
            raise UsageError(f"{directory / LEDGER}: is missing (without it the run cannot be resumed: restore it)")
        self.known_s = history.until_s
        # The system lived until its runner died, or until it was last seen to write something.
        self.from_s = max(history.until_s, self._last_written_s(directory))
        history.lived_s = self.from_s
        history.pause_real_s = max(0.0, time.time() - self.epochs.zero_at - self.from_s / speed)

    def _last_written_s(self, directory: Path) -> float:
        """When the runner or the system last wrote to a file, in scenario time."""
        files = (directory / LEDGER, *(directory / SYSTEM).iterdir())
        return self.epochs.one(max(each.stat().st_mtime for each in files))

    def restore(self, ledgers: Ledgers) -> dict[str, int | str]:
        """Go through what is known of the records; returns up to where each ledger was read. Raises UsageError."""
        if not self._goes_on:
            return {}
        try:
            return ledgers.restore(self.known_s)
        except (OSError, ValueError) as error:
            raise UsageError(f"the record ledger of this run is damaged: {error} ({_AGAIN})") from None

    def next_record(self, flow: Flow) -> int:
        """The number of the first record that the source is to send: those after the last one that its reader has."""
        reader = flow.gaps.reader
        if not self._goes_on or reader is None:
            return flow.book.sent
        return flow.book.tallies[reader.name].highest + 1
