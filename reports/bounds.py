"""A run as reports show it, whatever its evidence holds: texts of bounded length, and of very long lists the worst entries."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from soak.reports.data import RunData, read_run
from soak.reports.texts import brief
from soak.schemas.evidence.verdict import ObjectiveResult, Status, Verdict

T = TypeVar("T")

MANY, WORST = 100, 20
"""Of a list with more than MANY entries, WORST are shown."""

LONGEST_DESCRIPTION = 20_000
_ORDER = {Status.FAIL: 0, Status.INCONCLUSIVE: 1, Status.PASS: 2, Status.NOT_APPLICABLE: 3}
_TAG = re.compile(r"<(?=[A-Za-z/!?])")
"""What could begin an element of HTML in Markdown."""


class ShownVerdict(Verdict, frozen=True):
    """A verdict of which long lists are shortened; what is counted is counted in the whole one."""

    whole: Verdict | None = None

    @property
    def headline(self) -> str:
        """That of the whole verdict."""
        return self.whole.headline if self.whole else super().headline

    @property
    def applicable(self) -> list[ObjectiveResult]:
        """All that apply."""
        return self.whole.applicable if self.whole else super().applicable

    @property
    def thin(self) -> list[ObjectiveResult]:
        """All on thin evidence."""
        return self.whole.thin if self.whole else super().thin


def read_shown(directory: Path, *, markdown: bool = False) -> RunData:
    """The run in `directory` as reports show it. Raises EvidenceError."""
    return bounded(read_run(directory), markdown=markdown)


def bounded(run: RunData, *, markdown: bool = False) -> RunData:
    """A run whose texts and lists are bounded. `markdown`: its texts are on one line and hold no elements of HTML."""
    text = _in_markdown if markdown else brief
    cut = _Cut(text)
    verdict = cut.verdict(run.verdict)
    scenario = run.scenario
    title = text(scenario.title)
    description = (_TAG.sub("&lt;", scenario.description) if markdown else scenario.description) or ""
    return msgspec.structs.replace(
        run,
        verdict=verdict,
        manifest=cut.of(run.manifest, "manifest"),
        checkpoints=cut.of(run.checkpoints, "checkpoints"),
        scenario=msgspec.structs.replace(scenario, title=title, description=brief(description, LONGEST_DESCRIPTION)),
        left_out=tuple(cut.left_out),
        caveats_in_all=len(run.verdict.caveats),
    )


def _in_markdown(text: str) -> str:
    return _TAG.sub("&lt;", brief(text).replace("\n", " "))


@dataclass(slots=True)
class _Cut:
    """Shortens what it is given; `left_out` says, in sentences, what is not shown."""

    text: Callable[[str], str]
    left_out: list[str] = field(default_factory=list)

    def verdict(self, verdict: Verdict) -> Verdict:
        """A verdict: its objectives by families, so that none of a few is hidden by one of thousands."""
        objectives = self._objectives(verdict.objectives)
        short: Verdict = self.of(msgspec.structs.replace(verdict, objectives=objectives, slis={}), "verdict")
        short = msgspec.structs.replace(short, slis=verdict.slis)
        if not self.left_out:
            return short
        fields = {name: getattr(short, name) for name in short.__struct_fields__}
        every = [self._struct(each) for each in verdict.objectives]
        return ShownVerdict(**fields, whole=msgspec.structs.replace(verdict, objectives=every))

    def _objectives(self, objectives: list[ObjectiveResult]) -> list[ObjectiveResult]:
        if len(objectives) <= MANY:
            return objectives
        families: dict[tuple[str, str, tuple[str, ...]], list[ObjectiveResult]] = {}
        for each in objectives:
            families.setdefault((each.sli, each.op, tuple(each.labels)), []).append(each)
        kept: list[ObjectiveResult] = []
        for (sli, _, labels), family in families.items():
            by = f" by {' and '.join(labels)}" if labels else ""
            kept += self._worst(family, f"objectives on {sli}{by}", _badness)
        return kept

    def _worst(self, entries: Sequence[T], what: str, badness: Callable[[T], Any]) -> list[T]:
        if len(entries) <= MANY:
            return list(entries)
        ordered = sorted(entries, key=badness)
        statuses = Counter(str(status) for each in ordered[WORST:] if (status := getattr(each, "status", None)))
        counted = ", ".join(f"{count:,} {status}" for status, count in statuses.items())
        more = f"{len(entries) - WORST:,} more {what}{f' ({counted})' if counted else ''}"
        self.left_out.append(self.text(f"{more}: the {WORST} shown are the worst, or the first"))
        return ordered[:WORST]

    def of(self, value: Any, what: str) -> Any:
        """Anything of the evidence, shortened; `what` it is, in a word."""
        if type(value) is str:
            return self.text(value)
        if isinstance(value, msgspec.Struct):
            return self._struct(value)
        if isinstance(value, list):
            return [self.of(each, what) for each in self._worst(value, what.replace("_", " "), _by_status)]
        if isinstance(value, tuple):
            return tuple(self.of(each, what) for each in value)
        if isinstance(value, dict):
            return self._dict(value, what)
        return value

    def _struct(self, value: msgspec.Struct) -> msgspec.Struct:
        changed = {}
        for name in value.__struct_fields__:
            before = getattr(value, name)
            after = self.of(before, name)
            if after is not before:
                changed[name] = after
        return msgspec.structs.replace(value, **changed) if changed else value

    def _dict(self, value: dict[str, Any], what: str) -> dict[str, Any]:
        entries = self._worst(list(value.items()), what.replace("_", " "), _by_count)
        short: dict[str, Any] = {}
        for key, each in entries:
            name = self.text(key)
            while name in short:
                name += " "
            short[name] = self.of(each, what)
        return short


def _badness(objective: ObjectiveResult) -> tuple[int, float]:
    """Worse ones first: by status, then by margin as a share of the target."""
    scale = abs(objective.target) if objective.target else 1.0
    return _ORDER.get(objective.status, 1), (objective.margin or 0.0) / scale


def _by_status(value: object) -> int:
    return _ORDER.get(getattr(value, "status", None) or Status.PASS, 1)


def _by_count(entry: tuple[str, object]) -> float:
    count = entry[1]
    return -count if isinstance(count, int | float) else 0.0
