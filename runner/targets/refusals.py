"""Refusals before a run: a scenario of another system, and faults that the target cannot inject."""

from collections.abc import Mapping

from soak.runner.targets.room import room_of
from soak.schemas.errors import UsageError
from soak.schemas.language.model import Scenario


def refuse_system(scenario: Scenario, system: str, target: str) -> None:
    """Raises UsageError for a scenario of another system than `system`, which the target runs."""
    if scenario.system != system:
        what = f"target {target} runs system: {system} only, and this scenario has system: {scenario.system}"
        advice = room_of(scenario.system).advice
        raise UsageError(f"{what} ({f'run it with {advice}' if advice else 'leave out --target to simulate it'})")


def refuse_faults(scenario: Scenario, target: str, why: Mapping[str, str]) -> None:
    """Raises UsageError for all faults that the target cannot inject; `why`: the reason by type."""
    refused = [
        f"fault {fault.name} ({fault.type}): {why[fault.type]}" for fault in scenario.faults if fault.type in why
    ]
    if refused:
        raise UsageError(
            f"target {target} cannot run this scenario: {'; '.join(refused)} (remove the fault, or use another target)"
        )
