"""`soak resume`."""

from pathlib import Path

import click

from soak.runner.cli.options import json_option, open_option, options_option, quiet_option, run_directory_argument


@click.command("resume")
@run_directory_argument
@click.option(
    "--target",
    "target_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The target file of the run, where it lies; needed if it had one.",
)
@options_option
@quiet_option
@open_option
@json_option
def command(run_directory: Path, target_file: Path | None, target_options: dict[str, str], as_json: bool) -> int:
    """Continue a real run that was interrupted, or whose runner was killed, from the end of its event stream.

    The scenario's clock is stopped while the runner is down, however long that takes. The time from the last flush of the stream
    to the death of the runner was not observed: the report shows it, and it counts as a telemetry gap. An earlier verdict and
    report are replaced when the run ends. Exit codes are those of `soak run`.

    \b
    Example:
      soak resume runs/72h-20260101T000000Z
    """
    from soak.runner.resume import resume_run

    return resume_run(run_directory, as_json=as_json, target_file=target_file, target_options=target_options)
