"""Distributions fitted to durations by maximum likelihood, chosen by BIC, and tested by their distance from what was seen."""

import math
from collections.abc import Callable

import msgspec
import numpy as np
from msgspec import Struct

from soak.schemas.evidence.calibration import Fit
from soak.schemas.language.distributions import Z95, Constant, Distribution, Empirical, Exponential, LogNormal, Uniform
from soak.schemas.stream.block import Floats

SAMPLES = 400
"""Bootstrap samples for intervals, and simulated samples for the distance of a fit."""
LEAST_P, SMALL_DISTANCE = 0.005, 0.03
"""A fit stands unless its distance is both more than chance explains and large enough to matter."""
SAME = 0.01
"""Durations that are all within this share of their median are one constant."""
MOST_VALUES = 10_000
"""Values that an empirical distribution is written with; of more, evenly spaced quantiles stand for all."""
_MOST_SIMULATED = 1_000
_SEED = 11

_TAIL = (1.330274429, -1.821255978, 1.781477937, -0.356563782, 0.319381530, 0.0)
"""Coefficients of the normal tail, the highest power first."""

EMPIRICAL = "empirical"
_ALPHA = 0.05


class Interval(Struct, frozen=True):
    """A 95 % interval."""

    low: float
    high: float

    def holds(self, value: float) -> bool:
        """Whether `value` lies in it."""
        return self.low <= value <= self.high


class Family(Struct, frozen=True):
    """A kind of distribution: how it is fitted, its distribution function, and how many parameters are free."""

    name: str
    free: int
    fit: Callable[[Floats], Distribution]
    log_density: Callable[[Distribution, Floats], Floats]
    below: Callable[[Distribution, Floats], Floats]


def parameters_of(distribution: Distribution) -> dict[str, float]:
    """The parameters of a distribution in seconds, by their keys in a scenario."""
    match distribution:
        case LogNormal(median_s, p95_s):
            return {"median": median_s, "p95": p95_s}
        case Exponential(mean_s):
            return {"mean": mean_s}
        case Uniform(low_s, high_s):
            return {"low": low_s, "high": high_s}
        case Constant(value_s):
            return {"value": value_s}
        case Empirical():
            return {"mean": distribution.mean_s}


def _fit_lognormal(values: Floats) -> Distribution:
    logs = np.log(values)
    middle, sigma = float(logs.mean()), float(logs.std())
    return LogNormal(math.exp(middle), math.exp(middle + Z95 * sigma))


def _lognormal_density(fitted: Distribution, values: Floats) -> Floats:
    assert isinstance(fitted, LogNormal)
    z = (np.log(values) - math.log(fitted.median_s)) / fitted.sigma
    density: Floats = -0.5 * z * z - np.log(values * fitted.sigma) - 0.5 * math.log(2 * math.pi)
    return density


def _lognormal_below(fitted: Distribution, values: Floats) -> Floats:
    assert isinstance(fitted, LogNormal)
    return _normal_below((np.log(values) - math.log(fitted.median_s)) / fitted.sigma)


def _normal_below(z: Floats) -> Floats:
    """The standard normal distribution function, to 1e-7 (Abramowitz and Stegun 1964, 26.2.17)."""
    t = 1 / (1 + 0.2316419 * np.abs(z))
    tail = np.exp(-z * z / 2) / math.sqrt(2 * math.pi) * np.polyval(_TAIL, t)
    return np.where(z >= 0, 1 - tail, tail)


def _fit_exponential(values: Floats) -> Distribution:
    return Exponential(float(values.mean()))


def _exponential_density(fitted: Distribution, values: Floats) -> Floats:
    assert isinstance(fitted, Exponential)
    density: Floats = -values / fitted.mean_s - math.log(fitted.mean_s)
    return density


def _exponential_below(fitted: Distribution, values: Floats) -> Floats:
    assert isinstance(fitted, Exponential)
    below: Floats = -np.expm1(-values / fitted.mean_s)
    return below


def _fit_uniform(values: Floats) -> Distribution:
    return Uniform(float(values.min()), float(values.max()))


def _uniform_density(fitted: Distribution, values: Floats) -> Floats:
    assert isinstance(fitted, Uniform)
    return np.full(len(values), -math.log(fitted.high_s - fitted.low_s))


def _uniform_below(fitted: Distribution, values: Floats) -> Floats:
    assert isinstance(fitted, Uniform)
    return np.clip((values - fitted.low_s) / (fitted.high_s - fitted.low_s), 0.0, 1.0)


FAMILIES = (
    Family("lognormal", 2, _fit_lognormal, _lognormal_density, _lognormal_below),
    Family("exponential", 1, _fit_exponential, _exponential_density, _exponential_below),
    Family("uniform", 2, _fit_uniform, _uniform_density, _uniform_below),
)


class Fitted(Struct, frozen=True):
    """The distribution of durations: which fits best, with the intervals of its parameters, and what else was tried.

    `draws`: what the parameters could be as well, for predictions that are not surer than the data.
    """

    distribution: Distribution
    name: str
    intervals: dict[str, Interval]
    fits: tuple[Fit, ...]
    draws: tuple[Distribution, ...]


