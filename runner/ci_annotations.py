"""What a verdict rests on as annotations of GitHub Actions: each at its line of the scenario, where a pull request shows it.

A workflow command is a line of output, `::error file=…,line=…,title=…::message`; see
https://docs.github.com/actions/reference/workflow-commands-for-github-actions.
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from soak.schemas.evidence.verdict import Reason, ReasonKind, Status, Verdict
from soak.schemas.language.load import Loaded

RUNNING, WORKSPACE = "GITHUB_ACTIONS", "GITHUB_WORKSPACE"
_SECTIONS = {ReasonKind.ALERT: "alerts", ReasonKind.ABORT: "abort", ReasonKind.FAULT: "faults"}
"""The section of the scenario that has an entry of a name."""


def annotations_of(verdict: Verdict, loaded: Loaded, environment: Mapping[str, str] = os.environ) -> Iterator[str]:
    """A command for each reason of a verdict and for each warning; none outside of GitHub Actions."""
    if environment.get(RUNNING) != "true":
        return
    root = Path(environment.get(WORKSPACE) or ".")
    for each in verdict.typed_reasons:
        level = "error" if each.status is Status.FAIL else "warning"
        yield _command(level, loaded, _place(each, loaded), f"{verdict.verdict.value}: {each.subject}", each.text, root)
    warned = [each for each in verdict.objectives if isinstance(each.warning, str)]
    for objective in warned:
        place = _of_objective(objective.objective, loaded)
        yield _command("warning", loaded, place, f"warning level: {objective.objective}", str(objective.warning), root)


def _place(reason: Reason, loaded: Loaded) -> tuple[str | int, ...]:
    """Where in the scenario the subject of a reason is; empty for what is in none of its lines."""
    if reason.kind is ReasonKind.OBJECTIVE:
        return _of_objective(reason.subject, loaded)
    section = _SECTIONS.get(reason.kind, "")
    entries: Any = loaded.data.get(section) or []
    places = [number for number, entry in enumerate(entries) if _name_of(entry) == reason.subject]
    return (section, places[0]) if section and places else ()


def _name_of(entry: Any) -> str:
    return str(entry.get("name", "")) if isinstance(entry, dict) else ""


def _of_objective(text: str, loaded: Loaded) -> tuple[str | int, ...]:
    entries = [each.entry for each in loaded.scenario.objectives if each.comparison.text == text]
    return ("slos", entries[0]) if entries else ("slos",)


def _command(level: str, loaded: Loaded, where: tuple[str | int, ...], title: str, message: str, root: Path) -> str:
    """A workflow command; what came by `--set` has no line, and is said of the file."""
    mark = loaded.document.mark(where)
    source = Path(mark.source) if mark.line else loaded.source
    properties = {"file": _below(source, root)}
    if mark.line and where:
        properties |= {"line": str(mark.line), "col": str(mark.column)}
    properties["title"] = f"soak {title}"
    written = ",".join(f"{name}={_property(value)}" for name, value in properties.items())
    return f"::{level} {written}::{_data(message)}"


def _below(path: Path, root: Path) -> str:
    """A file as the repository names it."""
    try:
        return path.resolve().relative_to(root.resolve()).as_posix()
    except ValueError:
        return path.as_posix()


def _data(text: str) -> str:
    """The message of a command: what would end it, or begin an escape, is escaped."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
