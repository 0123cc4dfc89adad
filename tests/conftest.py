"""Options and fixtures of all tests, and which of them may run side by side."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from other_words import speak_otherwise

# The same examples everywhere, however slow the machine: a failure on a change is a failure of that change.
settings.register_profile("soak", deadline=None, derandomize=True)
settings.load_profile("soak")

speak_otherwise()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-expected",
        action="store_true",
        help="rewrite tests/scenarios/invalid/*.expected with what the loader says now; review the difference",
    )


REAL = frozenset(
    {
        "test_attached_queue",
        "test_broken_off",
        "test_installed",
        "test_real_calls",
        "test_own_system",
        "test_real_orchestrator",
        "test_timeseries",
    }
)
"""Tests that run real processes against the clock: one at a time. Those of `targets` and `orchestrator` do so, too."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A file's tests stay together, in one process; real runs of all files do."""
    for item in items:
        path = Path(item.path)
        real = path.stem in REAL or {"targets", "orchestrator"} & set(path.parts)
        item.add_marker(pytest.mark.xdist_group("real" if real else path.stem))


@pytest.fixture
def update_expected(request: pytest.FixtureRequest) -> bool:
    """Whether expected output is to be rewritten rather than compared."""
    return bool(request.config.getoption("--update-expected"))


class HangsError(BaseException):
    """The test hangs; no program may take it for an error of its own."""


@pytest.fixture
def alarm() -> Iterator[None]:
    """A test that hangs fails."""

    def ring(*_: object) -> None:
        raise HangsError

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(30)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)
