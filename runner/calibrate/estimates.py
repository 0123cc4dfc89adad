"""Counts and their intervals: shares and rates, beside what the scenario says of them."""

import math

from soak.runner.calibrate.fits import Interval
from soak.runner.judge.interval import wilson, z_of
from soak.schemas.evidence.calibration import CalibratedParameter, Taken

CONFIDENCE = 0.95


def poisson(count: int, exposure: float) -> Interval:
    """The interval of a rate from a count (Byar's approximation of the exact one: Rothman and Boice 1979)."""
    z = z_of(CONFIDENCE)

    def bound(number: float, side: float) -> float:
        return number * (1 - 1 / (9 * number) + side * z / (3 * math.sqrt(number))) ** 3 if number > 0 else 0.0

    return Interval(bound(count, -1) / exposure, bound(count + 1, 1) / exposure)


def share(key: str, hits: int, exposed: int, scenario: float | None, what: str) -> CalibratedParameter:
    """A share of what was exposed, with Wilson's interval."""
    if not exposed:
        return unseen(key, "ratio", scenario, 0, f"none of the {what} was exposed to it")
    interval = Interval(*wilson(hits, exposed, CONFIDENCE))
    return estimated(key, "ratio", scenario, hits / exposed, interval, exposed, f"{hits:,} of {exposed:,} {what}")


def rate(key: str, count: int, exposure_s: float, scenario: float, what: str) -> CalibratedParameter:
    """Events per second, with a Poisson interval."""
    if exposure_s <= 0:
        return unseen(key, "per s", scenario, 0, f"the part that calibrates holds no {what}")
    interval = poisson(count, exposure_s)
    return estimated(key, "per s", scenario, count / exposure_s, interval, count, f"{count:,} arrivals in {what}")


def estimated(
    key: str, unit: str, scenario: float | None, estimate: float, interval: Interval, observations: int, detail: str
) -> CalibratedParameter:
    """A parameter of what the runner does itself: arrivals, and faults it injects.

    The scenario's value is kept where the interval holds it: a few observations say less than who set it up.
    """
    stands = scenario is not None and interval.holds(scenario)
    taken = Taken.SCENARIO if stands else Taken.RUN
    value = scenario if stands else estimate
    return CalibratedParameter(
        key, unit, scenario, estimate, interval.low, interval.high, observations, taken, value, detail
    )


def measured(
    key: str, scenario: float | None, estimate: float, interval: Interval, observations: int, detail: str, factor: float
) -> CalibratedParameter:
    """A duration of what the system does itself: the estimate is taken.

    What is beyond the plan is the computer's own: in the runs that the model is for, it counts `factor` times.
    """
    value = estimate if scenario is None else max(0.0, scenario + (estimate - scenario) * factor)
    low, high = interval.low, interval.high
    return CalibratedParameter(key, "s", scenario, estimate, low, high, observations, Taken.RUN, value, detail)


def unseen(key: str, unit: str, scenario: float | None, observations: int, detail: str) -> CalibratedParameter:
    """A parameter of which the run shows too little."""
    return CalibratedParameter(key, unit, scenario, None, None, None, observations, Taken.UNSEEN, scenario, detail)
