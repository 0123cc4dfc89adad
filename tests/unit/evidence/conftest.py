import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))

from recordings import SCENARIO, record

from soak.runner.evidence.directory import RunDirectory
from soak.runner.evidence.report import render_into


@pytest.fixture(scope="session")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole run directory, report and plots included; nobody changes it."""
    place = tmp_path_factory.mktemp("run")
    recorded = record(place, SCENARIO)
    render_into(recorded)
    recorded.write_checksums()
    return recorded.path


@pytest.fixture
def run(original: Path, tmp_path: Path) -> RunDirectory:
    """A copy of it, to be damaged."""
    return RunDirectory(shutil.copytree(original, tmp_path / "run"))


@pytest.fixture
def recorder(tmp_path: Path) -> Callable[..., RunDirectory]:
    """Runs and records a scenario of its own."""
    return lambda text, **options: record(tmp_path, text, **options)
