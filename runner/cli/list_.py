"""`soak list`."""

import shutil
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from soak.runner.cli.options import json_option
from soak.runner.console import hand_over
from soak.runner.output import has_color

if TYPE_CHECKING:
    from soak.runner.history.folder import Filter

FOLDER = "runs"
SHOWN = 30
"""Lines that a terminal is given without -n."""

STATES = ("PASS", "FAIL", "ABORTED", "INCONCLUSIVE", "RUNNING", "INCOMPLETE", "DAMAGED", "UNSUPPORTED", "FOREIGN")
_COLORS = {"PASS": "green", "FAIL": "red", "ABORTED": "red", "INCONCLUSIVE": "yellow", "RUNNING": "cyan"}
_DATES = ("%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%SZ")


def moment(text: str) -> datetime:
    """A date or a time in UTC, or a duration before now.

    Raises click.BadParameter.
    """
    from soak.schemas.units import duration

    for form in _DATES:
        try:
            return datetime.strptime(text, form).replace(tzinfo=UTC)
        except ValueError:
            continue
    try:
        return datetime.now(UTC) - timedelta(seconds=duration(text))
    except (ValueError, OverflowError):
        raise click.BadParameter(f"{text!r} is neither a date nor a duration (write 2026-01-31 or 7d).") from None


@click.command("list")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), metavar="[FOLDER]", default=FOLDER)
@click.option(
    "--scenario",
    "scenarios",
    multiple=True,
    metavar="NAME",
    help="Runs of this scenario; * matches any text. May be repeated.",
)
@click.option("--target", "targets", multiple=True, metavar="NAME", help="Runs against this target. May be repeated.")
@click.option(
    "--verdict",
    "states",
    multiple=True,
    type=click.Choice(STATES, case_sensitive=False),
    help="Runs with this verdict or state. May be repeated.",
)
@click.option(
    "--since",
    type=moment,
    metavar="WHEN",
    help="Runs that started since then: a date (2026-01-31, UTC) or a duration before now (7d).",
)
@click.option(
    "-n",
    "most",
    type=click.IntRange(0),
    metavar="N",
    help=f"The N newest runs only; 0 for all. [default: {SHOWN} on a terminal, else all]",
)
@json_option
def command(
    folder: Path,
    scenarios: tuple[str, ...],
    targets: tuple[str, ...],
    states: tuple[str, ...],
    since: datetime | None,
    most: int | None,
    as_json: bool,
) -> int:
    """List the runs of a folder, newest first: verdict, smallest margin, and how margins went in the runs like it.

    Only verdict.json and run_manifest.json are read. FOLDER is runs/ by default; folders in it are searched, too. MARGIN is what
    is left of what the tightest objective allows. Whatever is not a complete run is listed with the reason.

    \b
    Examples:
      soak list
      soak list --scenario 72h --verdict FAIL --since 7d
    """
    from soak.runner.history.folder import Filter
    from soak.schemas.evidence.runs import RunState

    chosen = Filter(scenarios, targets, tuple(map(RunState, states)), since)
    return _list(folder, chosen, most, as_json=as_json)


def _list(folder: Path, chosen: "Filter", most: int | None, *, as_json: bool) -> int:
    from soak.runner.history.folder import read_runs

    found = read_runs(folder)
    rows = [row for row in found if chosen.admits(row)]
    terminal = sys.stdout.isatty()
    shown = rows[: (SHOWN if terminal and not as_json else None) if most is None else most or None]
    if as_json:
        from soak.runner.evidence.record import to_json

        hand_over(to_json(shown).decode(), nl=False)
        return 0
    from soak.reports.run_history.listing import counts_in_words, list_lines, sparklines

    width = shutil.get_terminal_size().columns if terminal else None
    colored = has_color(sys.stdout)
    text = [
        _colored(*line) if colored else line[1] for line in list_lines(shown, sparklines(found), str(folder), width)
    ]
    older = f"; {len(rows) - len(shown):,} older ones are left out (-n 0 lists all)" if len(shown) < len(rows) else ""
    hand_over("\n".join([*(text if shown else ()), f"{counts_in_words(rows)}{older}"]))
    return 0


def _colored(state: str | None, line: str, first: int) -> str:
    if state is None:
        return click.style(line, bold=True)
    return click.style(line[:first], fg=_COLORS.get(state, "magenta"), bold=True) + line[first:]
