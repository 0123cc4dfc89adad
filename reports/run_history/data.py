"""The runs of a folder as the page about them names them, and what its script knows of them."""

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote

import msgspec
from markupsafe import Markup

from soak.reports.run_history.listing import length_words, margin_words, scenario_words, smallest_margin
from soak.reports.run_history.trends import LEFT, RIGHT, WIDTH
from soak.schemas.evidence.runs import History, Key, RunRow, keyed
from soak.schemas.language.expression import Unit

SPARK = 12
"""Runs that a small picture of margins shows."""


@dataclass(slots=True)
class View:
    """A history, with what its parts are called in the page."""

    history: History
    to_folder: str
    runs: dict[str, RunRow] = field(init=False)
    places: dict[str, int] = field(init=False)
    series_of: dict[str, int] = field(init=False)
    sparks: dict[str, Markup] = field(init=False)
    ids: dict[Key, int] = field(init=False)

    def __post_init__(self) -> None:
        self.runs = {row.path: row for row in self.history.runs}
        self.places = {row.path: number for number, row in enumerate(self.history.runs)}
        self.series_of = {path: number for number, each in enumerate(self.history.series) for path in each.runs}
        self.sparks = dict(_sparks(self))
        self.ids = {}

    def id_of(self, key: Key) -> int:
        """A number for what an objective observes."""
        return self.ids.setdefault(key, len(self.ids))

    def href(self, row: RunRow) -> str:
        """The report of a run; empty where it has none."""
        return quote("/".join(filter(None, [self.to_folder, row.path, row.report]))) if row.report else ""

    def folder(self, row: RunRow) -> str:
        """Its directory, as on a command line."""
        folder = self.history.folder
        return shlex.quote(folder if row.path == "." else f"{folder}/{row.path}")


def _sparks(view: View) -> Iterator[tuple[str, Markup]]:
    for series in view.history.series:
        margins = [smallest_margin(view.runs[path]) for path in series.runs]
        known = [each for each in margins if each is not None]
        low, high = min(known, default=0.0), max(known, default=0.0)
        heights = [None if each is None else _height(each, low, high) for each in margins]
        for place, path in enumerate(series.runs):
            yield path, _bars(heights[max(0, place + 1 - SPARK) : place + 1])


def _height(margin: float, low: float, high: float) -> float:
    return 2 + 12 * (margin - low) / (high - low) if high > low else 8.0


def _bars(heights: Sequence[float | None]) -> Markup:
    words = "".join(f"M{5 * place + 2} 16v-{each:.3g}" for place, each in enumerate(heights) if each is not None)
    return Markup(f'<svg class="spark" viewBox="0 0 {5 * SPARK} 16" aria-hidden="true"><path d="{words}"/></svg>')


def when(row: RunRow) -> str:
    """When it started, for people."""
    return f"{row.started_at[:16].replace('T', ' ')} UTC" if row.started_at else ""


class _Objective(msgspec.Struct, array_like=True):
    """What it observes, its text, its result, value, margin and interval, as they are shown."""

    id: int
    text: int
    status: str
    value: str
    margin: str
    interval: str


class _Run(msgspec.Struct, omit_defaults=True):
    """A run of the table, in its order. series, environment: places in lists; -1 for none."""

    name: str
    folder: str
    state: str
    facts: dict[str, str]
    series: int = -1
    environment: int = -1
    real: bool = False
    href: str = ""
    objectives: list[_Objective] = []


class _Data(msgspec.Struct):
    texts: list[str]
    environments: list[dict[str, str]]
    series: list[str]
    runs: list[_Run]
    left: float
    right: float


def _data(view: View) -> _Data:
    texts: dict[str, int] = {}
    environments: dict[tuple[tuple[str, str], ...], int] = {}
    runs = [_run(view, row, texts, environments) for row in view.history.runs]
    names = [each.name for each in view.history.series]
    return _Data(list(texts), [dict(each) for each in environments], names, runs, LEFT / WIDTH, RIGHT / WIDTH)


def _run(view: View, row: RunRow, texts: dict[str, int], environments: dict[tuple[tuple[str, str], ...], int]) -> _Run:
    facts = {
        "scenario": scenario_words(row),
        "target": row.target,
        "seed": "" if row.seed is None else str(row.seed),
        "started": when(row),
        "length": length_words(row),
        "commit": f"{row.commit}{' with uncommitted changes' if row.dirty else ''}",
    }
    objectives = []
    for key, each in keyed(row.objectives):
        unit = Unit(each.unit)
        ends = "" if not each.interval else " to ".join("–" if end is None else unit.show(end) for end in each.interval)
        value = "" if each.value is None else unit.show_beside(each.value, each.target)
        place = texts.setdefault(each.objective, len(texts))
        objectives.append(
            _Objective(view.id_of(key), place, each.status.value, value, margin_words(each.relative_margin), ends)
        )
    found = tuple(row.environment.items())
    return _Run(
        name=row.path,
        folder=view.folder(row),
        state=row.state.value,
        facts=facts,
        series=view.series_of.get(row.path, -1),
        environment=environments.setdefault(found, len(environments)) if found else -1,
        real=row.clock == "real",
        href=view.href(row),
        objectives=objectives,
    )


def data_for_script(view: View) -> Markup:
    """JSON inside a script element: only a closing tag, or an opening comment, could end it."""
    return Markup(msgspec.json.encode(_data(view)).decode().replace("<", "\\u003c"))
