"""The verdict and everything it is based on, as data: what verdict.json holds."""

from collections.abc import Iterable
from enum import StrEnum

import msgspec

from soak.schemas.evidence.attribution import FaultAttribution
from soak.schemas.evidence.changepoints import SeriesChanges
from soak.schemas.evidence.decided import Decided
from soak.schemas.evidence.explanation import Explanation
from soak.schemas.evidence.gain import Gain
from soak.schemas.evidence.marks import Mark
from soak.schemas.evidence.notebook import Shown
from soak.schemas.evidence.tails import Tail
from soak.schemas.evidence.windows import PartResult, WindowsResult

SCHEMA_VERSION = 4


class Status(StrEnum):
    """Result of an objective, law or expectation. NOT_APPLICABLE: of what the target does not promise or have."""

    PASS = "PASS"
    FAIL = "FAIL"
    INCONCLUSIVE = "INCONCLUSIVE"
    NOT_APPLICABLE = "NOT_APPLICABLE"


class Outcome(StrEnum):
    """The verdict on a run."""

    PASS = "PASS"
    FAIL = "FAIL"
    ABORTED = "ABORTED"
    INCONCLUSIVE = "INCONCLUSIVE"

    @property
    def exit_code(self) -> int:
        """The exit code of `soak run`."""
        return {Outcome.PASS: 0, Outcome.FAIL: 3, Outcome.ABORTED: 4, Outcome.INCONCLUSIVE: 5}[self]


class End(StrEnum):
    """How a run ended."""

    COMPLETED = "completed"
    DECIDED = "decided"
    ABORTED = "aborted"
    INTERRUPTED = "interrupted"
    CUT = "cut"

    @property
    def orderly(self) -> bool:
        """Whether the system was let finish its work and counted its tasks."""
        return self in {End.COMPLETED, End.DECIDED}


class ReasonKind(StrEnum):
    """What a reason is about; the subject of the first five is its name, of an objective its text.

    INTERRUPTED, CUT: the run was interrupted, or its stream is incomplete; NO_OBJECTIVES: there is nothing to judge; LOST_EVENTS,
    GAP: telemetry was lost, or silent for too long; LATENESS, TASKS, OFFERED: the load generator fell behind or was the
    bottleneck, not all tasks arrived, or not all that were planned were submitted; UNSEEN: what would tell was not seen.
    """

    OBJECTIVE = "objective"
    LAW = "law"
    ALERT = "alert"
    ABORT = "abort"
    FAULT = "fault"
    INTERRUPTED = "interrupted"
    CUT = "cut"
    NO_OBJECTIVES = "no_objectives"
    LOST_EVENTS = "lost_events"
    GAP = "gap"
    LATENESS = "lateness"
    TASKS = "tasks"
    OFFERED = "offered"
    UNSEEN = "unseen"


OF_TELEMETRY = frozenset(map(ReasonKind, ("lost_events", "gap", "lateness", "tasks", "offered", "unseen")))
"""What has no result of its own in a verdict: what was lost, not seen or not offered."""


class Reason(msgspec.Struct, frozen=True):
    """Why a verdict is not PASS. `status`: FAIL for what is broken, INCONCLUSIVE for a doubt. `text` is for people only."""

    kind: ReasonKind
    subject: str
    status: Status
    text: str


