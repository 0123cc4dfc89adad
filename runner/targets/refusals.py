"""Faults that an attached class cannot be given are refused before a run."""

from collections.abc import Mapping

from schemas.errors import UsageError
from schemas.faults import FaultType
from schemas.model import Scenario

NO_FILES = {
    FaultType.DISK_FULL: "the runner does not know where its data lies",
    FaultType.DB_OUTAGE: "the runner cannot lock a database that it does not know",
}


def refuse_faults(scenario: Scenario, target: str, why: Mapping[FaultType, str]) -> None:
    """Raises UsageError for faults that a target cannot be given, all of them at once; `why` not, by type."""
    told = [f"fault {fault.name} ({fault.type}): {why[fault.type]}" for fault in scenario.faults if fault.type in why]
    if told:
        raise UsageError(
            f"{target} cannot be given this scenario: {'; '.join(told)} (leave it out, or run another target)"
        )
