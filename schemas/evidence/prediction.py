"""What many replications of a simulation say together, as data: what prediction.json holds."""

from enum import StrEnum

import msgspec

from soak.schemas.evidence.verdict import Outcome, Status

SCHEMA_VERSION = 1

QUANTILES = (0.005, 0.025, 0.05, 0.25, 0.5, 0.75, 0.95, 0.975, 0.995)
"""The quantiles that are told of every distribution."""


class Stopped(StrEnum):
    """Why no more replications were made."""

    COMPLETED = "completed"
    PRECISE = "precise"
    INTERRUPTED = "interrupted"
    BROKEN_OFF = "broken off"


class Decision(StrEnum):
    """Whether the probability of PASS is what is required: by its whole interval, or not to be told yet."""

    MET = "MET"
    MISSED = "MISSED"
    UNDECIDED = "UNDECIDED"


class First(StrEnum):
    """By what something is called the first to break: how often it is broken, or ends a run, or how near zero its margin is."""

    BROKEN = "broken"
    ABORTED = "aborted"
    WITHHELD = "withheld"
    MARGIN = "margin"
    NONE = "none"


class Share(msgspec.Struct, frozen=True):
    """How many replications, as a share of all that were made, with its Wilson interval at the confidence of the prediction."""

    count: int
    share: float
    interval: tuple[float, float]


class OutcomeShare(msgspec.Struct, frozen=True):
    """How often a verdict was given."""

    verdict: Outcome
    share: Share


class Quantile(msgspec.Struct, frozen=True):
    """The value that a share `q` of the values does not exceed: Hyndman and Fan (1996), definition 7."""

    q: float
    value: float


class Distribution(msgspec.Struct, frozen=True):
    """Values in base units; `sd` is that of a sample (None for a single value)."""

    count: int
    mean: float
    sd: float | None
    min: float
    max: float
    quantiles: list[Quantile]


class ObjectivePrediction(msgspec.Struct, frozen=True):
    """One objective over all replications.

    `column` names its columns in replications.csv; `target` is None where it differs between replications (a relative
    objective). `unobserved` replications saw nothing to judge it by: they are in no distribution. `deviations` is the mean
    margin in standard deviations of the margin (None: it never varies).
    """

    objective: str
    column: str
    sli: str
    op: str
    unit: str
    target: float | None
    holds: Share
    broken: Share
    inconclusive: Share
    unobserved: int
    value: Distribution | None
    margin: Distribution | None
    margin_varies: bool
    deviations: float | None


class FirstToBreak(msgspec.Struct, frozen=True):
    """The objective, or the abort condition, that breaks first.

    By BROKEN: the objective most often broken, in `count` of the `of` replications that do not PASS. By ABORTED: the condition
    named `abort`, which ended as many of them or more. By WITHHELD: none is broken; the objective most often INCONCLUSIVE. By
    MARGIN, when there is none of these: the objective whose mean margin is
    fewest standard deviations (`deviations`) from zero. NONE: no margin varies.
    """

    objective: str | None
    by: First
    count: int
    of: int
    deviations: float | None
    abort: str | None = None


class AbortPrediction(msgspec.Struct, frozen=True):
    """An abort condition: how often it ended a replication, and when (seconds of scenario time)."""

    name: str
    when: str
    share: Share
    time: Distribution | None


class EarlyPrediction(msgspec.Struct, frozen=True):
    """How many replications were decided before arrivals ended, and when, in seconds of scenario time.

    half_s, most_s: by when half and 95 % of all replications were decided (None: fewer were). differing: those of them whose
    objectives came out otherwise at the end.
    """

    share: Share
    time: Distribution | None
    half_s: float | None
    most_s: float | None
    differing: int


class Doubt(msgspec.Struct, frozen=True):
    """A law, an alert, a fault or the telemetry, and how many replications it kept from PASS."""

    what: str
    count: int


class Answer(StrEnum):
    """What can be said of a rare event: its probability, that it is not rare (brute force has it), or nothing sound."""

    ESTIMATED = "estimated"
    NOT_RARE = "not rare"
    INCONCLUSIVE = "inconclusive"


class Method(StrEnum):
    """How a rare event was looked for."""

    BRUTE_FORCE = "brute force"
    SPLITTING = "splitting"
    IMPORTANCE_SAMPLING = "importance sampling"


class RareStep(msgspec.Struct, frozen=True):
    """A level of a splitting: how far it is from the ideal value to the limit (1: the event), and which share of the runs that
    had reached the level before reached it, on average.
    """

    fraction: float
    share: float


class RareRate(msgspec.Struct, frozen=True):
    """A fault in an importance sampling: on which attempt (0: of the task), at which rate, and at which it was drawn."""

    fault: str
    attempt: int
    rate: float
    tilted: float


class RareRun(msgspec.Struct, frozen=True):
    """A run in which the event happened: its seed; the draws that were replaced (seed, share of tasks, which); the first task of
    the stretch whose faults were drawn at other rates.
    """

    seed: int
    redraws: list[tuple[int, float, str]] = []
    first_task: int | None = None


class RareEvent(msgspec.Struct, frozen=True):
    """The probability, per run, that an abort condition holds or an objective is broken.

    brute: how often in the plain replications. relative_error: the standard error over the probability. estimates: independent
    estimates of which the probability is the mean; died_out: those that are 0. runs, pilot_runs: simulations made for the
    estimate and for tuning. brute_runs: how many plain replications would give the same standard error. stretch: how many tasks
    in a row had other rates of faults. reason: why nothing can be said, or what else to know. effort: runs that were asked for.
    """

    name: str
    what: str
    answer: Answer
    method: Method | None
    probability: float | None
    interval: tuple[float, float] | None
    relative_error: float | None
    brute: Share
    estimates: int
    died_out: int
    runs: int
    pilot_runs: int
    brute_runs: float | None
    reason: str
    effort: int
    steps: list[RareStep] = []
    rates: list[RareRate] = []
    stretch: int | None = None
    example: RareRun | None = None


class Prediction(msgspec.Struct, frozen=True):
    """The whole prediction. It says nothing of when, where and on how many processors it was made."""

    schema_version: int
    scenario: str
    title: str
    scenario_sha256: str
    version: str
    seed: int
    duration_s: float
    asked: int
    made: int
    stopped: Stopped
    confidence: float
    precision: float | None
    required: float | None
    decision: Decision | None
    pass_probability: Share
    verdicts: list[OutcomeShare]
    objectives: list[ObjectivePrediction]
    first_to_break: FirstToBreak
    aborts: list[AbortPrediction]
    doubts: list[Doubt]
    decided: EarlyPrediction | None = None
    decidable: EarlyPrediction | None = None
    """The same without waiting for what only the end decides."""
    rare: list[RareEvent] | msgspec.UnsetType = msgspec.UNSET
    """The probabilities of rare events, where they were asked for."""


class Observed(msgspec.Struct, frozen=True):
    """What the plots of a prediction are drawn from: of each objective the values and margins that were observed, with what
    was said of them; of each abort condition the times, in seconds of scenario time, at which it ended a replication.
    """

    values: list[list[float]]
    margins: list[list[float]]
    statuses: list[list[Status]]
    abort_times_s: dict[str, list[float]]
