"""`soak export`."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from soak.runner.cli.export_receivers import Receivers, receiver_options
from soak.runner.cli.options import json_option, run_directory_argument
from soak.runner.console import hand_over, remark, tell

if TYPE_CHECKING:
    from collections.abc import Sequence

    from soak.runner.export.metrics import MetricSnapshot

_TENTHS = 10


@click.command("export")
@run_directory_argument
@click.option("--openmetrics", "form", flag_value="openmetrics", help="OpenMetrics text, as read by promtool.")
@click.option(
    "--line-protocol", "form", flag_value="line-protocol", help="InfluxDB line protocol, timestamps in milliseconds."
)
@receiver_options
@click.option(
    "--parquet",
    "form",
    flag_value="parquet",
    help="Every event, the per-minute series and the objectives as Parquet files, in the folder --out.",
)
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="File to write; of --parquet, the folder. [default: standard output, which is also -]",
)
@click.option(
    "--step",
    metavar="DURATION",
    help="Scenario time between samples. [default: 1m, or a thousandth of a longer run]",
)
@click.option(
    "--start",
    metavar="TIME",
    help="Wall-clock time of scenario time zero, such as 2026-01-01T00:00:00+09:00. [default: the start of a real run; for a"
    " simulated run, so that it ends when it was made]",
)
@json_option
def command(
    run_directory: Path,
    form: str | None,
    out: Path | None,
    step: str | None,
    start: str | None,
    as_json: bool,
    **receivers: Any,
) -> int:
    """Write the time series of a finished run, simulated or real, for a database; or all of it as Parquet; or send it.

    A token is taken from SOAK_EXPORT_TOKEN, a user name and password from SOAK_EXPORT_USERNAME and SOAK_EXPORT_PASSWORD.

    \b
    Example:
      soak export runs/72h-20260101T000000Z --openmetrics --out metrics.om
      promtool tsdb create-blocks-from openmetrics metrics.om prometheus-data
      soak export runs/72h-20260101T000000Z --parquet --out tables
      soak export runs/72h-20260101T000000Z --otlp http://127.0.0.1:4318
    """
    to = Receivers(**receivers)
    out = None if out == Path("-") else out
    if to.given:
        if form or out:
            raise click.UsageError("a run is either written or sent (remove --out and the format, or the receiver)")
        return to.send(run_directory, _step_s(step), _moment(start), _Progress(), as_json=as_json)
    if form is None:
        raise click.UsageError("no format given (add --openmetrics, --line-protocol or --parquet, or --otlp URL)")
    if form == "parquet":
        if step is not None or start is not None:
            raise click.UsageError("--parquet writes events as they are, in scenario time (remove --step and --start)")
        return _tables(run_directory, out, as_json=as_json)
    return _series(run_directory, form, out, step, start, as_json=as_json)


def _tables(run_directory: Path, out: Path | None, *, as_json: bool) -> int:
    """Parquet files."""
    import json

    from soak.runner.api import open_run
    from soak.runner.evidence.directory import refuse_in_run
    from soak.runner.extras import need

    if out is None:
        raise click.UsageError("--parquet writes several files (add --out DIR)")
    need("arrow", "soak export --parquet")
    run = open_run(run_directory)
    refuse_in_run(out)
    if out.exists() and not out.is_dir():
        raise click.UsageError(f"{out}: is not a folder (choose another --out)")
    from soak.runner.export.parquet import export_parquet

    written = export_parquet(run, out)
    if as_json:
        tell(json.dumps([{"file": str(each.path), "rows": each.rows} for each in written], indent=2))
        return 0
    for each in written:
        tell(f"{each.path}: {each.rows:,} row{'' if each.rows == 1 else 's'}")
    return 0


def _series(
    run_directory: Path, form: str, out: Path | None, step: str | None, start: str | None, *, as_json: bool
) -> int:
    """Samples for a database."""
    import json

    from soak.runner.evidence.directory import RunDirectory, refuse_in_run, write_whole
    from soak.runner.export.backfill import snapshots_of
    from soak.runner.extras import need

    if as_json and out is None:
        raise click.UsageError("--json reports on the file written (add --out FILE)")
    need("export", f"soak export --{form}")
    directory = RunDirectory.open(run_directory)
    if out:
        refuse_in_run(out)
    snapshots = snapshots_of(directory, _step_s(step), _moment(start), _Progress())
    content = _written(form, snapshots)
    if out is None:
        hand_over(content.decode(), nl=False)
        return 0
    write_whole(out, content)
    figures = {"file": str(out), "snapshots": len(snapshots), "values": sum(len(each.readings) for each in snapshots)}
    tell(
        json.dumps(figures, indent=2)
        if as_json
        else f"{out}: {figures['values']:,} values at {figures['snapshots']:,} times"
    )
    return 0


def _written(form: str, snapshots: "Sequence[MetricSnapshot]") -> bytes:
    if form == "openmetrics":
        from soak.runner.export.families import open_metrics

        return open_metrics(snapshots)
    from soak.runner.export.influxdb import line_protocol

    return line_protocol(snapshots)


def _step_s(text: str | None) -> float | None:
    from soak.schemas.units import duration

    if text is None:
        return None
    try:
        step_s = duration(text)
    except ValueError:
        step_s = 0.0
    if step_s < 1:
        raise click.UsageError(f"--step: {text!r} is not a duration of at least 1s (write 1m or 30s)")
    return step_s


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        what = f"--start: {text!r} is not a time with a time zone"
        raise click.UsageError(f"{what} (write 2026-01-01T00:00:00Z, or +09:00 for the Z)")
    return moment


class _Progress:
    """Prints a progress line for every tenth."""

    def __init__(self) -> None:
        self._said = 0

    def __call__(self, share: float) -> None:
        tenth = int(_TENTHS * share)
        if self._said < tenth < _TENTHS:
            self._said = tenth
            remark(f"  {tenth * 10} % of the run")
