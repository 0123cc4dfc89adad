"""What a check may compare its answer with: the work offered so far, done and failed, of each tenant where that is asked."""

from collections import Counter

import numpy as np

from soak.runner.judge.task_labels import TaskLabels
from soak.schemas.language.check import Figure
from soak.schemas.language.model import Scenario
from soak.schemas.language.registry import language_of
from soak.schemas.stream.block import Block
from soak.schemas.stream.events import Kind
from soak.schemas.stream.vocabulary import Vocabulary

_TASKS = {
    Figure.OFFERED: (Kind.TASK_ENQUEUED,),
    Figure.DONE: (Kind.TASK_DONE,),
    Figure.FAILED: (Kind.TASK_FAILED,),
}


class Figures:
    """Counts tasks by tenant; of systems without tasks there is a total only, which `Judge.figure` knows."""

    def __init__(self, scenario: Scenario, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        tenants = any(step.tenants != ("",) for step in (*scenario.checks, *scenario.teardown))
        self._labels = TaskLabels(vocabulary) if tenants and not language_of(scenario.system).work else None
        self._counts: Counter[tuple[Figure, str]] = Counter()

    def observe(self, block: Block) -> None:
        """Process a block."""
        if self._labels is None:
            return
        self._labels.observe(block)
        for figure, kinds in _TASKS.items():
            tasks = block.task[np.isin(block.kind, kinds)]
            for number, count in enumerate(np.bincount(self._labels.of(tasks) + 1).tolist()):
                if number and count:
                    self._counts[figure, self._vocabulary.labels[number - 1].tenant] += count

    def of(self, figure: Figure, tenant: str) -> int:
        """How many there were of a tenant."""
        return self._counts[figure, tenant]
