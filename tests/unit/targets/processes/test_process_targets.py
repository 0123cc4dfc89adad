"""A target file made ready for a run: what a scenario asks of it, its commands, its files and ports."""

import sys
from pathlib import Path

import pytest

from soak.runner.targets.processes.prepared import missing_commands, prepare
from soak.schemas.errors import Problem, ScenarioError
from soak.schemas.target.fits import refuse_misfit
from soak.schemas.target.load import LoadedTarget, load_target

FILE = """
name: mine
ports: [a, b]
environment: {WHERE: "{dir}"}
files: [{path: "{dir}/conf/x.ini", text: "port = {port.a}, {speed}, {{dir}}"}, {path: "{dir}/x.sh", text: x, executable: true}]
services: [{name: db, command: no-such-command-here}]
processes:
  - {name: harvest, command: "{python} x.py {port.b} {pid}", metrics: {dropped: {json: x, at: a}}}
  - {name: signal, command: "./x.py", directory: nowhere}
  - {name: below, command: "{dir}/x.sh"}
  - {name: report, command: "{here}/x.sh"}
sinks: {jsonl: {jsonl: x}}
"""


@pytest.fixture
def loaded(tmp_path: Path) -> LoadedTarget:
    (tmp_path / "target.yaml").write_text(FILE.replace("{pid}", ""))
    return load_target(tmp_path / "target.yaml")


def lines(problems: "list[Problem] | tuple[Problem, ...]") -> list[str]:
    return [f"{each.line} {each.where}: {each.what} ({each.remedy})" for each in problems]


def test_every_name_that_is_missing_is_named(loaded: LoadedTarget) -> None:
    with pytest.raises(ScenarioError) as error:
        refuse_misfit(
            loaded,
            processes=["harvst", "signal"],
            sinks=["jsonl", "sqlite"],
            streams=["source"],
            metrics=["queue_dropped"],
        )
    assert lines(error.value.problems) == [
        "2 : has no stream 'source', which the scenario has (add it under streams)",
        "7 processes: has no process 'harvst', which the scenario has (did you mean 'harvest'?)",
        "8 processes[0].metrics.dropped: nothing is made of a metric 'dropped' (did you mean 'queue_dropped'?)",
        "12 sinks: has no sink 'sqlite', which the scenario has (add it under sinks)",
    ]
    refuse_misfit(loaded, processes=["harvest"], sinks=["jsonl"])


def test_commands_that_do_not_exist_are_named(loaded: LoadedTarget) -> None:
    fix = "correct it, install it, or set PATH in its environment"
    *found, last = missing_commands(loaded)
    assert lines(found) == [
        f"6 services[0].command: there is no command 'no-such-command-here' ({fix})",
        "9 processes[1].directory: there is no directory 'nowhere' (correct it; it starts from the folder of the target file)",
    ]
    assert last.where == "processes[3].command"
    assert [each.where for each in missing_commands(loaded, ["harvest", "below"])] == ["services[0].command"]


def test_it_is_made_ready(loaded: LoadedTarget, tmp_path: Path) -> None:
    directory = tmp_path / "system"
    directory.mkdir()
    ready = prepare(loaded, directory, {"speed": "60"})
    assert set(ready.ports) == {"a", "b"}
    assert (directory / "conf" / "x.ini").read_text() == f"port = {ready.ports['a']}, 60, {{dir}}"
    assert (directory / "x.sh").stat().st_mode & 0o111
    program = ready.file.processes[0].program
    assert program
    assert program.command.split() == [sys.executable, "x.py", str(ready.ports["b"])]
    assert ready.launcher.folder_of(program) == tmp_path
    assert ready.launcher.environment_of(program)["WHERE"] == str(directory)
    again = prepare(loaded, directory, {"speed": "60"}, ready.ports)
    assert again.file == ready.file
