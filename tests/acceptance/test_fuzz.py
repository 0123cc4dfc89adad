"""A part of `benchmarks/fuzz.py`: damaged files show no traceback, hang nothing and end with a documented exit code."""

import importlib.util
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "benchmarks" / "fuzz.py"


@pytest.fixture(scope="module")
def fuzz() -> ModuleType:
    spec = importlib.util.spec_from_file_location("fuzz", PROGRAM)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["fuzz"] = module
    spec.loader.exec_module(module)
    return module


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, str(PROGRAM), *words], capture_output=True, text=True, check=False)


def test_sixty_damaged_files_are_told_of_and_nothing_breaks() -> None:
    done = run("--count", "60", "--seed", "7")
    assert (done.returncode, done.stdout.splitlines()[-1].rpartition(": ")[2]) == (0, "0 wrong"), done.stdout
    # It is no test if nothing of it runs, or nothing of it is refused.
    for code in ("0:", "2:", "3:", "5:"):
        assert code in done.stdout


def test_the_same_case_is_made_again(tmp_path: Path) -> None:
    for name in ("one", "two"):
        assert run("--seed", "7", "--case", "5", "--keep", str(tmp_path / name)).returncode == 0
    made = [sorted((tmp_path / name).glob("case.yaml")) for name in ("one", "two")]
    assert [path.read_bytes() for path in made[0]] == [path.read_bytes() for path in made[1]]


@pytest.mark.parametrize(
    ("what", "problem"),
    [
        ("raise KeyError('oh')", "internal error: KeyError"),
        ("print('Traceback (most recent call last)')", "says 'Traceback"),
        ("import warnings; warnings.warn('oh', RuntimeWarning, 1)", "RuntimeWarning"),
        ("import time; time.sleep(60)", "hangs"),
        ("return 7", "ends with exit code 7"),
        ("import os; os.abort()", "ends with exit code -6"),
        ("return 3", ""),
    ],
)
def test_whatever_breaks_is_found(
    fuzz: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str, problem: str
) -> None:
    scope: dict[str, object] = {}
    exec(f"def broken(*_, **__):\n    {what}", scope)
    monkeypatch.setattr("runner.cli.cli.main", scope["broken"])
    monkeypatch.setattr(fuzz, "LIMIT_S", 0.5)
    began = time.monotonic()
    step = fuzz.command(("slis",), tmp_path)
    assert problem in step.problem
    assert bool(step.problem) == bool(problem)
    assert time.monotonic() - began < 30
