"""Refusals before a run: a scenario of another system, and faults that the target cannot inject."""

from collections.abc import Mapping

from soak.schemas.errors import UsageError
from soak.schemas.language.model import Scenario
from soak.schemas.systems.queue.faults import QueueFault

NO_FILES: dict[str, str] = {
    QueueFault.DISK_FULL: "the runner does not know where its data is stored",
    QueueFault.DB_OUTAGE: "the runner cannot lock a database that it does not know",
}


_TARGETS: dict[str, str] = {
    "queue": "--target orchestrator, or your own queue as package.module:Class",
    "calls": "--target calls",
}
"""The real targets of each system."""


def refuse_system(scenario: Scenario, system: str, target: str) -> None:
    """Raises UsageError for a scenario of another system than `system`, which the target runs."""
    if scenario.system != system:
        what = f"target {target} runs system: {system} only, and this scenario has system: {scenario.system}"
        raise UsageError(f"{what} (run it with {_TARGETS[scenario.system]})")


def refuse_faults(scenario: Scenario, target: str, why: Mapping[str, str]) -> None:
    """Raises UsageError for all faults that the target cannot inject; `why`: the reason by type."""
    refused = [
        f"fault {fault.name} ({fault.type}): {why[fault.type]}" for fault in scenario.faults if fault.type in why
    ]
    if refused:
        raise UsageError(
            f"target {target} cannot run this scenario: {'; '.join(refused)} (remove the fault, or use another target)"
        )
