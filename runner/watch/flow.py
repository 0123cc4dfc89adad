"""What goes on in each step beside metrics.csv: work offered and achieved, failures by error class, resources."""

import math

import numpy as np

from soak.schemas.language.model import Scenario
from soak.schemas.stream.block import Block, Floats, Ints
from soak.schemas.stream.events import Kind
from soak.schemas.stream.vocabulary import Vocabulary
from soak.simulation.rate import rate_of

PLANNED, DEFERRED = "planned", "deferred"
OFFERED, ACHIEVED, FAILED = "offered", "achieved", "not_achieved"
_KINDS = {
    OFFERED: (Kind.TASK_ENQUEUED, Kind.TASK_SKIPPED),
    ACHIEVED: (Kind.TASK_DONE,),
    FAILED: (Kind.TASK_FAILED, Kind.TASK_BLOCKED, Kind.TASK_LOST),
    DEFERRED: (Kind.TASK_DEFERRED,),
}
"""Columns that count events of tasks."""

_FAILURES = (Kind.TASK_RETRY, Kind.TASK_FAILED, Kind.TASK_BLOCKED)
"""Events that say that an attempt failed, as in the verdict's errors."""

MOST_ERRORS = 8
OTHER = "others"
"""The class of all errors after the first `MOST_ERRORS` classes."""

_LONGEST_NAME = 120

CPU = "cpu"
RESOURCES = {
    Kind.SAMPLE_CPU: CPU,
    Kind.SAMPLE_RSS: "rss",
    Kind.SAMPLE_BROKER_RSS: "broker_rss",
    Kind.SAMPLE_RUNNER_RSS: "runner_rss",
    Kind.SAMPLE_THREADS: "threads",
    Kind.SAMPLE_OPEN_FILES: "open_files",
    Kind.SAMPLE_RUNNER_OPEN_FILES: "runner_open_files",
    Kind.SAMPLE_DB_SIZE: "db_size",
}
"""Samples of what processes use, and their columns: the last of each step, of CPU time how many cores it was."""


def counted(block: Block, step: Ints, first: int, count: int) -> dict[str, Floats]:
    """Events of tasks by column, in each of `count` steps from number `first` on. step: that of each event."""
    counts = np.bincount((step - first) * len(Kind) + block.kind, minlength=count * len(Kind)).reshape(count, -1)
    return {name: counts[:, list(kinds)].sum(axis=1).astype(np.float64) for name, kinds in _KINDS.items()}


class Planned:
    """Arrivals to be expected in each step, of a workload whose rate is known before the run."""

    def __init__(self, scenario: Scenario, step_s: float) -> None:
        self._step_s, self._end_s = step_s, scenario.duration_s
        self._rate = None if scenario.workload.users else rate_of(scenario.workload)

    def steps(self, first: int, count: int) -> Floats:
        """Expected arrivals by step; NaN where users wait for their work."""
        if self._rate is None:
            return np.full(count, math.nan)
        edges_s = np.minimum((first + np.arange(count + 1)) * self._step_s, self._end_s)
        return np.diff(np.asarray(self._rate.expected(edges_s), dtype=np.float64))


class Errors:
    """Failed attempts by error class and step; a class has a column from its first failure on."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self.classes: list[str] = []

    def steps(self, block: Block, step: Ints, first: int, count: int) -> dict[str, Floats]:
        """How many there were of each class."""
        failed = np.isin(block.kind, _FAILURES)
        if not failed.any():
            return {}
        causes, place = np.unique(block.cause[failed], return_inverse=True)
        cells = place * count + step[failed] - first
        table = np.bincount(cells, minlength=len(causes) * count).reshape(len(causes), count)
        found: dict[str, Floats] = {}
        for cause, row in zip(causes.tolist(), table, strict=True):
            name = self._named(self._vocabulary.causes[cause].error or "unknown")
            found[name] = found.get(name, np.zeros(count)) + row
        return found

    def _named(self, error: str) -> str:
        name = error if len(error) <= _LONGEST_NAME else error[:_LONGEST_NAME] + "…"
        if name not in self.classes:
            name = name if len(self.classes) < MOST_ERRORS else OTHER
            self.classes += [name] if name not in self.classes else []
        return name


class Resources:
    """What processes use: the last sample of each step."""

    def __init__(self, speed: float) -> None:
        self._speed = speed
        self._latest: dict[Kind, float] = {}
        self._cpu: tuple[float, float] | None = None
        """The latest sample of CPU time: when, and how much."""

    def steps(self, block: Block, step: Ints, first: int, count: int) -> dict[str, Floats]:
        """By column, where there were samples of it ever; a step without one has that of the step before."""
        found: dict[str, Floats] = {}
        for kind, name in RESOURCES.items():
            chosen = block.kind == kind
            if kind not in self._latest and not chosen.any():
                continue
            values = np.full(count, math.nan)
            values[0] = self._latest.get(kind, math.nan)
            value = (
                self._cores(block.t[chosen], block.value[chosen]) if kind is Kind.SAMPLE_CPU else block.value[chosen]
            )
            values[step[chosen] - first] = value
            found[name] = _held(values)
            self._latest[kind] = float(found[name][-1])
        return found

    def _cores(self, t_s: Floats, cpu_s: Floats) -> Floats:
        """CPU time per second since the sample before, both of real time; NaN at the first, and where it began anew."""
        if not len(t_s):
            return cpu_s
        before_s, used_s = self._cpu or (math.nan, math.nan)
        self._cpu = float(t_s[-1]), float(cpu_s[-1])
        with np.errstate(invalid="ignore", divide="ignore"):
            cores = np.diff(cpu_s, prepend=used_s) / (np.diff(t_s, prepend=before_s) / self._speed)
        return np.asarray(np.where(np.isfinite(cores) & (cores >= 0), cores, math.nan), dtype=np.float64)


def _held(values: Floats) -> Floats:
    """The values, each going on until the next that is known; NaN before the first."""
    place = np.maximum.accumulate(np.where(np.isnan(values), 0, np.arange(len(values))))
    return values[place]
