"""What the faults of a queue could have struck: attempts at tasks, and tasks that are submitted twice."""

import math

import numpy as np

from soak.runner.judge.exposure import Contest, holds
from soak.runner.judge.queue.budget import Budget
from soak.runner.judge.task_labels import TaskLabels, of_kinds
from soak.schemas.language.faults import Fault
from soak.schemas.language.model import Scenario
from soak.schemas.stream.block import Block, Bools, Floats, Ints
from soak.schemas.stream.events import Kind
from soak.schemas.stream.vocabulary import Vocabulary
from soak.schemas.systems.queue.faults import QueueFault
from soak.simulation.distributions import spread
from soak.simulation.queue.actions import ACTIONS, SHOWS_BY_RESULT
from soak.simulation.queue.delivery import outlasting

_POINTS = 4096


class Attempts:
    """Faults of attempts at tasks of a queue.

    Whether a task is over its hard budget is drawn once for all its attempts: an attempt that this could have decided, and
    did not, shows that it is not.
    """

    def __init__(self, scenario: Scenario, vocabulary: Vocabulary) -> None:
        self.contest = Contest([fault for fault in scenario.faults if fault.type in ACTIONS])
        self._vocabulary = vocabulary
        self._in_time = 1.0 - outlasting(scenario)
        self._labels = TaskLabels(vocabulary) if any(fault.kinds for fault in self.contest.faults) else None
        self._budgets = {
            place: Budget(fault, frozenset(earlier.name for earlier in self.contest.faults[:place]))
            for place, fault in enumerate(self.contest.faults)
            if fault.type == QueueFault.GUARDRAIL_EXCEED
        }

    def observe(self, block: Block) -> None:
        """Process a block."""
        started = block.kind == Kind.TASK_DISPATCHED
        can = [holds(fault, block.t[started]) for fault in self.contest.faults]
        if self._labels:
            self._labels.observe(block)
            for place, fault in enumerate(self.contest.faults):
                if fault.kinds:
                    can[place] &= self._labels.struck_by(fault, block.task[started])
        for place, budget in self._budgets.items():
            can[place] &= budget.could(block, started, can[place], self._vocabulary)
        self.contest.add(can)

    def expected(self, place: int, ended_s: float) -> float:
        """Expected injections of the fault at a position; of what shows by the result of an attempt, that come in time.

        An attempt that outlasts a visibility timeout is delivered again, whatever becomes of it.
        """
        shows = ACTIONS[self.contest.faults[place].type] in SHOWS_BY_RESULT
        return self.contest.expected(place) * (self._in_time if shows else 1.0)


class Duplicates:
    """Second submissions of tasks: each follows the first after a delay, if the run lasts that long."""

    def __init__(self, scenario: Scenario, vocabulary: Vocabulary) -> None:
        self.contest = Contest([fault for fault in scenario.faults if fault.spec.resubmits])
        self._vocabulary = vocabulary
        self._duration_s = scenario.duration_s
        self._delays_s = [spread(fault.delay, _POINTS) for fault in self.contest.faults]
        self._longest_s = max((float(delay_s[-1]) for delay_s in self._delays_s), default=0.0)
        self._always = not any(fault.windows or fault.kinds for fault in self.contest.faults)
        self._recent_s = np.empty(0)
        self._label = np.empty(0, dtype=np.int64)
        """Of each of them, as the stream has it."""

    def observe(self, block: Block) -> None:
        """Process a block."""
        enqueued = np.flatnonzero(block.kind == Kind.TASK_ENQUEUED)
        first = enqueued[block.cause[enqueued] == 0]
        # The planned time decides; deferred work is accepted later.
        recent_s = np.concatenate([self._recent_s, block.value[first]])
        label = np.concatenate([self._label, block.label[first]])
        if (recent_s[1:] < recent_s[:-1]).any():
            order = np.argsort(recent_s, kind="stable")
            recent_s, label = recent_s[order], label[order]
        self._recent_s, self._label = recent_s, label
        self._settle(block.until_s)

    def _settle(self, until_s: float) -> None:
        """Count the tasks whose duplicates must all have come by now."""
        settled = int(np.searchsorted(self._recent_s, until_s - self._longest_s, side="left"))
        done_s, self._recent_s = self._recent_s[:settled], self._recent_s[settled:]
        done, self._label = self._label[:settled], self._label[settled:]
        if self._always:
            self.contest.add_all(settled)
        else:
            self.contest.add([self._could(fault, done_s, done) for fault in self.contest.faults])

    def _could(self, fault: Fault, due_s: Floats, label: Ints) -> Bools:
        return holds(fault, due_s) & of_kinds(self._vocabulary, fault, label) if fault.kinds else holds(fault, due_s)

    def expected(self, place: int, ended_s: float) -> float:
        """How many duplicates of the fault at a place can be expected by the end of the run."""
        until_s = min(ended_s, self._duration_s)
        came = np.searchsorted(self._delays_s[place], until_s - self._recent_s, side="left") / _POINTS
        could = (self._could(fault, self._recent_s, self._label).tolist() for fault in self.contest.faults)
        can = zip(*could, strict=True)
        recent = math.fsum(
            share * self.contest.chances(each)[place] for share, each in zip(came.tolist(), can, strict=True)
        )
        return self.contest.expected(place) + recent
