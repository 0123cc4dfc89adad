"""The fitted load as part of a scenario, ready to paste."""

from collections.abc import Iterator
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from soak.runner.calibrate.arrivals.bins import Bins
from soak.runner.calibrate.arrivals.forms import CELLS_OF_A_CYCLE, Fit
from soak.runner.calibrate.arrivals.process import Batches
from soak.runner.calibrate.arrivals.source import Arrivals
from soak.runner.calibrate.overlay import show_value
from soak.schemas.evidence.arrivals import Form
from soak.schemas.language.shapes import DAYS
from soak.schemas.stream.block import TICKS_PER_S
from soak.schemas.units import show_duration


def start_of(arrivals: Arrivals, zone: str) -> str | None:
    """The local date and time of the first arrival, in whole seconds, with its offset; None where times are not clock times."""
    if not arrivals.clock:
        return None
    moment = datetime.fromtimestamp(arrivals.first_us // TICKS_PER_S, UTC).astimezone(ZoneInfo(zone))
    return moment.isoformat(timespec="seconds")


def scenario_text(arrivals: Arrivals, bins: Bins, fit: Fit, batches: Batches, zone: str) -> str:
    """`start`, `timezone` and `workload.arrivals`."""
    return "".join(f"{line}\n" for line in _lines(arrivals, bins, fit, batches, zone))


def _lines(arrivals: Arrivals, bins: Bins, fit: Fit, batches: Batches, zone: str) -> Iterator[str]:
    if fit.form in {Form.DAY, Form.WEEK}:
        yield f"start: {start_of(arrivals, zone)}"
        yield f"timezone: {zone}"
    yield "workload:"
    yield "  arrivals:"
    rates = [show_value(rate, "per s") for rate in fit.rates_per_s.tolist()]
    if fit.form is Form.STAGES:
        yield from _stages(bins, fit, rates)
    elif fit.form is Form.CYCLE and len(rates) > 1:
        yield from _cycle(fit, rates)
    elif fit.form is Form.CONSTANT or len(rates) == 1:
        yield f"    rate: {rates[0]}"
    else:
        yield "    profile:"
        yield f"      every: {fit.form}"
        yield "      between: step"
        yield "      points:"
        for begin, rate in zip(fit.begins.tolist(), rates, strict=True):
            day = f"{DAYS[begin // 24]} " if fit.form is Form.WEEK else ""
            yield f'        - {{at: "{day}{begin % 24:02}:00", rate: {rate}}}'
    if batches.mean > 1:
        yield f"    batch: {_batch(batches)}"


def _stages(bins: Bins, fit: Fit, rates: list[str]) -> Iterator[str]:
    if len(rates) == 1:
        yield f"    rate: {rates[0]}"
        return
    yield "    stages:"
    edges_us = [*bins.edges_us[fit.begins].tolist(), int(bins.edges_us[-1])]
    for place, rate in enumerate(rates):
        # The ends are rounded, not the lengths, so that they do not drift.
        begin, end = (round((edge - edges_us[0]) / TICKS_PER_S, 3) for edge in edges_us[place : place + 2])
        yield f"      - {{rate: {rate}, for: {end - begin:.3f}s}}"


def _cycle(fit: Fit, rates: list[str]) -> Iterator[str]:
    """The parts of a cycle from its beginning, where the last one may go on."""
    cell_s = fit.period_us / TICKS_PER_S / CELLS_OF_A_CYCLE
    begins = fit.begins.tolist()
    parts = list(zip(begins, rates, strict=True))
    if begins[0] > 0:
        parts.insert(0, (0, rates[-1]))
    yield "    repeat: true"
    yield "    stages:"
    for place, (begin, rate) in enumerate(parts):
        end = parts[place + 1][0] if place + 1 < len(parts) else CELLS_OF_A_CYCLE
        yield f"      - {{rate: {rate}, for: {show_duration((end - begin) * cell_s)}}}"


def _batch(batches: Batches) -> str:
    """All alike, geometric, or from a smallest to a largest (of which the variance is ((high - low + 1)^2 - 1) / 12)."""
    geometric = batches.mean * (batches.mean - 1)
    if batches.variance < 0.05 * geometric and abs(batches.mean - round(batches.mean)) < 0.05:
        return f"{{size: {round(batches.mean)}}}"
    if batches.variance < 0.6 * geometric:
        width = (12 * batches.variance + 1) ** 0.5 - 1
        low = max(1, round(batches.mean - width / 2))
        return f"{{low: {low}, high: {max(low, round(2 * batches.mean - low))}}}"
    return f"{{mean: {batches.mean:.4g}}}"
