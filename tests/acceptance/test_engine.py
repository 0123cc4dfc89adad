"""`--engine`: which engine simulates, what the manifest says of it, and what happens where the compiled one cannot be had."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from commands import soak

from soak.simulation.compiled.library import outcome

ROOT = Path(__file__).resolve().parents[2]
QUEUE = ROOT / "scenarios" / "24h.yaml"
USERS = ROOT / "docs" / "examples" / "load" / "users.yaml"
SAME = (
    "soak_24h.jsonl",
    "verdict.json",
    "metrics.csv",
    "alerts.json",
    "checkpoints.json",
    "junit.xml",
    "scenario.yaml",
)
NOTE = "note: SimPy simulates, slower and with the same result: "


def run(out: Path, *words: str, scenario: Path = QUEUE) -> tuple[int, str]:
    done = soak("run", scenario, "--duration", "1h", "--out", out, *words)
    return done.returncode, done.stderr


@pytest.fixture
def as_new(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """As if nothing had been loaded yet, and after the test again."""
    outcome.cache_clear()
    yield monkeypatch
    outcome.cache_clear()


def engine(out: Path) -> dict[str, str]:
    found: dict[str, str] = json.loads((out / "run_manifest.json").read_bytes())["engine"]
    return found


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("compiled") / "run"
    code, said = run(out, "--engine", "compiled")
    assert code == 5, said  # an hour is too short for its objectives
    return out


def test_both_engines_leave_the_same_evidence(compiled: Path, tmp_path: Path) -> None:
    run(tmp_path / "run", "--engine", "simpy")
    assert engine(compiled) == {"name": "compiled", "why": ""}
    assert engine(tmp_path / "run") == {"name": "simpy", "why": ""}
    for name in SAME:
        one, other = (hashlib.sha256((run / name).read_bytes()).hexdigest() for run in (compiled, tmp_path / "run"))
        assert one == other, name
    assert soak("verify", compiled).returncode == 0


def test_auto_says_why_simpy_ran(tmp_path: Path) -> None:
    code, said = run(tmp_path / "run", scenario=USERS)
    assert code in {0, 3, 4, 5}
    assert NOTE not in said  # nothing is missing here: there is no such model
    assert engine(tmp_path / "run") == {"name": "simpy", "why": "the compiled model does not cover users"}


def test_an_engine_that_cannot_run_a_scenario_is_refused(tmp_path: Path) -> None:
    code, said = run(tmp_path / "run", "--engine", "compiled", scenario=USERS)
    assert code == 2
    assert said.splitlines()[-1] == (
        "--engine compiled: the compiled model does not cover users (write --engine auto: SimPy gives the same run)"
    )
    assert not (tmp_path / "run").exists()


def test_without_a_cache_simpy_runs(tmp_path: Path, as_new: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    as_new.setenv("SOAK_CACHE", str(tmp_path / "file"))
    code, said = run(tmp_path / "run")
    assert code == 5
    (line,) = [line for line in said.splitlines() if line.startswith(NOTE)]
    assert line.endswith("(set SOAK_CACHE)")
    assert engine(tmp_path / "run")["name"] == "simpy"
    assert engine(tmp_path / "run")["why"] == line.removeprefix(NOTE)


def test_without_a_compiler_simpy_runs(tmp_path: Path, as_new: pytest.MonkeyPatch) -> None:
    as_new.setenv("SOAK_CACHE", str(tmp_path / "cache"))
    as_new.setenv("PATH", str(tmp_path))
    code, said = run(tmp_path / "run")
    assert code == 5
    assert f"{NOTE}there is no C compiler (install gcc or clang)" in said
    assert engine(tmp_path / "run")["name"] == "simpy"


def test_the_engine_of_all_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOAK_ENGINE", "simpy")
    run(tmp_path / "run")
    assert engine(tmp_path / "run")["name"] == "simpy"
    monkeypatch.setenv("SOAK_ENGINE", "fast")
    code, said = run(tmp_path / "other")
    assert (code, said.splitlines()[-1]) == (2, "SOAK_ENGINE=fast is not an engine (write auto, simpy, compiled)")
    assert not (tmp_path / "other").exists()
    assert soak("predict", QUEUE, "-n", "2", "--out", tmp_path / "prediction").returncode == 2
    assert not (tmp_path / "prediction").exists()
    monkeypatch.setenv("SOAK_ENGINE", "simpy\n\033[1m")
    assert run(tmp_path / "other")[1].splitlines()[-1].startswith("SOAK_ENGINE=simpy��[1m is not an engine")


def test_an_engine_that_cannot_run_it_is_named_as_it_was_asked_for(tmp_path: Path, as_new: pytest.MonkeyPatch) -> None:
    as_new.setenv("SOAK_CACHE", str(tmp_path / "cache"))
    as_new.setenv("PATH", str(tmp_path))
    as_new.setenv("SOAK_ENGINE", "compiled")
    why = "there is no C compiler (install gcc or clang)"
    for words, asked in (((), "SOAK_ENGINE="), (("--engine", "compiled"), "--engine ")):
        code, said = run(tmp_path / "run", *words)
        remedy = f"write {asked}auto: SimPy gives the same run"
        assert (code, said.splitlines()[-1]) == (2, f"{asked}compiled: {why} ({remedy})")


def test_real_targets_have_no_engine(tmp_path: Path) -> None:
    code, said = run(tmp_path / "run", "--target", "orchestrator", "--engine", "simpy")
    assert (code, said.splitlines()[-1]) == (2, "--engine is for simulations, not for orchestrator (remove it)")
