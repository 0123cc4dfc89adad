"""What programs of a task system find in their environment."""

import os
import sys
from pathlib import Path

import pytest

from soak.runner.targets.queue.foreign.informed import informed
from soak.schemas.target.load import load_target

FILE = """
name: it
environment: {PYTHONPATH: /own}
workers: {command: ./worker}
submit: {command: "./submit {key} {payload}"}
"""


def test_the_kit_and_the_command_come_after_what_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/usr/bin")
    monkeypatch.setenv("PYTHONPATH", "/inherited")
    (tmp_path / "it.yaml").write_text(FILE, encoding="utf-8")
    found = informed(load_target(tmp_path / "it.yaml"), {"SOAK_ADDRESS": "unix:/x"}, "/kit").file.environment
    assert found["PATH"].split(os.pathsep) == ["/usr/bin", str(Path(sys.executable).parent)]
    assert found["PYTHONPATH"].split(os.pathsep) == ["/own", "/kit", "/inherited"]
    assert found["SOAK_ADDRESS"] == "unix:/x"
