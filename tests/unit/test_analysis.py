"""The analysis commands: rooms of one shape, the first free directory, and what an interruption leaves."""

import importlib
import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import msgspec
import numpy as np
import pytest

from soak.runner.analysis import Analysis, ScenarioFile, dated_directory, numbered_directory
from soak.runner.calibrate import check
from soak.runner.interruption import Interruption
from soak.runner.power import session
from soak.runner.power.request import Request
from soak.runner.replications.processes import ProcessPool
from soak.schemas.errors import UsageError
from soak.schemas.language.load import load

ROOT = Path(__file__).resolve().parents[2]
SCENARIO = ROOT / "scenarios" / "72h.yaml"
ROOMS = ("predict", "power", "limits", "calibrate", "compare", "whatif", "parity")


@pytest.mark.parametrize("room", ROOMS)
def test_every_analysis_has_the_same_shape(room: str) -> None:
    request = importlib.import_module(f"soak.runner.{room}.request").Request
    perform = importlib.import_module(f"soak.runner.{room}.session").perform
    assert request.__struct_config__.frozen
    assert "out" in request.__struct_fields__
    signature = inspect.signature(perform)
    assert next(iter(signature.parameters.values())).annotation is request
    assert signature.return_annotation.__origin__ is Analysis
    [result] = signature.return_annotation.__args__
    assert result.__module__.startswith("soak.schemas.evidence.")


def test_the_first_free_directory_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for expected in ("compare-a", "compare-a-2", "compare-a-3"):
        with numbered_directory(None, "compare-a") as directory:
            directory.write("result.json", "{}")
            assert str(directory.path) == expected


def test_a_directory_to_which_nothing_was_written_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError), dated_directory(None, "power", "a") as directory:
        assert directory.path.exists()
        raise UsageError("it cannot be")
    with pytest.raises(UsageError), numbered_directory(Path("deep/er"), "compare-a"):
        raise UsageError("it cannot be")
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_was_there_stays(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with numbered_directory(tmp_path / "out", "compare-a"):
        pass
    assert (tmp_path / "out").is_dir()


# Interruptions.


def interrupted(monkeypatch: pytest.MonkeyPatch, module: ModuleType) -> None:
    """Somebody has pressed Ctrl-C by the time the first replication is waited for."""

    @contextmanager
    def listening() -> Iterator[Interruption]:
        interruption = Interruption()
        interruption.asked = True
        yield interruption

    monkeypatch.setattr(module, "listening", listening)


def test_an_interrupted_pilot_has_no_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    interrupted(monkeypatch, session)
    with pytest.raises(KeyboardInterrupt):
        session.perform(Request(ScenarioFile(SCENARIO, tier="pr"), (), 0.95, 5, 1, tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_an_interrupted_check_of_a_calibration_has_no_result(monkeypatch: pytest.MonkeyPatch) -> None:
    interrupted(monkeypatch, check)
    with pytest.raises(KeyboardInterrupt):
        check.replicate([load(SCENARIO, tier="pr").scenario], 3, 1, None, ProcessPool(1))


def test_the_second_signal_stops_at_once() -> None:
    interruption = Interruption()
    interruption._handle(2, None)
    assert interruption()
    with pytest.raises(KeyboardInterrupt):
        interruption._handle(2, None)


# Jobs.


def test_jobs_in_turn_and_in_pairs_have_the_seeds_of_the_series() -> None:
    from itertools import islice

    from soak.runner.replications.replication import jobs, jobs_in_turn, paired_jobs

    scenario = load(SCENARIO, tier="pr").scenario
    other = msgspec.structs.replace(scenario, seed=99)
    plain = [job.seed for job in islice(jobs(scenario, scenario.seed), 6)]
    turns = list(islice(jobs_in_turn([scenario, other], scenario.seed, 7), 6))
    assert [job.seed for job in turns] == plain
    assert [job.scenario is other for job in turns] == [False, True] * 3
    assert {job.arrivals_seed for job in turns} == {7}
    pairs = list(islice(paired_jobs(scenario, other), 6))
    assert [job.seed for job in pairs] == list(np.repeat(plain[:3], 2))
    assert [(job.index, job.scenario is other, job.in_full) for job in pairs] == [
        (index, bool(index % 2), True) for index in range(6)
    ]
