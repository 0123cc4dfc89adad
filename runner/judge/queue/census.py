"""The census of a system whose account is inferred, held against the execution ledger: of the states that it gives."""

import numpy as np

from soak.runner.judge.lifecycle import Lifecycle
from soak.runner.judge.room import Law
from soak.schemas.stream.block import Block
from soak.schemas.stream.events import Kind
from soak.schemas.stream.states import OPEN, TaskState
from soak.schemas.stream.vocabulary import Vocabulary

REFUSED = "refused"
"""The error of a task that was never accepted: its system does not count it."""

LEAST_LEVEL = 3
"""The level from which on a target has a census."""

_WHAT = "the system counts as many tasks in each state as the ledger knows"


class Census:
    """Keeps how many tasks were refused; `law` compares at the end."""

    def __init__(self, vocabulary: Vocabulary, level: int) -> None:
        self._vocabulary, self._level = vocabulary, level
        self._refused = 0

    def observe(self, block: Block) -> None:
        """Process a block."""
        refused = np.fromiter((cause.error == REFUSED for cause in self._vocabulary.causes), dtype=np.bool_)
        if refused.any():
            self._refused += int(((block.kind == Kind.TASK_FAILED) & refused[block.cause]).sum())

    def law(self, lifecycle: Lifecycle, lost: int) -> Law:
        """Whether the census agrees. lost: tasks that are known to be lost, which it need not have.

        A worker may hold tasks that it has not started: only their sum with those that wait is known from outside. Submissions
        whose answer is not known may be in it, too.
        """
        if not lifecycle.census:
            if self._level < LEAST_LEVEL:
                return Law("conservation", _WHAT, None, "not applicable: the target has no census", applies=False)
            return Law("conservation", _WHAT, None, "the system reported no census of its tasks")
        apart = list(self._differences(lifecycle, lost))
        return Law("conservation", _WHAT, float(sum(by for by, _ in apart)), "; ".join(words for _, words in apart))

    def _differences(self, lifecycle: Lifecycle, lost: int) -> "list[tuple[int, str]]":
        counts, census = lifecycle.state_counts(), lifecycle.census
        unfinished = lifecycle.unfinished()
        given = sorted(OPEN & census.keys())
        found = []
        if given:
            # Of one of the two states alone nothing is too few.
            least = unfinished.tasks - lost if len(given) == len(OPEN) else 0
            most = unfinished.tasks + unfinished.deferred
            name = " + ".join(state.name for state in given)
            found.append((name, least, most, unfinished.tasks, sum(census[state] for state in given)))
        for state in sorted(census.keys() - OPEN):
            least = counts[state] - (self._refused if state is TaskState.FAILED else 0)
            found.append((state.name, least, counts[state], counts[state], census[state]))
        return [
            (max(least - said, said - most), f"{known:,} {name} by the ledger and {said:,} in the census")
            for name, least, most, known, said in found
            if not least <= said <= most
        ]
