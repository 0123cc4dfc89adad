"""A summary for the page of a CI job: Markdown, put at the end of the file that the CI service names."""

from pathlib import Path

from schemas.errors import OutputError
from schemas.model import Scenario
from schemas.units import show_duration
from schemas.verdict import Verdict


def job_summary_of(verdict: Verdict, scenario: Scenario) -> str:
    """A run in short: its verdict, why, and every objective."""
    run = f"{verdict.target}, seed {verdict.seed}, {show_duration(verdict.ended_s)} of scenario time"
    lines = [f"## {verdict.verdict.value}: {scenario.title or verdict.scenario}", "", run, ""]
    lines += [f"- {_plain(reason)}" for reason in verdict.reasons] + [""] * bool(verdict.reasons)
    lines += ["| | objective | observed | margin |", "|---|---|---:|---:|"]
    for each in verdict.objectives:
        unit = scenario.slis[each.sli].unit
        value = "nothing" if each.value is None else unit.show_beside(each.value, each.target)
        margin = "" if each.margin is None else unit.show(each.margin)
        lines.append(f"| {each.status.value} | `{_code(each.objective)}` | {value} | {margin} |")
    return "\n".join(lines)


def _code(text: str) -> str:
    """Text inside a code span of a table: nothing but what would end the one or the other is changed."""
    return text.replace("|", "\\|").replace("\n", " ").replace("`", "'")


def _plain(text: str) -> str:
    """Text that cannot break out of a table or list."""
    return text.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ").replace("`", "'")


def append_summary(path: Path | None, markdown: str) -> None:
    """Put Markdown at the end of `path`; nothing without a path. Raises OutputError."""
    if path is None:
        return
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(markdown.rstrip() + "\n\n")
    except OSError as error:
        raise OutputError.of(path, error) from None
