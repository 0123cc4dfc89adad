"""`soak verify`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from soak.runner.cli.options import json_option, run_directory_argument
from soak.runner.console import tell
from soak.schemas.errors import printable

if TYPE_CHECKING:
    from soak.runner.evidence.checksums import Finding

AGREES, DIFFERS, UNCONFIRMED = 0, 3, 5


@click.command("verify")
@run_directory_argument
@json_option
def command(run_directory: Path, as_json: bool) -> int:
    """Check the hashes of a run's evidence and recompute its verdict from the event stream.

    Recomputes the verdict, alerts, checkpoints, metrics and the manifest's account of the run. The report and its plots are
    checked by their hashes; `soak report` renders them again.

    A run of an earlier release is judged again by the rules of this one. Where that gives something else, the hashes can
    still say that nothing was changed since; what the verdict rests on is then confirmed by the release that made it alone.

    Reviews (reviews.json) are not sealed and change no exit code; those of other evidence are named.

    Exit codes: 0 everything agrees, 3 something differs or is missing, 5 the rules of this release give something else for
    a run of another one, 2 not a run directory.

    \b
    Example:
      soak verify runs/72h-20260101T000000Z
    """
    from soak.runner.evidence.directory import RunDirectory
    from soak.runner.evidence.origin import other_release
    from soak.runner.evidence.verify import verify

    directory = RunDirectory.open(run_directory)
    findings, verdict = verify(directory)
    maker = other_release(directory)
    problems = [finding for finding in findings if finding.problem]
    refuted = [finding for finding in problems if not finding.other_rules]
    outcome = verdict.verdict.value if verdict else None
    if as_json:
        import json

        rows = [{"what": each.what, "problem": each.problem, "other_rules": each.other_rules} for each in findings]
        told = {"agrees": not problems, "verdict": outcome, "other_release": maker and str(maker), "findings": rows}
        tell(json.dumps({**told, "reviews": _doubts_of_reviews(directory.path)}, indent=2))
    else:
        if maker:
            tell(printable(f"made by {maker}; judged again by the rules of this release"))
        _tell_findings(findings, directory.path)
        tell(f"recomputed verdict: {outcome or 'none'}; {_conclusion(len(refuted), len(problems) - len(refuted))}")
    return DIFFERS if refuted else UNCONFIRMED if problems else AGREES


def _tell_findings(findings: "list[Finding]", path: Path) -> None:
    for finding in findings:
        what = f"{finding.what}: {finding.problem}" if finding.problem else finding.what
        tell(printable(f"{_word(finding):8} {what}"))
    for doubt in _doubts_of_reviews(path):
        tell(printable(f"review   {doubt}"))


def _doubts_of_reviews(path: Path) -> list[str]:
    """The reviews that are of other evidence, or why none can be read."""
    from soak.reports.reviews import shown_reviews

    shown = shown_reviews(path)
    return [shown.problem] if shown.problem else [each.problem for each in shown.rows if each.problem]


def _word(finding: "Finding") -> str:
    return "ok" if not finding.problem else "rules" if finding.other_rules else "differs"


def _conclusion(problems: int, by_rules: int) -> str:
    if problems:
        return f"{problems} problem{'s' if problems > 1 else ''}"
    if by_rules:
        files = f"{by_rules} file{'s are' if by_rules > 1 else ' is'}"
        return (
            f"the hashes agree; {files} not what the rules of this release give (verify it with the one that made it)"
        )
    return "the evidence agrees"
