"""`soak resume`."""

from pathlib import Path

import click

from soak.runner.cli.options import json_option, run_directory_argument


@click.command("resume")
@run_directory_argument
@json_option
def command(run_directory: Path, as_json: bool) -> int:
    """Go on with a real run that was interrupted, or whose runner was killed, from where its event stream breaks off.

    The scenario's clock stood still meanwhile, however long that was. The time from the last flush of the stream to the death
    of the runner was not observed: it is in the report, and counts as a gap in the telemetry. The verdict and the report of an
    earlier end are replaced when the run comes to a new one. Exit codes as of `soak run`.

    \b
    Example:
      soak resume runs/72h-20260101T000000Z
    """
    from soak.runner.resume import resume_run

    return resume_run(run_directory, as_json=as_json)
