"""What a queue promises to tasks of each kind of work."""

import numpy as np

from soak.runner.judge.labels import LabelNumbers
from soak.schemas.language.model import Scenario
from soak.schemas.stream.block import Floats, Ints
from soak.schemas.systems.queue.settings import Queue, queue_of


class ByKind:
    """Backoffs and numbers of attempts, by the labels of tasks."""

    def __init__(self, scenario: Scenario) -> None:
        queue, kinds = queue_of(scenario), scenario.workload.kinds
        places = {kind.name: place for place, kind in enumerate(kinds)}
        of_label = [queue.of_kind(places[label.kind]) for label in scenario.workload.labels]
        settings = [*of_label, queue]
        self._phases = LabelNumbers(scenario).phases
        self.most = np.array([each.last_attempt for each in settings])
        longest = int(self.most.max())
        self.backoff_s = np.array([_backoffs(each, longest) for each in settings])

    def of(self, label: Ints | None, attempt: Ints) -> tuple[Floats, Ints]:
        """For tasks by their labels: the least backoff after an attempt, and how many attempts there are at most."""
        assert label is not None
        place = label // self._phases
        return self.backoff_s[place, np.clip(attempt, 0, self.backoff_s.shape[1] - 1)], self.most[place]


def _backoffs(queue: Queue, longest: int) -> list[float]:
    """The least backoff after each attempt, from 0."""
    return [queue.backoff.least_s(max(1, attempt)) for attempt in range(longest + 1)]
