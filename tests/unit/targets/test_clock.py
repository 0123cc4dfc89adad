"""The clock of a real run: the machine's clock may be set, slewed or stand still, and scenario time goes on evenly."""

from itertools import chain, repeat
from pathlib import Path

import pytest
from histories import scenario_text

from soak.contract import Change, ChangeType
from soak.runner.targets.agenda import Agenda
from soak.runner.targets.clock import Clock, ClockSetError
from soak.runner.targets.context import RunContext
from soak.runner.targets.journal import Journal
from soak.runner.targets.queue.names import Workers
from soak.runner.targets.queue.system_adapter.change_reader import ChangeReader
from soak.schemas.errors import SoakError
from soak.schemas.language.load import load
from soak.schemas.systems.queue.settings import queue_of
from soak.simulation.plan import Plan


class Machine:
    """A machine whose clocks are turned by hand."""

    def __init__(self) -> None:
        self.wall_s, self.steady_s = 1_700_000_000.0, 50.0

    def clock(self, speed: float = 1.0, held_s: float | None = None) -> Clock:
        return Clock(speed, self.wall_s, held_s, wall=lambda: self.wall_s, steady=lambda: self.steady_s)

    def passes(self, seconds: float) -> None:
        self.wall_s += seconds
        self.steady_s += seconds


def test_scenario_time_is_real_time_since_the_start() -> None:
    machine = Machine()
    clock = machine.clock(60)
    machine.passes(2.5)
    assert clock.now() == pytest.approx(150)
    assert clock.scenario(machine.wall_s - 1) == pytest.approx(90)
    assert clock.scenario(machine.wall_s - 10) == 0
    assert clock.real(120) == 2
    clock.refuse_step()


@pytest.mark.parametrize("step_s", [-3600.0, -0.3, 0.3, 3600.0])
def test_a_clock_that_is_set_moves_neither_the_runner_nor_what_others_stamp(step_s: float) -> None:
    machine = Machine()
    clock = machine.clock()
    machine.passes(10)
    machine.wall_s += step_s
    machine.passes(5)
    assert clock.now() == pytest.approx(15)
    assert clock.scenario(machine.wall_s - 1) == pytest.approx(14)
    assert clock.started_at == pytest.approx(machine.wall_s - 15)


@pytest.mark.parametrize(
    ("step_s", "speed", "said"),
    [
        (-7200.0, 1.0, "set back by 2h during"),
        (-1.5, 1.0, "set back by 1.5s"),
        (90.0, 1.0, "set forward, or the machine was suspended, by 90s"),
        (-0.3, 60.0, "set back by 300ms"),
    ],
)
def test_a_run_whose_clock_was_set_ends(step_s: float, speed: float, said: str) -> None:
    machine = Machine()
    clock = machine.clock(speed)
    machine.passes(10)
    clock.refuse_step()
    machine.wall_s += step_s
    with pytest.raises(SoakError, match=said):
        clock.refuse_step()


@pytest.mark.parametrize(("step_s", "speed"), [(0.4, 1.0), (-0.4, 1.0), (0.01, 60.0), (0.04, 1000.0)])
def test_a_small_step_is_no_matter(step_s: float, speed: float) -> None:
    machine = Machine()
    clock = machine.clock(speed)
    machine.passes(10)
    machine.wall_s += step_s
    clock.refuse_step()
    assert clock.scenario(machine.wall_s) == pytest.approx(10 * speed)


def test_small_steps_that_add_up_are_a_large_one() -> None:
    machine = Machine()
    clock = machine.clock()
    for _ in range(2):
        machine.wall_s -= 0.4
        clock.refuse_step()
    machine.wall_s -= 0.4
    with pytest.raises(SoakError, match=r"set back by 1\.2s"):
        clock.refuse_step()


def test_a_reading_that_took_too_long_does_not_count() -> None:
    """The runner may be held up between its looks at the two clocks: that is no step."""
    steady_s = chain(repeat(0.0, 10), [5.0, 10.0], repeat(10.0))
    clock = Clock(1.0, 100.0, wall=lambda: 100.0, steady=lambda: next(steady_s))
    clock.refuse_step()
    assert clock.started_at == 100.0


def test_a_clock_that_is_held_stands_still_until_it_goes() -> None:
    machine = Machine()
    clock = machine.clock(speed=10.0, held_s=100.0)
    machine.passes(5)
    assert (clock.now(), clock.scenario(machine.wall_s)) == (100.0, 100.0)
    machine.wall_s += 3600  # set while it is held: nothing goes by it yet
    clock.go()
    clock.refuse_step()
    machine.passes(1)
    assert clock.now() == pytest.approx(110.0)
    assert clock.scenario(machine.wall_s) == pytest.approx(110.0)


@pytest.mark.parametrize("step_s", [3600.0, -7200.0])
def test_stamps_from_before_a_step_are_no_breach_of_the_contract(step_s: float, tmp_path: Path) -> None:
    machine = Machine()
    path = tmp_path / "test.yaml"
    path.write_text(scenario_text(), encoding="utf-8")
    plan = Plan(load(path).scenario)
    context = RunContext(plan, machine.clock(), Agenda(), Journal(plan, 0.0), 0.0, 0.0)
    machine.passes(10)
    change = Change(ChangeType.SKIPPED, None, "0", machine.wall_s)
    change_reader = ChangeReader(context, lambda: [change], Workers(queue_of(plan.scenario)))
    machine.wall_s += step_s
    with pytest.raises(ClockSetError, match="the clock of this machine was set"):
        change_reader.read()
