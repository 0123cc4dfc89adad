"""`soak baseline`."""

from pathlib import Path

import click

from soak.runner.cli.options import json_option, run_directory_argument
from soak.runner.console import tell


@click.command("baseline")
@run_directory_argument
@click.argument("file", type=click.Path(path_type=Path), metavar="FILE")
@json_option
def command(run_directory: Path, file: Path, as_json: bool) -> int:
    """Pin a run as a baseline: a small file to compare later runs with, that can be kept with the code.

    \b
    Example:
      soak baseline runs/72h-20260101T000000Z baselines/72h.json
      soak compare baselines/72h.json runs/72h-20260201T000000Z
    """
    from soak.runner.compare.baseline import baseline_of
    from soak.runner.evidence.directory import refuse_in_run, write_whole
    from soak.runner.evidence.record import to_json

    refuse_in_run(file)
    pinned = baseline_of(run_directory)
    write_whole(file, to_json(pinned))
    if as_json:
        tell(to_json(pinned).decode(), nl=False)
        return 0
    tell(f"{file}: {pinned.scenario}, {pinned.target}, seed {pinned.seed}, {pinned.verdict.value}")
    return 0
