"""The runs of a folder as data: what their evidence says in brief, and what changed from run to run."""

from collections import Counter
from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import TypeAlias

import msgspec

from soak.schemas.evidence.changepoints import ChangeKind
from soak.schemas.evidence.verdict import Outcome, Status

LEAST_RUNS = 22
"""Of fewer runs nothing is said about changes: the test of change points was tried from this length on."""

WINDOW_RUNS = 100
"""Runs that are searched together: the time of a search grows with the square of their number."""

FAMILY_ERROR = 0.05
"""The probability of any change at all among the runs of one scenario and target between which nothing changes."""


_JUDGED = frozenset(each.value for each in Outcome)


class RunState(StrEnum):
    """The verdict of a run, or why its folder has none that can be read."""

    PASS = "PASS"
    FAIL = "FAIL"
    ABORTED = "ABORTED"
    INCONCLUSIVE = "INCONCLUSIVE"
    RUNNING = "RUNNING"
    INCOMPLETE = "INCOMPLETE"
    DAMAGED = "DAMAGED"
    UNSUPPORTED = "UNSUPPORTED"
    FOREIGN = "FOREIGN"

    @property
    def judged(self) -> bool:
        """Whether there is a verdict."""
        return self.value in _JUDGED


Key: TypeAlias = tuple[str, tuple[tuple[str, str], ...], str, str, float | None, int]
"""What an objective observes, whatever its target; the last number tells several of one run that observe the same."""


class ObjectiveRow(msgspec.Struct, frozen=True, omit_defaults=True):
    """An objective of a run, as in `ObjectiveResult`; values in base units.

    relative_margin: see `schemas/language/margins.py`. window_s: of an objective in windows.
    """

    objective: str
    sli: str
    labels: dict[str, str]
    op: str
    unit: str
    status: Status
    value: float | None
    target: float | None
    margin: float | None
    relative_margin: float | None = None
    interval: tuple[float | None, float | None] | None = None
    window_s: float | None = None


def keyed(objectives: Sequence[ObjectiveRow]) -> Iterator[tuple[Key, ObjectiveRow]]:
    """The objectives of a run by what they observe: a target may be moved from run to run."""
    times: Counter[tuple[object, ...]] = Counter()
    for each in objectives:
        same = (each.sli, tuple(sorted(each.labels.items())), each.op, each.unit, each.window_s)
        yield (*same, times[same]), each
        times[same] += 1


class RunRow(msgspec.Struct, frozen=True):
    """A folder: `path` is relative to the one that was listed, with slashes. problem: why there is no verdict; empty where
    there is one. What follows `problem` is what could be read of a folder without a verdict.

    settings: those of `--set` and its like, without the seed. length_s: planned scenario time; ended_s: until when it went.
    environment: what may differ between two runs of one scenario, by name.
    """

    path: str
    state: RunState
    problem: str = ""
    scenario: str = ""
    title: str = ""
    tier: str | None = None
    settings: list[str] = []
    scenario_sha256: str = ""
    target: str = ""
    clock: str = ""
    seed: int | None = None
    started_at: str = ""
    length_s: float | None = None
    ended_s: float | None = None
    commit: str = ""
    dirty: bool = False
    objectives: list[ObjectiveRow] = []
    environment: dict[str, str] = {}
    report: str = ""

    @property
    def series(self) -> tuple[str, ...]:
        """What runs have in common that can be compared: scenario, tier and settings, target."""
        return (self.scenario, self.tier or "", *self.settings, self.target)

    @property
    def tightest(self) -> ObjectiveRow | None:
        """The objective with the smallest relative margin; a broken one without a margin comes first."""
        return min(filter(_counts, self.objectives), key=_tightness, default=None)


def _counts(row: ObjectiveRow) -> bool:
    return row.relative_margin is not None or row.status is Status.FAIL


def _tightness(row: ObjectiveRow) -> float:
    return float("-inf") if row.relative_margin is None else row.relative_margin


class RunChange(msgspec.Struct, frozen=True):
    """The values of an objective changed between two runs that follow one another, `before` and `after` (paths).

    interval: paths of the first and the last run with which, at 95 % confidence, the new level may have begun; a drift lasts
    for it. old, new: the means of the values around it, in base units. p: of the permutation test. differences: what else
    differs between the two runs, by their evidence.
    """

    kind: ChangeKind
    before: str
    after: str
    interval: tuple[str, str]
    old: float
    new: float
    p: float
    better: bool | None
    differences: list[str]


class Trend(msgspec.Struct, frozen=True):
    """An objective over the runs of a series that have a value of it, oldest first; `runs` are their paths.

    objective: as the newest of them has it; targets may differ between runs. number: see `Key`.
    detail: why nothing can be said of changes; empty where something can.
    """

    objective: str
    sli: str
    labels: dict[str, str]
    op: str
    unit: str
    window_s: float | None
    number: int
    runs: list[str]
    values: list[float]
    targets: list[float | None]
    intervals: list[tuple[float | None, float | None] | None]
    statuses: list[Status]
    detail: str
    changes: list[RunChange]

    @property
    def key(self) -> Key:
        """What it observes."""
        return (self.sli, tuple(sorted(self.labels.items())), self.op, self.unit, self.window_s, self.number)


class RunSeries(msgspec.Struct, frozen=True):
    """The runs of one scenario, as it was run, and one target."""

    scenario: str
    tier: str | None
    settings: list[str]
    target: str
    runs: list[str]
    trends: list[Trend]

    @property
    def name(self) -> str:
        """What it is called."""
        tier = f" --tier {self.tier}" if self.tier else ""
        settings = "".join(f" --set {each}" for each in self.settings)
        return f"{self.scenario}{tier}{settings} on {self.target}"


class History(msgspec.Struct, frozen=True):
    """What `soak history --json` prints. runs: newest first."""

    folder: str
    runs: list[RunRow]
    series: list[RunSeries]
