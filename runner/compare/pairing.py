"""Two simulated runs of the same work, task by task: each task met the same service time and the same faults in both."""

from collections import Counter
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from soak.runner.compare.baseline import Side
from soak.runner.compare.dependence import interval_of
from soak.runner.compare.noise import CONFIDENCE, batch_means, gain, mcnemar
from soak.runner.parity.figures import Pairs
from soak.runner.parity.outcomes import Outcomes
from soak.schemas.evidence.changes import Differences, OutcomeChange, QuantileChange, TaskChanges, TimeChange
from soak.schemas.stream.block import Bools, Floats, quantise
from soak.schemas.stream.events import COPY
from soak.schemas.stream.states import OPEN, TaskState

States: TypeAlias = npt.NDArray[np.uint8]

LEAST_ALIKE = 0.99
"""The share of tasks that must be due at the same time in both runs."""
UNFINISHED = "UNFINISHED"
_QUANTILES = (0.5, 0.9, 0.95, 0.99)


class Pairing(Struct, frozen=True):
    """The tasks of two runs one by one; None where `refused` says why they are not compared."""

    tasks: TaskChanges | None
    differences: Differences | None
    refused: str


def pair(base: Side, run: Side) -> Pairing:
    """Compare two runs task by task, if they are of the same work."""
    if refused := base.without_tasks or run.without_tasks or _other_seed(base, run):
        return Pairing(None, None, refused)
    assert base.tasks is not None
    assert run.tasks is not None
    size, until_s = max(len(base.tasks), len(run.tasks)), min(base.until_s, run.until_s)
    for tasks in (base.tasks, run.tasks):
        tasks.grow(size)
    alike = _alike(base.tasks, run.tasks, until_s)
    if alike < LEAST_ALIKE:
        users = "users" in base.said.get("workload", {}) if base.said else False
        why = (
            "users wait for their tasks, so that this follows from the system"
            if users
            else "the arrivals are not the same"
        )
        told = f"only {alike:.1%} of the tasks are due at the same time in both: {why}"
        return Pairing(None, None, told)
    unjudged = _left_over(base) | _left_over(run)
    changes, differences = compare_tasks(Pairs(base.tasks, run.tasks), until_s, alike, unjudged)
    return Pairing(changes, differences, "")


def _other_seed(base: Side, run: Side) -> str:
    seeds = base.baseline.seed, run.baseline.seed
    return "" if seeds[0] == seeds[1] else f"the seeds are {seeds[0]} and {seeds[1]}"


def _alike(base: Outcomes, run: Outcomes, until_s: float) -> float:
    """Of the tasks that were due before `until_s` in either run, the share that was due at the same time in both.

    Second enqueues are left aside: whether one is taken in depends on what became of the first. Without tasks none is alike.
    """
    first = np.arange(len(base)) & COPY == 0
    due = first & ((base.due_s < until_s) | (run.due_s < until_s))
    return float((base.due_s == run.due_s)[due].mean()) if due.any() else 0.0


def _left_over(side: Side) -> Bools:
    """By task: whether it was left unfinished by a run that ended before its time, which says nothing of the task."""
    assert side.tasks is not None
    left: Bools = np.isin(side.tasks.states, tuple(OPEN)) & side.early
    return left


def compare_tasks(pairs: Pairs, until_s: float, alike: float, unjudged: Bools) -> tuple[TaskChanges, Differences]:
    """The tasks that were due before `until_s` and that both runs took in, one by one; those `unjudged` have no outcome."""
    base, run = pairs.base, pairs.run
    in_time = (base.due_s < until_s) | (run.due_s < until_s)
    both = pairs.accepted & in_time
    order = np.flatnonzero(both)[np.argsort(base.due_s[both], kind="stable")]
    latency_s = base.latency_s[order], run.latency_s[order]
    more = run.attempts[order].astype(np.int64) - base.attempts[order]
    before, now = base.states[order] == TaskState.DONE, run.states[order] == TaskState.DONE
    judged = ~unjudged[order]
    lost, won = int((before & ~now & judged).sum()), int((now & ~before & judged).sum())
    changes = TaskChanges(
        until_s=until_s,
        alike=alike,
        tasks=len(order),
        base_only=int((base.accepted & ~run.accepted & in_time).sum()),
        run_only=int((run.accepted & ~base.accepted & in_time).sum()),
        confidence=CONFIDENCE,
        latency=_time_change(*latency_s),
        wait=_time_change(base.wait_s[order], run.wait_s[order]),
        attempts=float(more.mean()) if len(more) else 0.0,
        more_attempts=int((more > 0).sum()),
        fewer_attempts=int((more < 0).sum()),
        outcomes=_outcome_changes(base.states[order], run.states[order]),
        done_in_base_only=lost,
        done_in_run_only=won,
        p=mcnemar(lost, won),
    )
    return changes, _differences(base.due_s[order], *latency_s)


def _outcome_changes(base: States, run: States) -> list[OutcomeChange]:
    """How many tasks ended how in each, those that ended the same in both first."""
    kinds, counts = np.unique(np.stack([base, run]), axis=1, return_counts=True)
    words: Counter[tuple[str, str]] = Counter()
    for before, now, count in zip(*kinds.tolist(), counts.tolist(), strict=True):
        words[_word(before), _word(now)] += count
    ordered = sorted(words.items(), key=lambda each: (each[0][0] != each[0][1], -each[1], each[0]))
    return [OutcomeChange(before, now, count) for (before, now), count in ordered]


def _word(state: int) -> str:
    return UNFINISHED if state in OPEN else TaskState(state).name


def _time_change(base_s: Floats, run_s: Floats) -> TimeChange | None:
    """A time of each task in both runs, in the order in which tasks were due; None when none has it in both."""
    both = ~np.isnan(base_s - run_s)
    base_s, run_s = base_s[both], run_s[both]
    if not len(base_s):
        return None
    longer_s = quantise(run_s - base_s)
    mean_s = float(longer_s.mean())
    low, high = interval_of(batch_means(longer_s), mean_s, CONFIDENCE) or (None, None)
    return TimeChange(
        tasks=len(longer_s),
        base_mean=float(base_s.mean()),
        run_mean=float(run_s.mean()),
        difference=mean_s,
        low=low,
        high=high,
        slower=int((longer_s > 0).sum()),
        faster=int((longer_s < 0).sum()),
        unchanged=int((longer_s == 0).sum()),
        gain=gain(batch_means(base_s), batch_means(run_s)),
        quantiles=[_quantile_change(q, base_s, run_s) for q in _QUANTILES],
    )


def _quantile_change(q: float, base_s: Floats, run_s: Floats) -> QuantileChange:
    before, now = (float(np.quantile(values, q, method="inverted_cdf")) for values in (base_s, run_s))
    return QuantileChange(q, before, now, float(quantise(np.array(now - before))))


def _differences(due_s: Floats, base_s: Floats, run_s: Floats) -> Differences:
    both = ~np.isnan(base_s - run_s)
    due_s, longer_s = due_s[both], quantise(run_s[both] - base_s[both])
    means = batch_means(longer_s)
    edges = np.array([part[0] for part in np.array_split(due_s, len(means))]) if len(means) else np.empty(0)
    return Differences(due_s, longer_s, np.append(edges, due_s[-1:]), means)
