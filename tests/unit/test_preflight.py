"""What must hold before a real run begins."""

from pathlib import Path

import psutil
import pytest
from histories import scenario

from soak.runner.preflight import check_machine, run_commands
from soak.schemas.errors import UsageError
from soak.simulation.plan import Plan


def test_commands_run_in_the_folder_of_the_scenario(tmp_path: Path) -> None:
    (tmp_path / "here").touch()
    run_commands(scenario("preflight: ['test -e here', 'true']"), tmp_path)


@pytest.mark.parametrize(
    ("command", "complaint"),
    [
        ("test -e nowhere", "ended with exit code 1"),
        ("sh -c 'echo two tests failed; exit 3'", "ended with exit code 3: two tests failed"),
        ("no-such-program --at-all", "cannot run: No such file or directory"),
        ("echo 'open", "cannot run: is not a valid command line; check its quotes"),
    ],
)
def test_a_command_that_does_not_end_well_ends_everything(command: str, complaint: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=complaint):
        run_commands(scenario(f'preflight: ["{command}"]'), tmp_path)


def test_too_little_disk_space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = Plan(scenario("duration: 72h"))
    check_machine(plan, tmp_path / "not" / "there" / "yet")
    usage = type("Usage", (), {"free": 1 << 20})()
    monkeypatch.setattr(psutil, "disk_usage", lambda _: usage)
    with pytest.raises(UsageError, match="1 MiB free"):
        check_machine(plan, tmp_path)


def test_too_few_open_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("resource.getrlimit", lambda _: (100, 100))
    with pytest.raises(UsageError, match="100 open files are allowed, and 30 workers need 184"):
        check_machine(Plan(scenario("queue: {workers: 30}")), tmp_path)
