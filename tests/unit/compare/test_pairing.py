"""Two simulated runs of the same work, task by task: what differs is found, what does not is exactly zero."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from jsonschema import Draft202012Validator
from msgspec.structs import replace
from simulated import simulate

from soak.runner.cli import run_command
from soak.runner.compare.baseline import read_side, side_of
from soak.runner.compare.changes import compare
from soak.runner.compare.pairing import Pairing, pair
from soak.runner.evidence.directory import RunDirectory
from soak.schemas.evidence.changes import Changes, Direction, TaskChanges
from soak.schemas.language.schema import read_schema

pytestmark = pytest.mark.usefixtures("undrawn")

VARIANTS = {
    "base": (),
    "alike": ("checkpoints.every=7m",),
    "fewer": ("queue.workers=3",),
    "patient": ("queue.retry.backoff=[1m]",),
    "fragile": ("queue.retry.max_attempts=1",),
    "busier": ("workload.arrivals.rate=22/min",),
    "aborted": ("abort.slow.when=latency_p50 > 20s",),
    "seed 4": ("seed=4",),
    "short": ("duration=1h",),
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    top = tmp_path_factory.mktemp("paired")
    return {name: simulate(top / name, *settings) for name, settings in VARIANTS.items()}


def paired(runs: dict[str, Path], run: str, base: str = "base") -> Pairing:
    return pair(side_of(runs[base]), side_of(runs[run]))


def tasks_of(runs: dict[str, Path], run: str, base: str = "base") -> TaskChanges:
    pairing = paired(runs, run, base)
    assert pairing.refused == ""
    assert pairing.tasks is not None
    return pairing.tasks


def changes_of(runs: dict[str, Path], run: str, base: str = "base") -> Changes:
    sides = side_of(runs[base]), side_of(runs[run])
    baselines = [side.baseline for side in sides]
    return compare(*baselines, alpha=0.01, least=0.0, objectives=(), pairing=pair(*sides))


# What is read from the streams.


def test_latency_and_wait_are_those_of_the_judge(runs: dict[str, Path]) -> None:
    for name in ("base", "fewer", "patient"):
        tasks = side_of(runs[name]).tasks
        assert tasks is not None
        slis = json.loads((runs[name] / "verdict.json").read_text())["slis"]
        for column, sli in ((tasks.latency_s, "latency"), (tasks.wait_s, "wait")):
            known = column[~np.isnan(column)]
            assert known.mean() == pytest.approx(slis[f"{sli}_mean"], abs=1e-6)
            assert known.max() == pytest.approx(slis[f"{sli}_max"], abs=1e-6)


# Alike.


@pytest.mark.parametrize("name", ["base", "alike"])
def test_variants_without_a_difference_are_exactly_alike(runs: dict[str, Path], name: str) -> None:
    tasks = tasks_of(runs, name)
    for time in (tasks.latency, tasks.wait):
        assert time is not None
        assert (time.difference, time.low, time.high, time.slower, time.faster) == (0, None, None, 0, 0)
        assert time.gain is None
        assert all(each.difference == 0 for each in time.quantiles)
        assert time.unchanged == time.tasks > 2000
    assert (tasks.more_attempts, tasks.fewer_attempts, tasks.attempts, tasks.p) == (0, 0, 0, 1.0)
    assert all(each.base == each.run for each in tasks.outcomes)
    changes = changes_of(runs, name)
    assert changes.paired
    assert not changes.regressed
    assert {each.direction for each in changes.changes} <= {"UNCHANGED", "UNTESTED", "UNKNOWN"}


# Different.


def test_fewer_workers_make_tasks_wait_and_nothing_else(runs: dict[str, Path]) -> None:
    tasks = tasks_of(runs, "fewer")
    assert tasks.latency is not None
    assert tasks.wait is not None
    # The queue grows to the end, so that there is no mean to have an interval of.
    assert (tasks.wait.low, tasks.wait.high) == (None, None)
    assert tasks.wait.difference > 0
    assert tasks.wait.slower > 20 * tasks.wait.faster
    assert tasks.alike == 1.0
    turned = tasks_of(runs, "base", "fewer")
    assert turned.latency is not None
    assert turned.latency.difference == -tasks.latency.difference
    assert (turned.latency.slower, turned.latency.faster) == (tasks.latency.faster, tasks.latency.slower)
    assert turned.latency.gain == pytest.approx(tasks.latency.gain)


def test_a_longer_backoff_lengthens_latency_where_a_task_was_tried_again(runs: dict[str, Path]) -> None:
    tasks = tasks_of(runs, "patient")
    assert tasks.latency is not None
    assert tasks.latency.gain is not None
    # A tenth of the tasks wait 50 s longer.
    assert 3 < tasks.latency.difference < 9
    assert tasks.latency.low is not None
    assert 0 < tasks.latency.low < tasks.latency.difference
    turned = tasks_of(runs, "base", "patient").latency
    assert turned is not None
    assert turned.high == pytest.approx(-tasks.latency.low)
    assert tasks.latency.gain > 1
    p95 = next(each for each in tasks.latency.quantiles if each.q == 0.95)
    assert p95.difference == pytest.approx(p95.run - p95.base)
    assert p95.difference > 30


def test_without_retries_tasks_fail_that_were_done(runs: dict[str, Path]) -> None:
    tasks = tasks_of(runs, "fragile")
    assert tasks.done_in_base_only > 100
    assert tasks.done_in_run_only < 10
    assert tasks.p < 1e-6
    assert tasks.attempts < 0 == tasks.more_attempts < tasks.fewer_attempts
    lost = next(each for each in tasks.outcomes if (each.base, each.run) == ("DONE", "FAILED"))
    assert lost.tasks == tasks.done_in_base_only
    assert sum(each.tasks for each in tasks.outcomes) == tasks.tasks


def test_parts_of_the_runs_are_paired_too(runs: dict[str, Path]) -> None:
    changes = changes_of(runs, "patient")
    by_name = {each.sli: each for each in changes.changes}
    assert changes.paired
    assert by_name["latency_mean"].direction is Direction.WORSE
    sides = [side_of(runs[name]).baseline for name in ("base", "patient")]
    unpaired = compare(*sides, alpha=0.01, least=0.0, objectives=())
    assert not unpaired.paired
    p = next(each.p for each in unpaired.changes if each.sli == "latency_mean")
    # Parts at the same place are held against each other, of one plan or not.
    assert by_name["latency_mean"].p == p


def test_of_runs_that_are_not_equally_long_the_common_time_is_compared(runs: dict[str, Path]) -> None:
    for name in ("aborted", "short"):
        tasks = tasks_of(runs, name)
        assert tasks.until_s < 7200
        assert tasks.alike == 1.0
        assert 200 < tasks.tasks < 1500
    assert not changes_of(runs, "short").paired


def test_tasks_that_an_abort_left_unfinished_are_not_held_against_a_run(runs: dict[str, Path]) -> None:
    tasks = tasks_of(runs, "aborted")
    unfinished = sum(each.tasks for each in tasks.outcomes if each.run == "UNFINISHED")
    assert unfinished > 5
    assert (tasks.done_in_base_only, tasks.done_in_run_only, tasks.p) == (0, 0, 1.0)


# Not to be paired.


def test_other_seeds_are_not_paired_and_raise_no_alarm(runs: dict[str, Path]) -> None:
    pairing = paired(runs, "seed 4")
    assert pairing == Pairing(None, None, "the seeds are 3 and 4")
    changes = changes_of(runs, "seed 4")
    assert (changes.paired, changes.regressed, changes.tasks) == (False, False, None)


def test_other_arrivals_are_not_paired(runs: dict[str, Path]) -> None:
    pairing = paired(runs, "busier")
    assert pairing.tasks is None
    assert "the arrivals are not the same" in pairing.refused
    assert not changes_of(runs, "busier").paired


def test_tasks_that_are_due_at_other_times_are_not_paired(runs: dict[str, Path]) -> None:
    base, run = side_of(runs["base"]), side_of(runs["alike"])
    assert run.tasks is not None
    due = np.flatnonzero(~np.isnan(run.tasks.due_s))
    run.tasks.due_s[due[::200]] += 1e-6
    assert pair(base, run).refused == ""
    run.tasks.due_s[due[::50]] += 1e-6
    assert "the arrivals are not the same" in pair(base, run).refused


def test_a_real_run_and_a_baseline_are_not_paired(runs: dict[str, Path], tmp_path: Path) -> None:
    copy = Path(shutil.copytree(runs["base"], tmp_path / "real"))
    verdict = json.loads((copy / "verdict.json").read_text())
    (copy / "verdict.json").write_text(json.dumps({**verdict, "clock": "real"}))
    RunDirectory(copy).write_checksums()
    refused = pair(side_of(runs["base"]), side_of(copy)).refused
    assert refused == "real ran on the real clock, which gives no task the same time twice"
    assert run_command(["baseline", str(runs["base"]), str(tmp_path / "pinned.json")]) == 0
    refused = pair(read_side(tmp_path / "pinned.json"), side_of(runs["base"])).refused
    assert refused == "pinned.json is a baseline, which holds no tasks"


def test_runs_without_tasks_are_not_paired(runs: dict[str, Path]) -> None:
    side = side_of(runs["base"])
    assert "only 0.0% of the tasks" in pair(replace(side, until_s=0.0), side).refused


# The command.


@pytest.mark.drawn
def test_files_and_lines_of_the_command(
    runs: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(["compare", str(runs["base"]), str(runs["patient"]), "--out", str(tmp_path / "out")]) == 3
    said = capsys.readouterr()
    assert "tasks in both, compared one by one" in said.out
    assert "queue.retry.backoff" in said.err
    Draft202012Validator(read_schema("changes")).validate(json.loads((tmp_path / "out" / "changes.json").read_text()))
    text = (tmp_path / "out" / "changes.md").read_text()
    assert "![tasks](tasks.svg)" in text
    assert "| DONE | DONE |" in text
    plot = (tmp_path / "out" / "tasks.svg").read_text()
    assert "slower: " in plot
    assert "95% interval" in plot


def test_a_comparison_that_is_not_paired_says_why(
    runs: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(["compare", str(runs["base"]), str(runs["seed 4"]), "--out", str(tmp_path / "out")]) == 0
    assert "not compared task by task: the seeds are 3 and 4" in capsys.readouterr().out
    assert not (tmp_path / "out" / "tasks.svg").exists()
    assert "Not compared: the seeds are 3 and 4." in (tmp_path / "out" / "changes.md").read_text()
    Draft202012Validator(read_schema("changes")).validate(json.loads((tmp_path / "out" / "changes.json").read_text()))


def test_no_comparison_is_written_into_a_run(
    runs: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    inside = runs["base"] / "comparison"
    scenario = runs["base"].parent / "small.yaml"
    for words in ([str(runs["base"]), str(runs["alike"])], [str(scenario), "--with", "queue.workers=3"]):
        assert run_command(["compare", *words, "--out", str(inside)]) == 2
        assert "is inside the run directory" in capsys.readouterr().err
        assert not inside.exists()


@pytest.mark.parametrize("damage", ["missing", "cut", "edited"])
def test_damaged_evidence_is_refused(
    runs: dict[str, Path], tmp_path: Path, damage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = Path(shutil.copytree(runs["alike"], tmp_path / "copy"))
    stream = copy / "soak_small.jsonl"
    text = stream.read_bytes()
    if damage == "missing":
        stream.unlink()
    else:
        stream.write_bytes(text[: len(text) // 2] if damage == "cut" else text.replace(b"task.done", b"task.failed", 1))
    assert run_command(["compare", str(runs["base"]), str(copy), "--out", str(tmp_path / "out")]) == 5
    assert "soak_small.jsonl" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
