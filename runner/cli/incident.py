"""`soak incident`."""

from pathlib import Path

import click

from soak.runner.cli.options import json_option, run_directory_argument
from soak.runner.console import tell

FILLED_IN, EMPTY = 0, 3


@click.command("incident")
@run_directory_argument
@json_option
def command(run_directory: Path, as_json: bool) -> int:
    """List the empty fields of an aborted run's incident; a gate refuses an incident with empty fields.

    Exit codes: 0 complete, or the run was not aborted; 3 fields are empty; 5 the incident is missing.

    \b
    Example:
      soak incident runs/72h-20260101T000000Z
    """
    import json

    from soak.reports.data import read_run
    from soak.runner.evidence.directory import INCIDENT, RunDirectory
    from soak.runner.incident import empty_fields
    from soak.schemas.evidence.verdict import Outcome

    directory = RunDirectory.open(run_directory)
    aborted = read_run(run_directory).verdict.verdict is Outcome.ABORTED
    empty = empty_fields(directory.read(INCIDENT).decode("utf-8", errors="replace")) if aborted else []
    if as_json:
        tell(json.dumps({"aborted": aborted, "empty": empty}, indent=2))
    elif not aborted:
        tell(f"{run_directory}: the run was not aborted, so it has no incident")
    elif empty:
        tell(f"{directory.file(INCIDENT)}: fields to fill in: {', '.join(empty)}")
    else:
        tell(f"{directory.file(INCIDENT)}: complete")
    return EMPTY if empty else FILLED_IN
