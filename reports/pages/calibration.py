"""calibration.html: the parameters of the model, how they fit, and whether they predict what was held back."""

import math
from collections.abc import Iterator

import numpy as np

from soak.reports.calibration import valued
from soak.reports.look.blocks import Part, Section, Sheet, Step, Text, Tile
from soak.reports.look.charts import Form
from soak.reports.look.figures import Drawing, Span, intervals
from soak.reports.look.page import Head
from soak.reports.look.palette import Role
from soak.reports.look.plot import Axis, Curve, Plot
from soak.reports.look.table import AnyCell, Cell, Column, Table, Tone
from soak.reports.plots.fit import share_below
from soak.reports.sheet import render_sheet
from soak.reports.summary import shown
from soak.schemas.evidence.calibration import Answer, CalibratedParameter, Calibration, SliPrediction, Taken
from soak.schemas.language.distributions import Distribution, Empirical
from soak.schemas.language.expression import Unit
from soak.schemas.stream.block import Floats
from soak.schemas.units import show_duration, show_ratio

_TONES = {Answer.PREDICTS: Tone.OK, Answer.DOES_NOT: Tone.BAD, Answer.TOO_LITTLE: Tone.DOUBT}
_LEADS = {
    Answer.PREDICTS: "The calibrated model predicts the held-back part",
    Answer.DOES_NOT: "The calibrated model does not predict the held-back part",
    Answer.TOO_LITTLE: "Too few observations to say whether the calibrated model predicts",
}
_POINTS, _LOG_FROM, _LOWEST_S, _FARTHEST = 160, 20.0, 1e-3, 2.0


def calibration_page(calibration: Calibration, held_s: Floats, chosen: Distribution) -> bytes:
    """The page as a file; `held_s`: the service times that `chosen` was fitted to."""
    return render_sheet(sheet_of(calibration, held_s, chosen))


def sheet_of(calibration: Calibration, held_s: Floats, chosen: Distribution) -> Sheet:
    """The page."""
    check = calibration.check
    sections = [
        Section("Held-back part", list(_held_back(calibration))),
        Section("Parameters", [_parameters(calibration), Text(_PARAMETERS)]),
        Section("Service times", list(_service(calibration, held_s, chosen))),
        *_overheads(calibration),
    ]
    return Sheet(
        _head(calibration),
        list(_steps(calibration)),
        sections,
        [*check.reasons, *calibration.notes],
        list(_tiles(calibration)),
    )


def _head(calibration: Calibration) -> Head:
    check = calibration.check
    outside = f"{check.outside} of {check.compared} indicators lie outside, {check.expected:.2g} expected by chance"
    lead = f"{_LEADS[check.answer]}: {outside}."
    from_s, cut_s, to_s = map(show_duration, (calibration.from_s, calibration.cut_s, calibration.to_s))
    speed = ""
    if calibration.clock == "real":
        speed = (
            f" The run had speed {calibration.speed:g}; the overlay is for runs with speed {calibration.for_speed:g}."
        )
    return Head(
        title=f"{calibration.scenario}: the model against a run",
        kicker=f"{calibration.scenario} · calibration · {calibration.run} ({calibration.target}, seed {calibration.seed})",
        status=check.answer.value,
        tone=_TONES[check.answer],
        lead=lead,
        made=f"Calibrated by {calibration.tasks:,} tasks due from {from_s} to {cut_s} ({calibration.attempts:,} attempts), "
        f"checked by those due from there to {to_s} ({check.tasks:,} ended).{speed}",
    )


def _tiles(calibration: Calibration) -> Iterator[Tile]:
    check = calibration.check
    inside = check.compared - check.outside
    yield Tile(
        "indicators inside",
        f"{inside} of {check.compared}",
        f"{check.expected:.2g} outside by chance",
        _TONES[check.answer],
    )
    taken = [each for each in calibration.parameters if each.taken is Taken.RUN]
    yield Tile(
        "parameters from the run",
        f"{len(taken)} of {len(calibration.parameters)}",
        "the others stay as in the scenario",
    )
    yield Tile("service times", calibration.chosen, f"{calibration.service_observations:,} attempts")


