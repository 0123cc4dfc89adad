"""power.html: what the objectives of a soak detect."""

from collections.abc import Iterator

from soak.reports.false_alarms import condition_words, remedy_words, said
from soak.reports.look.blocks import Section, Sheet, Step, Text, Tile
from soak.reports.look.charts import Form
from soak.reports.look.figures import Drawing
from soak.reports.look.page import Head
from soak.reports.look.palette import Role
from soak.reports.look.plot import Axis, Curve, Dot, Plot, Rule
from soak.reports.look.table import AnyCell, Cell, Column, Table, Tone
from soak.reports.look.ticks import linear
from soak.reports.power import duration_words, probability_words, size_words
from soak.reports.sheet import render_sheet
from soak.reports.summary import shown
from soak.schemas.evidence.power import ObjectivePower, PowerReport, Scale, Violation
from soak.schemas.language.expression import Unit
from soak.schemas.language.slis import Aggregate
from soak.schemas.units import show_duration, show_ratio

_ENOUGH, _SHORT = "ENOUGH", "TOO SHORT"


def power_page(report: PowerReport) -> bytes:
    """The page as a file."""
    return render_sheet(sheet_of(report))


def sheet_of(report: PowerReport) -> Sheet:
    """The page."""
    missed = [each for each in _violations(report) if not each[1].enough]
    return Sheet(
        _head(report, missed),
        list(_steps(missed)),
        [
            Section(
                "What is detected",
                [_detected(report), *(_curve(o, report.power) for o in report.objectives if o.curve)],
            ),
            *_false_alarms(report),
            Section("How each was computed", [_methods(report), Text(_DESIGN_EFFECT)]),
        ],
        tiles=list(_tiles(report)),
    )


def _violations(report: PowerReport) -> list[tuple[ObjectivePower, Violation]]:
    """Those that were asked for, otherwise the default ones."""
    every = [(objective, each) for objective in report.objectives for each in objective.violations]
    return [each for each in every if each[1].asked] or every


def _head(report: PowerReport, missed: list[tuple[ObjectivePower, Violation]]) -> Head:
    found = _violations(report)
    asked = any(each.asked for _, each in found)
    kind = "violation named" if asked else "default violation"
    length, power = show_duration(report.duration_s), show_ratio(report.power)
    if not found:
        status, tone, lead = "NO STATEMENT", Tone.DOUBT, "Nothing can be said of any objective."
    elif missed:
        status, tone = _SHORT, Tone.BAD if asked else Tone.DOUBT
        which = f"{len(missed)} of {len(found)} {'violations named' if asked else 'default violations'}"
        lead = f"{length} does not detect {f'the {kind}' if len(found) == 1 else which} with a probability of {power}."
    else:
        status, tone = _ENOUGH, Tone.OK
        lead = f"{length} detects every {kind} with a probability of at least {power}."
    aborted = f", of which {report.aborted} were aborted and are left out" if report.aborted else ""
    return Head(
        title=f"{report.title or report.scenario}: what {length} can detect",
        kicker=f"{report.scenario} · power · seed {report.seed}",
        status=status,
        tone=tone,
        lead=lead,
        made=f"From a pilot of {report.replications} replications of the simulation, seed {report.seed}{aborted}. Detected means "
        f"that the objective is FAIL. The scenario: SHA-256 {report.scenario_sha256}.",
    )


def _tiles(report: PowerReport) -> Iterator[Tile]:
    for objective, violation in _violations(report)[:6]:
        tone = Tone.OK if violation.enough else Tone.BAD if violation.asked else Tone.DOUBT
        size = f"{size_words(objective, violation.size)}{'' if violation.asked else ' (default)'}"
        yield Tile(objective.objective, probability_words(violation.probability), f"of being detected at {size}", tone)


def _steps(missed: list[tuple[ObjectivePower, Violation]]) -> Iterator[Step]:
    lengths = [each.duration_s for _, each in missed]
    known = [each for each in lengths if each is not None]
    if known and len(known) == len(lengths):
        words = _round_up(max(known))
        yield Step(
            f"Soak for {words}: the longest that any of these violations needs",
            f"soak run scenario.yaml --duration {words}",
        )
    elif missed:
        yield Step("No duration is long enough for all of them: choose a larger violation, or another objective")
    yield Step("Name the violation that must not be missed", "soak power scenario.yaml --violation SLI=VALUE")
    yield Step("See how likely PASS is for the system as it is described", "soak predict scenario.yaml")


def _round_up(seconds: float) -> str:
    """A duration as an option takes it: whole hours from an hour on, otherwise whole minutes."""
    unit_s, letter = (3600, "h") if seconds > 3600 else (60, "m")
    return f"{int(-(-seconds // unit_s))}{letter}"


def _detected(report: PowerReport) -> Table:
    columns = (
        Column("", status=True),
        Column("objective", code=True),
        Column("observations", number=True),
        Column("smallest detected", number=True, hint=f"with a probability of {show_ratio(report.power)}"),
        Column("violation", number=True),
        Column("detected with", number=True),
        Column("duration"),
    )
    rows = [row for objective in report.objectives for row in _rows(objective, report)]
    return Table(columns, rows, "What is detected")


