"""Scheduled faults of a run that goes on: what began or ended unobserved is told once, and what still lasts is taken up again."""

from pathlib import Path

import pytest

from soak.runner.targets.context import RunContext
from soak.runner.targets.queue.orchestrator.outages import Outages
from soak.schemas.language.load import load
from soak.schemas.stream.events import Kind
from soak.simulation.plan import Plan

KNOWN_S, FROM_S = 30.0, 60.0
SCENARIO = """
version: 1
name: outages
system: queue
duration: 10m
workload: {arrivals: {rate: 6/min}, task: {duration: {distribution: constant, value: 5s}}}
faults: [{name: gone, type: dispatcher_crash, at: %s, for: %s}]
slos: [success_rate >= 0%%]
"""


class System:
    """Notes what is done to its processes."""

    def __init__(self) -> None:
        self.done: list[str] = []

    def kill(self, name: str) -> None:
        self.done.append(f"kill {name}")

    def restart(self, name: str) -> None:
        self.done.append(f"restart {name}")


@pytest.mark.parametrize(
    ("at", "lasts", "at_once", "in_the_end", "told"),
    [
        ("5s", "10s", [], [], []),
        ("20s", "20s", [], [], [(Kind.FAULT_CLEARED, 40.0)]),
        ("35s", "20s", [], [], [(Kind.FAULT_INJECTED, 35.0), (Kind.FAULT_CLEARED, 55.0)]),
        ("20s", "50s", ["kill"], ["kill", "restart"], [(Kind.PROCESS_STARTED, 70.0), (Kind.FAULT_CLEARED, 70.0)]),
    ],
    ids=["over before", "over unobserved", "begun and over unobserved", "still on"],
)
def test_windows_around_the_death_of_a_runner(
    tmp_path: Path, at: str, lasts: str, at_once: list[str], in_the_end: list[str], told: list[tuple[Kind, float]]
) -> None:
    path = tmp_path / "outages.yaml"
    path.write_text(SCENARIO % (at, lasts))
    context, system = RunContext.held(Plan(load(path).scenario), 1.0, KNOWN_S, FROM_S), System()
    Outages(context, system, None, None).start()  # type: ignore[arg-type]
    assert [each.split()[0] for each in system.done] == at_once
    context.clock.held_s = 70.0
    context.agenda.run(70.0)
    assert [each.split()[0] for each in system.done] == in_the_end
    block = context.journal.take(100.0)
    assert [(Kind(kind), t) for kind, t in zip(block.kind.tolist(), block.t.tolist(), strict=True)] == told


def test_a_window_that_begins_unobserved_and_lasts_is_begun(tmp_path: Path) -> None:
    path = tmp_path / "outages.yaml"
    path.write_text(SCENARIO % ("50s", "20s"))
    context, system = RunContext.held(Plan(load(path).scenario), 1.0, KNOWN_S, FROM_S), System()
    Outages(context, system, None, None).start()  # type: ignore[arg-type]
    context.agenda.run(context.now())
    assert system.done == ["kill dispatcher0"]
    assert context.journal.take(100.0).kind.tolist() == [Kind.FAULT_INJECTED, Kind.PROCESS_EXITED]
