"""prediction.html: what many replications say together."""

from collections.abc import Iterator

import numpy as np

from soak.reports.look.blocks import Facts, Part, Section, Sheet, Step, Text, Tile, code
from soak.reports.look.charts import Form
from soak.reports.look.figures import Drawing
from soak.reports.look.page import Head
from soak.reports.look.palette import SERIES, Role
from soak.reports.look.plot import Axis, Bar, Plot, Rule
from soak.reports.look.table import AnyCell, Cell, Column, Table, Tone, tone_of
from soak.reports.look.ticks import linear
from soak.reports.plots.prediction import bars, is_far
from soak.reports.prediction import (
    RARE_ASSUMES,
    at,
    between,
    chance,
    command,
    deviations,
    first,
    headline,
    rare_interval,
    rare_need,
    rare_value,
    remarks,
)
from soak.reports.sheet import render_sheet
from soak.reports.summary import shown
from soak.schemas.evidence.prediction import (
    QUANTILES,
    Decision,
    Distribution,
    ObjectivePrediction,
    Observed,
    Prediction,
)
from soak.schemas.language.expression import Op, Unit
from soak.schemas.stream.block import Floats
from soak.schemas.units import show_duration, show_ratio

_TONES = {Decision.MET: Tone.OK, Decision.MISSED: Tone.BAD, Decision.UNDECIDED: Tone.DOUBT, None: Tone.NOW}
_FORMS = {Unit.RATIO: Form.RATIO, Unit.DURATION: Form.SECONDS, Unit.SIZE: Form.BYTES}
_BINS = 40


def prediction_page(prediction: Prediction, observed: Observed) -> bytes:
    """The page as a file."""
    return render_sheet(sheet_of(prediction, observed))


def sheet_of(p: Prediction, observed: Observed) -> Sheet:
    """The page."""
    sections = [
        Section("Verdicts", [_verdicts(p)]),
        Section("Objectives", list(_objectives(p, observed))),
        Section("Abort conditions", list(_aborts(p, observed))),
        *([Section("Rare events", list(_rare(p)))] if p.rare else []),
        Section("Other reasons against PASS", [_doubts(p)]),
        Section("All quantiles of values, margins and times", [_quantiles(p)], folded=True),
        Section("Reproduce", [_facts(p)]),
    ]
    shares = [(each.verdict.value, each.share.share) for each in p.verdicts]
    return Sheet(_head(p), list(_steps(p)), sections, remarks(p), list(_tiles(p)), shares)


def _head(p: Prediction) -> Head:
    answer = f"{chance(p.pass_probability)} PASS" if p.made else "UNKNOWN"
    status = f"{p.decision.value}: {answer}" if p.decision else answer
    return Head(
        title=p.title or p.scenario,
        kicker=f"{p.scenario} · prediction · seed {p.seed}",
        status=status,
        tone=_TONES[p.decision],
        lead=f"{headline(p)}.",
        made="This is the model's answer: it is as good as the scenario's figures (task durations, fault rates, arrivals), and "
        "it knows nothing beyond them.",
    )


def _tiles(p: Prediction) -> Iterator[Tile]:
    ordered = sorted(p.objectives, key=lambda each: each.holds.share)
    for each in ordered[:5] if p.made else []:
        tone = Tone.BAD if each.broken.count else Tone.DOUBT if each.inconclusive.count else Tone.OK
        yield Tile(each.objective, f"holds in {chance(each.holds)}", between(each.holds), tone)
    for abort in p.aborts:
        if abort.share.count:
            yield Tile(
                f"aborted by {abort.name}",
                chance(abort.share),
                f"median time {at(abort.time, 0.5, 'duration')}",
                Tone.BAD,
            )


def _steps(p: Prediction) -> Iterator[Step]:
    if p.decision is Decision.UNDECIDED:
        yield Step(
            "Add replications until the interval is on one side",
            f"soak predict scenario.yaml -n {4 * p.asked} --require {show_ratio(p.required or 0)}",
        )
    if p.pass_probability.share < 1 and p.made:
        yield Step(
            "Find the value of a parameter from which on PASS is likely",
            "soak limits scenario.yaml --vary KEY=LOW..HIGH",
        )
        yield Step(
            "Repeat one replication that did not PASS, with all its evidence; its seed is in replications.csv",
            "soak run scenario.yaml --seed SEED",
        )
    else:
        yield Step("See which violations the soak would not detect", "soak power scenario.yaml")
        yield Step("See how far the load can go", "soak limits scenario.yaml --vary workload.arrivals.rate")


