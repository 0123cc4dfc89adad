"""The part of a scenario that is made of a file of another tool, entry by entry, each tried against the language."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from msgspec import Struct

from soak.schemas.errors import Mark, Problem, ScenarioError, shortened
from soak.schemas.files import Folders
from soak.schemas.language.document import Data, parse_document
from soak.schemas.language.load import Sources
from soak.schemas.language.model import Scenario, Workload
from soak.schemas.language.registry import language_of
from soak.schemas.language.schema import own_keys

Part = Mapping[str, Any]

_KEPT = ("version", "name", "system", "http", "workload")
_REPLACED = frozenset({"arrivals", "users", "tenants", "kinds"})
"""Keys of a workload whose values are never added to those of a template."""
_LONG = "30d"
_NAME = re.compile(r"[^A-Za-z0-9_.-]+")


class Imported(Struct, frozen=True):
    """What was made of a file: the part of a scenario, what could not be translated, and what is not quite the same."""

    format: str
    part: dict[str, Any]
    untranslated: tuple[Problem, ...]
    notes: tuple[Problem, ...]


@dataclass(slots=True)
class Builder:
    """Collects a part. What the language refuses is listed, with its words."""

    system: str
    part: dict[str, Any] = field(default_factory=dict)
    untranslated: list[Problem] = field(default_factory=list)
    notes: list[Problem] = field(default_factory=list)
    wrong: list[Problem] = field(default_factory=list)

    def offer(self, mark: Mark, said: str, *parts: Part, notes: Sequence[str] = (), beside: Part | None = None) -> bool:
        """Take the first of `parts` that the language accepts; else list what the original `said`.

        beside: what the scenario that the part belongs to has, and the part refers to.
        """
        why: Problem | None = None
        for each in parts:
            problems = self._problems(each, beside or {})
            if not problems:
                merge(self.part, each)
                for note in notes:
                    self.note(mark, said, note)
                return True
            why = problems[0]
        assert why
        self.untranslated.append(mark.problem((), f"{shortened(said)}: {why.what}", f"{why.remedy}; it is left out"))
        return False

    def refuse(self, mark: Mark, said: str, why: str, remedy: str = "it is left out") -> None:
        """List what a scenario cannot say."""
        self.untranslated.append(mark.problem((), f"{shortened(said)}: {why}", remedy))

    def note(self, mark: Mark, said: str, what: str) -> None:
        """List what is said somewhat differently."""
        self.notes.append(mark.problem((), f"{shortened(said)}: {what}", "check that this is meant"))

    def error(self, mark: Mark, what: str, remedy: str) -> None:
        """An input that is wrong: nothing is written in the end."""
        self.wrong.append(mark.problem((), what, remedy))

    def name(self, text: str, section: str) -> str:
        """A name for an entry, unique in its section, from any text."""
        plain = _NAME.sub("-", text).strip("-.") or "condition"
        taken = {each["name"] for each in self.part.get(section, ()) if isinstance(each, dict) and "name" in each}
        candidates = (f"{plain}-{number}" if number > 1 else plain for number in range(1, len(taken) + 2))
        return next(each for each in candidates if each not in taken)

    def finished(self, format_: str) -> Imported:
        """The part. Raises ScenarioError for input that is wrong."""
        if self.wrong:
            raise ScenarioError(self.wrong)
        order = {key: number for number, key in enumerate(("duration", "workload", "slis", "slos", "alerts", "abort"))}
        part = dict(sorted(self.part.items(), key=lambda item: order.get(item[0], 99)))
        return Imported(format_, part, _ordered(self.untranslated), _ordered(self.notes))

    def workload(self) -> Workload:
        """The workload of the part so far, else that of the template."""
        whole = base_of(self.system)
        merge(whole, {"workload": self.part.get("workload", {})})
        return _load(whole).workload

    def _problems(self, part: Part, beside: Part) -> tuple[Problem, ...]:
        whole = base_of(self.system)
        merge(whole, beside)
        if "slis" in self.part:
            whole["slis"] = dict(self.part["slis"])
        merge(whole, part)
        try:
            _load(whole)
        except ScenarioError as error:
            return error.problems
        return ()


def _load(whole: Part) -> Scenario:
    document = parse_document(json.dumps(whole), "imported")
    return Sources(Path("imported"), document, (), Folders([Path()])).load().scenario


def _ordered(problems: list[Problem]) -> tuple[Problem, ...]:
    unique = dict.fromkeys(sorted(problems, key=lambda each: (each.source, each.line, each.column)))
    return tuple(unique)


def base_of(system: str) -> dict[str, Any]:
    """A long scenario of a system without objectives and faults, to try entries in."""
    base: dict[str, Any] = json.loads(_base(system))
    return base


@cache
def _base(system: str) -> str:
    path = language_of(system).template
    data: Data = parse_document(path.read_bytes(), path.name).data if path else None
    template = data if isinstance(data, dict) else {}
    kept = (*_KEPT, *own_keys(system))
    return json.dumps({**{key: template[key] for key in kept if key in template}, "duration": _LONG})


def merge(whole: dict[str, Any], part: Part) -> None:
    """Add a part to a scenario. Lists of a part are appended, mappings merged; what says the load replaces what did."""
    for key, value in part.items():
        if key in _REPLACED or key not in whole:
            whole[key] = json.loads(json.dumps(value))
        elif isinstance(value, list):
            whole[key] = [*whole[key], *(each for each in value if each not in whole[key])]
        elif isinstance(value, dict) and isinstance(whole[key], dict):
            if key == "workload" and "users" in value:
                whole[key] = {inner: kept for inner, kept in whole[key].items() if inner != "arrivals"}
            whole[key] = dict(whole[key])
            merge(whole[key], value)
        else:
            whole[key] = value