class ObjectiveResult(msgspec.Struct, frozen=True):
    """One objective. Values in base units; `margin` is positive on the good side; `interval` at `confidence`.

    effective_samples: how many independent observations say as much. thin: the result is that of the observed value alone:
    the interval includes others, or there is none. family: objectives among which a false FAIL is as rare as for one (Holm).
    excluded: the rate of what was never observed above which 95 % confidence excludes it.
    """

    objective: str
    sli: str
    labels: dict[str, str]
    value: float | None
    target: float | None
    op: str
    unit: str
    status: Status
    margin: float | None
    samples: int
    min_samples: int
    interval: tuple[float | None, float | None] | None
    confidence: float | None
    detail: str
    note: str = ""
    effective_samples: float | None = None
    thin: bool = False
    family: int = 1
    excluded: float | None = None
    windows: WindowsResult | msgspec.UnsetType = msgspec.UNSET
    """Of an objective in windows of the run."""
    warn: float | msgspec.UnsetType = msgspec.UNSET
    """The target of its warning level, where it has one."""
    warning: str | msgspec.UnsetType = msgspec.UNSET
    """Where it holds and its warning level does not: what is said of it."""

    @property
    def limit(self) -> float | None:
        """The target on the scale of the indicator: a share of windows is none."""
        return self.windows.limit if isinstance(self.windows, WindowsResult) else self.target

    @property
    def is_of_latency(self) -> bool:
        """Whether its limit is a latency."""
        return self.sli.startswith("latency_") and not self.sli.startswith("latency_share_below(")


class LawResult(msgspec.Struct, frozen=True):
    """One integrity law; `value` counts what breaks it."""

    law: str
    description: str
    status: Status
    value: float | None
    detail: str


class AbortResult(msgspec.Struct, frozen=True):
    """One abort condition and, if it held, since when (seconds of scenario time) and with which value.

    then: `fail` where the run goes on. parts: of conditions that are combined, which have no unit, target or value together.
    """

    name: str
    when: str
    window_s: float | None
    held_at_s: float | None
    value: float | None
    unit: str
    target: float | None
    then: str | msgspec.UnsetType = msgspec.UNSET
    parts: list[PartResult] | msgspec.UnsetType = msgspec.UNSET
    not_applicable: str | msgspec.UnsetType = msgspec.UNSET  # why it could not hold

    @property
    def stopped(self) -> bool:
        """Whether it ended the run, or would have."""
        return self.held_at_s is not None and self.then is msgspec.UNSET


class FiringResult(msgspec.Struct, frozen=True):
    """One firing of an alert."""

    fired_s: float
    resolved_s: float | None
    value: float | None


class AlertResult(msgspec.Struct, frozen=True):
    """One alert, its firings, and whether it met its expectation (None: it has none)."""

    name: str
    when: str
    window_s: float | None
    severity: str
    unit: str
    target: float | None
    firings: list[FiringResult]
    expected: str
    status: Status | None
    detail: str


class FaultResult(msgspec.Struct, frozen=True):
    """One fault: how often it was planned (expected, for a rate), injected, and seen to take effect."""

    name: str
    type: str
    asked: str
    expected: float
    injected: int
    seen: int
    status: Status
    detail: str


class Section(msgspec.Struct, frozen=True):
    """What a system says of itself in the report: a table, and a sentence on it. Cells are text, as they are shown."""

    title: str
    columns: list[str]
    rows: list[list[str]]
    note: str = ""


class Load(msgspec.Struct, frozen=True):
    """Submissions, including duplicates: planned, offered by the runner, answered by the system.

    planned: None for an incomplete run, and where a source of the system sends what it likes.
    """

    planned: int | None
    offered: int
    answered: int


class GrowthResult(msgspec.Struct, frozen=True):
    """A trend: slope per hour in base units with its 95 % interval, the fitted line's `level` at time 0, the p of no trend.

    effective_samples: how many independent ones would tell the slope as well. detail: why there is no statement; empty where
    there is one.
    """

    sli: str
    unit: str
    slope: float
    interval: tuple[float, float]
    level: float
    p: float
    samples: int
    effective_samples: float | None = None
    detail: str = ""


class SlowTask(msgspec.Struct, frozen=True):
    """A task that took long: from its intended enqueue to DONE or FAILED, in seconds; `ended_s` in scenario time."""

    task: str
    latency_s: float
    ended_s: float


class Resume(msgspec.Struct, frozen=True):
    """A resumption. Nothing was observed from `at_s` on for `gap_s` (seconds of scenario time); then the run was paused for
    `pause_s` of real time."""

    at_s: float
    gap_s: float
    pause_s: float


