"""Tenant and kind of one task at a time, quickly."""

import numpy as np
import numpy.typing as npt

from soak.schemas.stream.events import KEY_SHIFT
from soak.schemas.stream.vocabulary import Label
from soak.simulation.plan import Plan
from soak.simulation.streams import BLOCK

_KEPT = 64
"""Users are in different turns: how many blocks of tasks are kept; the rest can be drawn again."""
_NONE = Label()


class Labels:
    """The labels of the tasks of a plan."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._words = plan.vocabulary.labels
        self._blocks: dict[int, npt.NDArray[np.int16]] = {}

    def of(self, number: int) -> Label:
        """Tenant and kind of a task."""
        if not self._words:
            return _NONE
        block, place = divmod(number >> KEY_SHIFT, BLOCK)
        labels = self._blocks.get(block)
        if labels is None:
            labels = self._blocks[block] = self._draw(block)
        found: Label = self._words[labels[place]]
        return found

    def _draw(self, block: int) -> npt.NDArray[np.int16]:
        while len(self._blocks) >= _KEPT:
            del self._blocks[next(iter(self._blocks))]
        numbers = (np.arange(BLOCK) + block * BLOCK) << KEY_SHIFT
        return self._plan.labels_of(numbers).astype(np.int16)
