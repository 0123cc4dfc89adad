"""What `soak calibrate --arrivals` says: the fitted rate, how arrivals depart from a Poisson process, and what that means."""

from collections.abc import Iterator

from soak.schemas.evidence.arrivals import ArrivalFit, Form
from soak.schemas.units import show_duration, show_rate

_FORMS = {
    Form.CONSTANT: "a constant rate",
    Form.DAY: "a rate by the hour of the day",
    Form.WEEK: "a rate by the hour of the week",
    Form.STAGES: "a rate in steps",
    Form.CYCLE: "a rate that repeats itself",
}
_LEAST_P = 0.001
_AS_MUCH = (0.85, 1.15)
"""Waits that are as long as those of Poisson arrivals, nearly."""


def arrival_lines(fit: ArrivalFit) -> str:
    """The result for people."""
    return "\n".join(_lines(fit))


def _lines(fit: ArrivalFit) -> Iterator[str]:
    head = "POISSON" if fit.poisson else "NOT POISSON"
    what = "independent arrivals at the fitted rate" if fit.poisson else "arrivals depend on one another"
    yield f"{head}  {fit.source}: {what}"
    mean = show_rate(fit.arrivals / fit.length_s)
    yield f"  arrivals          {fit.arrivals:,} in {show_duration(fit.length_s)}, {mean} on average"
    rates = f"{len(fit.rates_per_s)} rates" if len(fit.rates_per_s) > 1 else "1 rate"
    others = ", ".join(f"{each.form} {each.behind:+.0f}" for each in fit.tried[1:])
    every = f" every {show_duration(fit.period_s)}" if fit.period_s else ""
    yield f"  fitted            {_FORMS[fit.form]}{every}: {rates}, {_range(fit)} (quasi-BIC of the others: {others})"
    if fit.batch_mean > 1:
        yield f"  batches           {fit.batch_mean:.4g} arrive at the same time on average; below, a batch counts once"
    if fit.resolution_s > 1e-6:
        yield f"  resolution        times are multiples of {show_duration(fit.resolution_s)}"
    for each in fit.dispersion:
        inside = "" if each.is_poisson else "  <- outside"
        about = f"windows of {each.expected:,.0f} (about {show_duration(each.about_s)})"
        by_chance = f"{each.low:.2f} to {each.high:.2f} if Poisson"
        yield f"  dispersion        {each.index:.3f} in {each.windows:,} {about}; {by_chance}{inside}"
    yield f"  autocorrelation   {fit.autocorrelation:+.3f} of consecutive counts ({_p(fit.autocorrelation_p)}, ten lags)"
    yield (
        f"  gaps              Kolmogorov-Smirnov {fit.gap_distance:.2%} ({_p(fit.gap_p)}), chi-squared {_p(fit.chi_squared_p)}, "
        f"squared variation {fit.gap_variation:.3f}"
    )
    yield from _meaning(fit)


def _range(fit: ArrivalFit) -> str:
    low, high = min(fit.rates_per_s), max(fit.rates_per_s)
    return show_rate(low) if low == high else f"{show_rate(low)} to {show_rate(high)}"


def _p(value: float) -> str:
    return f"p < {_LEAST_P}" if value < _LEAST_P else f"p = {value:.3f}"


def _meaning(fit: ArrivalFit) -> Iterator[str]:
    if fit.poisson:
        yield "  Simulated with process: poisson, its waits are those of the trace, as far as this many arrivals show."
        return
    long = fit.dispersion[-1].index if fit.dispersion else fit.gap_variation
    if _AS_MUCH[0] <= fit.wait_factor <= _AS_MUCH[1]:
        more, waits = ("closer", "short") if fit.gap_variation > 1 else ("farther", "long")
        apart = f"single arrivals are {more} together than those of a Poisson process"
        yield f"  Given this rate {apart}, but counts over longer times vary as much:"
        yield f"  simulated with it, waits behind a few others come out too {waits}, those of a busy system about right."
    else:
        more, waits = ("burstier", "short") if long > 1 else ("more regular", "long")
        yield f"  Given this rate arrivals are {more} than a Poisson process: simulated with it, waits come out too {waits}."
        yield (
            f"  In a busy system tasks wait about {fit.wait_factor:.2g} times as long as the fitted load says "
            "(exponential service times; Whitt 1983)."
        )
    yield "  Play the trace itself where waits matter: workload.arrivals.trace."
