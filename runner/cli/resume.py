"""`soak resume`."""

from pathlib import Path

import click

from runner.cli.options import json_option, run_directory_argument


@click.command("resume")
@run_directory_argument
@json_option
def command(run_directory: Path, as_json: bool) -> int:
    """Go on with a real run whose runner was killed, from where its event stream breaks off.

    The scenario's clock stood still meanwhile. The time in which nothing was observed is in the report, and counts as a gap
    in the telemetry. Exit codes as of `soak run`.

    \b
    Example:
      soak resume runs/72h-20260101T000000Z
    """
    from runner.resume import resume_run

    return resume_run(run_directory, as_json=as_json)
