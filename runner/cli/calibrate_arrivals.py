"""`soak calibrate --arrivals`: the load of a trace or run."""

import zoneinfo
from pathlib import Path

from soak.runner.console import tell
from soak.schemas.errors import UsageError, quoted

NOT_POISSON = 3


def tell_arrivals(
    path: Path, time_column: str | None, zone: str, *, skip_bad_rows: bool, out: Path | None, as_json: bool
) -> int:
    """Fit the load, print it and write it to `out`. Returns 0 where arrivals are Poisson given the rate, otherwise 3."""
    from soak.reports.arrivals import arrival_lines
    from soak.runner.calibrate.arrivals.session import fit_arrivals
    from soak.runner.calibrate.arrivals.source import of_run, of_trace
    from soak.runner.evidence.directory import refuse_in_run, write_whole
    from soak.runner.evidence.record import to_json
    from soak.schemas.trace.settings import Reading

    try:
        zoneinfo.ZoneInfo(zone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise UsageError(f"--timezone: {quoted(zone)} is not a time zone (write one such as Europe/Berlin)") from None
    if out is not None:
        refuse_in_run(out)
        if out.exists():
            raise UsageError(f"{out}: exists already (choose another --out)")
    if path.is_dir():
        found = of_run(path)
    elif time_column is None:
        raise UsageError(f"{path}: which column has the times? (add --time created_at)")
    else:
        found = of_trace(Reading(path, time_column, zone=zone, skip=skip_bad_rows))
    fit = fit_arrivals(found, zone)
    if out is not None:
        write_whole(out, fit.scenario.encode())
    text = to_json(fit).decode() if as_json else f"{arrival_lines(fit)}\n\n{fit.scenario}".rstrip("\n")
    tell(text, nl=not as_json)
    return 0 if fit.poisson else NOT_POISSON
