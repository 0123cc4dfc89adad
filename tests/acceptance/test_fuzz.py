"""A part of `benchmarks/fuzz.py`: damaged files show no traceback, hang nothing and end with a documented exit code."""

import importlib.util
import random
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


def test_a_case_hangs_on_nothing_but_seed_and_number(fuzz: ModuleType) -> None:
    texts = [path.read_text(encoding="utf-8") for path in sorted((ROOT / "scenarios").rglob("*.yaml"))]
    stream = b"".join(b'{"t":%d,"type":"task.done","task":"%d"}\n' % (line, line) for line in range(50))

    def made(seed: int, number: int) -> tuple[bytes, bytes]:
        draw = random.Random(f"{seed}:{number}")
        return fuzz.damaged_yaml(draw, texts[0], texts), fuzz.damaged_lines(draw, stream, [stream])

    cases = [made(7, number) for number in range(20)]
    assert cases == [made(7, number) for number in range(20)]
    assert len({*cases, made(8, 0)}) == 21


@pytest.mark.parametrize(
    ("what", "problem"),
    [
        ("raise KeyError('oh')", "internal error: KeyError"),
        ("print('Traceback (most recent call last)')", "says 'Traceback"),
        ("import warnings; warnings.warn('oh', RuntimeWarning, 1)", "RuntimeWarning"),
        ("import time; time.sleep(60)", "hangs"),
        ("return 7", "ends with exit code 7"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "ends with exit code -9"),
        ("return 3", ""),
    ],
)
def test_whatever_breaks_is_found(
    fuzz: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str, problem: str
) -> None:
    scope: dict[str, object] = {}
    exec(f"def broken(*_, **__):\n    {what}", scope)
    monkeypatch.setattr("soak.runner.cli.cli.main", scope["broken"])
    monkeypatch.setattr(fuzz, "LIMIT_S", 0.5)
    began = time.monotonic()
    step = fuzz.command(("slis",), tmp_path)
    assert problem in step.problem
    assert bool(step.problem) == bool(problem)
    assert time.monotonic() - began < 30
