"""The tables of report.html."""

from collections.abc import Iterator, Sequence

from msgspec import Struct

from soak.reports import tails
from soak.reports.attribution import AttributionTables
from soak.reports.data import RunData
from soak.reports.decided import Known
from soak.reports.look.table import AnyCell, Cell, Column, Table, Tone
from soak.reports.objectives import excludes, observations, plain
from soak.reports.summary import CheckpointSli, effective, shown, trend, wall_time
from soak.schemas.evidence.explanation import Cases, Explanation
from soak.schemas.evidence.tails import Tail
from soak.schemas.evidence.verdict import AlertResult, ObjectiveResult, Section, Status
from soak.schemas.language.expression import Unit
from soak.schemas.units import show_duration, show_ratio

MOST_FIRINGS, MOST_CAUSES, MOST_WIDE_MARGIN = 20, 10, 1.0


def objectives(run: RunData) -> Table:
    """Every objective with what was observed, its margin as a bar, and what the observations are worth."""
    columns = (
        Column("", status=True),
        Column("objective", code=True),
        Column("observed", number=True),
        Column("target", number=True),
        Column("margin", number=True, hint="distance to the limit; the bar is its share of the target"),
        Column("observations", number=True, hint="in brackets: how many independent ones say as much"),
    )
    return Table(columns, [_objective(each) for each in run.verdict.objectives], "Objectives", "The scenario has none.")


def _objective(o: ObjectiveResult) -> list[AnyCell]:
    detail = _bare(o.detail)
    excluded = excludes(o) if o.excluded is not None else ""
    interval = ""
    if o.interval:
        low, high = (shown(each, o.unit, o.target) for each in o.interval)
        interval = f"{low} … {high} ({show_ratio(o.confidence or 0.95)})"
    margin = "–" if o.margin is None else Unit(o.unit).show_margin(o.margin, o.target)
    tone = {Status.PASS: Tone.OK, Status.FAIL: Tone.BAD}.get(o.status, Tone.NONE)
    return [
        plain(o.status),
        Cell(o.objective, [each for each in (detail, o.note, excluded) if each]),
        Cell(shown(o.value, o.unit, o.target), [interval] if interval else []),
        shown(o.target, o.unit),
        Cell(margin, tone=tone if o.margin is not None and o.margin < 0 else Tone.NONE, bar=_share(o)),
        observations(o),
    ]


def _bare(detail: str) -> str:
    """Without what the column beside it says."""
    return detail.replace("not applicable: ", "", 1)


def _share(o: ObjectiveResult) -> float | None:
    """The margin as a share of what there is: of the rest to 100 % for shares, of the target otherwise."""
    if o.margin is None or o.target is None or o.target == 0:
        return None
    return min(abs(o.margin) / abs(o.target), MOST_WIDE_MARGIN)


def system_section(section: Section) -> Table:
    """A table that a system adds."""
    return Table([Column(each) for each in section.columns], section.rows, section.title)


def alerts(run: RunData) -> Table:
    """Every firing of every alert, and what was expected of it."""
    columns = (
        Column("alert"),
        Column("condition", code=True),
        Column("fired"),
        Column("resolved"),
        Column("observed", number=True),
        Column("expected"),
    )
    rows = [row for alert in run.verdict.alerts for row in _alert(run, alert)]
    return Table(columns, rows, "Alerts", "The scenario has none.")


def _alert(run: RunData, alert: AlertResult) -> Iterator[list[AnyCell]]:
    expected = ""
    if alert.status is Status.NOT_APPLICABLE:
        expected = alert.detail
    elif alert.status:
        expected = f"{alert.status.value}: {alert.detail or alert.expected}"
    name = Cell(alert.name, [alert.severity])
    if not alert.firings:
        yield [name, alert.when, "never", "", "", expected]
    for place, firing in enumerate(alert.firings[:MOST_FIRINGS]):
        resolved: AnyCell = "still firing" if firing.resolved_s is None else _moment(run, firing.resolved_s)
        value = shown(firing.value, alert.unit, alert.target)
        yield [name, alert.when, _moment(run, firing.fired_s), resolved, value, "" if place else expected]
    if len(alert.firings) > MOST_FIRINGS:
        yield [name, "", f"{len(alert.firings) - MOST_FIRINGS:,} more", "", "", ""]


