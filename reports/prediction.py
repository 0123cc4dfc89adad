"""prediction.md and plots: what many replications say together."""

import shlex
from collections.abc import Iterator, Mapping

import matplotlib as mpl

from soak.reports.plots import prediction as plot
from soak.reports.plots.canvas import STYLE
from soak.reports.summary import make_environment
from soak.schemas.evidence.prediction import (
    Answer,
    Decision,
    Distribution,
    First,
    FirstToBreak,
    ObjectivePrediction,
    Observed,
    Prediction,
    RareEvent,
    Share,
    Stopped,
)
from soak.schemas.language.expression import Unit
from soak.schemas.units import show_duration, show_ratio

OBJECTIVES, ABORTS = "plots/objectives.svg", "plots/aborts.svg"


def render_prediction(prediction: Prediction, observed: Observed) -> dict[str, bytes]:
    """The files of a prediction that people look at, by name."""
    with mpl.rc_context(STYLE):
        plots = {}
        if prediction.objectives:
            plots[OBJECTIVES] = plot.objectives(prediction, observed)
        if any(observed.abort_times_s.values()):
            plots[ABORTS] = plot.aborts(prediction, observed)
    context = {
        "p": prediction,
        "headline": headline(prediction),
        "remarks": remarks(prediction),
        "first": first(prediction.first_to_break, prediction.objectives, prediction.made),
        "command": command(prediction),
        "rare_assumes": RARE_ASSUMES,
    }
    shown = {"objectives": OBJECTIVES, "aborts": plots.get(ABORTS) and ABORTS}
    return {"prediction.md": _render("prediction.md.j2", context, shown).encode(), **plots}


def _render(name: str, context: dict[str, object], plots: Mapping[str, object]) -> str:
    environment = make_environment()
    environment.filters.update(chance=chance, between=between, at=at, deviations=deviations)
    environment.filters.update(rare_value=rare_value, rare_interval=rare_interval, rare_need=rare_need)
    return environment.get_template(name).render(**context, plots=plots)


def chance(share: Share) -> str:
    """A probability in per cent, never rounded up to 100 %; a dash when nothing was made."""
    if share.interval == (0.0, 1.0):
        return "–"
    return f"{show_ratio(round(share.share, 4) if 0.0001 < share.share < 0.9999 else share.share)}"


def between(share: Share) -> str:
    """Its interval."""
    low, high = share.interval
    return f"{100 * low:.1f} … {100 * high:.1f} %"


def headline(p: Prediction) -> str:
    """The answer, in one line."""
    share = p.pass_probability
    if not p.made:
        return "PASS probability unknown (no replication was made)"
    interval = f"{100 * p.confidence:g} % interval {between(share)}"
    return f"PASS probability {chance(share)} ({interval}; {share.count:,} of {p.made:,} replications)"


def remarks(p: Prediction) -> list[str]:
    """What to know beside the headline."""
    return [*_required(p), _stopped(p), f"Other verdicts: {_others(p)}.", *_early(p)]


def _early(p: Prediction) -> Iterator[str]:
    """When replications were decided, and what that would have saved."""
    for option, found in (("--stop-when-decided", p.decided), ("--stop-when-decidable", p.decidable)):
        if found and found.share.count:
            by = [
                f"{what} by {show_duration(t_s)}"
                for what, t_s in (("half", found.half_s), ("95 %", found.most_s))
                if t_s
            ]
            times = f": {', '.join(by)}" if by else ""
            said = f"decided before the end: {chance(found.share)} of the replications{times}"
            yield f"With {option}, {said}; {found.differing:,} of them came out otherwise at the end."


def _required(p: Prediction) -> Iterator[str]:
    if p.decision is None or p.required is None:
        return
    words = {
        Decision.MET: "met, the whole interval is at or above it",
        Decision.MISSED: "missed, the whole interval is below it",
        Decision.UNDECIDED: "undecided, the interval contains it (add replications: -n)",
    }
    yield f"Required PASS probability {show_ratio(p.required)}: {words[p.decision]}."


def _stopped(p: Prediction) -> str:
    precise = show_ratio(p.precision) if p.precision is not None else ""
    made = f"{p.made:,} of at most {p.asked:,} replications"
    return {
        Stopped.COMPLETED: f"All {p.made:,} replications were made."
        + (
            f" The interval is still wider than ± {precise}." if precise and _half_width(p) > (p.precision or 0) else ""
        ),
        Stopped.PRECISE: f"Stopped after {made}: the interval is no wider than ± {precise}.",
        Stopped.INTERRUPTED: f"Interrupted after {made}.",
        Stopped.BROKEN_OFF: f"Failed after {made}.",
    }[p.stopped]


def _half_width(p: Prediction) -> float:
    low, high = p.pass_probability.interval
    return (high - low) / 2


def _others(p: Prediction) -> str:
    return ", ".join(f"{each.verdict} {each.share.count:,}" for each in p.verdicts if each.verdict != "PASS")


