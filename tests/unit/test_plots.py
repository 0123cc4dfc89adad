"""What plots are made of."""

from pathlib import Path

import numpy as np

from soak.reports.data import read_run
from soak.reports.plots import success
from soak.reports.plots.canvas import mean_per_bucket, per_bucket
from soak.runner.cli import run_command

UNKNOWN = np.nan


def test_what_is_not_known_is_neither_nothing_nor_part_of_a_mean() -> None:
    values = np.array([2.0, 4.0, 6.0, UNKNOWN, UNKNOWN, UNKNOWN, 1.0])
    np.testing.assert_array_equal(mean_per_bucket(values, 2), [3.0, 6.0, UNKNOWN])
    np.testing.assert_array_equal(per_bucket(values, 2, largest=True), [4.0, 6.0, UNKNOWN])
    np.testing.assert_array_equal(mean_per_bucket(np.full(4, UNKNOWN), 2), [UNKNOWN, UNKNOWN])


SCENARIO = """
version: 1
name: two-rates
system: queue
duration: 10m
workload:
  arrivals: {rate: 2/min}
  task: {duration: {distribution: constant, value: 5s}}
slis:
  success_rate_of_first_tries: {ratio: {good: task.done, total: [task.retry, task.done]}}
slos: [success_rate >= 90%]
abort:
  - {name: own, when: success_rate_of_first_tries < 11%, window: 5m}
  - {name: all, when: success_rate < 22%, window: 5m}
"""


def test_the_limits_of_a_plot_are_those_of_its_sli(tmp_path: Path) -> None:
    scenario = tmp_path / "two-rates.yaml"
    scenario.write_text(SCENARIO)
    assert run_command(["run", str(scenario), "--out", str(tmp_path / "run")]) == 0
    run = read_run(tmp_path / "run")
    assert [each.name for each in run.aborts_of("success_rate")] == ["all"]
    assert [each.name for each in run.aborts_of("success_rate_of_first_tries")] == ["own"]
    drawn = success.plot(run)
    assert b"abort below 22%" in drawn
    assert b"abort below 11%" not in drawn
