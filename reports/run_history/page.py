"""index.html: the runs of a folder in one self-contained page, with trends, changes, and the comparison of any two."""

from collections.abc import Iterator, Sequence

from markupsafe import Markup
from msgspec import Struct

from soak.reports.look.page import Head, document
from soak.reports.look.table import AnyCell, Cell, Column, Table, Tone
from soak.reports.run_history.data import View, data_for_script, when
from soak.reports.run_history.listing import (
    commit_words,
    counts_in_words,
    length_words,
    margin_words,
    scenario_words,
    smallest_margin,
)
from soak.reports.run_history.trends import draw_trend
from soak.reports.summary import make_environment
from soak.schemas.evidence.changepoints import ChangeKind
from soak.schemas.evidence.runs import (
    FAMILY_ERROR,
    LEAST_RUNS,
    History,
    RunChange,
    RunRow,
    RunSeries,
    RunState,
    Trend,
)
from soak.schemas.language.expression import Unit
from soak.schemas.units import show_ratio

TEMPLATE = "history.html.j2"
NOTHING_ELSE = "nothing else that the evidence names differs"
MADE_BY = "soak history"
"""What the page says it was made by: nothing else is overwritten."""

_TONES = {
    RunState.RUNNING: Tone.NOW,
    RunState.INCOMPLETE: Tone.DOUBT,
    RunState.DAMAGED: Tone.DOUBT,
    RunState.UNSUPPORTED: Tone.DOUBT,
}
_CHANGE_TONES = {True: Tone.OK, False: Tone.BAD, None: Tone.DOUBT}


class Found(Struct, frozen=True):
    """A change with the objective and the series that it is of."""

    series: RunSeries
    trend: Trend
    change: RunChange


def render_history(history: History, to_folder: str) -> str:
    """The page. to_folder: the relative path from the page to the folder of the runs, empty where it lies in it."""
    view = View(history, to_folder)
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
        data=data_for_script(view),
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


def _verdict(state: RunState, *, href: str = "") -> Cell:
    return Cell(state.value, tone=_TONES.get(state, Tone.NONE), href=href)


def _series_table(view: View) -> Table:
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
                when(newest),
                _margin(newest),
                view.sparks[newest.path],
                f"{changes}"
                if searched
                else Cell("–", title=f"Fewer than {LEAST_RUNS} runs, or runs that depend on each other"),
            ]
        )
    return Table(columns, rows, caption="Scenarios and targets", empty="No run with a verdict.")


_MARGIN = "What is left of what the tightest objective allows: of a limit, or of the error budget of a share"


def _margin(row: RunRow) -> Cell:
    tightest = row.tightest if row.state.judged else None
    return Cell(margin_words(smallest_margin(row)) or "–", small=[tightest.objective]) if tightest else Cell("")


def _change_table(view: View, found: Sequence[Found]) -> Table:
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


def _change_row(view: View, found: Found) -> Iterator[AnyCell]:
    change, unit = found.change, Unit(found.trend.unit)
    yield Cell(found.trend.objective, small=[found.series.name], href=f"#series-{view.series_of[change.after]}")
    yield unit.show(change.old)
    yield Cell(unit.show(change.new), tone=_CHANGE_TONES[change.better], small=_judgement(change))
    first, last = (view.runs[each] for each in change.interval)
    drift = change.kind is ChangeKind.DRIFT
    around = f"between {when(first)} and {when(last)}" if first is not last else ""
    after = view.runs[change.after]
    yield Cell(
        after.path, small=list(filter(None, [when(after), "a drift" if drift else "", around])), href=view.href(after)
    )
    yield Cell("; ".join(change.differences) or NOTHING_ELSE)
    yield f"{change.p:.2g}"


def _judgement(change: RunChange) -> list[str]:
    return [] if change.better is None else ["better" if change.better else "worse"]


def _run_table(view: View) -> Table:
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


def _run_row(view: View, row: RunRow) -> list[AnyCell]:
    return [
        _verdict(row.state),
        Cell(row.path, small=list(filter(None, [when(row), row.problem])), href=view.href(row)),
        Cell(scenario_words(row), small=[f"on {row.target}"] if row.target else []),
        length_words(row),
        "" if row.seed is None else str(row.seed),
        Cell(commit_words(row), title="with uncommitted changes" if row.dirty else ""),
        _margin(row),
        view.sparks.get(row.path, ""),
    ]


class Panel(Struct, frozen=True):
    """The picture of an objective over the runs of a series."""

    id: int
    title: str
    svg: Markup
    note: str


def _changed_first(series: Sequence[RunSeries]) -> list[tuple[int, RunSeries]]:
    return sorted(enumerate(series), key=lambda each: not any(trend.changes for trend in each[1].trends))


def _panels(view: View, series: RunSeries) -> list[Panel]:
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


def summary_lines(history: History) -> str:
    """The whole of it for a terminal."""
    found = list(changes_of(history))
    return "\n".join([lead(history, found), *(line for each in found for line in _lines(each))])


def _lines(found: Found) -> Iterator[str]:
    yield f"  {found.trend.objective} of {found.series.name} {change_words(found)} (p = {found.change.p:.2g})"
    yield f"    {'; '.join(found.change.differences) or NOTHING_ELSE}"
