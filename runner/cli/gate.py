"""`soak gate`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from soak.runner import completing
from soak.runner.cli.options import job_summary_option, json_option, result_options
from soak.runner.console import tell
from soak.runner.output import open_if_asked, output

if TYPE_CHECKING:
    from soak.runner.evidence.directory import RunDirectory
    from soak.schemas.evidence.decision import Decision

PASSED, REFUSED = 0, 3
PAGE = "gate.html"


@click.command("gate")
@click.argument("gate_file", type=click.Path(path_type=Path), metavar="GATE", shell_complete=completing.gates)
@click.option(
    "--root",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    default=Path(),
    metavar="DIR",
    help="Directory with the evidence; the gate's patterns are relative to it. [default: the current directory]",
)
@click.option("--commit", metavar="SHA", help="Commit that every run must have been made from.")
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Directory for gate.json, gate.html, gate.md and junit.xml; earlier ones are replaced. [default: gate-NAME]",
)
@job_summary_option
@result_options
@json_option
def command(
    gate_file: Path, root: Path, commit: str | None, out: Path | None, job_summary: Path | None, as_json: bool
) -> int:
    """Accept or refuse a release candidate on its evidence: test results and run directories.

    Exit codes: 0 passed, 3 refused, 2 wrong gate file or usage.

    \b
    Examples:
      soak gate gates/rc.yaml
      soak gate gates/rc.yaml --root artifacts --commit $GIT_SHA
    """
    from soak.runner.evidence.directory import refuse_in_run
    from soak.runner.evidence.record import to_json
    from soak.runner.gate.session import decide_gate
    from soak.schemas.language.gate import load_gate

    gate = load_gate(gate_file)
    if out:
        refuse_in_run(out)
    decision = decide_gate(gate, root, commit)
    directory = _write(decision, out or Path(f"gate-{gate.name}"), job_summary)
    lines = _lines(decision, directory.path)
    if as_json:
        tell(to_json(decision).decode(), nl=False)
    else:
        tell(lines[0] if output().quiet else "\n".join(lines))
    open_if_asked(directory.file(PAGE))
    return PASSED if decision.passed else REFUSED


def _write(decision: "Decision", out: Path, job_summary: Path | None) -> "RunDirectory":
    """Write the decision in every form; returns where. Raises OutputError."""
    from soak.reports.gate import render_gate, summary
    from soak.reports.pages.gate import gate_page
    from soak.runner.evidence.directory import RunDirectory
    from soak.runner.evidence.record import to_json
    from soak.runner.job_summary import append_summary
    from soak.runner.junit import FILE, Case, write_junit

    directory, markdown = RunDirectory(out), render_gate(decision)
    directory.write("gate.json", to_json(decision))
    directory.write("gate.md", markdown)
    directory.write(PAGE, gate_page(decision))
    rules = [*decision.rules, *decision.evidence]
    cases = [Case("gate", rule.rule, "passed" if rule.ok else "failed", summary(rule)) for rule in rules]
    directory.write(FILE, write_junit(decision.gate, cases))
    append_summary(job_summary, markdown)
    return directory


def _lines(decision: "Decision", directory: Path) -> list[str]:
    lines = [f"{'PASSED' if decision.passed else 'REFUSED'}  {decision.title or decision.gate}", ""]
    for rule in (*decision.rules, *decision.evidence):
        lines.append(f"  {'holds' if rule.ok else 'broken':8}{rule.rule}{': ' + rule.detail if rule.detail else ''}")
        lines += [f"          {check.file}: {check.detail}" for check in rule.checks if not check.ok and not rule.ok]
    return [*lines, "", f"  decision: {directory / PAGE}"]
