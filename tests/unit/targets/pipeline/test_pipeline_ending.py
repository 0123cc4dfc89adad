"""What is left of a pipeline when it has ended, and of which process it is."""

from types import SimpleNamespace
from typing import Any

import pytest
from pipeline_story import SCENARIO, SIGNAL, scenario

from soak.runner.targets.pipeline import ending
from soak.runner.targets.pipeline.ending import Ending
from soak.runner.targets.processes.identity import ProcessId
from soak.runner.targets.processes.orphans import Orphan
from soak.schemas.systems.pipeline.settings import pipeline_of
from soak.simulation.plan import Plan


def left(number: int, command_line: str, *ports: str) -> Orphan:
    """A process that is left."""
    return Orphan(ProcessId(number, 1), "sh", command_line, ports)


def test_what_is_left_is_of_the_process_that_it_shows_itself_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = Plan(scenario(SCENARIO).scenario)
    noted: list[tuple[int, str]] = []
    names = plan.vocabulary.names
    context: Any = SimpleNamespace(
        plan=plan,
        now=lambda: 1.0,
        note=lambda t_s, kind, *, worker, value: noted.append((worker, names[int(value)])),
    )
    processes = {"signal": SimpleNamespace(port="8080")}
    group: Any = SimpleNamespace(
        processes=processes, current=lambda name: None, programs=SimpleNamespace(processes=dict)
    )
    prepared: Any = SimpleNamespace(ports={"health": 8080})
    found = [left(1, "sleep 60", "health"), left(2, "run broker --now"), left(3, "sleep 60")]
    monkeypatch.setattr(ending, "orphans", lambda pids, ports: found)
    offspring: Any = SimpleNamespace(alive=list)
    Ending(context, pipeline_of(plan.scenario), group, offspring, prepared).note_orphans()
    assert noted == [(SIGNAL, "signal"), (2, "broker"), (-1, "sh")]
