"""One `soak calibrate --arrivals`: from a trace or run to a fitted load, and how well it fits."""

from soak.runner.calibrate.arrivals.bins import bins_of
from soak.runner.calibrate.arrivals.forms import fits_of
from soak.runner.calibrate.arrivals.process import Rescaled, batches_of
from soak.runner.calibrate.arrivals.scenario import scenario_text, start_of
from soak.runner.calibrate.arrivals.source import Arrivals
from soak.schemas.evidence.arrivals import ArrivalFit, Candidate, Dispersion
from soak.schemas.stream.block import TICKS_PER_S

_P, _SMALL_DISTANCE, _SMALL_CORRELATION = 0.01, 0.02, 0.05
"""A difference that is not by chance counts if it is also large enough to matter."""


def fit_arrivals(arrivals: Arrivals, zone: str) -> ArrivalFit:
    """The form of the rate that fits best, and what is left to say of the process given that rate."""
    bins, resolution_us = bins_of(arrivals)
    fits = fits_of(arrivals, bins, zone)
    best = fits[0]
    batches = batches_of(arrivals, resolution_us)
    length_s = (arrivals.last_us - arrivals.first_us) / TICKS_PER_S
    rescaled = Rescaled(arrivals, best, batches, resolution_us)
    dispersion = rescaled.dispersion(length_s / batches.count, len(best.rates_per_s))
    correlation, correlation_p = rescaled.autocorrelation()
    distance, distance_p, chi_p = rescaled.gap_tests()
    poisson = (
        all(each.is_poisson for each in dispersion)
        and (correlation_p > _P or abs(correlation) < _SMALL_CORRELATION)
        and (distance_p > _P or distance < _SMALL_DISTANCE)
    )
    return ArrivalFit(
        source=arrivals.name,
        arrivals=arrivals.count,
        length_s=length_s,
        start=start_of(arrivals, zone),
        timezone=zone,
        form=best.form,
        tried=[Candidate(fit.form, len(fit.rates_per_s), fit.criterion - best.criterion) for fit in fits],
        rates_per_s=best.rates_per_s.tolist(),
        period_s=best.period_us / TICKS_PER_S,
        batch_mean=batches.mean,
        resolution_s=resolution_us / TICKS_PER_S,
        dispersion=dispersion,
        autocorrelation=correlation,
        autocorrelation_p=correlation_p,
        gap_distance=distance,
        gap_p=distance_p,
        chi_squared_p=chi_p,
        gap_variation=rescaled.gap_variation,
        poisson=poisson,
        wait_factor=1.0 if poisson else _wait_factor(dispersion, rescaled.gap_variation),
        scenario=scenario_text(arrivals, bins, best, batches, zone),
    )


def _wait_factor(dispersion: list[Dispersion], gap_variation: float) -> float:
    """In heavy traffic waits grow with the index of dispersion plus the squared variation of service times (Whitt 1983), which
    is 1 if these are exponential: with the index at the longest scale that was looked at, against 1 (Fendick and Whitt 1989).
    """
    index = dispersion[-1].index if dispersion else gap_variation
    return (index + 1) / 2
