"""One `soak import`: from a file of another tool to the part of a scenario, as text."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from msgspec import Struct

from soak.runner.evidence.scenario_copy import as_yaml
from soak.runner.importing import k6, openslo, prometheus, taurus
from soak.runner.importing.foreign import Place, read_foreign
from soak.runner.importing.part import Builder, Imported, base_of, merge
from soak.schemas.errors import Problem, ScenarioError
from soak.schemas.files import file_name

FROM_TEMPLATE = (
    "# From the template, not from the original; the verdict depends on them, so put in those of your system:"
)


class _Format(Struct, frozen=True):
    name: str
    fits: Callable[[Place], bool]
    translate: Callable[[list[Place], Builder], None]


_FORMATS = (
    _Format(openslo.FORMAT, openslo.is_openslo, openslo.translate),
    _Format(prometheus.FORMAT, prometheus.is_rules, prometheus.translate),
    _Format(taurus.FORMAT, taurus.is_taurus, taurus.translate),
    _Format(k6.FORMAT, k6.is_k6, k6.translate),
)


def import_file(path: Path, system: str) -> Imported:
    """What a file says, in the language of a scenario of `system`; which tool it is of is seen from its content.

    Raises FileError, and ScenarioError for a file that is of none of the tools or that is wrong.
    """
    documents = read_foreign(path)
    for each in _FORMATS:
        chosen = [document for document in documents if each.fits(document)]
        if chosen:
            builder = Builder(system)
            each.translate(chosen, builder)
            return builder.finished(each.name)
    names = ", ".join(each.name for each in _FORMATS)
    remedy = (
        "check the file: rules have `groups`, OpenSLO `apiVersion`, Taurus `execution` or `reporting`, k6 `thresholds`"
    )
    raise ScenarioError([documents[0].mark.problem((), f"this is none of: {names}", remedy)])


def as_text(found: Imported, path: Path, system: str, *, whole: bool) -> str:
    """The part as YAML, with comments about where it is from; `whole`: with all that a scenario needs, to be changed."""
    data, template = (whole_of(found, system), from_template(found, system)) if whole else (found.part, {})
    lines = [
        f"# From {file_name(path)} ({found.format}).",
        "# Use it in a scenario with include:, or with --overlay."
        if not whole
        else "# What the original does not say is from a template.",
        *_listed("Not translated:", found.untranslated),
        *_listed("Not quite the same:", found.notes),
        *([FROM_TEMPLATE] if template else []),
        *(f"#   {key}: {json.dumps(value)}" for key, value in template.items()),
    ]
    return "\n".join(lines) + "\n" + (as_yaml(data) if data else "{}\n")


def whole_of(found: Imported, system: str) -> dict[str, Any]:
    """A scenario with a part, and what it needs beside it from the template of its system."""
    data: dict[str, Any] = {**base_of(system), "name": "imported", "duration": "1h", "drain": "10m"}
    merge(data, found.part)
    return data


def from_template(found: Imported, system: str) -> dict[str, Any]:
    """What of a whole scenario the file does not say, so that the verdict is one of the template's: values by their path."""
    values: dict[str, Any] = {}
    for key, value in whole_of(found, system).items():
        said = found.part.get(key)
        if isinstance(value, dict):
            known = said if isinstance(said, dict) else {}
            values |= {f"{key}.{inner}": each for inner, each in value.items() if inner not in known}
        elif said is None and key not in {"version", "name", "system"}:
            values[key] = value
    return values


def _listed(heading: str, problems: tuple[Problem, ...]) -> list[str]:
    lines = [f"#   {problem.line}:{problem.column}: {problem.what} ({problem.remedy})" for problem in problems]
    return [f"# {heading}", *lines] if lines else []
