"""The checks of a real run, as its scenario has them."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from soak.runner.checks.beside import MakeChecks, no_checks
from soak.runner.evidence.directory import RunDirectory
from soak.runner.judge.judge import Judge
from soak.runner.targets.base import FromFile, Target
from soak.schemas.braces import names_in, texts_in
from soak.schemas.errors import UsageError
from soak.schemas.language.check import Check, Http, Step
from soak.schemas.language.load import Loaded
from soak.schemas.language.model import Scenario
from soak.simulation.plan import Plan

if TYPE_CHECKING:
    from soak.runner.checks.checking import RunChecks

SYSTEM = "system"
"""Below the run directory: for the files of the target."""

URL, PORT = "url", "port."


def checks_of(loaded: Loaded, plan: Plan, target: Target, directory: RunDirectory) -> MakeChecks:
    """What makes the checks of a run, once there is its judge; nothing in a simulation, or where there are none."""
    if target.clock != "real" or not (plan.scenario.checks or plan.scenario.teardown):
        return no_checks
    return lambda judge: run_checks(loaded, plan, target.speed, directory, judge)


def run_checks(loaded: Loaded, plan: Plan, speed: float, directory: RunDirectory, judge: Judge) -> "RunChecks":
    """The checks of a run."""
    from soak.runner.checks.checking import RunChecks, known_values
    from soak.runner.checks.report import LOG, Reporting

    def write(content: bytes) -> None:
        with directory.append(LOG) as append:
            append(content)

    values = known_values(plan, directory.file(SYSTEM), speed)
    return RunChecks(plan, judge, loaded.folder, values, speed, Reporting(write))


def refuse_unknown(scenario: Scenario, target: Target) -> None:
    """Raises UsageError for names in braces, and paths, that stand for nothing with a target."""
    if target.clock != "real":
        return
    if problems := [
        problem for step in (*scenario.checks, *scenario.teardown) for problem in _unknown(step, scenario, target)
    ]:
        raise UsageError("\n".join(problems))


def _unknown(step: Step, scenario: Scenario, target: Target) -> Iterator[str]:
    file = target.target_file.file if isinstance(target, FromFile) else None
    ports = [f"{PORT}{name}" for name in (file.ports if file else ())]
    url = bool((scenario.http and scenario.http.url) or (file and file.url))
    what = f"{'checks' if isinstance(step, Check) else 'teardown'}.{step.name}"
    action = step.action
    texts = (
        [action.url, action.path, action.json, action.body, action.query, action.headers]
        if isinstance(action, Http)
        else [getattr(action, name) for name in action.__struct_fields__]
    )
    named = {name for text in texts_in(texts) for name in names_in(text)}
    for name in sorted(each for each in named if each.startswith(PORT) and each not in ports):
        there = f"it has {', '.join(ports)}" if ports else "it has no target file with ports"
        yield f"{what}: {{{name}}} stands for nothing with target {target.name} ({there})"
    if not url and (URL in named or (isinstance(action, Http) and action.path)):
        yield f"{what}: the URL of target {target.name} is not known (write http: {{url: …}}, or a whole url)"
