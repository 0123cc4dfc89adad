"""What a soak can see, as data: what power.json holds."""

from enum import StrEnum

import msgspec

from soak.schemas.evidence.false_alarms import FalseAlarm

SCHEMA_VERSION = 1


class Scale(StrEnum):
    """What the size of a violation is measured in.

    VALUE: the SLI's own unit. SHARE: of the opportunities. HOURLY: events per hour. FACTOR: times the reference.
    """

    VALUE = "value"
    SHARE = "share"
    HOURLY = "per hour"
    FACTOR = "factor"


class Method(StrEnum):
    """How a probability was computed."""

    BINOMIAL = "binomial"
    POISSON = "poisson"
    NORMAL = "normal"


class Pilot(msgspec.Struct, frozen=True):
    """How an objective came out in the replications: how often each way, and its value's mean and standard deviation."""

    passed: int
    failed: int
    inconclusive: int
    mean: float | None
    sd: float | None


class Violation(msgspec.Struct, frozen=True):
    """A violation of a given size. `asked`: with --violation; else it is the default.

    `probability`: of its being seen at the scenario's duration; `duration_s`: the shortest at which it is seen (None: within a
    hundred years, or none can be named), which is an upper bound where `at_most` says so; `share`: of observations beyond the
    target, of a quantile.
    """

    size: float
    share: float | None
    asked: bool
    probability: float
    enough: bool
    duration_s: float | None
    at_most: bool


class CurvePoint(msgspec.Struct, frozen=True):
    """How likely a violation of this size is seen at the scenario's duration."""

    size: float
    probability: float


class ObjectivePower(msgspec.Struct, frozen=True):
    """What one objective sees; `target` in base units; `observations` of a run, on average.

    `method` and `scale` are None where no statement can be made: `reason` says why. `smallest`: the smallest violation seen.
    `pass_probability`: the most likely that a violation, however small, is given PASS.
    """

    objective: str
    sli: str
    labels: dict[str, str]
    op: str
    unit: str
    aggregate: str
    target: float | None
    observations: float
    design_effect: float | None
    pilot: Pilot
    method: Method | None
    scale: Scale | None
    reason: str
    limit: float | None
    smallest: float | None
    smallest_share: float | None
    pass_probability: float | None
    violations: list[Violation]
    curve: list[CurvePoint]
    notes: list[str]


class PowerReport(msgspec.Struct, frozen=True):
    """The whole of it; `seen`: whether everything asked for with --violation is seen at the scenario's duration.

    `false_alarms`: conditions beside an objective, with the number of observations that the pilot made.
    """

    schema_version: int
    scenario: str
    title: str
    scenario_sha256: str
    duration_s: float
    warmup_s: float
    seed: int
    replications: int
    aborted: int
    power: float
    seen: bool
    objectives: list[ObjectivePower]
    false_alarms: list[FalseAlarm] = []
