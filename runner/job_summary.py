"""A summary for the page of a CI job: Markdown, appended to the file that the CI service names."""

import os
from pathlib import Path

from soak.runner.console import remark
from soak.runner.evidence.directory import METRICS
from soak.runner.job_chart import chart_of
from soak.runner.worked_on import worked_on
from soak.schemas.errors import reason
from soak.schemas.evidence.verdict import Status, Verdict
from soak.schemas.language.margins import margin_words, observed_words
from soak.schemas.language.model import Scenario
from soak.schemas.language.registry import language_of
from soak.schemas.units import show_duration


def job_summary_of(verdict: Verdict, scenario: Scenario, directory: Path | None = None) -> str:
    """A run in short: its verdict, why, every objective, and a chart from the series in its `directory`."""
    run = f"{verdict.target}, seed {verdict.seed}, {show_duration(verdict.ended_s)} of scenario time"
    called = language_of(scenario.system).tasks
    if called and verdict.clock == "simulated":
        run = f"{run}; {called.simulated}"
    run = f"{run}; {worked_on(verdict, language_of(scenario.system))}"
    lines = [f"## {verdict.headline}: {_plain(scenario.title or verdict.scenario)}", "", run, ""]
    notes = [
        *verdict.reasons,
        *(f"warning: {each}" for each in verdict.warned),
        *(f"thin evidence: {caveat}" for caveat in verdict.caveats),
    ]
    lines += [f"- {_plain(note)}" for note in notes] + [""] * bool(notes)
    lines += ["| | objective | observed | margin |", "|---|---|---:|---:|"]
    for each in verdict.objectives:
        value = observed_words(each)
        if each.status is Status.NOT_APPLICABLE:
            lines.append(f"| n/a | `{_code(each.objective)}` | {value} | {_plain(each.detail)} |")
            continue
        lines.append(f"| {each.status.value} | `{_code(each.objective)}` | {value} | {margin_words(each)} |")
    if directory and (chart := chart_of(verdict, directory / METRICS)):
        lines += ["", chart]
    if directory:
        lines += [
            "",
            f"Report: `{_code(str(directory / 'report.html'))}`, check it: `soak verify {_code(str(directory))}`",
        ]
    return "\n".join(lines)


def _code(text: str) -> str:
    """Text inside a code span of a table: only what would end the span or the cell is escaped."""
    return text.replace("|", "\\|").replace("\n", " ").replace("`", "'")


def _plain(text: str) -> str:
    """Text that cannot break out of a table or list."""
    return text.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ").replace("`", "'")


def append_summary(path: Path | None, markdown: str) -> None:
    """Append Markdown to `path`, if there is one; a failure is a warning only."""
    if path is None:
        return
    try:
        # A pipe may have no reader: the run does not wait for one.
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NONBLOCK", 0), 0o666)
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="replace") as file:
            file.write(markdown.rstrip() + "\n\n")
    except OSError as error:
        remark(f"warning: {path}: {reason(error)}; the job summary was not written (the result is unaffected)")
