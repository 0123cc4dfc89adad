"""Records, processes and probes, followed a block at a time: what the series of a pipeline's SLIs are made of."""

import numpy as np

from soak.runner.judge.labels import LabelNumbers
from soak.runner.judge.lifecycle import Lifecycle
from soak.runner.judge.room import Tasks, Tracker
from soak.runner.judge.samples import Facts, Samples
from soak.schemas.language.model import Scenario
from soak.schemas.stream.block import Block
from soak.schemas.stream.events import Kind
from soak.schemas.stream.identity import Identity
from soak.schemas.stream.vocabulary import Vocabulary
from soak.schemas.systems.pipeline.settings import pipeline_of


class PipelineTracker(Tracker):
    """Follows records by how many there are, and processes one by one."""

    def __init__(self, scenario: Scenario, vocabulary: Vocabulary, identity: Identity | None) -> None:
        super().__init__(scenario, vocabulary, identity)
        self._pipeline = pipeline_of(scenario)
        self._labels = LabelNumbers(scenario)
        self._sent = 0

    def observe(self, block: Block, tasks: Tasks, facts: Facts) -> None:
        """Take in a block."""
        sent = block.kind == Kind.RECORDS_SENT
        self._sent += int(block.value[sent].sum())
        facts.series["records_sent"] = Samples(block.t[sent], block.value[sent])
        first = (block.kind == Kind.RECORDS_STORED) & (block.worker == len(self._pipeline.processes))
        facts.series["records"] = Samples(block.t[first], block.attempt[first].astype(np.float64))

    def answered(self, tasks: int) -> int:
        """Records are not answered: all that were sent."""
        return self._sent

    def offered(self, lifecycle: Lifecycle) -> int:
        """Records that the source sent."""
        return self._sent
