"""What report.html says first: the answer, a few figures, and what to do next."""

from collections.abc import Iterator, Sequence

from soak.reports.data import RunData
from soak.reports.look.blocks import Step, Tile
from soak.reports.look.page import Head
from soak.reports.look.table import Tone, tone_of
from soak.reports.run_page.causes import Account
from soak.reports.summary import wall_time
from soak.schemas.evidence.verdict import ObjectiveResult, Outcome, Status
from soak.schemas.language.expression import Unit
from soak.schemas.units import show_duration, show_ratio

_MOST_OBJECTIVES = 4
FEW = 10
"""Fewer observations are named where it is said that all is well."""


def head_of(run: RunData) -> Head:
    """The head of the page."""
    verdict, manifest = run.verdict, run.manifest
    changes = " with uncommitted changes" if manifest.git and manifest.git.dirty else ""
    commit = f"scenario of commit {manifest.git.sha[:12]}{changes}" if manifest.git else ""
    clock = "simulated" if verdict.clock != "real" else f"speed {manifest.speed:g}" if manifest.speed != 1 else ""
    parts = [
        verdict.scenario,
        f"tier {manifest.tier}" if manifest.tier else "",
        verdict.target,
        clock if verdict.target != "simulation" else "",
        f"seed {verdict.seed}",
        f"began {wall_time(run, 0.0)}" if verdict.clock == "real" else "",
        commit,
    ]
    return Head(
        title=run.scenario.title or verdict.scenario,
        kicker=" · ".join(filter(None, parts)),
        status=verdict.verdict.value,
        lead=_lead(run),
        made="Made by soak from the files of this run directory alone; `soak verify .` recomputes the verdict.",
    )


def notes(run: RunData) -> list[str]:
    """What a reader has to know before all else: that nothing real ran, and what was changed in the scenario."""
    found = []
    if run.verdict.clock != "real":
        ran = (
            run.task_words.simulated.capitalize() if run.task_words else "Simulated: a model ran, not the system itself"
        )
        found.append(f"{ran}. The verdict is about the design and its settings, not about a build.")
    if run.manifest.settings:
        found.append(f"Changed in the scenario: {', '.join(run.manifest.settings)}.")
    return found


def not_judged(run: RunData) -> str:
    """Of a run that passed: what no objective is about although it was not all well."""
    if run.verdict.verdict is not Outcome.PASS or run.work:
        return ""
    asked = {each.sli for each in run.verdict.objectives}
    success = run.verdict.slis.get("success_rate")
    if success is None or success >= 1.0 or asked & {"success_rate", "errors_per_hour"}:
        return ""
    return f"No objective is about the success rate, which is {show_ratio(success)}."


def _lead(run: RunData) -> str:
    verdict = run.verdict
    applying = " that applies" if len(verdict.applicable) < len(verdict.objectives) else ""
    broken = [each for each in verdict.applicable if each.status is Status.FAIL]
    match verdict.verdict:
        case Outcome.PASS if verdict.caveats:
            thin = f"{run.caveat_count} of {len(verdict.applicable)} on thin evidence"
            return f"Every objective{applying} holds, {thin}, and no integrity law is broken."
        case Outcome.PASS:
            return f"Every objective{applying} holds{_few(run)}, and no integrity law is broken."
        case Outcome.ABORTED:
            stopped = [each for each in verdict.aborts if each.stopped]
            if stopped and stopped[0].held_at_s is not None:
                at = show_duration(round(stopped[0].held_at_s))
                return f"Abort condition {stopped[0].name} ({stopped[0].when}) held at {at} and ended the run."
            return "An abort condition held and ended the run."
        case Outcome.FAIL:
            laws = sum(each.status is Status.FAIL for each in verdict.laws)
            words = [
                _counted(len(broken), f"of {len(verdict.applicable)} objectives"),
                _counted(laws, f"integrity law{'s' * (laws > 1)}"),
            ]
            said = " and ".join(filter(None, words)) or "What was required did not hold"
            return f"{said[0].upper()}{said[1:]}."
        case _:
            return "The evidence does not decide it: neither PASS nor FAIL is shown."


def _few(run: RunData) -> str:
    """How many objectives rest on a handful of observations."""
    few = sum(0 < each.samples < FEW for each in run.verdict.applicable)
    count = len(run.verdict.applicable)
    return f", {few} of {count} on fewer than {FEW} observations" if few else ", on enough evidence"


def _counted(count: int, what: str) -> str:
    return f"{count} {what} {'is' if count == 1 else 'are'} broken" if count else ""


