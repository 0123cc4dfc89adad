"""The values of checks as series of their indicators."""

import numpy as np

from soak.runner.judge.labels import LabelNumbers
from soak.runner.judge.samples import Facts, Samples
from soak.schemas.language.check import numbered
from soak.schemas.language.model import Scenario
from soak.schemas.stream.block import Block, Floats, Ints
from soak.schemas.stream.by_kind import kind_flags
from soak.schemas.stream.events import Kind
from soak.schemas.stream.vocabulary import Vocabulary

VALUES = kind_flags(Kind.CHECK_VALUE, Kind.CHECK_NEGATIVE)


def signed(block: Block) -> Floats:
    """The values of a block of values of checks, each with its sign."""
    result: Floats = np.where(block.kind == Kind.CHECK_NEGATIVE, -block.value, block.value)
    return result


class CheckSeries:
    """Adds the values of checks to the facts of a block, each under the name of its indicator."""

    def __init__(self, scenario: Scenario, labels: LabelNumbers, vocabulary: Vocabulary) -> None:
        self._names = [
            check.sli_name(name) if name in check.fields else "" for check, name in numbered(scenario.checks)
        ]
        self._labels, self._vocabulary = labels, vocabulary
        first: dict[str, int] = {}
        for number, label in enumerate(scenario.workload.labels):
            first.setdefault(label.tenant, number)
        self._first = first
        """By tenant, one of the labels of its tasks: it is selected with all of them."""

    def observe(self, block: Block, facts: Facts) -> None:
        """Process a block."""
        if not self._names:
            return
        found = block.take(VALUES[block.kind])
        values = signed(found) if len(found) else found.value
        for number, name in enumerate(self._names):
            chosen = found.worker == number
            if not name or not chosen.any():
                continue
            t, label = found.t[chosen], self._label_of(found.label[chosen])
            facts.series[name] = Samples(t, values[chosen], label=self._labels.of(label, t))

    def _label_of(self, label: Ints) -> Ints:
        tenants = [self._vocabulary.labels[each].tenant if each >= 0 else "" for each in label.tolist()]
        return np.array([self._first.get(tenant, -1) for tenant in tenants], dtype=np.int64)
