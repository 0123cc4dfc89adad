"""The label of each task, as the events that accept tasks say it: for events that do not."""

import numpy as np
import numpy.typing as npt

from soak.schemas.language.faults import Fault
from soak.schemas.stream.block import Block, Bools, Ints
from soak.schemas.stream.events import KEY_SHIFT
from soak.schemas.stream.vocabulary import Vocabulary

_UNKNOWN = -1


class TaskLabels:
    """Labels, as indices into the vocabulary, by task: four bytes for each task of the run."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._labels: npt.NDArray[np.int32] = np.empty(0, dtype=np.int32)

    def __deepcopy__(self, memo: dict[int, object]) -> "TaskLabels":
        """Itself: a task keeps its label, so that there is nothing to take back."""
        return self

    def observe(self, block: Block) -> None:
        """Process a block, before anything is asked about its tasks."""
        told = np.flatnonzero((block.label >= 0) & (block.task >= 0))
        if not len(told):
            return
        keys = block.task[told] >> KEY_SHIFT
        if (most := int(keys.max()) + 1) > len(self._labels):
            more = max(most - len(self._labels), len(self._labels))
            self._labels = np.pad(self._labels, (0, more), constant_values=_UNKNOWN)
        self._labels[keys] = block.label[told]

    def of(self, numbers: Ints) -> Ints:
        """The labels of tasks; -1 where none is known."""
        keys, found = numbers >> KEY_SHIFT, np.full(len(numbers), _UNKNOWN)
        known = (keys >= 0) & (keys < len(self._labels))
        found[known] = self._labels[keys[known]]
        return found

    def struck_by(self, fault: Fault, numbers: Ints) -> Bools:
        """Whether a fault strikes tasks of the kinds of these."""
        return of_kinds(self._vocabulary, fault, self.of(numbers))


def of_kinds(vocabulary: Vocabulary, fault: Fault, labels: Ints) -> Bools:
    """Which of these labels are of the kinds that a fault strikes."""
    return np.isin(labels, [n for n, label in enumerate(vocabulary.labels) if label.kind in fault.kinds])
