"""A calibration as data: what calibration.json holds. Values in base units: seconds, events per second, shares from 0 to 1."""

from enum import StrEnum

import msgspec

SCHEMA_VERSION = 1


class Taken(StrEnum):
    """Which value of a parameter the overlay leads to.

    RUN: the estimate; SCENARIO: the scenario's own, since the interval holds it; UNSEEN: the scenario's own, since the
    run shows too little.
    """

    RUN = "run"
    SCENARIO = "scenario"
    UNSEEN = "unseen"


class CalibratedParameter(msgspec.Struct, frozen=True):
    """One parameter of the model: `low` to `high` is the 95 % interval of `estimate`, from so many `observations`.

    `value` is what holds with the overlay: another one than `estimate` where that is told for another speed, or not taken.
    """

    key: str
    unit: str
    scenario: float | None
    estimate: float | None
    low: float | None
    high: float | None
    observations: int
    taken: Taken
    value: float | None
    detail: str


class Fit(msgspec.Struct, frozen=True):
    """A distribution fitted to the service times by maximum likelihood.

    `ks` is the Kolmogorov-Smirnov distance, `p` how often a sample of this very distribution is that far from
    its own fit: of the one with the lowest BIC.
    """

    distribution: str
    parameters: dict[str, float]
    log_likelihood: float
    aic: float
    bic: float
    ks: float
    p: float | None


class Overhead(msgspec.Struct, frozen=True):
    """What the system itself needs, at the median: in seconds of scenario time as run, and of real time."""

    name: str
    as_run_s: float
    real_s: float
    observations: int


class SliPrediction(msgspec.Struct, frozen=True):
    """What the calibrated model says of one SLI in the held-back part, and what was observed.

    `low` to `high` holds 95 % of the replications. `p` counts all SLIs together: how often a replication itself is anywhere
    as far out as this one is here.
    """

    sli: str
    unit: str
    observed: float | None
    median: float | None
    low: float | None
    high: float | None
    inside: bool | None
    p: float | None


class Answer(StrEnum):
    """Does the calibrated model predict the part of the run that was held back?"""

    PREDICTS = "PREDICTS"
    DOES_NOT = "DOES NOT PREDICT"
    TOO_LITTLE = "TOO LITTLE"

    @property
    def exit_code(self) -> int:
        """The exit code of the command."""
        return {Answer.PREDICTS: 0, Answer.DOES_NOT: 3, Answer.TOO_LITTLE: 5}[self]


class Check(msgspec.Struct, frozen=True):
    """The held-back part against replications; `outside` of `compared` SLIs lie outside, `expected` do by chance alone.

    What is outside by no more than `least`, relative to the nearer bound, does not count against the model.
    """

    answer: Answer
    reasons: list[str]
    tasks: int
    replications: int
    predictions: list[SliPrediction]
    compared: int
    outside: int
    expected: float
    least: float


class Calibration(msgspec.Struct, frozen=True):
    """A whole calibration. Tasks due from `from_s` to `cut_s` of scenario time made it, those due from there to `to_s` check it.

    `speed`: how fast the run was; `for_speed`: how fast the runs are that the overlay is for.
    """

    schema_version: int
    scenario: str
    scenario_sha256: str
    run: str
    target: str
    clock: str
    seed: int
    end: str
    speed: float
    for_speed: float
    from_s: float
    cut_s: float
    to_s: float
    tasks: int
    attempts: int
    service: list[Fit]
    chosen: str
    service_observations: int
    overheads: list[Overhead]
    parameters: list[CalibratedParameter]
    notes: list[str]
    check: Check
    files: list[str]
