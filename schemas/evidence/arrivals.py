"""A load fitted to the arrivals of a trace or run, as data: what `soak calibrate --arrivals --json` prints."""

from enum import StrEnum

import msgspec


class Form(StrEnum):
    """How the fitted rate changes: not at all, by the hour of the day or week, in steps, or in steps that repeat."""

    CONSTANT = "constant"
    DAY = "day"
    WEEK = "week"
    STAGES = "stages"
    CYCLE = "cycle"


class Candidate(msgspec.Struct, frozen=True):
    """A form that was tried: how many rates it has, and its quasi-BIC less the least of all."""

    form: Form
    rates: int
    behind: float


class Dispersion(msgspec.Struct, frozen=True):
    """The index of dispersion for counts in windows: variance over mean, given the fitted rate; 1 for Poisson arrivals.

    expected: arrivals (or batches) in a window; about_s: how long it is at the mean rate. low, high: the 99 % interval for
    Poisson arrivals.
    """

    expected: float
    about_s: float
    windows: int
    index: float
    low: float
    high: float

    @property
    def is_poisson(self) -> bool:
        """Whether the index lies in the interval, or too near to it to matter."""
        return self.low - 0.05 <= self.index <= self.high + 0.05


class ArrivalFit(msgspec.Struct, frozen=True):
    """A fitted load.

    arrivals: how many there were, over length_s seconds, from `start` (with its UTC offset) on if times are clock times.
    rates_per_s: of the fitted form, one for each of its parts. period_s: of a cycle, otherwise 0. batch_mean: tasks that
    arrive at the same time, on average; 1 without batches. resolution_s: times are multiples of it. gap_distance, gap_p:
    Kolmogorov and Smirnov's distance of rescaled gaps from the exponential distribution, and its p-value; chi_squared_p:
    that of 20 equally likely classes; gap_variation: their squared coefficient of variation, 1 for Poisson arrivals.
    autocorrelation, autocorrelation_p: of consecutive counts, and the p-value of Ljung and Box's test of ten lags. poisson:
    whether independent arrivals at this rate explain it all. wait_factor: about how many times as long as with Poisson
    arrivals a busy system has tasks wait. scenario: what to paste.
    """

    source: str
    arrivals: int
    length_s: float
    start: str | None
    timezone: str
    form: Form
    tried: list[Candidate]
    rates_per_s: list[float]
    period_s: float
    batch_mean: float
    resolution_s: float
    dispersion: list[Dispersion]
    autocorrelation: float
    autocorrelation_p: float
    gap_distance: float
    gap_p: float
    chi_squared_p: float
    gap_variation: float
    poisson: bool
    wait_factor: float
    scenario: str
