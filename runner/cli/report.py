"""`soak report`."""

from pathlib import Path

import click

from runner.cli.options import run_directory_argument
from runner.console import tell


@click.command("report")
@run_directory_argument
@click.option(
    "--template", type=click.Path(path_type=Path), help="A Jinja2 template of your own; it is rendered in a sandbox."
)
def command(run_directory: Path, template: Path | None) -> int:
    """Render the report of a run again, from the files in its directory alone.

    \b
    Example:
      soak report runs/72h-20260101T000000Z
    """
    from runner.evidence.directory import RunDirectory
    from runner.evidence.report import render_into

    directory = RunDirectory.open(run_directory)
    written = render_into(directory, template)
    directory.write_checksums(only=written)
    for name in written:
        tell(str(directory.file(name)))
    return 0