def _verdicts(p: Prediction) -> Table:
    columns = (
        Column("verdict", status=True),
        Column("replications", number=True),
        Column("probability", number=True),
        Column(f"{show_ratio(p.confidence)} interval", number=True),
    )
    rows: list[list[AnyCell]] = [
        [
            each.verdict.value,
            f"{each.share.count:,}",
            Cell(chance(each.share), bar=each.share.share or None, tone=tone_of(each.verdict.value)),
            between(each.share),
        ]
        for each in p.verdicts
    ]
    return Table(columns, rows, "Verdicts")


def _objectives(p: Prediction, observed: Observed) -> Iterator[Part]:
    titles = ("holds", "broken", "inconclusive", "observed", "margin", "in sd")
    hints = {
        "observed": "median, and 5 to 95 %",
        "margin": "median, and 5 to 95 %",
        "in sd": "the mean margin in standard deviations of the margin",
    }
    columns = (
        Column("objective", code=True),
        *(Column(each, number=True, hint=hints.get(each, "")) for each in titles),
    )
    rows = [_objective(each) for each in p.objectives]
    yield Table(columns, rows, "Objectives", "The scenario has no objectives, so no replication can PASS.")
    if not p.objectives:
        return
    yield Text(first(p.first_to_break, p.objectives, p.made), soft=False)
    for each, values, margins in zip(p.objectives, observed.values, observed.margins, strict=True):
        found = np.array(margins if each.target is None else values, dtype=np.float64)
        if len(np.unique(found)) > 1:
            yield _histogram(each, found, p.made)
        elif len(found):
            what = "margin" if each.target is None else each.sli
            yield Text(
                f"{each.objective}: {what} is {Unit(each.unit).show(float(found[0]))} in all {len(found):,} "
                "replications."
            )


def _objective(o: ObjectivePrediction) -> list[AnyCell]:
    unseen = [f"nothing observed in {o.unobserved:,}"] if o.unobserved else []
    tone = Tone.BAD if o.broken.count else Tone.DOUBT if o.inconclusive.count else Tone.OK
    return [
        Cell(o.objective, unseen),
        Cell(chance(o.holds), [between(o.holds)], tone=tone),
        f"{o.broken.count:,}",
        f"{o.inconclusive.count:,}",
        _spread(o.value, o.unit),
        _spread(o.margin, o.unit),
        deviations(o),
    ]


def _spread(found: Distribution | None, unit: str) -> Cell:
    if found is None:
        return Cell("–")
    return Cell(at(found, 0.5, unit), [f"{at(found, 0.05, unit)} … {at(found, 0.95, unit)}"])


def _histogram(each: ObjectivePrediction, values: Floats, made: int) -> Drawing:
    """How often which value was observed; what breaks the objective has another colour, and its side of the target."""
    unit, op = Unit(each.unit), Op.GE if each.target is None else Op(each.op)
    target = each.target or 0.0
    far = is_far(values, target)
    middles, widths, (good, bad) = bars(values, target, op, aligned=not far)
    drawn = [
        Bar(middle - width / 2, middle + width / 2, [(Role.GREEN, held), (Role.BAD, broken)])
        for middle, width, held, broken in zip(
            middles.tolist(), widths.tolist(), good.tolist(), bad.tolist(), strict=True
        )
    ]
    found = [bar.left for bar in drawn] + [bar.right for bar in drawn] + ([] if far else [target])
    low, high = min(found), max(found)
    room = 0.03 * (high - low)
    form = _FORMS.get(unit, Form.NUMBER)
    ticks = None if unit in _FORMS else [(x, unit.show(x)) for x in linear(low, high, Form.NUMBER)]
    keys = [("observed" if op is Op.ABOUT else "good", Role.GREEN)] if good.any() else []
    keys += [("broken", Role.BAD)] if bad.any() else []
    rules = [] if far else [Rule(f"target {unit.show(target)}", target, Role.BLUE)]
    where = (
        f"; the target {unit.show(target)} is {'above' if target > values.max() else 'below'} all values" if far else ""
    )
    plot = Plot(
        each.objective,
        Axis(
            f"{'margin of ' if each.target is None else ''}{each.sli}{where}",
            low - room,
            high + room,
            form,
            ticks=ticks,
        ),
        Axis("replications", 0.0, 1.08 * float((good + bad).max()), ticks=_whole(float((good + bad).max()))),
        rules=rules,
        bars=drawn,
        keys=keys,
        tall=130,
    )
    return Drawing(f"{each.objective}: holds in {each.holds.count:,} of {made:,}", plot.picture)


def _whole(most: float) -> list[tuple[float, str]]:
    return [(each, f"{each:,.0f}") for each in linear(0.0, most, Form.NUMBER, 4) if each == round(each)]


