"""What operators said during a run: moments that they marked, and that the run should stop."""

import numpy as np

from soak.schemas.evidence.marks import Mark
from soak.schemas.stream.block import Block
from soak.schemas.stream.by_kind import kind_flags
from soak.schemas.stream.events import Kind
from soak.schemas.stream.vocabulary import Vocabulary

UNNAMED = "an operator"
"""Who it was, where nobody said so."""

STOP = "asked to stop the run"
_SAID = kind_flags(Kind.RUN_MARKED, Kind.RUN_STOP_REQUESTED, Kind.RUN_RESUMED)
_MOST = 1000


class Operators:
    """The first thousand of their marks, in time order."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self.marks: list[Mark] = []
        self.asked_to_stop: Mark | None = None
        """The last request to stop the run since it was last resumed."""

    def observe(self, block: Block) -> None:
        """Process a block."""
        for place in np.flatnonzero(_SAID[block.kind]).tolist():
            if block.kind[place] == Kind.RUN_RESUMED:
                self.asked_to_stop = None
                continue
            by = self._vocabulary.causes[int(block.cause[place])].error or UNNAMED
            stop = block.kind[place] == Kind.RUN_STOP_REQUESTED
            text = STOP if stop else self._vocabulary.names[int(block.value[place])]
            mark = Mark(float(block.t[place]), text, by, bool(stop))
            if stop:
                self.asked_to_stop = mark
            if len(self.marks) < _MOST:
                self.marks.append(mark)