def first(found: FirstToBreak, objectives: list[ObjectivePrediction], made: int) -> str:
    """Which objective or abort condition breaks first, and why it is called that; `made`: how many replications there are."""
    fixed = [each.objective for each in objectives if not each.margin_varies]
    never = f" Constant margin: {', '.join(fixed)}." if fixed else ""
    if found.by is First.NONE:
        return f"No objective is nearest to breaking: no margin varies.{'' if len(fixed) == len(objectives) else never}"
    if found.by is First.ABORTED:
        which = f"ended {found.count:,} of the {found.of:,} replications without PASS, no objective was broken in more"
        return f"First to break: abort condition {found.abort} ({which}).{never}"
    if found.by is First.BROKEN:
        which = f"broken in {found.count:,} of the {found.of:,} replications without PASS, no objective more often"
        return f"First to break: {found.objective} ({which}).{never}"
    if found.by is First.WITHHELD:
        return f"Nothing broke; {found.count:,} of {made:,} replications could not decide {found.objective}.{never}"
    nearest = f"{found.objective}, {found.deviations:.3g} sigma of headroom"
    return f"Nothing broke; closest to its limit: {nearest}.{never}"


def command(p: Prediction) -> str:
    """The command that reproduces the prediction."""
    words = ["soak", "predict", "scenario.yaml", "-n", str(p.asked), "--seed", str(p.seed)]
    if p.rare:
        for each in p.rare:
            words += ["--rare-event", shlex.quote(each.name)]
        words += ["--effort", str(p.rare[0].effort)]
    for option, value in (("--precision", p.precision), ("--require", p.required)):
        words += [] if value is None else [option, _exact(value)]
    return " ".join(words)


def _exact(value: float) -> str:
    """A share as an option takes it, so that the same number is read."""
    text = f"{100 * value:.12g}"
    return f"{text}%" if float(text) / 100 == value else f"{value:.12f}"


def at(distribution: Distribution | None, q: float, unit: str) -> str:
    """A quantile of a distribution, for people."""
    if distribution is None:
        return "–"
    return next(Unit(unit).show(each.value) for each in distribution.quantiles if each.q == q)


def deviations(objective: ObjectivePrediction) -> str:
    """The mean margin in standard deviations of the margin."""
    return "constant" if objective.deviations is None else f"{objective.deviations:.3g}"


def summary_lines(p: Prediction) -> str:
    """The prediction for a terminal."""
    lines = [headline(p), f"  {p.title or p.scenario}", *(f"  {line}" for line in remarks(p))]
    if p.objectives and p.made:
        width = max(len(each.objective) for each in p.objectives)
        lines += ["", f"  {'holds':>8}  {'objective':{width}}  margin, 5 to 95 %"]
        for o in p.objectives:
            margin = f"{at(o.margin, 0.05, o.unit)} … {at(o.margin, 0.95, o.unit)}" if o.margin_varies else _fixed(o)
            lines.append(f"  {chance(o.holds):>8}  {o.objective:{width}}  {margin}")
    lines += ["", *(f"  {line}" for line in _other_reasons(p))]
    if p.made and (p.objectives or p.first_to_break.abort):
        lines.append(f"  {first(p.first_to_break, p.objectives, p.made)}")
    lines += [f"  {line}" for line in rare_lines(p)]
    return "\n".join(lines)


RARE_ASSUMES = (
    "Probabilities per run, with 95 % intervals. They assume that the model is right, that no way to the event was missed by the "
    "pilot, and that enough independent estimates were made for their mean to be log-normal. An abort condition is looked for "
    "as if it were the only one; an objective, as if none ended the run."
)


def rare_value(event: RareEvent) -> str:
    """The probability, for a table."""
    return "INCONCLUSIVE" if event.probability is None else f"{event.probability:.2g}"


def rare_interval(event: RareEvent) -> str:
    """Its interval, for a table."""
    return f"{event.interval[0]:.2g} … {event.interval[1]:.2g}" if event.interval else "–"


def rare_need(event: RareEvent) -> str:
    """How many plain replications would say the same, for a table."""
    return f"{event.brute_runs:,.2g} runs" if event.brute_runs else "–"


def rare_lines(p: Prediction) -> Iterator[str]:
    """What can be said of rare events, a few lines each."""
    for each in p.rare or ():
        yield f"rare event {each.name}: {rare_answer(each)}"
        if each.answer is Answer.ESTIMATED:
            yield f"  {how_found(each)}"
        if each.reason and each.answer is not Answer.INCONCLUSIVE:
            yield f"  {each.reason}"


def rare_answer(event: RareEvent) -> str:
    """The probability per run with its interval, or why there is none."""
    if event.probability is None or event.interval is None:
        return f"INCONCLUSIVE, {event.reason}"
    low, high = event.interval
    return f"{event.probability:.2g} per run (95 % interval {low:.2g} … {high:.2g})"


def how_found(event: RareEvent) -> str:
    """By which method, from how many runs, and how many brute force would need."""
    by = f"by {event.method.value}" if event.method else "by no method"
    made = f"{event.runs:,} runs and {event.pilot_runs:,} of pilots"
    need = f"; brute force would need {event.brute_runs:,.2g} runs for the same" if event.brute_runs else ""
    return f"{by}, {made}{need}"


def _fixed(objective: ObjectivePrediction) -> str:
    """The margin of an objective whose margin is constant."""
    return f"always {at(objective.margin, 0.5, objective.unit)}" if objective.margin else "nothing observed"


def _other_reasons(p: Prediction) -> Iterator[str]:
    for abort in p.aborts:
        if abort.share.count:
            median = f"median time {at(abort.time, 0.5, 'duration')}"
            yield f"aborted by {abort.name}: {chance(abort.share)} ({between(abort.share)}), {median}"
    for each in p.doubts:
        yield f"no PASS because of {each.what}: {each.count:,} of {p.made:,}"