def _aborts(p: Prediction, observed: Observed) -> Iterator[Part]:
    titles = ("ended", "probability", "time")
    columns = (Column("condition"), Column("when", code=True), *(Column(each, number=True) for each in titles))
    rows: list[list[AnyCell]] = [
        [a.name, a.when, f"{a.share.count:,}", Cell(chance(a.share), [between(a.share)]), _spread(a.time, "duration")]
        for a in p.aborts
    ]
    yield Table(columns, rows, "Abort conditions", "The scenario has no abort conditions.")
    found = {name: np.array(times) for name, times in observed.abort_times_s.items() if times}
    if found:
        yield _abort_times(p, found)


def _abort_times(p: Prediction, found: dict[str, Floats]) -> Drawing:
    """When which abort condition ended a replication, over the time that the scenario lasts."""
    last_s = max(p.duration_s, *(float(times.max()) for times in found.values()))
    edges_s = np.linspace(0, last_s, _BINS + 1)
    counts = [np.histogram(times, edges_s)[0] for times in found.values()]
    roles = [Role.BAD, *SERIES]
    names = [(name, roles[number % len(roles)]) for number, name in enumerate(found)]
    drawn = [
        Bar(
            float(edges_s[place]),
            float(edges_s[place + 1]),
            [(role, float(count[place])) for (_, role), count in zip(names, counts, strict=True)],
        )
        for place in range(_BINS)
    ]
    most = float(np.sum(counts, axis=0).max())
    aborted = sum(map(len, found.values()))
    plot = Plot(
        "When abort conditions ended replications",
        Axis("scenario time", 0.0, last_s, Form.SECONDS),
        Axis("replications", 0.0, 1.08 * most, ticks=_whole(most)),
        bars=drawn,
        keys=names,
        tall=130,
    )
    return Drawing(f"{aborted:,} of {p.made:,} replications aborted", plot.picture)


def _rare(p: Prediction) -> Iterator[Part]:
    titles = ("per run", "interval", "brute force would need")
    columns = (
        Column("event"),
        Column("when", code=True),
        *(Column(each, number=True) for each in titles),
        Column("how"),
    )
    rows: list[list[AnyCell]] = [
        [
            each.name,
            each.what,
            Cell(rare_value(each), tone=Tone.DOUBT if each.probability is None else Tone.NOW),
            rare_interval(each),
            rare_need(each),
            Cell(each.method.value if each.method else "–", [each.reason] if each.reason else []),
        ]
        for each in p.rare or ()
    ]
    yield Table(columns, rows, "Rare events")
    yield Text(RARE_ASSUMES)
    for each in p.rare or ():
        if each.steps:
            steps = [[f"{one.fraction:.3g}", show_ratio(round(one.share, 3))] for one in each.steps]
            named = (Column("fraction of the way to the limit", number=True), Column("share of runs", number=True))
            yield Table(named, steps, f"Levels to {each.name}")
        if each.rates:
            rates = [[one.fault, f"{one.attempt or '–'}", f"{one.rate:.3g}", f"{one.tilted:.3g}"] for one in each.rates]
            drawn = (Column("fault"), *(Column(one, number=True) for one in ("attempt", "rate", "drawn at")))
            yield Table(drawn, rates, f"Faults on the way to {each.name}, in stretches of {each.stretch:,} tasks")


def _doubts(p: Prediction) -> Table:
    rows = [[each.what, f"{each.count:,}"] for each in p.doubts]
    none = "None: no law, alert, fault or gap in the telemetry."
    return Table((Column("what"), Column("replications", number=True)), rows, "Other reasons against PASS", none)


def _quantiles(p: Prediction) -> Table:
    columns = (
        Column("of", code=True),
        *(Column(each, number=True) for each in ("mean", "sd", *map(show_ratio, QUANTILES))),
    )
    rows = [
        [name, shown(d.mean, unit), shown(d.sd, unit), *(shown(each.value, unit) for each in d.quantiles)]
        for name, d, unit in _distributions(p)
    ]
    return Table(columns, rows, "All quantiles")


def _distributions(p: Prediction) -> Iterator[tuple[str, Distribution, str]]:
    for each in p.objectives:
        for what, found in (("value", each.value), ("margin", each.margin)):
            if found:
                yield f"{each.objective}, {what}", found, each.unit
    for abort in p.aborts:
        if abort.time:
            yield f"{abort.name}, time", abort.time, "duration"


def _facts(p: Prediction) -> Facts:
    same = f"in this directory, with version {p.version}: the same bit for bit, on any number of processors"
    return Facts(
        [
            ("prediction", code(command(p)), same),
            (
                "one replication",
                code("soak run scenario.yaml --seed SEED"),
                "with a seed from replications.csv: the same verdict, with all its evidence",
            ),
            ("scenario", f"SHA-256 {p.scenario_sha256}", show_duration(p.duration_s)),
        ]
    )
