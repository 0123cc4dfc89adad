"""What a task system keeps of its promises: a short scenario is run against its target file, and judged as any other."""

import json
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from msgspec import Struct, to_builtins

from soak.runner.engine import BrokenOffError, execute, identify
from soak.runner.interruption import Interruption
from soak.runner.judge.judge import Judge
from soak.runner.targets.base import Fitting, Selective, Target
from soak.runner.targets.make import from_file, system_of_file
from soak.runner.targets.profiling import Profiling, Tested
from soak.runner.targets.room import room_of
from soak.schemas.errors import SoakError, failure_words
from soak.schemas.evidence.verdict import ObjectiveResult, Status, Verdict
from soak.schemas.language.expression import Unit
from soak.schemas.language.load import load
from soak.schemas.target.conventions import conventions_of
from soak.schemas.target.load import LoadedTarget
from soak.simulation.plan import Plan

KEPT, BROKEN, NOT_TESTED, NOT_APPLICABLE = "kept", "broken", "not tested", "not applicable"


class Promised(Struct, frozen=True):
    """A promise, and what was seen of it: `kept`, `broken`, `not tested` or `not applicable`, and why."""

    promise: str
    status: str
    detail: str = ""


class Profile(Struct, frozen=True):
    """A task system as it was seen. level: what could be judged. laws: in words, what the run broke beside its promises."""

    level: int
    in_words: str
    tasks: dict[str, int]
    promises: tuple[Promised, ...]
    laws: tuple[str, ...]

    @property
    def works(self) -> bool:
        """Whether any task was executed."""
        return self.tasks.get("DONE", 0) > 0

    @property
    def is_kept(self) -> bool:
        """Whether tasks are executed, and no promise is broken."""
        return self.works and all(each.status != BROKEN for each in self.promises)


def profiling_of(loaded: LoadedTarget) -> Profiling | None:
    """The check of a target file by a scenario; None where its system has none."""
    make = room_of(system_of_file(loaded)).profiling
    return make(loaded) if make else None


def profile(loaded: LoadedTarget, check: Profiling, *, speed: float = 1.0) -> Profile:
    """Run the check, in a directory that is removed afterwards. Raises SoakError."""
    target = from_file(loaded, speed)
    with tempfile.TemporaryDirectory(prefix="soak-", ignore_cleanup_errors=True) as top:
        verdict = _run(target, check, loaded, Path(top))
    return Profile(
        check.level,
        check.in_words,
        dict(verdict.tasks),
        tuple(seen(each, verdict) for each in check.tested),
        tuple(f"{each.law}: {each.detail}" for each in verdict.laws if each.status is Status.FAIL),
    )


def _run(target: Target, check: Profiling, loaded: LoadedTarget, folder: Path) -> Verdict:
    path = folder / "check.yaml"
    path.write_text(check.scenario, encoding="utf-8")
    scenario = load(path, conventions=conventions_of(loaded))
    if isinstance(target, Fitting):
        scenario = target.fit(scenario)
    if isinstance(target, Selective):
        target.admit(scenario.scenario)
    directory = folder / "run"
    directory.mkdir()
    target.prepare(directory)
    plan, interruption = Plan(scenario.scenario), Interruption()
    identity = identify(scenario.scenario, scenario.sha256, plan.seed, target, abort=False)
    try:
        with interruption.listening():
            verdict, _ = execute(plan, target, identity, interrupted=interruption)
    except BrokenOffError as broken:
        raise SoakError(_why_broken_off(broken)) from broken
    return verdict


def _why_broken_off(broken: BrokenOffError) -> str:
    judge: Judge = broken.judge
    what = failure_words(broken.__cause__)
    return f"{what}; the check failed midway, after {judge.until_s:.0f} s"


def seen(tested: Tested, verdict: Verdict) -> Promised:
    """What a verdict on the check says of a promise."""
    if not tested.promised:
        return Promised(tested.promise, NOT_APPLICABLE, "not promised")
    if tested.untested or not tested.slis:
        return Promised(tested.promise, NOT_TESTED, tested.untested)
    injected = {each.type: each.injected for each in verdict.faults}
    if missing := [each for each in tested.faults if not injected.get(each)]:
        return Promised(tested.promise, NOT_TESTED, f"no attempt met the fault {', '.join(missing)}")
    found = [each for each in verdict.objectives if each.sli in tested.slis]
    if broken := [each for each in found if each.status is Status.FAIL]:
        return Promised(tested.promise, BROKEN, "; ".join(_words(broken, verdict)))
    if any(each.value is None for each in found) or not found:
        return Promised(tested.promise, NOT_TESTED, "nothing was observed")
    return Promised(tested.promise, KEPT, ", ".join(_figures(tested, found, injected)))


def _words(broken: Sequence[ObjectiveResult], verdict: Verdict) -> Iterator[str]:
    """What broke a promise: the objectives with what was observed, and what explains them."""
    for each in broken:
        explained = [found.text for found in verdict.explanation if found.subject == each.objective]
        yield ": ".join([f"{each.objective}, observed {_value(each)}", *explained[:1]])


def _figures(tested: Tested, found: Sequence[ObjectiveResult], injected: Mapping[str, int]) -> Iterator[str]:
    yield from (f"{each.sli} {_value(each)}" for each in found)
    yield from (f"{injected[each]} times {each}" for each in tested.faults)


def _value(found: ObjectiveResult) -> str:
    return "nothing" if found.value is None else Unit(found.unit).show_beside(found.value, found.target)


# What is printed.


def as_data(found: Profile) -> str:
    """As JSON."""
    return json.dumps({"kept": found.is_kept, **to_builtins(found)}, indent=2)


def in_words(found: Profile, name: str) -> str:
    """For a terminal."""
    tasks = ", ".join(f"{count} {state}" for state, count in found.tasks.items() if count) or "no task was accepted"
    lines = [
        f"level {found.level}: {found.in_words}",
        f"tasks: {tasks}",
        *(f"law broken: {each}" for each in found.laws),
    ]
    lines += [f"  {each.status:14}  {each.promise:20}  {each.detail}".rstrip() for each in found.promises]
    if not found.works:
        lines.append("no task was executed: see that workers take what is submitted, and that a body reports")
    counts = Counter(each.status for each in found.promises)
    told = ", ".join(f"{counts[each]} {each}" for each in (KEPT, BROKEN, NOT_TESTED, NOT_APPLICABLE) if counts[each])
    return "\n".join([*lines, f"{name}: {told}"])
