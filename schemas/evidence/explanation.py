"""Why something is broken: since when, where it was worst, what went on then, and the first cases."""

from enum import StrEnum

import msgspec

MOST_CASES = 5
"""How many of the first cases of each cause are kept."""


class Broken(StrEnum):
    """What an explanation is of: an objective, an integrity law, or an abort condition that held."""

    OBJECTIVE = "objective"
    LAW = "law"
    ABORT = "abort"


class Case(msgspec.Struct, frozen=True):
    """One violation. `task`, `attempt`, `worker`: empty or 0 where there is none. before, after: states, or what ran where."""

    t_s: float
    task: str
    attempt: int
    worker: str
    before: str
    after: str
    detail: str


class Cases(msgspec.Struct, frozen=True):
    """Violations of one cause: how many, and how many in each phase, in bursts and in windows of each fault; the first few."""

    cause: str
    count: int
    phases: dict[str, int]
    bursts: int
    faults: dict[str, int]
    first: list[Case]


class Stretch(msgspec.Struct, frozen=True):
    """Part of a run, in seconds of scenario time, with the value of an indicator over it and the observations it is of."""

    start_s: float
    end_s: float
    value: float | None
    samples: int


class Spread(msgspec.Struct, frozen=True):
    """How many stretches of `length_s` hold enough observations, and how many of them were broken by themselves.

    with_burst, with_fault: those that overlap a burst, or a window of a scheduled fault.
    """

    length_s: float
    stretches: int
    broken: int
    with_burst: int
    broken_with_burst: int
    with_fault: int
    broken_with_fault: int


class BurstWindow(msgspec.Struct, frozen=True):
    """A burst of arrivals by its number, from 1, and from when to when (seconds of scenario time)."""

    number: int
    start_s: float
    end_s: float


class FaultWindow(msgspec.Struct, frozen=True):
    """A scheduled fault, from when to when (seconds of scenario time)."""

    fault: str
    start_s: float
    end_s: float


class BusyLevel(msgspec.Struct, frozen=True):
    """How loaded the system was: a level by its samples, `mean` and `most` of them, and its limit (None: it has none)."""

    what: str
    mean: float
    most: float
    limit: float | None


class Circumstances(msgspec.Struct, frozen=True):
    """What went on in part of a run: phases, bursts (of `burst_count`), scheduled faults, load.

    Of durations, which were observed when they ended, also the bursts and faults before that may have made them long.
    """

    start_s: float
    end_s: float
    phases: list[str]
    bursts: list[BurstWindow]
    burst_count: int
    faults: list[FaultWindow]
    load: list[BusyLevel]


class Explanation(msgspec.Struct, frozen=True):
    """Why an objective or a law is broken, or an abort condition held; `subject` as in the reasons, `text` in words.

    since_s: from when to the end of the run it was broken; None where nothing sound can be said. first, worst: the first
    stretch of the run that was broken by itself, and the worst. spread: how many were. around: what went on in the worst stretch,
    or before an abort.
    """

    kind: Broken
    subject: str
    text: str
    since_s: float | None
    first: Stretch | None
    worst: Stretch | None
    spread: Spread | None
    around: Circumstances | None
    cases: list[Cases]
