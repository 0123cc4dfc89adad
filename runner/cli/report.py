"""`soak report`."""

from pathlib import Path

import click

from soak.runner.cli.options import json_option, run_directory_argument
from soak.runner.console import tell


@click.command("report")
@run_directory_argument
@click.option(
    "--template", type=click.Path(path_type=Path), help="Your own Jinja2 template; it is rendered in a sandbox."
)
@json_option
def command(run_directory: Path, template: Path | None, as_json: bool) -> int:
    """Render the report of a run again, from the files in its directory only.

    \b
    Example:
      soak report runs/72h-20260101T000000Z
    """
    import json

    from soak.runner.evidence.directory import RunDirectory
    from soak.runner.evidence.report import render_whatever

    directory = RunDirectory.open(run_directory)
    written = render_whatever(directory, template)
    directory.write_checksums(only=written)
    files = [str(directory.file(name)) for name in written]
    tell(json.dumps({"files": files}, indent=2) if as_json else "\n".join(files))
    return 0
