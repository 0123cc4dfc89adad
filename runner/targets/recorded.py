"""Events that somebody else recorded, as a target: nothing is run, they are judged."""

from collections.abc import Generator
from pathlib import Path

import numpy as np

from soak.runner.evidence.stream import EventsReader
from soak.runner.evidence.task_numbers import task_limit
from soak.runner.targets.history import History
from soak.schemas.errors import UsageError, reason
from soak.schemas.language.model import Scenario
from soak.schemas.stream.block import Block
from soak.schemas.stream.by_kind import kind_flags
from soak.schemas.stream.events import Kind
from soak.schemas.stream.identity import RECORDED
from soak.schemas.stream.storage import open_stream
from soak.simulation.plan import Plan

_OF_THE_RUN = kind_flags(
    Kind.RUN_STARTED, Kind.RUN_ENDED, Kind.RUN_DECIDED, Kind.RUN_ABORTED, Kind.RUN_INTERRUPTED, Kind.RUN_REPEATED
)
"""What is said of the run that they are from: this one begins and ends by itself."""


class Recorded:
    """Reads the events of a file: JSON lines as in an event stream, with or without its header."""

    name = RECORDED
    clock = "recorded"
    speed = 1.0

    def __init__(self, path: Path) -> None:
        self._path = path

    def admit(self, scenario: Scenario, *, resumed: bool = False) -> None:
        """Raises UsageError for a file that cannot be read."""
        try:
            open_stream(self._path).close()
        except OSError as error:
            raise UsageError(f"{self._path}: {reason(error)} (give a file of events, as JSON lines)") from None

    def prepare(self, directory: Path, history: History | None = None) -> None:
        """Nothing to prepare. Raises UsageError for a run to resume: reading it again is as fast."""
        if history:
            raise UsageError("recorded events cannot be resumed (run it again: the manifest has the command)")

    def run(self, plan: Plan) -> Generator[Block, None, None]:
        """The events of the file. Raises EvidenceError for what is not an event, with its line."""
        reader = EventsReader(self._path, plan.vocabulary, plan.scenario.horizon_s, task_limit(plan))
        for block in reader.blocks():
            ended = (block.kind == Kind.RUN_ENDED) | (block.kind == Kind.RUN_DECIDED)
            if ended.any():
                plan.offered = int(block.value[np.flatnonzero(ended)[-1]])
            yield block.take(~_OF_THE_RUN[block.kind])
