"""Processes under supervisord, circus and honcho: found, followed, killed, given up, stopped; and what is left behind."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from servers import until

from soak.runner.targets.offspring import Offspring, offspring_ended
from soak.runner.targets.processes.background import Background
from soak.runner.targets.processes.ending import kill, kill_tree
from soak.runner.targets.processes.following import LineFollower, Match
from soak.runner.targets.processes.identity import ProcessId
from soak.runner.targets.processes.orphans import orphans
from soak.runner.targets.processes.ports import is_taken
from soak.runner.targets.processes.prepared import missing_commands, prepare
from soak.runner.targets.processes.starting import Programs
from soak.runner.targets.processes.watching import Sight, Sighting, Watcher
from soak.schemas.target.load import load_target
from soak.schemas.target.model import Kill

HERE = Path(__file__).parent


@pytest.fixture
def offspring() -> Iterator[Offspring]:
    with offspring_ended("the test") as found:
        yield found


@pytest.mark.parametrize(("name", "gives_up"), [("supervisord", True), ("circus", False)])
def test_processes_under_a_supervisor_of_others(
    name: str, gives_up: bool, offspring: Offspring, tmp_path: Path
) -> None:
    loaded = load_target(HERE / f"{name}.yaml")
    assert list(missing_commands(loaded)) == []
    ready = prepare(loaded, tmp_path, {})
    with Background() as background, ready.launcher:
        programs = Programs(ready.launcher, background)
        programs.start_all(ready.file.programs)
        supervisor = ready.file.supervisor
        assert supervisor
        assert supervisor.gives_up
        gave_up = LineFollower(Path(supervisor.gives_up.log), supervisor.gives_up.pattern)
        watcher = Watcher(background, {each.name: each.find for each in ready.file.processes if each.find})
        seen: list[Sighting] = []
        lost: list[Match] = []

        def look() -> None:
            seen.extend(watcher.poll())
            lost.extend(gave_up.poll())

        def of(process: str, what: Sight) -> list[Sighting]:
            return [each for each in seen if (each.name, each.change) == (process, what)]

        def current() -> ProcessId | None:
            look()
            return watcher.current("steady")

        first = until(current, 20.0)
        assert first
        killed_at = time.time()
        assert kill(first, Kill())
        until(lambda: look() or len(of("steady", Sight.STARTED)) == 2, 20.0)
        (end,), (_, again) = of("steady", Sight.ENDED), of("steady", Sight.STARTED)
        assert end.process == first != again.process
        assert killed_at - 0.05 <= end.at <= again.at + 0.05
        until(lambda: look() or (lost if gives_up else len(of("failing", Sight.ENDED)) >= 3), 30.0)
        assert [each.text for each in lost] == (["failing"] if gives_up else [])
        assert of("failing", Sight.ENDED)
        assert programs.stop("supervisor", alone=True)
        until(lambda: look() or watcher.current("steady") is None)
        assert not is_taken(ready.ports["a"])
        found = orphans(offspring.alive(), dict(ready.ports))
        # Neither of them ends what a process has started.
        assert len(found) == 2, found
        assert all("tiny.py" in each.command_line for each in found)
        for each in found:
            kill_tree(each.process)
