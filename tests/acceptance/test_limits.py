"""`soak limits` as a user meets it: on a shipped scenario, from the command to files that can be checked."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest
from jsonschema import Draft202012Validator

from soak.runner.analysis import ScenarioFile
from soak.runner.cli import run_command
from soak.runner.evidence.checksums import check_hashes
from soak.runner.evidence.directory import RunDirectory
from soak.runner.limits.decision import SequentialTest
from soak.runner.limits.findings import point_of, read_points
from soak.runner.limits.request import Request, Variants
from soak.schemas.errors import UsageError
from soak.schemas.evidence.limits import Limits, LimitSide, Point, SearchOutcome
from soak.schemas.language.schema import read_schema
from soak.schemas.systems.queue.settings import queue_of

ROOT = Path(__file__).resolve().parents[2]
SCENARIO = ROOT / "scenarios" / "72h.yaml"
WORKERS = ("queue.workers=1..8",)
PLANE = ("queue.workers=1..6", "faults.transient.rate=0%..40%")


LENIENT = ("--set", "evidence=lenient")
"""Runs are short here, and would not be enough for a strict PASS."""


def limits(out: Path, vary: tuple[str, ...], *words: str) -> int:
    asked = [word for each in vary for word in ("--vary", each)]
    return run_command(["limits", str(SCENARIO), "--duration", "1h", *LENIENT, *asked, "--out", str(out), *words])


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("limits") / "workers"
    assert limits(out, WORKERS) == 0
    return out


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("limits") / "plane"
    assert limits(out, PLANE, "--grid", "3", "--tolerance", "25%", "--most", "20") == 0
    return out


def read(out: Path) -> Limits:
    return msgspec.json.decode((out / "limits.json").read_bytes(), type=Limits)


def test_the_limit_has_a_neighbour_that_breaks(found: Path) -> None:
    answer = read(found)
    (search,) = answer.searches
    (limit,) = search.limits
    assert (search.finding, limit.side) == (SearchOutcome.FOUND, LimitSide.SMALLEST)
    assert limit.at.values[0] == limit.beyond.values[0] + 1
    assert limit.times == limit.at.values[0] / 10
    assert limit.at.share > limit.beyond.share
    assert limit.beyond.causes[0].what == "objective latency_p95 <= 120s"
    assert answer.replications == sum(point.replications for point in search.points) < 200


def test_the_files_are_those_of_evidence(found: Path, plane: Path) -> None:
    for out, plots in (
        (found, {"queue.workers.svg"}),
        (plane, {"queue.workers.svg", "faults.transient.rate.svg", "plane.svg"}),
    ):
        Draft202012Validator(read_schema("limits")).validate(json.loads((out / "limits.json").read_text()))
        assert {path.name for path in (out / "plots").iterdir()} == plots
        findings = list(check_hashes(RunDirectory(out)))
        assert len(findings) == len(plots) + 4 + (out / "limits.html").exists()
        assert [each for each in findings if each.problem] == []
        for name in ("limits.md", "limits.json", "points.csv"):
            assert str(ROOT) not in (out / name).read_text()
            assert str(out) not in (out / name).read_text()


def every_point(answer: Limits) -> list[Point]:
    points = [point for search in answer.searches for point in search.points]
    points += [point for search in answer.searches for limit in search.limits for point in (limit.at, limit.beyond)]
    return points + [cell for row in (answer.grid.cells if answer.grid else []) for cell in row if cell]


def test_every_figure_can_be_computed_from_the_points(found: Path, plane: Path) -> None:
    for out in (found, plane):
        answer, made = read(out), read_points((out / "points.csv").read_text())
        test = SequentialTest(answer.probability, answer.most)
        assert answer.replications == sum(map(len, made.values()))
        assert {tuple(point.texts) for point in every_point(answer)} == set(made)
        for point in every_point(answer):
            assert point == point_of(point.values, tuple(point.texts), made[tuple(point.texts)], test)


def test_a_replication_is_a_run_that_can_be_made_again(found: Path, tmp_path: Path) -> None:
    made = read_points((found / "points.csv").read_text())
    values, trial = next((values, trial) for values, trials in made.items() for trial in trials if trial.causes)
    words = ["run", str(found / "scenario.yaml"), "--set", f"queue.workers={values[0]}", "--seed", str(trial.seed)]
    assert run_command([*words, "--out", str(tmp_path / "run")]) == trial.verdict.exit_code


def test_the_plane_has_a_border_and_the_own_limits(plane: Path) -> None:
    answer = read(plane)
    assert answer.grid is not None
    assert (answer.grid.column_texts, answer.grid.row_texts) == (["1", "3", "6"], ["0%", "10%", "40%"])
    cells = [[cell.passing for cell in row if cell] for row in answer.grid.cells]
    assert cells[0][2] is True
    assert cells[2] == [False, False, False]
    assert [search.finding for search in answer.searches] == [SearchOutcome.FOUND, SearchOutcome.FOUND]
    assert "queue.workers` stays at 10" in (plane / "limits.md").read_text()


def test_the_same_whatever_the_number_of_processes(found: Path, tmp_path: Path) -> None:
    assert limits(tmp_path / "again", WORKERS, "--jobs", "3") == 0
    names = sorted(path.relative_to(found) for path in found.rglob("*") if path.is_file())
    assert names == sorted(
        path.relative_to(tmp_path / "again") for path in (tmp_path / "again").rglob("*") if path.is_file()
    )
    for name in names:
        assert (found / name).read_bytes() == (tmp_path / "again" / name).read_bytes(), name


def test_without_a_limit_the_exit_code_is_5(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert limits(tmp_path / "high", ("queue.workers=9..12",), "--most", "20") == 5
    assert "NO LIMIT: every value tried is good enough" in capsys.readouterr().out
    assert limits(tmp_path / "low", ("queue.workers=1..2",), "--json") == 5
    answer = msgspec.json.decode(capsys.readouterr().out, type=Limits)
    assert answer.searches[0].finding is SearchOutcome.NOWHERE
    assert [point.replications for point in answer.searches[0].points] == [3, 3]


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["--vary", "queue.wokers"], "did you mean 'queue.workers'?"),
        (["--vary", "queue.workers", "--vary", "queue.workers=1..2"], "--vary queue.workers: is duplicated"),
        (["--vary", "queue.workers", "--vary", "drain", "--vary", "warmup"], "vary two at a time"),
        (["--vary", "queue.lease.duration"], "valid with queue.lease.duration=24s: queue.lease.heartbeat: a heartbeat of 30s"),
        (["--vary", "queue.workers=1..20000"], "queue.workers=20000: queue.workers: 20000 is above 10000"),
        (["--vary", "queue.workers", "--probability", "1"], "'--probability': 1 is not a share between 0% and 100%"),
        (["--vary", "queue.workers", "--set", "slos=[]"], "has no objectives"),
    ],
)  # fmt: skip
def test_wrong_input_is_told_and_leaves_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], what: str
) -> None:
    assert run_command(["limits", str(SCENARIO), *words, "--out", str(tmp_path / "out")]) == 2
    assert what in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_value_inside_the_range_that_cannot_be_is_named() -> None:
    vary = ("queue.lease.duration=31s..5m", "queue.lease.heartbeat=5s..1m")
    variants = Variants(Request(ScenarioFile(SCENARIO), vary, 0.95, 0.02, 20, 3))
    assert queue_of(variants.at(("2m", "1m"))).heartbeat_s == 60
    with pytest.raises(UsageError, match=r"with queue\.lease\.duration=31s and queue\.lease\.heartbeat=1m: .*narrow"):
        variants.check_ends()


def test_an_interrupted_search_keeps_what_it_knows(tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = [
        sys.executable,
        "-m",
        "soak",
        "limits",
        str(SCENARIO),
        "--vary",
        "faults.transient.rate=0%..60%",
        "--duration",
        "12h",
        *LENIENT,
        "--out",
        str(out),
    ]
    process = subprocess.Popen(
        command, cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stderr is not None
    lines = [process.stderr.readline(), process.stderr.readline()]
    assert "10 of 10 PASS" in lines[1]
    os.killpg(process.pid, signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "INTERRUPTED before there was an answer" in output
    answer = read(out)
    assert not answer.complete
    assert answer.replications >= 10
    assert "**Interrupted**" in (out / "limits.md").read_text()
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            os.killpg(process.pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    pytest.fail("a process of the search is left")
