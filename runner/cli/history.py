"""`soak history`."""

from pathlib import Path

import click

from soak.runner.cli.options import json_option
from soak.runner.console import hand_over, tell

_HELP = """Write a page about the runs of a folder: trends of every objective, between which runs it changed, any two compared.

Only verdict.json and run_manifest.json are read, and only the page is written (nothing with --json and without --out). FOLDER is
runs/ by default. A change between runs is stated of 22 or more runs of one scenario and target, with an error of at most 5 % for
all objectives of these together.

\b
Examples:
  soak history
  soak history runs/nightly --out public/index.html
"""


@click.command("history", help=_HELP)
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), metavar="[FOLDER]", default="runs")
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The page to write. [default: FOLDER/index.html]",
)
@json_option
def command(folder: Path, out: Path | None, as_json: bool) -> int:
    """Write a page about the runs of a folder."""
    from soak.runner.history.session import read_history, write_page

    history = read_history(folder)
    path = None if as_json and out is None else write_page(history, out)
    if as_json:
        from soak.runner.evidence.record import to_json

        hand_over(to_json(history).decode(), nl=False)
        return 0
    from soak.reports.run_history.page import summary_lines

    tell(f"{summary_lines(history)}\n  page: {path}")
    return 0
