"""A pinned baseline and what changed since, as data: what a baseline file and changes.json hold."""

from enum import StrEnum

import msgspec
from msgspec import Struct

from soak.schemas.evidence.verdict import Outcome, Status
from soak.schemas.stream.block import Floats

BASELINE_VERSION = 1
SCHEMA_VERSION = 2
"""Of changes.json."""


class BaselineSli(msgspec.Struct, frozen=True):
    """An SLI over the whole run in base units, and over each of `slices` equal parts of it (None: nothing observed)."""

    unit: str
    better: str
    value: float | None
    slices: list[float | None]


class Baseline(msgspec.Struct, frozen=True):
    """A run as far as others are compared with it; `part_s`: how long each part is. Early baselines do not name their system,
    and their parts are the whole run (`part_s` 0)."""

    schema_version: int
    scenario: str
    scenario_sha256: str
    target: str
    seed: int
    speed: float
    verdict: Outcome
    commit: str | None
    duration_s: float
    slis: dict[str, BaselineSli]
    system: str = ""
    part_s: float = 0.0

    @property
    def part_length_s(self) -> float | None:
        """How long each part is, in seconds; None where no SLI has parts."""
        count = max((len(sli.slices) for sli in self.slis.values()), default=0)
        return self.part_s or (self.duration_s / count if count else None)


class Direction(StrEnum):
    """What a change means.

    UNCHANGED: no more than noise, or too small to matter; UNTESTED: there is nothing to tell a change from noise by, or what
    there is depends on itself for too long; UNKNOWN: nothing to compare.
    """

    WORSE = "WORSE"
    BETTER = "BETTER"
    UNCHANGED = "UNCHANGED"
    UNTESTED = "UNTESTED"
    UNKNOWN = "UNKNOWN"


class SliChange(msgspec.Struct, frozen=True):
    """One SLI: `change` is run less base in base units, `relative` that over the base, `p` how likely noise alone does it.

    `effective`: how many independent parts those of the runs are worth; None where it has none.
    """

    sli: str
    unit: str
    base: float | None
    run: float | None
    change: float | None
    relative: float | None
    p: float | None
    direction: Direction
    detail: str
    effective: float | None = None


class RelativeResult(msgspec.Struct, frozen=True):
    """An objective relative to the base, such as `latency_p95 <= 1.1x baseline`, of `sli`; `target` in base units."""

    objective: str
    value: float | None
    target: float | None
    status: Status
    sli: str = ""


class QuantileChange(msgspec.Struct, frozen=True):
    """A quantile of each run, in seconds, and run less base."""

    q: float
    base: float
    run: float
    difference: float


class TimeChange(msgspec.Struct, frozen=True):
    """A time of the same tasks in both, run less base, in seconds; `low` and `high`: None for too few tasks to say,
    for batches that depend on each other for too long, and where every task took as long in both.

    `gain`: how many independent replications of base and run give a mean difference as exact as this pair does; None
    where the pair leaves nothing to chance, or too few tasks to say.
    """

    tasks: int
    base_mean: float
    run_mean: float
    difference: float
    low: float | None
    high: float | None
    slower: int
    faster: int
    unchanged: int
    gain: float | None
    quantiles: list[QuantileChange]


class OutcomeChange(msgspec.Struct, frozen=True):
    """How many tasks ended as `base` in the base and as `run` in the run."""

    base: str
    run: str
    tasks: int


class TaskChanges(msgspec.Struct, frozen=True):
    """The same tasks in both runs, those due before `until_s`, one by one.

    `alike`: the share of them that is due at the same time in both. `p`: McNemar's exact test of the tasks that are DONE in one
    run only, those left aside that a run which ended early left unfinished.
    """

    until_s: float
    alike: float
    tasks: int
    base_only: int
    run_only: int
    confidence: float
    latency: TimeChange | None
    wait: TimeChange | None
    attempts: float
    more_attempts: int
    fewer_attempts: int
    outcomes: list[OutcomeChange]
    done_in_base_only: int
    done_in_run_only: int
    p: float


class Differences(Struct, frozen=True):
    """How much longer each task took in the run than in the base, in seconds, by when it was due; and the means of batches.

    `edges_s`: when the first task of each batch was due, and the last of all.
    """

    due_s: Floats
    latency_s: Floats
    edges_s: Floats
    batch_means_s: Floats


class Changes(msgspec.Struct, frozen=True):
    """The whole comparison; `alpha`: how unlikely noise must be, over all SLIs together; `least`: relative, to matter.

    `paired`: parts of the runs are of the same plan. Where tasks were not compared one by one, `tasks` is None and
    `unpaired` says why. `different`: in what the runs are not alike, in words.
    """

    schema_version: int
    base: Baseline
    run: Baseline
    paired: bool
    unpaired: str
    different: list[str]
    alpha: float
    least: float
    regressed: bool
    reasons: list[str]
    changes: list[SliChange]
    objectives: list[RelativeResult]
    tasks: TaskChanges | None

    @property
    def compared(self) -> bool:
        """Whether anything was held against the base: an indicator by its parts, an objective, or tasks one by one."""
        return bool(self.objectives) or self.tasks is not None or any(each.p is not None for each in self.changes)