def _rows(o: ObjectivePower, report: PowerReport) -> Iterator[list[AnyCell]]:
    count = f"{o.observations:,.0f}"
    if o.method is None:
        yield ["no statement", o.objective, count, "", "", "", o.reason]
        return
    smallest = "none" if o.smallest is None else size_words(o, o.smallest)
    for violation in o.violations:
        tone = Tone.OK if violation.enough else Tone.BAD if violation.asked else Tone.DOUBT
        status = Cell("enough" if violation.enough else "too short", tone=tone)
        size = Cell(size_words(o, violation.size), [] if violation.asked else ["default"])
        found = Cell(probability_words(violation.probability), bar=violation.probability, tone=tone)
        yield [status, o.objective, count, smallest, size, found, duration_words(violation, report)]
    if not o.violations:
        yield ["", o.objective, count, smallest, "", "", "choose one with --violation"]


def _curve(o: ObjectivePower, power: float) -> Drawing:
    """How likely it is found broken, over the size of the violation."""
    factor, unit, form = _unit(o)
    extreme = o.aggregate in {Aggregate.MAX, Aggregate.GAUGE, Aggregate.LONGEST}
    x_words = f"{'events that break it' if extreme else f'true {o.sli}'}{unit}"
    sizes = [point.size * factor for point in o.curve]
    rules = [Rule(f"{show_ratio(power)} probability", power, Role.GREY, across=True)]
    if o.limit is not None:
        rules.append(Rule("target", o.limit * factor, Role.BAD))
    dots = [] if o.smallest is None else [Dot(o.smallest * factor, power, Role.GREEN, "smallest detected")]
    for each in o.violations:
        name = "asked for" if each.asked else "default violation"
        dots.append(Dot(each.size * factor, each.probability, Role.ORANGE, name, square=True))
    plot = Plot(
        f"{o.objective}: how likely a violation is detected",
        Axis(x_words, min(sizes), max(sizes), form),
        Axis(
            "detected", 0.0, 1.0, Form.RATIO, ticks=[(each, show_ratio(each)) for each in linear(0, 1, Form.RATIO, 6)]
        ),
        [Curve("probability of FAIL", Role.BLUE, [(p.size * factor, p.probability) for p in o.curve])],
        dots,
        rules,
    )
    return Drawing(o.objective, plot.picture)


def _unit(o: ObjectivePower) -> tuple[float, str, Form]:
    """What a size is multiplied by to be drawn, the words for it, and how it is written."""
    if o.scale is Scale.SHARE:
        return 1.0, ", share of its opportunities", Form.RATIO
    if o.scale is Scale.HOURLY:
        return 1.0, " per hour", Form.NUMBER
    if o.scale is Scale.FACTOR:
        return 1.0, ", times its reference", Form.NUMBER
    unit = Unit(o.unit)
    forms = {Unit.RATIO: Form.RATIO, Unit.DURATION: Form.SECONDS, Unit.SIZE: Form.BYTES}
    return 1.0, "" if unit in forms else f" [{unit.symbol}]", forms.get(unit, Form.NUMBER)


_DESIGN_EFFECT = (
    "The design effect is how many observations of this scenario are worth one independent observation: how much "
    "more a share, or "
    "a count, varies between the replications than it would by chance alone. The observations are divided by it."
)


def _methods(report: PowerReport) -> Table:
    columns = (
        Column("objective", code=True),
        Column("in the pilot"),
        Column("method"),
        Column("design effect", number=True),
        Column("notes"),
    )
    rows: list[list[AnyCell]] = [
        [
            o.objective,
            Cell(
                f"{o.pilot.passed} PASS, {o.pilot.failed} FAIL, {o.pilot.inconclusive} INCONCLUSIVE",
                [f"mean {shown(o.pilot.mean, o.unit)}"],
            ),
            o.method.value if o.method else "none",
            "" if o.design_effect is None else f"{o.design_effect:.2f}",
            " ".join(_notes(o)),
        ]
        for o in report.objectives
    ]
    return Table(columns, rows, "How each was computed")


def _notes(o: ObjectivePower) -> Iterator[str]:
    if o.smallest_share is not None:
        yield f"Detected from {100 * o.smallest_share:.3g} % of observations beyond the target on."
    if o.pass_probability is not None and o.pass_probability < 0.99:
        yield f"A violation, however small, is given PASS in {probability_words(o.pass_probability)} of runs at most."
    yield from (f"{note[:1].upper()}{note[1:]}." for note in o.notes)


def _false_alarms(report: PowerReport) -> Iterator[Section]:
    if not report.false_alarms:
        return
    columns = (
        Column("condition"),
        Column("when", code=True),
        Column("objective", code=True),
        Column("holds in"),
        Column("instead"),
    )
    rows: list[list[AnyCell]] = [
        [
            Cell(each.name, [each.severity] if each.severity else []),
            condition_words(each),
            each.objective,
            said(each),
            remedy_words(each),
        ]
        for each in report.false_alarms
    ]
    text = (
        "How often a condition holds at some time of a run of a system that is exactly at its objective: every "
        "observation fails "
        "independently, with the share that the objective just allows. Failures that depend on each other come in "
        "clusters, and "
        "a condition then holds more often."
    )
    yield Section("False alarms", [Table(columns, rows, "False alarms"), Text(text)])
