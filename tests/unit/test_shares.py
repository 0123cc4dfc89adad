"""Tests of a file run in one process, those against the clock in few: what they share is made once, and they disturb nobody."""

import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from shares import share

HELPERS = Path(__file__).parents[1]


WORKER = """
import os, pathlib, time, pytest

@pytest.mark.parametrize("number", range(6))
def test_it(number):
    with pathlib.Path("workers").open("a") as file:
        file.write(f"{{os.environ['PYTEST_XDIST_WORKER']}} {name}\\n")
    time.sleep(0.05)
"""


def test_a_file_is_run_by_one_process_and_so_is_a_lane(tmp_path: Path) -> None:
    """With the installed releases of pytest and xdist: what they make of groups has changed before without a word."""
    for name in ("a/test_a", "a/test_b", "a/test_real_calls", "orchestrator/test_c", "orchestrator/test_d"):
        path = tmp_path / f"{name}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(WORKER.format(name=share(path.relative_to(tmp_path)).replace(" ", "_")))
    for name in ("conftest.py", "other_words.py", "shares.py"):
        shutil.copy(HELPERS / name, tmp_path)
    words = ["-n", "4", "--dist", "loadscope", "-p", "no:cacheprovider", "-p", "no:timeout", "--rootdir", str(tmp_path)]
    command = [sys.executable, "-m", "pytest", "-c", os.devnull, *words, str(tmp_path)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = (tmp_path / "workers").read_text().splitlines()
    assert Counter(line.split()[1] for line in lines) == {"test_a": 6, "test_b": 6, "lane_0": 18}
    assert len(set(lines)) == 3, "each share in one process"
    assert len({line.split()[0] for line in lines}) == 3, "and shares side by side"


def test_a_lane_is_what_stands_in_the_table() -> None:
    assert (
        share(Path("tests/unit/targets/test_clock.py"))
        == share(Path("tests/acceptance/test_broken_off.py"))
        == "lane 1"
    )
    assert share(Path("tests/unit/test_units.py")) == "test_units"


def test_what_tests_start_can_be_interrupted() -> None:
    assert signal.getsignal(signal.SIGINT) is not signal.SIG_IGN


def test_a_test_that_hangs_fails(request: pytest.FixtureRequest) -> None:
    assert float(request.config.getini("timeout")) <= 300
    assert request.config.getini("timeout_method") == "signal"
