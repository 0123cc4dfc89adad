"""Kinds of work of which nothing ever arrives, and what a scenario asks of them in vain."""

from collections.abc import Iterator

from soak.schemas.language.model import Scenario, TaskKind, Workload
from soak.simulation.room import Doubt


def arrives(workload: Workload, kind: TaskKind) -> bool:
    """Whether any arrival can be of a kind."""
    return kind.share > 0 or any(each.kind == kind.name and each.times_s for each in workload.scheduled)


def kind_doubts(scenario: Scenario) -> Iterator[Doubt]:
    """Faults that strike only kinds of which nothing arrives."""
    workload = scenario.workload
    never = {kind.name for kind in workload.kinds if not arrives(workload, kind)}
    traced = workload.trace is not None and workload.trace.reading.kind is not None
    for place, fault in enumerate(scenario.faults):
        if fault.kinds and never.issuperset(fault.kinds):
            what = f"strikes nothing: no work of the kind {' or '.join(fault.kinds)} ever arrives"
            why = (
                "the trace has none" if traced else "with a share of 0% it comes at set times only, and there are none"
            )
            yield Doubt(("faults", place, "kind"), f"{what}: {why}", "write a kind that arrives, or give it a share")
