"""Commands write the same bytes with one worker and with several."""

from pathlib import Path

import pytest
from predictions import loaded_scenario
from test_worker_pool import files

from soak.runner.cli import run_command

COMMANDS = {
    "compare": ("--with", "queue.workers=4", "-n", "6"),
    "power": ("-n", "5"),
    "limits": ("--vary", "queue.workers=2..5", "--most", "20"),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_the_same_is_written_with_any_number_of_workers(tmp_path: Path, command: str) -> None:
    path = str(loaded_scenario(tmp_path).source)
    words = (*COMMANDS[command], "--duration", "5m", "--set", "abort=[]", "--quiet")
    written = []
    for jobs in ("1", "3"):
        out = tmp_path / f"{command}-{jobs}"
        assert run_command([command, path, *words, "--jobs", jobs, "--out", str(out)]) in {0, 3, 5}
        written.append(files(out))
    assert len(written[0]) >= 3
    assert written[0] == written[1]


def test_processes_are_for_variants_only(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["compare", "runs/before", "runs/after", "--jobs", "2"]) == 2
    assert "--jobs needs --with" in capsys.readouterr().err