def tiles(run: RunData) -> list[Tile]:
    """The figures under the verdict: objectives that hold (the others are in the table above), length, work, faults."""
    verdict = run.verdict
    held = [each for each in verdict.applicable if each.status is Status.PASS]
    found = [_objective(each) for each in held[:_MOST_OBJECTIVES]]
    if len(held) > _MOST_OBJECTIVES:
        found.append(Tile("objectives", f"{len(held)} of {len(verdict.applicable)} hold", "", Tone.NONE))
    found.append(_length(run))
    found.append(_work(run))
    if verdict.faults:
        found.append(_faults(run))
    return found


def _objective(objective: ObjectiveResult) -> Tile:
    unit = Unit(objective.unit)
    value = "nothing observed" if objective.value is None else unit.show_beside(objective.value, objective.target)
    margin = "" if objective.margin is None else f"margin {unit.show_margin(objective.margin, objective.target)}"
    status = objective.status.value
    return Tile(objective.objective, value, " · ".join(filter(None, [status, margin])), tone_of(status))


def _length(run: RunData) -> Tile:
    verdict = run.verdict
    planned = "" if verdict.ended_s >= verdict.duration_s else f" of {show_duration(verdict.duration_s)}"
    clock = "simulated clock" if verdict.clock != "real" else "real clock"
    return Tile("scenario time", f"{show_duration(round(verdict.ended_s))}{planned}", f"{verdict.end.value}, {clock}")


def _work(run: RunData) -> Tile:
    verdict, work = run.verdict, run.work
    if work:
        return Tile(work.units, f"{verdict.load.offered:,}", f"{verdict.load.answered:,} {work.answered}")
    units = run.task_words.units if run.task_words else "tasks"
    states = run.task_words.states if run.task_words else {}
    counts = [
        f"{count:,} {states.get(state, state)}"
        for state, count in verdict.tasks.items()
        if state != "accepted" and count
    ]
    waiting = [f"{verdict.deferred:,} never accepted"] if verdict.deferred else []
    hurt = bool(verdict.tasks.get("FAILED") or waiting)
    return Tile(
        units,
        f"{verdict.tasks.get('accepted', 0):,}",
        ", ".join([*counts, *waiting]),
        Tone.DOUBT if hurt else Tone.NONE,
    )


def _faults(run: RunData) -> Tile:
    asked = [each for each in run.verdict.faults if each.status is not Status.NOT_APPLICABLE]
    confirmed = sum(each.status is Status.PASS for each in asked)
    injected = sum(each.injected for each in asked)
    tone = Tone.OK if confirmed == len(asked) else Tone.DOUBT
    return Tile(
        "faults confirmed", f"{confirmed} of {len(asked)}", f"{injected:,} injection{'s' * (injected != 1)}", tone
    )


def next_steps(run: RunData, accounts: Sequence[Account]) -> list[Step]:
    """What a reader does next, by the verdict."""
    return [*_by_verdict(run, accounts), Step("Recompute this verdict from the event stream", "soak verify .")]


def _by_verdict(run: RunData, accounts: Sequence[Account]) -> Iterator[Step]:
    verdict = run.verdict
    decision = {
        Outcome.FAIL: "Do not release on this run: fix the cause, or change the objective if the system need not hold it.",
        Outcome.ABORTED: "Do not release on this run: it was stopped because going on made no sense.",
        Outcome.INCONCLUSIVE: "Do not count this run as passed: it does not show enough.",
    }
    if verdict.verdict in decision:
        yield Step(decision[verdict.verdict])
    if verdict.verdict is Outcome.ABORTED:
        yield Step(
            "Read the incident: the minutes before the abort, what was open, commands that help", href="incident.md"
        )
    if verdict.verdict in {Outcome.FAIL, Outcome.ABORTED}:
        again = "with another seed, to see whether it is chance" if verdict.clock != "real" else ""
        seed = f" --seed {verdict.seed + 1}" if verdict.clock != "real" else ""
        yield Step(
            " ".join(filter(None, ["Repeat this run", again])),
            f"soak run scenario.yaml{seed}" if seed else run.manifest.reproduce,
        )
        yield Step("Compare with a run that passed (put in its directory)", "soak compare PASSED_RUN .")
    if verdict.verdict is Outcome.INCONCLUSIVE:
        yield Step("See how long a run decides it", "soak power scenario.yaml")
    if verdict.verdict is Outcome.PASS:
        yield Step("Keep it as the baseline of later runs", "soak baseline . baseline.json")
