"""Trends of objectives over runs, and the changes that are found in them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace
from run_folders import run_folder

from soak.runner.history.changes import search
from soak.runner.history.folder import read_runs
from soak.runner.history.trends import differences, series_of
from soak.schemas.evidence.changepoints import ChangeKind
from soak.schemas.evidence.runs import LEAST_RUNS, RunRow, RunSeries, RunState
from soak.schemas.evidence.verdict import Status


def noise(seed: int, count: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.random.default_rng([18, seed]).normal(100.0, 5.0, count)


# The search.


def test_a_planted_change_at_run_30_of_60_is_found_at_30() -> None:
    values = noise(1, 60) + 25.0 * (np.arange(60) >= 30)
    (found,) = search(values.tolist(), 0.05).found
    assert (found.kind, found.at) == (ChangeKind.STEP, 30)
    assert found.low <= 30 <= found.high
    assert found.high - found.low <= 4
    assert found.old == pytest.approx(100, abs=3)
    assert found.new == pytest.approx(125, abs=3)
    assert found.p <= 0.05


def test_equal_runs_have_no_change_in_at_least_95_of_100_trials() -> None:
    for count in (30, 60):
        quiet = [not search(noise(seed, count).tolist(), 0.05).found for seed in range(100)]
        assert sum(quiet) >= 95


def test_two_levels_without_noise_are_found_exactly() -> None:
    """As of simulations with one seed, whose value changes only with the code."""
    (found,) = search([80.0] * 20 + [85.0] * 15, 0.05).found
    assert (found.at, found.old, found.new) == (20, 80.0, 85.0)
    assert search([80.0] * 40, 0.05).found == ()


def test_a_change_and_back_are_two() -> None:
    values = noise(3, 90) + 40.0 * ((np.arange(90) >= 30) & (np.arange(90) < 60))
    assert [each.at for each in search(values.tolist(), 0.05).found] == [30, 60]


def test_a_slow_rise_is_a_drift() -> None:
    values = noise(4, 60) + 2.0 * np.arange(60)
    (found,) = search(values.tolist(), 0.05).found
    assert (found.kind, found.low, found.high) == (ChangeKind.DRIFT, 0, 59)
    assert found.new > found.old


def test_an_outlier_is_no_change() -> None:
    values = noise(5, 60)
    values[30] = 1e6
    assert search(values.tolist(), 0.05).found == ()


def test_of_few_runs_nothing_is_said() -> None:
    few = search([1.0] * 10 + [2.0] * (LEAST_RUNS - 11), 0.05)
    assert few.found == ()
    assert few.detail == f"{LEAST_RUNS - 1} runs: nothing is said about changes of fewer than {LEAST_RUNS}"
    assert search([1.0] * 10 + [2.0] * (LEAST_RUNS - 10), 0.05).detail == ""


def test_long_histories_are_searched_in_windows_and_each_change_is_found_once() -> None:
    places = np.arange(340)
    values = noise(6, 340) + 25.0 * (places >= 60) - 25.0 * (places >= 130) + 25.0 * (places >= 290)
    found = search(values.tolist(), 0.05).found
    assert [each.kind for each in found] == [ChangeKind.STEP] * 3
    assert [each.at for each in found] == pytest.approx([60, 130, 290], abs=1)
    quiet = [search(noise(seed, 250).tolist(), 0.05).found for seed in range(20)]
    assert sum(not each for each in quiet) >= 19


def test_a_long_drift_is_one() -> None:
    (found,) = search((noise(7, 180) + np.arange(180)).tolist(), 0.05).found
    assert (found.kind, found.low, found.high) == (ChangeKind.DRIFT, 0, 179)
    assert found.new - found.old == pytest.approx(180 - 25, abs=15)


# Series.


def rows_of(tmp_path: Path, values: Sequence[float], **changed: object) -> list[RunRow]:
    for place, value in enumerate(values):
        git = {"sha": str(place // 10) * 40, "dirty": False}
        day = f"2026-03-{1 + place // 24:02}T{place % 24:02}:00:00Z"
        run_folder(tmp_path / f"run-{place:03}", values={"latency_p95": value}, started_at=day, git=git, **changed)
    return read_runs(tmp_path)


def only(found: list[RunSeries]) -> RunSeries:
    (series,) = found
    return series


def test_a_change_names_the_runs_and_the_commits_around_it(tmp_path: Path) -> None:
    series = only(series_of(rows_of(tmp_path, [100.0] * 30 + [150.0] * 30)))
    assert series.name == "brief on simulation"
    assert series.runs == [f"run-{place:03}" for place in range(60)]
    success, latency, duplicates = series.trends
    assert (success.changes, duplicates.changes) == ([], [])
    assert latency.targets == [600.0] * 60
    assert latency.intervals[0] == (100.0, 100.0)
    assert set(latency.statuses) == {Status.PASS}
    (change,) = latency.changes
    assert (change.before, change.after, change.better) == ("run-029", "run-030", False)
    assert change.differences == ["commit 222222222222, then 333333333333"]


def test_what_differs_between_two_runs_is_told() -> None:
    old = RunRow("a", RunState.PASS, commit="1" * 40, environment={"host": "x", "python": "3.11"}, seed=1)
    later = {"host": "x", "python": "3.12", "variable A": "1"}
    new = replace(old, commit="2" * 40, dirty=True, environment=later, scenario_sha256="t")
    assert list(differences(old, new)) == [
        "commit 111111111111, then 222222222222 with uncommitted changes",
        "python 3.11, then 3.12",
        "variable A unknown, then 1",
        "the scenario was edited",
    ]
    assert list(differences(old, old)) == []


def test_a_limit_that_moves_does_not_break_a_trend(tmp_path: Path) -> None:
    run_folder(tmp_path / "old", started_at="2026-01-01T00:00:00Z")
    run_folder(tmp_path / "new", started_at="2026-01-02T00:00:00Z")
    rows = read_runs(tmp_path)
    success, latency_before, duplicates = rows[1].objectives
    moved = replace(latency_before, objective="latency_p95 <= 5m", target=300.0)
    rows[1] = replace(rows[1], objectives=[success, moved, duplicates])
    latency = only(series_of(rows)).trends[1]
    assert latency.objective == "latency_p95 <= 10m"
    assert latency.targets == [300.0, 600.0]


def test_other_tiers_settings_and_targets_are_other_series(tmp_path: Path) -> None:
    kinds = ({}, {"tier": "pr"}, {"settings": ["queue.workers=2"]}, {"target": "celery"}, {"settings": ["seed=3"]})
    for number, changed in enumerate(kinds):
        run_folder(tmp_path / str(number), **changed)
    names = {each.name: len(each.runs) for each in series_of(read_runs(tmp_path))}
    assert names == {
        "brief on simulation": 2,
        "brief --tier pr on simulation": 1,
        "brief --set queue.workers=2 on simulation": 1,
        "brief on celery": 1,
    }
