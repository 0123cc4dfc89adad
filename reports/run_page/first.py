"""What report.html says first: the answer, a few figures, and what to do next."""

from collections.abc import Iterator, Sequence

from soak.reports.data import RunData
from soak.reports.look.blocks import Step, Tile
from soak.reports.look.page import Head
from soak.reports.look.table import Tone, tone_of
from soak.reports.run_page.causes import Account
from soak.schemas.evidence.verdict import ObjectiveResult, Outcome, Status
from soak.schemas.language.expression import Unit
from soak.schemas.units import show_duration

_MOST_OBJECTIVES = 4


def head_of(run: RunData) -> Head:
    """The head of the page."""
    verdict, manifest = run.verdict, run.manifest
    commit = f"commit {manifest.git.sha[:12]}{' with changes' if manifest.git.dirty else ''}" if manifest.git else ""
    clock = "simulated" if verdict.clock != "real" else f"speed {manifest.speed:g}" if manifest.speed != 1 else ""
    parts = [
        verdict.scenario,
        verdict.target,
        clock if verdict.target != "simulation" else "",
        f"seed {verdict.seed}",
        commit,
    ]
    return Head(
        title=run.scenario.title or verdict.scenario,
        kicker=" · ".join(filter(None, parts)),
        status=verdict.verdict.value,
        lead=_lead(run),
        made="Made by soak from the files of this run directory alone; `soak verify .` recomputes the verdict.",
    )


def _lead(run: RunData) -> str:
    verdict = run.verdict
    applying = " that applies" if len(verdict.applicable) < len(verdict.objectives) else ""
    broken = [each for each in verdict.applicable if each.status is Status.FAIL]
    match verdict.verdict:
        case Outcome.PASS if verdict.caveats:
            thin = f"{run.caveat_count} of {len(verdict.applicable)} on thin evidence"
            return f"Every objective{applying} holds, {thin}, and no integrity law is broken."
        case Outcome.PASS:
            return f"Every objective{applying} holds, on enough evidence, and no integrity law is broken."
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


def _counted(count: int, what: str) -> str:
    return f"{count} {what} {'is' if count == 1 else 'are'} broken" if count else ""


def tiles(run: RunData) -> list[Tile]:
    """The figures under the verdict: the objectives, broken ones first, then length, work, faults and laws."""
    verdict = run.verdict
    order = {Status.FAIL: 0, Status.INCONCLUSIVE: 1, Status.PASS: 2}
    judged = sorted(verdict.applicable, key=lambda each: order.get(each.status, 3))
    found = [_objective(each) for each in judged[:_MOST_OBJECTIVES]]
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
    done = verdict.tasks.get("DONE", 0)
    said = run.task_words.states.get("DONE", "DONE") if run.task_words else "DONE"
    return Tile(units, f"{verdict.tasks.get('accepted', 0):,}", f"{done:,} {said}")


def _faults(run: RunData) -> Tile:
    asked = [each for each in run.verdict.faults if each.status is not Status.NOT_APPLICABLE]
    confirmed = sum(each.status is Status.PASS for each in asked)
    injected = sum(each.injected for each in asked)
    tone = Tone.OK if confirmed == len(asked) else Tone.DOUBT
    return Tile("faults confirmed", f"{confirmed} of {len(asked)}", f"{injected:,} injections", tone)


def next_steps(run: RunData, accounts: Sequence[Account]) -> list[Step]:
    """What a reader does next, by the verdict."""
    return [*_by_verdict(run, accounts), Step("Recompute this verdict from the event stream", "soak verify .")]


def _by_verdict(run: RunData, accounts: Sequence[Account]) -> Iterator[Step]:
    verdict = run.verdict
    if verdict.verdict is Outcome.ABORTED:
        yield Step(
            "Read the incident: the minutes before the abort, what was open, commands that help", href="incident.md"
        )
    if verdict.verdict in {Outcome.FAIL, Outcome.ABORTED}:
        yield Step("Repeat this run", run.manifest.reproduce)
        yield Step("Compare with a run that passed", "soak compare PASSED_RUN .")
    if verdict.verdict is Outcome.INCONCLUSIVE:
        yield Step("See how long the run has to be for a decision", "soak power scenario.yaml")
    if verdict.verdict is Outcome.PASS:
        yield Step("Keep it as the baseline of later runs", "soak baseline . baseline.json")
