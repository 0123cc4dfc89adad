"""index.html: the runs of a folder in one self-contained page, with trends, changes, and the comparison of any two."""

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote

import msgspec
from markupsafe import Markup

from soak.reports.look.page import Head, document
from soak.reports.look.table import AnyCell, Cell, Column, Table, Tone
from soak.reports.run_list import (
    commit_words,
    counts_in_words,
    length_words,
    margin_words,
    scenario_words,
    smallest_margin,
)
from soak.reports.run_trends import LEFT, RIGHT, WIDTH, draw_trend
from soak.reports.summary import make_environment
from soak.schemas.evidence.changepoints import ChangeKind
from soak.schemas.evidence.runs import (
    FAMILY_ERROR,
    LEAST_RUNS,
    History,
    Key,
    RunChange,
    RunRow,
    RunSeries,
    RunState,
    Trend,
    keyed,
)
from soak.schemas.language.expression import Unit
from soak.schemas.units import show_ratio

TEMPLATE = "history.html.j2"
NOTHING_ELSE = "nothing else that the evidence names differs"
MADE_BY = "soak history"
"""What the page says it was made by: nothing else is overwritten."""

SPARK = 12
"""Runs that a small picture of margins shows."""

_TONES = {
    RunState.RUNNING: Tone.NOW,
    RunState.INCOMPLETE: Tone.DOUBT,
    RunState.DAMAGED: Tone.DOUBT,
    RunState.UNSUPPORTED: Tone.DOUBT,
}
_CHANGE_TONES = {True: Tone.OK, False: Tone.BAD, None: Tone.DOUBT}


@dataclass(frozen=True, slots=True)
class Found:
    """A change with the objective and the series that it is of."""

    series: RunSeries
    trend: Trend
    change: RunChange


def render_history(history: History, to_folder: str) -> str:
    """The page. to_folder: the relative path from the page to the folder of the runs, empty where it lies in it."""
    view = _View(history, to_folder)
    found = list(changes_of(history))
    return document(
        make_environment(escaped=True),
        TEMPLATE,
        Head(
            title="Runs",
            kicker=history.folder.rstrip("/").rsplit("/", 1)[-1],
            lead=lead(history, found),
            made=f"Made by {MADE_BY}.",
        ),
        series_table=_series_table(view),
        change_table=_change_table(view, found),
        change_note=change_note(),
        run_table=_run_table(view),
        series=[(number, each, _panels(view, each)) for number, each in _changed_first(history.series)],
        data=_script_safe(_data(view)),
        made_by=MADE_BY,
    )


def changes_of(history: History) -> Iterator[Found]:
    """All changes, those with the newest runs first."""
    runs = {row.path: row for row in history.runs}
    found = [
        Found(series, trend, each) for series in history.series for trend in series.trends for each in trend.changes
    ]
    yield from sorted(found, key=lambda each: runs[each.change.after].started_at, reverse=True)


def lead(history: History, found: Sequence[Found]) -> str:
    """The answer in a sentence or two: how many runs there are, and what changed."""
    counted = f"{counts_in_words(history.runs)}."
    trends = [trend for series in history.series for trend in series.trends]
    if found:
        newest = found[0]
        commit = next(row.commit for row in history.runs if row.path == newest.change.after)
        more = f", the newest of {len(found)} changes" if len(found) > 1 else ""
        return f"{counted} {newest.trend.objective} of {newest.series.name} {change_words(newest, commit)}{more}."
    silent = sum(1 for trend in trends if trend.detail)
    if not trends or silent == len(trends):
        needed = f"{LEAST_RUNS} runs of one scenario and target are needed"
        return f"{counted} Nothing can be said yet of changes between runs: {needed}."
    return f"{counted} No change between runs was found in {len(trends) - silent} of {len(trends)} objectives."


def change_words(found: Found, commit: str = "") -> str:
    """What changed: `went from 82s to 123s with run X (commit 1a2b3c4d)`. commit: that of the first run after it."""
    change, unit = found.change, Unit(found.trend.unit)
    went = f"{unit.show(change.old)} to {unit.show(change.new)}"
    if change.kind is ChangeKind.DRIFT:
        return f"drifted from {went} between {change.before} and {change.after}"
    return f"went from {went} with {change.after}{f' (commit {commit[:8]})' if commit else ''}"


def change_note() -> str:
    """What a change means, and how often there is one by mistake."""
    error = f"at most {show_ratio(FAMILY_ERROR)} of all groups of one scenario and target have any change here"
    limits = f"Of fewer than {LEAST_RUNS} runs nothing is said."
    return f"E-divisive with a permutation test: where runs differ by chance only, {error}. {limits}"


@dataclass(slots=True)
class _View:
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


def _sparks(view: _View) -> Iterator[tuple[str, Markup]]:
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


def _verdict(state: RunState, *, href: str = "") -> Cell:
    return Cell(state.value, tone=_TONES.get(state, Tone.NONE), href=href)


def _series_table(view: _View) -> Table:
    columns = [
        Column("scenario and target"),
        Column("runs", number=True),
        Column("newest", status=True),
        Column("when"),
    ]
    columns += [Column("smallest margin", number=True, hint=_MARGIN), Column("margins"), Column("changes", number=True)]
    rows: list[Sequence[AnyCell]] = []
    for number, series in enumerate(view.history.series):
        newest = view.runs[series.runs[-1]]
        changes = sum(len(trend.changes) for trend in series.trends)
        searched = any(not trend.detail for trend in series.trends)
        rows.append(
            [
                Cell(series.name, href=f"#series-{number}"),
                f"{len(series.runs):,}",
                _verdict(newest.state),
                _when(newest),
                _margin(newest),
                view.sparks[newest.path],
                f"{changes}"
                if searched
                else Cell("–", title=f"Fewer than {LEAST_RUNS} runs, or runs that depend on each other"),
            ]
        )
    return Table(columns, rows, caption="Scenarios and targets", empty="No run with a verdict.")


