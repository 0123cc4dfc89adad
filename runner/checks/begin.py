"""The checks of a real run, as its scenario has them."""

from collections.abc import Mapping

from soak.runner.checks.beside import MakeChecks, no_checks
from soak.runner.checks.checking import RunChecks, known_values
from soak.runner.checks.report import LOG, Reporting
from soak.runner.evidence.directory import RunDirectory
from soak.runner.judge.judge import Judge
from soak.runner.targets.base import Target
from soak.schemas.language.load import Loaded
from soak.simulation.plan import Plan

SYSTEM = "system"
"""Below the run directory: for the files of the target."""


def checks_of(loaded: Loaded, plan: Plan, target: Target, directory: RunDirectory) -> MakeChecks:
    """What makes the checks of a run, once there is its judge; nothing in a simulation, or where there are none."""
    if target.clock != "real" or not (plan.scenario.checks or plan.scenario.teardown):
        return no_checks

    def write(content: bytes) -> None:
        with directory.append(LOG) as append:
            append(content)

    def make(judge: Judge) -> RunChecks:
        values: Mapping[str, str] = known_values(plan, directory.file(SYSTEM), target.speed)
        return RunChecks(plan, judge, loaded.folder, values, target.speed, Reporting(write))

    return make