def paused_s(resumes: Iterable[Resume], t_s: float) -> float:
    """Sum of pauses up to `t_s` of scenario time, in real seconds."""
    return sum(each.pause_s for each in resumes if t_s > each.at_s + each.gap_s)


class Checkpoint(msgspec.Struct, frozen=True):
    """A status row: SLIs so far, tasks by state, failed attempts by error class, firing alerts."""

    t_s: float
    slis: dict[str, float | None]
    states: dict[str, int]
    errors: dict[str, int]
    firing: list[str]


class Checkpoints(msgspec.Struct, frozen=True):
    """What checkpoints.json holds."""

    schema_version: int
    scenario: str
    every_s: float
    checkpoints: list[Checkpoint]


class Alerts(msgspec.Struct, frozen=True):
    """What alerts.json holds."""

    schema_version: int
    scenario: str
    alerts: list[AlertResult]


class Verdict(Shown, msgspec.Struct, frozen=True):
    """The whole verdict; `reasons` are the texts of `typed_reasons`, which evidence of before does not have."""

    schema_version: int
    verdict: Outcome
    reasons: list[str]
    scenario: str
    scenario_sha256: str
    target: str
    clock: str
    seed: int
    end: End
    duration_s: float
    ended_s: float
    tasks: dict[str, int]
    unfinished: int
    deferred: int
    load: Load
    resumes: list[Resume]
    slis: dict[str, float | None]
    objectives: list[ObjectiveResult]
    laws: list[LawResult]
    aborts: list[AbortResult]
    alerts: list[AlertResult]
    faults: list[FaultResult]
    errors: dict[str, int]
    retries_by_attempt: dict[str, int]
    slowest: list[SlowTask]
    growths: list[GrowthResult]
    quantile_relative_error: float
    gain: Gain | None = None
    section: Section | msgspec.UnsetType = msgspec.UNSET
    sections: list[Section] | msgspec.UnsetType = msgspec.UNSET
    """Of a system that has one, and further ones; left out for others."""
    typed_reasons: list[Reason] = []
    decided: Decided | None = None
    caveats: list[str] = []
    """What a PASS or FAIL does not say: objectives that hold or are broken by the observed value alone."""
    not_judged: list[str] | msgspec.UnsetType = msgspec.UNSET
    """Objectives for real runs only, of a simulation."""
    change_points: list[SeriesChanges] = []
    """Of each indicator of an objective that can step: when it did. They change no verdict."""
    attribution: list[FaultAttribution] = []
    """What each fault did and what it cost; evidence of before does not have it."""
    tails: list[Tail] = []
    explanation: list[Explanation] = []
    warnings: list[str] | msgspec.UnsetType = msgspec.UNSET
    """Objectives that hold, but not their warning levels; left out where no objective has one."""
    marks: list[Mark] | msgspec.UnsetType = msgspec.UNSET

    @property
    def headline(self) -> str:
        """The verdict with what it rests on: never more than there is."""
        if self.verdict is not Outcome.PASS:
            return self.verdict.value
        thin, warned = len(self.thin), len(self.warned)
        evidence = f" on thin evidence ({thin} of {len(self.applicable)} objectives)" if thin else ""
        warnings = f" with {warned} warning{'s' * (warned > 1)}" if warned else ""
        return f"{self.verdict.value}{evidence}{warnings}"

    @property
    def applicable(self) -> list[ObjectiveResult]:
        """The objectives that apply to the target."""
        return [each for each in self.objectives if each.status is not Status.NOT_APPLICABLE]

    @property
    def left_out(self) -> list[FaultResult]:
        """The faults that do not apply to the target, and why."""
        return [each for each in self.faults if each.status is Status.NOT_APPLICABLE]

    @property
    def thin(self) -> list[ObjectiveResult]:
        """The objectives that hold by their observed value alone."""
        return [each for each in self.objectives if each.thin and each.status is Status.PASS]

    @property
    def warned(self) -> list[str]:
        """Its warnings."""
        return [] if self.warnings is msgspec.UNSET else self.warnings