def _moment(run: RunData, t_s: float) -> Cell:
    return Cell(show_duration(t_s), [wall_time(run, t_s)])


def faults(run: RunData) -> Table:
    """Every fault: planned, injected, seen."""
    columns = (
        Column("", status=True),
        Column("fault"),
        Column("type"),
        Column("planned"),
        Column("injected", number=True),
        Column("seen", number=True),
    )
    rows: list[Sequence[AnyCell]] = [
        [
            "left out" if f.status is Status.NOT_APPLICABLE else f.status.value,
            Cell(f.name, [f.detail] if f.detail else []),
            "" if f.type == "left_out" else f.type,
            f.asked,
            f"{f.injected:,}",
            f"{f.seen:,}",
        ]
        for f in run.verdict.faults
    ]
    return Table(columns, rows, "Faults", "The scenario has none.")


def costs(run: RunData, found: AttributionTables) -> Table:
    """What each fault cost over the run."""
    of_tasks = ("failed", "retried", "blocked") if not run.work else ()
    names = ("injected", *of_tasks, "lost", "duplicated")
    columns = (Column("fault"), *(Column(name, number=True) for name in names))
    rows = [[f.fault, f"{f.injected:,}", *(f"{getattr(f.cost, name):,}" for name in names[1:])] for f in found.faults]
    return Table(columns, rows, "What each fault cost")


def occasions(found: AttributionTables) -> Table:
    """Each window of each fault, from injection to recovery."""
    columns = (
        Column("fault"),
        Column("injected at", number=True),
        Column("lasted", number=True),
        Column("detected"),
        Column("alert"),
        Column("recovered"),
        Column("cost"),
    )
    rows = [[r.fault, r.injected, r.lasted, r.detected, r.alert, r.recovered, r.cost] for r in found.occasions]
    return Table(columns, rows, "Windows of the faults")


def errors(run: RunData) -> Table:
    """Failed attempts by error, as bars."""
    counts = run.verdict.errors
    most = max(counts.values(), default=1) or 1
    columns = (Column("error"), Column("attempts", number=True), Column("share of the most frequent", wide=True))
    rows: list[Sequence[AnyCell]] = [
        [error, f"{count:,}", Cell("", bar=count / most, tone=Tone.BAD)] for error, count in counts.items()
    ]
    return Table(columns, rows, "Error buckets", "No attempt failed.")


def laws(run: RunData) -> Table:
    """Integrity laws and abort conditions."""
    columns = (Column("", status=True), Column("law or condition"), Column(""))
    rows: list[Sequence[AnyCell]] = [
        [plain(law.status), law.law, _bare(law.detail or law.description)] for law in run.verdict.laws
    ]
    for abort in run.verdict.aborts:
        if abort.not_applicable:
            rows.append(["not applicable", abort.name, abort.when])
        elif abort.held_at_s is None:
            rows.append(["never", abort.name, abort.when])
        else:
            went_on = "" if abort.stopped else "; the run went on"
            rows.append(["held", abort.name, f"{abort.when} at {show_duration(abort.held_at_s)}{went_on}"])
    return Table(columns, rows, "Integrity laws and abort conditions")


def growths(run: RunData) -> Table:
    """Trends with their intervals."""
    columns = (
        Column("SLI", code=True),
        Column("per hour", number=True),
        Column("95 % interval", number=True),
        Column("trend"),
        Column("samples", number=True),
        Column("effective", number=True, hint="the number of independent samples that would tell the slope as well"),
    )
    rows = [
        [
            g.sli,
            shown(g.slope, g.unit),
            f"{shown(g.interval[0], g.unit)} … {shown(g.interval[1], g.unit)}",
            trend(g),
            f"{g.samples:,}",
            effective(g),
        ]
        for g in run.verdict.growths
    ]
    return Table(columns, rows, "Growth", "Too few samples.")


