"""Workers and services of a task system: started, struck, kept alive, stopped."""

import os
from pathlib import Path

import pytest
from servers import until
from tiny_system import Made, running, target

from soak.runner.targets.processes.ending import kill_tree
from soak.runner.targets.processes.identity import all_processes, ancestors, stat, tree
from soak.schemas.language.faults import Fault
from soak.schemas.target.model import Kill, Killed

FAULTS = "faults: [{name: kill, type: worker_crash, at: 30m}]"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> "object":
    with running(tmp_path_factory.mktemp("control"), target("forks {name} {port.store}"), FAULTS) as made:
        yield made


def cause(made: Made) -> int:
    fault: Fault = made.context.plan.scenario.faults[0]
    return made.context.plan.cause_of(fault)


def state(made: Made, name: str = "w0") -> list[bool]:
    process = made.control.process(name)
    assert process
    found = [stat(each.pid) for each in tree(process.pid)]
    return [each.stopped for each in found if each]


def test_workers_are_named_and_up_and_the_service_too(made: Made) -> None:
    assert made.control.names() == ["w0", "w1"]
    assert [*made.control.service_pids()] == ["store"]
    assert {name.partition("/")[0] for name in made.control.pids()} == {"w0", "w1"}
    assert made.noted() == []


def test_the_worker_of_a_process_is_found_by_its_session_and_by_its_parents(made: Made) -> None:
    process = made.control.process("w1")
    assert process
    worker, child = until(lambda: found if len(found := tree(process.pid)) == 2 else None)
    assert made.control.worker_of(worker.pid) == made.control.worker_of(child.pid) == "w1"
    assert made.control.worker_of(os.getpid()) is None
    assert made.control.worker_of(made.control.service_pids()["store"]) is None


def test_a_tree_is_the_same_by_the_lists_of_the_kernel_and_by_all_processes(made: Made) -> None:
    process = made.control.process("w1")
    assert process
    until(lambda: len(tree(process.pid)) == 2)
    assert tree(process.pid) == tree(process.pid, all_processes())
    assert ancestors(process.pid) == ancestors(process.pid, all_processes()) >= {process.pid, os.getpid()}


def test_a_kill_strikes_the_whole_tree_and_the_worker_is_started_again(made: Made) -> None:
    process = made.control.process("w0")
    assert process
    before = until(lambda: found if len(found := tree(process.pid)) == 2 else None)
    assert made.control.kill("w0", cause(made))
    made.sees(("exited", "w0", "kill"), ("started", "w0", ""))
    assert not any(each.is_alive() for each in before)
    assert made.control.process("w0") != process


def test_a_worker_that_dies_by_itself_has_died(made: Made) -> None:
    process = made.control.process("w0")
    assert process
    kill_tree(process)
    made.sees(("exited", "w0", "died"), ("started", "w0", ""))


def test_one_that_is_asked_to_stop_ends_in_peace(made: Made) -> None:
    assert made.control.terminate("w0", cause(made))
    made.sees(("exited", "w0", "kill"), ("started", "w0", ""))


def test_a_worker_comes_back_when_the_fault_says(made: Made) -> None:
    assert made.control.kill("w0", cause(made), back_s=3600.0)
    made.sees(("exited", "w0", "kill"))
    assert made.control.process("w0") is None
    assert not made.control.kill("w0", cause(made))
    assert not made.control.terminate("w0", cause(made))
    assert not made.control.pause("w0")
    made.control._group.put_off("w0", 0.0)
    made.sees(("started", "w0", ""))


def test_a_worker_is_stopped_with_all_that_it_started_and_goes_on(made: Made) -> None:
    process = made.control.process("w1")
    assert process
    until(lambda: len(tree(process.pid)) == 2)
    assert made.control.pause("w1")
    until(lambda: state(made, "w1") == [True, True])
    made.control.wake("w1")
    until(lambda: state(made, "w1") == [False, False])


def test_what_a_worker_leaves_behind_lives_on_if_only_the_worker_is_killed(tmp_path: Path) -> None:
    alone = target("forks {name} {port.store}", kill=Kill(Killed.PROCESS))
    with running(tmp_path, alone, FAULTS) as made:
        process = made.control.process("w0")
        assert process
        _, child = until(lambda: found if len(found := tree(process.pid)) == 2 else None)
        assert made.control.kill("w0", cause(made))
        made.sees(("exited", "w0", "kill"), ("started", "w0", ""))
        assert child.is_alive()
        assert made.control.worker_of(child.pid) is None
    until(lambda: not child.is_alive())


def test_one_that_does_not_stop_is_killed_after_its_grace(tmp_path: Path) -> None:
    with running(tmp_path, target("stubborn", restarts=False), FAULTS) as made:
        assert made.control.terminate("w0", cause(made))
        made.sees(("exited", "w0", "kill"))
        assert made.noted() == []
        assert made.control.process("w0") is None
        other = made.control.process("w1")
        assert other
        made.control.stop()
        assert not other.is_alive()
        assert made.control.service_pids() == {}


def test_a_kill_by_a_command_is_what_the_file_says(tmp_path: Path) -> None:
    told = tmp_path / "told"
    command = f"sh -c 'echo {{name}} {{pid}} > {told}; kill -9 {{pid}}'"
    with running(tmp_path, target(kill=Kill(command=command)), FAULTS) as made:
        process = made.control.process("w1")
        assert process
        assert made.control.kill("w1", cause(made))
        made.sees(("exited", "w1", "kill"), ("started", "w1", ""))
        assert told.read_text() == f"w1 {process.pid}\n"