def fit_durations(values: Floats) -> Fitted:
    """Fit durations in seconds (at least two). The same values always give the same result."""
    generator = np.random.default_rng(_SEED)
    middle = float(np.median(values))
    if float(values.max() - values.min()) <= SAME * middle:
        spread = Interval(float(values.min()), float(values.max()))
        return Fitted(Constant(middle), "constant", {"value": spread}, (), (Constant(middle),))
    usable = [family for family in FAMILIES if family.name != "lognormal" or values.min() > 0]
    fits = {family.name: _measured(family, values) for family in usable}
    best = min(usable, key=lambda family: fits[family.name].bic)
    p = _as_far(best, best.fit(values), len(values), fits[best.name].ks, generator)
    fits[best.name] = msgspec.structs.replace(fits[best.name], p=p)
    chosen, tried = fits[best.name], tuple(fits.values())
    if p < LEAST_P and chosen.ks > SMALL_DISTANCE:
        return _empirical(values, tried, generator)
    draws = tuple(best.fit(generator.choice(values, len(values))) for _ in range(SAMPLES))
    if best.name == "uniform":
        return Fitted(_unbiased(values), best.name, _uniform_intervals(values), tried, (_unbiased(values),))
    return Fitted(best.fit(values), best.name, _intervals(draws), tried, draws)


def _measured(family: Family, values: Floats) -> Fit:
    fitted, count = family.fit(values), len(values)
    likelihood = float(family.log_density(fitted, values).sum())
    return Fit(
        distribution=family.name,
        parameters=parameters_of(fitted),
        log_likelihood=likelihood,
        aic=2 * family.free - 2 * likelihood,
        bic=family.free * math.log(count) - 2 * likelihood,
        ks=ks_distance(family, fitted, values),
        p=None,
    )


def ks_distance(family: Family, fitted: Distribution, values: Floats) -> float:
    """The Kolmogorov-Smirnov distance between values and a distribution."""
    below = family.below(fitted, np.sort(values))
    steps = np.arange(len(values) + 1) / len(values)
    return float(np.maximum(steps[1:] - below, below - steps[:-1]).max())


def _as_far(family: Family, fitted: Distribution, count: int, distance: float, generator: np.random.Generator) -> float:
    """How often a sample of the fitted distribution is as far from its own fit (Lilliefors 1967, by simulation).

    Beyond a thousand values the distance shrinks as the root of their number, which saves simulating more.
    """
    from soak.simulation.distributions import draw

    size = min(count, _MOST_SIMULATED)
    scale = math.sqrt(size / count)
    farther = 0
    for _ in range(SAMPLES):
        sample = draw(fitted, generator, size)
        farther += ks_distance(family, family.fit(sample), sample) * scale >= distance
    return (farther + 1) / (SAMPLES + 1)


def _empirical(values: Floats, tried: tuple[Fit, ...], generator: np.random.Generator) -> Fitted:
    kept = np.sort(values)
    if len(kept) > MOST_VALUES:
        kept = np.quantile(kept, (np.arange(MOST_VALUES) + 0.5) / MOST_VALUES)
    draws = tuple(Empirical("", tuple(generator.choice(kept, len(kept)).tolist())) for _ in range(SAMPLES // 4))
    return Fitted(Empirical("", tuple(kept.tolist())), EMPIRICAL, _intervals(draws), tried, draws)


def _intervals(draws: tuple[Distribution, ...]) -> dict[str, Interval]:
    """Percentile intervals of the bootstrap (Efron 1979)."""
    columns = [parameters_of(each) for each in draws]
    return {key: percentiles(np.array([each[key] for each in columns])) for key in columns[0]}


def percentiles(values: Floats) -> Interval:
    """What holds the middle 95 % of `values`."""
    low, high = np.quantile(values, [_ALPHA / 2, 1 - _ALPHA / 2])
    return Interval(float(low), float(high))


def _unbiased(values: Floats) -> Uniform:
    """The ends of a uniform distribution: a little beyond the outermost values, by as much as these fall short on average."""
    beyond = float(values.max() - values.min()) / (len(values) - 1)
    return Uniform(max(0.0, float(values.min()) - beyond), float(values.max()) + beyond)


def _uniform_intervals(values: Floats) -> dict[str, Interval]:
    """No bootstrap goes beyond the outermost value: the gap to the end is exponential (Casella and Berger 2002, 5.4)."""
    low, high = float(values.min()), float(values.max())
    beyond = -math.log(_ALPHA) * (high - low) / (len(values) - 1)
    return {"low": Interval(max(0.0, low - beyond), low), "high": Interval(high, high + beyond)}


def bootstrap(values: Floats, statistic: Callable[[Floats], float]) -> Interval:
    """The percentile interval of a statistic of `values`."""
    generator = np.random.default_rng(_SEED)
    return percentiles(np.array([statistic(generator.choice(values, len(values))) for _ in range(SAMPLES)]))