def return_levels(stated: Sequence[Tail]) -> Table:
    """What is passed how rarely."""
    periods = tails.periods(stated)
    often = [Column(tails.often(each), number=True) for each in periods]
    columns = (Column("SLI", code=True), Column("99.9 % are at most", number=True), *often)
    rows = [
        [
            tails.name_of(each),
            tails.thousandth(each) or "–",
            *(tails.level_of(each, period) or "–" for period in periods),
        ]
        for each in stated
    ]
    return Table(columns, rows, "Tails")


def when_known(known: Known) -> Table:
    """When each objective was decided."""
    return Table((Column("objective", code=True), Column("known")), known.rows, "When the verdict was known")


def checkpoints(run: RunData, slis: Sequence[CheckpointSli]) -> Table:
    """The status rows."""
    states = () if run.work else ("DONE", "FAILED", "BLOCKED", "open")
    columns = (
        Column("time"),
        *(Column(each, number=True) for each in states),
        *(Column(each.title, number=True) for each in slis),
        Column("alerts firing"),
    )
    rows = []
    for each in run.checkpoints.checkpoints:
        counts = dict(each.states)
        counts["open"] = counts.get("PENDING", 0) + counts.get("IN_PROGRESS", 0)
        figures = [f"{counts.get(name, 0):,}" for name in states]
        values = [shown(each.slis.get(sli.name), sli.unit) for sli in slis]
        rows.append([show_duration(each.t_s), *figures, *values, ", ".join(each.firing)])
    return Table(columns, rows, "Checkpoints", "None: the run ended before the first was due.")


def indicators(run: RunData) -> Table:
    """All indicators with their values over the run."""
    rows: list[Sequence[AnyCell]] = [
        [name, shown(run.verdict.slis.get(name), sli.unit.value), sli.description]
        for name, sli in run.scenario.slis.items()
    ]
    columns = (Column("indicator", code=True), Column("value", number=True), Column("what it is", wide=True))
    return Table(columns, rows, "All indicators")


class CaseTable(Struct, frozen=True):
    """The first cases of an explanation; `same`: that they are those of another one before it, by its subject."""

    table: Table | None
    same: str = ""
    more: int = 0


def cases_of(run: RunData, found: Explanation, earlier: Sequence[Explanation]) -> CaseTable:
    """Its first cases as a table; none where there are none or an explanation before has the same."""
    if not found.cases:
        return CaseTable(None)
    same = next((each.subject for each in earlier if each.cases == found.cases), "")
    if same:
        return CaseTable(None, same)
    columns = (
        Column("cause"),
        Column("cases", number=True),
        Column("at", number=True),
        *_case_columns(run),
        Column(""),
    )
    rows = [row for each in found.cases[:MOST_CAUSES] for row in _cases(run, each)]
    return CaseTable(
        Table(columns, rows, f"The first cases of {found.subject}"), "", max(len(found.cases) - MOST_CAUSES, 0)
    )


def _case_columns(run: RunData) -> Sequence[Column]:
    if run.work:
        return (Column("part"),)
    if run.task_words:
        return (Column(run.task_words.unit),)
    return (Column("task"), Column("attempt", number=True), Column("worker"), Column("from"), Column("to"))


def _cases(run: RunData, cases: Cases) -> Iterator[list[AnyCell]]:
    for place, case in enumerate(cases.first):
        own: tuple[str, ...]
        if run.work:
            own = (case.worker,)
        elif run.task_words:
            own = (case.task,)
        else:
            own = (case.task, str(case.attempt or ""), case.worker, case.before, case.after)
        first = (cases.cause, f"{cases.count:,}") if place == 0 else ("", "")
        yield [*first, show_duration(case.t_s), *own, case.detail]
