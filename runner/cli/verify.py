"""`soak verify`."""

from pathlib import Path

import click

from soak.runner.cli.options import json_option, run_directory_argument
from soak.runner.console import tell
from soak.schemas.errors import printable

AGREES, DIFFERS = 0, 3


@click.command("verify")
@run_directory_argument
@json_option
def command(run_directory: Path, as_json: bool) -> int:
    """Check the hashes of a run's evidence and recompute its verdict from the event stream.

    Recomputes the verdict, alerts, checkpoints, metrics and the manifest's account of the run. The report and its plots are
    checked by their hashes; `soak report` renders them again.

    Exit codes: 0 everything agrees, 3 something differs or is missing, 2 not a run directory.

    \b
    Example:
      soak verify runs/72h-20260101T000000Z
    """
    from soak.runner.evidence.directory import RunDirectory
    from soak.runner.evidence.verify import verify

    findings, verdict = verify(RunDirectory.open(run_directory))
    problems = [finding for finding in findings if finding.problem]
    outcome = verdict.verdict.value if verdict else None
    if as_json:
        import json

        rows = [{"what": finding.what, "problem": finding.problem} for finding in findings]
        tell(json.dumps({"agrees": not problems, "verdict": outcome, "findings": rows}, indent=2))
    else:
        for finding in findings:
            what = f"{finding.what}: {finding.problem}" if finding.problem else finding.what
            tell(printable(f"{'differs' if finding.problem else 'ok':8} {what}"))
        tell(f"recomputed verdict: {outcome or 'none'}; {_conclusion(len(problems))}")
    return DIFFERS if problems else AGREES


def _conclusion(problems: int) -> str:
    return f"{problems} problem{'s' if problems > 1 else ''}" if problems else "the evidence agrees"
