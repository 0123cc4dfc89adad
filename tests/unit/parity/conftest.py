import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parents[1]))

from planted import SCENARIO, simulate


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulated run, without a report; nobody changes it."""
    return simulate(tmp_path_factory.mktemp("base"), SCENARIO)


@pytest.fixture(scope="session")
def again(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same run made again."""
    return simulate(tmp_path_factory.mktemp("again"), SCENARIO)