_MARGIN = "What is left of what the tightest objective allows: of a limit, or of the error budget of a share"


def _when(row: RunRow) -> str:
    return f"{row.started_at[:16].replace('T', ' ')} UTC" if row.started_at else ""


def _margin(row: RunRow) -> Cell:
    tightest = row.tightest if row.state.judged else None
    return Cell(margin_words(smallest_margin(row)) or "–", small=[tightest.objective]) if tightest else Cell("")


def _change_table(view: _View, found: Sequence[Found]) -> Table:
    columns = [
        Column("objective"),
        Column("was", number=True),
        Column("is", number=True),
        Column("since"),
        Column("what else differs", wide=True),
        Column("p", number=True),
    ]
    rows = [list(_change_row(view, each)) for each in found]
    empty = (
        "None found."
        if any(not trend.detail for each in view.history.series for trend in each.trends)
        else "Nothing can be said yet."
    )
    return Table(columns, rows, caption="Changes between runs", empty=empty)


def _change_row(view: _View, found: Found) -> Iterator[AnyCell]:
    change, unit = found.change, Unit(found.trend.unit)
    yield Cell(found.trend.objective, small=[found.series.name], href=f"#series-{view.series_of[change.after]}")
    yield unit.show(change.old)
    yield Cell(unit.show(change.new), tone=_CHANGE_TONES[change.better], small=_judgement(change))
    first, last = (view.runs[each] for each in change.interval)
    drift = change.kind is ChangeKind.DRIFT
    around = f"between {_when(first)} and {_when(last)}" if first is not last else ""
    after = view.runs[change.after]
    yield Cell(
        after.path, small=list(filter(None, [_when(after), "a drift" if drift else "", around])), href=view.href(after)
    )
    yield Cell("; ".join(change.differences) or NOTHING_ELSE)
    yield f"{change.p:.2g}"


def _judgement(change: RunChange) -> list[str]:
    return [] if change.better is None else ["better" if change.better else "worse"]


def _run_table(view: _View) -> Table:
    columns = [
        Column("verdict", status=True),
        Column("run"),
        Column("scenario"),
        Column("length"),
        Column("seed", number=True),
        Column("commit", code=True),
        Column("smallest margin", number=True, hint=_MARGIN),
        Column("margins"),
    ]
    return Table(
        columns, [_run_row(view, row) for row in view.history.runs], caption="Runs", empty="The folder has no runs."
    )


def _run_row(view: _View, row: RunRow) -> list[AnyCell]:
    return [
        _verdict(row.state),
        Cell(row.path, small=list(filter(None, [_when(row), row.problem])), href=view.href(row)),
        Cell(scenario_words(row), small=[f"on {row.target}"] if row.target else []),
        length_words(row),
        "" if row.seed is None else str(row.seed),
        Cell(commit_words(row), title="with uncommitted changes" if row.dirty else ""),
        _margin(row),
        view.sparks.get(row.path, ""),
    ]


@dataclass(frozen=True, slots=True)
class Panel:
    """The picture of an objective over the runs of a series."""

    id: int
    title: str
    svg: Markup
    note: str


def _changed_first(series: Sequence[RunSeries]) -> list[tuple[int, RunSeries]]:
    return sorted(enumerate(series), key=lambda each: not any(trend.changes for trend in each[1].trends))


def _panels(view: _View, series: RunSeries) -> list[Panel]:
    return [
        Panel(view.id_of(trend.key), trend.objective, draw_trend(trend, view.runs), "; ".join(_notes(series, trend)))
        for trend in series.trends
    ]


def _notes(series: RunSeries, trend: Trend) -> Iterator[str]:
    if trend.detail:
        yield trend.detail
    elif not trend.changes:
        yield "no change found"
    for each in trend.changes:
        yield f"{change_words(Found(series, trend, each))} (p = {each.p:.2g})"


# What the script knows.


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


def _data(view: _View) -> _Data:
    texts: dict[str, int] = {}
    environments: dict[tuple[tuple[str, str], ...], int] = {}
    runs = [_run(view, row, texts, environments) for row in view.history.runs]
    names = [each.name for each in view.history.series]
    return _Data(list(texts), [dict(each) for each in environments], names, runs, LEFT / WIDTH, RIGHT / WIDTH)


def _run(view: _View, row: RunRow, texts: dict[str, int], environments: dict[tuple[tuple[str, str], ...], int]) -> _Run:
    facts = {
        "scenario": scenario_words(row),
        "target": row.target,
        "seed": "" if row.seed is None else str(row.seed),
        "started": _when(row),
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


def _script_safe(data: _Data) -> Markup:
    """JSON inside a script element: only a closing tag, or an opening comment, could end it."""
    return Markup(msgspec.json.encode(data).decode().replace("<", "\\u003c"))


def summary_lines(history: History) -> str:
    """The whole of it for a terminal."""
    found = list(changes_of(history))
    return "\n".join([lead(history, found), *(line for each in found for line in _told(each))])


def _told(found: Found) -> Iterator[str]:
    yield f"  {found.trend.objective} of {found.series.name} {change_words(found)} (p = {found.change.p:.2g})"
    yield f"    {'; '.join(found.change.differences) or NOTHING_ELSE}"
