"""Options and fixtures of all tests."""

import os
import signal
import sys
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from hypothesis import settings
from other_words import speak_otherwise
from shares import LANES, share, turn

# The same examples everywhere, however slow the machine: a failure on a change is a failure of that change.
settings.register_profile("soak", deadline=None, derandomize=True)
settings.load_profile("soak")

speak_otherwise()

# Without compiled files each of some 250 commands compiles all of our modules once more, and each process all tests.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
# Where the tests run in GitHub Actions, the runs in them are not to annotate anything.
os.environ.pop("GITHUB_ACTIONS", None)
sys.dont_write_bytecode = False

# A shell starts what is to run in the background with this signal ignored, and so would be every command that a test interrupts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-expected",
        action="store_true",
        help="rewrite tests/scenarios/invalid/*.expected with what the loader says now; review the difference",
    )


ARITHMETIC = frozenset({"power", "limits", "export"})
"""Folders whose tests take a second or two, and search: with a mistake in the code, for ever."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One for each core, and one for each lane, which leaves its core idle."""
    return len(os.sched_getaffinity(0)) + len(LANES) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)


def pytest_configure() -> None:
    """What runs against the clock goes first: the first processes get the lanes, and the others yield to them."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
    if hasattr(os, "nice") and worker.isdecimal() and int(worker) >= len(LANES):
        os.nice(5)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Shares go out whole, in the order of the tests.

    `--dist loadgroup` of xdist 3.8 does nothing with pytest 9.2, and says nothing.
    """
    from xdist.scheduler import LoadScopeScheduling

    class Shares(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return share(_file(nodeid))

        def schedule(self) -> None:
            """The first processes by name get what runs against the clock: they may have come in another order."""
            if self.collection is None:
                ordered = sorted(
                    self.assigned_work.items(), key=lambda item: int(item[0].gateway.id.removeprefix("gw"))
                )
                self.assigned_work = dict(ordered)
            super().schedule()

    config.option.loadscopereorder = False
    return Shares(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes long comes first."""
    for item in items:
        if ARITHMETIC & set(_file(item.nodeid).parts):
            item.add_marker(pytest.mark.timeout(60))
    items.sort(key=lambda item: turn(_file(item.nodeid)))


def _file(nodeid: str) -> Path:
    """The file of a test, from the top: the folders that a checkout lies in mean nothing."""
    return Path(nodeid.partition("::")[0])


@pytest.fixture
def update_expected(request: pytest.FixtureRequest) -> bool:
    """Whether expected output is to be rewritten rather than compared."""
    return bool(request.config.getoption("--update-expected"))


@pytest.fixture
def undrawn(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Plots are made and not drawn, but in tests that are marked `drawn`: drawing is a third of what a report takes."""
    if request.node.get_closest_marker("drawn"):
        return

    def save(_: object, file: BinaryIO, **__: object) -> None:
        file.write(b'<svg xmlns="http://www.w3.org/2000/svg"/>')

    monkeypatch.setattr("matplotlib.figure.Figure.savefig", save)
