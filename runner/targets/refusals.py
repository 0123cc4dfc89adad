"""What a target cannot run is refused before a run: another system, and faults that it cannot be given."""

from collections.abc import Mapping

from soak.schemas.errors import UsageError
from soak.schemas.language.model import Scenario
from soak.schemas.systems.queue.faults import QueueFault

NO_FILES: dict[str, str] = {
    QueueFault.DISK_FULL: "the runner does not know where its data lies",
    QueueFault.DB_OUTAGE: "the runner cannot lock a database that it does not know",
}


_TARGETS: dict[str, str] = {
    "queue": "--target orchestrator, or a queue of your own as package.module:Class",
    "calls": "--target stub",
}
"""What to run a system against for real."""


def refuse_system(scenario: Scenario, system: str, target: str) -> None:
    """Raises UsageError for a scenario that is not of `system`, which is what the target runs."""
    if scenario.system != system:
        what = f"{target} runs the system {system}, and this scenario is of the system {scenario.system}"
        raise UsageError(f"{what} (run it with {_TARGETS[scenario.system]})")


def refuse_faults(scenario: Scenario, target: str, why: Mapping[str, str]) -> None:
    """Raises UsageError for faults that a target cannot be given, all of them at once; `why` not, by type."""
    told = [f"fault {fault.name} ({fault.type}): {why[fault.type]}" for fault in scenario.faults if fault.type in why]
    if told:
        raise UsageError(
            f"{target} cannot be given this scenario: {'; '.join(told)} (leave it out, or run another target)"
        )
