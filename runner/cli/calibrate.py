"""`soak calibrate`."""

from pathlib import Path
from typing import Any

import click

from soak.runner.cli.options import Positive, json_option, result_options


def _share(context: click.Context, option: click.Parameter, value: str) -> float:
    """A share above 0 % and below 100 %, such as 30% or 0.3. Raises click.BadParameter."""
    from soak.schemas.units import ratio

    try:
        share = ratio(value)
    except ValueError:
        share = 0.0
    if not 0 < share < 1:
        raise click.BadParameter(
            f"{value!r} is not a share of the run (write a share above 0% and below 100%, such as 30%)."
        )
    return share


@click.command("calibrate")
@click.argument("run_directory", type=click.Path(path_type=Path), metavar="RUN_DIR", required=False)
@click.option(
    "--arrivals",
    type=click.Path(path_type=Path),
    metavar="FILE_OR_DIR",
    help="Fit workload.arrivals alone: to a trace (CSV, JSONL, Parquet), or to the arrivals of a run.",
)
@click.option("--time", "time_column", metavar="COLUMN", help="With --arrivals FILE: the column of times.")
@click.option(
    "--timezone",
    default="UTC",
    show_default=True,
    metavar="ZONE",
    help="With --arrivals: the zone of the profile, and of times without one.",
)
@click.option("--skip-bad-rows", is_flag=True, help="With --arrivals FILE: leave out rows that cannot be read.")
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    metavar="FILE_OR_DIR",
    help="Directory to write to, new or empty, or a .yaml file for a copy of the overlay. [default: calibrations/NAME-TIME]",
)
@click.option(
    "--hold-back",
    callback=_share,
    default="30%",
    show_default=True,
    metavar="SHARE",
    help="Share of the run, at its end, that is held back to check the model calibrated on the rest.",
)
@click.option(
    "-n",
    "replications",
    type=click.IntRange(1, 100_000),
    default=100,
    show_default=True,
    help="Replications of the calibrated model to compare the held-back part with.",
)
@click.option(
    "--for-speed",
    type=Positive(100_000),
    default=1.0,
    show_default=True,
    help="Speed of the runs to predict; machine overhead is scaled to it.",
)
@click.option(
    "--as-run", is_flag=True, help="Predict runs at the speed of this one: machine overhead stays as observed."
)
@click.option(
    "--estimates",
    is_flag=True,
    help="Use every estimate, even where the scenario's value lies within its confidence interval.",
)
@click.option(
    "--least",
    type=click.FloatRange(0, 100),
    default=0.05,
    show_default=True,
    help="Tolerated distance outside the prediction interval, relative to its bound.",
)
@click.option(
    "--seed", type=click.IntRange(0, 2**53 - 1), default=1, show_default=True, help="Seed of the replications."
)
@result_options
@json_option
def command(
    run_directory: Path | None,
    arrivals: Path | None,
    time_column: str | None,
    timezone: str,
    skip_bad_rows: bool,
    out: Path | None,
    as_json: bool,
    **model: Any,
) -> int:
    """Calibrate the model on a run: service times, fault rates, arrivals and polls, each with its confidence interval,
    written as an overlay of the scenario. Part of the run is held back to check what the calibrated model predicts.

    A short real run calibrates the model, which then simulates the three days. Exit codes: 0 it predicts the held-back part,
    3 it does not, 5 too little data, or the evidence is missing or damaged, 2 usage error, 130 interrupted.

    \b
    Examples:
      soak calibrate runs/real
      soak run scenarios/72h.yaml --overlay calibrations/72h-20260101T000000Z/overlay.yaml
      soak calibrate --arrivals orders.csv --time created_at --timezone Europe/Berlin --out load.yaml
    """
    if arrivals is not None:
        from soak.runner.cli.calibrate_arrivals import tell_arrivals

        if run_directory is not None:
            raise click.UsageError("RUN_DIR calibrates the whole model, --arrivals its load alone: leave one out.")
        return tell_arrivals(arrivals, time_column, timezone, skip_bad_rows=skip_bad_rows, out=out, as_json=as_json)
    if run_directory is None:
        raise click.UsageError("Missing argument 'RUN_DIR'.")
    return _calibrate(run_directory, out, as_json=as_json, **model)


def _calibrate(run_directory: Path, out: Path | None, *, as_run: bool, as_json: bool, **model: Any) -> int:
    """Calibrate the whole model; `model`: options by the names of Request."""
    from soak.runner.calibrate.request import Request
    from soak.runner.calibrate.session import perform

    if as_run:
        model["for_speed"] = None
    analysis = perform(Request(run_directory, out=out, **model))
    # Plots take long to load, and worker pools would fork them.
    from soak.reports.calibration import summary_lines

    analysis.tell(summary_lines(analysis.result, analysis.directory), as_json=as_json)
    return analysis.result.check.answer.exit_code
