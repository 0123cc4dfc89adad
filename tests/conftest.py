"""Options and fixtures of all tests."""

import pytest
from hypothesis import settings

# The same examples everywhere, however slow the machine: a failure on a change is a failure of that change.
settings.register_profile("soak", deadline=None, derandomize=True)
settings.load_profile("soak")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-expected",
        action="store_true",
        help="rewrite tests/scenarios/invalid/*.expected with what the loader says now; review the difference",
    )


@pytest.fixture
def update_expected(request: pytest.FixtureRequest) -> bool:
    """Whether expected output is to be rewritten rather than compared."""
    return bool(request.config.getoption("--update-expected"))