def _steps(calibration: Calibration) -> Iterator[Step]:
    answer = calibration.check.answer
    if answer is Answer.PREDICTS:
        yield Step("Predict the verdict with the calibrated model", "soak predict scenario.yaml --overlay overlay.yaml")
        yield Step("Simulate the whole soak with it", "soak run scenario.yaml --overlay overlay.yaml")
    elif answer is Answer.DOES_NOT:
        outside = next((each.sli for each in calibration.check.predictions if each.inside is False), "")
        yield Step(f"See what the model lacks: {outside} was outside" if outside else "See what the model lacks")
        yield Step(
            "Use every estimate, even where the scenario's value is within its interval",
            "soak calibrate RUN_DIR --estimates",
        )
    else:
        yield Step("Make more replications, if they are too few", "soak calibrate RUN_DIR -n 100")
        yield Step("Run longer, or hold back more", "soak calibrate RUN_DIR --hold-back 50%")


def _held_back(calibration: Calibration) -> Iterator[Part]:
    check = calibration.check
    found = [each for each in check.predictions if each.inside is not None]
    if found:
        picture = intervals(
            [_span(each) for each in found], "Held-back part", zero=None, within=(-_FARTHEST, 1 + _FARTHEST)
        )
        note = "Line: 95 % of the replications, all drawn equally long; tick: their median; dot: what was observed."
        yield Drawing("What the model predicts, and what was observed", picture, note)
    columns = (
        Column("", status=True),
        Column("SLI", code=True),
        Column("observed", number=True),
        Column("median", number=True),
        Column("95 % of replications"),
        Column("p", number=True),
    )
    rows = [
        _prediction(each)
        for each in sorted(check.predictions, key=lambda each: (each.inside is None, bool(each.inside)))
    ]
    yield Table(columns, rows, "Held-back part")
    yield Text(
        f"{check.replications} replications of the whole run with these parameters, evaluated over the held-back "
        "part. Uncertain parameters "
        "are drawn anew for each replication. p, over all SLIs together: how often a replication itself has any SLI "
        "as far out. The model "
        "is rejected where that is at most 0.05 and the observation lies outside by more than "
        f"{show_ratio(check.least)} of the bound."
    )


def _prediction(c: SliPrediction) -> list[AnyCell]:
    status = (
        Cell("not compared")
        if c.inside is None
        else Cell("inside", tone=Tone.OK)
        if c.inside
        else Cell("outside", tone=Tone.BAD)
    )
    between = "" if c.low is None else f"{shown(c.low, c.unit)} to {shown(c.high, c.unit)}"
    return [
        status,
        c.sli,
        shown(c.observed, c.unit),
        shown(c.median, c.unit),
        between,
        "" if c.p is None else f"{c.p:.2g}",
    ]


def _span(each: SliPrediction) -> Span:
    """A row on which the interval goes from 0 to 1."""
    assert each.low is not None and each.high is not None and each.median is not None and each.observed is not None
    low, width = each.low, each.high - each.low
    show = Unit(each.unit).show

    def scaled(value: float) -> float:
        if not width:
            return 0.5 if value == low else (-1.0 if value < low else 2.0)
        return (value - low) / width

    words = f"{show(each.observed)} in {show(each.low)} to {show(each.high)}"
    if not each.inside:
        words = words.replace(" in ", " outside ", 1)
    return Span(
        each.sli,
        words,
        0.0 if width else None,
        1.0 if width else None,
        scaled(each.median),
        scaled(each.observed),
        Tone.OK if each.inside else Tone.BAD,
    )


_PARAMETERS = (
    "The interval contains the true value with 95 % confidence. The scenario's value is kept where its interval "
    "contains it: a few "
    "observations are less certain than a configured value."
)


def _parameters(calibration: Calibration) -> Table:
    columns = (
        Column("parameter", code=True),
        Column("scenario", number=True),
        Column("observed", number=True),
        Column("observations", number=True),
        Column("overlay", number=True),
        Column("taken from"),
    )
    return Table(columns, [_parameter(each) for each in calibration.parameters], "Parameters")


