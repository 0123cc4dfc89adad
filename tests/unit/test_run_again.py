"""What fails against the clock is run once more, alone; what fails otherwise, or twice, fails."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FAILS_ONCE = """
from pathlib import Path
def test_it():
    first = Path(__file__).with_suffix(".seen")
    seen = first.exists()
    first.touch()
    assert seen
"""
RIGHT, WRONG = "def test_it(): pass", "def test_it(): assert False"


@pytest.mark.parametrize(
    ("clocked", "other", "code", "said"),
    [
        (RIGHT, RIGHT, 0, ["2 passed"]),
        (FAILS_ONCE, RIGHT, 0, ["1 failed", "1 that run against the clock", "test_real_calls.py::test_it", "1 passed"]),
        (WRONG, RIGHT, 1, ["1 failed", "1 that run against the clock", "1 failed"]),
        (RIGHT, FAILS_ONCE, 1, ["1 failed", "1 failed that do not run against the clock: nothing is run again"]),
        (FAILS_ONCE, WRONG, 1, ["2 failed", "1 failed that do not run against the clock: nothing is run again"]),
        ("def", RIGHT, 2, ["1 error"]),
    ],
)
def test_only_what_runs_against_the_clock_is_run_again(
    tmp_path: Path, clocked: str, other: str, code: int, said: list[str]
) -> None:
    for name in (".ci/tests.py", "tests/shares.py"):
        (tmp_path / name).parent.mkdir()
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "tests" / "test_real_calls.py").write_text(clocked)
    (tmp_path / "tests" / "test_words.py").write_text(other)
    command = [sys.executable, ".ci/tests.py", sys.executable, "-m", "pytest", "-q", "tests"]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ended.returncode == code
    place = 0
    for words in said:
        place = ended.stdout.find(words, place)
        assert place >= 0, (words, ended.stdout)
        place += len(words)
