"""What a check may compare its answer with: the work offered so far, done and failed, by tenant and kind where there are any."""

from collections import Counter

import numpy as np

from soak.runner.judge.task_labels import TaskLabels
from soak.schemas.language.check import Figure, LoadFigure
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
    """Counts tasks by tenant and kind; of systems without tasks there is a total only, which `Judge.figure` knows."""

    def __init__(self, scenario: Scenario, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        steps = (*scenario.checks, *scenario.teardown)
        parted = any(step.tenants != ("",) for step in steps) or (bool(steps) and bool(scenario.workload.kinds))
        self._labels = TaskLabels(vocabulary) if parted and not language_of(scenario.system).work else None
        self._counts: Counter[tuple[Figure, int]] = Counter()
        """By label, as its index into the vocabulary."""

    def observe(self, block: Block) -> None:
        """Process a block."""
        if self._labels is None:
            return
        self._labels.observe(block)
        for figure, kinds in _TASKS.items():
            tasks = block.task[np.isin(block.kind, kinds)]
            for number, count in enumerate(np.bincount(self._labels.of(tasks) + 1).tolist()):
                if number and count:
                    self._counts[figure, number - 1] += count

    def of(self, count: LoadFigure, tenant: str) -> int:
        """How many there were of a tenant, of a kind, or of both."""
        return sum(
            self._counts[count.figure, number]
            for number, label in enumerate(self._vocabulary.labels)
            if (not tenant or label.tenant == tenant) and (not count.kind or label.kind == count.kind)
        )
