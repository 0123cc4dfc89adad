"""`soak report`."""

from pathlib import Path

import click

from soak.runner.cli.options import json_option, open_option, quiet_option, run_directory_argument
from soak.runner.console import tell
from soak.runner.output import open_if_asked, output


@click.command("report")
@run_directory_argument
@click.option(
    "--template", type=click.Path(path_type=Path), help="Your own Jinja2 template; it is rendered in a sandbox."
)
@quiet_option
@open_option
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
    if not output().quiet or as_json:
        tell(json.dumps({"files": files}, indent=2) if as_json else "\n".join(files))
    open_if_asked(directory.file("report.html"))
    return 0