def _parameter(p: CalibratedParameter) -> list[AnyCell]:
    between = [] if p.low is None else [f"{valued(p.low, p.unit)} to {valued(p.high, p.unit)}"]
    taken = {Taken.RUN: "the run", Taken.SCENARIO: "scenario value kept", Taken.UNSEEN: "as in the scenario"}[p.taken]
    return [
        p.key,
        valued(p.scenario, p.unit),
        Cell(valued(p.estimate, p.unit), between),
        f"{p.observations:,}",
        valued(p.value, p.unit),
        Cell(taken, [p.detail] if p.detail else []),
    ]


def _service(calibration: Calibration, held_s: Floats, chosen: Distribution) -> Iterator[Part]:
    if len(held_s):
        yield _fit(calibration, held_s, chosen)
    why = (
        "since no distribution below fits"
        if calibration.chosen == "empirical"
        else "by BIC"
        if calibration.service
        else ""
    )
    yield Text(
        f"{calibration.service_observations:,} attempts that no fault touched. Chosen: {calibration.chosen}, "
        f"{why or 'since all took equally long'}.",
        soft=False,
    )
    if not calibration.service:
        return
    titles = ("log-likelihood", "AIC", "BIC", "Kolmogorov-Smirnov distance", "p")
    columns = (Column("distribution"), Column("parameters"), *(Column(each, number=True) for each in titles))
    rows: list[list[AnyCell]] = [
        [
            Cell(f.distribution, ["chosen"] if f.distribution == calibration.chosen else []),
            ", ".join(f"{key} {show_duration(value)}" for key, value in f.parameters.items()),
            f"{f.log_likelihood:.1f}",
            f"{f.aic:.1f}",
            f"{f.bic:.1f}",
            f"{f.ks:.3f}",
            "" if f.p is None else f"{f.p:.2g}",
        ]
        for f in calibration.service
    ]
    yield Table(columns, rows, "Distributions that were fitted")
    yield Text("p: how often a sample of the fitted distribution itself is as far from its fit.")


def _fit(calibration: Calibration, held_s: Floats, chosen: Distribution) -> Drawing:
    """The share of attempts that took no longer, observed and fitted, with a band that holds the true share at 95 %."""
    values = np.sort(np.maximum(held_s, _LOWEST_S))
    # Dvoretzky, Kiefer and Wolfowitz (1956) with the constant of Massart (1990).
    half = math.sqrt(math.log(2 / 0.05) / (2 * len(values)))
    places = np.unique(np.linspace(0, len(values) - 1, _POINTS).astype(int))
    points = [(float(values[place]), (place + 1) / len(values)) for place in places.tolist()]
    around = [(x, max(0.0, share - half), min(1.0, share + half)) for x, share in points]
    curves = [Curve(f"{len(values):,} attempts, 95 % band", Role.BLUE, points, around=around)]
    low, high = float(values[0]), float(values[-1])
    log = high > _LOG_FROM * low
    if not isinstance(chosen, Empirical):
        at_s = np.geomspace(low / 1.2, high * 1.2, _POINTS).tolist()
        fitted = [(t_s, share_below(chosen, t_s)) for t_s in at_s]
        curves.append(Curve(f"{calibration.chosen}, fitted", Role.ORANGE, fitted, dashed=1))
    x = Axis("service time", low / 1.2 if log else 0.0, high * 1.2, Form.SECONDS, log=log)
    plot = Plot("Service times, observed and fitted", x, Axis("took no longer", 0.0, 1.0, Form.RATIO), curves)
    return Drawing("Service times, observed and fitted", plot.picture)


def _overheads(calibration: Calibration) -> Iterator[Section]:
    if calibration.clock != "real" or not calibration.overheads:
        return
    columns = (
        Column("overhead"),
        Column(f"as run (speed {calibration.speed:g})", number=True),
        Column("in real time", number=True),
        Column("attempts", number=True),
    )
    rows = [
        [o.name, show_duration(o.as_run_s), show_duration(o.real_s), f"{o.observations:,}"]
        for o in calibration.overheads
    ]
    text = (
        "Overhead of the system around a task body, at the median. The model has no time between dispatch, body and "
        "result: the overhead "
        "is part of the service time, as it is at the speed the overlay is for."
    )
    yield Section("Overhead", [Table(columns, rows, "Overhead"), Text(text)])
