"""Statements on the tails of durations, from extreme-value theory."""

import msgspec


class ReturnLevel(msgspec.Struct, frozen=True):
    """The value that is passed once in `period_s` on average, with its 95 % interval; in seconds."""

    period_s: float
    value: float
    interval: tuple[float, float]


class Tail(msgspec.Struct, frozen=True):
    """A generalised Pareto distribution fitted to the peaks of clusters of values above `threshold`.

    withheld: why nothing is stated; empty where something is. shape and scale with the 95 % interval of the former; fit_p of
    Anderson-Darling's test of fit (0.9: at least that). end: the largest possible value, where the shape is negative. p999: the
    value that 0.1 % of all observations pass, and its 95 % interval, where it can be stated. peaks: the largest of the run,
    descending.
    """

    sli: str
    labels: dict[str, str]
    unit: str
    samples: int
    span_s: float
    clusters: int
    withheld: str
    threshold: float | None = None
    extremal_index: float | None = None
    scale: float | None = None
    shape: float | None = None
    shape_interval: tuple[float, float] | None = None
    fit_p: float | None = None
    end: float | None = None
    p999: float | None = None
    p999_interval: tuple[float, float] | None = None
    levels: list[ReturnLevel] = []
    peaks: list[float] = []
